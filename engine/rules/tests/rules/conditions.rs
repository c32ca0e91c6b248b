//! Conditions, operator by operator. Each row: a condition, the documents on which it holds, those on which it does not.

use serde_json::{Value, json};
use zelo_core::Plan;

use super::common::{automation, changed, event, in_force, indexer, with_rule};

const ROWS: &[(&str, &[&str], &[&str])] = &[
    (r#"equals = "a""#, &[r#""a""#], &[r#""A""#, "null", r#"["a"]"#, "absent"]),
    ("equals = 17", &["17", "17.0"], &[r#""17""#, "17.5", "absent"]),
    ("equals = 1_000", &["1000"], &["1"]),
    ("lt = 1_000.5", &["1000"], &["1001"]),
    ("equals = 0x10", &["16"], &["10"]),
    ("equals = 9007199254740993", &["9007199254740993"], &["9007199254740992.0", "9007199254740994"]),
    ("equals = 189.9", &["189.9", "189.90"], &["189.8999"]),
    ("equals = true", &["true"], &["1", r#""true""#]),
    ("equals = [1, \"b\"]", &[r#"[1, "b"]"#], &[r#"["b", 1]"#, "[1]"]),
    (r#"not_equals = "a""#, &[r#""b""#, "null", "1", "absent"], &[r#""a""#]),
    (r#"in = ["a", 2]"#, &[r#""a""#, "2"], &[r#""2""#, "null", "absent"]),
    (r#"not_in = ["a", 2]"#, &[r#""2""#, "null", "absent"], &[r#""a""#, "2"]),
    ("exists = true", &["0", "false", r#""""#, "[]"], &["null", "absent"]),
    ("exists = false", &["null", "absent"], &["0", r#""""#]),
    ("is_null = true", &["null"], &["0", "absent"]),
    ("is_null = false", &["0", "absent"], &["null"]),
    ("missing = true", &["absent"], &["null", "0"]),
    ("missing = false", &["null", "0"], &["absent"]),
    ("gt = 10", &["11", "10.01"], &["10", "9", r#""11""#, "null", "absent"]),
    ("gte = 10", &["10", "10.0"], &["9.99"]),
    ("lt = 10.5", &["10", "-3"], &["10.5", "11"]),
    ("lte = -1", &["-1", "-1.5"], &["0"]),
    ("between = [1, 2.5]", &["1", "2.5", "2"], &["0.99", "2.51", r#""2""#, "absent"]),
    (r#"contains = "b""#, &[r#""abc""#, r#"["a", "b"]"#], &[r#""ac""#, r#"["abc"]"#, "absent", "1"]),
    ("contains = 2", &["[1, 2.0]"], &[r#""2""#, r#"["2"]"#]),
    (r#"not_contains = "interno""#, &[r#""consulta""#, "null", "absent", "7"], &[r#""bloqueio interno""#, r#"["interno"]"#]),
    (r#"starts_with = "Lo""#, &[r#""Loja""#], &[r#""A Loja""#, "null", "absent"]),
    (r#"ends_with = "01""#, &[r#""Loja 01""#], &[r#""Loja 011""#, "1", "absent"]),
    (r#"matches = "^[A-Z]\\d+$""#, &[r#""F452""#], &[r#""452""#, "452", "absent"]),
    // Several operators in one table: all must hold.
    ("gt = 1, lt = 3", &["2"], &["1", "3"]),
    ("exists = true, not_equals = \"a\"", &[r#""b""#], &[r#""a""#, "null", "absent"]),
];

/// Why a rule with this [when] does not fire; nothing where it does.
fn why_not(when: &str, data: &Value) -> Option<String> {
    let set = with_rule(&format!(
        "id = \"r\"\ntitle = \"R\"\non = \"appointment.*\"\n[when]\n{when}\n[[then]]\nname = \"a\"\nplugin = \"reminder\"\nwith = {{ to = \"x\", text = \"y\" }}\ngrant.messages = {{ channels = [\"outbox\"], to = [\"x\"] }}\n"
    ));
    let event = event(&set, "appointment/new", data);
    let in_force = in_force(&set, vec![automation("r", None, json!({}))]);
    let fires = in_force.candidates(&event, &indexer()).iter().any(|candidate| matches!(candidate.plan, Plan::Fire { .. }));
    let why = in_force.why_not(&event).pop().map(|(_, why)| why);
    assert_eq!(why.is_none(), fires, "what does not fire has a reason: {when}");
    why
}

fn fires(when: &str, data: Value) -> bool {
    why_not(when, &data).is_none()
}

fn document(text: &str) -> Value {
    let mut data = changed("new-appointment", &[]);
    if text == "absent" {
        data["data"].as_object_mut().unwrap().remove("title");
    } else {
        data["data"]["title"] = serde_json::from_str(text).unwrap();
    }
    data
}

#[test]
fn every_operator_means_what_the_table_says() {
    for (operators, yes, no) in ROWS {
        let when = format!("all = [{{ path = \"$.data.title\", {operators} }}]");
        let not = format!("not = {{ path = \"$.data.title\", {operators} }}");
        for (documents, holds) in [(yes, true), (no, false)] {
            for text in *documents {
                assert_eq!(fires(&when, document(text)), holds, "{operators} on {text}");
                assert_eq!(fires(&not, document(text)), !holds, "not {operators} on {text}");
            }
        }
    }
}

#[test]
fn the_first_clause_that_fails_is_named_in_words() {
    for (when, title, why) in [
        ("exists = true", "null", "is missing"),
        ("exists = false", r#""""#, "is there"),
        ("missing = true", "null", "is there"),
        ("is_null = true", "absent", "is not null"),
        ("is_null = false", "null", "is missing"),
        ("equals = 1", "absent", "is missing"),
        ("equals = 1", r#"" ""#, "is missing"),
        ("equals = 1", "2", "is not the value wanted"),
        ("not_equals = 1", "1", "is the value excluded"),
        ("in = [1]", "2", "is none of those wanted"),
        ("not_in = [1]", "1", "is one of those excluded"),
        ("gt = 1", r#""2""#, "is not a number above its limit"),
        ("between = [1, 2]", "3", "is not a number between its limits"),
        ("contains = \"a\"", r#""b""#, "does not contain what is wanted"),
        ("not_contains = \"a\"", r#""a""#, "contains what is excluded"),
        ("matches = \"a\"", r#""b""#, "does not fit the pattern wanted"),
    ] {
        let expected = Some(format!("$.data.title {why}"));
        assert_eq!(why_not(&format!("path = \"$.data.title\"\n{when}"), &document(title)), expected, "{when} on {title}");
    }
    let nested = r#"not = { any = [{ path = "$.data.title", equals = 2 }, { not = { path = "$.data.title", gt = 0 } }, { path = "$.data.title", lte = 1 }] }"#;
    assert_eq!(why_not(nested, &document("1")).unwrap(), "$.data.title is at or below its limit", "the one that holds");
    let both = r#"not = { all = [{ path = "$.data.title", gte = 1 }, { path = "$.data.title", lt = 2 }] }"#;
    assert_eq!(why_not(both, &document("1")).unwrap(), "$.data.title is at or above its limit");
}

#[test]
fn any_node_is_enough_and_negation_means_none() {
    let data = || {
        let mut data = changed("new-appointment", &[]);
        data["data"]["codes"] = json!([{"code": "1", "price": 5}, {"code": "2", "price": 50}, {"code": null}]);
        data
    };
    for (when, holds) in [
        (r#"path = "$.data.codes[*].code", equals = "2""#, true),
        (r#"path = "$.data.codes[*].code", not_equals = "2""#, false),
        (r#"path = "$.data.codes[*].code", not_equals = "3""#, true),
        (r#"path = "$.data.codes[*].code", is_null = true"#, true),
        (r#"path = "$.data.codes[*].absent", exists = true"#, false),
        (r#"path = "$.data.codes[*].absent", missing = true"#, true),
        // Two clauses are independent; one filter query speaks of one element.
        (r#"path = "$.data.codes[?@.code == '1' && @.price > 10]", missing = true"#, true),
        (r#"path = "$.data.codes[?@.code == '2' && @.price > 10]", exists = true"#, true),
    ] {
        assert_eq!(fires(&when.replace(", ", "\n"), data()), holds, "{when}");
    }
}

#[test]
fn trees_nest() {
    let when = r#"
        any = [
          { all = [ { path = "$.data.event_type", equals = "attendance" }, { not = { path = "$.data.title", exists = false } } ] },
          { path = "$.data.annotations", starts_with = "Última" },
        ]"#;
    assert!(!fires(when, changed("new-appointment", &[])));
    assert!(fires(when, changed("new-appointment", &[("/data/title", json!("x"))])));
    assert!(fires(when, changed("new-appointment", &[("/data/annotations", json!("Última dose"))])));
}

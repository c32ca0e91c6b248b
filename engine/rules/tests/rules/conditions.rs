//! Conditions, operator by operator. Each row: a condition, the documents on which it holds, those on which it does not.

use std::collections::HashMap;

use serde_json::{Value, json};
use zelo_core::Plan;
use zelo_rules::{InForce, RuleSet};

use super::common::{automation, changed, event, in_force, indexer, with_odd_rules};

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
    (r#"matches = "(?i)^abc$""#, &[r#""ABC""#], &[r#""abcd""#]),
    (r#"glob = "Loja 0?""#, &[r#""Loja 01""#], &[r#""Loja 011""#, "1", "absent"]),
    (r#"glob = "*interno*""#, &[r#""x interno""#], &[r#""Interno""#]),
    ("length = 3", &[r#""é12""#, "[1, 2, 3]", r#"{"a": 1, "b": 2, "c": 3}"#], &[r#""ab""#, "3", "null", "absent", "[]"]),
    ("length = { gte = 1, lt = 3 }", &[r#""a""#, "[1, 2]"], &[r#""""#, r#""abc""#, "absent"]),
    // The right side elsewhere: any of what stands there.
    (r#"equals = { path = "$.data.event_status" }"#, &[r#""done""#], &[r#""x""#, "null", "absent"]),
    (r#"not_equals = { path = "$.data.event_status" }"#, &[r#""x""#, "absent"], &[r#""done""#]),
    (r#"equals = { path = "$.data.nothing" }"#, &[], &["null", r#""""#, "absent"]),
    (r#"not_equals = { path = "$.data.nothing" }"#, &["null", "absent", "1"], &[]),
    (r#"in = { path = "$.data.clinic[*]" }"#, &[r#""498124ed-53d5-46eb-89c9-2b1e6a6191a5""#], &[r#""F45""#, "absent"]),
    (r#"starts_with = { path = "$.data.event_status" }"#, &[r#""done x""#], &[r#""@""#]),
    // Settings, as they are or in a text.
    (r#"equals = { setting = "word" }"#, &[r#""chosen""#], &[r#""default""#, "absent"]),
    (r#"gt = { setting = "limit" }"#, &["8"], &["7", "absent"]),
    (r#"between = [1, { setting = "limit" }]"#, &["7"], &["8", "0"]),
    (r#"gt = "{{ settings.limit }}""#, &["8"], &["7", r#""8""#]),
    (r#"equals = "a {{ settings.word }}""#, &[r#""a chosen""#], &[r#""a default""#]),
    (r#"not_in = ["x", "{{ settings.word }}"]"#, &[r#""default""#, "absent"], &[r#""chosen""#, r#""x""#]),
    (r#"matches = "^{{ settings.word }}[0-9]$""#, &[r#""chosen1""#], &[r#""chosen""#]),
    (r#"length = { setting = "limit" }"#, &[r#""seven77""#], &[r#""six666""#]),
    // Turned into something else first.
    (r#"as = "string", equals = "17""#, &["17", r#""17""#], &["17.5", "null", "absent", "[17]"]),
    (r#"as = "string", starts_with = "0""#, &[r#""017""#, "0.5"], &["17"]),
    (r#"as = "number", gte = 17"#, &[r#""17""#, "17", r#"" 17.0 ""#], &[r#""16,9""#, r#""seventeen""#, "true", "absent"]),
    (r#"as = "number", equals = 0.3"#, &[r#""0.30""#, "0.3"], &[r#""0.30000000000000004""#, "0.30000000000000004"]),
    (r#"as = "number", not_equals = 17"#, &[r#""x""#, "null"], &[r#""17""#]),
    (r#"as = "number", contains = 17"#, &[r#"["17"]"#], &[r#"["x"]"#]),
    // Times. The event happens at 2023-07-13 15:55:33 UTC; days and hours are São Paulo's.
    (
        r#"before = "2017-05-30""#,
        &[r#""2017-05-30 02:59:59""#, r#""2017-05-29""#],
        &[r#""2017-05-30 03:00:00""#, r#""2017-05-30""#, "5", "absent"],
    ),
    (r#"after = "2017-05-30T00:00:00-03:00""#, &[r#""2017-05-30 03:00:01""#], &[r#""2017-05-30""#, r#""soon""#]),
    ("after = 2017-05-30", &[r#""2017-05-30 03:00:01""#], &[r#""2017-05-30""#]),
    (r#"after = "+24h""#, &[r#""2023-07-14 15:55:34""#], &[r#""2023-07-14 15:55:33""#, r#""2023-07-01""#]),
    // What a payload says counts from nothing.
    (r#"after = "-90d""#, &[r#""2023-07-13""#], &[r#""now""#, r#""+1h""#]),
    (r#"before = "now""#, &[r#""2023-07-13 15:55:32""#], &[r#""2023-07-13 15:55:33""#]),
    (r#"after = "-2d", before = "+2d""#, &[r#""2023-07-13T15:55:33Z""#], &[r#""2023-07-11 15:55:33""#, r#""2023-07-16""#]),
    (r#"before = { path = "$.data.scheduled_start_at" }"#, &[r#""2017-05-30 09:17:02""#], &[r#""2017-05-30 09:17:03""#, "absent"]),
    (
        r#"as = "date", equals = "2017-05-30T09:17:03Z""#,
        &[r#""2017-05-30T06:17:03-03:00""#, r#""2017-05-30 09:17:03""#],
        &[r#""2017-05-30""#],
    ),
    (
        r#"as = "date", between = ["2017-05-30", "now"]"#,
        &[r#""2017-05-30""#, r#""2023-07-13 15:55:33""#],
        &[r#""2017-05-29""#, r#""2023-07-13 15:55:34""#],
    ),
    (r#"as = "date", gte = "2017-05-30""#, &[r#""2017-05-30""#], &[r#""2017-05-29""#, "17"]),
    (
        r#"within = { from = "08:00", to = "18:00" }"#,
        &[r#""2017-05-30 11:00:00""#, r#""2017-05-30T17:59:59-03:00""#],
        &[r#""2017-05-30 10:59:59""#, r#""2017-05-30 21:00:00""#, r#""2017-05-30""#, "absent"],
    ),
    (r#"within = { from = "22:00", to = "06:00" }"#, &[r#""2017-05-30 02:00:00""#], &[r#""2017-05-30 09:17:42""#]),
    (
        r#"within = { weekdays = ["sat", "sun"] }"#,
        &[r#""2017-05-28 02:00:00""#, r#""2017-05-28""#],
        &[r#""2017-05-29 03:00:00""#, r#""2017-05-29""#, "absent"],
    ),
    (
        r#"within = { from = "08:00", to = "18:00", weekdays = ["tue"], timezone = "UTC" }"#,
        &[r#""2017-05-30 08:00:00""#],
        &[r#""2017-05-30 07:59:59""#, r#""2017-05-31 08:00:00""#],
    ),
    (
        r#"within = { from = "00:00", to = "01:00", timezone = { path = "$.data.zone" } }"#,
        &[r#""2017-05-30 15:30:00""#],
        &[r#""2017-05-30 03:30:00""#],
    ),
    // Several operators in one table: all must hold.
    ("gt = 1, lt = 3", &["2"], &["1", "3"]),
    ("exists = true, not_equals = \"a\"", &[r#""b""#], &[r#""a""#, "null", "absent"]),
];

/// Rules with some [when] each, switched on.
struct Tried {
    set: RuleSet,
    in_force: InForce,
}

impl Tried {
    fn new<'w>(whens: impl IntoIterator<Item = &'w str>) -> Self {
        let rule = |(index, when): (usize, &str)| {
            format!(
                "id = \"r{index}\"\ntitle = \"R\"\non = [\"appointment.*\", \"patient.*\", \"clinic.*\"]\n[settings]\nword = {{ type = \"string\", default = \"default\" }}\nlimit = {{ type = \"integer\", default = 5 }}\n[when]\n{when}\n[[then]]\nname = \"a\"\nplugin = \"reminder\"\nwith = {{ to = \"x\", text = \"y\" }}\ngrant.messages = {{ channels = [\"outbox\"], to = [\"x\"] }}\n"
            )
        };
        let rules: Vec<String> = whens.into_iter().enumerate().map(rule).collect();
        let set = with_odd_rules(&rules);
        let chosen = json!({"word": "chosen", "limit": 7});
        let automations = (0..rules.len()).map(|index| automation(&format!("r{index}"), None, chosen.clone())).collect();
        let in_force = in_force(&set, automations);
        Self { set, in_force }
    }

    /// Why each rule does not fire for what came at `path`; nothing where it does.
    fn why_not(&self, path: &str, data: &Value) -> Vec<Option<String>> {
        let event = event(&self.set, path, data);
        let candidates = self.in_force.candidates(&event, &indexer());
        let why = self.in_force.why_not(&event);
        let of = |index| {
            let id = format!("r{index}");
            let fires = candidates.iter().any(|candidate| candidate.origin.rule == id && matches!(candidate.plan, Plan::Fire { .. }));
            let why = why.iter().find(|(rule, _)| *rule == id).map(|(_, why)| why.clone());
            assert_eq!(why.is_none(), fires, "what does not fire has a reason");
            why
        };
        (0..self.set.rules().count()).map(of).collect()
    }

    fn fires(&self, data: &Value) -> Vec<bool> {
        self.why_not("appointment/new", data).into_iter().map(|why| why.is_none()).collect()
    }
}

/// Why a rule with this [when] does not fire; nothing where it does.
fn why_not(when: &str, data: &Value) -> Option<String> {
    Tried::new([when]).why_not("appointment/new", data).remove(0)
}

fn fires(when: &str, data: Value) -> bool {
    why_not(when, &data).is_none()
}

fn document(text: &str) -> Value {
    let mut data = changed("new-appointment", &[]);
    data["data"]["zone"] = json!("Asia/Tokyo");
    if text == "absent" {
        data["data"].as_object_mut().unwrap().remove("title");
    } else {
        data["data"]["title"] = serde_json::from_str(text).unwrap();
    }
    data
}

#[test]
fn every_operator_means_what_the_table_says() {
    let clause = |operators: &str| format!("path = \"$.data.title\", {operators}");
    let whens = ROWS
        .iter()
        .flat_map(|(operators, ..)| [format!("all = [{{ {} }}]", clause(operators)), format!("not = {{ {} }}", clause(operators))]);
    let whens: Vec<String> = whens.collect();
    let tried = Tried::new(whens.iter().map(String::as_str));
    let mut results = HashMap::new();
    for (index, (operators, yes, no)) in ROWS.iter().enumerate() {
        for (text, holds) in yes.iter().map(|text| (text, true)).chain(no.iter().map(|text| (text, false))) {
            let fires = results.entry(*text).or_insert_with(|| tried.fires(&document(text)));
            assert_eq!(fires[2 * index], holds, "{operators} on {text}");
            assert_eq!(fires[2 * index + 1], !holds, "not {operators} on {text}");
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
        ("gt = 1", r#""2""#, "is not above its limit"),
        ("between = [1, 2]", "3", "is not between its limits"),
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

#[test]
fn every_asks_all_nodes_and_wants_one() {
    let data = |phones: Value| {
        let mut data = changed("new-appointment", &[]);
        data["data"]["phones"] = phones;
        data
    };
    for (operators, phones, holds) in [
        (r#"starts_with = "+55""#, json!([{"phone": "+551"}, {"phone": "+552"}]), true),
        (r#"starts_with = "+55""#, json!([{"phone": "+551"}, {"phone": "1"}]), false),
        (r#"starts_with = "+55""#, json!([]), false),
        (r#"exists = true"#, json!([{"phone": "1"}, {"phone": null}]), false),
        (r#"exists = true"#, json!([{"phone": "1"}, {"phone": "2"}]), true),
        // The exact negation: not every one is.
        (r#"not_equals = "1""#, json!([{"phone": "1"}, {"phone": "2"}]), true),
        (r#"not_equals = "1""#, json!([{"phone": "1"}, {"phone": "1"}]), false),
        (r#"not_equals = "1""#, json!([]), true),
    ] {
        let when = format!("path = \"$.data.phones[*].phone\"\nevery = true\n{operators}");
        assert_eq!(fires(&when, data(phones.clone())), holds, "{operators} on {phones}");
    }
}

#[test]
fn a_negative_operator_is_the_exact_negation_of_its_positive() {
    let mut whens = Vec::new();
    for (positive, negative) in [("equals", "not_equals"), ("contains", "not_contains"), ("in", "not_in")] {
        for right in
            ["1", r#""1""#, "true", r#"{ path = "$.data.nothing" }"#, r#"{ path = "$.data.codes[*]" }"#, r#"{ setting = "limit" }"#]
        {
            let right = if positive == "in" && !right.starts_with('{') { format!("[{right}]") } else { right.to_owned() };
            for convert in ["", ", as = \"string\"", ", as = \"number\""] {
                // No number is `true`, which the file says.
                if convert.contains("number") && right.contains("true") {
                    continue;
                }
                for every in ["", ", every = true"] {
                    let clause = |operator: &str| format!("all = [{{ path = \"$.data.title\", {operator} = {right}{convert}{every} }}]");
                    whens.extend([clause(positive), clause(negative)]);
                }
            }
        }
    }
    let tried = Tried::new(whens.iter().map(String::as_str));
    for value in ["1", "1.0", r#""1""#, "7", "null", "true", r#"["1", 1]"#, r#"{"a": 1}"#, r#""a1b""#, "absent"] {
        let mut document = document(value);
        document["data"]["codes"] = json!([1, "1", null]);
        let fires = tried.fires(&document);
        for (whens, fires) in whens.chunks(2).zip(fires.chunks(2)) {
            assert_ne!(fires[0], fires[1], "{} on {value}", whens[0]);
        }
    }
}

#[test]
fn changed_is_about_what_an_edit_says() {
    let holds = |clause: &str, edit: &[(&str, Value)], sample: &str| {
        let (path, name) = sample.split_once(' ').unwrap();
        Tried::new([clause]).why_not(path, &changed(name, edit)).remove(0).is_none()
    };
    let patient = "patient/edit edit-patient";
    for (clause, wanted) in [
        ("path = \"$.data.mother_name\"\nchanged = true", true),
        ("path = \"$.data.mother_name\"\nchanged = false", false),
        ("path = \"$.data.mother_name\"\nchanged = { from = \"Tania Maria\" }", true),
        ("path = \"$.data.mother_name\"\nchanged = { from = \"Tania Maria\", to = \"Antonia Clara\" }", true),
        ("path = \"$.data.mother_name\"\nchanged = { to = \"Tania Maria\" }", false),
        ("path = \"$.data.name\"\nchanged = true", false),
        ("path = \"$.data.name\"\nchanged = false", true),
        ("path = \"$.data.addresses[*].number\"\nchanged = { from = 20, to = 140 }", true),
        ("path = \"$.data.addresses[0].number\"\nchanged = true", true),
        // Left out of what is new: the edit did not touch it.
        ("path = \"$.data.addresses[0].street\"\nchanged = true", false),
        ("path = \"$.data.addresses\"\nchanged = true", true),
    ] {
        assert_eq!(holds(clause, &[], patient), wanted, "{clause}");
    }
    let mother = "path = \"$.data.mother_name\"\nchanged = true";
    assert!(!holds(mother, &[("/modified_data/edited_data/old_data", json!(null))], patient), "nothing was there before");
    assert!(!holds(mother, &[("/modified_data/edited_data/new_data/mother_name", json!("Tania Maria"))], patient));
    assert!(holds(mother, &[("/modified_data/edited_data/new_data/mother_name", json!(null))], patient), "it was taken out");
    // The sample writes one instant in two ways.
    let permit = |more: &str| format!("path = \"$.data.valid_health_permit\"\nchanged = true\n{more}");
    assert!(holds(&permit(""), &[], "clinic/edit edit-clinic"));
    assert!(!holds(&permit("as = \"date\""), &[], "clinic/edit edit-clinic"));
}

#[test]
fn too_many_pairs_are_not_compared() {
    let list = |count: usize| (0..count).map(|number| json!(number)).collect::<Vec<_>>();
    let tried = Tried::new([
        "path = \"$.data.a[*]\"\nin = { path = \"$.data.b[*]\" }",
        "path = \"$.data.a[*]\"\nnot_in = { path = \"$.data.b[*]\" }",
    ]);
    // Beyond, nobody can tell: neither holds.
    for (many, holds) in [(900, [true, false]), (1_200, [false, false])] {
        let mut data = changed("new-appointment", &[]);
        data["data"]["a"] = list(many).into();
        data["data"]["b"] = list(many).into();
        assert_eq!(tried.fires(&data), holds, "{many}");
    }
}

#[test]
fn elements_of_lists_are_pairs_too() {
    let list = |count: usize| Value::from((0..count).map(|number| json!(number)).collect::<Vec<_>>());
    let tried = Tried::new([
        "path = \"$.data.a[*]\"\nin = { path = \"$.data.b\" }",
        "path = \"$.data.a[*]\"\nnot_in = { path = \"$.data.b\" }",
        "path = \"$.data.a\"\ncontains = { path = \"$.data.b[*]\" }",
        "path = \"$.data.a\"\nnot_contains = { path = \"$.data.b[*]\" }",
    ]);
    for (many, holds) in [(900, [true, false, true, false]), (1_200, [false; 4])] {
        let mut data = changed("new-appointment", &[]);
        data["data"]["a"] = list(many);
        data["data"]["b"] = list(many);
        assert_eq!(tried.fires(&data), holds, "{many}");
    }
}

#[test]
fn whatever_takes_too_much_on_either_side_is_not_decided() {
    let deep = Value::from(vec![(0..50).fold(json!("x"), |inner, _| json!([inner])); 1_500]);
    let edits = Tried::new([
        "path = \"$.data.mother_name\"\nchanged = { to = { path = \"$..*..*\" } }",
        "not = { path = \"$.data.mother_name\", changed = { from = { path = \"$..*..*\" } } }",
        "path = \"$.data.name\"\nnot_equals = { path = \"$..*..nothing\" }",
        "not = { path = \"$.timestamp\", within = { from = \"00:00\", to = \"00:01\", timezone = { path = \"$..*..*\" } } }",
    ]);
    let fires = |data: &Value| edits.why_not("patient/edit", data).iter().map(Option::is_none).collect::<Vec<_>>();
    let mut data = changed("edit-patient", &[]);
    assert!(fires(&data)[2], "it is small");
    data["data"]["deep"] = deep;
    assert_eq!(fires(&data), [false; 4]);
}

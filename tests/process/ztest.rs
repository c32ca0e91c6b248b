//! `zelo test` on rule files that fail: every `ztest/*.toml` is one, the `.out` beside it is what the command says.
//!
//! `UPDATE=1` writes the `.out` files anew; read the difference before keeping it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::house::{House, root};

/// A house with the rules that ship. All of them keep compiled plugins in one place: that takes longer than all the rest.
fn shipped() -> House {
    let house = House::new("");
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    fs::create_dir_all(&cache).unwrap();
    fs::create_dir(house.path("data")).unwrap();
    std::os::unix::fs::symlink(cache, house.path("data/cache")).unwrap();
    house
}

/// A house whose only rule is that of a case.
fn house(case: &Path) -> House {
    let house = shipped();
    fs::remove_dir_all(house.path("rules/automations")).unwrap();
    fs::create_dir(house.path("rules/automations")).unwrap();
    fs::copy(case, house.path("rules/automations/rule.toml")).unwrap();
    house
}

fn case(name: &str) -> PathBuf {
    root().join("tests/process/ztest").join(name).with_extension("toml")
}

#[test]
fn what_differs_is_said_all_at_once() {
    for name in ["values", "effects", "before"] {
        let path = case(name);
        let output = house(&path).zelo(&["test"]);
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        let expected = path.with_extension("out");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected, &said).unwrap();
        }
        assert_eq!(said, fs::read_to_string(&expected).unwrap_or_default(), "{}", expected.display());
    }
}

#[test]
fn what_differs_is_data_too() {
    let house = house(&case("effects"));
    let output = house.zelo(&["test", "--format", "json", "nothing is as"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    let results: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [result] = results.as_slice() else { panic!("one test has this name, not {}", results.len()) };
    assert_eq!((&result["passed"], &result["rule"], &result["test"]), (&json!(false), &json!("effects"), &json!("nothing is as expected")));
    let differences = result["differences"].as_array().unwrap();
    let at = |path: &str| differences.iter().find(|difference| difference["path"] == path).unwrap();
    assert_eq!(at("actions.issue.outcome")["expected"], "missing");
    assert_eq!(at("actions.issue.output.number"), &json!({ "path": "actions.issue.output.number", "expected": 2, "actual": 1 }));
    assert_eq!(at("actions.issue.output.more"), &json!({ "path": "actions.issue.output.more", "expected": true }));
}

#[test]
fn a_filter_takes_some() {
    let house = shipped();
    let said = house.ok(&["test", "lead-welcome: greets"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "ok     lead-welcome: greets the lead, tells the team, and makes a card");
    assert!(lines[1].starts_with("1 passed, 0 failed, ") && lines[1].ends_with(" filtered out"), "{said}");
    assert!(house.ok(&["test", "lead-"]).lines().count() > 10, "by rule");

    let output = house.zelo(&["test", "lead-wellcome"]);
    assert_eq!(output.status.code(), Some(1), "what matches nothing is a finding");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("did you mean `lead-welcome`?"), "{said}");
}

#[test]
fn a_rule_without_a_test_is_named() {
    let house = shipped();
    let path = house.path("rules/automations/lead-welcome.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.split("[[test]]").next().unwrap()).unwrap();
    assert!(house.ok(&["test"]).contains("hint   rules/automations/lead-welcome.toml: rule lead-welcome has no test"));
}

#[test]
fn a_fixture_that_is_not_there_is_reported_where_it_is_named() {
    let house = house(&case("values"));
    let line = 1 + fs::read_to_string(case("values")).unwrap().lines().position(|line| line.contains("absent.json")).unwrap();
    let place = format!("rules/automations/rule.toml:{line}:48");
    for command in ["check", "test"] {
        let output = house.zelo(&[command]);
        assert_eq!(output.status.code(), Some(1));
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("error[missing-file]: there is no file rules/automations/absent.json"), "{said}");
        assert!(said.contains(&place), "{said}");
    }
}

//! `zelo plugin test`: the cases of a file, each a dry run and what is expected of it.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zelo_runtime::dry;

use super::super::{Findings, print_line, setup, tokio};
use super::dry::Given;
use super::load;

#[derive(Debug, clap::Args)]
pub(in super::super) struct Arguments {
    /// The plugin.
    plugin: PathBuf,
    /// The cases: a TOML file of `[[case]]`.
    cases: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

/// One run, and what is expected of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    input: Map<String, Value>,
    /// RFC 3339.
    #[serde(default = "beginning")]
    now: Timestamp,
    #[serde(default)]
    seed: u64,
    #[serde(default = "locale")]
    locale: String,
    #[serde(default)]
    given: Given,
    expect: Expect,
}

fn beginning() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn locale() -> String {
    "pt-BR".to_owned()
}

/// What is not named is not looked at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// `outcome`, `retry`, `permanent`, `missing`, `limit`, `trap`, or `stopped`: at a request that no answer is given for.
    end: String,
    code: Option<String>,
    summary: Option<String>,
    /// The members of the output that are named.
    output: Option<Value>,
    /// A part of it.
    reason: Option<String>,
    /// All effects in order, of each the members that are named.
    effects: Option<Vec<Value>>,
}

const ENDS: [&str; 7] = ["outcome", "retry", "permanent", "missing", "limit", "trap", "stopped"];

pub(super) fn run(arguments: &Arguments) -> Result<Findings> {
    let path = arguments.cases.display();
    let text = std::fs::read_to_string(&arguments.cases).with_context(|| format!("{path} cannot be read"))?;
    let cases: Cases = toml::from_str(&text).with_context(|| path.to_string())?;
    if let Some(case) = cases.case.iter().find(|case| !ENDS.contains(&case.expect.end.as_str())) {
        bail!("{path}: {}: there is no end `{}`; there are {}", case.name, case.expect.end, ENDS.join(", "));
    }
    let host = setup::host_for_tools()?;
    let plugin = load(&host, &arguments.plugin)?;
    let tokio = tokio()?;
    let (count, mut failed) = (cases.case.len(), 0);
    for case in cases.case {
        let trial = case.given.trial(Value::Object(case.input), case.now, case.seed, case.locale);
        let told = tokio.block_on(dry::run(&host, &plugin, trial))?.to_json();
        let wrong = differences(&case.expect, &told);
        failed += usize::from(!wrong.is_empty());
        print_line(&format!("{} {}", if wrong.is_empty() { "✓" } else { "✗" }, case.name));
        wrong.iter().for_each(|line| print_line(&format!("    {line}")));
    }
    print_line(&format!("{} passed, {failed} failed", count - failed));
    Ok(if failed == 0 { Findings::None } else { Findings::Some })
}

/// What is not as expected.
fn differences(expect: &Expect, told: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let end = &told["end"];
    let mut same = |place: &str, wanted: &Value, found: &Value| {
        if wanted != found {
            wrong.push(format!("{place}: expected {wanted}, got {found}"));
        }
    };
    same("end", &json!(expect.end), &end["kind"]);
    expect.code.iter().for_each(|code| same("code", &json!(code), &end["code"]));
    expect.summary.iter().for_each(|summary| same("summary", &json!(summary), &end["summary"]));
    expect.output.iter().for_each(|output| within("output", output, &end["output"], &mut same));
    if let Some(effects) = &expect.effects {
        let found = told["effects"].as_array().map(Vec::as_slice).unwrap_or_default();
        same("effects", &json!(effects.len()), &json!(found.len()));
        for (number, (wanted, found)) in effects.iter().zip(found).enumerate() {
            within(&format!("effects[{number}]"), wanted, found, &mut same);
        }
    }
    if let Some(reason) = &expect.reason {
        let said = end["reason"].as_str().unwrap_or_default();
        if !said.contains(reason) {
            wrong.push(format!("reason: expected a part {reason:?}, got {said:?}"));
        }
    }
    if wrong.iter().any(|line| line.starts_with("end:")) {
        wrong.extend(["code", "reason"].iter().filter_map(|member| Some(format!("{member}: {:?}", end[member].as_str()?))));
    }
    wrong
}

/// Compares the members of objects that are wanted, all of lists, and anything else as it is.
fn within(place: &str, wanted: &Value, found: &Value, same: &mut impl FnMut(&str, &Value, &Value)) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (name, wanted) in wanted {
                within(&format!("{place}.{name}"), wanted, found.get(name).unwrap_or(&Value::Null), same);
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (number, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                within(&format!("{place}[{number}]"), wanted, found, same);
            }
        }
        _ => same(place, wanted, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(text: &str) -> Expect {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_differs_is_told_with_its_place() {
        let told = json!({
            "end": { "kind": "outcome", "code": "greeted", "summary": "Olá", "output": { "n": 1, "list": [1, { "a": 2 }] } },
            "effects": [{ "kind": "message", "to": "x", "text": "Olá, Ana!" }],
        });
        for (expected, wrong) in [
            ("end = \"outcome\"\ncode = \"greeted\"\neffects = [{ kind = \"message\", to = \"x\" }]", &[][..]),
            ("end = \"outcome\"\noutput = { list = [1, { a = 2 }] }", &[]),
            ("end = \"outcome\"\noutput = { list = [1, { a = 3 }] }", &["output.list[1].a: expected 3, got 2"]),
            ("end = \"outcome\"\noutput = { list = [1] }", &["output.list: expected [1], got [1,{\"a\":2}]"]),
            ("end = \"outcome\"\neffects = []", &["effects: expected 0, got 1"]),
            (
                "end = \"outcome\"\neffects = [{ to = \"y\", cc = \"z\" }]",
                &["effects[0].cc: expected \"z\", got null", "effects[0].to: expected \"y\", got \"x\""],
            ),
            (
                "end = \"permanent\"\nreason = \"no phone\"",
                &["end: expected \"permanent\", got \"outcome\"", "reason: expected a part \"no phone\", got \"\"", "code: \"greeted\""],
            ),
            ("end = \"outcome\"\nsummary = \"Oi\"", &["summary: expected \"Oi\", got \"Olá\""]),
        ] {
            assert_eq!(differences(&expect(expected), &told), wrong, "{expected}");
        }
    }
}

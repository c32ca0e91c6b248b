//! The files that ship load, and their own tests pass.

use zelo_rules::{Difference, FileText, Files, PluginFacts, Plugins, RuleSet, TestResult, Testing, load};

use super::common::{Installed, loaded, root, shipped};

fn fixtures(path: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(path)).map_err(|error| error.to_string())
}

/// What comes of the tests of `set` where nothing runs plugins.
fn run_tests(set: &RuleSet) -> Vec<TestResult> {
    zelo_rules::run_tests(set, &Testing { fixtures: &fixtures, runner: None, wanted: &|_, _| true })
}

#[test]
fn the_tests_in_shipped_rules_pass() {
    let results = run_tests(&loaded(&shipped()));
    assert_eq!(results.len(), 19);
    let runs = |result: &&TestResult| result.differences.iter().any(|difference| told(difference).contains("nothing here runs plugins"));
    let (asking, others): (Vec<_>, Vec<_>) = results.iter().partition(runs);
    assert_eq!(asking.len(), 2, "tests that say what a plugin does need something to run it");
    assert!(asking.iter().all(|result| result.differences.len() == 1), "and nothing else is amiss with them");
    for result in others {
        assert!(result.passed, "{}:{} {}\n{}", result.file, result.line, result.name, result.message.clone().unwrap_or_default());
    }
}

fn told(difference: &Difference) -> &str {
    difference.note.as_deref().unwrap_or_default()
}

/// A rule whose tests all fail, each for another reason.
const FAILING: &str = r#"
id = "r"
title = "R"
on = "appointment.created"
[when]
path = "$.data.event_status"
not_equals = "done"
[lookup.patient]
key = "$.data.patient.id"
[[then]]
name = "tell"
plugin = "reminder"
key = "$.data.id"
at = { time = "$.data.scheduled_start_at", before = "1h" }
purpose = "p"
basis = "lgpd:11.II.f"
[then.allow]
phone = { record = "patient", path = "$.phones[0]" }
[then.with]
to = "{{ phone }}"
text = "hello"
[then.grant]
messages = { channels = ["outbox"], to = ["{{ phone }}"] }

[[test]]
name = "done"
event = { file = "../examples/events/new-appointment.json", type = "appointment.created" }
now = "2017-05-28T12:00:00Z"
expect = { fires = true, actions.tell = { at = "2017-05-28T12:00:00Z" } }

[[test]]
name = "wrong values"
event = { file = "../examples/events/new-appointment.json", type = "appointment.created", set = { "$.data.event_status" = "scheduled" } }
now = 2017-05-28T12:00:00Z
records.patient = { phones = ["1"] }
expect = { fires = true, cancels = ["tell"], actions.tell = { at = "2017-05-28T12:00:00Z", with.to = "2", with.title = "x" } }

[[test]]
name = "waits"
event = { type = "appointment.created", data = { data = { id = 1, patient = { id = 2 }, scheduled_start_at = "2017-05-30 09:17:03" } } }
now = "2017-05-28T12:00:00Z"
expect = { actions.tell = { with.to = "2" } }

[[test]]
name = "no file"
event = { file = "absent.json", type = "appointment.created" }
now = "2017-05-28T12:00:00Z"
expect = { fires = false }

[[test]]
name = "no such place"
event = { file = "../examples/events/new-appointment.json", type = "appointment.created", set = { "$.timestamp.x" = 1 } }
now = "2017-05-28T12:00:00Z"
expect = { fires = false }
"#;

#[test]
fn a_test_that_fails_says_what_came_instead() {
    let mut files = shipped();
    files.rules = vec![FileText { name: "rules/r.toml".to_owned(), text: FAILING.to_owned() }];
    let results = run_tests(&loaded(&files));
    assert!(results.iter().all(|result| !result.passed));
    assert_eq!(results[1].line, 31, "where it stands");
    let messages: Vec<&str> = results.iter().filter_map(|result| result.message.as_deref()).collect();
    assert_eq!(
        messages,
        [
            "fires\n  - true\n  + false\n  $.data.event_status is the value excluded",
            "cancels\n  - [\"tell\"]\n  + []\n\
             actions.tell.at\n  - 2017-05-28T12:00:00Z (09:00 on 2017-05-28 in America/Sao_Paulo)\n  \
             + 2017-05-30T08:17:03Z (05:17:03 on 2017-05-30 in America/Sao_Paulo)\n\
             actions.tell.with.title\n  - \"x\"\n  + nothing\n\
             actions.tell.with.to\n  - \"2\"\n  + \"1\"",
            "actions.tell\n  - \"runs\"\n  + \"waits\"\n  waits = \"missing\": phone is missing, which `to` needs",
            "event\n  rules/absent.json cannot be read: No such file or directory (os error 2)",
            "event\n  $.timestamp.x cannot be set: the payload has no such place",
        ]
    );
}

#[test]
fn a_digest_covers_all_that_a_rule_depends_on() {
    let digest =
        |files: &Files, plugins: &dyn Plugins| load(files, plugins).set.unwrap().rule("appointment-reminder").unwrap().digest.clone();
    let files = shipped();
    let before = digest(&files, &Installed);
    assert_eq!(before, digest(&files.clone(), &Installed));
    let mut edited = files.clone();
    edited.rules[0].text.push_str("# a word\n");
    assert_ne!(before, digest(&edited, &Installed), "its text");
    let mut edited = files.clone();
    edited.sources[0].text.push_str("# a word\n");
    assert_ne!(before, digest(&edited, &Installed), "its source");
    assert_ne!(before, digest(&files, &Rebuilt), "its plugin");
}

/// The same plugin, compiled anew.
struct Rebuilt;

impl Plugins for Rebuilt {
    fn plugin(&self, name: &str) -> Option<PluginFacts> {
        Some(PluginFacts { digest: "22".repeat(32), ..Installed.plugin(name)? })
    }

    fn names(&self) -> Vec<String> {
        Installed.names()
    }
}

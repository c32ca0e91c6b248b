//! What a large set of rules shares while it is loaded, so that ten thousand of them take little time and memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zelo_rules::{FileText, Files, PluginFacts, Plugins, Severity, load};

use super::common::{Installed, shipped};

/// Counts how often a plugin is asked for.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Plugins for Counting {
    fn plugin(&self, name: &str) -> Option<PluginFacts> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Installed.plugin(name)
    }

    fn names(&self) -> Vec<String> {
        Installed.names()
    }
}

#[test]
fn rules_share_what_a_plugin_says_about_itself() {
    let mut files = shipped();
    let again = |number: usize| FileText {
        name: format!("rules/again-{number}.toml"),
        text: files.rules[0].text.replace("\"appointment-reminder\"", &format!("\"again-{number}\"")),
    };
    files.rules = (0..3).map(again).collect();
    let plugins = Counting::default();
    let set = load(&files, &plugins).set.unwrap();
    assert_eq!(plugins.0.load(Ordering::Relaxed), 1);
    let facts: Vec<_> = set.rules().flat_map(|rule| &rule.actions).map(|action| &action.plugin).collect();
    assert!(facts.len() == 3 && facts.iter().all(|plugin| Arc::ptr_eq(plugin, facts[0])));
}

/// A rule with this [when].
fn rule(id: &str, when: &str) -> FileText {
    let head = "source = \"clinicarx\"\non = \"appointment.created\"";
    let then = "[[then]]\nname = \"a\"\nplugin = \"reminder\"\nwith = { to = \"x\", text = \"y\" }\ngrant.messages = { channels = [\"outbox\"], to = [\"x\"] }\n";
    FileText { name: format!("rules/{id}.toml"), text: format!("id = \"{id}\"\ntitle = \"Rule\"\n{head}\n[when]\n{when}\n{then}") }
}

#[test]
fn a_set_in_which_an_event_would_cost_too_much_is_refused_with_its_score() {
    let clauses: Vec<String> =
        (0..1_000).map(|number| format!("{{ path = \"$.data.services[?@.price > {number}]\", exists = true }}")).collect();
    let rule = |number: usize| rule(&format!("dear-{number}"), &format!("all = [{}]", clauses.join(", ")));
    let refusal = |count: usize| {
        let files = Files { rules: (0..count).map(rule).collect(), ..shipped() };
        let mut loaded = load(&files, &Installed);
        loaded.diagnostics.retain(|found| found.severity == Severity::Error);
        assert_eq!(loaded.set.is_none(), !loaded.diagnostics.is_empty());
        assert!(loaded.diagnostics.iter().all(|found| found.code == "too-complex"), "{:?}", loaded.diagnostics.first());
        loaded.diagnostics.pop()
    };
    assert!(refusal(10).is_none(), "a thousand filters of 100 each, ten times");
    let why = refusal(11).unwrap();
    assert!(why.message.contains("1100000 tests") && why.help.is_some(), "{why:?}");
}

#[test]
fn a_file_full_of_conditions_is_read() {
    for (path, tail) in [("$.data.services[*].price", ""), ("$.data.clinic.id", ""), ("$.data.a", ".b")] {
        let clauses: Vec<String> = (0..12_000)
            .map(|number| match tail {
                "" => format!("{{ path = \"{path}\", not_equals = {number} }}"),
                _ => format!("{{ path = \"{path}{number}{tail}\", exists = true }}"),
            })
            .collect();
        let files = Files { rules: vec![rule("long", &format!("all = [{}]", clauses.join(", ")))], ..shipped() };
        let loaded = load(&files, &Installed);
        assert!(loaded.set.is_some(), "{:?}", loaded.diagnostics.first());
    }
}

/// What is said of a rule with this [when]: the code, and what stands at its place.
fn said(when: &str) -> Vec<(&'static str, String)> {
    let file = rule("odd", when);
    let loaded = load(&Files { rules: vec![file.clone()], ..shipped() }, &Installed);
    loaded.diagnostics.into_iter().map(|found| (found.code, file.text[found.span].to_owned())).collect()
}

#[test]
fn alternatives_beside_many_conditions_are_looked_through() {
    let either =
        (0..7).map(|number| format!("{{ any = [{{ path = \"$.a{number}\", equals = 1 }}, {{ path = \"$.b{number}\", equals = 1 }}] }}"));
    let many = (0..10_000).map(|number| format!("{{ path = \"$.c{number}\", exists = true }}"));
    assert_eq!(said(&format!("all = [{}]", either.chain(many).collect::<Vec<_>>().join(", "))), []);
}

#[test]
fn in_a_long_list_the_conditions_that_exclude_each_other_are_named() {
    let clause = |number: usize| match number {
        150 => "{ path = \"$.z\", equals = 1 }".to_owned(),
        180 => "{ path = \"$.z\", equals = 2 }".to_owned(),
        _ => format!("{{ path = \"$.c{number}\", exists = true }}"),
    };
    assert_eq!(said(&format!("all = [{}]", (0..250).map(clause).collect::<Vec<_>>().join(", "))), [("never-holds", "2".to_owned())]);
}

#[test]
fn a_condition_that_stands_twice_is_said_once() {
    let clause = "{ path = \"$.x\", equals = 1 }";
    let nested = format!("all = [{{ all = [{clause}, {clause}] }}, {{ path = \"$.y\", exists = true }}]");
    assert_eq!(said(&nested), [("duplicate-condition", "\"$.x\"".to_owned())]);
}

//! What a large set of rules shares while it is loaded, so that ten thousand of them take little time and memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zelo_rules::{FileText, PluginFacts, Plugins, load};

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

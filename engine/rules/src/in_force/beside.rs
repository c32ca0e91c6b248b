//! Which jobs may run beside one another, by the rules in force.

use std::collections::BTreeSet;

use zelo_core::{HaltScope, Job, Scope};

use super::InForce;
use crate::rule::{Action, Rule};

impl InForce {
    /// The scopes that `job` is in by its rule and its action.
    pub fn scopes_of(&self, job: &Job) -> Vec<Scope> {
        let Some(action) = self.action(&job.automation, &job.action) else { return Vec::new() };
        let of_rule = action.rule.concurrency.map(|limit| Scope { name: format!("rule:{}", job.rule), limit });
        let of_action = action.action.lane.concurrency.as_ref().map(|at_once| {
            let group = job.lane.group.filter(|_| at_once.by.is_some()).map(|group| format!(":{group:?}")).unwrap_or_default();
            Scope { name: format!("action:{}/{}{group}", job.rule, job.action), limit: at_once.limit }
        });
        of_rule.into_iter().chain(of_action).collect()
    }

    /// Whether any rule says something about how many of its jobs run at once, or one after another.
    pub fn is_limited(&self) -> bool {
        let says = |action: &Action| action.lane.concurrency.is_some() || action.lane.order_by.is_some();
        let limits = |rule: &Rule| rule.concurrency.is_some() || rule.actions.iter().any(says);
        self.automations.iter().filter_map(|joined| self.rules.rule(&joined.automation.rule)).any(limits)
    }

    /// Whether there is what `scope` names; else the names that there are of its kind. A halt of nothing would be taken for one.
    pub fn has(&self, scope: &HaltScope) -> Result<(), Vec<&str>> {
        let rules = || self.rules.rules();
        let (name, known): (_, Vec<&str>) = match scope {
            HaltScope::All => return Ok(()),
            HaltScope::Rule(name) => (name, rules().map(|rule| rule.id.as_str()).collect()),
            HaltScope::Plugin(name) => (name, rules().flat_map(|rule| &rule.actions).map(|action| action.plugin.name.as_str()).collect()),
        };
        if known.contains(&name.as_str()) { Ok(()) } else { Err(known) }
    }

    /// The rules and plugins that can be halted.
    pub fn scopes_to_halt(&self) -> impl Iterator<Item = HaltScope> {
        let rules = || self.rules.rules();
        let rules = rules().map(|rule| HaltScope::Rule(rule.id.clone()));
        rules.chain(self.plugins().into_iter().map(|name| HaltScope::Plugin(name.to_owned())))
    }

    /// The names of the plugins that rules run.
    pub fn plugins(&self) -> BTreeSet<&str> {
        self.rules.rules().flat_map(|rule| &rule.actions).map(|action| action.plugin.name.as_str()).collect()
    }

    /// Whether there is a rule of this name.
    pub fn has_rule(&self, rule: &str) -> bool {
        self.rules.rule(rule).is_some()
    }

    /// The name of the plugin of an action.
    pub fn plugin_in(&self, rule: &str, action: &str) -> Option<&str> {
        let action = self.rules.rule(rule)?.actions.iter().find(|known| known.name == action)?;
        Some(action.plugin.name.as_str())
    }

    /// The name of the plugin that `job` runs: the one that it began with, or else the one of its action, while its rule has that.
    pub fn plugin_of<'a>(&'a self, job: &'a Job) -> Option<&'a str> {
        let of_action = || self.action(&job.automation, &job.action).map(|action| action.action.plugin.name.as_str());
        job.plugin.as_deref().or_else(of_action)
    }
}

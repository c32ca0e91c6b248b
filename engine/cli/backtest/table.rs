//! What a backtest counted, as a table and as JSON.

use serde_json::{Map, Value, json};
use zelo_core::EventId;
use zelo_runtime::backtest::{Compared, Counted};

use crate::cli::control::{Outcome, Trial};

/// One object: the range, and by rule both counts, what differs, and examples.
pub(super) fn json(trial: &Trial, outcome: &Outcome) -> Value {
    let Outcome { counted, as_if_on } = outcome;
    let rules = counted.rules.iter().map(|(rule, compared)| {
        let moved = compared.rows().into_iter().filter(|(_, old, new)| old != new);
        let difference: Map<String, Value> = moved.map(|(name, old, new)| (name, json!(signed(old, new)))).collect();
        json!({
            "rule": rule, "old": compared.old, "new": compared.new, "difference": difference,
            "only_old": compared.only_old, "only_new": compared.only_new,
        })
    });
    json!({
        "since": trial.since, "until": trial.until, "connection": trial.connection, "events": counted.events,
        "unreadable": counted.unreadable, "as_if_on": as_if_on, "rules": rules.collect::<Vec<_>>(),
    })
}

/// Lines for people. Of rules that do the same, one line.
pub(super) fn text(trial: &Trial, outcome: &Outcome) -> Vec<String> {
    let Outcome { counted: Counted { events, unreadable, rules }, as_if_on } = outcome;
    let of = trial.connection.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
    let range = format!("{} to {}", trial.since, trial.until);
    if *events == 0 && *unreadable == 0 {
        return vec![format!("no events{of} are stored from {range}, so there is nothing to count")];
    }
    let mut lines = vec![format!("{events} events{of} from {range}")];
    if *unreadable > 0 {
        lines.push(format!("{unreadable} more cannot be read any more, and were passed over"));
    }
    if !as_if_on.is_empty() {
        lines.push(format!("switched on nowhere, counted as if on with their defaults: {}", as_if_on.join(", ")));
    }
    let (same, other): (Vec<_>, Vec<_>) = rules.iter().partition(|(_, compared)| compared.is_same());
    for (rule, compared) in other {
        lines.push(String::new());
        lines.extend(differing(rule, compared));
    }
    if !same.is_empty() {
        lines.push(String::new());
        lines.push("no difference:".to_owned());
    }
    for (rule, compared) in same {
        let counts = compared.new.clone().unwrap_or_default();
        lines.push(format!("  {rule}: {} events, {} fires, {} runs", counts.events, counts.fires, counts.runs));
    }
    lines
}

fn differing(rule: &str, compared: &Compared) -> Vec<String> {
    let aside = match (&compared.old, &compared.new) {
        (None, _) => "  (not in force)",
        (_, None) => "  (not among the new rules)",
        _ => "",
    };
    let mut lines = vec![format!("{rule}{aside}"), format!("  {:<24} {:>9} {:>9} {:>9}", "", "old", "new", "")];
    for (name, old, new) in compared.rows().into_iter().filter(|(_, old, new)| (*old, *new) != (0, 0)) {
        let moved = if old == new { String::new() } else { format!("{:+}", signed(old, new)) };
        lines.push(format!("  {name:<24} {old:>9} {new:>9} {moved:>9}").trim_end().to_owned());
    }
    let mut name = |what: &str, events: &[EventId]| {
        if !events.is_empty() {
            lines.push(format!("  fires under the {what} rules only:"));
            lines.extend(events.iter().map(|event| format!("    {event}")));
        }
    };
    name("new", &compared.only_new);
    name("old", &compared.only_old);
    lines
}

fn signed(old: u64, new: u64) -> i64 {
    i64::try_from(new).unwrap_or(i64::MAX).saturating_sub(i64::try_from(old).unwrap_or(i64::MAX))
}

//! How jobs stand to those beside them: `priority`, `order_by` and `concurrency`.

use serde_json::{Map, json};
use zelo_core::{Lane, Plan, Priority, Scope};
use zelo_rules::{InForce, RuleSet};

use super::common::{automation, changed, event, in_force, indexer, running, with_rule};

/// A rule about appointments with these keys of its own, and of its [[then]].
fn rule(of_rule: &str, then: &str) -> InForce {
    let set: RuleSet = with_rule(&format!(
        "id = \"r\"\ntitle = \"R\"\non = \"appointment.created\"\nsource = \"clinicarx\"\n{of_rule}\n\
         [[then]]\nname = \"a\"\nplugin = \"maker\"\npurpose = \"p\"\nbasis = \"lgpd:11.II.f\"\n{then}\n[then.grant]\nmessages = {{ channels = [\"outbox\"], to = [] }}\n\
         documents = true\nstate = true\nevents = [\"x.y\"]\nrecords = {{ note = [\"text\"] }}\n"
    ));
    in_force(&set, vec![automation("r", None, json!({}))])
}

/// The job of an appointment of this id, of this patient.
fn job(on: &InForce, id: &str, patient: serde_json::Value) -> zelo_core::Job {
    let event =
        event(on.rules(), "appointment/new", &changed("new-appointment", &[("/data/id", json!(id)), ("/data/patient/id", patient)]));
    let candidate = on.candidates(&event, &indexer()).remove(0);
    assert!(matches!(candidate.plan, Plan::Fire { .. }));
    running(&event, candidate)
}

fn scope(name: impl Into<String>, limit: u32) -> Scope {
    Scope { name: name.into(), limit }
}

#[test]
fn a_rule_that_says_nothing_limits_nothing() {
    let on = rule("", "");
    let job = job(&on, "1", json!("p"));
    assert_eq!(job.lane, Lane::default());
    assert!(on.scopes_of(&job).is_empty() && !on.is_limited());
}

#[test]
fn a_job_runs_the_plugin_that_it_began_with() {
    let on = rule("", "");
    let fresh = job(&on, "1", json!("p"));
    assert_eq!(on.plugin_of(&fresh), on.plugin_in("r", "a"));
    assert!(on.plugin_of(&fresh).is_some_and(|plugin| on.plugins().contains(plugin)));
    let begun = zelo_core::Job { plugin: Some("before".into()), ..fresh };
    assert_eq!(on.plugin_of(&begun), Some("before"), "whatever its rule says by now");
}

#[test]
fn jobs_are_limited_by_rule_and_action_and_told_apart_by_a_value() {
    let on = rule("concurrency = 5", "concurrency = { limit = 2, by = \"$.data.patient.id\" }\npriority = \"high\"");
    assert!(on.is_limited());
    let [one, same, other] = [("1", "p"), ("2", "p"), ("3", "q")].map(|(id, patient)| job(&on, id, json!(patient)));
    assert_eq!(one.lane.priority, Priority::High);
    assert_eq!(on.scopes_of(&one)[0], scope("rule:r", 5));
    assert_eq!(on.scopes_of(&one)[1].limit, 2);
    assert_eq!(on.scopes_of(&one), on.scopes_of(&same));
    assert_ne!(on.scopes_of(&one)[1], on.scopes_of(&other)[1]);
    assert_eq!(on.scopes_of(&job(&on, "4", json!(null)))[1], scope("action:r/a", 2), "without the value: together");

    let all = rule("", "concurrency = 3");
    assert_eq!(all.scopes_of(&job(&all, "1", json!("p"))), [scope("action:r/a", 3)]);
}

#[test]
fn the_limit_of_a_rule_is_told() {
    let told = |on: InForce| on.rules().sentences("r", &Map::new());
    let both = told(rule("concurrency = 5", "concurrency = 2"));
    assert!(both["en"].ends_with("At most 2 at once. Of the whole rule, at most 5 at once."), "{both:?}");
    assert!(both["pt-BR"].ends_with("De toda a regra, no máximo 5 ao mesmo tempo."), "{both:?}");
    assert!(!told(rule("", ""))["en"].contains("at once"));
}

#[test]
fn jobs_are_ordered_by_a_value() {
    let on = rule("", "order_by = \"$.data.patient.id\"");
    let order = |id, patient| job(&on, id, patient).lane.order;
    assert!(on.is_limited());
    assert_eq!(order("1", json!("p")), order("2", json!("p")));
    assert_ne!(order("1", json!("p")), order("1", json!("q")));
    assert_eq!(order("1", json!(null)), None, "without the value there is no order");
}

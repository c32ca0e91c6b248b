//! Actions that come after others, narrow the rule's events, count from the event itself, or are about what plugins emit.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use zelo_core::grants::RecordFields;
use zelo_core::timing::{DueQuestion, Records, Timetable};
use zelo_core::{AutomationId, Candidate, Cause, Event, JobId, KeyHash, Plan};
use zelo_rules::{FileText, InForce, Prepared, RuleSet, Unprepared};

use super::common::{automation, changed, event, in_force, indexer, loaded, running, shipped, with_rule};

const CHAIN: &str = r#"
id     = "chain"
title  = "Chain"
source = "clinicarx"
on     = ["attendance.started", "attendance.finished"]

[lookup.services]
record = "service"
key    = "$.data.services[*].service_code"

[[then]]
name   = "issue"
plugin = "maker"
on     = "attendance.finished"
key    = "$.data.id"
purpose = "Make a receipt"
basis   = "lgpd:11.II.a"

[then.allow]
prices = { record = "services", path = "$" }
id     = "$.data.patient.id"

[then.with]
list = "{{ prices }}"
any  = "{{ id }}"

[then.grant]
messages  = { channels = ["outbox"], to = ["x"] }
documents = true
state     = true
events    = ["receipt.issued"]
records   = { contact = { fields = ["stage"], ids = ["{{ id }}"] }, note = ["text"] }

[[then]]
name   = "send"
plugin = "reminder"
when   = { path = "$.data.services[0]", exists = true }
needs  = ["issue"]
key    = "$.data.id"
after  = "2h"
purpose = "Send the receipt"
basis   = "lgpd:11.II.a"

[then.with]
to       = "x"
text     = "receipt {{ steps.issue.number }}"
location = "{{ steps.issue.document }}"

[then.grant]
messages = { channels = ["outbox"], to = ["x"] }
"#;

struct Table(HashMap<KeyHash, Value>);

impl Records for Table {
    fn record(&self, hash: KeyHash) -> Option<&Value> {
        self.0.get(&hash)
    }
}

fn on(set: &RuleSet) -> InForce {
    in_force(set, vec![automation("chain", None, json!({}))])
}

fn finished(services: Value) -> Value {
    changed("finished-attendance", &[("/data/services", services)])
}

fn candidate<'c>(candidates: &'c [Candidate], action: &str) -> &'c Candidate {
    candidates.iter().find(|candidate| candidate.origin.action == action).unwrap_or_else(|| panic!("no {action}: {candidates:?}"))
}

/// Prepares what `action` wants because of `event`.
fn prepared(in_force: &InForce, event: &Event, action: &str, records: &Value, steps: Value) -> Result<Prepared, Unprepared> {
    let candidates = in_force.candidates(event, &indexer());
    let job = running(event, candidate(&candidates, action).clone());
    let found = job.lookups.iter().filter_map(|lookup| {
        let record = records.get(&lookup.name)?.get(lookup.position as usize)?;
        Some((lookup.record.hash, record.clone()))
    });
    let found = Table(found.filter(|(_, record)| !record.is_null()).collect());
    in_force.prepare(&job, event, &found, steps.as_object().unwrap_or(&Map::new()), &indexer())
}

#[test]
fn an_action_names_what_comes_before_it() {
    let set = with_rule(CHAIN);
    let event = event(&set, "attendance/finished", &changed("finished-attendance", &[]));
    let found = on(&set).candidates(&event, &indexer());
    assert_eq!(found.iter().map(|one| one.origin.action.as_str()).collect::<Vec<_>>(), ["issue", "send"], "in the order of the file");
    let Plan::Fire { needs, anchor, .. } = &candidate(&found, "send").plan else { panic!() };
    assert_eq!((needs.as_slice(), anchor), (["issue".to_owned()].as_slice(), &Some(Ok(event.order()))), "counted from the event");
    let question = DueQuestion {
        automation: &AutomationId::new("chain", "centro", None),
        action: "send",
        anchor: Some(event.order()),
        reference: event.order(),
        collected: 0,
        lookups: &[],
        clinic: event.clinic.as_deref(),
    };
    let due = on(&set).due(&question, &Table(HashMap::new())).unwrap();
    assert_eq!(due.at.duration_since(event.order()).as_hours(), 2);
}

#[test]
fn an_actions_own_types_and_condition_narrow_the_rules() {
    let set = with_rule(CHAIN);
    let started = event(&set, "attendance/new", &changed("new-attendance", &[("/data/services", json!([]))]));
    let found = on(&set).candidates(&started, &indexer());
    assert!(found.iter().all(|one| one.origin.action != "issue"), "it is not about that type: {found:?}");
    let Plan::Cancel { code, text, .. } = &candidate(&found, "send").plan else { panic!() };
    assert_eq!(*code, "no_longer_matches");
    assert!(text.contains("$.data.services[0]"), "{text}");
    let why = on(&set).why_not(&started);
    assert!(why[0].1.contains("send:"), "{why:?}");

    let only = CHAIN.replace(
        "on     = [\"attendance.started\", \"attendance.finished\"]",
        "on = [\"attendance.started\", \"attendance.finished\", \"attendance.canceled\"]",
    );
    let only = only.replace("name   = \"send\"", "name   = \"send\"\non = \"attendance.finished\"");
    let set = with_rule(&only);
    let canceled = event(&set, "attendance/cancelled", &changed("cancelled-attendance", &[]));
    assert!(on(&set).candidates(&canceled, &indexer()).is_empty());
    assert_eq!(on(&set).why_not(&canceled)[0].1, "none of its actions is for attendance.canceled");
}

#[test]
fn a_list_of_records_has_a_place_for_each_node() {
    let set = with_rule(CHAIN);
    let services = json!([{ "service_code": null }, { "service_code": "1004" }, { "service_code": "9" }, { "service_code": null }]);
    let event = event(&set, "attendance/finished", &finished(services));
    let records = json!({ "services": [null, { "price": 1 }, null, null] });
    let list = prepared(&on(&set), &event, "issue", &records, json!({})).unwrap().input["list"].clone();
    assert_eq!(list, json!([null, { "price": 1 }, null, null]));
    let none = finished(json!([]));
    let event = super::common::event(&set, "attendance/finished", &none);
    assert_eq!(prepared(&on(&set), &event, "issue", &json!({}), json!({})).unwrap().input["list"], json!([]));
}

#[test]
fn grants_are_rendered() {
    let set = with_rule(CHAIN);
    let event = event(&set, "attendance/finished", &changed("finished-attendance", &[("/data/patient/id", json!("p-7"))]));
    let grants = prepared(&on(&set), &event, "issue", &json!({}), json!({})).unwrap().grants;
    assert!(grants.documents && grants.state);
    assert_eq!(grants.events.into_iter().collect::<Vec<_>>(), ["receipt.issued"]);
    let fields = |name: &str| [name.to_owned()].into();
    let contact = RecordFields { fields: fields("stage"), ids: Some(vec!["p-7".to_owned()]) };
    assert_eq!(
        grants.records,
        [("contact".to_owned(), contact), ("note".to_owned(), RecordFields { fields: fields("text"), ids: None })].into()
    );
}

#[test]
fn a_step_gives_what_it_gave_and_nothing_more() {
    let set = with_rule(CHAIN);
    let event = event(&set, "attendance/finished", &changed("finished-attendance", &[]));
    let send = |steps: Value| prepared(&on(&set), &event, "send", &json!({}), steps);
    let given = send(json!({ "issue": { "number": 7, "document": "doc", "secret": 1 }, "other": {} })).unwrap();
    assert_eq!(given.input, json!({ "to": "x", "text": "receipt 7", "location": "doc" }));
    assert_eq!(given.disclosure.fields.keys().collect::<Vec<_>>(), ["steps.issue"], "what was disclosed: nothing of the event itself");
    // What a step did not give never comes; an input that is nothing else is not left out quietly.
    for steps in [json!({ "issue": { "number": 7 } }), json!({ "issue": { "document": "doc" } }), json!({})] {
        let Err(Unprepared::Fail(reason)) = send(steps.clone()) else { panic!("{steps}") };
        assert!(reason.text.contains("steps"), "{}", reason.text);
    }
}

#[test]
fn an_event_that_an_automation_led_to_is_not_its_own() {
    let follow = CHAIN
        .replace("id     = \"chain\"", "id = \"follow\"")
        .replace("on     = [\"attendance.started\", \"attendance.finished\"]", "on = \"receipt.issued\"");
    let follow = follow.replace("on     = \"attendance.finished\"\n", "").replace("basis   = \"lgpd:11.II.a\"", "basis = \"lgpd:11.II.a\"");
    let mut files = shipped();
    files.rules = [CHAIN, &follow].map(|text| FileText { name: format!("{}.toml", text.len()), text: text.to_owned() }).into();
    let set = loaded(&files);
    assert!(set.rule("follow").unwrap().emitted && !set.rule("chain").unwrap().emitted);
    let led = |automations: &[&str]| {
        let mut event = event(&set, "attendance/finished", &changed("finished-attendance", &[]));
        event.kind = "receipt.issued".to_owned();
        let lineage = automations.iter().map(|rule| AutomationId::new(rule, "centro", None)).collect();
        event.cause = Some(Cause { job: JobId::derive(event.id, &AutomationId("a".into()), "b"), lineage });
        event
    };
    let both = in_force(&set, vec![automation("chain", None, json!({})), automation("follow", None, json!({}))]);
    assert_eq!(both.candidates(&led(&["chain"]), &indexer()).len(), 2, "another rule fires on it");
    let second = led(&["follow", "chain"]);
    assert!(both.candidates(&second, &indexer()).is_empty());
    let why = both.why_not(&second);
    assert!(why.iter().any(|(rule, why)| rule == "follow" && why.contains("second lap")), "{why:?}");
}

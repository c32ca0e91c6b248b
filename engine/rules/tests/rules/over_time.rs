//! Actions over time: what `throttle`, `count` and `debounce` ask for, and what a plugin is given of several events.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use zelo_core::timing::{DueQuestion, Records, Timetable};
use zelo_core::window::{By, COLLECTED_MAX};
use zelo_core::{Candidate, Event, KeyHash, OverTime, Plan, SignedDuration};
use zelo_rules::{InForce, RuleSet};

use super::common::{automation, changed, event, in_force, indexer, running, with_rule};

struct Nothing;

impl Records for Nothing {
    fn record(&self, _: KeyHash) -> Option<&Value> {
        None
    }
}

/// A rule about appointments with these keys in its [[then]].
fn rule(then: &str) -> RuleSet {
    with_rule(&format!(
        "id = \"r\"\ntitle = \"R\"\non = \"appointment.created\"\nsource = \"clinicarx\"\n\
         [settings.limit]\ntype = \"integer\"\ndefault = 3\nmin = 0\n[settings.wait]\ntype = \"duration\"\ndefault = \"30s\"\n\
         [[then]]\nname = \"a\"\nplugin = \"maker\"\npurpose = \"p\"\nbasis = \"lgpd:11.II.f\"\n{then}\n[then.grant]\nmessages = {{ channels = [\"outbox\"], to = [] }}\n\
         documents = true\nstate = true\nevents = [\"x.y\"]\nrecords = {{ note = [\"text\"] }}\n"
    ))
}

fn on(set: &RuleSet) -> InForce {
    in_force(set, vec![automation("r", None, json!({}))])
}

/// An appointment of this id, of this patient.
fn appointment(set: &RuleSet, id: &str, patient: &str) -> Event {
    event(set, "appointment/new", &changed("new-appointment", &[("/data/id", json!(id)), ("/data/patient/id", json!(patient))]))
}

fn candidate(set: &RuleSet, event: &Event) -> Candidate {
    on(set).candidates(event, &indexer()).remove(0)
}

fn over(set: &RuleSet, event: &Event) -> OverTime {
    match candidate(set, event).plan {
        Plan::Fire { over, .. } => over,
        Plan::Cancel { .. } => panic!("it cancels"),
    }
}

#[test]
fn windows_are_told_apart_by_the_value_then_the_key_then_nothing() {
    let windows = |then: &str| {
        let set = rule(then);
        let of = |id, patient| over(&set, &appointment(&set, id, patient)).throttle.unwrap();
        [of("1", "p"), of("2", "p"), of("1", "q")]
    };
    let [one, same, other] = windows("key = \"$.data.id\"\nthrottle = { limit = 3, per = \"1h\", by = \"$.data.patient.id\" }");
    assert_eq!((one.limit, one.per, one.by), (3, SignedDuration::from_hours(1), By::Path));
    assert!(one.window == same.window && one.window != other.window);
    let [one, other, same] = windows("key = \"$.data.id\"\nthrottle = { limit = 3, per = \"1h\" }");
    assert!(one.window == same.window && one.window != other.window && one.by == By::Key);
    let [one, same, also] = windows("throttle = { limit = 3, per = \"1h\" }");
    assert!(one.window == same.window && one.window == also.window && one.by == By::All);
}

#[test]
fn each_key_remembers_for_itself() {
    let set =
        rule("throttle = { limit = 3, per = \"1h\", by = \"$.data.id\" }\ncount = { at_least = 3, within = \"10m\", by = \"$.data.id\" }");
    let over = over(&set, &appointment(&set, "1", "p"));
    let (throttle, count) = (over.throttle.unwrap(), over.count.unwrap());
    assert_ne!(throttle.window, count.window);
    assert_eq!((count.at_least, count.within), (3, SignedDuration::from_mins(10)));
}

#[test]
fn amounts_and_spans_may_be_settings() {
    let set = rule("throttle = { limit = \"{{ settings.limit }}\", per = \"{{ settings.limit }}d\" }");
    let event = appointment(&set, "1", "p");
    let throttle = over(&set, &event).throttle.unwrap();
    assert_eq!((throttle.limit, throttle.per.as_hours()), (3, 72));
    let chosen = in_force(&set, vec![automation("r", None, json!({ "limit": 7 }))]);
    let Plan::Fire { over, .. } = chosen.candidates(&event, &indexer()).remove(0).plan else { panic!() };
    assert_eq!(over.throttle.unwrap().limit, 7);
    let wrong = InForce::new(Arc::new(set), vec![automation("r", None, json!({ "limit": 0 }))]);
    assert!(wrong.problems()[0].text.contains("`{{ settings.limit }}` gives `0`"), "{:?}", wrong.problems());
}

#[test]
fn a_missing_value_fires_nothing_and_says_so() {
    for (then, why) in [
        ("throttle = { limit = 3, per = \"1h\", by = \"$.data.nobody\" }", "its `throttle.by` $.data.nobody is missing"),
        ("count = { at_least = 3, within = \"1h\", by = \"$.data.nobody\" }", "its `count.by` $.data.nobody is missing"),
        ("debounce = { wait = \"30s\", by = \"$.data.nobody\" }", "its `debounce.by` $.data.nobody is missing"),
        ("key = \"$.data.nobody\"\nthrottle = { limit = 3, per = \"1h\" }", "its key $.data.nobody is missing"),
    ] {
        let set = rule(then);
        let event = appointment(&set, "1", "p");
        assert!(on(&set).candidates(&event, &indexer()).is_empty(), "{then}");
        assert_eq!(on(&set).why_not(&event), [("r".to_owned(), why.to_owned())]);
    }
}

#[test]
fn what_is_collected_is_of_one_clinic_and_can_be_cancelled() {
    let set = rule(
        "debounce = { wait = \"30s\", by = \"$.data.patient.id\" }\ncancel_on = [{ type = \"appointment.canceled\", key = \"$.data.patient.id\" }]",
    );
    let mut event = appointment(&set, "1", "p");
    let key = candidate(&set, &event).plan.key().unwrap();
    assert_eq!(candidate(&set, &appointment(&set, "2", "p")).plan.key(), Some(key));
    assert_ne!(candidate(&set, &appointment(&set, "1", "q")).plan.key(), Some(key));
    event.kind = "appointment.canceled".to_owned();
    let Plan::Cancel { key: cancelled, .. } = candidate(&set, &event).plan else { panic!() };
    assert_eq!(cancelled, key);
    event.kind = "appointment.created".to_owned();
    event.clinic = Some("another".to_owned());
    assert_ne!(candidate(&set, &event).plan.key(), Some(key));
}

#[test]
fn it_runs_when_it_was_quiet() {
    let set = rule(
        "debounce = { wait = \"{{ settings.wait }}\", max = \"5m\" }\nsend_window = { from = \"08:00\", to = \"20:00\" }\nexpires = \"1h\"",
    );
    let event = appointment(&set, "1", "p");
    let made = candidate(&set, &event);
    let Plan::Fire { anchor, .. } = &made.plan else { panic!() };
    assert_eq!(anchor, &Some(Ok(event.order())), "counted from the event");
    let on = on(&set);
    let due = |first: &str, last: &str, collected| {
        let question = DueQuestion {
            automation: &made.origin.automation,
            action: "a",
            anchor: Some(last.parse().unwrap()),
            reference: first.parse().unwrap(),
            collected,
            lookups: &[],
            clinic: event.clinic.as_deref(),
        };
        let due = on.due(&question, &Nothing).unwrap();
        assert_eq!(due.expires.unwrap().duration_since(due.at).as_hours(), 1);
        due.at.to_string()
    };
    assert_eq!(due("2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z", 1), "2026-03-02T12:00:30Z");
    assert_eq!(due("2026-03-02T12:00:00Z", "2026-03-02T12:01:00Z", 4), "2026-03-02T12:01:30Z");
    assert_eq!(due("2026-03-02T12:00:00Z", "2026-03-02T12:04:50Z", 9), "2026-03-02T12:05:00Z", "at most so long after the first");
    assert_eq!(due("2026-03-02T12:00:00Z", "2026-03-02T12:01:00Z", COLLECTED_MAX), "2026-03-02T12:01:00Z", "full");
    assert_eq!(due("2026-03-02T22:59:50Z", "2026-03-02T22:59:50Z", 1), "2026-03-03T11:00:00Z", "the next opening, in São Paulo");
}

#[test]
fn a_collected_field_is_the_list_of_all_events() {
    let set = rule(
        "debounce = { wait = \"30s\" }\n[then.allow]\ntitles = { path = \"$.data.title\", as = \"first_name\", collected = true }\ntitle = \"$.data.title\"\n\
         [then.with]\nlist = \"{{ titles }}\"\nany = \"{{ title }}: {{ titles | join('+') }}\"",
    );
    let event = |title: Value| super::common::event(&set, "appointment/new", &changed("new-appointment", &[("/data/title", title)]));
    let events = [event(json!("one x")), event(json!(null)), event(json!("two y"))];
    let newest = &events[2];
    let job = running(newest, candidate(&set, newest));
    let given = on(&set).prepare_collected(&job, newest, &events, &Nothing, &Map::new(), &indexer()).unwrap().input;
    assert_eq!(given["list"], json!(["one", null, "two"]), "null where it is absent");
    assert!(given["any"].as_str().unwrap().starts_with("two y: one"), "{given}");
    let alone = on(&set).prepare(&job, newest, &Nothing, &Map::new(), &indexer()).unwrap().input;
    assert_eq!(alone["list"], json!(["two"]), "a list also where there is one");
}

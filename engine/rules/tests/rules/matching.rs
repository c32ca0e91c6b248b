//! What automations want because of an event, and when it is due.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use zelo_core::timing::{Due, DueQuestion, Records, Timetable};
use zelo_core::{AutomationId, Candidate, Cause, Event, JobId, KeyHash, Origin, Plan, Timestamp};
use zelo_rules::{Automation, InForce, RuleSet};

use super::common::{automation, changed, event, in_force, indexer, loaded, shipped, with_rule};

const RULE: &str = "appointment-reminder";
const CLINIC: &str = "498124ed-53d5-46eb-89c9-2b1e6a6191a5";

fn scheduled(changes: &[(&str, Value)]) -> Value {
    let mut all = vec![("/data/event_status", json!("scheduled"))];
    all.extend_from_slice(changes);
    changed("new-appointment", &all)
}

fn candidates(set: &RuleSet, event: &Event) -> Vec<Candidate> {
    in_force(set, vec![automation(RULE, None, json!({}))]).candidates(event, &indexer())
}

fn of_shipped(path: &str, data: &Value) -> Vec<Candidate> {
    let set = loaded(&shipped());
    candidates(&set, &event(&set, path, data))
}

fn job_key(value: &str) -> KeyHash {
    indexer().job_key(&AutomationId::new(RULE, "centro", None), "remind", value)
}

/// How many rules fire among `candidates`.
fn rules_fired(candidates: &[Candidate]) -> usize {
    let fired = candidates.iter().filter(|candidate| matches!(candidate.plan, Plan::Fire { .. }));
    fired.map(|candidate| candidate.origin.rule.as_str()).collect::<std::collections::HashSet<_>>().len()
}

/// Records by their place.
struct Table(HashMap<KeyHash, Value>);

impl Records for Table {
    fn record(&self, hash: KeyHash) -> Option<&Value> {
        self.0.get(&hash)
    }
}

#[test]
fn a_match_is_a_job_with_key_anchor_and_lookups() {
    let found = of_shipped("appointment/new", &scheduled(&[]));
    let [Candidate { origin, plan: Plan::Fire { key, anchor, lookups, .. } }] = found.as_slice() else { panic!("{found:?}") };
    let Origin { automation, rule, action, .. } = &**origin;
    assert_eq!((automation.0.as_str(), rule.as_str(), action.as_str()), ("appointment-reminder@centro", RULE, "remind"));
    assert_eq!(*key, Some(job_key("8a492139-c5be-4cf8-bfc0-7ab12f8460b5")));
    assert_eq!(*anchor, Some(Ok("2017-05-30T09:17:03Z".parse::<Timestamp>().unwrap())));
    let lookups: Vec<_> =
        lookups.iter().map(|lookup| (lookup.name.as_str(), lookup.singular, lookup.record.kind.as_str(), lookup.record.hash)).collect();
    let record = |kind| indexer().record("centro", kind, CLINIC);
    assert_eq!(lookups, [("patient", true, "patient", record("patient")), ("clinic", true, "clinic", record("clinic"))]);
    assert_eq!(rules_fired(&found), 1);
}

#[test]
fn an_event_that_no_longer_matches_cancels_and_says_why_without_a_value() {
    let found = of_shipped("appointment/edit", &changed("edit-appointment", &[]));
    let [Candidate { plan: Plan::Cancel { key, code, text }, .. }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((*key, *code), (job_key("8a492139-c5be-4cf8-bfc0-7ab12f8460b5"), "no_longer_matches"));
    assert_eq!(text, "the event no longer matches: $.data.event_status is one of those excluded");
    assert_eq!(rules_fired(&found), 0);
}

#[test]
fn a_cancelling_event_cancels() {
    let found = of_shipped("appointment/cancel", &changed("cancel-appointment", &[("/data/id", json!(17))]));
    let [Candidate { plan: Plan::Cancel { key, code, text }, .. }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((*key, *code, text.as_str()), (job_key("17"), "cancelled_by_event", "cancelled by appointment.canceled"));
}

#[test]
fn other_events_and_other_connections_want_nothing() {
    assert!(of_shipped("patient/new", &changed("new-patient", &[])).is_empty());
    let set = loaded(&shipped());
    let mut event = event(&set, "appointment/new", &scheduled(&[]));
    event.connection = "norte".to_owned();
    assert!(candidates(&set, &event).is_empty());
    event.connection = "centro".to_owned();
    event.source = "another".to_owned();
    assert!(candidates(&set, &event).is_empty(), "the rule names its source");
}

#[test]
fn without_its_key_an_action_is_not_wanted() {
    assert!(of_shipped("appointment/new", &scheduled(&[("/data/id", json!(null))])).is_empty());
    assert!(of_shipped("appointment/cancel", &changed("cancel-appointment", &[("/data/id", json!(null))])).is_empty());
}

#[test]
fn an_unusable_time_is_said() {
    for (time, why) in [
        (json!(null), "$.data.scheduled_start_at is missing"),
        (json!("tomorrow"), "$.data.scheduled_start_at is not a date and time"),
        (json!(20170530), "$.data.scheduled_start_at is not a date and time"),
    ] {
        let found = of_shipped("appointment/new", &scheduled(&[("/data/scheduled_start_at", time)]));
        let [Candidate { plan: Plan::Fire { anchor: Some(Err(text)), .. }, .. }] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(text, why);
    }
}

#[test]
fn a_clinic_with_its_own_automation_has_only_that() {
    let set = loaded(&shipped());
    let both = in_force(&set, vec![automation(RULE, None, json!({})), automation(RULE, Some(CLINIC), json!({"hours_before": 2}))]);
    let names = |in_force: &InForce, clinic: &str| {
        let found = in_force.candidates(&of_clinic(&set, clinic), &indexer()).into_iter();
        let fired = found.filter(|candidate| matches!(candidate.plan, Plan::Fire { .. }));
        fired.map(|candidate| candidate.origin.automation.0.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&both, CLINIC), [format!("appointment-reminder@centro/{CLINIC}")]);
    assert_eq!(names(&both, "other"), ["appointment-reminder@centro"]);
    let only = in_force(&set, vec![automation(RULE, Some(CLINIC), json!({}))]);
    assert!(names(&only, "other").is_empty());
}

fn of_clinic(set: &RuleSet, clinic: &str) -> Event {
    event(set, "appointment/new", &scheduled(&[("/data/clinic/id", json!(clinic))]))
}

fn off(clinic: &str) -> Automation {
    Automation { enabled: false, ..automation(RULE, Some(clinic), json!({})) }
}

#[test]
fn off_for_a_clinic_means_off_and_ends_what_was_pending() {
    let set = loaded(&shipped());
    for own in [off(CLINIC), automation(RULE, Some(CLINIC), json!({"hours_before": 2}))] {
        let enabled = own.enabled;
        let in_force = in_force(&set, vec![automation(RULE, None, json!({})), own]);
        let mut found = in_force.candidates(&of_clinic(&set, CLINIC), &indexer());
        assert_eq!(rules_fired(&found), usize::from(enabled));
        found.retain(|candidate| candidate.origin.automation.0 == "appointment-reminder@centro");
        let [Candidate { plan: Plan::Cancel { key, code, text }, .. }] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(*key, job_key("8a492139-c5be-4cf8-bfc0-7ab12f8460b5"));
        assert_eq!((*code, text.as_str()), ("no_longer_matches", "the clinic has an automation of its own"));
        assert_eq!(rules_fired(&in_force.candidates(&of_clinic(&set, "other"), &indexer())), 1, "others are not touched");
    }
}

#[test]
fn what_is_off_has_no_actions_and_no_problems() {
    let set = loaded(&shipped());
    let unfit = Automation { enabled: false, ..automation(RULE, Some("b"), json!({"hours_before": 0})) };
    let in_force = in_force(&set, vec![automation(RULE, None, json!({})), off(CLINIC), unfit]);
    assert!(in_force.action(&AutomationId::new(RULE, "centro", Some(CLINIC)), "remind").is_none());
    assert!(in_force.action(&AutomationId::new(RULE, "centro", None), "remind").is_some());
    assert_eq!(in_force.automations().count(), 1);
}

#[test]
fn why_a_rule_does_not_fire() {
    let set = loaded(&shipped());
    let on = || automation(RULE, None, json!({}));
    let why = |automations: Vec<Automation>, path: &str, data: Value| {
        let found = in_force(&set, automations).why_not(&event(&set, path, &data));
        found.into_iter().map(|(rule, why)| format!("{rule}: {why}")).collect::<Vec<_>>().join("; ")
    };
    let created = |changes: &[(&str, Value)]| scheduled(changes);
    let new = "appointment/new";
    assert_eq!(why(vec![on()], new, created(&[])), "", "it fires");
    assert_eq!(why(vec![on()], "patient/new", changed("new-patient", &[])), "", "it does not listen");
    for (automations, data, expected) in [
        (vec![on()], created(&[("/data/event_status", json!("done"))]), "$.data.event_status is one of those excluded"),
        (vec![on()], created(&[("/data/title", json!("INTERNO"))]), "$.data.title fits the pattern excluded"),
        (vec![on()], created(&[("/data/id", json!(null))]), "its key $.data.id is missing"),
        (vec![on(), off(CLINIC)], created(&[]), "the clinic has an automation of its own, which is not on"),
        (vec![automation(RULE, Some("a"), json!({}))], created(&[]), "it is on for other clinics only"),
        (
            vec![automation(RULE, Some("a"), json!({})), on()],
            created(&[("/data/event_status", json!("done"))]),
            "$.data.event_status is one of those excluded",
        ),
    ] {
        assert_eq!(why(automations, new, data), format!("{RULE}: {expected}"));
    }
    assert_eq!(why(vec![on(), automation(RULE, Some(CLINIC), json!({}))], new, created(&[])), "", "the clinic's own fires");
    let cancelled = why(vec![on()], "appointment/cancel", changed("cancel-appointment", &[]));
    assert_eq!(cancelled, format!("{RULE}: appointment.canceled cancels, and fires nothing"));
}

#[test]
fn the_digest_covers_the_settings() {
    let set = loaded(&shipped());
    let event = event(&set, "appointment/new", &scheduled(&[]));
    let digest = |settings: Value| {
        in_force(&set, vec![automation(RULE, None, settings)]).candidates(&event, &indexer()).remove(0).origin.rule_digest.clone()
    };
    assert_eq!(digest(json!({})), digest(json!({"hours_before": 24})), "a default is what it is, chosen or not");
    assert_ne!(digest(json!({})), digest(json!({"hours_before": 23})));
    assert_eq!(digest(json!({})).len(), 64);
}

#[test]
fn automations_that_cannot_work_are_listed() {
    let set = loaded(&shipped());
    let automations = vec![
        automation("gone", None, json!({})),
        automation(RULE, None, json!({"hours_before": 0, "colour": "red"})),
        automation(RULE, Some("a"), json!({})),
        automation(RULE, Some("a"), json!({})),
    ];
    let in_force = InForce::new(Arc::new(set), automations);
    let problems: Vec<&str> = in_force.problems().iter().map(|problem| problem.text.as_str()).collect();
    assert_eq!(
        problems,
        ["there is no rule `gone`", "there is no setting `colour`; `hours_before` must be at least 1", "it is listed twice"]
    );
    assert_eq!(in_force.automations().count(), 1);
}

#[test]
fn a_setting_that_its_place_cannot_use_cannot_be_chosen() {
    let set = with_rule(
        "id = \"r\"\ntitle = \"R\"\non = \"appointment.created\"\n[settings]\nword = { type = \"string\", default = \"a\" }\nlimit = { type = \"integer\", default = 3 }\n[when]\npath = \"$.data.id\"\nmatches = \"^{{ settings.word }}\"\n[[then]]\nname = \"a\"\nplugin = \"reminder\"\nthrottle = { limit = \"{{ settings.limit }}\", per = \"1h\" }\nwith = { to = \"x\", text = \"y\" }\ngrant.messages = { channels = [\"outbox\"], to = [\"x\"] }\n",
    );
    let chosen = |given: Value| set.settings_for("r", given.as_object().unwrap());
    assert!(chosen(json!({"word": "b", "limit": 4})).is_ok());
    let why = chosen(json!({"word": "("})).unwrap_err().join("; ");
    assert!(why.contains("`^{{ settings.word }}` gives no pattern"), "{why}");
    let why = chosen(json!({"limit": 5000})).unwrap_err().join("; ");
    assert!(why.contains("`{{ settings.limit }}` gives `5000`"), "{why}");
}

const MANY: &str = r#"
id = "many"
title = "Many"
on = "attendance.*"
[lookup.prices]
record = "service"
key = "$.data.services[*].service_code"
[[then]]
name = "tell"
plugin = "reminder"
key = "$.data.id"
cancel_on = [{ type = "attendance.canceled", key = "$.data.id" }]
purpose = "p"
basis = "lgpd:11.II.f"
[then.allow]
prices = { record = "prices", path = "$[*].price" }
[then.with]
to = "x"
text = "{{ prices | join(' ') }}"
[then.grant]
messages = { channels = ["outbox"], to = ["x"] }
"#;

#[test]
fn a_lookup_of_many_has_one_place_per_node() {
    let set = with_rule(MANY);
    let mut data = changed("finished-attendance", &[]);
    data["data"]["services"] = json!([{"service_code": "1004"}, {"service_code": null}, {"service_code": 123}]);
    let event = event(&set, "attendance/finished", &data);
    let found = in_force(&set, vec![automation("many", None, json!({}))]).candidates(&event, &indexer());
    let [Candidate { plan: Plan::Fire { anchor: None, lookups, .. }, .. }] = found.as_slice() else { panic!("{found:?}") };
    let places: Vec<_> = lookups.iter().map(|lookup| (lookup.position, lookup.singular, lookup.record.hash)).collect();
    assert_eq!(
        places,
        [(0, false, indexer().record("centro", "service", "1004")), (2, false, indexer().record("centro", "service", "123"))]
    );
}

#[test]
fn what_cancels_never_fires_even_under_a_wildcard() {
    let set = with_rule(MANY);
    let event = event(&set, "attendance/cancelled", &changed("cancelled-attendance", &[]));
    let found = in_force(&set, vec![automation("many", None, json!({}))]).candidates(&event, &indexer());
    assert!(matches!(found.as_slice(), [Candidate { plan: Plan::Cancel { code: "cancelled_by_event", .. }, .. }]), "{found:?}");
}

fn due(settings: Value, zone: Option<&str>, anchor: &str) -> Result<Due, zelo_core::job::Reason> {
    let set = loaded(&shipped());
    let in_force = in_force(&set, vec![automation(RULE, None, settings)]);
    let event = event(&set, "appointment/new", &scheduled(&[]));
    let found = in_force.candidates(&event, &indexer());
    let Plan::Fire { lookups, .. } = &found[0].plan else { panic!("{found:?}") };
    let clinic = lookups.iter().find(|lookup| lookup.name == "clinic").unwrap().record.hash;
    let records = Table(zone.map(|zone| (clinic, json!({"timezone": zone}))).into_iter().collect());
    let question = DueQuestion {
        automation: &found[0].origin.automation,
        action: "remind",
        anchor: Some(anchor.parse().unwrap()),
        reference: "2026-03-01T12:00:00Z".parse().unwrap(),
        collected: 0,
        lookups,
        clinic: Some(CLINIC),
    };
    in_force.due(&question, &records)
}

#[test]
fn the_due_time_is_in_the_zone_of_the_record_in_force() {
    let at = |settings: Value, zone: Option<&str>, anchor: &str| due(settings, zone, anchor).unwrap().at.to_string();
    assert_eq!(at(json!({}), Some("America/Sao_Paulo"), "2026-03-06T13:00:00Z"), "2026-03-05T13:00:00Z");
    // 08:30 in São Paulo is 07:30 in Manaus, where the window opens half an hour later.
    assert_eq!(at(json!({}), Some("America/Manaus"), "2026-03-06T11:30:00Z"), "2026-03-05T12:00:00Z");
    assert_eq!(at(json!({}), None, "2026-03-06T11:30:00Z"), "2026-03-05T11:30:00Z", "the zone of the source");
    assert_eq!(at(json!({}), Some("Mars/Olympus"), "2026-03-06T11:30:00Z"), "2026-03-05T11:30:00Z", "a zone that is none");
    assert_eq!(at(json!({"hours_before": 2}), None, "2026-03-06T13:00:00Z"), "2026-03-06T11:00:00Z");
    assert_eq!(at(json!({"from": "12:00"}), None, "2026-03-06T13:00:00Z"), "2026-03-05T15:00:00Z");
    let expires = due(json!({}), None, "2026-03-06T13:00:00Z").unwrap().expires.unwrap();
    assert_eq!(expires.to_string(), "2026-03-05T15:00:00Z", "two hours after it is due");
}

#[test]
fn what_is_off_or_gone_has_no_due_time() {
    let set = loaded(&shipped());
    let in_force = in_force(&set, vec![automation(RULE, None, json!({})), automation(RULE, Some("own"), json!({})), off("off")]);
    let code = |automation: &str, action, clinic| {
        let automation = AutomationId(automation.to_owned());
        let question = DueQuestion {
            automation: &automation,
            action,
            anchor: None,
            reference: Timestamp::UNIX_EPOCH,
            collected: 0,
            lookups: &[],
            clinic,
        };
        in_force.due(&question, &Table(HashMap::new())).map_or_else(|reason| reason.code, |_| "due".to_owned())
    };
    for (automation, action, clinic, expected) in [
        ("appointment-reminder@norte", "remind", None, "switched_off"),
        ("appointment-reminder@centro", "thank", None, "rule_gone"),
        ("appointment-reminder@centro", "remind", None, "due"),
        ("appointment-reminder@centro", "remind", Some("other"), "due"),
        // What was made before the clinic had its own.
        ("appointment-reminder@centro", "remind", Some("own"), "due"),
        ("appointment-reminder@centro", "remind", Some("off"), "switched_off"),
        ("appointment-reminder@centro/own", "remind", Some("own"), "due"),
        ("appointment-reminder@centro/own", "remind", Some("other"), "switched_off"),
        ("appointment-reminder@centro/own", "remind", None, "switched_off"),
        ("appointment-reminder@centro/off", "remind", Some("off"), "switched_off"),
    ] {
        assert_eq!(code(automation, action, clinic), expected, "{automation} {action} {clinic:?}");
    }
}

const PLAIN: &str = r#"
id     = "plain"
title  = "Plain"
source = "clinicarx"
on     = "appointment.created"
when   = { path = "$.data.event_status", equals = "scheduled" }

[[then]]
name   = "tell"
plugin = "reminder"
with   = { to = "x", text = "An appointment was made" }
grant.messages = { channels = ["outbox"], to = ["x"] }
"#;

#[test]
fn an_event_decides_nothing_about_a_plain_rule_but_whether_it_fires() {
    let set = with_rule(PLAIN);
    let plain = |clinic: Option<&str>| automation("plain", clinic, json!({}));
    let fired = |automations: Vec<Automation>, event: &Event| {
        let found = in_force(&set, automations).candidates(event, &indexer());
        let all = found.iter().map(|candidate| {
            let Candidate { origin, plan: Plan::Fire { key: None, anchor: None, lookups, needs, .. } } = candidate else {
                panic!("{found:?}")
            };
            assert!(lookups.is_empty() && needs.is_empty());
            origin.automation.0.clone()
        });
        all.collect::<Vec<_>>()
    };
    let event = of_clinic(&set, CLINIC);
    assert_eq!(fired(vec![plain(None)], &event), ["plain@centro"]);
    let own = plain(Some(CLINIC));
    assert_eq!(fired(vec![plain(None), own.clone()], &event), [format!("plain@centro/{CLINIC}")]);
    assert!(fired(vec![plain(None), Automation { enabled: false, ..own.clone() }], &event).is_empty());
    assert_eq!(fired(vec![plain(None), own], &of_clinic(&set, "other")), ["plain@centro"]);
    let other = event_of(&set, &[("/data/event_status", json!("canceled"))]);
    assert!(fired(vec![plain(None)], &other).is_empty());
    let cause = Cause { job: JobId::derive(event.id, &plain(None).id, "tell"), lineage: vec![plain(None).id] };
    assert!(fired(vec![plain(None)], &Event { cause: Some(cause), ..event }).is_empty(), "a second lap");
}

fn event_of(set: &RuleSet, changes: &[(&str, Value)]) -> Event {
    event(set, "appointment/new", &scheduled(changes))
}

#[test]
fn whatever_an_event_decides_makes_a_rule_less_than_plain() {
    let event_of = |set: &RuleSet| of_clinic(set, CLINIC);
    let told = |more: &str| {
        let set = with_rule(&PLAIN.replace("plugin =", &format!("{more}\nplugin =")));
        let found = in_force(&set, vec![automation("plain", None, json!({}))]).candidates(&event_of(&set), &indexer());
        match found.as_slice() {
            [] => "nothing",
            [Candidate { plan: Plan::Fire { key: Some(_), .. }, .. }] => "a key",
            [Candidate { plan: Plan::Fire { anchor: Some(_), .. }, .. }] => "a time",
            [Candidate { plan: Plan::Fire { lookups, .. }, .. }] if !lookups.is_empty() => "records",
            [Candidate { plan: Plan::Fire { over, .. }, .. }] if over.throttle.is_some() => "a limit",
            _ => "a plain job",
        }
    };
    for (more, wanted) in [
        ("", "a plain job"),
        ("key = \"$.data.id\"", "a key"),
        ("after = \"2h\"", "a time"),
        ("throttle = { limit = 1, per = \"1h\" }", "a limit"),
        ("when = { path = \"$.data.clinic.id\", equals = \"other\" }", "nothing"),
    ] {
        assert_eq!(told(more), wanted, "{more}");
    }
    let with_lookup = "on     = \"appointment.created\"\n[lookup.patient]\nkey = \"$.data.patient.id\"\n[when]\npath = \"$.data.event_status\"\nequals = \"scheduled\"\n";
    let set =
        with_rule(&PLAIN.replace(
            "on     = \"appointment.created\"\nwhen   = { path = \"$.data.event_status\", equals = \"scheduled\" }\n",
            with_lookup,
        ));
    let found = in_force(&set, vec![automation("plain", None, json!({}))]).candidates(&event_of(&set), &indexer());
    assert!(matches!(found.as_slice(), [Candidate { plan: Plan::Fire { lookups, .. }, .. }] if lookups.len() == 1), "{found:?}");
    let both = PLAIN.replace("on     = \"appointment.created\"", "on     = [\"appointment.created\", \"appointment.updated\"]");
    let set = with_rule(&both.replace("plugin =", "on = \"appointment.updated\"\nplugin ="));
    assert!(in_force(&set, vec![automation("plain", None, json!({}))]).candidates(&event_of(&set), &indexer()).is_empty());
}

#[test]
fn where_nobody_can_tell_what_is_pending_stays() {
    let keyed = PLAIN
        .replace("plugin =", "key = \"$.data.id\"\nplugin =")
        .replace("$.data.event_status\", equals = \"scheduled\"", "$..*..*\", not_equals = \"nowhere\"");
    let set = with_rule(&keyed);
    let in_force = in_force(&set, vec![automation("plain", None, json!({}))]);
    let found = |data: &Value| in_force.candidates(&event(&set, "appointment/new", data), &indexer());
    let small = found(&scheduled(&[]));
    assert!(matches!(small.as_slice(), [Candidate { plan: Plan::Fire { .. }, .. }]), "{small:?}");
    let deep = Value::from(vec![(0..50).fold(json!(1), |inner, _| json!([inner])); 1_500]);
    assert!(found(&scheduled(&[("/data/clinic/name", deep)])).is_empty(), "neither fired nor ended");
}

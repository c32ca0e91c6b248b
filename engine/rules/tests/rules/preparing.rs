//! What a plugin is given, and when it is given nothing.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use zelo_core::grants::Messages;
use zelo_core::timing::Records;
use zelo_core::{AutomationId, Budget, Event, Job, KeyHash, SignedDuration};
use zelo_rules::{InForce, Prepared, RuleSet, Unprepared};

use super::common::{automation, changed, event, file, in_force, indexer, loaded, running, shipped, with_rule};

struct Table(HashMap<KeyHash, Value>);

impl Records for Table {
    fn record(&self, hash: KeyHash) -> Option<&Value> {
        self.0.get(&hash)
    }
}

/// A job of the first action that fires, and the records of its lookups by name.
fn job(in_force: &InForce, event: &Event, records: &Value) -> (Job, Table) {
    let candidate = in_force.candidates(event, &indexer()).into_iter().next().unwrap();
    let job = running(event, candidate);
    let found = job.lookups.iter().filter_map(|lookup| {
        let document = records.get(&lookup.name)?;
        let record = if lookup.singular { document } else { document.get(lookup.position as usize)? };
        (!record.is_null()).then(|| (lookup.record.hash, record.clone()))
    });
    let records = Table(found.collect());
    (job, records)
}

fn prepare(set: &RuleSet, rule: &str, settings: Value, data: &Value, records: &Value) -> Result<Prepared, Unprepared> {
    let in_force = in_force(set, vec![automation(rule, None, settings)]);
    let path = if data["data"]["services"].is_array() { "attendance/finished" } else { "appointment/new" };
    let event = event(set, path, data);
    let (job, records) = job(&in_force, &event, records);
    in_force.prepare(&job, &event, &records, &Map::new(), &indexer())
}

fn remind(settings: Value, records: &Value) -> Result<Prepared, Unprepared> {
    let data = changed(
        "new-appointment",
        &[("/data/event_status", json!("scheduled")), ("/data/scheduled_start_at", json!("2026-03-06 13:00:00"))],
    );
    prepare(&loaded(&shipped()), "appointment-reminder", settings, &data, records)
}

fn marina() -> Value {
    json!({"patient": {"phones": ["(11) 98765-4321", "(11) 5555-0000"], "document": "52998224725"}, "clinic": {"timezone": "America/Sao_Paulo"}})
}

#[test]
fn the_plugin_is_given_what_was_rendered() {
    let mut prepared = remind(json!({}), &marina()).unwrap();
    assert_eq!(prepared.plugin, "reminder");
    assert_eq!(prepared.locale, "pt-BR");
    let text = prepared.input["text"].take();
    for part in ["Olá John,", "Drogaria Exemplo", "06/03/2026 às 10:00", "sexta-feira"] {
        assert!(text.as_str().unwrap().contains(part), "{part} in {text}");
    }
    assert_eq!(
        prepared.input,
        json!({
            "to": "(11) 98765-4321",
            "starts_at": "2026-03-06T13:00:00Z",
            "title": "Consulta na Drogaria Exemplo",
            "location": "Drogaria Exemplo",
            "text": null,
        })
    );
    let messages =
        Messages { channels: vec!["whatsapp".to_owned(), "outbox".to_owned()], to: vec!["(11) 98765-4321".to_owned()], budget: None };
    assert_eq!(prepared.grants.messages, Some(messages));
    assert!(!prepared.grants.state);
    assert_eq!(prepared.disclosure.fields.keys().collect::<Vec<_>>(), ["clinic", "clinic_tz", "instant", "patient", "phone", "starts_at"]);
    let appointment = changed("new-appointment", &[]);
    let record = |kind: &str| indexer().record("centro", kind, appointment["data"][kind]["id"].as_str().unwrap());
    let mut both = [record("patient"), record("clinic")];
    both.sort_unstable();
    assert_eq!(prepared.records, both);
    let marina = json!({"patient": marina()["patient"]});
    assert_eq!(remind(json!({}), &marina).unwrap().records, [record("patient")], "there is no record of the clinic");
}

#[test]
fn a_budget_of_the_rule_goes_with_the_grant() {
    let rule = file("rules/automations/appointment-reminder.toml").text;
    let grant = r#"to = ["{{ phone }}"] }"#;
    assert_eq!(rule.matches(grant).count(), 1);
    let rule = rule.replace(grant, r#"to = ["{{ phone }}"], budget = { limit = 2, per = "1d" } }"#);
    let data = changed(
        "new-appointment",
        &[("/data/event_status", json!("scheduled")), ("/data/scheduled_start_at", json!("2026-03-06 13:00:00"))],
    );
    let set = with_rule(&rule);
    let prepared = prepare(&set, "appointment-reminder", json!({}), &data, &marina()).unwrap();
    assert_eq!(prepared.grants.messages.unwrap().budget, Some(Budget::new(2, SignedDuration::from_hours(24)).unwrap()));
    assert_ne!(set.rule("appointment-reminder").unwrap().digest, loaded(&shipped()).rule("appointment-reminder").unwrap().digest);
}

#[test]
fn an_object_is_made_of_inputs() {
    let of = |with: &str| {
        let fields = [("status", "$.data.event_status"), ("absent", "$.data.clinic.nothing"), ("clinic", "$.data.clinic.id")];
        let used = fields.iter().filter(|(name, _)| with.contains(&format!("{{{{ {name} }}}}")));
        let allow: String = used.map(|(name, path)| format!("allow.{name} = \"{path}\"\n")).collect();
        with_rule(&format!(
            "id = \"r\"\ntitle = \"R\"\non = \"appointment.*\"\n[[then]]\nname = \"a\"\nplugin = \"caller\"\n\
             grant = {{ http = \"GET https://api.example.com/\" }}\nwith = {{ any = {with} }}\n{allow}"
        ))
    };
    let data = changed("new-appointment", &[("/data/event_status", json!("scheduled")), ("/data/clinic/id", json!(7))]);
    let given = |with: &str| prepare(&of(with), "r", json!({}), &data, &json!({})).map(|prepared| prepared.input["any"].clone());
    let object = r#"{ stage = "{{ status }}", n = "{{ clinic }}", deep = { list = ["x", { at = "{{ clinic }}!" }] }, none = "{{ absent }}", yes = true, en = "y" }"#;
    let expected = json!({ "stage": "scheduled", "n": 7, "deep": { "list": ["x", { "at": "7!" }] }, "yes": true, "en": "y" });
    assert_eq!(given(object).unwrap(), expected, "a member that is an absent field is left out");
    assert_eq!(given(r#"{ en = "one", pt-BR = "um" }"#).unwrap(), json!("um"), "a text by language");
    assert_eq!(given("{}").unwrap(), json!({}));
    assert!(matches!(given(r#"{ a = "x{{ absent }}" }"#), Err(Unprepared::Wait(_))));
    let prepared = prepare(&of(object), "r", json!({}), &data, &json!({})).unwrap();
    assert_eq!(prepared.disclosure.fields.keys().collect::<Vec<_>>(), ["clinic", "status"]);
}

#[test]
fn what_was_not_allowed_is_absent() {
    let prepared = remind(json!({}), &marina()).unwrap();
    let given = format!("{}{:?}", prepared.input, prepared.grants);
    for hidden in ["Doe", "17052897890", "52998224725", "5555-0000", "Próxima dose", "498124ed"] {
        assert!(!given.contains(hidden), "{hidden} in {given}");
    }
    assert!(!format!("{prepared:?}").contains("98765"), "and printing it shows nothing");
}

#[test]
fn texts_are_in_the_chosen_language_and_the_zone_of_the_clinic() {
    let mut records = marina();
    records["clinic"]["timezone"] = json!("America/Noronha");
    let prepared = remind(json!({"language": "en"}), &records).unwrap();
    assert_eq!(prepared.locale, "en");
    assert!(prepared.input["text"].as_str().unwrap().contains("Friday, 6 March 2026 at 11:00"));
    records.as_object_mut().unwrap().remove("clinic");
    let prepared = remind(json!({}), &records).unwrap();
    assert!(prepared.input["text"].as_str().unwrap().contains("06/03/2026 às 10:00"), "the zone of the source");
    assert!(!prepared.disclosure.fields.contains_key("clinic_tz"), "what was not there was not disclosed");
}

#[test]
fn a_missing_contact_is_waited_for() {
    let phones = [json!([]), json!(null), json!([null]), json!([""]), json!([" "])].map(|phones| json!({"patient": {"phones": phones}}));
    for records in phones.into_iter().chain([json!({}), json!({"patient": {}})]) {
        let Err(Unprepared::Wait(reason)) = remind(json!({}), &records) else { panic!("it does not wait") };
        assert_eq!((reason.code.as_str(), reason.text.as_str()), ("missing", "patient $.phones[0] is missing"));
    }
}

/// A rule about appointments with this [[then]] and these lookups.
fn rule(then: &str) -> RuleSet {
    with_rule(&format!(
        "id = \"r\"\ntitle = \"R\"\non = \"appointment.*\"\n[lookup.patient]\nkey = \"$.data.patient.id\"\n[settings.hours]\ntype = \"integer\"\ndefault = 24\n\
         [[then]]\nname = \"a\"\nplugin = \"reminder\"\n{then}\n[then.grant]\nmessages = {{ channels = [\"outbox\"], to = [] }}\n"
    ))
}

fn prepared(then: &str, data: &Value, records: &Value) -> Result<Prepared, Unprepared> {
    prepare(&rule(then), "r", json!({}), data, records)
}

fn reason(outcome: Result<Prepared, Unprepared>) -> (&'static str, String, String) {
    match outcome {
        Err(Unprepared::Wait(reason)) => ("wait", reason.code, reason.text),
        Err(Unprepared::Skip(reason)) => ("skip", reason.code, reason.text),
        Err(Unprepared::Fail(reason)) => ("fail", reason.code, reason.text),
        Ok(prepared) => panic!("{}", prepared.input),
    }
}

#[test]
fn a_condition_on_a_value_that_is_there_skips() {
    let then = "only_if = [{ record = \"patient\", path = \"$.email\", not_contains = \"example\" }]\nwith = { to = \"x\", text = \"y\" }";
    let outcome = prepared(then, &changed("new-appointment", &[]), &json!({"patient": {"email": "a@example.com"}}));
    assert_eq!(reason(outcome), ("skip", "only_if".to_owned(), "only_if: patient $.email contains what is excluded".to_owned()));
    assert!(prepared(then, &changed("new-appointment", &[]), &json!({"patient": {"email": "a@exemplo.com"}})).is_ok());
    assert!(prepared(then, &changed("new-appointment", &[]), &json!({})).is_ok(), "the negation of contains holds where nothing is");
}

#[test]
fn what_a_value_stands_against_is_not_waited_for() {
    let then = "only_if = [{ record = \"patient\", path = \"$.email\", not_in = [{ path = \"$.data.event_status\" }, { path = \"$.data.nothing\" }] }]\nwith = { to = \"x\", text = \"y\" }";
    let outcome = prepared(then, &changed("new-appointment", &[]), &json!({"patient": {"email": "done"}}));
    assert_eq!(reason(outcome), ("skip", "only_if".to_owned(), "only_if: patient $.email is one of those excluded".to_owned()));
}

#[test]
fn of_alternatives_the_one_that_may_still_come_is_waited_for() {
    let then = "only_if = [{ any = [{ path = \"$.data.event_status\", equals = \"vip\" }, { record = \"patient\", path = \"$.email\", exists = true }] }]\nwith = { to = \"x\", text = \"y\" }";
    let outcome = prepared(then, &changed("new-appointment", &[]), &json!({"patient": {"email": null}}));
    assert_eq!(reason(outcome), ("wait", "missing".to_owned(), "patient $.email is missing".to_owned()));
}

#[test]
fn a_template_waits_for_the_field_it_names() {
    let then = "purpose = \"p\"\nbasis = \"lgpd:11.II.f\"\n[then.allow]\nphone = { record = \"patient\", path = \"$.phones[0]\" }\nclinic = \"$.data.clinic.name\"\n[then.with]\nto = \"{{ phone }}\"\ntext = \"{{ clinic }}\"";
    let outcome = prepared(then, &changed("new-appointment", &[]), &json!({}));
    assert_eq!(reason(outcome), ("wait", "missing".to_owned(), "phone is missing, which `to` needs".to_owned()));
    let then = then.replace("\"{{ phone }}\"", "\"tel:{{ phone | trim }}\"");
    assert_eq!(reason(prepared(&then, &changed("new-appointment", &[]), &json!({}))).2, "phone is missing, which `to` needs");
}

#[test]
fn an_optional_input_is_as_absent_as_its_field_and_keeps_its_type() {
    let then = "purpose = \"p\"\nbasis = \"lgpd:11.II.f\"\n[then.allow]\ntitle = \"$.data.title\"\nminutes = \"$.data.scheduled_duration\"\n[then.with]\nto = \"x\"\ntext = \"in {{ settings.hours }}\"\ntitle = \"{{ title }}\"\nduration_minutes = \"{{ minutes }}\"";
    let input = prepared(then, &changed("new-appointment", &[]), &json!({})).unwrap().input;
    assert_eq!(input, json!({"to": "x", "text": "in 24"}), "null counts as absent");
    let input = prepared(then, &changed("new-appointment", &[("/data/scheduled_duration", json!(30))]), &json!({})).unwrap().input;
    assert_eq!(input["duration_minutes"], json!(30), "a number stays a number");
}

#[test]
fn a_number_is_text_where_the_plugin_takes_only_text() {
    let then = "purpose = \"p\"\nbasis = \"lgpd:11.II.f\"\n[then.allow]\nphone = { record = \"patient\", path = \"$.phones[0]\" }\ntitle = \"$.data.title\"\n\
        [then.with]\nto = \"{{ phone }}\"\ntext = \"y\"\ntitle = \"{{ title }}\"";
    let data = changed("new-appointment", &[("/data/title", json!(true))]);
    let input = prepared(then, &data, &json!({"patient": {"phones": [11_987_654_321_u64]}})).unwrap().input;
    assert_eq!(input, json!({"to": "11987654321", "text": "y", "title": "true"}));
}

#[test]
fn a_rendered_value_is_not_rendered_again() {
    let then = "[then.allow]\ntitle = \"$.data.title\"\nother = \"$.data.clinic.name\"\n[then.with]\nto = \"{{ other }}\"\ntext = \"say {{ title }}\"\ntitle = \"{{ title }}\"";
    let data = changed("new-appointment", &[("/data/title", json!("{{ other }} {% if true %}"))]);
    // `title` is free text, so the action says why it sees it.
    let then = format!("purpose = \"p\"\nbasis = \"lgpd:11.II.f\"\n{then}");
    let input = prepared(&then, &data, &json!({})).unwrap().input;
    assert_eq!((&input["text"], &input["title"]), (&json!("say {{ other }} {% if true %}"), &json!("{{ other }} {% if true %}")));
}

#[test]
fn a_template_that_fails_says_which_and_shows_no_value() {
    let then = "[then.allow]\nclinic = \"$.data.clinic.name\"\n[then.with]\nto = \"x\"\ntext = \"{{ clinic | local_time }}\"";
    let outcome = prepared(then, &changed("new-appointment", &[]), &json!({}));
    assert_eq!(reason(outcome), ("fail", "template".to_owned(), "`text` cannot be rendered: the value is not a date and time".to_owned()));
}

#[test]
fn a_transform_is_all_that_is_seen_of_a_field() {
    let data = changed(
        "new-appointment",
        &[
            ("/data/patient/id", json!(52998)),
            ("/data/scheduled_start_at", json!("2026-03-01 02:00:00")),
            ("/timestamp", json!("2026-03-01 02:00:00")),
        ],
    );
    let then = "purpose = \"p\"\nbasis = \"lgpd:11.II.f\"\n[then.allow]\npatient = { path = \"$.data.patient.id\", as = \"hash\" }\n\
                day = { path = \"$.data.scheduled_start_at\", as = \"date\" }\nage = { path = \"$.data.scheduled_start_at\", as = \"age\" }\n\
                [then.with]\nto = \"{{ patient }}\"\ntext = \"{{ day }} {{ age }}\"";
    let input = prepared(then, &data, &json!({})).unwrap().input;
    // By the clinic's calendar, and under the key of the installation.
    assert_eq!(input, json!({"to": format!("{:?}", indexer().field("centro", "52998")), "text": "2026-02-28 0"}));
}

#[test]
fn a_lookup_of_many_is_a_list_with_gaps() {
    let set = with_rule(
        "id = \"r\"\ntitle = \"R\"\non = \"attendance.finished\"\n[lookup.services]\nrecord = \"service\"\nkey = \"$.data.services[*].service_code\"\n\
         [[then]]\nname = \"a\"\nplugin = \"reminder\"\npurpose = \"p\"\nbasis = \"lgpd:11.II.f\"\n[then.allow]\nprices = { record = \"services\", path = \"$[*].price\" }\nsecond = { record = \"services\", path = \"$[1].price\" }\n\
         [then.with]\nto = \"x\"\ntext = \"{{ prices | join('+') }}\"\nduration_minutes = \"{{ second }}\"\n[then.grant]\nmessages = { channels = [\"outbox\"], to = [] }\n",
    );
    let mut data = changed("finished-attendance", &[]);
    data["data"]["services"] = json!([{"service_code": "1004"}, {"service_code": "9"}, {"service_code": "123"}]);
    let prepared = prepare(&set, "r", json!({}), &data, &json!({"services": [{"price": 189.9}, null, {"price": 65.5}]})).unwrap();
    assert_eq!(prepared.input, json!({"to": "x", "text": "189.9+65.5"}), "the second is unknown");
    assert_eq!(prepared.records.len(), 2);
    data["data"]["services"] = json!([]);
    let input = prepare(&set, "r", json!({}), &data, &json!({})).unwrap().input;
    assert_eq!(input, json!({"to": "x", "text": ""}), "no services, no prices");
}

#[test]
fn what_is_switched_off_or_gone_is_skipped() {
    let set = loaded(&shipped());
    let on = in_force(&set, vec![automation("appointment-reminder", None, json!({}))]);
    let event = event(&set, "appointment/new", &changed("new-appointment", &[("/data/event_status", json!("scheduled"))]));
    let (mut job, records) = job(&on, &event, &marina());
    job.action = "thank".to_owned();
    assert_eq!(reason(on.prepare(&job, &event, &records, &Map::new(), &indexer())).1, "rule_gone");
    job.automation = AutomationId("x@y".to_owned());
    assert_eq!(reason(on.prepare(&job, &event, &records, &Map::new(), &indexer())).1, "switched_off");
}

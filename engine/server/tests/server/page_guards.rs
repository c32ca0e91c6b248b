//! What holds on all pages: who saw something and who did something is written down, each is told of their own clinics and sees the buttons
//! of their role, values are text, lists have an end, and what takes a processor for itself is done one at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use zelo_core::{Actor, AuditKind, AutomationId, Clinics, JobId, JobState, SignedDuration, TraceId};
use zelo_rules::{Automation, InForce};
use zelo_runtime::rulebook::Edition;
use zelo_server::Settings;
use zelo_server::access::Role;
use zelo_store::{AuditPage, AuditView, AutomationRow, Page, Refused, RefusedWrite};

use crate::deaf::{At, Stop};
use crate::gates::only;
use crate::house::{House, SECRET, SOURCE, START, delivery, document, message, patient};
use crate::page_scheduled::Reader;
use crate::{page_automations, page_rules, page_scheduled, page_start};

/// Entries of `kind`, newest first.
async fn written(house: &House, kind: AuditKind) -> Vec<AuditView> {
    house.store().audit(&AuditPage { kind: Some(kind), ..AuditPage::default() }).await.unwrap()
}

/// A friend's phone is what its message needs.
const FRIEND: &str = r#"
id = "greeting"
title = { en = "Word to a friend", pt-BR = "Aviso a um amigo" }
on = ["patient.created"]
source = "acme"

[when]
path = "$.data.friend"
exists = true

[lookup.patient]
key = "$.data.friend"

[[then]]
name = "greet"
plugin = "greeter"
purpose = { en = "Tell a friend", pt-BR = "Avisar um amigo" }
basis = "lgpd:11.II.f"
consent = "messages"

[then.allow]
name = "$.data.name"
phone = { record = "patient", path = "$.phone" }

[then.with]
to = "{{ phone }}"
text = "Olá {{ name }}"

[then.grant]
messages = { channels = ["outbox"], to = ["{{ phone }}"] }
"#;

/// What a clinic says of a patient, and of their friend.
async fn tell(house: &House, id: &str, clinic: Option<&str>, phone: Option<&str>, friend: Option<&str>) {
    let mut body = patient(id, id);
    let data = body["data"].as_object_mut().unwrap();
    for (name, value) in [("clinic", clinic), ("phone", phone), ("friend", friend)] {
        match value {
            Some(value) => drop(data.insert(name.into(), value.into())),
            None => drop(data.remove(name)),
        }
    }
    house.advance(SignedDuration::from_secs(1));
    let sent = house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
}

/// A job of clinic 8 that waits for the phone of `friend`.
async fn waiting(house: &House, friend: &str) -> JobId {
    tell(house, &format!("of-{friend}"), Some("8"), Some("+5511987654321"), Some(friend)).await;
    let job = house.attempt().await;
    assert_eq!((job.clinic.as_deref(), job.attention.unwrap().code.as_str()), (Some("8"), "missing"));
    job.id
}

#[tokio::test]
async fn who_is_of_one_clinic_fills_in_what_is_of_that_clinic_alone() {
    let house = House::ruled(FRIEND).await;
    let phone = async |id: &str| -> Option<(Value, Option<String>)> {
        let all = house.store().records(&Page::default(), Some("patient")).await.unwrap();
        let view = all.into_iter().find(|record| record.id == id)?;
        Some((view.document["phone"].clone(), view.clinic))
    };
    tell(&house, "his", Some("9"), None, None).await;
    tell(&house, "anybodys", None, None, None).await;
    tell(&house, "hers", Some("8"), None, None).await;
    let theirs = Reader::new(&house, Role::Operator, only("acme/8")).await;
    let all = Reader::new(&house, Role::Operator, Clinics::All).await;
    let fill = async |reader: &Reader<'_>, job: JobId, id: &str| {
        reader.post(&format!("/attention/jobs/{job}"), &format!("what=fill&record=patient&id={id}&field=phone&value=11987654321")).await
    };
    // The job is of their clinic; whose phone it lacks is of another clinic, or of the whole connection.
    for (friend, clinic, done) in [("his", Some("9"), 0), ("anybodys", None, 1)] {
        let job = waiting(&house, friend).await;
        let refused = fill(&theirs, job, friend).await;
        assert_eq!(refused.status, 409, "{friend}: {}", refused.text);
        assert_eq!(phone(friend).await, Some((Value::Null, clinic.map(str::to_owned))), "{friend}");
        assert_eq!(written(&house, AuditKind::Amended).await.len(), done, "{friend}");
        assert_eq!(house.store().job(job).await.unwrap().unwrap().job.attention.unwrap().code, "missing", "it waits as before");
        assert_eq!(fill(&all, job, friend).await.status, 303, "{friend}");
        assert_eq!(phone(friend).await, Some((json!("+5511987654321"), clinic.map(str::to_owned))), "{friend}");
        let went_on = house.attempt().await;
        assert_eq!((went_on.id, went_on.reason.unwrap().code.as_str()), (job, "no_plugin"));
    }
    // What is theirs, and what is not there yet: that is then of their clinic.
    for friend in ["hers", "new"] {
        let job = waiting(&house, friend).await;
        assert_eq!(fill(&theirs, job, friend).await.status, 303, "{friend}");
        assert_eq!(phone(friend).await, Some((json!("+5511987654321"), Some("8".to_owned()))), "{friend}");
        assert_eq!(house.attempt().await.id, job);
    }
    let amended = written(&house, AuditKind::Amended).await;
    let clinics: Vec<_> = amended.iter().map(|view| view.entry.clinic.as_deref()).collect();
    assert_eq!(clinics, [Some("8"), Some("8"), None, Some("9")]);
}

#[tokio::test]
async fn who_sends_a_sample_is_written_down() {
    let house = House::reading(page_start::SOURCE, &[]).await;
    let reader = Reader::new(&house, Role::Integrator, Clinics::All).await;
    let kinds = async || {
        let all = written(&house, AuditKind::Decided).await;
        let told = |view: &AuditView| {
            assert_eq!((view.entry.actor.as_str(), view.entry.connection.as_deref()), ("token:tests", Some("acme")));
            let detail = view.entry.detail();
            assert_eq!(detail["what"], "sample sent");
            detail["kind"].as_str().unwrap().to_owned()
        };
        all.iter().map(told).collect::<Vec<_>>()
    };
    for wrong in ["connection=nothing&kind=patient.created", "connection=acme&kind=nothing", "kind=x"] {
        reader.post("/start/sample", wrong).await;
    }
    Reader::new(&house, Role::Operator, Clinics::All).await.post("/start/sample", "connection=acme&kind=patient.created").await;
    assert!(kinds().await.is_empty(), "nothing was sent");
    assert_eq!(reader.post("/start/sample", "connection=acme&kind=patient.created").await.status, 303);
    assert_eq!(kinds().await, ["patient.created"]);
    // That somebody tried counts, whatever comes of it.
    assert_eq!(reader.post("/start/sample", "connection=acme&kind=patient.gone").await.status, 422);
    assert_eq!(kinds().await, ["patient.gone", "patient.created"]);
}

#[tokio::test]
async fn what_reads_all_of_the_log_or_runs_tests_is_done_one_at_a_time() {
    let (house, stop) = House::halting(Settings::default()).await;
    let reader = Reader::new(&house, Role::Integrator, Clinics::All).await;
    let gate = Arc::new(Stop { at: At::Audit, ..Stop::default() });
    *stop.lock().unwrap() = Some(gate.clone());
    let meanwhile = async {
        tokio::time::timeout(Duration::from_secs(10), gate.there.notified()).await.expect("nobody looks");
        reader.get("/audit/verify").await.is_problem(503, "busy");
        reader.post("/rules/greeting/tests", "").await.is_problem(503, "busy");
        gate.on.notify_one();
    };
    let (first, ()) = tokio::join!(reader.get("/audit/verify"), meanwhile);
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(reader.get("/audit/verify").await.status, 200, "the turn has ended");
    assert_eq!(reader.post("/rules/greeting/tests", "").await.status, 200);
}

/// A house with something on each page, whose store may turn deaf; and its pages, each with what the audit log calls it. What is nothing of
/// anybody's is called nothing.
async fn full() -> (House, Arc<AtomicBool>, Vec<(String, &'static str)>) {
    let (house, deaf) = House::hard_of_hearing().await;
    tell(&house, "p1", Some("9"), Some("+5511987654321"), None).await;
    let done = house.finish_with(vec![message("Olá Ana", vec![])]).await;
    tell(&house, "p2", Some("9"), Some("+5511987654322"), None).await;
    house.lose().await;
    tell(&house, "p3", Some("9"), Some("+5511987654323"), None).await;
    let next = house.store().jobs(&Page::default(), Some(JobState::Ready)).await.unwrap().remove(0).job.id;
    let operator = Reader::new(&house, Role::Operator, Clinics::All).await;
    let later = operator.post(&format!("/scheduled/jobs/{next}"), "what=move&date=2026-03-02&hour=20:00").await;
    assert_eq!(later.status, 303, "{}", later.text);
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", "wrong")], "{}".into())).await.is_problem(401, "unverified");
    let event = done.event;
    let trace = house.store().refused(&Page::default()).await.unwrap()[0].refused.trace;
    let pages = [
        ("/".to_owned(), "today"),
        ("/activity".into(), "events"),
        ("/activity?show=jobs".into(), "jobs"),
        (format!("/activity/events/{event}"), "event"),
        (format!("/activity/jobs/{}", done.id), "job"),
        ("/attention".into(), "attention"),
        ("/failures".into(), "refused"),
        ("/refused".into(), "refused"),
        (format!("/refused/{trace}"), "refused"),
        ("/scheduled".into(), "scheduled"),
        ("/start?connection=acme".into(), "start"),
        (format!("/start?connection=open&event={event}"), ""),
        (format!("/rules/greeting/explain?event={event}"), "explanation"),
    ];
    (house, deaf, pages.into())
}

#[tokio::test]
async fn whoever_looks_at_a_page_is_written_down_with_whom_they_saw() {
    let (house, _deaf, pages) = full().await;
    let reader = Reader::new(&house, Role::Admin, Clinics::All).await;
    for (path, what) in pages {
        let before = written(&house, AuditKind::Viewed).await.len();
        let page = reader.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        let mut new = written(&house, AuditKind::Viewed).await;
        new.truncate(new.len() - before);
        let told: Vec<Value> = new.iter().map(|view| view.entry.detail()["what"].clone()).collect();
        assert_eq!(told, [what].into_iter().filter(|what| !what.is_empty()).collect::<Vec<_>>(), "{path}");
        // Whom a refused delivery is about nobody knows.
        let somebody = new.iter().all(|view| what == "refused" || !view.entry.about.is_empty());
        assert!(somebody && new.iter().all(|view| view.entry.actor.as_str() == "token:tests"), "{path}");
    }
    let before = written(&house, AuditKind::Viewed).await.len();
    assert_eq!(reader.post("/activity", "q=%2B5511987654321").await.status, 303);
    let found = written(&house, AuditKind::Viewed).await;
    assert_eq!((found.len(), &found[0].entry.detail()["what"], found[0].entry.about.len()), (before + 1, &json!("subjects"), 1));
}

#[tokio::test]
async fn what_cannot_be_written_down_stands_on_no_page() {
    let (house, deaf, pages) = full().await;
    let reader = Reader::new(&house, Role::Admin, Clinics::All).await;
    deaf.store(true, Ordering::SeqCst);
    for (path, what) in pages {
        let page = reader.get(&path).await;
        if what.is_empty() {
            assert_eq!(page.status, 200, "{path}: {}", page.text);
        } else {
            page.is_problem(503, "unavailable");
        }
    }
}

fn has_not(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(!page.contains(part), "{part} in {page}");
    }
}

#[tokio::test]
async fn whose_records_are_shown_beside_a_job_is_written_down_too() {
    let house = House::ruled(FRIEND).await;
    tell(&house, "<b>friend", Some("8"), None, None).await;
    let job = waiting(&house, "<b>friend").await;
    let reader = Reader::new(&house, Role::Operator, Clinics::All).await;
    tell(&house, "other", Some("8"), Some("+5511987654321"), Some("<b>friend")).await;
    let ready = house.store().jobs(&Page::default(), Some(JobState::Ready)).await.unwrap().remove(0).job.id;
    let later = reader.post(&format!("/scheduled/jobs/{ready}"), "what=move&date=2026-03-02&hour=20:00").await;
    assert_eq!(later.status, 303, "{}", later.text);
    for path in ["/attention", "/scheduled?day=2026-03-02"] {
        let page = reader.get(path).await.text;
        assert!(page.contains("&lt;b&gt;friend"), "{path}: {page}");
        has_not(&page, &["<b>"]);
        let seen = written(&house, AuditKind::Viewed).await.remove(0).entry;
        assert_eq!(seen.about.len(), 2, "{path}: whom it is for, and the friend: {seen:?}");
    }
    // Only what waits for a value is given one.
    reader.post(&format!("/attention/jobs/{job}"), "what=cancel").await;
    let form = "what=fill&record=patient&id=%3Cb%3Efriend&field=phone&value=11987654321";
    assert_eq!(reader.post(&format!("/attention/jobs/{job}"), form).await.status, 409);
    assert_eq!(reader.post(&format!("/attention/jobs/{ready}"), form).await.status, 409, "nobody has looked yet whether it is missing");
    assert!(written(&house, AuditKind::Amended).await.is_empty());
}

/// Has the automation `greeting` be on, or broken, for a clinic, or for the whole connection.
async fn switch(house: &House, clinic: Option<&str>, settings: Value) {
    let row = AutomationRow {
        id: AutomationId::new("greeting", "acme", clinic),
        rule: "greeting".into(),
        connection: "acme".into(),
        clinic: clinic.map(Into::into),
        settings: settings.as_object().unwrap().clone(),
        enabled: true,
        origin: "people".into(),
        changed: house.runtime.clock.now(),
    };
    house.store().put_automation(row, Actor::command()).await.unwrap();
    // With what cannot be in force, as after a change of the rules.
    let next = |now: &Edition, rows: &[AutomationRow]| {
        let automation = |row: &AutomationRow| Automation {
            id: row.id.clone(),
            rule: row.rule.clone(),
            connection: row.connection.clone(),
            clinic: row.clinic.clone(),
            settings: row.settings.clone(),
            enabled: row.enabled,
        };
        let in_force = Arc::new(InForce::new(now.rules.clone(), rows.iter().map(automation).collect()));
        Ok(Edition { in_force, rules: now.rules.clone(), catalog: now.catalog.clone() })
    };
    house.runtime.rules.exchange(house.store(), next).await.unwrap();
}

#[tokio::test]
async fn who_is_of_one_clinic_hears_of_no_automation_of_another() {
    let house = House::ruled(&page_rules::rule()).await;
    switch(&house, Some("9"), json!({})).await;
    tell(&house, "hers", Some("8"), Some("+5511987654321"), None).await;
    let event = house.store().events(&Page::default()).await.unwrap().remove(0).event.id;
    let theirs = Reader::new(&house, Role::Admin, only("acme/8")).await;
    let all = Reader::new(&house, Role::Admin, Clinics::All).await;
    let page = theirs.get(&format!("/activity/events/{event}")).await;
    assert_eq!(page.status, 200);
    has_not(&page.text, &["greeting@acme/9", "Saudação"]);
    let option = "<option value=\"greeting\"";
    assert!(all.get("/activity?show=jobs").await.text.contains(option));
    has_not(&theirs.get("/activity?show=jobs").await.text, &[option]);
    assert!(theirs.get("/").await.text.contains("data-key=\"first-steps\""), "for them nothing is on");
    has_not(&all.get("/").await.text, &["data-key=\"first-steps\""]);
    // What it found in the event is told in the words of the source; the explanation of a limited reader is told in classes.
    switch(&house, None, json!({})).await;
    tell(&house, "Marker-Name", Some("8"), Some("+5511987654321"), None).await;
    let event = house.store().events(&Page::default()).await.unwrap().remove(0).event.id;
    for (reader, shown) in [(&all, true), (&theirs, false)] {
        let page = reader.get(&format!("/activity/events/{event}")).await.text;
        let why = page.split("id=\"why\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
        assert!(why.contains("Saudação"), "{why}");
        assert_eq!((why.contains("Marker-Name"), why.contains("oculto para você")), (shown, !shown), "{why}");
    }
    let page = theirs.get("/automations").await.text;
    assert!(page.contains("Pode valer a da conexão inteira"), "{page}");
    has_not(&page, &["badge good", "Ainda não está ligada."]);
    let elsewhere = Reader::new(&house, Role::Admin, only("elsewhere/1")).await;
    let page = elsewhere.get("/automations").await.text;
    assert!(page.contains("data-key=\"empty\""), "{page}");
    has_not(&page, &["Saudação"]);
}

#[tokio::test]
async fn why_an_automation_does_nothing_is_for_who_sees_to_all_clinics() {
    let house = House::ruled(page_automations::RULE).await;
    switch(&house, None, json!({ "hours": 0 })).await;
    let told = "Está ligada e não funciona:";
    let all = Reader::new(&house, Role::Viewer, Clinics::All).await;
    let page = all.get("/automations").await.text;
    assert!(page.contains(told), "{page}");
    has_not(&Reader::new(&house, Role::Admin, only("acme/8")).await.get("/automations").await.text, &[told]);
    // Who only looks tries what is chosen, and nothing else.
    let tried = all.post("/automations/greeting/preview", "connection=acme&clinic=8&s.hours=5&s.team=Own-Marker").await;
    has_not(&tried.text, &["Own-Marker"]);
    assert!(tried.text.contains("<dt>Equipe</dt>"), "{}", tried.text);
}

#[tokio::test]
async fn a_preview_for_one_clinic_reads_no_records() {
    let house = House::ruled(FRIEND).await;
    tell(&house, "friend", Some("9"), Some("+5511987654321"), None).await;
    tell(&house, "hers", Some("8"), Some("+5511987654321"), Some("friend")).await;
    let (told, form) = ("Com os últimos eventos que chegaram.", "connection=acme&clinic=8");
    for (clinics, stored) in [(Clinics::All, true), (only("acme/8"), false)] {
        let page = Reader::new(&house, Role::Viewer, clinics).await.post("/automations/greeting/preview", form).await;
        assert_eq!((page.status.as_u16(), page.text.contains(told)), (200, stored), "{}", page.text);
    }
}

#[tokio::test]
async fn who_only_looks_finds_no_button_and_values_are_text() {
    let house = House::new().await;
    tell(&house, "p1", Some("9"), Some("+5511987654321"), None).await;
    let event = house.give_up().await.event;
    let viewer = Reader::new(&house, Role::Viewer, Clinics::All).await;
    let operator = Reader::new(&house, Role::Operator, Clinics::All).await;
    let path = format!("/activity/events/{event}");
    assert!(operator.get(&path).await.text.contains("action=\"/jobs/job_"));
    let page = viewer.get(&path).await.text;
    has_not(&page, &["action=\"/jobs/", "<b>somebody"]);
    assert!(page.contains("&lt;b&gt;somebody"), "{page}");
    has_not(&viewer.get("/activity?clinic=%22%3E%3Cscript%3Ex").await.text, &["<script>"]);
    let limited = Reader::new(&house, Role::Integrator, only("acme/9")).await;
    limited.get(&format!("/refused/{}", "0".repeat(32))).await.is_problem(403, "clinics");
    // What nobody knows is decided, and never tried again by a button.
    tell(&house, "p2", Some("9"), Some("+5511987654322"), None).await;
    house.lose().await;
    let page = operator.get("/failures").await.text;
    let unknown = page.split("data-key=\"trouble unknown").nth(1).and_then(|rest| rest.split("</article>").next()).unwrap();
    assert!(unknown.contains("href=\"/attention\""), "{unknown}");
    has_not(unknown, &["action=\"/failures"]);
}

#[tokio::test]
async fn a_job_of_another_clinic_is_not_there_whatever_is_asked_of_it() {
    let house = page_scheduled::house().await;
    let job = page_scheduled::book(&house, "1", "9", "Ana", "2026-03-04T14:00:00Z", Some("+5511987654321")).await;
    let theirs = Reader::new(&house, Role::Operator, only("acme/8")).await;
    // At night it is asked once more; of what is theirs.
    for form in ["what=move&date=2026-03-03&hour=22:00", "what=move&date=&hour="] {
        theirs.post(&format!("/scheduled/jobs/{job}"), form).await.is_problem(404, "not-found");
    }
}

/// A delivery that was refused, with something nasty wherever its sender writes.
async fn refuse(house: &House, number: u32) -> TraceId {
    let nasty = "<i>nasty</i>";
    let trace = format!("{:032x}", number + 1).parse().unwrap();
    let refused = Refused {
        trace,
        connection: "acme".into(),
        clinic: None,
        at: house.runtime.clock.now(),
        code: "unverified".into(),
        why: nasty.into(),
        count: 1,
        size: 1,
        address: Some(nasty.into()),
        path: nasty.into(),
        headers: vec![("user-agent".into(), Some(nasty.into())), (nasty.into(), None)],
    };
    house.store().put_refused(RefusedWrite { refused, body: Some(nasty.into()) }).await.unwrap();
    trace
}

#[tokio::test]
async fn refused_deliveries_are_text_and_come_page_by_page() {
    let house = House::new().await;
    let mut trace = None;
    for number in 0..52 {
        trace = Some(refuse(&house, number).await);
    }
    let reader = Reader::new(&house, Role::Admin, Clinics::All).await;
    let (first, rows) = (reader.get("/refused").await.text, |page: &str| page.matches("data-key=\"refused ").count());
    let at = first.find("href=\"/refused?before=").unwrap() + 6;
    let next = first[at..].split('"').next().unwrap().replace("&amp;", "&");
    let second = reader.get(&next).await.text;
    assert_eq!((rows(&first), rows(&second), second.contains("href=\"/refused?before=")), (50, 2, false));
    for path in ["/failures".to_owned(), "/refused".into(), format!("/refused/{}", trace.unwrap())] {
        let page = reader.get(&path).await.text;
        assert!(page.contains("&lt;i&gt;nasty"), "{path}: {page}");
        has_not(&page, &["<i>"]);
    }
}

#[tokio::test]
async fn long_lists_of_rules_and_automations_come_page_by_page() {
    let (house, folder) = page_rules::house(&page_rules::rule()).await;
    for number in 0..60 {
        let text = page_rules::rule().replacen("id = \"greeting\"", &format!("id = \"rule-{number:02}\""), 1);
        std::fs::write(folder.path().join(format!("rule-{number:02}.toml")), text).unwrap();
    }
    page_rules::reload(&house, &folder).await;
    let reader = Reader::new(&house, Role::Viewer, Clinics::All).await;
    let rows = |page: &str| page.matches("data-key=\"rule ").count();
    let pages =
        [("/rules", 30), ("/rules?after=rule-28", 30), ("/rules?after=rule-58", 1), ("/automations", 60), ("/automations?from=60", 1)];
    for (path, count) in pages {
        let page = reader.get(path).await.text;
        assert_eq!(rows(&page), count, "{path}");
    }
    let (rules, catalogue) = (reader.get("/rules").await.text, reader.get("/automations").await.text);
    assert!(rules.contains("after=rule-28\" rel=\"next\"") && catalogue.contains("href=\"/automations?from=60\""), "{rules}");
    has_not(&reader.get("/rules?after=rule-58").await.text, &["rel=\"next\""]);
    has_not(&reader.get("/automations?from=60").await.text, &["from=120"]);
}

#[tokio::test]
async fn what_admins_write_down_is_bounded_and_text() {
    let house = House::new().await;
    let admin = Reader::new(&house, Role::Admin, Clinics::All).await;
    let long = "x".repeat(65);
    for (path, form) in [
        ("/tokens", "what=new&name=x&role=viewer&days=3651".to_owned()),
        ("/tokens", format!("what=new&name={long}&role=viewer")),
        ("/tokens", "what=new&name=a%0Ab&role=viewer".into()),
        ("/tokens", "what=new&name=x&role=boss".into()),
        ("/people", "name=ana&role=boss".into()),
    ] {
        assert_eq!(admin.post(path, &form).await.status, 422, "{form}");
    }
    assert!(house.store().person("ana").await.unwrap().is_none());
    assert_eq!(admin.post("/tokens", "what=new&name=%3Cb%3Ecaixa&role=viewer&days=3650").await.status, 200);
    let page = admin.get("/tokens").await.text;
    assert!(page.contains("&lt;b&gt;caixa"), "{page}");
    has_not(&page, &["<b>"]);
}

#[tokio::test]
async fn today_tells_nothing_of_another_clinic_and_alarms_to_who_sees_to_all() {
    let house = page_scheduled::house().await;
    page_scheduled::book(&house, "1", "9", "Ana", "2026-03-04T14:00:00Z", Some("+5511987654321")).await;
    let title = "Lembrete de consulta";
    for (clinics, told) in [(Clinics::All, true), (only("acme/8"), false)] {
        let page = Reader::new(&house, Role::Viewer, clinics).await.get("/").await;
        assert_eq!(page.status, 200, "{}", page.text);
        let (open, next) = page.text.split_once("id=\"next\"").unwrap();
        assert_eq!(next.contains(title), told, "{next}");
        assert_eq!(open.contains("<strong>1</strong> <span>Agendadas</span>"), told, "{open}");
    }
    let house = House::built(Settings::default(), true, None).await;
    for (clinics, told) in [(Clinics::All, true), (only("acme/8"), false)] {
        let page = Reader::new(&house, Role::Admin, clinics).await.get("/").await.text;
        assert_eq!((page.contains("id=\"insecure\""), page.contains("action=\"/halts\"")), (told, told), "{page}");
    }
}

#[tokio::test]
async fn names_of_clinics_are_text_wherever_one_chooses_among_them() {
    let clinics = r#"
[[events]]
match = { path = "clinic/new" }
type = "clinic.created"
time = "$.timestamp"
entity = { type = "clinic", id = "$.data.id" }
clinic = "$.data.id"

[[records]]
type = "clinic"
on = ["clinic.created"]
key = "$.data.id"
keep = { name = "$.data.name" }
"#;
    let house = House::reading(&format!("{SOURCE}{clinics}"), &[]).await;
    let body = json!({ "timestamp": START, "data": { "id": "9", "name": "<b>Flores" } });
    let sent = house.send(delivery("/hooks/acme/clinic/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    tell(&house, "p1", Some("9"), Some("+5511987654321"), None).await;
    house.finish_with(vec![message("Olá", vec![]), document("a.pdf", "application/pdf")]).await;
    let reader = Reader::new(&house, Role::Admin, Clinics::All).await;
    for path in ["/", "/scheduled", "/automations/greeting", "/messages", "/documents", "/contacts", "/audit"] {
        let page = reader.get(path).await.text;
        assert!(page.contains("&lt;b&gt;Flores"), "{path}: {page}");
        has_not(&page, &["<b>"]);
    }
}

#[tokio::test]
async fn why_a_job_waits_stands_there_once() {
    let house = House::ruled(FRIEND).await;
    tell(&house, "friend", Some("8"), None, None).await;
    let job = waiting(&house, "friend").await;
    let why = house.store().job(job).await.unwrap().unwrap().job.attention.unwrap().text;
    let mut reader = Reader::new(&house, Role::Integrator, Clinics::All).await;
    for language in ["pt-BR", "en"] {
        reader.language = language;
        let page = reader.get("/attention").await.text;
        assert_eq!(page.matches(&format!("{why}<")).count(), 1, "{language}: {page}");
    }
}

/// The keys of what stands right below `main`: how pages that renew themselves know what is what.
fn keys(page: &str) -> Vec<Option<&str>> {
    let main = page.split_once("<main").and_then(|(_, rest)| rest.split_once('>')).unwrap().1.split("</main>").next().unwrap();
    let (mut keys, mut depth) = (Vec::new(), 0);
    for tag in main.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        if tag.starts_with('/') {
            depth -= 1;
            continue;
        }
        if depth == 0 {
            keys.push(tag.split_once("data-key=\"").map(|(_, rest)| rest.split('"').next().unwrap()));
        }
        depth += i32::from(!["input", "br", "hr", "img", "meta", "link"].iter().any(|void| tag.split(' ').next() == Some(void)));
    }
    assert_eq!(depth, 0, "{page}");
    keys
}

#[tokio::test]
async fn whatever_a_page_exchanges_has_a_name_of_its_own() {
    let (house, _deaf, pages) = full().await;
    let reader = Reader::new(&house, Role::Admin, Clinics::All).await;
    let further = [
        "/failures?done=2",
        "/scheduled?day=2026-03-02&done=move",
        "/attention?done=fill",
        "/activity?clinic=9",
        "/automations",
        "/automations/greeting?connection=acme&done=on&jobs=1",
        "/automations/greeting/off?connection=acme",
        "/messages",
        "/documents",
        "/contacts",
        "/subjects",
        "/rules",
        "/rules/files",
        "/rules/greeting",
        "/rules/greeting/tests",
        "/rules/greeting/backtest",
        "/plugins",
        "/sources",
        "/sources/acme",
        "/people",
        "/tokens",
        "/secrets",
        "/audit",
        "/audit/verify",
    ];
    let mut wrong = Vec::new();
    for path in pages.into_iter().map(|(path, _)| path).chain(further.map(str::to_owned)) {
        let page = reader.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        let keys = keys(&page.text);
        let once = keys.iter().collect::<BTreeSet<_>>();
        if keys.contains(&None) || once.len() != keys.len() {
            wrong.push(format!("{path}: {keys:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

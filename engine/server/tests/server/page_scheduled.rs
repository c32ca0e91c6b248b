//! The agenda: what will be done and when, and who changes that.

use std::time::Duration;

use axum::body::Body;
use jiff::Timestamp;
use serde_json::{Value, json};
use zelo_core::concurrency::unlimited;
use zelo_core::effect::RecordEdit;
use zelo_core::{Clinics, Effect, JobId, SignedDuration};
use zelo_server::Settings;
use zelo_server::access::Role;
use zelo_store::Page;

use crate::gates::only;
use crate::house::{Answer, House, SECRET, delivery, patient, request};

/// A day before something, in the hours of the clinic; it reads the patient's record.
pub(crate) const REMINDER: &str = r#"
id = "greeting"
title = { en = "Reminder of an appointment", pt-BR = "Lembrete de consulta" }
on = ["patient.created"]
source = "acme"

[lookup.patient]
key = "$.data.id"

[[then]]
name = "greet"
plugin = "greeter"
key = "$.data.id"
at = { time = "$.data.at", before = "24h" }
send_window = { from = "08:00", to = "20:00" }
expires = "48h"
purpose = { en = "Remind the patient", pt-BR = "Lembrar o paciente" }
basis = "lgpd:11.II.f"
consent = "messages"

[then.allow]
name = "$.data.name"
phone = { record = "patient", path = "$.phone" }

[then.with]
to = "{{ phone }}"
text = "Olá {{ name }}, até amanhã"

[then.grant]
messages = { channels = ["outbox"], to = ["{{ phone }}"] }
"#;

pub(crate) async fn house() -> House {
    House::ruled_in_brazil(Settings::default(), REMINDER).await
}

/// An appointment at `at` of somebody at `clinic`, of whom `phone` is known; its job.
pub(crate) async fn book(house: &House, id: &str, clinic: &str, name: &str, at: &str, phone: Option<&str>) -> JobId {
    let mut body = patient(id, name);
    (body["data"]["clinic"], body["data"]["at"]) = (clinic.into(), at.into());
    match phone {
        Some(phone) => body["data"]["phone"] = phone.into(),
        None => drop(body["data"].as_object_mut().unwrap().remove("phone")),
    }
    let sent = house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    house.store().jobs(&Page::default(), None).await.unwrap()[0].job.id
}

/// On Tuesday at eleven in São Paulo, for Wednesday.
const WEDNESDAY: &str = "2026-03-04T14:00:00Z";
const PHONE: Option<&str> = Some("+5511987654321");

pub(crate) struct Reader<'h> {
    house: &'h House,
    authorization: String,
    pub(crate) language: &'static str,
}

impl<'h> Reader<'h> {
    pub(crate) async fn new(house: &'h House, role: Role, clinics: Clinics) -> Self {
        Self { house, authorization: format!("Bearer {}", house.token_for(role, clinics).await), language: "pt-BR" }
    }

    fn headers(&self) -> [(&str, &str); 2] {
        [("authorization", &self.authorization), ("accept-language", self.language)]
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.house.get(path, &self.headers()).await
    }

    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        self.house.post(path, &self.headers(), form.to_owned()).await
    }
}

async fn due(house: &House, job: JobId) -> String {
    house.store().job(job).await.unwrap().unwrap().job.due.to_string()
}

/// Whether the keeper was woken since it was asked last.
async fn rung(house: &House) -> bool {
    tokio::time::timeout(Duration::from_millis(50), house.runtime.bell.notified()).await.is_ok()
}

#[tokio::test]
async fn a_day_shows_what_will_be_done_in_the_hours_of_the_clinic() {
    let house = house().await;
    let mut reader = Reader::new(&house, Role::Viewer, Clinics::All).await;
    let empty = reader.get("/scheduled").await.text;
    assert!(empty.contains("Nada agendado para este dia.") && empty.contains("Um lembrete, por exemplo"), "{empty}");
    let job = book(&house, "1", "9", "Ana <b>", WEDNESDAY, PHONE).await;
    let today = reader.get("/scheduled").await.text;
    assert!(today.contains("Ir para o próximo dia com algo agendado:") && today.contains("/scheduled?day=2026-03-03\""), "{today}");
    assert!(today.contains(": 1 tarefa<"), "the day in the calendar: {today}");
    for (language, words) in [
        ("pt-BR", ["Agenda</h1>", "terça-feira, 03/03/2026", "Lembrete de consulta", "Lembrar o paciente", "Horários de São Paulo"]),
        ("en", ["Scheduled</h1>", "Tuesday, 2026-03-03", "Reminder of an appointment", "Remind the patient", "Times of São Paulo"]),
    ] {
        reader.language = language;
        let page = reader.get("/scheduled?day=2026-03-03").await.text;
        for part in words.iter().chain(&["<time datetime=\"2026-03-03T14:00:00Z\">11:00</time>", "Ana &lt;b&gt;"]) {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(!page.contains("method=\"post\" action=\"/scheduled"), "who only looks changes nothing");
        let open = reader.get(&format!("/scheduled?day=2026-03-03&open={job}")).await.text;
        // Its plugin is not there, so nobody can say what it would send; what it would be given is for who writes rules.
        assert!(!open.contains("Olá Ana") && open.contains(&format!("/activity/jobs/{job}")), "{open}");
        for (role, clinics, told) in [(Role::Integrator, Clinics::All, true), (Role::Integrator, only("acme/9"), false)] {
            let open = Reader::new(&house, role, clinics).await.get(&format!("/scheduled?day=2026-03-03&open={job}")).await.text;
            assert_eq!(open.contains("Olá Ana &lt;b&gt;, até amanhã"), told, "{role:?}: {open}");
        }
        assert!(!open.contains("action=\"/scheduled/jobs"), "{open}");
    }
    let seen = house.api("audit?kind=viewed").await.text;
    assert!(seen.contains("\"scheduled\"") && seen.contains(&job.to_string()), "{seen}");
}

#[tokio::test]
async fn a_row_of_another_zone_says_so() {
    let house = house().await;
    book(&house, "0", "8", "Zeca", "2026-03-03T11:00:00Z", PHONE).await;
    let set = json!({ "timezone": "America/Manaus" }).as_object().unwrap().clone();
    let edit = RecordEdit { record: "clinic".into(), id: "8".into(), set, append: Default::default() };
    house.advance(SignedDuration::from_mins(1));
    house.finish_with(vec![Effect::RecordEdit(edit)]).await;
    book(&house, "1", "9", "Ana", WEDNESDAY, PHONE).await;
    book(&house, "2", "8", "Bia", WEDNESDAY, PHONE).await;
    let page = Reader::new(&house, Role::Viewer, Clinics::All).await.get("/scheduled?day=2026-03-03").await.text;
    assert!(page.contains("11:00</time></p>") && page.contains("10:00</time> <small>Manaus</small></p>"), "{page}");
    assert!(page.contains("acme · <span title=\"9\">Clínica 9</span>") && !page.contains("<option value=\"open\""), "{page}");
}

#[tokio::test]
async fn an_operator_moves_a_job_within_its_bounds() {
    let house = house().await;
    let reader = Reader::new(&house, Role::Operator, Clinics::All).await;
    let job = book(&house, "1", "9", "Ana", WEDNESDAY, PHONE).await;
    let path = format!("/scheduled/jobs/{job}");
    let open = reader.get(&format!("/scheduled?day=2026-03-03&open={job}")).await.text;
    assert!(
        open.contains("A automação só envia entre 08:00–20:00.")
            && open.contains("value=\"2026-03-03\"")
            && open.contains("value=\"11:00\""),
        "{open}"
    );
    while rung(&house).await {}
    let moved = reader.post(&path, "what=move&date=2026-03-03&hour=15:30&day=2026-03-03").await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (303, "/scheduled?day=2026-03-03&done=move"), "{}", moved.text);
    assert_eq!(due(&house, job).await, "2026-03-03T18:30:00Z");
    assert!(rung(&house).await, "it may be the next one");
    let page = reader.get(moved.header("location")).await.text;
    assert!(page.contains("Horário mudado.") && page.contains("horário mudado por alguém") && page.contains(">15:30</time>"), "{page}");
    // It keeps what was typed, and says what is wrong.
    let bad = reader.post(&path, "what=move&date=2026-02-30&hour=9&day=2026-03-03").await;
    assert_eq!(bad.status, 422);
    assert!(bad.text.contains("Preencha a data e a hora") && bad.text.contains("value=\"2026-02-30\""), "{}", bad.text);
    let night = reader.post(&path, "what=move&date=2026-03-03&hour=22:00&day=2026-03-03").await;
    assert_eq!(night.status, 409);
    assert!(
        night.text.contains("fora do período em que a automação envia") && night.text.contains("name=\"confirm\" value=\"yes\""),
        "{}",
        night.text
    );
    assert_eq!(due(&house, job).await, "2026-03-03T18:30:00Z");
    assert_eq!(reader.post(&path, "what=move&date=2026-03-03&hour=22:00&confirm=yes").await.status, 303);
    assert_eq!(due(&house, job).await, "2026-03-04T01:00:00Z");
    let after = reader.post(&path, "what=move&date=2026-03-04&hour=12:00&day=2026-03-04").await;
    assert!(after.status == 409 && after.text.contains("depois daquilo que a mensagem anuncia"), "{}", after.text);
    reader.post(&path, "what=perhaps").await.is_problem(400, "malformed");
    assert_eq!(reader.post(&path, "what=cancel&day=2026-03-03").await.status, 303);
    let gone = reader.post(&path, "what=now&day=2026-03-03").await;
    assert!(gone.status == 409 && gone.text.contains("já começou, terminou ou foi cancelada"), "{}", gone.text);
}

#[tokio::test]
async fn what_is_sent_now_runs_at_once() {
    let house = house().await;
    let reader = Reader::new(&house, Role::Operator, Clinics::All).await;
    let job = book(&house, "1", "9", "Ana", WEDNESDAY, PHONE).await;
    house.advance(SignedDuration::from_hours(-1));
    let early = reader.post(&format!("/scheduled/jobs/{job}"), "what=now").await;
    assert!(early.status == 409 && early.text.contains("Sim, mesmo fora do período"), "seven in the morning: {}", early.text);
    house.advance(SignedDuration::from_hours(2));
    while rung(&house).await {}
    assert_eq!(reader.post(&format!("/scheduled/jobs/{job}"), "what=now").await.status, 303);
    assert!(rung(&house).await);
    // Its plugin is not there: it was about to be run.
    assert_eq!(house.attempt().await.reason.unwrap().code, "no_plugin");
}

#[tokio::test]
async fn nobody_sees_or_moves_what_is_of_another_clinic() {
    let house = house().await;
    let job = book(&house, "1", "9", "Zacarias-Marker", WEDNESDAY, PHONE).await;
    let own = book(&house, "2", "8", "Bia", WEDNESDAY, PHONE).await;
    let theirs = Reader::new(&house, Role::Operator, only("acme/8")).await;
    for query in ["", "&place=acme/9", "&place=acme", &format!("&open={job}")] {
        let page = theirs.get(&format!("/scheduled?day=2026-03-03{query}")).await.text;
        assert!(
            !page.contains(&format!("id=\"{job}\"")) && !page.contains("Zacarias-Marker") && !page.contains(": 2 tarefas"),
            "{query}: {page}"
        );
        assert_eq!(page.contains("Bia"), !query.contains("acme/9"), "{query}: {page}");
    }
    for form in ["what=now", "what=cancel", "what=move&date=2026-03-03&hour=12:00"] {
        theirs.post(&format!("/scheduled/jobs/{job}"), form).await.is_problem(404, "not-found");
        let viewer = Reader::new(&house, Role::Viewer, Clinics::All).await;
        viewer.post(&format!("/scheduled/jobs/{job}"), form).await.is_problem(403, "role");
    }
    assert_eq!(due(&house, job).await, "2026-03-03T14:00:00Z");
    assert_eq!(theirs.post(&format!("/scheduled/jobs/{own}"), "what=now").await.status, 303);
}

#[tokio::test]
async fn a_long_day_goes_on_on_the_next_page() {
    let house = house().await;
    let reader = Reader::new(&house, Role::Viewer, Clinics::All).await;
    for id in 0..52 {
        book(&house, &id.to_string(), "9", "Ana", WEDNESDAY, PHONE).await;
    }
    let page = reader.get("/scheduled?day=2026-03-03").await.text;
    assert_eq!(page.matches("<li class=\"card\"").count(), 50);
    let at = page.find("after=").unwrap();
    let next = page[at..].split('"').next().unwrap();
    let rest = reader.get(&format!("/scheduled?day=2026-03-03&{next}")).await.text;
    assert_eq!(rest.matches("<li class=\"card\"").count(), 2, "{rest}");
}

#[tokio::test]
async fn programs_move_jobs_too() {
    let house = house().await;
    let job = book(&house, "1", "9", "Ana", WEDNESDAY, PHONE).await;
    let ask = async |role: Role, id: &str, body: Value| {
        let authorization = format!("Bearer {}", house.token_of(role).await);
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        house.send(request("POST", &format!("/api/v1/jobs/{id}/move"), &headers, Body::from(body.to_string()))).await
    };
    let id = job.to_string();
    ask(Role::Viewer, &id, json!({})).await.is_problem(403, "role");
    ask(Role::Operator, "job_00000000000000000000000000000001", json!({})).await.is_problem(404, "not-found");
    ask(Role::Operator, &id, json!({ "to": "tomorrow" })).await.is_problem(400, "malformed");
    let moved = ask(Role::Operator, &id, json!({ "to": "2026-03-03T16:00:00Z" })).await.json();
    assert_eq!(moved, json!({ "job": id, "due": "2026-03-03T16:00:00Z" }));
    let late = ask(Role::Operator, &id, json!({ "to": WEDNESDAY })).await.is_problem(409, "job");
    assert_eq!(late["code"], "after_anchor");
    let now = ask(Role::Operator, &id, json!({})).await.json();
    assert_eq!(now["due"].as_str().unwrap().parse::<Timestamp>().unwrap(), house.runtime.clock.now());
    let claimed = house.store().claim(house.runtime.clock.now(), 10, SignedDuration::from_mins(1), unlimited()).await.unwrap();
    assert_eq!(claimed.len(), 1);
}

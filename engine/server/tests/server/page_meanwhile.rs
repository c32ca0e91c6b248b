//! What two people do at one time, what is asked twice, and what stays within the clinics of who asks.

use axum::body::Body;
use serde_json::{Map, Value, json};
use zelo_core::{Actor, ClinicRef, Clinics, JobState, SignedDuration};
use zelo_server::Settings;
use zelo_server::access::Role;
use zelo_store::{Amend, NewRecord, Page};

use crate::gates::only;
use crate::house::{Answer, House, SECRET, contact, delivery, patient, request};
use crate::page_scheduled::{REMINDER, Reader, book, house};

const CHOSEN: &str = r#"
id = "greeting"
title = { en = "Greeting", pt-BR = "Saudação" }
on = ["patient.created"]
source = "acme"

[settings.hours]
type = "integer"
default = 24
label = { en = "Hours after", pt-BR = "Horas depois" }

[settings.from]
type = "time-of-day"
default = "08:00"
label = { en = "Send from", pt-BR = "Enviar a partir de" }

[settings.to]
type = "time-of-day"
default = "20:00"
label = { en = "Send until", pt-BR = "Enviar até" }

[[then]]
name = "greet"
plugin = "greeter"
after = "{{ settings.hours }}h"
send_window = { from = "{{ settings.from }}", to = "{{ settings.to }}" }
purpose = { en = "Greet the patient", pt-BR = "Saudar o paciente" }
basis = "lgpd:11.II.f"

[then.allow]
name = "$.data.name"
phone = "$.data.phone"

[then.with]
to = "{{ phone }}"
text = "Olá {{ name }}"

[then.grant]
messages = { channels = ["outbox"], to = ["{{ phone }}"] }
"#;

const PATH: &str = "/automations/greeting";

/// What the form of a page says of how it stood.
fn stood(page: &Answer) -> String {
    page.text.split("name=\"stood\" value=\"").nth(1).unwrap_or_else(|| panic!("{}", page.text)).split('"').next().unwrap().to_owned()
}

fn holds(page: &Answer, status: u16, parts: &[&str]) {
    assert_eq!(page.status.as_u16(), status, "{}", page.text);
    for part in parts {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
}

async fn settings(house: &House) -> Value {
    house.store().automations().await.unwrap().iter().map(|row| Value::from(row.settings.clone())).collect()
}

#[tokio::test]
async fn settings_that_somebody_else_changed_meanwhile_are_not_overwritten() {
    let house = House::ruled_in_brazil(Settings::default(), CHOSEN).await;
    let mut reader = Reader::new(&house, Role::Integrator, Clinics::All).await;
    let on = async |reader: &Reader<'_>, hours: &str, stood: &str| {
        reader.post(PATH, &format!("connection=acme&do=on&s.hours={hours}&s.from=08:00&s.to=20:00&stood={stood}")).await
    };
    // Two who saw that it was never on.
    let never = stood(&reader.get(&format!("{PATH}?connection=acme")).await);
    assert_eq!(on(&reader, "30", &never).await.status, 303);
    assert_eq!(on(&reader, "31", &never).await.status, 409);
    let before = stood(&reader.get(&format!("{PATH}?connection=acme")).await);
    house.advance(SignedDuration::from_mins(92));
    assert_eq!(on(&reader, "48", &before).await.status, 303);
    house.advance(SignedDuration::from_hours(1));
    let stale = on(&reader, "72", &before).await;
    // It began at eight in São Paulo.
    holds(
        &stale,
        409,
        &[
            "tests mudou isto às",
            ">09:32</time>",
            "value=\"72\"",
            "Está agora: <strong>48</strong>",
            "Nada do que você preencheu foi salvo",
        ],
    );
    assert!(!stale.text.contains("Está agora: <strong>08:00</strong>"), "only of what is different");
    assert_eq!(settings(&house).await, json!([{ "hours": 48 }]));
    // Trying it, and mistakes, do not make it new.
    let preview = format!("connection=acme&s.hours=72&s.from=08:00&s.to=20:00&stood={before}");
    assert_eq!(stood(&reader.post(&format!("{PATH}/preview"), &preview).await), before);
    assert_eq!(on(&reader, "many", &before).await.status, 409);
    let now = stood(&stale);
    let wrong = on(&reader, "many", &now).await;
    assert_eq!((wrong.status.as_u16(), stood(&wrong)), (422, now.clone()));
    reader.language = "en";
    house.advance(SignedDuration::from_hours(24));
    holds(&on(&reader, "72", &before).await, 409, &["tests changed this on", "2026-03-02 09:32", "It stands now: <strong>48</strong>"]);
    // Who has seen how it stands says so.
    assert_eq!(on(&reader, "72", &now).await.status, 303);
    assert_eq!(settings(&house).await, json!([{ "hours": 72 }]));
}

#[tokio::test]
async fn what_is_scheduled_stays_when_a_clinic_chooses_for_itself() {
    let house =
        House::ruled_in_brazil(Settings::default(), &CHOSEN.replace("plugin = \"greeter\"", "plugin = \"greeter\"\nkey = \"$.data.id\""))
            .await;
    let reader = Reader::new(&house, Role::Integrator, Clinics::All).await;
    let on = |place: &str, hours: &str| format!("connection=acme{place}&do=on&s.hours={hours}&s.from=00:00&s.to=24:00");
    let live = async || {
        let all = house.store().jobs(&Page::default(), Some(JobState::Scheduled)).await.unwrap();
        all.into_iter().map(|view| (view.job.automation.0, view.job.due.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(reader.post(PATH, &on("", "24")).await.status, 303);
    book(&house, "1", "9", "Ana", "2026-03-02T11:00:00Z", Some("+5511987654321")).await;
    let before = live().await;
    assert_eq!(before.len(), 1, "{before:?}");
    holds(
        &reader.get(&format!("{PATH}?connection=acme&clinic=9")).await,
        200,
        &["<strong>1</strong> tarefas já agendadas", "continuam como estão"],
    );
    assert_eq!(reader.post(PATH, &on("&clinic=9", "72")).await.status, 303);
    assert_eq!(live().await, before, "it goes on as it was made");
    // News of the same takes its place, under the clinic's own.
    house.advance(SignedDuration::from_mins(1));
    book(&house, "1", "9", "Ana Lima", "2026-03-02T11:00:00Z", Some("+5511987654321")).await;
    let after = live().await;
    assert_eq!(after.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["greeting@acme/9"], "{after:?}");
    // Off there is off for what was scheduled by either.
    book(&house, "2", "8", "Bia", "2026-03-02T11:00:00Z", Some("+5511987654321")).await;
    assert_eq!(reader.post(PATH, &on("&clinic=8", "72")).await.status, 303);
    assert_eq!(live().await.len(), 2);
    assert_eq!(reader.post(PATH, "connection=acme&clinic=8&do=off").await.status, 303);
    assert_eq!(live().await, after);
}

#[tokio::test]
async fn hours_that_end_before_they_begin_are_refused_at_their_field() {
    let house = House::ruled_in_brazil(Settings::default(), CHOSEN).await;
    let mut reader = Reader::new(&house, Role::Integrator, Clinics::All).await;
    let on = |from: &str, to: &str| format!("connection=acme&do=on&s.hours=24&s.from={from}&s.to={to}");
    for (language, told) in [("pt-BR", "Este horário precisa ser depois"), ("en", "This has to be later than")] {
        reader.language = language;
        for to in ["08:00", "07:59", "20:00"] {
            let wrong = reader.post(PATH, &on("20:00", to)).await;
            holds(&wrong, 422, &[&format!("<p class=\"error\" id=\"s-to-wrong\">{told}"), &format!("value=\"{to}\"")]);
        }
    }
    assert_eq!(settings(&house).await, json!([]));
    let authorization = format!("Bearer {}", house.token_of(Role::Integrator).await);
    let body = json!({ "rule": "greeting", "connection": "acme", "enabled": true, "settings": { "to": "07:00" } }).to_string();
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let refused = house.send(request("PUT", "/api/v1/automations", &headers, Body::from(body))).await;
    assert!(refused.status == 409 && refused.text.contains("must end after they begin"), "{}", refused.text);
    // Until midnight is not over it.
    for to in ["00:00", "24:00", "20:01"] {
        assert_eq!(reader.post(PATH, &on("20:00", to)).await.status, 303, "{to}");
    }
}

/// Puts a card on the board.
async fn card(house: &House, id: &str, stage: &str) {
    house.advance(SignedDuration::from_secs(60));
    let mut body = patient(id, "Ana");
    body["data"]["clinic"] = "9".into();
    body["timestamp"] = json!(house.runtime.clock.now());
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    house.finish_with(vec![contact(id, json!({ "stage": stage, "name": "Ana" }), "ligou")]).await;
}

#[tokio::test]
async fn a_card_that_somebody_else_moved_meanwhile_stays_where_it_is() {
    let house = House::new().await;
    let reader = Reader::new(&house, Role::Operator, Clinics::All).await;
    card(&house, "1", "lead").await;
    let stage = async || house.store().records(&Page::default(), Some("contact")).await.unwrap().remove(0).document["stage"].clone();
    let moved = async |from: &str, to: &str| reader.post("/contacts", &format!("connection=acme&id=1&from={from}&stage={to}")).await;
    assert!(reader.get("/contacts").await.text.contains("name=\"from\" value=\"lead\""), "the form says what it was drawn from");
    house.advance(SignedDuration::from_mins(5));
    assert_eq!(moved("lead", "scheduled").await.status, 303);
    house.advance(SignedDuration::from_hours(1));
    let stale = moved("lead", "canceled").await;
    holds(
        &stale,
        409,
        &[
            "tests mudou isto às",
            ">11:06</time>",
            "name=\"from\" value=\"scheduled\"",
            "<option value=\"canceled\" selected>",
            "O cartão não foi movido",
        ],
    );
    assert_eq!(stage().await, "scheduled");
    // What an automation did is nobody's doing.
    card(&house, "1", "attended").await;
    let stale = moved("scheduled", "canceled").await;
    holds(&stale, 409, &["Alguém mudou isto às"]);
    assert_eq!(moved("attended", "canceled").await.status, 303);
    assert_eq!(stage().await, "canceled");
}

#[tokio::test]
async fn a_bulk_retry_has_one_rate_for_all_clinics_of_who_asks() {
    let house = House::new().await;
    for (id, clinic) in [("1", "8"), ("2", "9"), ("3", "8"), ("4", "7")] {
        let mut body = patient(id, "Ana");
        body["data"]["clinic"] = clinic.into();
        house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
        house.give_up().await;
    }
    let clinics = Clinics::of(["8", "9"].map(|clinic| ClinicRef { connection: "acme".into(), clinic: clinic.into() }));
    let authorization = format!("Bearer {}", house.token_for(Role::Operator, clinics).await);
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let body = json!({ "state": "dead", "per_minute": 6 }).to_string();
    let revived = house.send(request("POST", "/api/v1/jobs/retry", &headers, Body::from(body))).await.json();
    let at: Vec<&str> = revived["items"].as_array().unwrap().iter().map(|job| job["run_at"].as_str().unwrap()).collect();
    assert_eq!(at, ["2026-03-02T11:00:00Z", "2026-03-02T11:00:10Z", "2026-03-02T11:00:20Z"], "{revived}");
    assert_eq!(house.api("jobs?state=dead").await.json()["items"].as_array().unwrap().len(), 1, "not that of another clinic");
}

#[tokio::test]
async fn the_agenda_asks_before_it_cancels_and_says_what_is_lacking() {
    let house = house().await;
    let mut reader = Reader::new(&house, Role::Operator, Clinics::All).await;
    let job = book(&house, "1", "9", "Ana", "2026-03-04T14:00:00Z", None).await;
    let page = reader.get(&format!("/scheduled?day=2026-03-03&open={job}")).await;
    let asks = page.text.split("<details class=\"cancel\"").nth(1).unwrap_or_else(|| panic!("{}", page.text));
    assert!(asks.contains("value=\"cancel\">Sim, cancelar</button>"), "{asks}");
    assert_eq!(page.text.matches("value=\"cancel\"").count(), 1, "only behind the question");
    let path = format!("/scheduled/jobs/{job}");
    for (language, told, button) in [
        ("pt-BR", "Ainda falta: telefone (paciente).", "Tentar agora mesmo assim"),
        ("en", "Still lacking: phone (patient).", "Try now all the same"),
    ] {
        reader.language = language;
        holds(&reader.post(&path, "what=now&day=2026-03-03").await, 409, &[told, button, "name=\"confirm\" value=\"yes\""]);
    }
    let due = async || house.store().job(job).await.unwrap().unwrap().job.due.to_string();
    assert_eq!(due().await, "2026-03-03T14:00:00Z", "it was asked first");
    reader.language = "pt-BR";
    let done = reader.post(&path, "what=now&confirm=yes&day=2026-03-03").await;
    assert_eq!(done.status, 303, "{}", done.text);
    let told = reader.get(done.header("location")).await;
    holds(&told, 200, &["Falta um dado para sair.", "href=\"/attention\""]);
    assert!(!told.text.contains("A caminho"), "{}", told.text);
}

#[tokio::test]
async fn what_waits_for_another_action_says_so_on_the_agenda() {
    let second = REMINDER.split_once("[[then]]").unwrap().1.replace("name = \"greet\"", "name = \"thank\"\nneeds = [\"greet\"]");
    let second = second.replace("key = \"$.data.id\"\nat = { time = \"$.data.at\", before = \"24h\" }\n", "");
    let rule = format!("{REMINDER}\n[[then]]{}", second.replace("Lembrar o paciente", "Agradecer"));
    let house = House::ruled_in_brazil(Settings::default(), &rule).await;
    book(&house, "1", "9", "Ana", "2026-03-04T14:00:00Z", Some("+5511987654321")).await;
    let reader = Reader::new(&house, Role::Operator, Clinics::All).await;
    let all = house.store().jobs(&Page::default(), Some(JobState::Scheduled)).await.unwrap();
    let waits = all.iter().find(|view| view.job.action == "thank").unwrap_or_else(|| panic!("{all:?}"));
    let page = reader.get(&format!("/scheduled?day={}", waits.job.run_at.strftime("%Y-%m-%d"))).await;
    let entry =
        page.text.split("<li class=\"card follows\"").nth(1).unwrap_or_else(|| panic!("{}", page.text)).split("</li>").next().unwrap();
    assert!(entry.contains("só depois de “Lembrar o paciente”") && entry.contains("<p class=\"when\">em seguida</p>"), "{entry}");
}

/// A clinic with this zone.
async fn clinic(house: &House, id: &str, zone: &str) {
    let amend = Amend {
        record: house.store().indexer().record("acme", "clinic", id),
        fields: Map::from_iter([("timezone".to_owned(), zone.into()), ("name".to_owned(), format!("Clínica {id}").into())]),
        new: Some(NewRecord { connection: "acme".into(), kind: "clinic".into(), id: id.into(), subject: None, clinic: Some(id.into()) }),
        lacking: None,
        stood: None,
        clinics: Clinics::All,
        actor: Actor::command(),
        timetable: house.runtime.rules.current().in_force.clone(),
    };
    house.store().amend(amend, house.runtime.clock.now()).await.unwrap();
}

#[tokio::test]
async fn the_zone_of_a_clinic_of_others_is_not_told() {
    let house = House::new().await;
    clinic(&house, "8", "America/Manaus").await;
    clinic(&house, "9", "America/Belem").await;
    let theirs = Reader::new(&house, Role::Viewer, only("acme/9")).await;
    let all = Reader::new(&house, Role::Viewer, Clinics::All).await;
    for path in ["/?clinic=acme/8", "/activity?place=acme/8", "/activity?connection=acme&clinic=8"] {
        let page = theirs.get(path).await.text;
        assert!(page.contains("Belém") && !page.contains("Manaus"), "{path}: {page}");
        let page = all.get(path).await.text;
        assert!(page.contains("Manaus"), "{path}: {page}");
    }
}

#[tokio::test]
async fn all_jobs_of_unknown_end_can_be_reached() {
    let house = House::new().await;
    let reader = Reader::new(&house, Role::Operator, Clinics::All).await;
    for id in 0..27 {
        house.deliver(&id.to_string(), "Ana").await;
        house.lose().await;
    }
    let first = reader.get("/attention").await.text;
    assert_eq!(first.matches("data-key=\"task job_").count(), 25, "{first}");
    let pager = first.split("<p class=\"pager\">").nth(1).unwrap_or_else(|| panic!("{first}"));
    let older = pager.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let second = reader.get(&older).await.text;
    assert!(second.matches("data-key=\"task job_").count() == 2 && !second.contains("class=\"pager\""), "{older}: {second}");
}

#[tokio::test]
async fn a_secret_that_zelo_made_is_shown_once_to_an_admin() {
    let made = "0123456789abcdef".repeat(4);
    let house = House::sharing(&made).await;
    let (admin, integrator) =
        (Reader::new(&house, Role::Admin, Clinics::All).await, Reader::new(&house, Role::Integrator, Clinics::All).await);
    let button = "Mostrar o segredo agora";
    assert!(!integrator.get("/start").await.text.contains(button));
    integrator.post("/start/secret", "connection=acme").await.is_problem(403, "role");
    let page = admin.get("/start").await.text;
    assert!(page.contains(button) && !page.contains(&made), "{page}");
    admin.post("/start/secret", "connection=nothing").await.is_problem(404, "not-found");
    let (one, other) = tokio::join!(admin.post("/start/secret", "connection=acme"), admin.post("/start/secret", "connection=acme"));
    let mut both = [one, other];
    both.sort_by_key(|answer| answer.status);
    holds(&both[0], 200, &[&format!("<code>{made}</code>"), "não será mostrado de novo"]);
    assert_eq!((both[0].header("cache-control"), both[0].text.contains("data-seen")), ("no-store", false));
    holds(&both[1], 409, &["Ele já foi mostrado aqui", "secrets/acme"]);
    assert!(!both[1].text.contains(&made));
    let page = admin.get("/start").await.text;
    assert!(page.contains("Ele já foi mostrado aqui") && !page.contains(button) && !page.contains(&made), "{page}");
    let audit = house.api("audit?kind=configured").await.text;
    assert!(audit.contains("shown") && !audit.contains(&made), "{audit}");
    // What somebody configured, or chose, is theirs.
    let chosen = House::sharing("a secret of their own").await;
    let admin = Reader::new(&chosen, Role::Admin, Clinics::All).await;
    assert_eq!(admin.post("/start/secret", "connection=acme").await.status, 409);
    let configured = House::new().await;
    let admin = Reader::new(&configured, Role::Admin, Clinics::All).await;
    let answer = admin.post("/start/secret", "connection=acme").await;
    assert!(answer.status == 409 && !answer.text.contains(SECRET), "{}", answer.text);
}

#[tokio::test]
async fn the_first_start_ends_on_its_own_page() {
    let house = House::new().await;
    for row in house.store().automations().await.unwrap() {
        house.store().put_automation(zelo_store::AutomationRow { enabled: false, ..row }, Actor::command()).await.unwrap();
    }
    let mut reader = Reader::new(&house, Role::Integrator, Clinics::All).await;
    house.deliver("1", "Ana").await;
    let event = house.store().events(&Page::default()).await.unwrap()[0].event.id;
    let done = reader.post("/start/on", &format!("connection=acme&rule=greeting&event={event}")).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert!(done.header("location").ends_with("#step-7"), "{}", done.header("location"));
    let there = done.header("location").split('#').next().unwrap().to_owned();
    for (language, told) in
        [("pt-BR", ["Pronto: esta automação está ligada", "E agora?"]), ("en", ["Done: this automation is on", "What comes next?"])]
    {
        reader.language = language;
        holds(&reader.get(&there).await, 200, &told);
        holds(&reader.get(&there).await, 200, &["href=\"/scheduled\"", "href=\"/automations/greeting?connection=acme\""]);
    }
    let rows = house.store().automations().await.unwrap();
    assert!(rows.iter().any(|row| row.enabled && row.connection == "acme"), "{rows:?}");
    reader.post("/start/on", "connection=acme&rule=nothing").await.is_problem(404, "not-found");
    Reader::new(&house, Role::Operator, Clinics::All)
        .await
        .post("/start/on", "connection=acme&rule=greeting")
        .await
        .is_problem(403, "role");
}

//! The pages of automations, and switching them over HTTP.

use axum::body::Body;
use serde_json::{Value, json};
use zelo_core::{AuditKind, Clinics, JobState};
use zelo_server::access::Role;
use zelo_store::{AuditPage, AutomationRow};

use crate::gates::only;
use crate::house::{Answer, House, MARKER, SECRET, delivery, patient, request};

pub(crate) const RULE: &str = r#"
id = "greeting"
title = { en = "Greeting", pt-BR = "Saudação" }
description = { en = "A message to new patients.", pt-BR = "Uma mensagem a quem é novo." }
on = ["patient.created"]
source = "acme"

[settings.hours]
type = "integer"
default = 24
min = 1
max = 168
label = { en = "Hours after", pt-BR = "Horas depois" }

[settings.team]
type = "string"
default = "equipe"
label = { en = "Team", pt-BR = "Equipe" }
description = { en = "Who is told.", pt-BR = "Quem é avisado." }

[[then]]
name = "greet"
plugin = "greeter"
after = "{{ settings.hours }}h"
purpose = { en = "Greet the patient", pt-BR = "Saudar o paciente" }
basis = "lgpd:11.II.f"

[then.allow]
name = "$.data.name"
phone = "$.data.phone"

[then.with]
to = "{{ phone }}"
text = "Olá {{ name }}, {{ settings.team }}"

[then.grant]
messages = { channels = ["outbox"], to = ["{{ phone }}"] }

[[test]]
name = "greets"
event = { type = "patient.created", data = { data = { id = "p0", name = "Exemplo", phone = "+5511900000000" } } }
now = "2026-03-01T12:00:00Z"
expect = { fires = true }
"#;

/// Somebody at the house.
struct Reader<'h> {
    house: &'h House,
    authorization: String,
    lang: &'static str,
}

impl<'h> Reader<'h> {
    async fn new(house: &'h House, role: Role, clinics: Clinics) -> Self {
        Self { house, authorization: format!("Bearer {}", house.token_for(role, clinics).await), lang: "pt-BR" }
    }

    fn headers(&self) -> [(&str, &str); 2] {
        [("authorization", &self.authorization), ("accept-language", self.lang)]
    }

    async fn get(&self, path: &str) -> Answer {
        self.house.get(path, &self.headers()).await
    }

    async fn post(&self, path: &str, form: &str) -> Answer {
        self.house.post(path, &self.headers(), form.to_owned()).await
    }

    async fn put(&self, body: Value) -> Answer {
        let headers = [&self.headers()[..], &[("content-type", "application/json")]].concat();
        self.house.send(request("PUT", "/api/v1/automations", &headers, Body::from(body.to_string()))).await
    }

    /// Switches the rule on, or changes it.
    async fn on(&self, place: &str, settings: &str) -> Answer {
        self.post("/automations/greeting", &format!("{place}&do=on&{settings}")).await
    }
}

async fn integrator(house: &House) -> Reader<'_> {
    Reader::new(house, Role::Integrator, Clinics::All).await
}

async fn rows(house: &House) -> Vec<AutomationRow> {
    house.store().automations().await.unwrap()
}

async fn arrive(house: &House, id: &str, name: &str, clinic: &str) {
    let mut body = patient(id, name);
    body["data"]["clinic"] = clinic.into();
    let sent = house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
}

fn holds(page: &Answer, parts: &[&str]) {
    assert_eq!(page.status, 200, "{}", page.text);
    for part in parts {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
}

#[tokio::test]
async fn the_catalogue_says_what_there_is_and_where_it_is_on() {
    let house = House::ruled(RULE).await;
    let mut reader = integrator(&house).await;
    let page = reader.get("/automations").await;
    holds(
        &page,
        &[
            "Falar com pacientes e contatos",
            "href=\"/automations/greeting\">Saudação</a>",
            "Uma mensagem a quem é novo.",
            "Ainda não está ligada.",
        ],
    );
    assert!(page.text.contains("aria-current=\"page\">Automações"), "{}", page.text);
    reader.on("connection=acme&clinic=8", "s.hours=48&s.team=a").await;
    let page = reader.get("/automations").await;
    holds(&page, &["<span class=\"badge good\">Ligada</span>", "Ligada para acme · 8."]);
    assert!(page.text.contains("2 dias depois"), "under its settings: {}", page.text);
    reader.lang = "en";
    holds(
        &reader.get("/automations").await,
        &["Talk to patients and contacts", ">Greeting</a>", "A message to new patients.", "On for acme · 8."],
    );
}

#[tokio::test]
async fn where_there_are_none_the_catalogue_says_what_will_stand_there() {
    let source =
        "id = \"p\"\ntitle = \"P\"\n[receive]\nformat = \"json\"\ninsecure = true\n[[events]]\nmatch = { path = \"a\" }\ntype = \"a.b\"\n";
    let house = House::of_source(source, None).await;
    holds(&integrator(&house).await.get("/automations").await, &["class=\"empty\"", "Ainda não há automações"]);
}

#[tokio::test]
async fn one_says_what_it_sees_what_it_may_do_and_what_can_be_chosen() {
    let house = House::ruled(RULE).await;
    let mut reader = integrator(&house).await;
    let page = reader.get("/automations/greeting?connection=acme").await;
    holds(
        &page,
        &[
            "<th scope=\"row\">o nome</th><td>pessoal</td><td>do evento</td>",
            "Saudar o paciente",
            "tutela da saúde",
            "<li>Envia uma mensagem ao valor em “$.data.phone” pela caixa de saída.</li>",
            "<label for=\"s-hours\">Horas depois</label>",
            "type=\"number\" id=\"s-hours\" name=\"s.hours\" value=\"24\" step=\"1\" min=\"1\" max=\"168\" aria-describedby=\"s-hours-hint\"",
            "De 1 a 168. Padrão: 24.",
            "Quem é avisado. Padrão: equipe.",
            "nada é enviado por eventos anteriores",
            "value=\"on\">Ligar</button>",
            "Ninguém mudou nada ainda.",
        ],
    );
    assert!(!page.text.contains("Desligar…") && !page.text.contains("style=") && !page.text.contains("<script>"), "{}", page.text);
    reader.lang = "en";
    holds(
        &reader.get("/automations/greeting").await,
        &[
            "<td>personal</td>",
            "Hours after",
            "From 1 to 168. Default: 24.",
            "Sends a message to the value at",
            "Nobody has changed anything yet.",
        ],
    );
    assert_eq!(reader.get("/automations/nothing").await.status, 404);
    assert_eq!(reader.get("/automations/greeting?connection=nowhere").await.status, 404);
}

#[tokio::test]
async fn who_switches_it_on_is_told_what_comes_next_and_stands_in_its_history() {
    let house = House::ruled(RULE).await;
    let reader = integrator(&house).await;
    let answer = reader.on("connection=acme&clinic=", "s.hours=24&s.team=%2B5511955554444").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/automations/greeting?connection=acme&done=on&jobs=0"));
    let told = json!({ "team": "+5511955554444" });
    assert!(
        matches!(rows(&house).await.as_slice(), [row] if row.enabled && row.clinic.is_none() && row.origin == "people" && json!(row.settings) == told)
    );
    let page = reader.get(answer.header("location")).await;
    holds(
        &page,
        &[
            "role=\"status\"",
            "A partir de agora, ela age sobre o que chegar; nada é enviado por eventos anteriores.",
            "badge good",
            "Desligar…",
        ],
    );
    let automation = house.runtime.rules.current().in_force.automations().next().cloned().unwrap();
    assert_eq!(json!(automation.settings)["team"], told["team"], "it is in force");

    house.advance(zelo_core::SignedDuration::from_mins(1));
    let saved = reader.on("connection=acme", "s.hours=48&s.team=%2B5511955554444").await;
    assert!(saved.header("location").contains("done=saved"), "{}", saved.header("location"));
    let page = reader.get("/automations/greeting?connection=acme").await;
    let history = page.text.split("id=\"history\"").nth(1).unwrap();
    let place = |part: &str| history.find(part).unwrap_or_else(|| panic!("{part} in {history}"));
    assert!(place("<td>Mudou</td>") < place("<td>Ligou</td>"), "the newest first");
    assert!(place("Horas depois") < place("<td>Ligou</td>") && history.contains("<td>tests</td>"), "{history}");
    assert!(!history.contains("5511955554444"), "a value is no part of the history: {history}");
}

#[tokio::test]
async fn what_is_wrong_stands_at_its_field_and_what_was_filled_in_stays() {
    let house = House::ruled(RULE).await;
    let reader = integrator(&house).await;
    let nasty = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let page = reader.on("connection=acme", &format!("s.hours=999&s.team={nasty}")).await;
    assert_eq!(page.status, 422);
    for part in [
        "value=\"999\"",
        "aria-describedby=\"s-hours-hint s-hours-wrong\" aria-invalid=\"true\"",
        "<p class=\"error\" id=\"s-hours-wrong\">O maior valor é 168.</p>",
        "value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\"",
        "Há algo a corrigir; nada foi mudado.",
    ] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(!page.text.contains("<script>") && !page.text.contains("data-seen"), "it shows what was sent, and does not renew itself");
    assert!(rows(&house).await.is_empty());
    for broken in ["connection=acme&do=perhaps", "do=on", "connection=acme"] {
        reader.post("/automations/greeting", broken).await.is_problem(400, "malformed");
    }
    let nothing_on = reader.post("/automations/greeting", "connection=acme&do=off").await;
    assert_eq!(nothing_on.status, 409, "{}", nothing_on.text);
}

#[tokio::test]
async fn switching_off_says_first_how_much_it_cancels() {
    let house = House::ruled(RULE).await;
    let reader = integrator(&house).await;
    reader.on("connection=acme", "s.hours=24&s.team=x").await;
    for (id, clinic) in [("p1", "8"), ("p2", "8"), ("p3", "9")] {
        arrive(&house, id, "Ana", clinic).await;
    }
    holds(
        &reader.get("/automations/greeting/off?connection=acme").await,
        &["<strong>3</strong> tarefas agendadas serão canceladas", "value=\"off\">Desligar</button>"],
    );
    holds(&reader.get("/automations/greeting/off?connection=acme&clinic=8").await, &["<strong>2</strong> tarefas agendadas"]);
    holds(
        &reader.get("/automations/greeting?connection=acme&clinic=8").await,
        &["<strong>2</strong> tarefas já agendadas para esta clínica", "vale a da conexão inteira, que está ligada."],
    );
    assert_eq!(rows(&house).await.len(), 1, "nothing was done by looking");
    let off = reader.post("/automations/greeting", "connection=acme&clinic=8&do=off").await;
    assert_eq!(off.header("location"), "/automations/greeting?connection=acme&clinic=8&done=off&jobs=2");
    holds(&reader.get(off.header("location")).await, &["Está desligada.", "2 tarefas agendadas"]);
    let jobs = house.store().jobs(&zelo_store::Page::default(), None).await.unwrap();
    let live: Vec<_> = jobs.iter().filter(|view| view.job.state == JobState::Scheduled).map(|view| view.job.clinic.as_deref()).collect();
    assert_eq!(live, [Some("9")]);
}

#[tokio::test]
async fn who_only_looks_finds_no_button_and_changes_nothing() {
    let house = House::ruled(RULE).await;
    integrator(&house).await.on("connection=acme", "s.hours=48&s.team=x").await;
    for role in [Role::Viewer, Role::Operator] {
        let reader = Reader::new(&house, role, Clinics::All).await;
        let page = reader.get("/automations/greeting").await;
        holds(&page, &["<dt>Horas depois</dt> <dd>48</dd>".replace("</dt> <dd>", "</dt><dd>").as_str(), "Ver prévia"]);
        assert!(!page.text.contains("name=\"do\"") && !page.text.contains("Desligar…") && !page.text.contains("s.hours"), "{}", page.text);
        reader.post("/automations/greeting", "connection=acme&do=off").await.is_problem(403, "role");
        reader.get("/automations/greeting/off?connection=acme").await.is_problem(403, "role");
        reader.put(json!({ "rule": "greeting", "connection": "acme", "enabled": false })).await.is_problem(403, "role");
    }
    assert!(rows(&house).await[0].enabled);
}

#[tokio::test]
async fn who_is_of_one_clinic_sees_and_switches_that_one() {
    let house = House::ruled(RULE).await;
    let all = integrator(&house).await;
    all.on("connection=acme", "s.hours=24&s.team=Whole-Marker").await;
    all.on("connection=acme&clinic=9", &format!("s.hours=24&s.team={MARKER}")).await;
    arrive(&house, "p9", MARKER, "9").await;
    arrive(&house, "p8", "Ana", "8").await;
    let hers = Reader::new(&house, Role::Integrator, only("acme/8")).await;
    for page in ["/automations", "/automations/greeting", "/automations/greeting?connection=acme&clinic=8"] {
        let page = hers.get(page).await;
        holds(&page, &["Saudação"]);
        assert!(!page.text.contains(MARKER) && !page.text.contains("Whole-Marker") && !page.text.contains("acme · 9"), "{}", page.text);
        assert!(!page.text.contains("todas as clínicas\"") && !page.text.contains("acme · todas"), "{}", page.text);
    }
    for place in ["connection=acme", "connection=acme&clinic=9", "connection=open&clinic=8"] {
        assert_eq!(hers.get(&format!("/automations/greeting?{place}")).await.status, 404, "{place}");
        assert_eq!(hers.get(&format!("/automations/greeting/off?{place}")).await.status, 404, "{place}");
        for word in ["do=on", "do=off"] {
            assert_eq!(hers.post("/automations/greeting", &format!("{place}&{word}")).await.status, 404, "{place}");
        }
        assert_eq!(hers.post("/automations/greeting/preview", place).await.status, 404, "{place}");
    }
    hers.put(json!({ "rule": "greeting", "connection": "acme", "clinic": "9", "enabled": false })).await.is_problem(404, "not-found");
    hers.put(json!({ "rule": "greeting", "connection": "acme", "enabled": false })).await.is_problem(404, "not-found");
    assert!(rows(&house).await.iter().all(|row| row.enabled && row.clinic.as_deref() != Some("8")));

    let preview = hers.post("/automations/greeting/preview", "connection=acme&clinic=8&s.hours=2&s.team=x").await;
    holds(&preview, &["Com os últimos eventos que chegaram."]);
    assert!(!preview.text.contains(MARKER), "{}", preview.text);
    let own = hers.on("connection=acme&clinic=8", "s.hours=2&s.team=x").await;
    assert_eq!(own.status, 303, "{}", own.text);
    assert!(rows(&house).await.iter().any(|row| row.clinic.as_deref() == Some("8") && row.enabled));
    let listed = hers.get("/api/v1/automations").await.json();
    assert!(matches!(listed["items"].as_array().unwrap().as_slice(), [one] if one["clinic"] == "8"), "{listed}");
}

#[tokio::test]
async fn a_preview_is_of_what_came_and_is_written_down() {
    let house = House::ruled(RULE).await;
    let reader = Reader::new(&house, Role::Viewer, Clinics::All).await;
    let sample = reader.post("/automations/greeting/preview", "connection=acme").await;
    holds(
        &sample,
        &["Com dados de exemplo.", "Evento que chegou em <time datetime=\"2026-03-01T12:00:00Z\">", "O plugin não está instalado"],
    );
    let viewed = async || {
        let page = AuditPage { kind: Some(AuditKind::Viewed), ..AuditPage::default() };
        let views = house.store().audit(&page).await.unwrap();
        views.into_iter().filter(|view| view.entry.detail()["what"] == "preview").collect::<Vec<_>>()
    };
    assert!(viewed().await.is_empty(), "a sample is nobody's");
    arrive(&house, "p1", "Ana", "8").await;
    let before = house.store().jobs(&zelo_store::Page::default(), None).await.unwrap().len();
    holds(&reader.post("/automations/greeting/preview", "connection=acme&clinic=8").await, &["Com os últimos eventos que chegaram."]);
    let seen = viewed().await;
    assert_eq!((seen.len(), seen[0].entry.about.len(), seen[0].entry.clinic.as_deref()), (1, 1, Some("8")));
    assert_eq!(house.store().jobs(&zelo_store::Page::default(), None).await.unwrap().len(), before, "nothing came of it");

    let wrong = integrator(&house).await.post("/automations/greeting/preview", "connection=acme&s.hours=0&s.team=x").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("O menor valor é 1.") && wrong.text.contains("Corrija os campos marcados"), "{}", wrong.text);
    assert_eq!(reader.post("/automations/greeting/preview", "").await.status, 400, "a form names its connection");
    assert!(rows(&house).await.is_empty());
}

#[tokio::test]
async fn the_api_lists_and_switches() {
    let house = House::ruled(RULE).await;
    let reader = integrator(&house).await;
    let on = json!({ "rule": "greeting", "connection": "acme", "enabled": true, "settings": { "hours": 5 } });
    let told = reader.put(on.clone()).await.json();
    assert_eq!(
        (&told["automation"]["id"], &told["automation"]["settings"], &told["jobs"]),
        (&json!("greeting@acme"), &json!({ "hours": 5 }), &json!(0))
    );
    arrive(&house, "p1", "Ana", "8").await;
    let kept = reader.put(json!({ "rule": "greeting", "connection": "acme", "enabled": true })).await.json();
    assert_eq!(kept["automation"]["settings"], json!({ "hours": 5 }), "as they are");
    let off = reader.put(json!({ "rule": "greeting", "connection": "acme", "enabled": false })).await.json();
    assert_eq!((&off["automation"]["enabled"], &off["jobs"]), (&json!(false), &json!(1)));
    let listed = reader.get("/api/v1/automations").await.json();
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["origin"]), (&json!("greeting@acme"), &json!("people")));
    reader
        .put(json!({ "rule": "greeting", "connection": "acme", "enabled": true, "settings": { "hours": 0 } }))
        .await
        .is_problem(409, "automation");
    reader.put(json!({ "rule": "nothing", "connection": "acme", "enabled": true })).await.is_problem(404, "not-found");
    reader.put(json!({ "rule": "greeting" })).await.is_problem(400, "malformed");
}

#[tokio::test]
async fn names_of_clinics_are_shown_as_text() {
    let house = House::ruled(RULE).await;
    let reader = integrator(&house).await;
    reader.put(json!({ "rule": "greeting", "connection": "acme", "clinic": "<b>8</b>&x=1", "enabled": true })).await;
    let page = reader.get("/automations/greeting?connection=acme").await;
    holds(&page, &["acme · &lt;b&gt;8&lt;/b&gt;&amp;x=1", "clinic=%3Cb%3E8%3C%2Fb%3E%26x%3D1\""]);
    assert!(!page.text.contains("<b>"), "{}", page.text);
    assert_eq!(reader.get("/automations/greeting?connection=acme&clinic=%3Cb%3E8%3C%2Fb%3E%26x%3D1").await.status, 200);
}

//! The first start, step by step.

use zelo_server::access::Role;

use crate::gates::only;
use crate::house::{Answer, House, SECRET};

pub(crate) const SOURCE: &str = r#"
id = "acme"
title = "Acme"
[receive]
format = "json"
verify = { any = [{ kind = "hmac", header = "x-signature", signed = "{body}", algorithm = "sha256", encodings = ["hex"] }, { kind = "token", header = "x-zelo-token" }] }
[[events]]
match = { path = "patient/new" }
type = "patient.created"
title = { pt-BR = "um paciente é cadastrado", en = "a patient is registered" }
time = "$.timestamp"
entity = { type = "patient", id = "$.data.id" }
subjects = [{ id = "$.data.id" }]
sample = "../../examples/events/new-patient.json"
[[events]]
match = { path = "patient/gone" }
type = "patient.gone"
sample = "../../examples/events/not-there.json"
[[records]]
type = "patient"
on = ["patient.created"]
key = "$.data.id"
subject = "$.data.id"
keep = { name = "$.data.name", phone = "$.data.phone" }
[classes]
public = ["$.data.id", "$.timestamp"]
personal = ["$.data.name", "$.data.phone"]
[words]
"$.data.name" = { pt-BR = "o nome", en = "the name" }
"#;

async fn start(house: &House, cookie: &str, query: &str) -> Answer {
    house.get(&format!("/start{query}"), &[("cookie", cookie), ("host", "zelo.test")]).await
}

async fn send(house: &House, cookie: &str, form: &str) -> Answer {
    house.post("/start/sample", &[("cookie", cookie), ("host", "zelo.test")], form.to_owned()).await
}

#[tokio::test]
async fn a_sample_arrives_and_a_rule_says_what_it_would_do() {
    let house = House::reading(SOURCE, &[]).await;
    let cookie = house.sign_in().await;
    let page = start(&house, &cookie, "").await.text;
    assert!(
        page.contains("<option value=\"acme\">Acme · acme</option>") && page.contains("Aparece quando o passo anterior estiver feito"),
        "{page}"
    );
    let page = start(&house, &cookie, "?connection=acme").await.text;
    for part in [
        "value=\"http://zelo.test/hooks/acme/\"",
        "secrets/acme",
        "assina cada aviso com o segredo, em x-signature",
        "envia o próprio segredo em x-zelo-token",
        "Nada chegou por esta conexão ainda",
        "<option value=\"patient.created\">um paciente é cadastrado</option>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains(SECRET), "never the secret itself");

    let sent = send(&house, &cookie, "connection=acme&kind=patient.created").await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let there = sent.header("location").to_owned();
    let query = there.strip_prefix("/start").unwrap();
    let page = start(&house, &cookie, query).await.text;
    assert!(page.contains("O exemplo chegou.") && page.contains("href=\"/activity/events/evt_") && page.contains("Saudação"), "{page}");
    // Another one is not the same.
    house.advance(zelo_core::SignedDuration::from_secs(1));
    let again = send(&house, &cookie, "connection=acme&kind=patient.created").await;
    assert!(again.header("location").contains("sent=came") && again.header("location") != there, "{}", again.header("location"));
    // The very same instant makes the very same delivery.
    let known = send(&house, &cookie, "connection=acme&kind=patient.created").await;
    assert!(known.header("location").contains("sent=known"), "{}", known.header("location"));

    let before = house.api("jobs").await.text;
    let page = start(&house, &cookie, &format!("{query}&rule=greeting")).await.text;
    let step = &page[page.find("id=\"step-6\"").unwrap()..page.find("id=\"step-7\"").unwrap()];
    assert!(step.contains("class=\"tried\"") && step.contains("Nada foi enviado nem guardado"), "{step}");
    assert!(page.contains("href=\"/automations/greeting?connection=acme\""), "{page}");
    assert_eq!(house.api("jobs").await.text, before, "nothing of it is kept");
    let english = house.get(&there, &[("cookie", &cookie), ("accept-language", "en")]).await.text;
    assert!(english.contains("The sample has arrived.") && english.contains("a patient is registered"), "{english}");
}

#[tokio::test]
async fn what_cannot_be_sent_says_why() {
    let house = House::reading(SOURCE, &[]).await;
    let cookie = house.sign_in().await;
    let page = send(&house, &cookie, "connection=acme&kind=patient.gone").await;
    assert_eq!(page.status, 422);
    assert!(page.text.contains("O arquivo do exemplo não pôde ser lido") && page.text.contains("id=\"step-3\""), "{}", page.text);
    send(&house, &cookie, "connection=nothing&kind=patient.created").await.is_problem(404, "not-found");
    send(&house, &cookie, "connection=acme&kind=nothing").await.is_problem(404, "not-found");
    send(&house, &cookie, "kind=x").await.is_problem(400, "malformed");
    let nasty = start(&house, &cookie, "?connection=%3Cscript%3E&event=%22&rule=%3Cb%3E").await;
    assert!(nasty.status == 200 && !nasty.text.contains("<script>") && !nasty.text.contains("<b>"), "{}", nasty.text);
}

#[tokio::test]
async fn an_event_of_another_connection_is_not_shown() {
    let house = House::reading(SOURCE, &[]).await;
    let cookie = house.sign_in().await;
    let sent = send(&house, &cookie, "connection=acme&kind=patient.created").await;
    let event = sent.header("location").split("event=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let page = start(&house, &cookie, &format!("?connection=open&event={event}")).await.text;
    assert!(!page.contains("href=\"/events/evt_") && page.contains("Nada chegou por esta conexão ainda"), "{page}");
}

#[tokio::test]
async fn it_is_for_who_switches_automations_everywhere() {
    let house = House::reading(SOURCE, &[]).await;
    for (token, code) in
        [(house.token_of(Role::Operator).await, "role"), (house.token_for(Role::Integrator, only("acme/9")).await, "clinics")]
    {
        let authorization = format!("Bearer {token}");
        house.get("/start", &[("authorization", &authorization)]).await.is_problem(403, code);
        let form = "connection=acme&kind=patient.created".to_owned();
        house.post("/start/sample", &[("authorization", &authorization)], form).await.is_problem(403, code);
    }
    assert!(house.api("events").await.json()["items"].as_array().is_none_or(Vec::is_empty), "nothing came");
}

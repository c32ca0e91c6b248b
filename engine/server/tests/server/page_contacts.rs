//! The board of contacts, and moving its cards by hand.

use serde_json::{Value, json};
use zelo_core::{AuditKind, SignedDuration};
use zelo_server::access::Role;
use zelo_store::{AuditPage, Page};

use crate::gates::only;
use crate::house::{Answer, House, SECRET, contact, delivery, patient};

async fn bearer(house: &House, role: Role, clinic: Option<&str>) -> String {
    format!("Bearer {}", house.token_for(role, clinic.map(only).unwrap_or_default()).await)
}

async fn seen(house: &House, path: &str, role: Role, clinic: Option<&str>, lang: &str) -> Answer {
    let authorization = bearer(house, role, clinic).await;
    house.get(path, &[("authorization", &authorization), ("accept-language", lang)]).await
}

async fn moved(house: &House, role: Role, clinic: Option<&str>, id: &str, stage: &str) -> Answer {
    let authorization = bearer(house, role, clinic).await;
    let form = format!("connection=acme&id={id}&stage={stage}&place=acme%2F9");
    house.post("/contacts", &[("authorization", &authorization), ("accept-language", "en")], form).await
}

/// Puts a card on the board.
async fn card(house: &House, id: &str, clinic: &str, set: Value) {
    house.advance(SignedDuration::from_secs(60));
    let mut body = patient(id, "Ana");
    body["data"]["clinic"] = clinic.into();
    body["timestamp"] = json!(house.runtime.clock.now());
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    house.finish_with(vec![contact(id, set, "ligou <b>ontem</b>")]).await;
}

async fn stage(house: &House) -> Value {
    house.store().records(&Page::default(), Some("contact")).await.unwrap().remove(0).document["stage"].clone()
}

#[tokio::test]
async fn the_board_tells_who_stands_where() {
    let house = House::new().await;
    card(&house, "1", "9", json!({ "stage": "lead", "name": "Ana <i>Lima</i>", "phone": "+5511987654321" })).await;
    card(&house, "2", "9", json!({ "stage": "returned", "name": "Zeca" })).await;
    for (lang, leads, last) in [("pt-BR", "Novos contatos", "Último contato:"), ("en", "Leads", "Last contact:")] {
        let page = seen(&house, "/contacts", Role::Operator, None, lang).await;
        let text = &page.text;
        assert!(
            text.contains("Ana &lt;i&gt;Lima&lt;/i&gt;")
                && text.contains("(11) 98765-4321")
                && text.contains("ligou &lt;b&gt;ontem&lt;/b&gt;")
        );
        assert!(text.contains(&format!("<h2>{leads} <span class=\"count\">1</span></h2>")) && text.contains(last), "{text}");
        assert!(text.contains("data-stage=\"returned\""), "a stage that a rule made up has its column");
        assert!(
            text.contains("draggable=\"true\"")
                && text.contains("tabindex=\"0\"")
                && text.contains("<form method=\"post\" action=\"/contacts\">")
        );
    }
    // Who only looks has nothing to move.
    let page = seen(&house, "/contacts", Role::Viewer, None, "en").await.text;
    assert!(
        page.contains("Ana")
            && !page.contains("draggable")
            && !page.contains("data-board")
            && !page.contains("method=\"post\" action=\"/contacts\""),
        "{page}"
    );
}

#[tokio::test]
async fn a_card_is_moved_by_hand_and_stays_until_something_happens() {
    let house = House::new().await;
    card(&house, "1", "9", json!({ "stage": "lead", "name": "Ana" })).await;
    let answer = moved(&house, Role::Operator, None, "1", "attended").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/contacts?place=acme%2F9"), "{}", answer.text);
    assert_eq!(stage(&house).await, "attended");
    let page = seen(&house, "/contacts", Role::Viewer, None, "en").await.text;
    assert!(page.contains("data-news=\"Ana → Attended\""), "{page}");
    let entries = house.store().audit(&AuditPage { kind: Some(AuditKind::Amended), ..AuditPage::default() }).await.unwrap();
    let entry = &entries[0].entry;
    assert_eq!((entries.len(), entry.actor.as_str(), entry.clinic.as_deref(), entry.about.len()), (1, "token:tests", Some("9"), 1));
    assert_eq!(Value::from(entry.detail()), json!({ "record": "contact", "fields": ["stage"] }));
    // A stage of a rule's own is one, as long as it is on the board.
    card(&house, "2", "9", json!({ "stage": "returned" })).await;
    assert_eq!(moved(&house, Role::Operator, None, "1", "returned").await.status, 303);
    card(&house, "1", "9", json!({ "stage": "scheduled" })).await;
    assert_eq!(stage(&house).await, "scheduled", "something happened since");
}

#[tokio::test]
async fn a_note_from_before_a_cancellation_says_so() {
    let house = House::new().await;
    card(&house, "1", "9", json!({ "stage": "scheduled", "name": "Ana" })).await;
    let note = "ligou &lt;b&gt;ontem&lt;/b&gt;";
    let told = |page: &str| page.contains(&format!("Cancelado. Antes: {note}"));
    assert!(!told(&seen(&house, "/contacts", Role::Viewer, None, "pt-BR").await.text));
    house.advance(SignedDuration::from_secs(60));
    assert_eq!(moved(&house, Role::Operator, None, "1", "canceled").await.status, 303);
    let page = seen(&house, "/contacts", Role::Viewer, None, "pt-BR").await.text;
    assert!(told(&page), "{page}");
    // What is noted with the cancellation tells of it.
    card(&house, "2", "9", json!({ "stage": "canceled", "name": "Bia" })).await;
    let page = seen(&house, "/contacts", Role::Viewer, None, "pt-BR").await.text;
    assert!(page.contains(&format!("<p class=\"said\">{note}</p>")) && page.matches("Cancelado. Antes:").count() == 1, "{page}");
}

#[tokio::test]
async fn who_may_not_move_a_card_does_not() {
    let house = House::new().await;
    card(&house, "1", "9", json!({ "stage": "lead", "name": "Ana" })).await;
    moved(&house, Role::Viewer, None, "1", "attended").await.is_problem(403, "role");
    moved(&house, Role::Operator, Some("acme/8"), "1", "attended").await.is_problem(404, "not-found");
    moved(&house, Role::Operator, None, "77", "attended").await.is_problem(404, "not-found");
    let cookie = house.sign_in().await;
    let form = "connection=acme&id=1&stage=attended".to_owned();
    let foreign = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    house.post("/contacts", &foreign, form).await.is_problem(403, "cross-site");
    assert_eq!(stage(&house).await, "lead");
    assert_eq!(house.store().records(&Page::default(), Some("contact")).await.unwrap().len(), 1, "nobody was made up");
}

#[tokio::test]
async fn a_stage_that_is_none_is_refused_beside_the_field() {
    let house = House::new().await;
    card(&house, "1", "9", json!({ "stage": "lead", "name": "Ana" })).await;
    let answer = moved(&house, Role::Operator, None, "1", "%3Cscript%3E").await;
    assert_eq!(answer.status, 422);
    assert!(answer.text.contains("There is no such stage") && answer.text.contains("aria-invalid=\"true\""), "{}", answer.text);
    assert!(!answer.text.contains("<script>alert") && stage(&house).await == "lead");
    let authorization = bearer(&house, Role::Operator, None).await;
    house.post("/contacts", &[("authorization", &authorization)], "id=1".into()).await.is_problem(400, "malformed");
}

#[tokio::test]
async fn contacts_of_another_clinic_are_not_there_and_an_empty_board_teaches() {
    let house = House::new().await;
    let page = seen(&house, "/contacts", Role::Viewer, None, "pt-BR").await.text;
    assert!(page.contains("Nenhum contato ainda") && page.contains("/automations"), "{page}");
    card(&house, "1", "9", json!({ "stage": "lead", "name": "Nona" })).await;
    card(&house, "2", "8", json!({ "stage": "lead", "name": "Oitava" })).await;
    let page = seen(&house, "/contacts", Role::Operator, Some("acme/8"), "en").await.text;
    assert!(page.contains("Oitava") && !page.contains("Nona"), "{page}");
    let page = seen(&house, "/contacts?place=acme%2F9", Role::Operator, Some("acme/8"), "en").await.text;
    assert!(!page.contains("Nona") && page.contains("No contact with this filter."), "{page}");
    let page = seen(&house, "/contacts?place=acme%2F9", Role::Operator, None, "en").await.text;
    assert!(page.contains("Nona") && !page.contains("Oitava"));
}

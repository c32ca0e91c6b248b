//! The page of messages: conversations, by whom they went to.

use serde_json::json;
use zelo_core::effect::{Attachment, Body, Button, Message};
use zelo_core::{Effect, SignedDuration};
use zelo_server::access::Role;

use crate::gates::only;
use crate::house::{Answer, House, SECRET, delivery, document, message, patient};

const EN: (&str, &str) = ("accept-language", "en");

/// Who may see what is of this clinic alone, or of all.
async fn bearer(house: &House, role: Role, clinic: Option<&str>) -> String {
    let clinics = clinic.map(only).unwrap_or_default();
    format!("Bearer {}", house.token_for(role, clinics).await)
}

async fn seen(house: &House, path: &str, clinic: Option<&str>) -> Answer {
    let authorization = bearer(house, Role::Viewer, clinic).await;
    house.get(path, &[("authorization", &authorization), EN]).await
}

/// Has something happen to patient `id` of `clinic`, and a job do this because of it.
async fn happen(house: &House, id: &str, clinic: &str, effects: Vec<Effect>) -> String {
    house.advance(SignedDuration::from_secs(60));
    let mut body = patient(id, "Ana");
    body["data"]["clinic"] = clinic.into();
    body["timestamp"] = json!(house.runtime.clock.now());
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    house.finish_with(effects).await.id.to_string()
}

fn to(number: &str, body: Body) -> Effect {
    let buttons = vec![Button { id: "y".into(), title: "Sim, <b>confirmo</b>".into() }];
    Effect::Message(Message { channel: None, to: number.into(), body, attachments: vec![], buttons })
}

#[tokio::test]
async fn a_conversation_is_told_as_bubbles_newest_first() {
    let house = House::new().await;
    let first = happen(&house, "1", "9", vec![document("recibo.pdf", "application/pdf")]).await;
    let attached = vec![Attachment::Document { id: format!("{first}/1") }];
    let job = happen(&house, "2", "9", vec![message("Olá <script>alert(1)</script>", attached)]).await;
    let template = Body::Template { name: "lembrete".into(), parameters: vec!["amanhã".into()] };
    happen(&house, "3", "9", vec![to("+5521912345678", template)]).await;
    let cookie = house.sign_in().await;
    for (lang, made, told) in [("pt-BR", "Feita por", "Saudação"), ("en", "Made by", "Greeting")] {
        let page = house.get("/messages", &[("cookie", &cookie), ("accept-language", lang)]).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let text = &page.text;
        assert!(text.contains("Olá &lt;script&gt;") && !text.contains("<script>alert"), "{text}");
        assert!(text.contains(&format!("<a href=\"/documents/{first}/1\">recibo.pdf</a>")), "{text}");
        assert!(text.contains(&format!("{made} <a href=\"/activity/jobs/{job}\">{told}</a>")), "{text}");
        assert!(text.contains("lembrete") && text.contains("amanhã") && text.contains("Sim, &lt;b&gt;confirmo&lt;/b&gt;"));
        assert!(text.find("(21) 91234-5678").unwrap() < text.find("(11) 98765-4321").unwrap(), "the newest conversation comes first");
        assert!(text.contains("data-news="));
    }
}

#[tokio::test]
async fn a_conversation_has_a_page_that_names_nobody_in_its_address() {
    let house = House::new().await;
    let mut jobs = Vec::new();
    for number in 0..5 {
        jobs.push(happen(&house, &number.to_string(), "9", vec![message(&format!("text {number}"), vec![])]).await);
    }
    let list = seen(&house, "/messages", None).await.text;
    let whole = format!("/messages/{}/1", jobs[4]);
    assert!(list.contains(&format!("href=\"{whole}\"")), "{list}");
    assert!(!list.contains("text 1") && list.contains("text 2"), "only the last three are on the list");
    assert!(!list.split("href=\"").skip(1).any(|link| link.split('"').next().unwrap().contains("98765")), "{list}");
    let page = seen(&house, &whole, None).await.text;
    let places: Vec<usize> = (0..5).map(|number| page.find(&format!("text {number}")).unwrap()).collect();
    assert!(places.is_sorted(), "in the order in which they were written");
    // By any of its messages.
    assert!(seen(&house, &format!("/messages/{}/1", jobs[0]), None).await.text.contains("text 4"));
    seen(&house, &format!("/messages/{}/2", jobs[0]), None).await.is_problem(404, "not-found");
    seen(&house, "/messages/x/1", None).await.is_problem(404, "not-found");
}

#[tokio::test]
async fn messages_of_another_clinic_are_not_there() {
    let house = House::new().await;
    let nine = happen(&house, "1", "9", vec![message("of nine", vec![])]).await;
    let eight = happen(&house, "2", "8", vec![message("of eight", vec![])]).await;
    let list = seen(&house, "/messages", Some("acme/8")).await.text;
    assert!(list.contains("of eight") && !list.contains("of nine"), "{list}");
    // Both went to the same person.
    let page = seen(&house, &format!("/messages/{eight}/1"), Some("acme/8")).await.text;
    assert!(page.contains("of eight") && !page.contains("of nine"));
    seen(&house, &format!("/messages/{nine}/1"), Some("acme/8")).await.is_problem(404, "not-found");
    // Nor by the filter.
    let asked = seen(&house, "/messages?place=acme%2F9", Some("acme/8")).await.text;
    assert!(!asked.contains("of nine") && asked.contains("No message with this filter."), "{asked}");
    let filtered = seen(&house, "/messages?place=acme%2F9", None).await.text;
    assert!(filtered.contains("of nine") && !filtered.contains("of eight"));
    assert!(!seen(&house, "/messages?channel=whatsapp", None).await.text.contains("of nine"));
    seen(&house, "/messages?before=x", None).await.is_problem(400, "query");
}

#[tokio::test]
async fn conversations_are_read_in_pages() {
    let house = House::new().await;
    for number in 0..14 {
        happen(&house, &number.to_string(), "9", vec![to(&format!("+55119{number:08}"), Body::Text { text: format!("text {number}.") })])
            .await;
    }
    let first = seen(&house, "/messages", None).await.text;
    assert!(first.contains("text 13.") && first.contains("text 2.") && !first.contains("text 1."), "{first}");
    let older = first.split("href=\"").find(|link| link.starts_with("/messages?before=")).unwrap().split('"').next().unwrap();
    let last = seen(&house, older, None).await.text;
    assert!(last.contains("text 1.") && last.contains("text 0.") && !last.contains("text 2."), "{last}");
}

#[tokio::test]
async fn who_has_no_message_is_told_what_would_stand_here() {
    let house = House::new().await;
    let page = seen(&house, "/messages", None).await.text;
    assert!(page.contains("class=\"empty\"") && page.contains("No message yet") && page.contains("/automations"), "{page}");
    house.get("/messages", &[]).await.is_problem(401, "credential");
}

//! The kill switch over HTTP.

use axum::body::Body;
use serde_json::json;
use zelo_core::AuditKind;
use zelo_server::access::Role;
use zelo_store::AuditPage;

use crate::house::{Answer, House, request};

async fn ask(house: &House, role: Role, method: &str, scope: &str, body: &str) -> Answer {
    let authorization = format!("Bearer {}", house.token_of(role).await);
    let headers = [("authorization", authorization.as_str())];
    house.send(request(method, &format!("/api/v1/halts/{scope}"), &headers, Body::from(body.to_owned()))).await
}

#[tokio::test]
async fn operators_halt_and_resume_and_everybody_sees_it() {
    let house = House::new().await;
    ask(&house, Role::Viewer, "PUT", "all", "").await.is_problem(403, "role");
    ask(&house, Role::Viewer, "DELETE", "all", "").await.is_problem(403, "role");
    assert_eq!(house.api("halts").await.json(), json!({ "items": [] }));

    let answer = ask(&house, Role::Operator, "PUT", "plugin:greeter", "{\"reason\":\"sends twice\"}").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(ask(&house, Role::Operator, "PUT", "all", "").await.status, 200);
    let items = house.api("halts").await.json()["items"].clone();
    assert_eq!(
        (&items[0]["scope"], &items[1]["scope"], &items[1]["reason"]),
        (&json!("all"), &json!("plugin:greeter"), &json!("sends twice"))
    );
    assert_eq!(items[0]["actor"], "token:tests");

    assert_eq!(ask(&house, Role::Operator, "DELETE", "all", "").await.status, 200);
    ask(&house, Role::Operator, "DELETE", "all", "").await.is_problem(404, "not-found");
    assert_eq!(house.api("halts").await.json()["items"].as_array().unwrap().len(), 1);
    let audit = house.store().audit(&AuditPage { kind: Some(AuditKind::Configured), ..AuditPage::default() }).await.unwrap();
    let told: Vec<_> = audit
        .iter()
        .map(|view| view.entry.detail())
        .filter(|detail| detail.contains_key("halted") || detail.contains_key("resumed"))
        .collect();
    assert_eq!(told.len(), 3, "{told:?}");

    assert_eq!(ask(&house, Role::Operator, "DELETE", "plugin:greeter", "").await.status, 200);
    let audit = house.store().audit(&AuditPage { kind: Some(AuditKind::Configured), ..AuditPage::default() }).await.unwrap();
    let last = audit.iter().map(|view| view.entry.detail()).find(|detail| detail.contains_key("resumed")).unwrap();
    assert_eq!((&last["resumed"], &last["by"]), (&json!("plugin:greeter"), &json!("token:tests")));
    assert!(!audit.iter().any(|view| view.entry.detail().contains_key("reason")), "free text is not for good");
}

#[tokio::test]
async fn what_cannot_be_halted_is_said() {
    let house = House::new().await;
    for scope in ["rule:reminderr", "plugin:reminderr"] {
        ask(&house, Role::Admin, "PUT", scope, "").await.is_problem(404, "not-found");
    }
    for scope in ["everything", "rule:", "plug:x"] {
        assert_eq!(ask(&house, Role::Admin, "PUT", scope, "").await.status, 400, "{scope}");
    }
    assert_eq!(ask(&house, Role::Admin, "PUT", "all", "{\"why\":1}").await.status, 400);
    let long = json!({ "reason": "x".repeat(501) }).to_string();
    assert_eq!(ask(&house, Role::Admin, "PUT", "all", &long).await.status, 400);
    assert_eq!(house.api("halts").await.json(), json!({ "items": [] }));
}

#[tokio::test]
async fn the_page_halts_and_resumes_and_says_what_waits() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let (mine, viewer) = ([("cookie", cookie.as_str())], format!("Bearer {}", house.token().await));
    let page = house.get("/", &mine).await.text;
    for part in ["<option value=\"all\">tudo</option>", "<option value=\"plugin:greeter\">plugin greeter</option>"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("Parado por alguém"), "{page}");
    let seen = house.get("/", &[("authorization", &viewer)]).await.text;
    assert!(!seen.contains("action=\"/halts\""), "who only looks has nothing to press");

    let form = || "what=halt&scope=plugin:greeter&reason=sends+twice".to_owned();
    house.post("/halts", &[], form()).await.is_problem(401, "credential");
    house.post("/halts", &[("authorization", &viewer)], form()).await.is_problem(403, "role");
    house.post("/halts", &[mine[0], ("sec-fetch-site", "cross-site")], form()).await.is_problem(403, "cross-site");
    house.post("/halts", &mine, "what=perhaps&scope=all".to_owned()).await.is_problem(400, "malformed");
    house.post("/halts", &mine, format!("what=halt&scope=all&reason={}", "x".repeat(501))).await.is_problem(400, "malformed");
    assert_eq!(house.api("halts").await.json(), json!({ "items": [] }), "nothing has changed");
    let answer = house.post("/halts", &mine, form()).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"), "{}", answer.text);
    assert_eq!(house.api("halts").await.json()["items"][0]["actor"], "session:link");

    house.deliver("1", "Ana").await;
    let waits = house.claim_nothing().await;
    let page = house.get("/", &mine).await.text;
    assert!(page.contains("Parado por alguém") && page.contains("sends twice"), "{page}");
    let told = house.api(&format!("jobs/{waits}")).await.json()["waits"].clone();
    let wanted = json!({
        "for": "halt", "scope": "plugin:greeter", "limit": null, "since": "2026-03-02T11:00:00Z", "by": "session:link",
        "reason": "sends twice",
    });
    assert_eq!(told, wanted);
    let seen = house.get("/", &[("authorization", &viewer)]).await.text;
    assert!(seen.contains("Parado por alguém") && !seen.contains("action=\"/halts\""), "{seen}");

    let answer = house.post("/halts", &mine, "what=resume&scope=plugin:greeter".to_owned()).await;
    assert_eq!(answer.status.as_u16(), 303);
    assert!(!house.get("/", &mine).await.text.contains("Parado por alguém"));
    house.post("/halts", &mine, "what=resume&scope=plugin:greeter".to_owned()).await.is_problem(404, "not-found");
}

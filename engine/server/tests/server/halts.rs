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
    assert_eq!(house.api("halts").await.json(), json!({ "items": [] }));
}

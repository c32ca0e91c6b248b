//! What is kept of deliveries that were refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zelo_core::SignedDuration;
use zelo_server::Settings;
use zelo_server::access::Role;

use crate::house::{House, MARKER, SECRET, delivery, patient};

const PATH: &str = "/hooks/acme/patient/new";

async fn kept(house: &House) -> Vec<Value> {
    house.api("refused").await.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_refusal_is_kept_with_its_reason_and_without_what_is_secret() {
    let house = House::new().await;
    let headers = [
        ("x-zelo-token", "a-guessed-token"),
        ("authorization", "Bearer of-somebody"),
        ("cookie", "zelo=of-somebody"),
        ("x-own", "own-value"),
        ("user-agent", "Acme/1"),
    ];
    let answer = house.send(delivery(&format!("{PATH}?token=in-the-query"), &headers, patient("1", MARKER).to_string())).await;
    let trace = answer.is_problem(401, "unverified")["trace_id"].as_str().unwrap().to_owned();
    let rows = kept(&house).await;
    let row = &rows[0];
    assert_eq!((rows.len(), &row["trace_id"], &row["connection"]), (1, &json!(trace), &json!("acme")));
    assert_eq!((&row["code"], &row["path"], &row["count"]), (&json!("unverified"), &json!("patient/new"), &json!(1)));
    assert!(row["why"].as_str().unwrap().contains("x-zelo-token") && row["size"].as_u64().unwrap() > 20);
    let header = |name: &str| row["headers"].as_array().unwrap().iter().find(|header| header["name"] == name).unwrap()["value"].clone();
    assert_eq!(header("user-agent"), "Acme/1");
    for name in ["x-zelo-token", "authorization", "cookie", "x-own"] {
        assert_eq!(header(name), Value::Null, "{name}");
    }
    let whole = house.api("refused").await.text;
    for secret in ["a-guessed-token", "of-somebody", "own-value", "in-the-query", MARKER, SECRET] {
        assert!(!whole.contains(secret), "{secret}: {whole}");
    }
    assert!(house.api("audit?kind=viewed").await.text.contains(&trace), "who looked is written down");
}

#[tokio::test]
async fn what_nobody_may_learn_of_is_not_kept() {
    let house = House::new().await;
    house.send(delivery("/hooks/nobody/patient/new", &[], String::new())).await.is_problem(404, "connection");
    assert_eq!(kept(&house).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_flood_is_counted_and_not_written() {
    let house = House::new().await;
    let knock = || house.send(delivery(PATH, &[], patient("1", MARKER).to_string()));
    // Who goes on is locked out.
    for _ in 0..8 {
        knock().await.is_problem(401, "unverified");
    }
    assert_eq!(kept(&house).await.len(), 1);
    house.send(delivery(PATH, &[("x-zelo-token", SECRET)], "{".into())).await.is_problem(400, "malformed");
    assert_eq!(kept(&house).await.len(), 2, "another reason is another matter");
    house.advance(SignedDuration::from_secs(10));
    knock().await.is_problem(401, "unverified");
    assert_eq!(kept(&house).await[0]["count"], 8);
}

#[tokio::test]
async fn a_body_is_kept_where_that_is_wanted_and_shown_to_who_may_see_it() {
    for wanted in [false, true] {
        let keep_refused = BTreeSet::from_iter(wanted.then(|| "acme".to_owned()));
        let house = House::with(Settings { keep_refused, ..Settings::default() }).await;
        let answer = house.send(delivery(PATH, &[], patient("1", MARKER).to_string())).await;
        let trace = answer.is_problem(401, "unverified")["trace_id"].as_str().unwrap().to_owned();
        assert_eq!(kept(&house).await[0]["has_body"], wanted);
        for role in [Role::Viewer, Role::Operator] {
            let authorization = format!("Bearer {}", house.token_of(role).await);
            house.get(&format!("/api/v1/refused/{trace}"), &[("authorization", &authorization)]).await.is_problem(403, "role");
        }
        let authorization = format!("Bearer {}", house.token_of(Role::Integrator).await);
        let one = house.get(&format!("/api/v1/refused/{trace}"), &[("authorization", &authorization)]).await;
        assert_eq!((one.status.as_u16(), one.text.contains(MARKER)), (200, wanted), "{}", one.text);
        let other = house.get(&format!("/api/v1/refused/{}", "0".repeat(32)), &[("authorization", &authorization)]).await;
        other.is_problem(404, "not-found");
        house.get("/api/v1/refused/x", &[("authorization", &authorization)]).await.is_problem(404, "not-found");
    }
}

#[tokio::test]
async fn what_is_too_large_is_kept_with_the_size_that_was_announced() {
    let house = House::new().await;
    house.send(delivery(PATH, &[], "x".repeat(5000))).await.is_problem(413, "too-large");
    let row = &kept(&house).await[0];
    assert_eq!((&row["code"], &row["size"]), (&json!("too-large"), &json!(5000)));
}

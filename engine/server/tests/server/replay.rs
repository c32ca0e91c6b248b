//! How much a replay is about, and who replays at once.

use std::num::NonZeroU32;

use axum::body::Body;
use jiff::Timestamp;
use zelo_core::{Actor, Clock};
use zelo_runtime::replay::{Error, Limits, Wanted, replay};
use zelo_server::access::Role;
use zelo_store::Replayable;

use crate::house::{House, request};

fn wanted(house: &House) -> Wanted {
    let range = Replayable { from: Timestamp::UNIX_EPOCH, to: house.clock.now(), connection: None, clinic: None };
    Wanted { rule: "greeting".into(), range, per_minute: NonZeroU32::MIN, dry_run: false, actor: Actor::command() }
}

#[tokio::test]
async fn more_than_the_limit_is_refused_and_nothing_is_done() {
    let house = House::new().await;
    for id in ["1", "2", "3"] {
        assert_eq!(house.deliver(id, "Ana").await.status, 202);
    }
    house.advance(jiff::SignedDuration::from_mins(1));
    let in_force = house.runtime.rules.current().in_force.clone();
    let ask = async |matches, events| replay(house.store(), &in_force, wanted(&house), Limits { matches, events }, house.clock.now()).await;
    assert!(matches!(ask(2, 99).await, Err(Error::TooMany(2))));
    assert!(matches!(ask(99, 2).await, Err(Error::TooMuch(2))));
    let report = ask(3, 3).await.unwrap();
    assert_eq!((report.events, report.matched, report.items.len()), (3, 3, 3));
}

#[tokio::test]
async fn one_replays_at_a_time_and_others_are_told() {
    let house = House::new().await;
    assert_eq!(house.deliver("1", "Ana").await.status, 202);
    house.advance(jiff::SignedDuration::from_mins(1));
    let authorization = format!("Bearer {}", house.token_of(Role::Integrator).await);
    let body = r#"{"rule":"greeting","from":"2026-01-01T00:00:00Z","to":"2099-01-01T00:00:00Z"}"#;
    let ask = async || house.send(request("POST", "/api/v1/replay", &[("authorization", authorization.as_str())], Body::from(body))).await;
    let turn = house.store().replaying();
    let refused = ask().await.is_problem(409, "replay");
    assert!(refused["detail"].as_str().unwrap().contains("another replay is going on"), "{refused}");
    drop(turn);
    assert_eq!(ask().await.status, 200);
}

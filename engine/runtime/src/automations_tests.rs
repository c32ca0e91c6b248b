use serde_json::json;
use zelo_core::JobState;
use zelo_store::{AuditPage, Page};

use super::*;
use crate::preview::tests::{lead, place, say};

fn by() -> Actor {
    Actor::credential("session", "ana")
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn switch(clinic: Option<&str>, to: To) -> Switch {
    Switch { rule: "ask".into(), connection: Some("c".into()), clinic: clinic.map(Into::into), to }
}

fn on(settings: Value) -> To {
    To::On(Chosen::Exactly(map(settings)))
}

async fn pending(runtime: &Runtime) -> Vec<String> {
    let jobs = runtime.store.jobs(&Page::default(), None).await.unwrap();
    let mut clinics: Vec<String> =
        jobs.into_iter().filter(|view| view.job.state == JobState::Scheduled).filter_map(|view| view.job.clinic).collect();
    clinics.sort();
    clinics
}

#[tokio::test]
async fn who_is_off_for_one_clinic_is_off_there_and_on_elsewhere() {
    let (runtime, _) = place().await;
    say(&runtime, "lead", lead("p0", "Antes", "1")).await;
    let switched = runtime.switch(&switch(None, on(json!({}))), by()).await.unwrap();
    assert_eq!((switched.rows.len(), switched.jobs), (1, 0));
    assert!(pending(&runtime).await.is_empty(), "nothing of what came before");
    say(&runtime, "lead", lead("p1", "Ana", "1")).await;
    say(&runtime, "lead", lead("p2", "Bia", "2")).await;
    assert_eq!(pending(&runtime).await, ["1", "2"]);
    let moved = runtime.switch(&switch(None, on(json!({ "hours": 9 }))), by()).await.unwrap();
    assert_eq!(moved.jobs, 2, "both have another time now");

    let off = runtime.switch(&switch(Some("1"), To::Off), by()).await.unwrap();
    let (row, jobs) = (&off.rows[0], off.jobs);
    assert!(row.settings.is_empty(), "those of the connection are not for everybody who is told of the clinic");
    assert_eq!((row.id.0.as_str(), row.enabled, row.origin.as_str(), jobs), ("ask@c/1", false, PEOPLE, 1));
    assert_eq!(pending(&runtime).await, ["2"]);
    say(&runtime, "lead", lead("p3", "Cris", "1")).await;
    assert_eq!(pending(&runtime).await, ["2"]);
    assert!(runtime.store.audit(&AuditPage::default()).await.unwrap().iter().any(|view| view.entry.actor == by()));
}

#[tokio::test]
async fn settings_are_kept_or_taken_as_they_are_given() {
    let (runtime, _) = place().await;
    let settings = |switched: Switched| Value::Object(switched.rows[0].settings.clone());
    let given = runtime.switch(&switch(None, on(json!({ "hours": 5 }))), by()).await.unwrap();
    assert_eq!(settings(given), json!({ "hours": 5 }));
    let kept = runtime.switch(&switch(None, To::On(Chosen::Beside(Map::new()))), by()).await.unwrap();
    assert_eq!(settings(kept), json!({ "hours": 5 }));
    let left = runtime.switch(&switch(None, on(json!({}))), by()).await.unwrap();
    assert_eq!(settings(left), json!({}));
    let refused = runtime.switch(&switch(None, on(json!({ "hours": 0 }))), by()).await.unwrap_err();
    assert_eq!(refused.to_string(), "`hours` must be at least 1");
}

#[tokio::test]
async fn who_names_no_connection_means_all_that_it_reads() {
    let (runtime, _) = place().await;
    let everywhere = Switch { connection: None, ..switch(None, on(json!({}))) };
    let switched = runtime.switch(&everywhere, by()).await.unwrap();
    assert_eq!(switched.rows.iter().map(|row| row.id.0.as_str()).collect::<Vec<_>>(), ["ask@c", "ask@d"]);
    let off = runtime.switch(&Switch { to: To::Off, ..everywhere.clone() }, by()).await.unwrap();
    assert!(off.rows.len() == 2 && off.rows.iter().all(|row| !row.enabled));

    let mistyped = Switch { rule: "aks".into(), ..everywhere };
    assert!(matches!(runtime.switch(&mistyped, by()).await, Err(Error::NoRule { .. })));
    let nowhere = Switch { connection: Some("nowhere".into()), ..switch(None, on(json!({}))) };
    assert!(matches!(runtime.switch(&nowhere, by()).await, Err(Error::NoConnection { .. })));
}

#[tokio::test]
async fn what_was_never_on_cannot_be_switched_off() {
    let (runtime, _) = place().await;
    assert!(matches!(runtime.switch(&switch(None, To::Off), by()).await, Err(Error::NeverOn { .. })));
    assert!(runtime.store.automations().await.unwrap().is_empty());
}

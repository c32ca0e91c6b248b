use std::sync::mpsc;

use zelo_core::{Actor, AutomationId};

use super::*;
use crate::recorder::tests::runtime_with;

fn row(enabled: bool) -> AutomationRow {
    AutomationRow {
        id: AutomationId::new("r", "c", None),
        rule: "r".to_owned(),
        connection: "c".to_owned(),
        clinic: None,
        settings: serde_json::Map::new(),
        enabled,
        origin: "test".to_owned(),
        changed: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn again(now: &Edition, _: &[AutomationRow]) -> Result<Edition, Error> {
    Edition::new(now.rules.clone(), now.catalog.clone(), &[])
}

#[tokio::test]
async fn a_former_edition_is_let_go_when_nobody_goes_on_with_it() {
    let (runtime, _) = runtime_with(None).await;
    let held = runtime.rules.current();
    let store = runtime.store.as_ref();
    runtime.rules.exchange(store, again).await.unwrap();
    assert!(runtime.rules.outlived().is_empty(), "it is held");
    let in_force = Arc::clone(&held.in_force);
    drop(held);
    assert!(runtime.rules.outlived().is_empty(), "what is in force in it is held");
    drop(in_force);
    assert_eq!(runtime.rules.outlived().len(), 1);
    assert!(runtime.rules.outlived().is_empty(), "only once");
}

#[tokio::test]
async fn what_was_switched_while_rules_were_built_stays_switched() {
    let (runtime, _) = runtime_with(None).await;
    let store = runtime.store.as_ref();
    store.put_automation(row(true), Actor::command()).await.unwrap();
    let (begin, begun) = mpsc::channel::<()>();
    let (tell, told) = tokio::sync::oneshot::channel();
    let rules = Arc::new(zelo_rules::load(&Files::default(), &Catalog::default()).set.unwrap());
    let new = Arc::clone(&rules);
    let reload = runtime.rules.exchange(store, move |now, rows| {
        assert!(rows[0].enabled);
        tell.send(()).unwrap();
        begun.recv().unwrap();
        Edition::new(new, now.catalog.clone(), &[])
    });
    let switch = async {
        told.await.unwrap();
        store.put_automation(row(false), Actor::command()).await.unwrap();
        let exchange = runtime.rules.exchange(store, |now, rows| {
            assert!(!rows[0].enabled, "what the store says when its turn comes");
            again(now, rows)
        });
        let free = async { begin.send(()).unwrap() };
        tokio::join!(exchange, free).0.unwrap()
    };
    let (reloaded, switched) = tokio::join!(reload, switch);
    assert!(Arc::ptr_eq(&reloaded.unwrap().rules, &rules));
    assert!(Arc::ptr_eq(&switched.rules, &rules), "the new rules stay in force");
    assert!(Arc::ptr_eq(&runtime.rules.current(), &switched));
}

#[tokio::test]
async fn what_cannot_take_over_leaves_what_is() {
    let (runtime, _) = runtime_with(None).await;
    let before = runtime.rules.current();
    let refused = runtime.rules.exchange(runtime.store.as_ref(), |_, _| Err(Error::Automations("it does not fit".to_owned()))).await;
    assert!(matches!(refused, Err(Error::Automations(_))));
    let broken = runtime.rules.exchange(runtime.store.as_ref(), |_, _| panic!("broken off")).await;
    assert!(matches!(broken, Err(Error::Broken(_))));
    assert!(Arc::ptr_eq(&runtime.rules.current(), &before));
}

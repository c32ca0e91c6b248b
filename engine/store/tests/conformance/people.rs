//! Automations and credentials.

use serde_json::json;
use zelo_core::AutomationId;
use zelo_store::{AutomationRow, CredentialKind, CredentialRow};

use crate::build::{Db, minute};

fn credential(hash: u8, kind: CredentialKind, expires: Option<i64>) -> CredentialRow {
    CredentialRow { hash: [hash; 32], kind, role: "admin".into(), name: "first".into(), created: minute(0), expires: expires.map(minute) }
}

conforming! {
    async fn automations_are_written_as_a_whole(kind) {
        let db = Db::open(kind).await;
        let row = AutomationRow {
            id: AutomationId::new("reminder", "centro", Some("7")),
            rule: "reminder".into(),
            connection: "centro".into(),
            clinic: Some("7".into()),
            settings: json!({ "hours_before": 24 }).as_object().unwrap().clone(),
            enabled: true,
            origin: "config".into(),
            changed: minute(1),
        };
        db.store.put_automation(row.clone()).await.unwrap();
        let off = AutomationRow { enabled: false, changed: minute(2), settings: serde_json::Map::new(), ..row };
        db.store.put_automation(off.clone()).await.unwrap();
        let db = db.reopen().await;
        assert_eq!(db.store.automations().await.unwrap(), [off]);
    }

    async fn a_link_is_taken_once(kind) {
        let db = Db::open(kind).await;
        let link = credential(1, CredentialKind::Link, Some(15));
        db.store.put_credential(link.clone()).await.unwrap();
        assert_eq!(db.store.credential(link.hash, minute(1)).await.unwrap(), Some(link.clone()));
        assert_eq!(db.store.take_credential([9; 32], minute(1)).await.unwrap(), None);
        let takers = futures::future::join_all((0..5).map(|_| db.store.take_credential(link.hash, minute(1)))).await;
        assert_eq!(takers.into_iter().filter_map(Result::unwrap).collect::<Vec<_>>(), [link]);
    }

    async fn a_credential_runs_out(kind) {
        let db = Db::open(kind).await;
        let link = credential(1, CredentialKind::Link, Some(15));
        db.store.put_credential(link.clone()).await.unwrap();
        assert_eq!(db.store.credential(link.hash, minute(15)).await.unwrap(), None);
        assert_eq!(db.store.take_credential(link.hash, minute(15)).await.unwrap(), None);
        let token = credential(2, CredentialKind::Token, None);
        db.store.put_credential(token.clone()).await.unwrap();
        assert_eq!(db.store.credential(token.hash, minute(999_999)).await.unwrap(), Some(token));
    }

    async fn a_store_remembers_that_somebody_was_let_in(kind) {
        let db = Db::open(kind).await;
        assert!(!db.store.has_credentials().await.unwrap());
        db.store.put_credential(credential(1, CredentialKind::Link, Some(15))).await.unwrap();
        assert!(!db.store.has_credentials().await.unwrap(), "a link lets nobody in yet");
        let session = credential(2, CredentialKind::Session, Some(15));
        db.store.put_credential(session.clone()).await.unwrap();
        db.store.take_credential(session.hash, minute(1)).await.unwrap();
        let db = db.reopen().await;
        assert!(db.store.has_credentials().await.unwrap());
    }
}

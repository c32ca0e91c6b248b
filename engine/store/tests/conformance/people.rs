//! Automations and credentials.

use serde_json::json;
use zelo_core::{Actor, AuditKind, AutomationId, Clinics};
use zelo_store::{AuditPage, AutomationRow, CredentialKind, CredentialRow};

use crate::build::{Db, minute};

fn credential(hash: u8, kind: CredentialKind, expires: Option<i64>) -> CredentialRow {
    CredentialRow {
        hash: [hash; 32],
        kind,
        role: "admin".into(),
        name: "first".into(),
        clinics: Clinics::All,
        person: None,
        created: minute(0),
        expires: expires.map(minute),
    }
}

/// Who does it.
fn desk() -> Actor {
    Actor::credential("session", "desk")
}

fn reminder() -> AutomationRow {
    AutomationRow {
        id: AutomationId::new("reminder", "centro", Some("7")),
        rule: "reminder".into(),
        connection: "centro".into(),
        clinic: Some("7".into()),
        settings: json!({ "hours_before": 24, "phone": "+5511987654321" }).as_object().unwrap().clone(),
        enabled: true,
        origin: "config".into(),
        changed: minute(1),
    }
}

impl Db {
    /// What the audit log says of what was changed and who came in, oldest first.
    async fn answered(&self) -> Vec<(AuditKind, serde_json::Value)> {
        let mut rows = self.store.audit(&AuditPage::default()).await.unwrap();
        rows.reverse();
        assert!(rows.iter().all(|row| row.entry.actor == desk()));
        rows.into_iter().map(|row| (row.entry.kind, row.entry.detail().into())).collect()
    }
}

conforming! {
    async fn automations_are_written_as_a_whole(kind) {
        let db = Db::open(kind).await;
        let row = reminder();
        db.store.put_automation(row.clone(), desk()).await.unwrap();
        let off = AutomationRow { enabled: false, changed: minute(2), settings: serde_json::Map::new(), ..row };
        db.store.put_automation(off.clone(), desk()).await.unwrap();
        let db = db.reopen().await;
        assert_eq!(db.store.automations().await.unwrap(), [off]);
    }

    async fn who_changed_which_setting_is_told_without_its_value(kind) {
        let db = Db::open(kind).await;
        let row = reminder();
        let later = |minutes, row: &AutomationRow| AutomationRow { changed: minute(minutes), ..row.clone() };
        db.store.put_automation(row.clone(), desk()).await.unwrap();
        db.store.put_automation(later(2, &row), desk()).await.unwrap();
        assert_eq!(db.store.automations().await.unwrap(), std::slice::from_ref(&row), "nothing changed, so it was not changed");
        let settings = json!({ "phone": "+5511912345678", "text": "Olá" }).as_object().unwrap().clone();
        let other = AutomationRow { settings, ..later(3, &row) };
        db.store.put_automation(other.clone(), desk()).await.unwrap();
        db.store.put_automation(AutomationRow { enabled: false, ..later(4, &other) }, desk()).await.unwrap();
        db.store.put_automation(AutomationRow { enabled: false, origin: "people".into(), ..later(5, &other) }, desk()).await.unwrap();
        let db = db.reopen().await;
        let told = |enabled, origin, settings, changed| {
            let detail = json!({
                "automation": "reminder@centro/7", "rule": "reminder", "enabled": enabled, "origin": origin, "settings": settings,
                "changed": changed,
            });
            (AuditKind::Configured, detail)
        };
        let (before, after) = (json!(["hours_before", "phone"]), json!(["phone", "text"]));
        let log = db.answered().await;
        assert_eq!(
            log,
            [
                told(true, "config", before.clone(), before),
                told(true, "config", after.clone(), json!(["hours_before", "phone", "text"])),
                told(false, "config", after.clone(), json!([])),
                told(false, "people", after, json!([])),
            ]
        );
        let seen = db.store.audit(&AuditPage::default()).await.unwrap();
        assert!(seen.iter().all(|row| row.entry.connection.as_deref() == Some("centro") && row.entry.clinic.as_deref() == Some("7")));
    }

    async fn who_made_a_credential_and_who_came_in_is_told(kind) {
        let db = Db::open(kind).await;
        for (number, made) in [(1, CredentialKind::Link), (2, CredentialKind::Session), (3, CredentialKind::Token)] {
            db.store.put_credential(credential(number, made, Some(15)), desk()).await.unwrap();
        }
        let made = |kind: &str| (AuditKind::Configured, json!({ "credential": kind, "role": "admin", "name": "first" }));
        let came = (AuditKind::SignedIn, json!({ "what": "link used", "role": "admin" }));
        assert_eq!(db.answered().await, [made("link"), came, made("token")]);
        assert_eq!(db.store.verify_audit(vec![]).await.unwrap().findings, []);
    }

    async fn a_link_is_taken_once(kind) {
        let db = Db::open(kind).await;
        let link = credential(1, CredentialKind::Link, Some(15));
        db.store.put_credential(link.clone(), desk()).await.unwrap();
        assert_eq!(db.store.credential(link.hash, minute(1)).await.unwrap(), Some(link.clone()));
        assert_eq!(db.store.take_credential([9; 32], minute(1)).await.unwrap(), None);
        let takers = futures::future::join_all((0..5).map(|_| db.store.take_credential(link.hash, minute(1)))).await;
        assert_eq!(takers.into_iter().filter_map(Result::unwrap).collect::<Vec<_>>(), [link]);
    }

    async fn a_credential_runs_out(kind) {
        let db = Db::open(kind).await;
        let link = credential(1, CredentialKind::Link, Some(15));
        db.store.put_credential(link.clone(), desk()).await.unwrap();
        assert_eq!(db.store.credential(link.hash, minute(15)).await.unwrap(), None);
        assert_eq!(db.store.take_credential(link.hash, minute(15)).await.unwrap(), None);
        let token = credential(2, CredentialKind::Token, None);
        db.store.put_credential(token.clone(), desk()).await.unwrap();
        assert_eq!(db.store.credential(token.hash, minute(999_999)).await.unwrap(), Some(token));
    }

    async fn a_store_remembers_that_somebody_was_let_in(kind) {
        let db = Db::open(kind).await;
        assert!(!db.store.has_credentials().await.unwrap());
        db.store.put_credential(credential(1, CredentialKind::Link, Some(15)), desk()).await.unwrap();
        assert!(!db.store.has_credentials().await.unwrap(), "a link lets nobody in yet");
        let session = credential(2, CredentialKind::Session, Some(15));
        db.store.put_credential(session.clone(), desk()).await.unwrap();
        db.store.take_credential(session.hash, minute(1)).await.unwrap();
        let db = db.reopen().await;
        assert!(db.store.has_credentials().await.unwrap());
    }
}

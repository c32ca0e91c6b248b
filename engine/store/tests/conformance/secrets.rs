//! Secrets that people gave zelo to keep.

use zelo_core::{Actor, AuditKind};
use zelo_store::sqlite::SqliteStore;
use zelo_store::{AuditPage, MasterKey, SecretValue, SecretView, is_secret_name};

use crate::build::{Db, Kind, entropy, minute, sqlite};

fn value(text: &str) -> SecretValue {
    SecretValue::new(text.as_bytes().to_vec())
}

fn desk() -> Actor {
    Actor::credential("session", "desk")
}

conforming! {
    async fn a_secret_is_kept_changed_and_forgotten(kind) {
        let db = Db::open(kind).await;
        assert!(db.store.put_secret("lab".into(), value("one"), desk(), minute(1)).await.unwrap(), "new");
        assert!(db.store.put_secret("crm".into(), value("other"), desk(), minute(2)).await.unwrap());
        assert!(!db.store.put_secret("lab".into(), value("two"), desk(), minute(3)).await.unwrap(), "changed");
        let db = db.reopen().await;
        let view = |name: &str, at| SecretView { name: name.into(), at: minute(at) };
        assert_eq!(db.store.secrets().await.unwrap(), [view("crm", 2), view("lab", 3)]);
        assert_eq!(db.store.secret("lab".into()).await.unwrap(), Some(value("two")));
        assert_eq!(db.store.secret("nobody".into()).await.unwrap(), None);
        assert!(db.store.remove_secret("lab".into(), desk(), minute(4)).await.unwrap());
        assert!(!db.store.remove_secret("lab".into(), desk(), minute(5)).await.unwrap(), "there is none");
        assert_eq!(db.store.secret("lab".into()).await.unwrap(), None);
        let audit = db.store.audit(&AuditPage { kind: Some(AuditKind::Configured), ..AuditPage::default() }).await.unwrap();
        let told: Vec<String> = audit.iter().rev().map(|row| format!("{} {}", row.entry.actor.as_str(), row.entry.detail)).collect();
        let of = |name: &str, what: &str| format!("session:desk {{\"secret\":\"{name}\",\"what\":\"{what}\"}}");
        assert_eq!(told, [of("lab", "set"), of("crm", "set"), of("lab", "changed"), of("lab", "removed")]);
        assert!(format!("{:?}", value("marker")) == "SecretValue");
    }
}

#[tokio::test]
async fn nothing_of_a_secret_is_readable_and_it_opens_in_its_own_row_only() {
    let db = Db::open(Kind::SqliteFile).await;
    let found = |marker: &str| {
        let folder = db.file().parent().unwrap().to_owned();
        let all: Vec<u8> = std::fs::read_dir(folder).unwrap().flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
        all.windows(marker.len()).any(|window| window == marker.as_bytes())
    };
    for name in ["one-name", "other-name"] {
        db.store.put_secret(name.into(), value(&format!("marker of {name}")), desk(), minute(1)).await.unwrap();
    }
    assert!(!found("marker of") && found("one-name"), "the name may be read, what it says not");
    assert_eq!(db.sql("UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE name = 'one-name')").await, 2);
    assert!(db.store.secret("one-name".into()).await.is_ok());
    assert!(db.store.secret("other-name".into()).await.unwrap_err().to_string().contains("other-name"));
}

#[tokio::test]
async fn a_secret_goes_along_to_another_master_key() {
    let db = Db::open(Kind::SqliteFile).await;
    db.store.put_secret("lab".into(), value("one"), desk(), minute(1)).await.unwrap();
    db.store.close().await.unwrap();
    SqliteStore::rotate(db.config.clone(), MasterKey::from_bytes([1; 32]), &MasterKey::from_bytes([2; 32]), entropy(), minute(9))
        .await
        .unwrap();
    let store = sqlite(db.config.clone(), 2).await.unwrap();
    assert_eq!(store.secret("lab".into()).await.unwrap(), Some(value("one")));
    store.close().await.unwrap();
}

#[test]
fn names_are_those_of_connections() {
    assert!(["a", "lab-2", "crm_old"].iter().all(|name| is_secret_name(name)));
    assert!(["", "2", "-a", "Lab", "a.b", "a/b", "é"].iter().all(|name| !is_secret_name(name)));
    assert!(is_secret_name(&"a".repeat(64)) && !is_secret_name(&"a".repeat(65)));
}

//! Automations, credentials, and people who sign in.

use serde_json::json;
use zelo_core::{Actor, AuditKind, AutomationId, ClinicRef, Clinics};
use zelo_store::{AuditPage, AutomationRow, CredentialKind, CredentialRow, Page, PersonRow, SeeTo, SeenTo};
use zeroize::Zeroizing;

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

/// Of pairs of connection and clinic.
fn only(named: &[(&str, &str)]) -> Clinics {
    Clinics::Only(
        named.iter().map(|(connection, clinic)| ClinicRef { connection: (*connection).into(), clinic: (*clinic).into() }).collect(),
    )
}

fn person(name: &str) -> PersonRow {
    let (role, password) = ("admin".into(), "$argon2id$".into());
    PersonRow { name: name.into(), role, clinics: Clinics::All, password, secret: None, created: minute(0), version: 0 }
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

    async fn an_automation_that_changed_since_somebody_looked_stays(kind) {
        let db = Db::open(kind).await;
        let row = reminder();
        let off = AutomationRow { enabled: false, changed: minute(2), ..row.clone() };
        assert!(!db.store.exchange_automation(row.clone(), Some(off.clone()), desk()).await.unwrap(), "it never was");
        assert!(db.store.exchange_automation(row.clone(), None, desk()).await.unwrap());
        assert!(!db.store.exchange_automation(off.clone(), None, desk()).await.unwrap(), "somebody else came first");
        let later = AutomationRow { changed: minute(9), ..row.clone() };
        assert!(!db.store.exchange_automation(off.clone(), Some(later), desk()).await.unwrap(), "it was changed, and back");
        assert_eq!(db.store.automations().await.unwrap(), std::slice::from_ref(&row));
        let two = [3, 4].map(|at| AutomationRow { enabled: false, changed: minute(at), ..row.clone() });
        let tries = two.map(|two| db.store.exchange_automation(two, Some(row.clone()), desk()));
        let done = futures::future::join_all(tries).await.into_iter().filter(|done| *done.as_ref().unwrap()).count();
        assert_eq!(done, 1, "of two who saw the same, one");
        assert_eq!(db.answered().await.len(), 2);
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

    async fn a_credential_is_for_the_clinics_that_it_names(kind) {
        let db = Db::open(kind).await;
        let clinics = only(&[("centro", "7"), ("norte", "7/b")]);
        let token = CredentialRow { clinics: clinics.clone(), ..credential(2, CredentialKind::Token, None) };
        db.store.put_credential(token.clone(), desk()).await.unwrap();
        let db = db.reopen().await;
        assert_eq!(db.store.credential(token.hash, minute(1)).await.unwrap(), Some(token));
        assert_eq!(db.answered().await[0].1["clinics"], json!(["centro/7", "norte/7/b"]));
    }

    async fn a_list_is_of_the_clinics_that_are_asked_for(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, clinic) in [(1, Some("7")), (2, Some("8")), (3, None)] {
            let mut delivery = db.delivery(number, number as i64).fires("thank");
            delivery.0.event.clinic = clinic.map(str::to_owned);
            db.record(delivery).await;
        }
        db.record(db.delivery(4, 4).through(&index, "norte").of_clinic("7").fires("thank")).await;
        let count = async |clinics: Clinics| {
            let page = Page { clinics, ..Page::default() };
            (db.store.events(&page).await.unwrap().len(), db.store.jobs(&page, None).await.unwrap().len())
        };
        assert_eq!(count(Clinics::All).await, (4, 4));
        assert_eq!(count(only(&[("centro", "7")])).await, (1, 1), "not the same id of another connection, not what is of none");
        assert_eq!(count(only(&[("centro", "7"), ("centro", "8"), ("norte", "7")])).await, (3, 3));
        assert_eq!(count(only(&[("norte", "8")])).await, (0, 0));
        assert_eq!(count(Clinics::Only([].into())).await, (0, 0), "of no clinic at all");
    }

    async fn a_person_is_kept_as_they_were_written(kind) {
        let db = Db::open(kind).await;
        let ana = PersonRow { secret: Some(Zeroizing::new(b"12345678901234567890".to_vec())), clinics: only(&[("centro", "7")]), ..person("ana") };
        db.store.put_person(ana.clone(), desk(), minute(1)).await.unwrap();
        db.store.put_person(person("bia"), desk(), minute(1)).await.unwrap();
        let db = db.reopen().await;
        let found = db.store.person("ana").await.unwrap().unwrap();
        assert_eq!(PersonRow { version: 0, ..found.clone() }, ana);
        assert_eq!(db.store.people().await.unwrap().iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["ana", "bia"]);
        assert_eq!(db.store.person("carla").await.unwrap(), None);
        // At the same instant, too.
        db.store.put_person(PersonRow { role: "viewer".into(), secret: None, ..found.clone() }, desk(), minute(1)).await.unwrap();
        let changed = db.store.person("ana").await.unwrap().unwrap();
        assert!(changed.version > found.version && changed.secret.is_none() && changed.role == "viewer");
        assert!(db.store.remove_person("ana", desk(), minute(2)).await.unwrap());
        assert!(!db.store.remove_person("ana", desk(), minute(2)).await.unwrap());
        let told: Vec<_> = db.answered().await.into_iter().map(|(_, detail)| (detail["what"].clone(), detail["changed"].clone())).collect();
        assert_eq!(
            told,
            [
                (json!("added"), json!([])),
                (json!("added"), json!([])),
                (json!("changed"), json!(["code", "role"])),
                (json!("removed"), json!(null)),
            ]
        );
    }

    async fn two_admins_who_see_to_each_other_leave_one(kind) {
        let db = Db::open(kind).await;
        let admin = |name: &str| PersonRow { role: "admin".into(), clinics: Clinics::All, ..person(name) };
        let bounded = PersonRow { clinics: only(&[("centro", "7")]), ..admin("carla") };
        for row in [admin("ana"), admin("bia"), bounded] {
            db.store.put_person(row, desk(), minute(1)).await.unwrap();
        }
        let to = |name: &str, row: Option<PersonRow>| {
            db.store.see_to_person(SeeTo { name: name.into(), row, keep: "admin".into() }, desk(), minute(2))
        };
        let viewer = PersonRow { role: "viewer".into(), ..admin("ana") };
        let (one, other) = tokio::join!(to("ana", Some(viewer.clone())), to("bia", None));
        let mut both = [one.unwrap(), other.unwrap()];
        both.sort_by_key(|told| *told == SeenTo::Last);
        assert_eq!(both, [SeenTo::Done, SeenTo::Last]);
        let left: Vec<_> = db.store.people().await.unwrap().into_iter().filter(|row| row.role == "admin" && row.clinics == Clinics::All).collect();
        assert_eq!(left.len(), 1);
        let last = left[0].name.clone();
        let less = [None, Some(PersonRow { role: "viewer".into(), ..left[0].clone() }), Some(PersonRow { clinics: only(&[("centro", "7")]), ..left[0].clone() })];
        for row in less {
            assert_eq!(to(&last, row).await.unwrap(), SeenTo::Last);
        }
        assert_eq!(db.store.person(&last).await.unwrap().as_ref(), Some(&left[0]), "they stand as they did");
        // What leaves them what they are may change, and whoever is no admin of everything.
        assert_eq!(to(&last, Some(PersonRow { password: "another".into(), ..left[0].clone() })).await.unwrap(), SeenTo::Done);
        assert_eq!(to("carla", None).await.unwrap(), SeenTo::Done);
        assert_eq!(to("dora", Some(admin("dora"))).await.unwrap(), SeenTo::Missing);
        assert_eq!(db.store.person("dora").await.unwrap(), None);
    }

    async fn a_session_is_good_as_long_as_its_person_stands_as_they_did(kind) {
        let db = Db::open(kind).await;
        db.store.put_person(person("ana"), desk(), minute(1)).await.unwrap();
        let before = db.store.person("ana").await.unwrap().unwrap();
        let session = |hash, version| CredentialRow { person: Some(("ana".into(), version)), ..credential(hash, CredentialKind::Session, Some(99)) };
        db.store.put_credential(session(1, before.version), desk()).await.unwrap();
        assert_eq!(db.store.credential([1; 32], minute(2)).await.unwrap(), Some(session(1, before.version)));
        db.store.put_person(PersonRow { password: "another".into(), ..before.clone() }, desk(), minute(3)).await.unwrap();
        assert_eq!(db.store.credential([1; 32], minute(4)).await.unwrap(), None);
        // Who was being let in while the password was changed.
        db.store.put_credential(session(2, before.version), desk()).await.unwrap();
        assert_eq!(db.store.credential([2; 32], minute(4)).await.unwrap(), None);
        let now = db.store.person("ana").await.unwrap().unwrap();
        db.store.put_credential(session(3, now.version), desk()).await.unwrap();
        db.store.remove_person("ana", desk(), minute(5)).await.unwrap();
        assert_eq!(db.store.credential([3; 32], minute(6)).await.unwrap(), None);
        db.store.put_person(person("ana"), desk(), minute(7)).await.unwrap();
        assert_eq!(db.store.credential([3; 32], minute(8)).await.unwrap(), None, "somebody else of this name");
    }

    async fn credentials_are_listed_and_revoked(kind) {
        let db = Db::open(kind).await;
        for (hash, kind, expires) in [(1, CredentialKind::Token, None), (2, CredentialKind::Session, Some(9)), (3, CredentialKind::Link, Some(2))] {
            db.store.put_credential(credential(hash, kind, expires), desk()).await.unwrap();
        }
        let good = async |at| db.store.credentials(minute(at)).await.unwrap().iter().map(|row| row.hash[0]).collect::<Vec<_>>();
        assert_eq!(good(1).await, [1, 2, 3]);
        assert_eq!(good(3).await, [1, 2], "what has run out is not told");
        assert!(db.store.revoke_credential([1; 32], desk(), minute(3)).await.unwrap());
        assert!(!db.store.revoke_credential([1; 32], desk(), minute(3)).await.unwrap());
        assert_eq!(db.store.credential([1; 32], minute(3)).await.unwrap(), None);
        assert_eq!(good(3).await, [2]);
        let told = db.answered().await;
        assert_eq!(told.iter().filter(|(_, detail)| detail["what"] == "revoked" && detail["credential"] == "token").count(), 1, "{told:?}");
    }

    async fn a_code_is_spent_once_and_no_earlier_one_after_it(kind) {
        let db = Db::open(kind).await;
        let secret = Some(Zeroizing::new(b"12345678901234567890".to_vec()));
        db.store.put_person(PersonRow { secret, ..person("ana") }, desk(), minute(1)).await.unwrap();
        let spenders = futures::future::join_all((0..5).map(|_| db.store.spend_code("ana", 7, minute(2)))).await;
        assert_eq!(spenders.into_iter().filter(|spent| *spent.as_ref().unwrap()).count(), 1);
        assert!(!db.store.spend_code("ana", 6, minute(2)).await.unwrap());
        assert!(db.store.spend_code("ana", 8, minute(2)).await.unwrap());
        let ana = db.store.person("ana").await.unwrap().unwrap();
        db.store.put_person(PersonRow { role: "viewer".into(), ..ana }, desk(), minute(3)).await.unwrap();
        assert!(!db.store.spend_code("ana", 8, minute(4)).await.unwrap(), "a change does not make it good again");
        assert!(!db.store.spend_code("bia", 8, minute(4)).await.unwrap());
    }
}

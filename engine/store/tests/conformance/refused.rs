//! Deliveries that were refused.

use zelo_core::{Actor, EventId, TraceId};
use zelo_store::sqlite::SqliteStore;
use zelo_store::{Aged, MasterKey, Page, REFUSED_MAX, Refused, RefusedWrite, Retention};

use crate::build::{DAY, Db, Kind, entropy, minute, sqlite};

const HEADER: &str = "value-of-a-header";
const BODY: &[u8] = b"text-of-a-body";

fn trace(number: u64) -> TraceId {
    TraceId::from(EventId::from_bytes(u128::from(number).to_be_bytes()))
}

fn refused(number: u64, connection: &str, at: i64) -> RefusedWrite {
    RefusedWrite {
        refused: Refused {
            trace: trace(number),
            connection: connection.into(),
            clinic: Some("7".into()),
            at: minute(at),
            code: "unverified".into(),
            why: "it carries no `x` header".into(),
            count: 3,
            size: BODY.len() as u64,
            address: Some("203.0.113.9".into()),
            path: "patient/new".into(),
            headers: vec![("content-type".into(), Some(HEADER.into())), ("authorization".into(), None)],
        },
        body: number.is_multiple_of(2).then(|| BODY.to_vec()),
    }
}

impl Db {
    /// The numbers of those that are kept of a connection, newest first.
    async fn kept(&self, connection: &str) -> Vec<TraceId> {
        let page = Page { limit: 1000, connection: Some(connection.into()), ..Page::default() };
        self.store.refused(&page).await.unwrap().into_iter().map(|view| view.refused.trace).collect()
    }
}

conforming! {
    async fn what_was_refused_is_read_back(kind) {
        let db = Db::open(kind).await;
        for (number, connection) in [(1, "centro"), (2, "centro"), (3, "outra")] {
            db.store.put_refused(refused(number, connection, number as i64)).await.unwrap();
        }
        db.store.put_refused(refused(3, "outra", 9)).await.unwrap();
        let db = db.reopen().await;
        let views = db.store.refused(&Page::default()).await.unwrap();
        let told: Vec<Refused> = views.iter().map(|view| view.refused.clone()).collect();
        let of = |number, connection, at| refused(number, connection, at).refused;
        assert_eq!(told, [of(3, "outra", 3), of(2, "centro", 2), of(1, "centro", 1)], "each once, newest first");
        assert_eq!(views.iter().map(|view| view.has_body).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(db.kept("outra").await, [trace(3)]);
        let page = Page { before: Some(views[0].cursor), limit: 1, ..Page::default() };
        assert_eq!(db.store.refused(&page).await.unwrap(), [views[1].clone()]);
        let (view, body) = db.store.refused_one(trace(2)).await.unwrap().unwrap();
        assert_eq!((view, body.as_deref()), (views[1].clone(), Some(BODY)));
        assert_eq!(db.store.refused_one(trace(1)).await.unwrap().unwrap().1, None);
        assert_eq!(db.store.refused_one(trace(9)).await.unwrap(), None);
    }

    async fn few_are_kept_of_each_connection(kind) {
        let db = Db::open(kind).await;
        db.store.put_refused(refused(9999, "outra", 0)).await.unwrap();
        let all = u64::from(REFUSED_MAX) + 5;
        for number in 0..all {
            db.store.put_refused(refused(number, "centro", 1)).await.unwrap();
        }
        let kept = db.kept("centro").await;
        assert_eq!((kept.len(), kept[0], kept[kept.len() - 1]), (REFUSED_MAX as usize, trace(all - 1), trace(5)));
        assert_eq!(db.kept("outra").await, [trace(9999)], "nobody pushes out what is another's");
    }

    async fn none_is_kept_for_long(kind) {
        let db = Db::open(kind).await;
        db.store.put_refused(refused(1, "outra", 0)).await.unwrap();
        db.store.put_refused(refused(2, "centro", DAY)).await.unwrap();
        db.store.put_refused(refused(3, "centro", 14 * DAY)).await.unwrap();
        assert_eq!((db.kept("centro").await, db.kept("outra").await), (vec![trace(3), trace(2)], vec![trace(1)]), "as long as that");
        db.store.put_refused(refused(4, "centro", 14 * DAY + 1)).await.unwrap();
        assert!(db.kept("outra").await.is_empty(), "with the next of anybody");
        let keep = Retention { refused: vec![Aged::all("refused", minute(2 * DAY))], ..Retention::default() };
        assert_eq!(db.store.aged(keep.clone()).await.unwrap()["refused"], 1);
        let retained = db.store.retain(keep, Actor::engine(), minute(15 * DAY)).await.unwrap();
        assert_eq!(retained.deleted["refused"], 1);
        assert_eq!(db.kept("centro").await, [trace(4), trace(3)]);
    }
}

#[tokio::test]
async fn what_strangers_sent_is_sealed_and_goes_along_to_another_master_key() {
    let db = Db::open(Kind::SqliteFile).await;
    db.store.put_refused(refused(2, "centro", 1)).await.unwrap();
    let folder = db.file().parent().unwrap().to_owned();
    let found = |marker: &[u8]| {
        let all: Vec<u8> = std::fs::read_dir(&folder).unwrap().flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
        all.windows(marker.len()).any(|window| window == marker)
    };
    let none = |found: &dyn Fn(&[u8]) -> bool| {
        assert!([HEADER.as_bytes(), BODY, b"203.0.113.9", b"patient/new"].iter().all(|marker| !found(marker)));
        assert!(found(b"it carries no"), "the search finds what may be read");
    };
    none(&found);
    db.store.close().await.unwrap();
    none(&found);
    SqliteStore::rotate(db.config.clone(), MasterKey::from_bytes([1; 32]), &MasterKey::from_bytes([2; 32]), entropy(), minute(9))
        .await
        .unwrap();
    let store = sqlite(db.config.clone(), 2).await.unwrap();
    let (view, body) = store.refused_one(trace(2)).await.unwrap().unwrap();
    assert_eq!((view.refused, body.as_deref()), (refused(2, "centro", 1).refused, Some(BODY)));
    store.close().await.unwrap();
}

//! Events and jobs as people look for them.

use zelo_core::{Actor, Clinics, EventId, JobState, KeyHash, Pseudonym, Status};
use zelo_store::{Aged, Concerning, EventsWanted, JobsWanted, Page, Retention};

use crate::build::{DAY, Db, Kind, done, minute};

/// What finds of events are called here: the numbers of their deliveries.
async fn found(db: &Db, ids: &[EventId], wanted: EventsWanted) -> Vec<usize> {
    let views = db.store.archive().find_events(&wanted).await.unwrap();
    views.iter().map(|view| ids.iter().position(|id| *id == view.event.id).unwrap()).collect()
}

fn things(things: &[KeyHash]) -> EventsWanted {
    EventsWanted { concerning: Concerning::Things(things.to_vec()), ..EventsWanted::default() }
}

fn people(people: &[Pseudonym]) -> Concerning {
    Concerning::People(people.to_vec())
}

conforming! {
    async fn events_are_found_by_what_is_known_of_them(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let mut ids = Vec::new();
        for number in 0..9_u64 {
            let person = if number % 3 == 0 { "p1" } else { "p2" };
            let mut delivery = db.delivery(number, number as i64).about(&index, &format!("a{}", number % 2)).subject(&index, person);
            delivery.0.event.kind = if number == 4 { "receipt.issued".into() } else { "appointment.created".into() };
            delivery.0.quarantined = number == 5;
            ids.push(db.store.record(delivery.of_clinic(if number < 6 { "7" } else { "8" }).0).await.unwrap().event);
        }
        let find = async |wanted| found(&db, &ids, wanted).await;
        let all = EventsWanted::default;
        assert_eq!(find(all()).await, [8, 7, 6, 5, 4, 3, 2, 1, 0], "newest first");
        let page = Page { limit: 2, before: None, ..Page::default() };
        assert_eq!(find(EventsWanted { page, ..all() }).await, [8, 7]);
        let events = db.store.archive().find_events(&all()).await.unwrap();
        let page = Page { before: Some(events[1].cursor), limit: 2, ..Page::default() };
        assert_eq!(find(EventsWanted { page, ..all() }).await, [6, 5], "goes on behind it");
        assert_eq!(find(EventsWanted { kind: Some("receipt.issued".into()), ..all() }).await, [4]);
        assert_eq!(find(EventsWanted { status: Some(Status::Quarantined), ..all() }).await, [5]);
        assert_eq!(find(EventsWanted { status: Some(Status::Accepted), ..all() }).await.len(), 8);
        assert_eq!(find(EventsWanted { since: Some(minute(3)), until: Some(minute(5)), ..all() }).await, [4, 3]);
        let clinics = Clinics::of(["centro/8".parse().unwrap()]);
        assert_eq!(find(EventsWanted { page: Page { clinics, ..Page::default() }, ..all() }).await, [8, 7, 6]);
        assert_eq!(find(EventsWanted { page: Page { clinic: Some("8".into()), ..Page::default() }, ..all() }).await, [8, 7, 6]);
        assert!(find(EventsWanted { page: Page { connection: Some("bot".into()), ..Page::default() }, ..all() }).await.is_empty());
        // Some of these stand in tables, some are only in memory.
        let [a1, nothing] = ["a1", "a2"].map(|id| index.entity("centro", "appointment", id));
        assert_eq!(find(things(&[a1, nothing])).await, [7, 5, 3, 1], "the one in quarantine too");
        assert!(find(things(&[nothing])).await.is_empty());
        assert_eq!(db.store.archive().known_things(vec![a1, nothing]).await.unwrap(), [a1]);
        let (p1, p2) = (db.person("p1").await, db.person("p2").await);
        assert_eq!(find(EventsWanted { concerning: people(&[p1]), ..all() }).await, [6, 3, 0]);
        assert_eq!(find(EventsWanted { concerning: people(&[p1, p2]), ..all() }).await.len(), 9);
        assert!(find(EventsWanted { concerning: people(&[]), ..all() }).await.is_empty(), "of nobody is nothing");
        assert!(find(things(&[])).await.is_empty());
        let wanted = ["2", "7"].map(|number| index.delivery("centro", "appointment.created", number)).to_vec();
        let delivered = db.store.archive().delivered(wanted).await.unwrap();
        assert_eq!(delivered.iter().map(|view| view.event.id).collect::<Vec<_>>(), [ids[2], ids[7]], "in order of arrival");
        assert_eq!(db.store.archive().event_types().await.unwrap(), ["appointment.created", "receipt.issued"]);
        // And all of them in tables.
        let db = db.reopen().await;
        db.store.export_subject(p1).await.unwrap();
        assert_eq!(found(&db, &ids, things(&[a1])).await, [7, 5, 3, 1]);
    }

    async fn jobs_are_found_by_what_is_known_of_them(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let mut events = Vec::new();
        for number in 0..4_u64 {
            let person = if number == 2 { "p2" } else { "p1" };
            let delivery = db.delivery(number, number as i64).about(&index, &format!("a{number}")).subject(&index, person).fires("thank");
            events.push(db.store.record(delivery.0).await.unwrap().event);
        }
        for work in db.claim(1).await.iter().take(2) {
            db.settle(work, done(), 2).await;
        }
        let jobs = async |wanted: JobsWanted| -> Vec<usize> {
            let views = db.store.archive().find_jobs(&wanted).await.unwrap();
            views.iter().map(|view| events.iter().position(|id| *id == view.job.event).unwrap()).collect()
        };
        let all = JobsWanted::default;
        assert_eq!(jobs(all()).await, [3, 2, 1, 0], "live and ended in one order");
        assert_eq!(jobs(JobsWanted { page: Page { limit: 3, ..Page::default() }, ..all() }).await, [3, 2, 1]);
        assert_eq!(jobs(JobsWanted { state: Some(JobState::Done), ..all() }).await, [1, 0]);
        assert!(jobs(JobsWanted { state: Some(JobState::Skipped), ..all() }).await.is_empty());
        assert_eq!(jobs(JobsWanted { state: Some(JobState::Running), ..all() }).await, [3, 2]);
        assert_eq!(jobs(JobsWanted { rule: Some("reminder".into()), ..all() }).await.len(), 4);
        assert!(jobs(JobsWanted { rule: Some("other".into()), ..all() }).await.is_empty());
        assert_eq!(jobs(JobsWanted { event: Some(events[1]), ..all() }).await, [1]);
        assert_eq!(jobs(JobsWanted { event: Some(events[3]), ..all() }).await, [3]);
        assert_eq!(jobs(JobsWanted { since: Some(minute(1)), until: Some(minute(3)), ..all() }).await, [2, 1]);
        let a0 = index.entity("centro", "appointment", "a0");
        assert_eq!(jobs(JobsWanted { concerning: Concerning::Things(vec![a0]), ..all() }).await, [0]);
        let p2 = db.person("p2").await;
        assert_eq!(jobs(JobsWanted { concerning: people(&[p2]), ..all() }).await, [2]);
        let clinics = Clinics::of(["centro/8".parse().unwrap()]);
        assert!(jobs(JobsWanted { page: Page { clinics, ..Page::default() }, ..all() }).await.is_empty(), "of another clinic");
    }

    async fn a_job_is_found_for_each_event_that_it_collected(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let mut events = Vec::new();
        for number in 0..2_u64 {
            events.push(db.store.record(db.delivery(number, number as i64).collected(&index, "a", None).0).await.unwrap().event);
        }
        for event in events {
            let found = db.store.archive().find_jobs(&JobsWanted { event: Some(event), ..JobsWanted::default() }).await.unwrap();
            assert_eq!(found.iter().map(|view| view.job.collected).collect::<Vec<_>>(), [2], "once");
        }
    }
}

#[tokio::test]
async fn nothing_of_what_is_deleted_or_erased_is_found() {
    const LEFT: &str = "SELECT entity FROM entity_events";
    let db = Db::open(Kind::SqliteFile).await;
    let index = db.store.indexer().clone();
    for (number, person) in [(1, "p1"), (2, "p2"), (3, "p3")] {
        db.record(db.delivery(number, number as i64 * DAY).about(&index, person).subject(&index, person)).await;
    }
    let thing = |id: &str| index.entity("centro", "appointment", id);
    db.store.erase(db.person("p1").await, Actor::command(), minute(4 * DAY)).await.unwrap();
    assert_eq!(db.blobs(LEFT).await.len(), 2);
    let keep = Retention { events: vec![Aged::all("events", minute(2 * DAY + 1))], ..Retention::default() };
    db.store.retain(keep, Actor::command(), minute(4 * DAY)).await.unwrap();
    assert_eq!(db.blobs(LEFT).await, [thing("p3").0.to_vec()]);
    assert_eq!(db.store.archive().known_things(["p1", "p2", "p3"].map(thing).to_vec()).await.unwrap(), [thing("p3")]);
    assert_eq!(
        db.store.archive().find_events(&EventsWanted::default()).await.unwrap().len(),
        1,
        "what is left of an erased one is not told"
    );
}

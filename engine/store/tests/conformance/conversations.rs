//! Messages by whom they went to.

use zelo_core::settle::LocalWrite;
use zelo_core::{ClinicRef, Clinics, Document, JobId, SeededEntropy};
use zelo_store::{MessageView, Page};

use crate::build::{Db, minute, sending};

/// Message `number`, to `to`, from a job of `clinic`, through `channel`, with a document beside it.
async fn send(db: &Db, number: u64, to: &str, clinic: &str, channel: &str) -> JobId {
    let mut delivery = db.delivery(number, number as i64).subject(db.store.indexer(), "p1").fires("thank");
    delivery.0.event.clinic = Some(clinic.into());
    db.record(delivery).await;
    let work = db.claim(number as i64).await.remove(0);
    let mut settlement = sending(&work, zelo_core::KeyHash([number as u8; 16]), to, "hi");
    settlement.local.retain(|write| matches!(write, LocalWrite::Message { .. }));
    for write in &mut settlement.local {
        if let LocalWrite::Message { channel: through, .. } = write {
            *through = channel.into();
        }
    }
    let document =
        Document { name: format!("{number}.pdf"), media_type: "application/pdf".into(), content: b"%PDF".to_vec(), text: "t".into() };
    settlement.local.push(LocalWrite::Document { index: 2, document });
    db.store.settle(settlement, minute(number as i64)).await.unwrap();
    work.job.id
}

fn jobs(messages: &[MessageView]) -> Vec<JobId> {
    messages.iter().map(|view| view.job).collect()
}

fn only(clinic: &str) -> Clinics {
    Clinics::of([ClinicRef { connection: "centro".into(), clinic: clinic.into() }])
}

conforming! {
    async fn who_got_the_last_message_comes_first(kind) {
        let db = Db::open(kind).await;
        let ana = "+5511911111111";
        let zeca = "+5511922222222";
        let [a, b, c, d] = [
            send(&db, 1, ana, "7", "outbox").await,
            send(&db, 2, zeca, "7", "outbox").await,
            send(&db, 3, ana, "7", "outbox").await,
            send(&db, 4, ana, "8", "whatsapp").await,
        ];
        let db = db.reopen().await;
        let archive = db.store.archive();
        let all = |page: Page, channel: Option<&'static str>, each| {
            let archive = archive.clone();
            async move { archive.conversations(&page, channel, each).await.unwrap().iter().map(|one| jobs(one)).collect::<Vec<_>>() }
        };
        assert_eq!(all(Page::default(), None, 9).await, [vec![d, c, a], vec![b]]);
        assert_eq!(all(Page::default(), None, 2).await, [vec![d, c], vec![b]]);
        assert_eq!(all(Page::default(), Some("outbox"), 9).await, [vec![c, a], vec![b]]);
        assert_eq!(all(Page { clinics: only("7"), ..Page::default() }, None, 9).await, [vec![c, a], vec![b]], "the last that they are told of");
        assert_eq!(all(Page { clinic: Some("8".into()), ..Page::default() }, None, 9).await, [vec![d]]);
        assert!(all(Page { connection: Some("outro".into()), ..Page::default() }, None, 9).await.is_empty());
        // Page by page.
        let first = archive.conversations(&Page { limit: 1, ..Page::default() }, None, 9).await.unwrap();
        let rest = Page { before: Some(first[0][0].cursor), limit: 1, ..Page::default() };
        assert_eq!(all(rest, None, 9).await, [vec![b]]);
        assert_eq!(first[0][0].action, format!("{}/thank", db.job(d).await.rule));
    }

    async fn a_conversation_is_found_by_any_of_its_messages(kind) {
        let db = Db::open(kind).await;
        let ana = "+5511911111111";
        let [a, b, c] =
            [send(&db, 1, ana, "7", "outbox").await, send(&db, 2, ana, "8", "outbox").await, send(&db, 3, "+5511922222222", "7", "outbox").await];
        let archive = db.store.archive();
        let one = |job: JobId, index, page: Page| {
            let archive = archive.clone();
            async move { jobs(&archive.conversation(job, index, &page).await.unwrap()) }
        };
        assert_eq!(one(a, 1, Page::default()).await, [b, a]);
        assert_eq!(one(b, 1, Page::default()).await, [b, a]);
        assert_eq!(one(c, 1, Page::default()).await, [c]);
        assert_eq!(one(a, 1, Page { clinics: only("7"), ..Page::default() }).await, [a]);
        assert!(one(b, 1, Page { clinics: only("7"), ..Page::default() }).await.is_empty(), "they are not told of that message");
        assert!(one(a, 2, Page::default()).await.is_empty(), "a document is no message");
        let nobody = JobId::derive(zelo_core::EventId::new(minute(0), 0, &SeededEntropy::new(5)), &zelo_core::AutomationId("x".into()), "y");
        assert!(one(nobody, 1, Page::default()).await.is_empty());
        let cursor = archive.conversation(a, 1, &Page { limit: 1, ..Page::default() }).await.unwrap()[0].cursor;
        assert_eq!(one(a, 1, Page { before: Some(cursor), ..Page::default() }).await, [a]);
    }

    async fn documents_are_named_without_being_opened(kind) {
        let db = Db::open(kind).await;
        let job = send(&db, 1, "+5511911111111", "7", "outbox").await;
        let found = db.store.archive().documents(&[(job, 2), (job, 1), (job, 9)]).await.unwrap();
        let told: Vec<_> = found.iter().map(|view| (view.name.as_str(), view.size, view.clinic.as_deref(), view.about.len())).collect();
        assert_eq!(told, [("1.pdf", 4, Some("7"), 1)]);
    }
}

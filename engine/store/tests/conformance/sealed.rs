//! Nothing personal is readable in the files, and sealed values cannot be moved about.

use std::path::Path;

use serde_json::json;
use zelo_core::settle::LocalWrite;
use zelo_core::{Cause, Document, JobState, RecordEdit};
use zelo_store::Page;

use crate::build::{DAY, Db, Kind, minute, record_ref, sending, stamp};

const MARKERS: [&str; 5] = ["Zuleica-Marcador", "+55-11-90000-4321", "texto-secreto-do-lembrete", "paciente-id-314159", "nota-de-registro"];

/// Which markers stand readable in the files of `folder`.
fn found(folder: &Path) -> Vec<&'static str> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let all: Vec<u8> = files.flatten().collect();
    MARKERS.into_iter().filter(|marker| all.windows(marker.len()).any(|window| window == marker.as_bytes())).collect()
}

#[tokio::test]
async fn no_marker_is_readable_in_the_files() {
    let [name, phone, text, patient, note] = MARKERS;
    let db = Db::open(Kind::SqliteFile).await;
    let index = db.store.indexer().clone();
    let folder = db.file().parent().unwrap().to_owned();
    let delivery = db
        .delivery(1, 0)
        .body(&json!({ "name": name, "phone": phone, "id": patient }))
        .about(&index, patient)
        .subject(&index, patient)
        .remembers(&index, patient, json!({ "name": name, "phone": phone, "note": note }))
        .fires_for(&index, patient, DAY, Some(patient));
    db.record(delivery).await;
    let work = db.claim(1).await.remove(0);
    let slot = index.state("centro", "7", "reminder", "remind", patient);
    let set = json!({ "name": name }).as_object().unwrap().clone();
    let edit = RecordEdit { record: "contact".into(), id: patient.into(), set, append: [("notes".to_owned(), note.to_owned())].into() };
    let content = format!("{name} {note}").into_bytes();
    let document = Document { name: format!("{name}.pdf"), media_type: "application/pdf".into(), content, text: text.into() };
    let mut emitted = db.delivery(2, 2).body(&json!({ "name": name })).subject(&index, patient).0;
    emitted.event.cause = Some(Cause { job: work.job.id, lineage: vec![work.job.automation.clone()] });
    let mut end = sending(&work, slot, phone, text);
    end.local.push(LocalWrite::Record { hash: index.record("centro", "contact", patient), stamp: stamp(2, 0), edit });
    end.local.push(LocalWrite::Document { index: 3, document });
    end.emitted.push(emitted);
    db.store.settle(end, minute(2)).await.unwrap();
    assert_eq!(found(&folder), [""; 0], "in the log");
    db.store.close().await.unwrap();
    assert_eq!(found(&folder), [""; 0], "in the database");

    // It is all there, for who has the key.
    let db = db.reopen().await;
    let view = db.store.jobs(&Page::default(), Some(JobState::Done)).await.unwrap().remove(0);
    assert!(!format!("{view:?}").contains(text), "what a plugin said is not printed");
    assert!(view.summary.unwrap().contains(text));
    assert_eq!(db.store.messages(&Page::default()).await.unwrap()[0].message.to, phone);
    assert_eq!(db.store.records(&Page::default(), Some("clinic")).await.unwrap()[0].document["note"], note);
    assert_eq!(db.store.records(&Page::default(), Some("contact")).await.unwrap()[0].document["notes"][0]["text"], note);
    assert!(db.store.documents(&Page::default()).await.unwrap()[0].name.contains(name));

    // And the search finds what is not sealed: in a database, and in a log.
    for marker in MARKERS {
        std::fs::write(folder.join("scratch"), marker).unwrap();
        assert_eq!(found(&folder), [marker]);
    }
    std::fs::remove_file(folder.join("scratch")).unwrap();
    db.sql("CREATE TABLE scratch AS SELECT 'Zuleica-Marcador' AS name").await;
    assert_eq!(found(&folder), [name], "written in the clear");
}

#[tokio::test]
async fn a_sealed_value_opens_in_its_own_row_only() {
    let db = Db::open(Kind::SqliteFile).await;
    let index = db.store.indexer().clone();
    for (number, id) in [(1, "a"), (2, "b")] {
        // One owner, so one key: only the place differs.
        let delivery = db.delivery(number, 0).subject(&index, "p").body(&json!({ "id": id }));
        db.record(delivery).await;
    }
    let swap = "UPDATE event_parts SET sealed = (SELECT sealed FROM event_parts other WHERE other.part_id = 768 - event_parts.part_id)";
    assert_eq!(db.store.events(&Page::default()).await.unwrap().len(), 2);
    assert_eq!(db.sql(swap).await, 2);
    let error = db.store.events(&Page::default()).await.unwrap_err().to_string();
    assert!(error.contains("does not open"), "{error}");
}

#[tokio::test]
async fn a_damaged_record_is_in_nobody_elses_way() {
    let db = Db::open(Kind::SqliteFile).await;
    let index = db.store.indexer().clone();
    for (number, patient) in [(1, "a"), (2, "b"), (3, "c")] {
        db.record(db.delivery(number, 0).remembers(&index, patient, json!({ "name": patient }))).await;
    }
    assert_eq!(db.sql("UPDATE records SET sealed = zeroblob(length(sealed)) WHERE written = 2").await, 1);
    // All at once: one query at first.
    let asked = ["a", "b", "c", "d", "a"].map(|patient| db.store.record_at(record_ref(&index, patient).hash));
    let found = futures::future::join_all(asked).await;
    let name = |place: usize| found[place].as_ref().unwrap().as_ref().map(|row| row.document["name"].clone());
    assert_eq!([name(0), name(2), name(3), name(4)], [Some(json!("a")), Some(json!("c")), None, Some(json!("a"))]);
    assert!(found[1].as_ref().unwrap_err().to_string().contains("does not open"));
}

#[tokio::test]
async fn each_person_has_a_key_of_their_own() {
    let db = Db::open(Kind::SqliteFile).await;
    let index = db.store.indexer().clone();
    for (number, person) in [(1, "p1"), (2, "p2"), (3, "p1")] {
        db.record(db.delivery(number, 0).subject(&index, person)).await;
    }
    db.record(db.delivery(4, 0)).await;
    let mut nowhere = db.delivery(5, 0);
    nowhere.0.event.clinic = None;
    db.record(nowhere).await;
    let db = db.reopen().await;
    db.record(db.delivery(6, 0).subject(&index, "p1")).await;
    // Destroying one makes that person's events noise, and no other's.
    assert_eq!(db.sql("UPDATE seal_keys SET connection = connection").await, 4, "p1, p2, the clinic, the connection");
    let gone = "UPDATE seal_keys SET wrapped = NULL, destroyed_at = 1 WHERE key_id = (SELECT key_id FROM event_parts WHERE part_id = 256)";
    assert_eq!(db.sql(gone).await, 1);
    let db = db.reopen().await;
    for number in 1..=6_u64 {
        let event = db.store.event(db.delivery(number, 0).0.event.id).await;
        assert_eq!(event.is_ok(), ![1, 3, 6].contains(&number), "event {number}");
    }
}

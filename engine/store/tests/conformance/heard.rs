//! How much came through each connection.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use zelo_core::hearing::{Heard, Hour, KEPT, hour_of};
use zelo_store::HeardHour;

use crate::build::{Db, Kind, minute};

fn at(hours: i64) -> Timestamp {
    minute(0) + SignedDuration::from_hours(hours)
}

fn came(connection: &str, hours: i64, accepted: u64, refused: u64) -> HeardHour {
    let came = Hour { accepted, refused, last: (accepted > 0).then(|| at(hours)) };
    HeardHour { connection: connection.into(), hour: hour_of(at(hours)), came }
}

impl Db {
    async fn hours_of(&self, connection: &str) -> Vec<(i64, Hour)> {
        let all = self.store.heard().await.unwrap();
        all.into_iter().filter(|hour| hour.connection == connection).map(|hour| (hour.hour, hour.came)).collect()
    }
}

conforming! {
    async fn hours_add_up(kind) {
        let db = Db::open(kind).await;
        db.store.add_heard(vec![came("outra", 1, 1, 0), came("centro", 1, 0, 2), came("centro", 0, 3, 1)], at(1)).await.unwrap();
        db.store.add_heard(vec![came("centro", 1, 5, 0)], at(1)).await.unwrap();
        db.store.add_heard(vec![came("centro", 0, 0, 7), came("centro", 0, 1, 0)], at(1)).await.unwrap();
        let db = db.reopen().await;
        assert_eq!(db.store.heard().await.unwrap(), [came("centro", 0, 4, 8), came("centro", 1, 5, 2), came("outra", 1, 1, 0)]);
        let late = HeardHour { came: Hour { last: Some(at(0) + SignedDuration::from_mins(9)), ..came("centro", 0, 1, 0).came }, ..came("centro", 0, 1, 0) };
        db.store.add_heard(vec![late.clone(), came("centro", 0, 1, 0)], at(1)).await.unwrap();
        assert_eq!(db.store.heard().await.unwrap()[0].came.last, late.came.last, "the latest");
    }

    async fn what_is_too_old_is_forgotten(kind) {
        let db = Db::open(kind).await;
        let hours = |rows: &[HeardHour]| rows.iter().map(|row| (row.hour, row.came)).collect::<Vec<_>>();
        db.store.add_heard(vec![came("centro", 0, 1, 0), came("centro", 1, 0, 1), came("centro", 9, 1, 0), came("outra", 0, 1, 0)], at(9)).await.unwrap();
        db.store.add_heard(vec![came("centro", KEPT + 2, 0, 1)], at(KEPT + 2)).await.unwrap();
        let kept = [came("centro", 0, 1, 0), came("centro", 9, 1, 0), came("centro", KEPT + 2, 0, 1)];
        assert_eq!(db.hours_of("centro").await, hours(&kept), "of who says nothing, refusals");
        db.store.add_heard(vec![came("centro", KEPT + 2, 1, 0)], at(KEPT + 2)).await.unwrap();
        assert_eq!(db.hours_of("centro").await, hours(&[came("centro", 9, 1, 0), came("centro", KEPT + 2, 1, 1)]));
        assert_eq!(db.hours_of("outra").await, hours(&[came("outra", 0, 1, 0)]), "another's stay");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// The store keeps what the memory keeps.
    #[test]
    fn it_forgets_as_the_decision_does(hours in prop::collection::vec((0..2 * KEPT, any::<bool>()), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let db = Db::open(Kind::SqliteMemory).await;
            let (mut heard, mut sorted) = (Heard::default(), hours);
            sorted.sort_unstable();
            for (hour, accepted) in sorted {
                let row = came("centro", hour, u64::from(accepted), u64::from(!accepted));
                heard.add(row.hour, row.came);
                heard.forget(at(hour));
                db.store.add_heard(vec![row], at(hour)).await.unwrap();
            }
            assert_eq!(db.hours_of("centro").await, heard.hours().collect::<Vec<_>>());
        });
    }
}

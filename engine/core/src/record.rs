//! Records: what is remembered about things, and how it changes.
//!
//! A record that a source feeds is written by its events, the newest of them last: an older event changes nothing. A record
//! that actions write is written field by field, because jobs may run in any order: of each field the newest event has the
//! last word. What a person says of either is as new as the moment in which they say it: what happened before changes it no more, what
//! happens later does.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::effect::RecordEdit;
use crate::id::EventId;

/// Entries that a list field keeps; beyond that the oldest go.
pub const LIST_MAX: usize = 50;

/// Which event wrote something: the later of two is the one that happened later; of one instant, the one that arrived later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// When it happened.
    pub time: Timestamp,
    /// Ids sort by arrival.
    pub event: EventId,
}

/// What is remembered of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordRow {
    /// The time of the newest event that wrote it; 1970 where none did.
    pub time: Timestamp,
    /// The record: a JSON object.
    pub document: Value,
    /// Of the fields that actions wrote, the event that they wrote them for; of those that people did, when.
    pub stamps: BTreeMap<String, Stamp>,
}

impl Stamp {
    /// Of what a person says at `now`: it comes after all that arrives in the same instant.
    fn of_person(now: Timestamp) -> Self {
        Self { time: now, event: EventId::from_bytes([0xff; 16]) }
    }

    /// Of an entry of a list.
    fn of(entry: &Value) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        Some(Self { time: text("at")?.parse().ok()?, event: text("event")?.parse().ok()? })
    }
}

impl RecordRow {
    /// What a source says at `time`, on top of what is known; `None`: it is older than that. A field of which a person has said something
    /// since stays.
    pub fn fed(known: Option<&Self>, fields: &Map<String, Value>, time: Timestamp) -> Option<Self> {
        if known.is_some_and(|row| time < row.time) {
            return None;
        }
        let mut row = known.cloned().unwrap_or_else(|| Self::empty(time));
        row.time = time;
        for (name, value) in fields {
            if row.stamps.get(name).is_none_or(|said| said.time <= time) {
                row.stamps.remove(name);
                row.put(name, value.clone());
            }
        }
        Some(row)
    }

    /// What an import says, which knows less than any event: only what is not known yet is taken, unless `replace`.
    pub fn imported(known: Option<&Self>, fields: &Map<String, Value>, replace: bool) -> Self {
        let mut row = known.cloned().unwrap_or_else(|| Self::empty(Timestamp::UNIX_EPOCH));
        for (name, value) in fields {
            let news = row.document.get(name).is_none_or(|old| old.is_null() || old.as_array().is_some_and(Vec::is_empty));
            if news || replace {
                row.put(name, value.clone());
            }
        }
        row
    }

    /// What an action writes because of an event.
    pub fn edited(known: Option<&Self>, edit: &RecordEdit, stamp: Stamp) -> Self {
        let mut row = known.cloned().unwrap_or_else(|| Self::empty(stamp.time));
        row.time = row.time.max(stamp.time);
        for (name, value) in &edit.set {
            if row.stamps.get(name).is_none_or(|written| stamp >= *written) {
                row.stamps.insert(name.clone(), stamp);
                row.put(name, value.clone());
            }
        }
        for (name, text) in &edit.append {
            let mut list = row.document.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            let place = list.iter().rposition(|entry| Stamp::of(entry).is_none_or(|at| at <= stamp)).map_or(0, |place| place + 1);
            list.insert(place, json!({ "at": stamp.time, "event": stamp.event, "text": text }));
            let surplus = list.len().saturating_sub(LIST_MAX);
            list.drain(..surplus);
            row.put(name, Value::Array(list));
        }
        row
    }

    /// What a person says at `now`. It is done whatever is known: they have seen that.
    pub fn amended(known: Option<&Self>, fields: &Map<String, Value>, now: Timestamp) -> Self {
        let mut row = known.cloned().unwrap_or_else(|| Self::empty(Timestamp::UNIX_EPOCH));
        let said = Stamp::of_person(now);
        for (name, value) in fields {
            row.stamps.entry(name.clone()).and_modify(|stamp| *stamp = said.max(*stamp)).or_insert(said);
            row.put(name, value.clone());
        }
        row
    }

    fn empty(time: Timestamp) -> Self {
        Self { time, document: Value::Object(Map::new()), stamps: BTreeMap::new() }
    }

    fn put(&mut self, name: &str, value: Value) {
        if let Value::Object(fields) = &mut self.document {
            fields.insert(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_000_000 + second).unwrap()
    }

    /// Event `number` of those that happened at one instant.
    fn stamp(second: i64, number: u16) -> Stamp {
        Stamp { time: at(second), event: EventId::new(at(9), number, &crate::SeededEntropy::new(u64::from(number) * 77)) }
    }

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn edit(set: Value, note: &str) -> RecordEdit {
        let append = [("notes".to_owned(), note.to_owned())].into();
        RecordEdit { record: "contact".into(), id: "7".into(), set: fields(set), append }
    }

    #[test]
    fn a_person_outranks_older_events_and_no_newer_one() {
        let known = RecordRow::fed(None, &fields(json!({ "phone": "1", "name": "Ana" })), at(5)).unwrap();
        let row = RecordRow::corrected(Some(&known), &fields(json!({ "phone": "2" })), stamp(9, 0));
        assert_eq!((&row.document, row.time), (&json!({ "phone": "2", "name": "Ana" }), at(5)));
        // One that happened before and came after: what it says of the rest counts.
        let late = RecordRow::fed(Some(&row), &fields(json!({ "phone": "3", "name": "Bia" })), at(7)).unwrap();
        assert_eq!(late.document, json!({ "phone": "2", "name": "Bia" }));
        let edited = RecordRow::edited(Some(&late), &edit(json!({ "phone": "4" }), "n"), stamp(8, 1));
        assert_eq!(edited.document["phone"], "2");
        let newer = RecordRow::fed(Some(&late), &fields(json!({ "phone": "5" })), at(10)).unwrap();
        assert_eq!((&newer.document["phone"], newer.stamps.contains_key("phone")), (&json!("5"), false));
        let unknown = RecordRow::corrected(None, &fields(json!({ "price": 7 })), stamp(9, 0));
        let fed = RecordRow::fed(Some(&unknown), &fields(json!({ "price": 8, "code": "a" })), at(1)).unwrap();
        assert_eq!(fed.document, json!({ "price": 7, "code": "a" }), "an event of before still tells the rest");
    }

    #[test]
    fn an_older_event_does_not_feed() {
        let row = RecordRow::fed(None, &fields(json!({ "phone": "2", "name": "Ana" })), at(5)).unwrap();
        assert_eq!(RecordRow::fed(Some(&row), &fields(json!({ "phone": "1" })), at(4)), None);
        let row = RecordRow::fed(Some(&row), &fields(json!({ "phone": "3" })), at(5)).unwrap();
        assert_eq!(row.document, json!({ "phone": "3", "name": "Ana" }), "ties by arrival; other fields stay");
    }

    #[test]
    fn an_import_fills_gaps() {
        let known = RecordRow::fed(None, &fields(json!({ "phones": [], "name": "Ana", "email": null })), at(5)).unwrap();
        let more = fields(json!({ "phones": ["1"], "name": "Anna", "email": "a@example.com", "document": "7" }));
        let row = RecordRow::imported(Some(&known), &more, false);
        assert_eq!(row.document, json!({ "phones": ["1"], "name": "Ana", "email": "a@example.com", "document": "7" }));
        assert_eq!(row.time, at(5), "any event is newer than an import");
        assert_eq!(RecordRow::imported(Some(&known), &more, true).document["name"], "Anna");
    }

    #[test]
    fn a_persons_word_stands_until_something_happens() {
        let said = |row: Option<&RecordRow>, second| RecordRow::amended(row, &fields(json!({ "stage": "by hand" })), at(second));
        let row = RecordRow::edited(None, &edit(json!({ "stage": "lead" }), "first"), stamp(1, 0));
        let row = said(Some(&row), 5);
        assert_eq!((&row.document["stage"], row.time), (&json!("by hand"), at(1)), "no event has happened");
        for (second, stage) in [(4, "by hand"), (5, "by hand"), (6, "lead")] {
            let next = RecordRow::edited(Some(&row), &edit(json!({ "stage": "lead", "phone": 1 }), ""), stamp(second, 9));
            assert_eq!((&next.document["stage"], &next.document["phone"]), (&json!(stage), &json!(1)), "{second}");
            let fed = RecordRow::fed(Some(&row), &fields(json!({ "stage": "lead", "phone": 1 })), at(second)).unwrap();
            let stage = if second == 4 { stage } else { "lead" };
            assert_eq!((&fed.document["stage"], &fed.document["phone"]), (&json!(stage), &json!(1)), "{second}");
        }
        // Of an event that is ahead of the clock, too.
        let ahead = RecordRow::edited(None, &edit(json!({ "stage": "lead" }), ""), stamp(9, 0));
        assert_eq!(said(Some(&ahead), 5).document["stage"], "by hand");
        assert_eq!(said(None, 5).time, Timestamp::UNIX_EPOCH, "any event is newer than no event");
    }

    #[test]
    fn a_list_keeps_its_newest_entries() {
        let mut row = RecordRow::empty(at(0));
        for second in 0..LIST_MAX as i64 + 5 {
            row = RecordRow::edited(Some(&row), &edit(json!({}), &second.to_string()), stamp(second, 0));
        }
        let notes = row.document["notes"].as_array().unwrap();
        assert_eq!((notes.len(), &notes[0]["text"]), (LIST_MAX, &json!("5")));
    }

    proptest! {
        /// Jobs may run in any order: the record comes out the same.
        #[test]
        fn edits_commute(order in Just((0..6_i64).collect::<Vec<_>>()).prop_shuffle(), of_one_instant in any::<bool>()) {
            let run = |order: &[i64]| {
                let edits = order.iter().map(|second| {
                    let mut set = json!({ "stage": format!("stage {second}") });
                    if second % 2 == 0 {
                        set["phone"] = json!(second);
                    }
                    (edit(set, &format!("note {second}")), stamp(if of_one_instant { 1 } else { *second }, *second as u16))
                });
                edits.fold(None, |row: Option<RecordRow>, (edit, stamp)| Some(RecordRow::edited(row.as_ref(), &edit, stamp)))
            };
            let row = run(&order).unwrap();
            prop_assert_eq!(&row.document["stage"], "stage 5");
            prop_assert_eq!(&row.document["phone"], 4);
            prop_assert_eq!(Some(row), run(&[0, 1, 2, 3, 4, 5]));
        }
    }
}

//! Makes an arrival of what a delivery says.

use std::sync::Arc;

use jiff::Timestamp;
use zelo_core::timing::Timetable;
use zelo_core::{Arrival, Event, EventId, Indexer, Person, RecordRef, RecordWrite};

use super::Reading;
use super::people::disjoint;

/// The way by which a delivery came in.
#[derive(Clone, Copy, Debug)]
pub struct Through<'a> {
    pub connection: &'a str,
    pub source: &'a str,
    /// The clinic of events that name none.
    pub clinic: Option<&'a str>,
    /// The id of the event that it becomes.
    pub event: EventId,
    pub received: Timestamp,
}

impl Reading {
    /// The event of what was read.
    pub fn event(&self, through: &Through<'_>) -> Event {
        Event {
            id: through.event,
            connection: through.connection.to_owned(),
            source: through.source.to_owned(),
            kind: self.kind.clone(),
            time: self.time.unwrap_or(through.received),
            received: through.received,
            entity: self.entity.clone(),
            subjects: self.subjects(),
            clinic: self.clinic.clone().or_else(|| through.clinic.map(str::to_owned)),
            data: self.data.clone(),
            cause: None,
        }
    }

    /// The arrival of what was read from `body`, which identifies it where nothing else does, with no candidates yet: they are matched against its event.
    pub fn arrival(self, through: &Through<'_>, body: &[u8], index: &Indexer, timetable: Arc<dyn Timetable>) -> Arrival {
        let connection = through.connection;
        let delivery = match &self.delivery_id {
            Some(id) => index.delivery(connection, &self.kind, id),
            None => index.delivery_body(connection, &self.kind, body),
        };
        let event = self.event(through);
        let clinic = &event.clinic;
        // What is not in its form is not believed: neither what it says of records nor what else people are known by.
        let quarantined = self.violation.is_some();
        let records = self.records.into_iter().filter(|_| !quarantined).map(|record| RecordWrite {
            key: RecordRef { hash: index.record(connection, &record.kind, &record.id), kind: record.kind },
            id: record.id,
            fields: record.fields,
            subject: record.subject.map(|subject| index.subject(connection, &subject)),
            clinic: record.clinic.or_else(|| clinic.clone()),
        });
        // Where rules read it as JSON, that is what is kept.
        let body: Arc<[u8]> = self.data.text().map_or_else(|| Arc::from(body), Arc::clone);
        let people = self.people.iter().enumerate();
        let mut people: Vec<Person> = people.map(|(place, person)| person.person(connection, &body, index, place == 0)).collect();
        disjoint(&mut people);
        people.iter_mut().filter(|_| quarantined).for_each(|person| person.identities.clear());
        Arrival {
            records: records.collect(),
            entity: self.entity.as_ref().map(|entity| index.entity(connection, &entity.kind, &entity.id)),
            people,
            consents: Vec::new(),
            event,
            body,
            delivery,
            quarantined,
            candidates: Vec::new(),
            timetable,
        }
    }
}

//! What the benchmarks of the store store: a clinic's appointments.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use zelo_core::event::Entity;
use zelo_core::job::Reason;
use zelo_core::timing::{Due, DueQuestion, Records, Timetable};
use zelo_core::{
    Arrival, AutomationId, Candidate, Event, EventId, Indexer, Lane, LookupRef, Origin, OverTime, Person, Plan, RecordRef, RecordWrite,
    SeededEntropy, SignedDuration, Timestamp,
};

pub(crate) const IN_FLIGHT: usize = 256;
pub(crate) const BODY: usize = 3 * 1024;
const PATIENTS: u64 = 5_000;

/// Has `IN_FLIGHT` callers work `items` off, each one after the other.
pub(crate) async fn run<T: Send + 'static, F: Future<Output = ()> + Send + 'static>(items: Vec<T>, work: impl Fn(T) -> F) {
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    for item in items {
        let permit = permits.clone().acquire_owned().await.unwrap();
        let work = work(item);
        tokio::spawn(async move {
            work.await;
            drop(permit);
        });
    }
    drop(permits.acquire_many(IN_FLIGHT as u32).await.unwrap());
}

pub(crate) fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// About three kilobytes of JSON.
pub(crate) fn body(number: u64) -> Arc<[u8]> {
    let note: String = (0..BODY - 120).map(|place| char::from(b'a' + ((place as u64 * 7 + number) % 26) as u8)).collect();
    let patient = number % PATIENTS;
    Arc::from(json!({ "data": { "id": number, "patient": { "id": patient }, "note": note } }).to_string().as_bytes())
}

pub(crate) fn arrival(index: &Indexer, number: u64, fires: bool) -> Arrival {
    let body = body(number);
    let patient = (number % PATIENTS).to_string();
    let now = Timestamp::from_millisecond(1_772_000_000_000 + number as i64).unwrap();
    let record = RecordRef { kind: "patient".into(), hash: index.record("centro", "patient", &patient) };
    let subject = index.subject("centro", &patient);
    let automation = AutomationId::new("appointment-reminder", "centro", None);
    let key = index.job_key(&automation, "remind", &number.to_string());
    let lookup = LookupRef { name: "patient".into(), position: 0, singular: true, record: record.clone() };
    let anchor = now.saturating_add(SignedDuration::from_hours(99)).unwrap();
    let candidate = Candidate {
        origin: Arc::new(Origin {
            automation,
            rule: "appointment-reminder".into(),
            action: "remind".into(),
            rule_digest: "0123456789abcdef".repeat(4),
        }),
        plan: Plan::Fire {
            key: Some(key),
            anchor: Some(Ok(anchor)),
            lookups: vec![lookup],
            needs: Vec::new(),
            also_about: Vec::new(),
            over: OverTime::default(),
            lane: Lane::default(),
        },
    };
    let fields = json!({ "name": "Ana", "phones": ["5511900000000"], "last": number });
    let write = RecordWrite {
        key: record,
        id: patient.clone(),
        fields: fields.as_object().unwrap().clone(),
        subject: Some(subject),
        clinic: Some("7".into()),
    };
    Arrival {
        event: Event {
            id: EventId::new(now, 0, &SeededEntropy::new(number)),
            connection: "centro".into(),
            source: "clinicarx".into(),
            kind: "appointment.created".into(),
            time: now,
            received: now,
            entity: Some(Entity { kind: "appointment".into(), id: number.to_string() }),
            subjects: vec![patient],
            clinic: Some("7".into()),
            data: Value::Null.into(),
            cause: None,
        },
        delivery: index.delivery_body("centro", "appointment.created", &body),
        quarantined: false,
        body,
        entity: Some(index.entity("centro", "appointment", &number.to_string())),
        people: vec![Person::new(subject)],
        consents: Vec::new(),
        records: if fires && number.is_multiple_of(8) { vec![write] } else { Vec::new() },
        candidates: if fires { vec![candidate] } else { Vec::new() },
        timetable: Arc::new(DayBefore),
    }
}

struct DayBefore;

impl Timetable for DayBefore {
    fn due(&self, question: &DueQuestion<'_>, _: &dyn Records) -> Result<Due, Reason> {
        let at = question.anchor.unwrap_or(question.reference).saturating_add(SignedDuration::from_hours(-24)).unwrap();
        Ok(Due { at, expires: None })
    }
}

//! What is called of zelo: the only file here that changes when its interface does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use zelo_core::grants::Capability;
use zelo_core::{AutomationId, Candidate, Event, EventId, Indexer, Timestamp};
use zelo_rules::{Automation, Delivery, Facts, FileText, Files, Headers, InForce, PluginFacts, PluginWords, Plugins, Read, RuleSet};

use crate::workload;

const SOURCE: &str = r#"
id = "network"
title = "A clinic network"
timezone = "UTC"
clinic_timezone = "America/Sao_Paulo"
[receive]
format = "json"
verify = { kind = "token", header = "x-token" }
[[events]]
match = { path = "event" }
type = "agenda.event"
time = "$.created_at"
entity = { type = "appointment", id = "$.data.appointment.id" }
subjects = [{ id = "$.data.patient.id" }]
clinic = "$.data.clinic.id"
[classes]
public = ["$.data.appointment.id"]
"#;

struct OnePlugin;

impl Plugins for OnePlugin {
    fn plugin(&self, name: &str) -> Option<PluginFacts> {
        (name == "note").then(|| PluginFacts {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            digest: "00".to_owned(),
            imports: vec![Capability::Log],
            inputs: json!({ "type": "object", "properties": { "id": { "type": "string" } } }),
            words: PluginWords::default(),
        })
    }

    fn names(&self) -> Vec<String> {
        vec!["note".to_owned()]
    }
}

/// What an event matches, as zelo says it.
pub(crate) type Matched = Vec<Candidate>;

/// The numbers of the rules, in order.
pub(crate) fn numbers(matched: &Matched) -> Vec<usize> {
    let numbers = matched.iter().map(|candidate| workload::number(&candidate.origin.rule).expect("the id of a rule of the bench"));
    let mut numbers: Vec<usize> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

/// A rule set in force, all rules switched on.
pub(crate) struct Zelo {
    in_force: InForce,
    index: Indexer,
}

/// How long it took to build.
pub(crate) struct Took {
    /// From texts to checked rules.
    pub(crate) load: Duration,
    /// From rules to what is in force.
    pub(crate) join: Duration,
}

/// The files of a rule set.
pub(crate) fn files(rules: Vec<FileText>) -> Files {
    let source = FileText { name: "rules/sources/network.toml".to_owned(), text: SOURCE.to_owned() };
    Files { sources: vec![source], rules, samples: vec![] }
}

impl Zelo {
    /// Builds it from its files.
    ///
    /// # Panics
    /// Where zelo finds anything to say about them, warnings too.
    pub(crate) fn build(files: &Files) -> (Self, Took) {
        let begun = Instant::now();
        let loaded = zelo_rules::load(files, &OnePlugin);
        let load = begun.elapsed();
        assert!(loaded.diagnostics.is_empty(), "{}", zelo_rules::render(&loaded.diagnostics, files));
        let rules = Arc::new(loaded.set.expect("a set, where nothing is wrong"));
        let begun = Instant::now();
        let automations = rules.rules().map(|rule| Automation {
            id: AutomationId::new(&rule.id, "network", None),
            rule: rule.id.clone(),
            connection: "network".to_owned(),
            clinic: None,
            settings: Map::new(),
            enabled: true,
        });
        let in_force = InForce::new(Arc::clone(&rules), automations.collect());
        assert!(in_force.problems().is_empty(), "an automation of the bench does not work");
        (Self { in_force, index: Indexer::new(&[7; 32]) }, Took { load, join: begun.elapsed() })
    }

    /// The events of these deliveries.
    pub(crate) fn read(&self, bodies: &[String]) -> Vec<Event> {
        let read = |body: &String| {
            let rules = self.in_force.rules();
            let text: Arc<[u8]> = body.as_bytes().into();
            let event = event(rules, body.as_bytes(), &text, &rules.facts(&text).expect("JSON"));
            // With its tree.
            Event { data: Value::clone(&event.data).into(), ..event }
        };
        bodies.iter().map(read).collect()
    }
}

/// From the bytes of a delivery to what is wanted because of it: what intake does before it stores.
pub(crate) fn from_bytes(zelo: &Zelo, body: &[u8]) -> Matched {
    let rules = zelo.in_force.rules();
    let text: Arc<[u8]> = body.into();
    let facts = rules.facts(&text).expect("JSON");
    zelo.in_force.candidates_of(&event(rules, body, &text, &facts), &facts, &zelo.index)
}

/// From an event that was read already.
pub(crate) fn from_tree(zelo: &Zelo, event: &Event) -> Matched {
    zelo.in_force.candidates(event, &zelo.index)
}

fn event(rules: &RuleSet, body: &[u8], text: &Arc<[u8]>, facts: &Facts<'_>) -> Event {
    let headers = Headers::default();
    let delivery = Delivery { path: "event", url: "", headers: &headers, body };
    let source = rules.source("network").expect("the source of the bench");
    let Read::Event(reading) = source.read_facts(&delivery, text, facts) else { panic!("an event of the bench is refused") };
    let now = Timestamp::UNIX_EPOCH;
    Event {
        id: EventId::from_bytes([0; 16]),
        connection: "network".to_owned(),
        source: "network".to_owned(),
        kind: reading.kind.clone(),
        time: reading.time.unwrap_or(now),
        received: now,
        subjects: reading.subjects(),
        entity: reading.entity,
        clinic: reading.clinic,
        data: reading.data,
        cause: None,
    }
}

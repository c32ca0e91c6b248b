//! Reading and matching an event, from its bytes, beside what merely parsing the same bytes takes. Prints one line per
//! number of rules, with the ratio to sonic-rs's bare parse.
//!
//! The workload is the shape of a clinic network: events of about 3 KB, rules of two to four conditions (equality, one of a
//! list, membership, prefix, presence, range), of which more belong to one clinic the more there are.
//!
//! `cargo bench -p zelo-rules`

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zelo_core::grants::Capability;
use zelo_core::{AutomationId, Entropy, Event, EventId, Indexer, SeededEntropy, Timestamp};
use zelo_rules::{Automation, Delivery, FileText, Files, Headers, InForce, PluginFacts, PluginWords, Plugins, Read, RuleSet};

const ROUNDS: usize = 9;
const EVENTS: usize = 200;
const TYPES: [&str; 6] = ["created", "updated", "confirmed", "cancelled", "finished", "no_show"];
const STATUS: [&str; 5] = ["scheduled", "confirmed", "waiting", "finished", "cancelled"];
const CHANNELS: [&str; 4] = ["whatsapp", "web", "phone", "front_desk"];
const CLINICS: u64 = 2_000;

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

/// Repeatable choices.
struct Dice(SeededEntropy);

impl Dice {
    fn below(&self, sides: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % sides
    }

    fn one_of<'a>(&self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

fn event(dice: &Dice) -> String {
    let services: Vec<Value> = (0..1 + dice.below(3))
        .map(|_| json!({ "service_code": format!("{}", 10_101_000 + 7 * dice.below(120)), "quantity": 1 + dice.below(2), "unit_price": 189.9,
            "description": "retorno em quinze dias trazer exames anteriores", "professional": { "id": dice.below(9000), "name": "Beatriz Exemplo" } }))
        .collect();
    let notes = "paciente relata dor leve ao movimentar o braço direito, retorno em quinze dias, trazer exames anteriores ".repeat(8);
    json!({
        "id": format!("evt_{}", dice.below(u64::MAX)), "api_version": "2026-01-15", "created_at": "2026-01-15T12:00:00Z",
        "data": {
            "event_type": dice.one_of(&TYPES), "event_status": dice.one_of(&STATUS), "channel": dice.one_of(&CHANNELS),
            "clinic": { "id": 1 + dice.below(CLINICS), "name": "Clínica Exemplo", "timezone": "America/Sao_Paulo" },
            "tenancy": { "id": format!("tn_{:03}", dice.below(40)), "plan": dice.one_of(&["free", "pro"]) },
            "appointment": { "id": dice.below(10_000_000), "start": "2026-02-01T12:00:00Z", "notes": notes, "kind": "consultation" },
            "patient": { "id": dice.below(900_000), "name": format!("{} Exemplo", dice.one_of(&["Ana", "João", "Íris", "Marina"])), "email": "a@example.com" },
            "services": services, "payment": { "amount": dice.below(1_000), "method": dice.one_of(&["pix", "card", "cash"]) },
            "tags": [dice.one_of(&["vip", "return", "urgent"])],
        },
        "metadata": { "origin_ip": "10.1.2.3", "user_agent": "AgendaWebhooks/3.2", "labels": { "team": "norte".repeat(20), "campaign": "abc".repeat(40) } },
    })
    .to_string()
}

fn condition(dice: &Dice, kind: u64) -> String {
    match kind {
        0 => format!("{{ path = \"$.data.event_type\", equals = \"{}\" }}", dice.one_of(&TYPES)),
        1 => format!("{{ path = \"$.data.event_status\", in = [\"{}\", \"{}\"] }}", dice.one_of(&STATUS), dice.one_of(&STATUS)),
        2 => format!("{{ path = \"$.data.channel\", equals = \"{}\" }}", dice.one_of(&CHANNELS)),
        3 => format!("{{ path = \"$.data.services[*].service_code\", equals = \"{}\" }}", 10_101_000 + 7 * dice.below(120)),
        4 => format!("{{ path = \"$.data.patient.name\", starts_with = \"{}\" }}", dice.one_of(&["A", "Jo", "Mar"])),
        5 => "{ path = \"$.data.insurance.plan_id\", exists = true }".to_owned(),
        6 => format!("{{ path = \"$.data.payment.amount\", gte = {} }}", dice.below(1_000)),
        7 => format!("{{ path = \"$.data.tenancy.id\", equals = \"tn_{:03}\" }}", dice.below(40)),
        _ => format!("{{ path = \"$.data.clinic.id\", equals = {} }}", 1 + dice.below(CLINICS)),
    }
}

fn rule(dice: &Dice, number: usize, of: usize) -> FileText {
    let own = dice.below(100);
    let first = match of {
        0..=10 => dice.below(8),
        11..=100 => 7,
        _ if own < 90 => 8,
        _ => 7,
    };
    let conditions: Vec<String> =
        std::iter::once(first).chain((0..1 + dice.below(3)).map(|_| dice.below(7))).map(|kind| condition(dice, kind)).collect();
    let text = format!(
        "id = \"r{number}\"\ntitle = \"R\"\non = [\"agenda.event\"]\n[when]\nall = [\n{},\n]\n[[then]]\nname = \"note\"\nplugin = \"note\"\n\
         [then.allow]\nid = \"$.data.appointment.id\"\n[then.with]\nid = \"{{{{ id }}}}\"\n",
        conditions.join(",\n")
    );
    FileText { name: format!("rules/r{number}.toml"), text }
}

fn rules(dice: &Dice, count: usize) -> Arc<RuleSet> {
    let files = Files {
        sources: vec![FileText { name: "rules/sources/network.toml".to_owned(), text: SOURCE.to_owned() }],
        rules: (0..count).map(|number| rule(dice, number, count)).collect(),
        samples: vec![],
    };
    let loaded = zelo_rules::load(&files, &OnePlugin);
    let Some(set) = loaded.set else { panic!("{}", zelo_rules::render(&loaded.diagnostics, &files)) };
    Arc::new(set)
}

/// From bytes to candidates: what intake does before it stores.
fn read_and_match(rules: &RuleSet, in_force: &InForce, index: &Indexer, body: &[u8]) -> usize {
    let headers = Headers::default();
    let delivery = Delivery { path: "event", url: "", headers: &headers, body };
    let source = rules.source("network").expect("the source of the bench");
    let Ok(Read::Event(reading)) = source.read(&delivery) else { panic!("an event of the bench is refused") };
    let now = Timestamp::UNIX_EPOCH;
    let event = Event {
        id: EventId::from_bytes([0; 16]),
        connection: "network".to_owned(),
        source: "network".to_owned(),
        kind: reading.kind,
        time: reading.time.unwrap_or(now),
        received: now,
        entity: reading.entity,
        subjects: reading.subjects,
        clinic: reading.clinic,
        data: reading.data,
        cause: None,
    };
    in_force.candidates(&event, index).len()
}

/// The median time of an event over all rounds.
fn median(mut rounds: Vec<Duration>) -> f64 {
    rounds.sort();
    rounds[rounds.len() / 2].as_secs_f64() * 1e6 / EVENTS as f64
}

fn timed(mut each: impl FnMut()) -> Duration {
    let start = Instant::now();
    each();
    start.elapsed()
}

fn main() {
    let dice = Dice(SeededEntropy::new(20_260_101));
    let events: Vec<String> = (0..EVENTS).map(|_| event(&dice)).collect();
    let bytes: usize = events.iter().map(String::len).sum();
    println!("matching: {EVENTS} events of {} bytes, medians, µs an event", bytes / EVENTS);
    println!("{:>8} {:>12} {:>12} {:>12} {:>10} {:>10}", "rules", "sonic-rs", "serde_json", "zelo", "ratio", "matches");
    let index = Indexer::new(&[7; 32]);
    for count in [10, 100, 1_000, 10_000] {
        let rules = rules(&dice, count);
        let automations = rules.rules().map(|rule| Automation {
            id: AutomationId::new(&rule.id, "network", None),
            rule: rule.id.clone(),
            connection: "network".to_owned(),
            clinic: None,
            settings: serde_json::Map::new(),
            enabled: true,
        });
        let in_force = InForce::new(rules.clone(), automations.collect());
        let (mut sonic, mut serde, mut zelo, mut matches) = (Vec::new(), Vec::new(), Vec::new(), 0);
        // Rules are evaluated one by one so far: many of them take long.
        for _ in 0..if count > 1_000 { 3 } else { ROUNDS } {
            sonic.push(timed(|| {
                for event in &events {
                    black_box(sonic_rs::from_str::<sonic_rs::Value>(event).expect("JSON"));
                }
            }));
            serde.push(timed(|| {
                for event in &events {
                    black_box(serde_json::from_str::<Value>(event).expect("JSON"));
                }
            }));
            matches = 0;
            zelo.push(timed(|| matches = events.iter().map(|event| read_and_match(&rules, &in_force, &index, event.as_bytes())).sum()));
        }
        let (sonic, serde, zelo) = (median(sonic), median(serde), median(zelo));
        println!("{count:>8} {sonic:>12.1} {serde:>12.1} {zelo:>12.1} {:>9.1}x {:>10.1}", zelo / sonic, matches as f64 / EVENTS as f64);
    }
}

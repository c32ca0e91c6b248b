//! Queries over a parsed event of a clinic, beside the same ones evaluated by serde_json_path. Prints one line per query, with
//! the ratio of the two.
//!
//! `cargo bench --bench jsonpath`

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use serde_json_path::JsonPath;
use zelo_rules::Path;

const ROUNDS: usize = 25;
const RUNS: u32 = 2_000;

const QUERIES: [&str; 7] = [
    "$.data.clinic.name",
    "$.data.services[*].service_code",
    "$.data.services[?@.service_code == '1004' && @.unit_price > 10]",
    "$.data.services[?match(@.service_code, '10.*')].professional.id",
    "$..id",
    "$..*",
    "$.data[?@[?@.quantity == 2]]",
];

/// About 3 KB, as JSON.
fn event() -> Value {
    let notes = "paciente relata dor leve ao movimentar o braço direito, retorno em quinze dias, trazer exames anteriores ".repeat(15);
    let services: Vec<Value> = ["1002", "1004", "1009"]
        .iter()
        .map(|code| {
            json!({ "service_code": code, "quantity": 2, "unit_price": 189.9, "description": "retorno em quinze dias trazer exames anteriores",
                "professional": { "id": 41, "name": "Beatriz Exemplo" } })
        })
        .collect();
    json!({
        "id": "evt_1", "api_version": "2026-01-15", "created_at": "2026-01-15T12:00:00Z",
        "data": {
            "event_type": "created", "event_status": "scheduled", "channel": "whatsapp",
            "clinic": { "id": 7, "name": "Clínica Exemplo", "timezone": "America/Sao_Paulo" },
            "tenancy": { "id": "tn_001", "plan": "pro" },
            "appointment": { "id": 1_234_567, "start": "2026-02-01T12:00:00Z", "notes": notes, "kind": "consultation" },
            "patient": { "id": 4711, "name": "Ana Exemplo", "email": "a@example.com" },
            "services": services, "payment": { "amount": 379.8, "method": "pix" }, "tags": ["vip", "return"],
        },
        "metadata": { "origin_ip": "10.1.2.3", "user_agent": "AgendaWebhooks/3.2", "labels": { "team": "norte".repeat(20), "campaign": "abc".repeat(40) } },
    })
}

/// µs a run: the median over all rounds.
fn median(mut rounds: Vec<Duration>) -> f64 {
    rounds.sort();
    rounds[rounds.len() / 2].as_secs_f64() * 1e6 / f64::from(RUNS)
}

fn timed(mut each: impl FnMut() -> usize) -> Duration {
    let start = Instant::now();
    for _ in 0..RUNS {
        black_box(each());
    }
    start.elapsed()
}

fn main() {
    let event = event();
    println!("jsonpath: an event of {} bytes, medians, µs a query", event.to_string().len());
    println!("{:>15} {:>10} {:>10} {:>8}  query", "serde_json_path", "zelo", "ratio", "nodes");
    for query in QUERIES {
        let ours = Path::parse(query).expect("a query of the bench");
        let theirs = JsonPath::parse(query).expect("a query of the bench");
        let nodes = ours.nodes(&event).iter().count();
        assert_eq!(nodes, theirs.query(&event).len(), "{query}");
        let (mut own, mut other) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            other.push(timed(|| theirs.query(black_box(&event)).len()));
            own.push(timed(|| ours.nodes(black_box(&event)).iter().count()));
        }
        let (own, other) = (median(own), median(other));
        println!("{other:>15.3} {own:>10.3} {:>9.2}x {nodes:>8}  {query}", own / other);
    }
}

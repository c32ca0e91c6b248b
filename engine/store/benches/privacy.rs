//! What sealing and the audit log cost: the same work on a store with both, and on one with neither, in alternating rounds of one run.
//!
//! `cargo bench -p zelo-store --bench privacy --features unsealed` prints, for arrivals (as `ingest` stores them, with jobs) and for
//! jobs (claimed, settled with a journal of two entries and a message), how many a second each side does, and the median of the rounds' ratios.
//! What a plugin itself takes is not in it, so of a whole job the share is smaller. Only this feature can make a store that does not
//! seal, and nothing but this benchmark asks for it.

#![allow(clippy::unwrap_used, reason = "a benchmark fails where it unwraps")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use zelo_core::concurrency::unlimited;
use zelo_core::effect::{Body, Message};
use zelo_core::invocation::EventRef;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{AttemptEnd, LocalWrite, Report, Settlement};
use zelo_core::timing::Records;
use zelo_core::{Arrival, Disclosure, Effect, EffectResult, Grants, Invocation, JournalEntry, SeededEntropy, SignedDuration, Timestamp};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{MasterKey, Store, Work};

#[path = "work/mod.rs"]
mod work;

use work::{BODY, IN_FLIGHT, arrival, median, run};

fn main() {
    let setting = |name: &str, default: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (events, rounds) = (setting("PRIVACY_EVENTS", 10_000), setting("PRIVACY_ROUNDS", 5));
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let stores = [open(&folder.path().join("plain.db"), true).await, open(&folder.path().join("sealed.db"), false).await];
        let mut rates: [[Vec<f64>; 2]; 2] = Default::default();
        println!("{IN_FLIGHT} in flight, bodies of {BODY} bytes, {events} arrivals and jobs a round");
        println!("{:>5} {:>14} {:>14} {:>14} {:>14}", "round", "plain in/s", "sealed in/s", "plain jobs/s", "sealed jobs/s");
        for round in 0..=rounds {
            let numbers = (round * events) as u64..((round + 1) * events) as u64;
            let mut row = [[0.0; 2]; 2];
            // Who goes first takes turns, too.
            for side in [round % 2, 1 - round % 2] {
                let store = &stores[side];
                let arrivals: Vec<Arrival> = numbers.clone().map(|number| arrival(store.indexer(), number, true)).collect();
                let begun = Instant::now();
                run(arrivals, |arrival| {
                    let store = store.clone();
                    async move { drop(store.record(arrival).await.unwrap()) }
                })
                .await;
                row[0][side] = events as f64 / begun.elapsed().as_secs_f64();
                let begun = Instant::now();
                let jobs = work_off(store).await;
                assert_eq!(jobs, events, "every arrival made a job");
                row[1][side] = jobs as f64 / begun.elapsed().as_secs_f64();
            }
            if round > 0 {
                println!("{round:>5} {:>14.0} {:>14.0} {:>14.0} {:>14.0}", row[0][0], row[0][1], row[1][0], row[1][1]);
                for (rates, row) in rates.iter_mut().zip(row) {
                    rates.iter_mut().zip(row).for_each(|(rates, rate)| rates.push(rate));
                }
            }
        }
        for (what, [plain, sealed]) in ["arrivals", "jobs"].into_iter().zip(rates) {
            let shares = plain.iter().zip(&sealed).map(|(plain, sealed)| (1.0 - sealed / plain) * 100.0).collect();
            let (share, plain, sealed) = (median(shares), median(plain), median(sealed));
            println!("median: {what} {plain:.0}/s without, {sealed:.0}/s with; of a round, sealing and audit take {share:.0} %");
        }
    });
}

async fn open(path: &Path, unsealed: bool) -> Arc<SqliteStore> {
    let config = SqliteConfig { path: Some(path.to_owned()), unsealed, ..SqliteConfig::default() };
    SqliteStore::open(config, MasterKey::from_bytes([7; 32]), Arc::new(SeededEntropy::new(7))).await.unwrap()
}

/// Claims all jobs and settles them, as many side by side as are in flight; how many there were.
async fn work_off(store: &Arc<SqliteStore>) -> usize {
    let far = Timestamp::from_second(4_000_000_000).unwrap();
    let mut jobs = 0;
    loop {
        let claimed = store.claim(far, IN_FLIGHT as u32, SignedDuration::from_mins(5), unlimited()).await.unwrap();
        if claimed.is_empty() {
            return jobs;
        }
        jobs += claimed.len();
        run(claimed, |work| {
            let store = store.clone();
            async move { drop(store.settle(settlement(&work), far).await.unwrap()) }
        })
        .await;
    }
}

/// A reminder that was sent.
fn settlement(work: &Work) -> Settlement {
    let text = "Ana, your appointment is tomorrow at nine. To change it, answer this message.";
    let to = "+5511987654321".to_owned();
    let message = Message { channel: None, to, body: Body::Text { text: text.into() }, attachments: vec![], buttons: vec![] };
    let fields = ["patient", "starts_at", "clinic", "phone"].map(|name| (name.to_owned(), "personal".to_owned()));
    let invocation = Invocation {
        job: work.job.id.to_string(),
        rule: work.job.rule.clone(),
        action: work.job.action.clone(),
        event: EventRef { id: work.event.id.to_string(), kind: work.event.kind.clone(), time: work.event.time.to_string() },
        now: work.event.time.to_string(),
        seed: 1,
        locale: "pt-BR".into(),
        input: json!({ "to": message.to, "text": text }),
        grants: Grants::default(),
        plugin_digest: "0".repeat(64),
        disclosure: Disclosure {
            plugin: "reminder".into(),
            fields: fields.into(),
            purpose: Some("Lembrar o paciente da consulta".into()),
            basis: Some("lgpd:11.II.f".into()),
        },
        // One in eight patients has a record.
        records: work.job.lookups.iter().map(|lookup| lookup.record.hash).filter(|hash| work.records.record(*hash).is_some()).collect(),
    };
    let sent = EffectResult::Sent { message: zelo_store::effect_id(work.job.id, 1), channel: "outbox".into() };
    Settlement {
        job: work.job.id,
        lease: work.job.lease,
        end: AttemptEnd::Done { code: "sent".into() },
        journal: vec![
            (0, JournalEntry::Invocation(Box::new(invocation))),
            (1, JournalEntry::Effect { effect: Effect::Message(message.clone()), result: sent }),
        ],
        shown: None,
        local: vec![LocalWrite::Message { index: 1, channel: "outbox".into(), message }],
        emitted: vec![],
        outward: false,
        report: Report { summary: Some("sent".into()), ..Report::default() },
        policy: RetryPolicy::default(),
    }
}

//! One call of a plugin on a fresh instance, beside what wasmtime alone takes for the same component: the same pool,
//! epochs, instantiation and call, and nothing else. Prints one line per side and the ratio.
//!
//! `cargo bench -p zelo-host`; needs `plugins/build` to have run.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::json;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine, PoolingAllocationConfig, Store};
use zelo_core::grants::{Capability, Grants};
use zelo_core::invocation::EventRef;
use zelo_core::{Effect, EffectResult, Invocation};
use zelo_host::{Effects, End, Host, HostConfig, Level, Limits, Prepared, Stop};

mod bare {
    wasmtime::component::bindgen!({
        path: "../../wit/zelo-automation-0.1.0",
        world: "automation",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

use bare::zelo::automation::{log, messages, state, types};

const ROUNDS: usize = 15;
const CALLS: usize = 400;

/// A runtime that says yes.
struct Yes;

#[async_trait]
impl Effects for Yes {
    async fn perform(&mut self, effect: Effect) -> Result<EffectResult, Stop> {
        black_box(effect);
        Ok(EffectResult::Sent { message: "msg_1".into(), channel: "outbox".into() })
    }

    fn log(&mut self, _level: Level, _text: &str) {}
}

/// The bare host that says yes.
impl types::Host for Yes {}

impl log::Host for Yes {
    async fn write(&mut self, _level: log::Level, _text: String) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl messages::Host for Yes {
    async fn send(&mut self, message: messages::Message) -> wasmtime::Result<Result<messages::Sent, messages::Error>> {
        black_box(message);
        Ok(Ok(messages::Sent { id: "msg_1".into(), channel: "outbox".into() }))
    }
}

impl state::Host for Yes {
    async fn get(&mut self, _key: String) -> wasmtime::Result<Result<Option<String>, state::Error>> {
        Ok(Ok(None))
    }

    async fn set(&mut self, _key: String, _value: String) -> wasmtime::Result<Result<(), state::Error>> {
        Ok(Ok(()))
    }

    async fn delete(&mut self, _key: String) -> wasmtime::Result<Result<(), state::Error>> {
        Ok(Ok(()))
    }

    async fn next(&mut self, _key: String) -> wasmtime::Result<Result<u64, state::Error>> {
        Ok(Ok(1))
    }
}

fn input() -> serde_json::Value {
    // Three kilobytes in all, as a long message is.
    json!({ "to": "(11) 98765-4321", "text": "Olá João, sua consulta é amanhã. ".repeat(85), "starts_at": "2026-03-06T13:00:00Z" })
}

fn invocation() -> Invocation {
    Invocation {
        job: "job_0199a5d3f8007000800000000000abcd".into(),
        rule: "appointment-reminder".into(),
        action: "remind".into(),
        event: EventRef { id: "evt_1".into(), kind: "appointment.created".into(), time: "2026-03-02T11:59:58Z".into() },
        now: "2026-03-02T12:00:00Z".into(),
        seed: 42,
        locale: "pt-BR".into(),
        input: input(),
        grants: Grants::default(),
        plugin_digest: String::new(),
        disclosure: Default::default(),
        records: Vec::new(),
    }
}

fn bare_engine() -> Engine {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(32)
        .total_stacks(32)
        .total_memories(32)
        .total_core_instances(32 * 8)
        .total_tables(32 * 4)
        .max_memory_size(64 << 20)
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(4 << 10)
        .total_gc_heaps(0);
    let mut config = Config::new();
    config.allocation_strategy(pool).epoch_interruption(true).concurrency_support(false).gc_support(false).wasm_exceptions(false);
    config.wasm_gc(false).wasm_function_references(false);
    Engine::new(&config).expect("an engine")
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Calls a second of two tasks on two threads.
fn on_two_threads(host: Host, prepared: Prepared, call: Invocation, limits: Limits) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime");
    let (host, call) = (Arc::new(host), Arc::new(call));
    let calls = ROUNDS * CALLS;
    runtime.block_on(async {
        let start = Instant::now();
        let tasks = [(); 2].map(|()| {
            let (host, prepared, call) = (Arc::clone(&host), prepared.clone(), Arc::clone(&call));
            tokio::spawn(async move {
                for _ in 0..calls {
                    let run = host.run(&prepared, &call, Box::new(Yes), &limits).await;
                    assert!(matches!(run.end, End::Outcome { .. }));
                }
            })
        });
        for task in tasks {
            task.await.expect("it runs");
        }
        2.0 * calls as f64 / start.elapsed().as_secs_f64()
    })
}

fn main() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/dist/reminder.wasm");
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}; `plugins/build` makes it"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");

    let host = Host::new(HostConfig::default()).expect("a host");
    let prepared = host.prepare(&host.load("reminder", &bytes).expect("a plugin"), &Capability::ALL).expect("granted");
    let (call, limits) = (invocation(), Limits::default());

    let engine = bare_engine();
    let component = Component::from_binary(&engine, &bytes).expect("a component");
    let mut linker = Linker::new(&engine);
    types::add_to_linker::<_, HasSelf<Yes>>(&mut linker, |yes| yes).expect("linked");
    log::add_to_linker::<_, HasSelf<Yes>>(&mut linker, |yes| yes).expect("linked");
    messages::add_to_linker::<_, HasSelf<Yes>>(&mut linker, |yes| yes).expect("linked");
    let pre = bare::AutomationPre::new(linker.instantiate_pre(&component).expect("linked")).expect("linked");

    let zelo = async || {
        let run = host.run(&prepared, &call, Box::new(Yes), &limits).await;
        assert!(matches!(run.end, End::Outcome { .. }));
    };
    let bare = async || {
        let mut store = Store::new(&engine, Yes);
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = pre.instantiate_async(&mut store).await.expect("instantiated");
        let call = types::Invocation {
            job_id: call.job.clone(),
            rule: call.rule.clone(),
            action: call.action.clone(),
            event: types::Event { id: call.event.id.clone(), type_: call.event.kind.clone(), time: call.event.time.clone() },
            now: call.now.clone(),
            seed: call.seed,
            locale: call.locale.clone(),
            input: call.input.to_string(),
        };
        assert!(instance.call_run(&mut store, &call).await.expect("it runs").is_ok());
    };

    // Side by side, in turns, so that whatever else the machine does falls on both.
    let (mut with_zelo, mut with_bare) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        for round in 0..=ROUNDS {
            let start = Instant::now();
            for _ in 0..CALLS {
                zelo().await;
            }
            let middle = Instant::now();
            for _ in 0..CALLS {
                bare().await;
            }
            // The first round warms up.
            if round > 0 {
                with_zelo.push((middle - start) / CALLS as u32);
                with_bare.push(middle.elapsed() / CALLS as u32);
            }
        }
    });
    let both = on_two_threads(host, prepared.clone(), call.clone(), limits);
    let (zelo, bare) = (median(with_zelo), median(with_bare));
    println!("plugin call, fresh instance, 3 KB in, {} bytes of component", bytes.len());
    println!("  zelo            {:>8.1} µs  {:>8.0} calls/s on one thread", zelo.as_secs_f64() * 1e6, 1.0 / zelo.as_secs_f64());
    println!("  bare wasmtime   {:>8.1} µs  {:>8.0} calls/s on one thread", bare.as_secs_f64() * 1e6, 1.0 / bare.as_secs_f64());
    println!("  zelo            {:>20.0} calls/s on two threads", both);
    println!("  zelo / bare     {:>8.2}     (budget 1.25)", zelo.as_secs_f64() / bare.as_secs_f64());
}

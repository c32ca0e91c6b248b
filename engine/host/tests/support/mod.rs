//! Plugins written in WebAssembly text, and a runtime that records what they ask for. No WASM toolchain is needed.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;
use zelo_core::grants::{Capability, Grants};
use zelo_core::http::{Body, Response};
use zelo_core::invocation::EventRef;
use zelo_core::{Effect, EffectResult, Invocation};
use zelo_host::{Effects, Host, HostConfig, Level, Limits, Plugin, Prepared, Run, Stop, package};

pub const LOG: &str = r#"(import "zelo:automation/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;
pub const MESSAGES: &str = r#"(import "zelo:automation/messages@0.1.0" "send"
    (func $send (param i32 i32 i32  i32 i32  i32 i32 i32 i32 i32  i32 i32  i32 i32  i32)))"#;
pub const HTTP: &str = r#"(import "zelo:automation/http@0.1.0" "send"
    (func $http (param i32  i32 i32  i32 i32  i32 i32 i32  i32)))"#;
pub const STATE: &str = r#"(import "zelo:automation/state@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "zelo:automation/state@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32)))"#;
pub const NEXT: &str = r#"(import "zelo:automation/state@0.1.0" "next" (func $next (param i32 i32 i32)))"#;
pub const DOCUMENTS: &str = r#"(import "zelo:automation/documents@0.1.0" "store"
    (func $store (param i32 i32  i32 i32  i32 i32  i32 i32  i32)))"#;
pub const RECORDS: &str = r#"(import "zelo:automation/records@0.1.0" "get" (func $record (param i32 i32 i32 i32 i32)))
    (import "zelo:automation/records@0.1.0" "edit" (func $edit (param i32 i32  i32 i32  i32 i32  i32 i32  i32)))"#;
pub const EVENTS: &str = r#"(import "zelo:automation/events@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32)))"#;

pub const MANIFEST: &str = r#"
    name = "guest"
    version = "1.0.0"
    title = { en = "A guest" }
    inputs = { type = "object" }
    wants = [
        { capability = "http", reason = { en = "for tests" } },
        { capability = "messages", reason = { en = "for tests" } },
        { capability = "documents", reason = { en = "for tests" } },
        { capability = "records", reason = { en = "for tests" } },
        { capability = "state", reason = { en = "for tests" } },
        { capability = "events", reason = { en = "for tests" } },
    ]
"#;

/// A core module of the plugin world. `body` is that of `run`: it has the invocation at `$call` (see `types.wit`; the
/// input's address is at offset 72, its length at 76) and gives back the address of its answer.
///
/// At hand: `$done`, an outcome with the code "done" and the summary "ok" unless told otherwise at 1032 (address) and
/// 1036 (length); the word "marker" at 100; memory from 4096 to 32768.
pub fn module(imports: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            {imports}
            (memory (export "memory") 1)
            (table $table 1 funcref)
            (global $done i32 (i32.const 1016))
            (global $free (mut i32) (i32.const 32768))
            (data (i32.const 100) "marker")
            (data (i32.const 200) "done")
            (data (i32.const 210) "ok")
            (data (i32.const 220) "not json")
            (data (i32.const 230) "+55")
            (data (i32.const 240) "\ff\fe")
            ;; result<outcome, failure>: ok, code, summary, no output.
            (data (i32.const 1016) "\00\00\00\00\00\00\00\00\c8\00\00\00\04\00\00\00\d2\00\00\00\02\00\00\00\00\00\00\00")
            (func (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
                    (then (drop (memory.grow (i32.add (i32.div_u (local.get $size) (i32.const 65536)) (i32.const 1))))))
                (local.get $at))
            (func $run (export "run") (param $call i32) (result i32)
                (local $i i32)
                {body}))"#
    );
    wat::parse_str(text).unwrap()
}

/// The module with the world inside, as bindings would have put it there.
pub fn with_world(mut module: Vec<u8>) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path("../../wit/zelo-automation-0.1.0").unwrap();
    let world = resolve.select_world(&[package], Some("automation")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    module
}

/// A plugin that does what `body` says.
pub fn guest(imports: &str, body: &str) -> Vec<u8> {
    package::pack(&with_world(module(imports, body)), MANIFEST).unwrap()
}

pub fn host() -> Host {
    Host::new(HostConfig { instances: 2, ..HostConfig::default() }).unwrap()
}

pub fn load(host: &Host, bytes: &[u8]) -> Plugin {
    host.load("guest", bytes).unwrap()
}

pub fn prepare(host: &Host, bytes: &[u8]) -> Prepared {
    host.prepare(&load(host, bytes), &Capability::ALL).unwrap()
}

/// Runs what `body` says, with the default limits.
pub async fn run(imports: &str, body: &str) -> Run {
    run_with(imports, body, Limits::default(), &Runtime::default()).await
}

pub async fn run_with(imports: &str, body: &str, limits: Limits, runtime: &Runtime) -> Run {
    let host = host();
    let prepared = prepare(&host, &guest(imports, body));
    host.run(&prepared, &invocation(json!({ "to": "+55" })), runtime.effects(), &limits).await
}

/// A plugin that ships.
pub fn shipped(name: &str) -> Vec<u8> {
    let path = format!("{}/../../plugins/dist/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}; `plugins/build` makes it"))
}

pub fn invocation(input: Value) -> Invocation {
    Invocation {
        job: "job_0199a5d3f8007000800000000000abcd".into(),
        rule: "appointment-reminder".into(),
        action: "remind".into(),
        event: EventRef { id: "evt_1".into(), kind: "appointment.created".into(), time: "2026-03-02T11:59:58Z".into() },
        now: "2026-03-02T12:00:00Z".into(),
        seed: 42,
        locale: "pt-BR".into(),
        input,
        grants: Grants::default(),
        plugin_digest: String::new(),
        disclosure: Default::default(),
        records: Vec::new(),
    }
}

/// What a runtime answers to an effect.
type Answer = dyn Fn(&Effect) -> Result<EffectResult, Stop> + Send + Sync;

/// A runtime that performs nothing, and remembers everything.
#[derive(Clone)]
pub struct Runtime {
    pub effects: Arc<Mutex<Vec<Effect>>>,
    pub log: Arc<Mutex<Vec<(Level, String)>>>,
    answer: Arc<Answer>,
    /// An effect is done only when there is a permit for it.
    pub gate: Arc<tokio::sync::Semaphore>,
}

impl Default for Runtime {
    fn default() -> Self {
        Self::answering(|effect| {
            Ok(match effect {
                Effect::Http(_) => {
                    let headers = vec![("x-a".into(), "b".into())];
                    EffectResult::Answered { response: Response { status: 201, headers, body: Body(b"taken".to_vec()) } }
                }
                Effect::Message(message) => {
                    EffectResult::Sent { message: "msg_1".into(), channel: message.channel.clone().unwrap_or("outbox".into()) }
                }
                Effect::StateGet { .. } => EffectResult::Value { value: Some("kept".into()) },
                Effect::Document(_) => EffectResult::Kept { document: "doc_1".into() },
                Effect::RecordGet { .. } => EffectResult::Record { fields: Some(Map::from_iter([("stage".into(), json!("lead"))])) },
                Effect::StateNext { .. } => EffectResult::Counted { value: (1 << 40) + 7 },
                Effect::RecordEdit(_) | Effect::Event(_) | Effect::StateSet { .. } | Effect::StateDelete { .. } => EffectResult::Done,
            })
        })
    }
}

impl Runtime {
    pub fn answering(answer: impl Fn(&Effect) -> Result<EffectResult, Stop> + Send + Sync + 'static) -> Self {
        Self {
            effects: Arc::default(),
            log: Arc::default(),
            answer: Arc::new(answer),
            gate: Arc::new(tokio::sync::Semaphore::new(1 << 20)),
        }
    }

    /// Nothing is done before somebody opens the gate.
    pub fn gated() -> Self {
        Self { gate: Arc::new(tokio::sync::Semaphore::new(0)), ..Self::default() }
    }

    pub fn effects(&self) -> Box<dyn Effects> {
        Box::new(self.clone())
    }

    pub fn logged(&self) -> Vec<(Level, String)> {
        self.log.lock().unwrap().clone()
    }
}

#[async_trait]
impl Effects for Runtime {
    async fn perform(&mut self, effect: Effect) -> Result<EffectResult, Stop> {
        self.gate.acquire().await.unwrap().forget();
        let answer = (self.answer)(&effect);
        self.effects.lock().unwrap().push(effect);
        answer
    }

    fn log(&mut self, level: Level, text: &str) {
        self.log.lock().unwrap().push((level, text.to_owned()));
    }
}

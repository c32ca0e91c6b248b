//! Plugins that misbehave: each ends as a named failure within its limit, and the host serves on.

#![allow(clippy::unwrap_used, reason = "in tests")]

mod support;

use std::time::Duration;

use serde_json::json;
use support::{LOG, MESSAGES, Runtime, guest, host, invocation, prepare, run, run_with};
use zelo_host::{End, Limit, Limits, Run};

const ENDLESS: &str = "(loop $again (br $again)) (unreachable)";

fn short() -> Limits {
    Limits { cpu: Duration::from_millis(100), ..Limits::default() }
}

fn message(run: &Run) -> &str {
    match &run.end {
        End::Trap { message } => message,
        other => panic!("it did not break down but ended as {other:?}"),
    }
}

#[tokio::test]
async fn an_endless_loop_ends_with_its_computing_time() {
    let run = run_with("", ENDLESS, short(), &Runtime::default()).await;
    assert_eq!(run.end, End::Limit(Limit::Cpu));
    assert!(run.cpu >= Duration::from_millis(100), "{:?}", run.cpu);
}

#[tokio::test]
async fn a_loop_that_may_compute_ends_with_the_wall_time() {
    let limits = Limits { cpu: Duration::from_secs(60), wall: Duration::from_millis(50), ..Limits::default() };
    assert_eq!(run_with("", ENDLESS, limits, &Runtime::default()).await.end, End::Limit(Limit::Wall));
}

#[tokio::test]
async fn an_endless_loop_of_calls_ends_with_their_number() {
    let body = "(loop $again (call $log (i32.const 0) (i32.const 100) (i32.const 6)) (br $again)) (unreachable)";
    let run = run_with(LOG, body, Limits::default(), &Runtime::default()).await;
    assert_eq!((run.end, run.host_calls), (End::Limit(Limit::HostCalls), 1_001));
}

#[tokio::test]
async fn a_loop_does_not_keep_others_from_running() {
    // One thread for everything: whoever keeps it, stops the others.
    let host = host();
    let prepared = prepare(&host, &guest("", ENDLESS));
    let call = invocation(json!({}));
    let limits = Limits { cpu: Duration::from_secs(1), ..Limits::default() };
    let looping = host.run(&prepared, &call, Runtime::default().effects(), &limits);
    let others = async {
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        run = looping => panic!("the loop ended first: {run:?}"),
        () = others => {}
    }
}

#[tokio::test]
async fn an_allocation_without_end_ends_with_the_memory() {
    let body = "(loop $again (drop (memory.grow (i32.const 16))) (br $again)) (unreachable)";
    let run = run_with("", body, Limits { memory: 8 << 20, ..Limits::default() }, &Runtime::default()).await;
    assert_eq!(run.end, End::Limit(Limit::Memory));
    assert!(run.memory <= 8 << 20);
}

#[tokio::test]
async fn a_table_without_end_is_a_limit_too() {
    let body = "(drop (table.grow $table (ref.null func) (i32.const 15000))) (global.get $done)";
    let run = run_with("", body, Limits { table_elements: 10_000, ..Limits::default() }, &Runtime::default()).await;
    assert_eq!(run.end, End::Limit(Limit::Tables));
}

#[tokio::test]
async fn recursion_without_end_ends_with_the_stack() {
    assert_eq!(run("", "(call $run (local.get $call))").await.end, End::Limit(Limit::Stack));
}

#[tokio::test]
async fn a_panic_is_a_trap() {
    assert_eq!(message(&run("", "(unreachable)").await), "wasm trap: wasm `unreachable` instruction executed");
    assert!(message(&run("", "(i32.div_u (i32.const 1) (i32.const 0))").await).contains("divide by zero"));
    assert!(message(&run("", "(i32.load (i32.const -8))").await).contains("out of bounds memory access"));
}

#[tokio::test]
async fn a_giant_line_of_log_is_refused_before_it_is_copied() {
    let body = "(drop (memory.grow (i32.const 200)))
        (call $log (i32.const 0) (i32.const 0) (i32.const 13000000)) (global.get $done)";
    let runtime = Runtime::default();
    let run = run_with(LOG, body, Limits::default(), &runtime).await;
    assert_eq!(run.end, End::Limit(Limit::BytesOut));
    assert!(runtime.logged().is_empty());
}

#[tokio::test]
async fn many_large_lines_are_a_giant_one() {
    // 60 KB of zeros at a time, of which the log keeps the beginning.
    let body = "(drop (memory.grow (i32.const 1)))
        (loop $again (call $log (i32.const 0) (i32.const 65536) (i32.const 60000)) (br $again)) (unreachable)";
    let runtime = Runtime::default();
    let run = run_with(LOG, body, Limits::default(), &runtime).await;
    assert_eq!(run.end, End::Limit(Limit::BytesOut));
    assert!(runtime.logged().iter().all(|(_, line)| line.len() == 4096));
}

#[tokio::test]
async fn a_giant_message_is_refused() {
    let body = "(drop (memory.grow (i32.const 200)))
        (call $send (i32.const 0) (i32.const 0) (i32.const 0)  (i32.const 230) (i32.const 3)
            (i32.const 0) (i32.const 65536) (i32.const 13000000) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0)  (i32.const 0) (i32.const 0)  (i32.const 4096))
        (global.get $done)";
    let runtime = Runtime::default();
    assert_eq!(run_with(MESSAGES, body, Limits::default(), &runtime).await.end, End::Limit(Limit::BytesOut));
    assert!(runtime.effects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_giant_answer_is_refused() {
    let body = "(drop (memory.grow (i32.const 200))) (i32.store (i32.const 1036) (i32.const 13000000)) (global.get $done)";
    assert_eq!(run("", body).await.end, End::Limit(Limit::BytesOut));
    let body = "(drop (memory.grow (i32.const 1))) (i32.store (i32.const 1036) (i32.const 2000)) (global.get $done)";
    let limits = Limits { bytes_out: 1_000, ..Limits::default() };
    assert_eq!(run_with("", body, limits, &Runtime::default()).await.end, End::Limit(Limit::BytesOut));
}

#[tokio::test]
async fn an_answer_that_is_not_there_is_a_trap() {
    let beyond = "(i32.store (i32.const 1036) (i32.const 1000000)) (global.get $done)";
    assert!(!message(&run("", beyond).await).is_empty());
    assert!(!message(&run("", "(i32.const 65530)").await).is_empty());
    let mess = "(i32.store (i32.const 1032) (i32.const 240)) (global.get $done)";
    assert!(message(&run("", mess).await).contains("utf-8"));
}

#[tokio::test]
async fn a_giant_input_is_not_handed_in() {
    let host = host();
    let prepared = prepare(&host, &guest("", "(global.get $done)"));
    let call = invocation(json!({ "text": "x".repeat(2 << 20) }));
    let run = host.run(&prepared, &call, Runtime::default().effects(), &Limits::default()).await;
    assert_eq!(run.end, End::Limit(Limit::BytesIn));
}

#[tokio::test]
async fn the_host_serves_on_after_all_of_it() {
    let host = host();
    let bad: Vec<_> = [ENDLESS, "(unreachable)", "(call $run (local.get $call))"].map(|body| prepare(&host, &guest("", body))).into();
    let good = prepare(&host, &guest("", "(global.get $done)"));
    let call = invocation(json!({}));
    for round in 0..12 {
        let run = host.run(&bad[round % bad.len()], &call, Runtime::default().effects(), &short()).await;
        assert!(matches!(run.end, End::Limit(_) | End::Trap { .. }));
        let run = host.run(&good, &call, Runtime::default().effects(), &short()).await;
        assert!(matches!(run.end, End::Outcome { .. }), "{run:?}");
    }
    assert_eq!(host.capacity().running, 0);
}

//! What a plugin is given, what it can do, and how its answers come back.

#![allow(clippy::unwrap_used, reason = "in tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use support::{LOG, MESSAGES, Runtime, STATE, guest, host, invocation, prepare, run, run_with};
use zelo_core::job::Reason;
use zelo_core::{Effect, EffectResult};
use zelo_host::{End, Host, HostConfig, Level, Limit, Limits, Stop};

/// Sends "marker" to "+55", and ends as `permanent` with the error's text, or as done with the channel as summary.
const SEND: &str = "
    (call $send (i32.const 0) (i32.const 0) (i32.const 0)  (i32.const 230) (i32.const 3)
        (i32.const 0) (i32.const 100) (i32.const 6) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0)  (i32.const 0) (i32.const 0)  (i32.const 4096))
    (if (i32.load8_u (i32.const 4096)) (then
        (i32.store8 (i32.const 5000) (i32.const 1)) (i32.store8 (i32.const 5008) (i32.const 1))
        (i32.store (i32.const 5016) (i32.load (i32.const 4104))) (i32.store (i32.const 5020) (i32.load (i32.const 4108)))
        (return (i32.const 5000))))
    (i32.store (i32.const 1032) (i32.load (i32.const 4108))) (i32.store (i32.const 1036) (i32.load (i32.const 4112)))
    (global.get $done)";

fn done(summary: &str) -> End {
    End::Outcome { code: "done".into(), summary: summary.into(), output: None }
}

#[tokio::test]
async fn a_plugin_is_given_its_input_as_json() {
    let host = host();
    let prepared = prepare(
        &host,
        &guest(
            "",
            "(i32.store (i32.const 1032) (i32.load offset=72 (local.get $call)))
             (i32.store (i32.const 1036) (i32.load offset=76 (local.get $call)))
             (global.get $done)",
        ),
    );
    let input = json!({ "to": "+55 11 98765-4321", "name": "João" });
    let run = host.run(&prepared, &invocation(input.clone()), Runtime::default().effects(), &Limits::default()).await;
    assert_eq!(run.end, done(&input.to_string()));
    assert_eq!((run.memory, run.host_calls), (65_536, 0));
    assert!(run.cpu > Duration::ZERO && run.wall >= run.cpu);
}

#[tokio::test]
async fn a_message_becomes_an_effect_and_its_result_comes_back() {
    let runtime = Runtime::default();
    let run = run_with(MESSAGES, SEND, Limits::default(), &runtime).await;
    assert_eq!(run.end, done("outbox"), "the channel that the host chose");
    let effects = runtime.effects.lock().unwrap();
    let [Effect::Message(message)] = &effects[..] else { panic!("one message, not {effects:?}") };
    assert_eq!((message.to.as_str(), &message.channel), ("+55", &None));
    assert!(message.body == zelo_core::effect::Body::Text { text: "marker".into() });
}

#[tokio::test]
async fn a_refusal_is_told_to_the_plugin() {
    let runtime = Runtime::answering(|_| Ok(EffectResult::Refused { reason: "not this person".into() }));
    let run = run_with(MESSAGES, SEND, Limits::default(), &runtime).await;
    assert_eq!(run.end, End::Permanent { reason: "not this person".into() });
}

#[tokio::test]
async fn what_is_no_message_never_reaches_the_runtime() {
    let runtime = Runtime::default();
    let run =
        run_with(MESSAGES, &SEND.replace("(i32.const 230) (i32.const 3)", "(i32.const 230) (i32.const 0)"), Limits::default(), &runtime)
            .await;
    assert_eq!(run.end, End::Permanent { reason: "the recipient is empty".into() });
    assert!(runtime.effects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_runtime_can_end_a_run() {
    for stop in [
        Stop::Cancelled(Reason::new("replaced", "a newer event replaced it")),
        Stop::Later { reason: "the gateway is down".into(), after: Some(Duration::from_secs(60)) },
        Stop::Store("the journal cannot be read".into()),
        Stop::Differs { asked: "message".into(), recorded: "state_get".into() },
    ] {
        let answer = stop.clone();
        let run = run_with(MESSAGES, SEND, Limits::default(), &Runtime::answering(move |_| Err(answer.clone()))).await;
        assert_eq!(run.end, End::Stopped(stop));
    }
}

#[tokio::test]
async fn a_result_of_another_effect_is_a_replay_that_differs() {
    let run = run_with(MESSAGES, SEND, Limits::default(), &Runtime::answering(|_| Ok(EffectResult::Done))).await;
    assert!(matches!(run.end, End::Stopped(Stop::Differs { asked, recorded }) if asked == "message" && recorded.contains("Done")));
}

#[tokio::test]
async fn state_is_read_and_kept() {
    let runtime = Runtime::default();
    let body = "
        (call $set (i32.const 100) (i32.const 6) (i32.const 230) (i32.const 3) (i32.const 4096))
        (call $get (i32.const 100) (i32.const 6) (i32.const 4096))
        ;; result<option<string>, error>: ok, some, address, length.
        (i32.store (i32.const 1032) (i32.load (i32.const 4104))) (i32.store (i32.const 1036) (i32.load (i32.const 4108)))
        (global.get $done)";
    let run = run_with(STATE, body, Limits::default(), &runtime).await;
    assert_eq!(run.end, done("kept"));
    let effects = runtime.effects.lock().unwrap();
    assert!(effects[..] == [Effect::StateSet { key: "marker".into(), value: "+55".into() }, Effect::StateGet { key: "marker".into() }]);
}

#[tokio::test]
async fn lines_of_log_reach_the_job_and_the_rest_is_dropped() {
    let runtime = Runtime::default();
    let limits = Limits { log_lines: 2, ..Limits::default() };
    let body = "
        (loop $again
            (call $log (i32.const 2) (i32.const 100) (i32.const 6))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 5))))
        (global.get $done)";
    let run = run_with(LOG, body, limits, &runtime).await;
    assert_eq!((run.end, run.host_calls, run.log_lines_dropped), (done("ok"), 5, 3));
    assert_eq!(runtime.logged(), vec![(Level::Warn, "marker".to_owned()); 2]);
}

#[tokio::test]
async fn a_plugin_can_ask_to_be_tried_again() {
    let body = "
        (i32.store8 (i32.const 5000) (i32.const 1)) (i32.store8 (i32.const 5008) (i32.const 0))
        (i32.store (i32.const 5016) (i32.const 100)) (i32.store (i32.const 5020) (i32.const 6))
        (i32.store8 (i32.const 5024) (i32.const 1)) (i64.store (i32.const 5032) (i64.const 90000))
        (i32.const 5000)";
    assert_eq!(run("", body).await.end, End::Retry { reason: "marker".into(), after: Some(Duration::from_secs(90)) });
}

#[tokio::test]
async fn an_output_is_json_or_the_run_broke_the_contract() {
    let output = |address: u32, length: u32| {
        format!(
            "(i32.store8 (i32.const 1040) (i32.const 1)) (i32.store (i32.const 1044) (i32.const {address}))
             (i32.store (i32.const 1048) (i32.const {length})) (global.get $done)"
        )
    };
    let end = run("", &output(230, 3)).await.end;
    assert_eq!(end, End::Trap { message: "the outcome's output is not JSON (line 1, column 1)".into() });
    // The "3" of "…\\03…" would be JSON; "55" of "+55" is.
    assert_eq!(run("", &output(231, 2)).await.end, End::Outcome { code: "done".into(), summary: "ok".into(), output: Some(json!(55)) });
    let end =
        run("", "(i32.store (i32.const 1024) (i32.const 220)) (i32.store (i32.const 1028) (i32.const 8)) (global.get $done)").await.end;
    assert!(matches!(&end, End::Trap { message } if message.contains("code")), "{end:?}: `not json` is no code");
}

#[tokio::test]
async fn nothing_of_one_run_is_left_for_the_next() {
    // One place in the pool, so that the second run gets the memory that the first one had.
    let host = Host::new(HostConfig { instances: 1, ..HostConfig::default() }).unwrap();
    // Reads 6 bytes at three places (kept resident, beyond that, in grown memory), then writes "marker" there.
    let body = "
        (drop (memory.grow (i32.const 15)))
        (i32.store (i32.const 1036) (i32.const 18)) (i32.store (i32.const 1032) (i32.const 4096))
        (memory.copy (i32.const 4096) (i32.const 20000) (i32.const 6))
        (memory.copy (i32.const 4102) (i32.const 300000) (i32.const 6))
        (memory.copy (i32.const 4108) (i32.const 1000000) (i32.const 6))
        (memory.copy (i32.const 20000) (i32.const 100) (i32.const 6))
        (memory.copy (i32.const 300000) (i32.const 100) (i32.const 6))
        (memory.copy (i32.const 1000000) (i32.const 100) (i32.const 6))
        (global.get $done)";
    let prepared = prepare(&host, &guest("", body));
    for _ in 0..3 {
        let run = host.run(&prepared, &invocation(json!({})), Runtime::default().effects(), &Limits::default()).await;
        assert_eq!(run.end, done(&"\0".repeat(18)));
    }
}

#[tokio::test]
async fn a_full_host_lets_the_next_run_wait() {
    let host = Arc::new(Host::new(HostConfig { instances: 1, ..HostConfig::default() }).unwrap());
    let prepared = prepare(&host, &guest(MESSAGES, SEND));
    let runtime = Runtime::gated();
    let runs: Vec<_> = (0..3)
        .map(|_| {
            let (host, prepared, effects) = (Arc::clone(&host), prepared.clone(), runtime.effects());
            tokio::spawn(async move { host.run(&prepared, &invocation(json!({})), effects, &Limits::default()).await.end })
        })
        .collect();
    while host.capacity().running == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((host.capacity().running, host.capacity().instances), (1, 1));
    runtime.gate.add_permits(3);
    for run in runs {
        assert_eq!(run.await.unwrap(), done("outbox"));
    }
    assert_eq!(host.capacity().running, 0);
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_takes_for_ever_ends_with_the_wall_time() {
    let runtime = Runtime::gated();
    let run = run_with(MESSAGES, SEND, Limits::default(), &runtime).await;
    assert_eq!(run.end, End::Limit(Limit::Wall));
}

#[tokio::test]
async fn without_address_space_for_a_pool_plugins_run_all_the_same() {
    // 200,000 places of more than 4 GiB are more than any machine of today can address.
    let host = Host::new(HostConfig { instances: 200_000, ..HostConfig::default() }).unwrap();
    assert!(!host.capacity().pooled);
    let prepared = prepare(&host, &guest(MESSAGES, SEND));
    let run = host.run(&prepared, &invocation(json!({})), Runtime::default().effects(), &Limits::default()).await;
    assert_eq!(run.end, done("outbox"));
}

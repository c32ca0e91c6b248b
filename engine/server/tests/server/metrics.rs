//! The figures for monitoring: that they are right, who may read them, and that they tell nothing of anybody.

use std::collections::{BTreeMap, BTreeSet};

use zelo_core::Clock;

use crate::house::{House, MARKER, SECRET, delivery, patient};

/// Every sample by its name and labels.
async fn figures(house: &House) -> BTreeMap<String, f64> {
    let authorization = format!("Bearer {}", house.token().await);
    let answer = house.get("/metrics", &[("authorization", &authorization)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    samples(&answer.text)
}

fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap_or_else(|| panic!("this is no sample: {line}")))
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn what_happened_is_counted() {
    let house = House::new().await;
    let at = |figures: &BTreeMap<String, f64>, name: &str| *figures.get(name).unwrap_or_else(|| panic!("{name} in {figures:#?}"));
    let before = figures(&house).await;
    assert_eq!(at(&before, r#"zelo_deliveries_total{connection="acme",status="accepted"}"#), 0.0, "what may come stands there");
    assert_eq!(at(&before, "zelo_queue_age_seconds"), 0.0);

    house.deliver("1", "Ana").await;
    house.deliver("1", "Ana").await;
    house.deliver("2", "Bia").await;
    house.send(delivery("/hooks/acme/nothing/known", &[("x-zelo-token", SECRET)], "{}".to_owned())).await;
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", "forged")], "{}".to_owned())).await;
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], "x".repeat(3000))).await;
    house.send(delivery(&format!("/hooks/{MARKER}/x"), &[], "{}".to_owned())).await;
    house.advance(zelo_core::SignedDuration::from_secs(90));

    let after = figures(&house).await;
    for (name, value) in [
        (r#"zelo_deliveries_total{connection="acme",status="accepted"}"#, 2.0),
        (r#"zelo_deliveries_total{connection="acme",status="duplicate"}"#, 1.0),
        (r#"zelo_deliveries_total{connection="acme",status="ignored"}"#, 1.0),
        (r#"zelo_deliveries_total{connection="open",status="accepted"}"#, 0.0),
        (r#"zelo_deliveries_refused_total{connection="acme",reason="unverified"}"#, 1.0),
        (r#"zelo_deliveries_refused_total{connection="acme",reason="too-large"}"#, 1.0),
        (r#"zelo_deliveries_refused_total{connection="",reason="connection"}"#, 1.0),
        (r#"zelo_rules_fired_total{rule="greeting"}"#, 2.0),
        ("zelo_receive_seconds_count", 6.0),
        (r#"zelo_jobs{state="scheduled"}"#, 0.0),
        (r#"zelo_jobs{state="ready"}"#, 2.0),
        (r#"zelo_jobs_live{rule="greeting",plugin="greeter",state="ready"}"#, 2.0),
        ("zelo_queue_age_seconds", 90.0),
        ("zelo_rules", 1.0),
        ("zelo_rules_refused", 0.0),
        ("zelo_store_up", 1.0),
        ("zelo_plugin_instances_max", 1.0),
    ] {
        assert_eq!(at(&after, name), value, "{name}");
    }
    assert!(at(&after, "zelo_store_commit_seconds_count") >= 3.0);
    assert!(at(&after, r#"zelo_store_commit_seconds_bucket{le="+Inf"}"#) >= 3.0);
    assert!(at(&after, r#"zelo_build_info{version="0.1.0"}"#) == 1.0);
    assert!(at(&after, "zelo_audit_unsigned_seconds") >= 90.0, "what nobody signed yet");
    if cfg!(target_os = "linux") {
        assert!(at(&after, "process_resident_memory_bytes") > 1e6 && at(&after, "process_open_fds") > 2.0);
    }
    let status = house.api("status").await.json();
    assert_eq!((status["deliveries"]["accepted"].as_u64(), status["deliveries"]["refused"].as_u64()), (Some(2), Some(3)), "{status}");
}

#[tokio::test]
async fn nothing_of_anybody_is_told() {
    let house = House::new().await;
    let body = patient(MARKER, MARKER);
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    house.send(delivery(&format!("/hooks/{MARKER}/{MARKER}"), &[(MARKER, MARKER)], MARKER.to_owned())).await;
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", MARKER)], MARKER.to_owned())).await;
    house.finish_with_message(MARKER).await;
    let authorization = format!("Bearer {}", house.token().await);
    let answer = house.get("/metrics", &[("authorization", &authorization)]).await;
    assert!(answer.text.contains("zelo_deliveries_refused_total"), "{}", answer.text);
    for word in [MARKER, SECRET, "evt_", "job_01", "clinic=", "Bearer"] {
        assert!(!answer.text.contains(word), "{word}: {}", answer.text);
    }
}

#[tokio::test]
async fn it_is_told_as_prometheus_reads_it() {
    let house = House::new().await;
    let authorization = format!("Bearer {}", house.token().await);
    let answer = house.get("/metrics", &[("authorization", &authorization)]).await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(answer.text.ends_with("# EOF\n"));
    let open = [("authorization", authorization.as_str()), ("accept", "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3")];
    assert_eq!(house.get("/metrics", &open).await.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for line in answer.text.lines().filter(|line| line.starts_with("# HELP")) {
        let (_, help) = line.trim_start_matches("# HELP ").split_once(' ').unwrap();
        assert!(help.ends_with('.') && !help.ends_with(".."), "{line}");
    }
}

#[tokio::test]
async fn the_world_is_not_told() {
    let house = House::new().await;
    house.get("/metrics", &[]).await.is_problem(401, "credential");
    house.get("/metrics", &[("authorization", "Bearer zelo_wrong")]).await.is_problem(401, "credential");
    let code = house.link().await;
    house.get("/metrics", &[("authorization", &format!("Bearer {code}"))]).await.is_problem(401, "credential");
    drop(figures(&house).await);
}

#[tokio::test]
async fn what_is_told_is_described_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::built(zelo_server::Settings::default(), false, Some(folder.path().join("zelo.db"))).await;
    let authorization = format!("Bearer {}", house.token().await);
    house.store().sign_audit(house.clock.now()).await.unwrap();
    let text = house.get("/metrics", &[("authorization", &authorization)]).await.text;
    let told: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        })
        .collect();
    let page = include_str!("../../../../docs/observability.md");
    let table = page.split("## Metrics").nth(1).unwrap().split("## Traces").next().unwrap();
    let first = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    let described: BTreeSet<String> =
        first.flat_map(|(names, _)| names.split(", ")).map(|name| name.trim_matches('`').split('{').next().unwrap().to_owned()).collect();
    assert_eq!(described, told);
}

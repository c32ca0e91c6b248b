//! Jobs about which people decide, over HTTP and on the page.

use std::time::Duration;

use axum::body::Body;
use serde_json::{Value, json};
use zelo_core::{AuditKind, JobId, JobState};
use zelo_server::access::Role;
use zelo_store::AuditPage;

use crate::house::{Answer, House, request};

/// Sends `body` as `role`.
async fn ask(house: &House, role: Role, path: &str, body: &str) -> Answer {
    let authorization = format!("Bearer {}", house.token_of(role).await);
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    house.send(request("POST", &format!("/api/v1/{path}"), &headers, Body::from(body.to_owned()))).await
}

async fn state(house: &House, job: JobId) -> JobState {
    house.store().job(job).await.unwrap().unwrap().job.state
}

/// The job of a patient that was given up.
async fn dead(house: &House, id: &str) -> JobId {
    house.deliver(id, "Ana").await;
    house.give_up().await.id
}

#[tokio::test]
async fn only_who_sees_to_jobs_decides_about_them() {
    let house = House::new().await;
    let job = dead(&house, "1").await;
    for path in [format!("jobs/{job}/retry"), format!("jobs/{job}/cancel"), "jobs/retry".to_owned()] {
        let nobody = house.send(request("POST", &format!("/api/v1/{path}"), &[], Body::empty())).await;
        nobody.is_problem(401, "credential");
        ask(&house, Role::Viewer, &path, "{}").await.is_problem(403, "role");
    }
    assert_eq!(state(&house, job).await, JobState::Dead);
    for role in [Role::Operator, Role::Integrator, Role::Approver, Role::Admin] {
        assert_eq!(ask(&house, role, "jobs/retry", "{\"dry_run\":true}").await.status, 200, "{role:?}");
    }
}

#[tokio::test]
async fn a_dead_job_is_retried_and_claimed_at_once() {
    let house = House::new().await;
    let job = dead(&house, "1").await;
    // The bell was rung when it came.
    let bell = || tokio::time::timeout(Duration::from_millis(50), house.runtime.bell.notified());
    while bell().await.is_ok() {}
    let answer = ask(&house, Role::Operator, &format!("jobs/{job}/retry"), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = &answer.json()["items"][0];
    assert_eq!((&told["was"], &told["state"], &told["refused"]), (&json!("dead"), &json!("ready"), &Value::Null));
    assert!(bell().await.is_ok(), "it was rung");
    let shown = house.api(&format!("jobs/{job}")).await.json();
    assert_eq!((&shown["state"], &shown["reason"]["code"]), (&json!("ready"), &json!("revived")));
    assert_eq!(shown["decisions"][0]["actor"], "token:tests");
    let audit = house.store().audit(&AuditPage { kind: Some(AuditKind::Decided), ..AuditPage::default() }).await.unwrap();
    assert_eq!((audit.len(), audit[0].entry.actor.as_str(), audit[0].entry.job), (1, "token:tests", Some(job)));
    assert_eq!(house.claim().await.0.id, job);
}

#[tokio::test]
async fn a_refusal_is_a_problem_that_says_why() {
    let house = House::new().await;
    house.deliver("1", "Ana").await;
    let unknown = house.lose().await.id;
    let path = format!("jobs/{unknown}/retry");
    let problem = ask(&house, Role::Operator, &path, "").await.is_problem(409, "job");
    assert_eq!(problem["code"], "undecided");
    for wrong in ["{\"verdict\":\"maybe\"}", "{\"verdikt\":\"run\"}", "nonsense"] {
        ask(&house, Role::Operator, &path, wrong).await.is_problem(400, "malformed");
    }
    assert_eq!(ask(&house, Role::Operator, &path, "{\"verdict\":\"done\"}").await.json()["items"][0]["state"], "done");
    let problem = ask(&house, Role::Operator, &path, "{\"verdict\":\"run\"}").await.is_problem(409, "job");
    assert_eq!(
        (&problem["code"], &problem["detail"]),
        (&json!("wrong_state"), &json!("it is done; only a job that is dead or unknown can be decided so."))
    );
    for id in ["job_00000000000000000000000000000001", "x"] {
        ask(&house, Role::Operator, &format!("jobs/{id}/retry"), "").await.is_problem(404, "not-found");
        ask(&house, Role::Operator, &format!("jobs/{id}/cancel"), "").await.is_problem(404, "not-found");
    }
    for (wrong, code) in [
        ("", "malformed"),
        ("{\"state\":\"done\"}", "malformed"),
        ("{\"jobs\":[],\"rule\":\"greeting\"}", "malformed"),
        ("{\"per_minute\":0}", "malformed"),
        ("{\"since\":\"yesterday\"}", "malformed"),
    ] {
        ask(&house, Role::Operator, "jobs/retry", wrong).await.is_problem(400, code);
    }
}

#[tokio::test]
async fn what_is_of_no_rule_in_force_is_refused_at_once() {
    let house = House::new().await;
    let cause = zelo_core::Cause { job: JobId::from_bytes([1; 16]), lineage: vec![] };
    house.emit(cause).await;
    let job = house.give_up().await.id;
    let problem = ask(&house, Role::Operator, &format!("jobs/{job}/retry"), "").await.is_problem(409, "job");
    assert!(["rule_gone", "switched_off"].contains(&problem["code"].as_str().unwrap()), "{problem}");
    assert_eq!(state(&house, job).await, JobState::Dead);
}

#[tokio::test]
async fn all_that_is_meant_runs_at_a_rate() {
    let house = House::new().await;
    let mut jobs = Vec::new();
    for id in ["1", "2", "3"] {
        jobs.push(dead(&house, id).await.to_string());
    }
    let filter = json!({ "rule": "greeting", "code": "plugin", "per_minute": 6 });
    let mut dry = filter.clone();
    dry["dry_run"] = json!(true);
    let would = ask(&house, Role::Operator, "jobs/retry", &dry.to_string()).await.json();
    assert_eq!((&would["dry_run"], &would["refused"], &would["more"]), (&json!(true), &json!(0), &json!(false)));
    assert_eq!(house.api("jobs?state=dead").await.json()["items"].as_array().unwrap().len(), 3, "nothing has changed");
    let revived = ask(&house, Role::Operator, "jobs/retry", &filter.to_string()).await.json();
    assert_eq!(revived["items"], would["items"]);
    let told: Vec<&str> = revived["items"].as_array().unwrap().iter().map(|job| job["job"].as_str().unwrap()).collect();
    assert_eq!(told, jobs);
    let at: Vec<&str> = revived["items"].as_array().unwrap().iter().map(|job| job["run_at"].as_str().unwrap()).collect();
    assert_eq!(at, ["2026-03-02T11:00:00Z", "2026-03-02T11:00:10Z", "2026-03-02T11:00:20Z"]);
    let mut nobody = json!({ "jobs": [jobs[0], "job_00000000000000000000000000000001"] });
    nobody["verdict"] = json!("run");
    let answer = ask(&house, Role::Operator, "jobs/retry", &nobody.to_string()).await.json();
    assert_eq!((&answer["refused"], &answer["missing"]), (&json!(2), &json!(["job_00000000000000000000000000000001"])));
}

#[tokio::test]
async fn a_pending_job_is_cancelled_once() {
    let house = House::new().await;
    house.deliver("1", "Ana").await;
    let job = house.wait_for_contact().await.id;
    let path = format!("jobs/{job}/cancel");
    assert_eq!(ask(&house, Role::Operator, &path, "").await.json(), json!({ "job": job.to_string(), "state": "cancelled" }));
    assert_eq!(ask(&house, Role::Operator, &path, "").await.is_problem(409, "job")["code"], "wrong_state");
    house.deliver("2", "Eva").await;
    let (running, _) = house.claim().await;
    let answer = ask(&house, Role::Operator, &format!("jobs/{}/cancel", running.id), "").await;
    assert_eq!(answer.json()["state"], "running", "it is asked to stop");
}

#[tokio::test]
async fn a_form_decides_and_says_why_it_cannot() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let dead = dead(&house, "1").await;
    house.deliver("2", "Ana").await;
    let unknown = house.lose().await.id;
    house.deliver("3", "Ana").await;
    let waiting = house.wait_for_contact().await.id;
    // Who only looks decides nothing.
    let viewer = format!("Bearer {}", house.token().await);

    for (job, verdict, next) in
        [(dead, "retry", JobState::Ready), (unknown, "not", JobState::Cancelled), (waiting, "cancel", JobState::Cancelled)]
    {
        let path = format!("/jobs/{job}");
        let form = || format!("verdict={verdict}");
        house.post(&path, &[], form()).await.is_problem(401, "credential");
        house.post(&path, &[("authorization", &viewer)], form()).await.is_problem(403, "role");
        let elsewhere = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
        house.post(&path, &elsewhere, form()).await.is_problem(403, "cross-site");
        assert_ne!(state(&house, job).await, next, "nothing has changed");
        house.post(&path, &[("cookie", &cookie)], "verdict=perhaps".to_owned()).await.is_problem(400, "malformed");
        let answer = house.post(&path, &[("cookie", &cookie)], form()).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"), "{}", answer.text);
        assert_eq!(state(&house, job).await, next);
    }
    let refused = house.post(&format!("/jobs/{unknown}"), &[("cookie", &cookie)], "verdict=run".to_owned()).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("A tarefa continua como estava") && refused.text.contains("No estado em que está"), "{}", refused.text);
    let actors: Vec<String> = house.store().decisions(dead).await.unwrap().iter().map(|view| view.actor.as_str().to_owned()).collect();
    assert_eq!(actors, ["session:link"]);
}

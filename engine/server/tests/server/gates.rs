//! Who may ask for what: every route, every role, with and without clinics, as the OpenAPI document says.

use axum::body::Body;
use serde_json::{Value, json};
use zelo_core::{Clinics, SignedDuration};
use zelo_server::access::Role;
use zelo_server::password;
use zelo_store::PersonRow;

use crate::contract::operations;
use crate::house::{Answer, House, MARKER, SECRET, contact, cookie, delivery, document, message, patient, request};

/// Of `connection/clinic`.
pub(crate) fn only(clinic: &str) -> Clinics {
    Clinics::of([clinic.parse().unwrap()])
}

/// An address of a path, with something that is nothing in the place of each parameter.
fn address(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/")
}

/// What a route answers to who has this token.
async fn asked(house: &House, method: &str, path: &str, token: Option<&str>) -> Answer {
    let authorization = format!("Bearer {}", token.unwrap_or_default());
    let headers = [("authorization", authorization.as_str())];
    let headers = if token.is_some() { &headers[..] } else { &[] };
    if path == "/changes" {
        // Its answer goes on, where there is one.
        let head = house.open(path, headers).await;
        if head.status() == 200 {
            return Answer { status: head.status(), headers: head.headers().clone(), text: String::new() };
        }
    }
    house.send(request(&method.to_ascii_uppercase(), &address(path), headers, Body::empty())).await
}

#[tokio::test]
async fn every_route_takes_whom_the_document_says_and_nobody_else() {
    let house = House::for_a_walk().await;
    let mut walked = 0;
    for (path, method, operation) in operations() {
        let Some(role) = operation["x-zelo-role"].as_str() else {
            let told = asked(&house, method, path, None).await;
            assert!(told.status != 403, "{method} {path}: {}", told.text);
            assert_eq!(operation["security"], json!([]), "{method} {path} is open and says otherwise");
            continue;
        };
        let (needed, reach) = (Role::parse(role).unwrap(), operation["x-zelo-reach"].as_str().unwrap());
        asked(&house, method, path, None).await.is_problem(401, "credential");
        for role in Role::ALL {
            for clinics in [Clinics::All, only("acme/9")] {
                let token = house.token_for(role, clinics.clone()).await;
                let told = asked(&house, method, path, Some(&token)).await;
                if role < needed {
                    told.is_problem(403, "role");
                } else if clinics != Clinics::All && reach == "everything" {
                    told.is_problem(403, "clinics");
                } else {
                    assert!(![401, 403].contains(&told.status.as_u16()), "{method} {path} as {role:?}: {}", told.text);
                }
                walked += 1;
            }
        }
    }
    assert!(walked > 300, "{walked}");
}

#[test]
fn who_changes_something_is_no_viewer_and_who_sees_to_people_is_an_admin() {
    let gated: Vec<_> =
        operations().filter_map(|(path, method, told)| Some((path, method, Role::parse(told["x-zelo-role"].as_str()?)?))).collect();
    for (path, method, role) in &gated {
        // They only look.
        let looks = ["/api/v1/explain", "/automations/{rule}/preview", "/activity"].contains(path);
        assert!(*method == "get" || looks || *role >= Role::Operator, "{method} {path}");
        assert!(!path.contains("subjects") || *role == Role::Admin, "{method} {path}");
    }
    let open: Vec<&str> = operations().filter(|(.., told)| told["x-zelo-role"].is_null()).map(|(path, ..)| path).collect();
    assert_eq!(
        open,
        [
            "/",
            "/events",
            "/events",
            "/events/{connection}",
            "/events/{connection}",
            "/healthz",
            "/hooks/{connection}",
            "/hooks/{connection}",
            "/hooks/{connection}/",
            "/hooks/{connection}/",
            "/hooks/{connection}/{path}",
            "/hooks/{connection}/{path}",
            "/icon.svg",
            "/language",
            "/readyz",
            "/sign-in",
            "/sign-in",
            "/sign-out",
            "/style.css",
            "/zelo.js",
        ]
    );
}

/// Two clinics of one connection, each with one of everything; what there is of the first has the marker in it.
struct Two {
    house: House,
    /// Of clinic 9, then of clinic 8: event, job, pseudonym.
    ids: [[String; 3]; 2],
}

impl Two {
    async fn new() -> Self {
        let house = House::new().await;
        let mut ids = Vec::new();
        for (clinic, id, name) in [("9", "p9", MARKER), ("8", "p8", "Ana")] {
            house.advance(SignedDuration::from_secs(60));
            let mut body = patient(id, name);
            body["data"]["clinic"] = clinic.into();
            let sent = house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
            let event = sent.json()["event_id"].as_str().unwrap().to_owned();
            let notes = json!({ "name": name, "stage": "lead" });
            let effects =
                vec![message(&format!("Olá {name}"), vec![]), document(&format!("{name}.pdf"), "text/plain"), contact(id, notes, name)];
            let job = house.finish_with(effects).await.id.to_string();
            let who = zelo_store::Who::Id { connection: None, id: id.into() };
            let subject = house.store().find_subjects(who).await.unwrap().remove(0).pseudonym.to_string();
            ids.push([event, job, subject]);
        }
        Self { house, ids: ids.try_into().unwrap() }
    }

    /// What is of the clinic 9, as it may stand in an answer.
    fn of_nine(&self) -> Vec<&str> {
        self.ids[0].iter().map(String::as_str).chain([MARKER, "p9", "\"clinic\":\"9\""]).collect()
    }

    async fn get(&self, clinics: Clinics, path: &str) -> Answer {
        let authorization = format!("Bearer {}", self.house.token_for(Role::Admin, clinics).await);
        // A page stands where it stands.
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/api/v1/{path}") };
        self.house.get(&path, &[("authorization", &authorization)]).await
    }

    async fn post(&self, clinics: Clinics, path: &str, body: Value) -> Answer {
        let authorization = format!("Bearer {}", self.house.token_for(Role::Admin, clinics).await);
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        self.house.send(request("POST", &format!("/api/v1/{path}"), &headers, body.to_string().into())).await
    }
}

#[tokio::test]
async fn who_is_of_one_clinic_is_told_nothing_of_another() {
    let two = Two::new().await;
    let mine = || only("acme/8");
    // Every address that tells something of clinics, from the document.
    let mut walked = 0;
    for (path, _, operation) in operations().filter(|(_, method, told)| *method == "get" && told["x-zelo-reach"] == "clinics") {
        let told_of = |ids: &[String; 3]| {
            let [event, job, subject] = ids;
            let id = if path.contains("/events/") { event } else { job };
            // Its first effect is a message, its second a document.
            let index = if path.starts_with("/messages/") { 1 } else { 2 };
            let path = path.replace("{job}/{index}", &format!("{job}/{index}")).replace("{pseudonym}", subject);
            let path = if path.contains("/rules/") { path.replace("{id}", "greeting") } else { path.replace("{id}", id) };
            path.trim_start_matches("/api/v1/").to_owned()
        };
        let (his, hers) = (told_of(&two.ids[0]), told_of(&two.ids[1]));
        let nothing = told_of(&["evt_", "job_", "sub_"].map(|kind| format!("{kind}{}", "0".repeat(32))));
        for (clinics, path) in [(mine(), &his), (mine(), &hers), (only("open/9"), &his), (only("open/9"), &hers)] {
            let told = two.get(clinics, path).await;
            assert!(!two.of_nine().iter().any(|value| told.text.contains(value)), "{path}: {}", told.text);
            walked += 1;
        }
        if his != hers {
            // What is of another clinic is as what is not there at all.
            let (there, nowhere) = (two.get(mine(), &his).await, two.get(mine(), &nothing).await);
            assert_eq!((there.status, &there.text), (nowhere.status, &nowhere.text), "{path}: {operation}");
            assert_eq!(there.status, 404, "{path}");
            assert_eq!(two.get(mine(), &hers).await.status, 200, "{path}");
            assert_eq!(two.get(Clinics::All, &his).await.status, 200, "{path}");
        }
    }
    assert!(walked > 40, "{walked}");
    for list in ["events", "jobs", "messages", "documents", "records", "audit"] {
        let told = two.get(mine(), list).await.json();
        let items = told["items"].as_array().unwrap();
        assert!(!items.is_empty() && items.iter().all(|item| item["clinic"] == "8"), "{list}: {told}");
        assert_eq!(two.get(mine(), &format!("{list}?clinic=9")).await.json()["items"], json!([]), "{list}");
        let all = two.get(Clinics::All, list).await;
        assert!(all.text.contains("\"clinic\":\"9\"") && all.text.contains("\"clinic\":\"8\""), "{list}");
    }
}

#[tokio::test]
async fn who_is_of_one_clinic_changes_nothing_of_another() {
    let two = Two::new().await;
    let [[_, his, _], [_, hers, _]] = &two.ids;
    let mine = || only("acme/8");
    for what in ["retry", "cancel"] {
        let there = two.post(mine(), &format!("jobs/{his}/{what}"), json!({})).await;
        there.is_problem(404, "not-found");
        let own = two.post(mine(), &format!("jobs/{hers}/{what}"), json!({})).await;
        own.is_problem(409, "job");
    }
    let told = two.post(mine(), "jobs/retry", json!({ "jobs": [his, hers] })).await.json();
    assert_eq!((&told["missing"], told["items"][0]["job"].as_str()), (&json!([his]), Some(hers.as_str())));
    assert_eq!(two.post(mine(), "jobs/retry", json!({ "state": "dead", "clinic": "9" })).await.json()["items"], json!([]));

    let found = |id: &str| json!({ "id": id });
    assert_eq!(two.post(mine(), "subjects/find", found("p9")).await.json()["items"], json!([]));
    assert_eq!(two.post(mine(), "subjects/find", found("p8")).await.json()["items"][0]["clinic"], "8");
    let explained = two.get(mine(), &format!("events/{}/explanation?reveal=sensitive", two.ids[1][0])).await;
    explained.is_problem(403, "clinics");
}

/// Somebody who signs in with `PASSWORD`.
pub(crate) async fn add_person(house: &House, name: &str, role: Role, clinics: Clinics) {
    let hash = password::hash(PASSWORD, house.runtime.entropy.as_ref()).unwrap();
    let now = house.runtime.clock.now();
    let row = PersonRow { name: name.into(), role: role.as_str().into(), clinics, password: hash, secret: None, created: now, version: 0 };
    house.store().put_person(row, zelo_core::Actor::command(), now).await.unwrap();
}

pub(crate) const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn a_page_shows_what_is_of_the_clinics_of_its_reader() {
    let two = Two::new().await;
    let house = &two.house;
    add_person(house, "ana", Role::Admin, only("acme/8")).await;
    let entered = house.post("/sign-in", &[], format!("name=ana&password={}", PASSWORD.replace(' ', "+"))).await;
    assert_eq!(entered.status, 303, "{}", entered.text);
    let page = house.get("/", &[("cookie", &cookie(&entered))]).await.text;
    assert!(page.contains("id=\"numbers\""), "{page}");
    assert!(!page.contains("acme/9") && !two.of_nine().iter().any(|value| page.contains(value)), "{page}");
    assert!(!page.contains("action=\"/halts\"") && !page.contains("live.js"), "what is about all clinics is not theirs");
}

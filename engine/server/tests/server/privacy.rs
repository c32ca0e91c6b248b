//! Who came in and what they saw is answered for; people are found, told whole, and erased.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use zelo_core::audit::verify::Finding;
use zelo_core::{Actor, AuditKind, Pseudonym, SignedDuration};
use zelo_server::access::Role;
use zelo_store::{AuditPage, AuditView, Page, SubjectView, Who};

use crate::house::{Answer, FILE, House, MARKER, SECRET, contact, delivery, document, message, patient, request};

const CPF: &str = "529.982.247-25";
const EMAIL: &str = "zacarias@example.com";
const PHONE: &str = "+5511987654321";
/// What must not stand in a log.
const VALUES: [&str; 6] = [MARKER, CPF, "52998224725", EMAIL, PHONE, "11987654321"];

/// A house, and somebody in it of whom there is one of everything.
struct Known {
    house: House,
    person: Pseudonym,
    event: String,
    job: String,
}

impl Known {
    async fn new() -> Self {
        Self::of(House::new().await).await
    }

    async fn of(house: House) -> Self {
        let event = arrives(&house, "p1").await;
        let notes = json!({ "name": MARKER, "phone": PHONE, "stage": "lead" });
        let effects =
            vec![message(&format!("Olá {MARKER}"), vec![]), document("recibo.pdf", "application/pdf"), contact("p1", notes, "veio")];
        let job = house.finish_with(effects).await.id.to_string();
        let person = person(&house, "p1").await.pseudonym;
        Self { house, person, event, job }
    }

    /// An entry of what a viewer saw.
    fn seen(&self, what: &str, ids: Value, rows: u64) -> Value {
        json!({ "kind": "viewed", "actor": "token:tests", "about": [self.person], "clinic": "9", "detail": { "what": what, "ids": ids, "rows": rows } })
    }
}

/// Somebody arrives with everything that they are known by; the id of the event.
async fn arrives(house: &House, id: &str) -> String {
    let mut body = patient(id, MARKER);
    body["data"]["cpf"] = CPF.into();
    body["data"]["email"] = EMAIL.into();
    let answer = house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    answer.json()["event_id"].as_str().unwrap().to_owned()
}

async fn person(house: &House, id: &str) -> SubjectView {
    house.store().find_subjects(Who::Id { connection: None, id: id.into() }).await.unwrap().remove(0)
}

/// The audit log, oldest first.
async fn log(house: &House) -> Vec<AuditView> {
    let page = Page { limit: 1000, ..Page::default() };
    let mut rows = house.store().audit(&AuditPage { page, ..AuditPage::default() }).await.unwrap();
    rows.reverse();
    rows
}

/// Who did what, of one kind.
async fn told(house: &House, kind: AuditKind) -> Vec<(String, Value)> {
    let rows = log(house).await.into_iter().filter(|row| row.entry.kind == kind);
    rows.map(|row| (row.entry.actor.as_str().to_owned(), row.entry.detail().into())).collect()
}

async fn ask(house: &House, role: Role, method: &str, path: &str, body: Option<Value>) -> Answer {
    let authorization = format!("Bearer {}", house.token_of(role).await);
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    house.send(request(method, &format!("/api/v1/{path}"), &headers, body.into())).await
}

async fn get(house: &House, path: &str) -> Answer {
    ask(house, Role::Admin, "GET", path, None).await
}

async fn post(house: &House, path: &str, body: Value) -> Answer {
    ask(house, Role::Admin, "POST", path, Some(body)).await
}

#[tokio::test]
async fn who_comes_in_and_who_goes_is_written_down() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    house.post("/sign-out", &[("cookie", &cookie)], String::new()).await;
    // There is no session any more that could end.
    house.post("/sign-out", &[("cookie", &cookie)], String::new()).await;
    let entry = |who: &str, what: &str| (who.to_owned(), json!({ "what": what, "role": "admin" }));
    assert_eq!(told(&house, AuditKind::SignedIn).await, [entry("link:link", "link used"), entry("session:link", "signed out")]);
    let made = json!({ "credential": "link", "role": "admin", "name": "link" });
    assert_eq!(told(&house, AuditKind::Configured).await, [("command".to_owned(), made)]);
}

#[tokio::test]
async fn a_flood_of_refused_requests_is_one_entry_a_minute() {
    let house = House::new().await;
    let code = house.link().await;
    house.post("/sign-in", &[], format!("code={code}")).await;
    for _ in 0..3 {
        assert_eq!(house.post("/sign-in", &[], format!("code={code}")).await.status, 401);
    }
    for authorization in ["Bearer zelo_x", "Basic eDp5", "Bearer zelo_y"] {
        house.get("/api/v1/events", &[("authorization", authorization)]).await.is_problem(401, "credential");
    }
    house.get("/api/v1/events", &[]).await.is_problem(401, "credential");
    house.advance(SignedDuration::from_secs(59));
    house.post("/sign-in", &[], "code=x".into()).await;
    house.advance(SignedDuration::from_secs(1));
    house.post("/sign-in", &[], "code=x".into()).await;
    // The first page asks for the credential by itself.
    house.get("/", &[("authorization", "Bearer zelo_z")]).await;
    let entry = |kind: &str, count: u64| (format!("{kind}:unknown"), json!({ "what": format!("{kind} refused"), "count": count }));
    let all = told(&house, AuditKind::SignedIn).await;
    assert_eq!(all[1..], [entry("link", 1), entry("token", 1), entry("link", 4), entry("token", 3)]);
}

#[tokio::test]
async fn whoever_looks_is_written_down_with_whom_they_saw() {
    let known = Known::new().await;
    let Known { house, event, job, .. } = &known;
    let (message, document) = (format!("{job}/1"), format!("{job}/2"));
    for (path, what, ids, rows) in [
        ("events", "events", json!([event]), 1),
        (&*format!("events/{event}"), "event", json!([event]), 1),
        (&*format!("events/{event}/explanation"), "explanation", json!([event]), 1),
        ("jobs", "jobs", json!([job]), 1),
        (&*format!("jobs/{job}"), "job", json!([job]), 1),
        ("messages", "messages", json!([message]), 1),
        ("documents", "documents", json!([document]), 1),
        (&*format!("documents/{document}"), "document", json!([document]), 1),
        // Ids of records are a provider's.
        ("records", "records", json!([]), 2),
    ] {
        let before = log(house).await.len();
        let authorization = format!("Bearer {}", house.token().await);
        assert_eq!(house.get(&format!("/api/v1/{path}"), &[("authorization", &authorization)]).await.status, 200, "{path}");
        // The token that was made for it is an entry too.
        let new: Vec<AuditView> = log(house).await.drain(before + 1..).collect();
        let new: Vec<Value> = new.into_iter().map(|row| {
            let entry = &row.entry;
            assert_eq!(entry.connection.as_deref(), Some("acme"));
            json!({ "kind": entry.kind, "actor": entry.actor.as_str(), "about": entry.about, "clinic": entry.clinic, "detail": entry.detail() })
        }).collect();
        assert_eq!(new, [known.seen(what, ids, rows)], "{path}");
    }
    let before = told(house, AuditKind::Viewed).await.len();
    for path in ["rules", "rules/greeting", "status", "audit", "audit/verify", "jobs?state=dead", "jobs?attention=true"] {
        assert_eq!(house.api(path).await.status, 200);
    }
    assert_eq!(told(house, AuditKind::Viewed).await.len(), before, "nothing of anybody's is in them");
}

#[tokio::test]
async fn only_what_is_shown_is_written_down() {
    let house = House::new().await;
    for id in ["p1", "p2", "p3"] {
        house.deliver(id, "Ana").await;
    }
    house.api("events?limit=2").await;
    let rows = log(&house).await;
    let entry = &rows.last().unwrap().entry;
    let mut expected = vec![person(&house, "p2").await.pseudonym, person(&house, "p3").await.pseudonym];
    expected.sort();
    assert_eq!((entry.about.clone(), entry.detail()["rows"].clone()), (expected, json!(2)), "several people, one entry");
}

#[tokio::test]
async fn who_opens_the_page_or_its_stream_is_written_down() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    house.get("/", &[("cookie", &cookie)]).await;
    assert_eq!(told(&house, AuditKind::Viewed).await, [], "nobody is on it");
    let known = Known::of(house).await;
    known.house.get("/", &[("cookie", &cookie)]).await;
    assert_eq!(told(&known.house, AuditKind::Viewed).await, [], "numbers are nobody's");
    let stream = known.house.open("/changes", &[("cookie", &cookie)]).await;
    assert_eq!(stream.status(), 200);
    let changes = ("session:link".to_owned(), json!({ "what": "changes", "ids": [], "rows": 0 }));
    assert_eq!(told(&known.house, AuditKind::Viewed).await, [changes]);
    known.house.get("/", &[]).await;
    assert_eq!(told(&known.house, AuditKind::Viewed).await.len(), 1, "who is not signed in sees nothing");
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_shown() {
    let (house, deaf) = House::hard_of_hearing().await;
    let Known { house, person, event, job } = Known::of(house).await;
    let cookie = house.sign_in().await;
    deaf.store(true, Ordering::SeqCst);
    for path in [
        "events".to_owned(),
        format!("events/{event}"),
        format!("events/{event}/explanation?reveal=sensitive"),
        "jobs".into(),
        format!("jobs/{job}"),
        "messages".into(),
        "documents".into(),
        format!("documents/{job}/2"),
        "records".into(),
        format!("subjects/{person}/export"),
        format!("subjects/{person}/export?format=html"),
        format!("subjects/{person}/disclosures"),
    ] {
        let answer = get(&house, &path).await;
        answer.is_problem(503, "unavailable");
        assert!(!answer.text.contains(PHONE) && !answer.text.contains(FILE) && !answer.text.contains("phone"), "{path}: {}", answer.text);
    }
    post(&house, "subjects/find", json!({ "cpf": CPF })).await.is_problem(503, "unavailable");
    let payload = json!({ "connection": "acme", "type": "patient.created", "data": patient("p1", "Ana") });
    post(&house, "explain?reveal=personal", payload).await.is_problem(503, "unavailable");
    for path in ["/changes"] {
        house.get(path, &[("cookie", &cookie)]).await.is_problem(503, "unavailable");
    }
    assert_eq!(get(&house, "rules").await.status, 200, "what holds nothing of anybody's is still told");
    deaf.store(false, Ordering::SeqCst);
    assert_eq!(get(&house, "events").await.status, 200);
}

#[tokio::test]
async fn a_payload_that_is_explained_with_what_is_known_is_a_view() {
    let known = Known::new().await;
    let payload = json!({ "connection": "acme", "type": "patient.created", "data": patient("p1", "Ana") });
    for (path, entries) in [("explain", 0), ("explain?reveal=personal", 1)] {
        assert_eq!(post(&known.house, path, payload.clone()).await.status, 200);
        assert_eq!(told(&known.house, AuditKind::Viewed).await.len(), entries, "{path}");
    }
    assert_eq!(log(&known.house).await.last().unwrap().entry.about, [known.person]);
}

#[tokio::test]
async fn people_are_for_admins() {
    let known = Known::new().await;
    let at = |rest: &str| format!("subjects/{}/{rest}", known.person);
    for (method, path, body) in [
        ("POST", "subjects/find".to_owned(), Some(json!({ "cpf": CPF }))),
        ("GET", at("export"), None),
        ("GET", at("disclosures"), None),
        ("POST", at("hold"), Some(json!({ "reason": "court" }))),
        ("POST", at("release"), None),
        ("POST", at("consents"), Some(json!({ "topic": "messages", "given": true }))),
        // The last: then they are gone.
        ("POST", at("erase"), Some(json!({ "confirm": known.person }))),
    ] {
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Admin) {
            ask(&known.house, role, method, &path, body.clone()).await.is_problem(403, "role");
        }
        assert_eq!(known.house.get(&format!("/api/v1/{path}"), &[]).await.status, 401);
        let answer = ask(&known.house, Role::Admin, method, &path, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn another_site_does_nothing_with_a_cookie() {
    let known = Known::new().await;
    let cookie = known.house.sign_in().await;
    let path = format!("/api/v1/subjects/{}/erase", known.person);
    let body = json!({ "confirm": known.person }).to_string();
    for foreign in [("sec-fetch-site", "same-site"), ("origin", "https://evil.example")] {
        let sent = request("POST", &path, &[("cookie", &cookie), foreign], body.clone().into());
        known.house.send(sent).await.is_problem(403, "cross-site");
    }
    let sent = request("POST", &path, &[("cookie", &cookie), ("sec-fetch-site", "same-origin")], body.into());
    assert_eq!(known.house.send(sent).await.status, 200);
}

#[tokio::test]
async fn a_person_is_found_by_what_they_are_known_by() {
    let Known { house, person, .. } = Known::new().await;
    for wanted in [
        json!({ "cpf": CPF }),
        json!({ "cpf": "52998224725" }),
        json!({ "phone": "(11) 98765-4321" }),
        json!({ "email": " Zacarias@Example.com" }),
        json!({ "id": "p1" }),
        json!({ "id": "p1", "connection": "acme" }),
        json!({ "pseudonym": person }),
    ] {
        let found = post(&house, "subjects/find", wanted.clone()).await.json();
        let people = found["items"].as_array().unwrap();
        assert_eq!(people.len(), 1, "{wanted}: {found}");
        assert_eq!((&people[0]["pseudonym"], &people[0]["identities"]), (&json!(person), &json!(["cpf", "email", "phone"])));
    }
    assert_eq!(told(&house, AuditKind::Viewed).await[0], ("token:tests".to_owned(), json!({ "what": "subjects", "ids": [], "rows": 1 })));
    let nobody = post(&house, "subjects/find", json!({ "id": "p1", "connection": "open" })).await;
    assert_eq!((nobody.status.as_u16(), nobody.json()), (200, json!({ "items": [], "next": null })));
}

#[tokio::test]
async fn a_bad_question_is_refused_without_its_value() {
    let house = House::new().await;
    for (body, says) in [
        (json!({ "cpf": "529.982.247-26" }), "no CPF"),
        (json!({ "phone": "98" }), "no phone"),
        (json!({ "email": "zacarias" }), "no e-mail"),
        (json!({ "pseudonym": "zacarias" }), "`sub_`"),
        (json!({}), "exactly one"),
        (json!({ "cpf": CPF, "email": EMAIL }), "exactly one"),
        (json!({ "cpf": CPF, "connection": "acme" }), "beside `id`"),
        (json!({ "nome": "zacarias" }), "line 1"),
        (json!({ "cpf": 52_998_224_726_u64 }), "line 1"),
    ] {
        let problem = post(&house, "subjects/find", body.clone()).await.is_problem(400, "malformed").to_string();
        assert!(problem.contains(says), "{body}: {problem}");
        assert!(!["529", "98", "zacarias", "nome"].iter().any(|value| problem.contains(value)), "{problem}");
    }
    get(&house, "subjects/sub_0/export").await.is_problem(404, "not-found");
    get(&house, &format!("subjects/{}/export", Pseudonym::from_bytes([9; 16]))).await.is_problem(404, "not-found");
}

#[tokio::test]
async fn all_that_is_held_of_a_person_is_handed_out() {
    let Known { house, person, event, job } = Known::new().await;
    let path = format!("subjects/{person}/export");
    post(&house, &format!("subjects/{person}/consents"), json!({ "topic": "messages", "given": true })).await;
    let told_json = get(&house, &path).await.json();
    assert_eq!(told_json["subject"]["pseudonym"], json!(person));
    assert_eq!((&told_json["events"][0]["id"], &told_json["events"][0]["data"]["data"]["cpf"]), (&json!(event), &json!(CPF)));
    assert_eq!((&told_json["jobs"][0]["id"], &told_json["jobs"][0]["journal"][1]["effect"]["to"]), (&json!(job), &json!(PHONE)));
    assert_eq!(told_json["messages"][0]["text"], format!("Olá {MARKER}"));
    assert_eq!(told_json["documents"][0]["content"], data_encoding::BASE64.encode(FILE.as_bytes()));
    assert_eq!(told_json["records"].as_array().unwrap().len(), 2);
    assert_eq!((&told_json["consents"][0]["topic"], &told_json["state"]), (&json!("messages"), &json!([])));
    assert_eq!(told_json["seen"]["disclosures"][0]["fields"], json!({ "phone": "personal" }));

    for (language, words) in [("pt-BR", "Dados pessoais"), ("en", "Personal data")] {
        let authorization = format!("Bearer {}", house.token_of(Role::Admin).await);
        let page =
            house.get(&format!("/api/v1/{path}?format=html"), &[("authorization", &authorization), ("accept-language", language)]).await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert_eq!(page.header("content-disposition"), format!("attachment; filename=\"zelo-{person}.html\""));
        let content = data_encoding::BASE64.encode(FILE.as_bytes());
        for part in [words, &person.to_string(), CPF, PHONE, &format!("Olá {MARKER}"), "recibo.pdf", &content, &event, &job] {
            assert!(page.text.contains(part), "{part} in {}", page.text);
        }
        assert!(!page.text.contains("<script") && !page.text.contains("src=") && !page.text.contains("://"), "{}", page.text);
    }
    let exported = |what: &str| ("token:tests".to_owned(), json!({ "what": what, "ids": [], "rows": 1 }));
    assert_eq!(told(&house, AuditKind::Exported).await, [exported("json"), exported("page"), exported("page")]);
    assert_eq!(log(&house).await.last().unwrap().entry.about, [person]);
    get(&house, &format!("{path}?format=pdf")).await.is_problem(400, "query");
}

#[tokio::test]
async fn the_page_of_a_person_shows_values_as_text() {
    let house = House::new().await;
    let nasty = "<script>alert('1')</script>\"'><img src=x onerror=alert(1)>";
    house.deliver(nasty, nasty).await;
    let notes = json!({ "name": nasty, "stage": nasty });
    house.finish_with(vec![message(nasty, vec![]), document(nasty, nasty), contact(nasty, notes, nasty)]).await;
    let person = person(&house, nasty).await.pseudonym;
    let page = get(&house, &format!("subjects/{person}/export?format=html")).await.text;
    assert!(page.matches("&lt;script&gt;alert").count() > 8, "{page}");
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>"), "{page}");
}

#[tokio::test]
async fn the_page_of_a_person_says_in_words_who_looked() {
    let Known { house, person, .. } = Known::new().await;
    house.api("events").await;
    get(&house, &format!("subjects/{person}/disclosures")).await;
    let page = get(&house, &format!("subjects/{person}/export?format=html")).await.text;
    for words in ["<td>token tests</td><td>eventos</td>", "<td>quem viu o quê</td>", "telefone"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("token:tests") && !page.contains("00Z</td>"), "nothing for programs: {page}");
}

#[tokio::test]
async fn who_saw_what_can_be_read() {
    let Known { house, person, event, job } = Known::new().await;
    house.api("events").await;
    let seen = get(&house, &format!("subjects/{person}/disclosures")).await.json();
    let disclosure = &seen["disclosures"][0];
    assert_eq!((&disclosure["fields"], &disclosure["job"]), (&json!({ "phone": "personal" }), &json!(job)));
    assert_eq!((&disclosure["rule"], &disclosure["event"]), (&json!("greeting"), &json!(event)));
    assert_eq!((&disclosure["effects"][0]["effect"], &disclosure["effects"][0]["to"]), (&json!("message"), &json!("outbox")));
    let view = &seen["views"][0];
    assert_eq!((&view["actor"], &view["what"], &view["kind"]), (&json!("token:tests"), &json!("events"), &json!("viewed")));
    assert_eq!(seen["views"].as_array().unwrap().len(), 1, "this one comes next");
    let seen = get(&house, &format!("subjects/{person}/disclosures")).await.json();
    assert_eq!(seen["views"][1]["what"], "disclosures");
    get(&house, &format!("subjects/{}/disclosures", Pseudonym::from_bytes([9; 16]))).await.is_problem(404, "not-found");
}

#[tokio::test]
async fn who_is_erased_is_nowhere() {
    let Known { house, person, event, job } = Known::new().await;
    let cookie = house.sign_in().await;
    let at = |rest: &str| format!("subjects/{person}/{rest}");
    let confirm = json!({ "confirm": person });
    post(&house, &at("erase"), json!({ "confirm": "yes" })).await.is_problem(400, "malformed");
    post(&house, &at("hold"), json!({ "reason": " " })).await.is_problem(400, "malformed");
    let held = post(&house, &at("hold"), json!({ "reason": "a court asks for it" })).await.json();
    assert!(held["held"].is_string(), "{held}");
    post(&house, &at("erase"), confirm.clone()).await.is_problem(409, "held");
    let free = post(&house, &at("release"), json!({})).await.json();
    assert_eq!(free["held"], Value::Null);

    let erasure = post(&house, &at("erase"), confirm.clone()).await.json();
    assert_eq!((&erasure["pseudonym"], &erasure["deleted"]["events"]), (&json!(person), &json!(1)));
    for path in ["events", "jobs", "messages", "documents", "records"] {
        assert_eq!(house.api(path).await.json()["items"], json!([]), "{path}");
    }
    for path in [format!("events/{event}"), format!("jobs/{job}"), format!("documents/{job}/2"), format!("events/{event}/explanation")] {
        house.api(&path).await.is_problem(404, "not-found");
    }
    let page = house.get("/", &[("cookie", &cookie)]).await.text;
    let export = get(&house, &at("export")).await;
    for value in VALUES {
        assert!(!page.contains(value) && !export.text.contains(value), "{value}");
    }
    assert_eq!((&export.json()["events"], export.json()["subject"]["erased"].is_string()), (&json!([]), true));
    assert_eq!(post(&house, "subjects/find", json!({ "cpf": CPF })).await.json()["items"], json!([]));
    for (rest, body) in
        [("erase", confirm), ("hold", json!({ "reason": "late" })), ("consents", json!({ "topic": "messages", "given": true }))]
    {
        let problem = post(&house, &at(rest), body).await.is_problem(404, "not-found");
        assert!(problem["detail"].as_str().unwrap().contains("erased already"), "{rest}: {problem}");
    }
    let nobody = Pseudonym::from_bytes([9; 16]);
    let problem = post(&house, &format!("subjects/{nobody}/erase"), json!({ "confirm": nobody })).await.is_problem(404, "not-found");
    assert!(problem["detail"].as_str().unwrap().contains("nobody"), "{problem}");
    let by = told(&house, AuditKind::Erased).await;
    assert_eq!(by.iter().map(|(actor, _)| actor.as_str()).collect::<Vec<_>>(), ["token:tests"]);
    assert_eq!(house.store().verify_audit(vec![]).await.unwrap().findings, Vec::<Finding>::new());
}

#[tokio::test]
async fn what_a_person_said_of_a_consent_is_written_down() {
    let Known { house, person, .. } = Known::new().await;
    let path = format!("subjects/{person}/consents");
    for given in [true, false] {
        let answer = post(&house, &path, json!({ "topic": "messages", "given": given })).await;
        assert_eq!(answer.json(), json!({ "cancelled": 0 }));
        house.advance(SignedDuration::from_secs(1));
    }
    let export = get(&house, &format!("subjects/{person}/export")).await.json();
    assert!(export["consents"].as_array().unwrap().iter().all(|one| one["given"] == json!(false)), "{}", export["consents"]);
    assert!(told(&house, AuditKind::Consent).await.iter().all(|(actor, _)| actor == "token:tests"));
    for topic in ["", CPF, "Zacarias Marker", "52998224725"] {
        post(&house, &path, json!({ "topic": topic, "given": true })).await.is_problem(400, "malformed");
    }
}

#[tokio::test]
async fn the_audit_log_can_be_held_against_its_chain() {
    let known = Known::new().await;
    known.house.store().sign_audit(known.house.runtime.clock.now()).await.unwrap();
    let last = log(&known.house).await.last().unwrap().clone();
    // The token that asks is an entry of its own.
    let verified = known.house.api("audit/verify").await.json();
    assert_eq!((&verified["findings"], &verified["heads"]), (&json!([]), &json!(1)));
    assert_eq!((&verified["entries"], &verified["last"]), (&json!(last.cursor + 1), &json!(last.cursor + 1)));
    assert_eq!(verified["key"], data_encoding::HEXLOWER.encode(&known.house.store().audit_key()));
    known.house.api("audit/verify?x=1").await.is_problem(400, "query");
}

/// What is logged, all of it.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_holds_a_value_of_anybodys() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_env_filter("trace").with_writer(move || writer.clone()).finish();
    // With a single subscriber alive, tracing decides by the thread that first passes a line of code whether that line is ever listened
    // to: a test beside this one would silence it.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let (house, deaf) = House::hard_of_hearing().await;
    let Known { house, person, event, job } = Known::of(house).await;
    let cookie = house.sign_in().await;
    let token = house.token_of(Role::Admin).await;
    house.get("/", &[("cookie", &cookie)]).await;
    for wanted in [json!({ "cpf": CPF }), json!({ "phone": PHONE }), json!({ "email": EMAIL }), json!({ "cpf": CPF, "email": EMAIL })] {
        post(&house, "subjects/find", wanted).await;
    }
    for path in [format!("events/{event}"), format!("jobs/{job}"), "records".into(), format!("subjects/{person}/export")] {
        assert_eq!(get(&house, &path).await.status, 200);
        deaf.store(true, Ordering::SeqCst);
        assert_eq!(get(&house, &path).await.status, 503);
        deaf.store(false, Ordering::SeqCst);
    }
    post(&house, &format!("subjects/{person}/hold"), json!({ "reason": MARKER })).await;
    house.store().hold(person, None, Actor::command(), house.runtime.clock.now()).await.unwrap();
    house.get("/api/v1/events", &[("authorization", &format!("Bearer {token}x"))]).await;
    house.post("/sign-in", &[], format!("code={token}")).await;
    post(&house, &format!("subjects/{person}/erase"), json!({ "confirm": person })).await;
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("the store failed") && logged.contains("somebody signed in"), "it was listened to: {logged}");
    let audited: String = log(&house).await.iter().map(|row| format!("{:?} {}\n", row.entry.actor, row.entry.detail)).collect();
    assert!(audited.contains("token refused"), "{audited}");
    let session = cookie.split('=').next_back().unwrap();
    for value in VALUES.into_iter().chain([token.as_str(), session, SECRET]) {
        assert!(!logged.contains(value) && !audited.contains(value), "{value}");
    }
}

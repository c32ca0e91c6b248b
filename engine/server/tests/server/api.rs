//! The API: who may read it, and the shapes of its answers.

use serde_json::{Value, json};
use zelo_core::effect::{Attachment, Emitted};
use zelo_core::{AutomationId, Cause, Effect};

use axum::body::Body;

use crate::house::{FILE, House, MARKER, START, contact, document, message, patient, request};

const PATHS: [&str; 11] = [
    "events",
    "jobs",
    "messages",
    "documents",
    "records",
    "rules",
    "rules/greeting",
    "status",
    "events/evt_0",
    "jobs/job_0",
    "documents/job_0/1",
];

#[tokio::test]
async fn nothing_is_told_without_a_credential() {
    let house = House::new().await;
    house.deliver("1", MARKER).await;
    let link = house.link().await;
    let as_bearer = format!("Bearer {link}");
    let unknown = format!("Bearer zelo_{link}");
    let basic = format!("Basic {}", house.token().await);
    for headers in [
        &[][..],
        &[("authorization", &*as_bearer)],
        &[("authorization", &*unknown)],
        &[("authorization", &*basic)],
        &[("cookie", "zelo=x")],
    ] {
        for path in PATHS.iter().chain(&["nothing"]) {
            let answer = house.get(&format!("/api/v1/{path}"), headers).await;
            answer.is_problem(401, "credential");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    house.api("nothing").await.is_problem(404, "not-found");
}

#[tokio::test]
async fn what_came_and_what_was_done_can_be_read() {
    let house = House::new().await;
    let event_id = house.deliver("1", MARKER).await.json()["event_id"].clone();
    let job = house.finish_with_message(&format!("Olá {MARKER}")).await;

    let events = house.api("events").await;
    assert_eq!((events.status.as_u16(), events.header("cache-control")), (200, "no-store"));
    let event = json!({
        "id": event_id, "connection": "acme", "clinic": "9", "source": "acme", "type": "patient.created", "time": START, "received": START,
        "status": "accepted", "entity": { "type": "patient", "id": "1" }, "subjects": ["1"], "cause": null,
    });
    assert_eq!(events.json(), json!({ "items": [event], "next": null }));
    let one = house.api(&format!("events/{}", event_id.as_str().unwrap())).await.json();
    assert_eq!(one["data"]["data"]["name"], MARKER);
    assert_eq!(one["type"], "patient.created");

    let jobs = house.api("jobs").await.json();
    let listed = &jobs["items"][0];
    assert_eq!(
        *listed,
        json!({
            "id": job.id, "event": event_id, "connection": "acme", "clinic": "9", "automation": "greeting@acme", "rule": "greeting", "action": "greet",
            "state": "done", "needs": [], "collected": 0, "anchor": null, "reference": START, "due": START, "expires": null, "run_at": START, "attempt": 1, "attention": null,
            "reason": { "code": "sent", "text": "sent" }, "summary": "greeted <b>somebody</b>", "ended": START, "waits": null,
        })
    );
    let whole = house.api(&format!("jobs/{}", job.id)).await.json();
    let said = json!({
        "attempt": 1, "at": START, "state": "done", "summary": "greeted <b>somebody</b>", "output": { "greeted": 1 },
        "lines": [{ "level": "info", "text": "one line" }],
    });
    assert_eq!(whole["attempts"], json!([said]));
    let journal = &whole["journal"];
    let fields = json!({ "phone": "personal" });
    assert_eq!((&journal[0]["kind"], &journal[0]["disclosure"]["fields"]), (&json!("invocation"), &fields));
    assert_eq!(journal[1]["effect"]["kind"], "message");
    let attachments = json!([{ "kind": "file", "name": "visit.ics", "media_type": "text/calendar", "bytes": 5 }]);
    assert_eq!(journal[1]["effect"]["attachments"], attachments);
    assert_eq!(journal[1]["result"]["kind"], "sent");

    let messages = house.api("messages").await.json();
    assert_eq!(
        messages["items"][0],
        json!({
            "id": format!("{}/1", job.id), "job": job.id, "at": START, "connection": "acme", "clinic": "9", "channel": "outbox",
            "to": "+5511987654321", "text": format!("Olá {MARKER}"),
            "attachments": attachments, "buttons": [],
        })
    );

    let records = house.api("records?type=patient").await.json();
    let document = json!({ "name": MARKER, "phone": "+5511987654321" });
    assert_eq!(
        records["items"],
        json!([{ "connection": "acme", "clinic": "9", "type": "patient", "id": "1", "time": START, "document": document }])
    );
    assert_eq!(house.api("records?type=service").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_journal_tells_every_effect_without_its_bytes() {
    let house = House::new().await;
    house.deliver("1", MARKER).await;
    let effects = vec![
        Effect::StateNext { key: "receipts".into() },
        document("recibo.pdf", "application/pdf"),
        Effect::RecordGet { record: "contact".into(), id: "7".into() },
        contact("7", json!({ "stage": "attended" }), "paid"),
        Effect::Event(Emitted { kind: "receipt.issued".into(), data: json!({ "number": 1 }) }),
    ];
    let job = house.finish_with(effects).await;
    let whole = house.api(&format!("jobs/{}", job.id)).await;
    assert!(!whole.text.contains(FILE) && !whole.text.contains("JVBERi"), "{}", whole.text);
    let told: Vec<Value> =
        whole.json()["journal"].as_array().unwrap()[1..].iter().map(|entry| json!([entry["effect"], entry["result"]])).collect();
    assert_eq!(
        told,
        [
            json!([{ "kind": "counter", "key": "receipts" }, { "kind": "counted", "value": 1 }]),
            json!([
                { "kind": "document", "name": "recibo.pdf", "media_type": "application/pdf", "bytes": FILE.len(), "text": "Recibo\nR$ 10,00" },
                { "kind": "kept", "document": format!("{}/2", job.id) },
            ]),
            json!([{ "kind": "record_get", "record": "contact", "id": "7" }, { "kind": "record", "fields": null }]),
            json!([
                { "kind": "record", "record": "contact", "id": "7", "set": { "stage": "attended" }, "append": { "notes": "paid" } },
                { "kind": "done" },
            ]),
            json!([{ "kind": "event", "type": "receipt.issued", "data": { "number": 1 } }, { "kind": "done" }]),
        ]
    );
}

#[tokio::test]
async fn a_message_names_the_documents_that_go_with_it() {
    let house = House::new().await;
    house.deliver("1", MARKER).await;
    let job = house.finish_with_document("recibo.pdf", "application/pdf").await;
    let id = format!("{}/1", job.id);
    house.deliver("2", MARKER).await;
    let attachments = [&*id, "a-nonsense"].map(|id| Attachment::Document { id: id.into() });
    house.finish_with(vec![message("Segue o recibo", attachments.into())]).await;
    let messages = house.api("messages").await.json();
    assert_eq!(
        messages["items"][0]["attachments"],
        json!([
            { "kind": "document", "id": id, "url": format!("/api/v1/documents/{id}") },
            { "kind": "document", "id": "a-nonsense", "url": null },
        ])
    );
}

#[tokio::test]
async fn what_led_to_an_event_and_what_a_job_waits_for_can_be_read() {
    let house = House::new().await;
    house.deliver("1", MARKER).await;
    let by = house.finish_with(vec![]).await;
    house.emit(Cause { job: by.id, lineage: vec![AutomationId::new("greeting", "acme", None)] }).await;
    let cause = json!({ "job": by.id, "lineage": ["greeting@acme"] });
    let events = house.api("events").await.json();
    assert_eq!((&events["items"][0]["cause"], &events["items"][1]["cause"]), (&cause, &Value::Null));
    let jobs = house.api("jobs").await.json();
    let named = |action: &str| jobs["items"].as_array().unwrap().iter().find(|job| job["action"] == action).unwrap();
    let (issue, send) = (named("issue"), named("send"));
    assert_eq!(issue["needs"], json!([]));
    assert_eq!(send["needs"], json!([{ "step": "issue", "job": issue["id"], "done": false }]));
}

#[tokio::test]
async fn what_is_in_force_can_be_read() {
    let house = House::new().await;
    let rules = house.api("rules").await.json();
    let rule = &rules["items"][0];
    assert_eq!((&rule["id"], &rule["title"]["pt-BR"], &rule["on"]), (&json!("greeting"), &json!("Saudação"), &json!(["patient.created"])));
    assert_eq!(rule["digest"].as_str().unwrap().len(), 64);
    assert_eq!(rules["automations"][0]["id"], "greeting@acme");
    assert_eq!((&rules["problems"], &rules["idle"], &rules["next"]), (&json!([]), &json!([]), &Value::Null));
    assert_eq!(rules["problem"], Value::Null);
    house.deliver("1", "Ana").await;
    let status = house.api("status").await.json();
    assert_eq!((&status["deliveries"]["accepted"], &status["rules"], &status["automations"]), (&json!(1), &json!(1), &json!(1)));
}

#[tokio::test]
async fn a_rule_is_told_in_words() {
    let house = House::new().await;
    let portuguese = "Quando um paciente é cadastrado, envia uma mensagem ao valor em “$.data.phone” pela caixa de saída. Não é feito para quem retirou o consentimento para mensagens.";
    let english = "When a patient is registered, sends a message to the value at “$.data.phone” through the outbox. Not done for who has withdrawn consent to messages.";
    let sentence = json!({ "pt-BR": portuguese, "en": english });
    assert_eq!(house.api("rules").await.json()["items"][0]["sentence"], sentence);

    let row = zelo_store::AutomationRow {
        id: AutomationId::new("greeting", "acme", Some("9")),
        rule: "greeting".into(),
        connection: "acme".into(),
        clinic: Some("9".into()),
        settings: serde_json::Map::new(),
        enabled: false,
        origin: "people".into(),
        changed: START.parse().unwrap(),
    };
    house.store().put_automation(row, zelo_core::Actor::command()).await.unwrap();
    let rule = house.api("rules/greeting").await.json();
    assert_eq!((&rule["id"], &rule["sentence"], &rule["tests"]), (&json!("greeting"), &sentence, &json!([])));
    let action = &rule["actions"][0];
    assert_eq!((&action["purpose"]["en"], &action["basis"]), (&json!("Greet the patient"), &json!("lgpd:11.II.f")));
    assert_eq!((&action["basis_words"]["pt-BR"], &action["class"]), (&json!("tutela da saúde"), &json!("personal")));
    assert_eq!(
        action["consent"],
        json!({
            "topic": "messages", "needed": false,
            "words": { "pt-BR": "não é feito para quem retirou o consentimento para mensagens", "en": "not done for who has withdrawn consent to messages" },
        })
    );
    assert_eq!(
        action["fields"][0],
        json!({
            "name": "name", "record": null, "path": "$.data.name", "class": "personal", "class_from": { "source": "acme" }, "as": null,
            "words": { "pt-BR": "o nome", "en": "the name" },
        })
    );
    let automations = json!([{
        "id": "greeting@acme/9", "connection": "acme", "clinic": "9", "enabled": false, "settings": {}, "sentence": sentence,
    }]);
    assert_eq!(rule["automations"], automations);
    let problem = house.api("rules/greting").await.is_problem(404, "not-found");
    assert_eq!(problem["detail"], "There is no rule with this id. Did you mean `greeting`?");
    house.api("rules/x").await.is_problem(404, "not-found");
}

#[tokio::test]
async fn why_the_files_on_disk_are_not_in_force_can_be_read() {
    let house = House::new().await;
    house.runtime.rules.refuse(&zelo_runtime::rulebook::Error::Automations("there is no rule `gone`".into()));
    let rules = house.api("rules").await.json();
    assert_eq!((&rules["problem"], &rules["problems"]), (&json!("there is no rule `gone`"), &json!([])));
    assert_eq!(rules["items"][0]["id"], "greeting", "what was in force still is");
}

#[tokio::test]
async fn jobs_that_wait_for_a_person_are_a_list_of_their_own() {
    let house = House::new().await;
    let mut waiting = Vec::new();
    for id in ["1", "2", "3"] {
        house.deliver(id, "Ana").await;
        waiting.insert(0, house.wait_for_contact().await.id.to_string());
    }
    house.deliver("4", "Ana").await;
    house.give_up().await;
    house.deliver("5", "Ana").await;
    let ids = |answer: &Value| -> Vec<String> {
        answer["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = house.api("jobs?attention=true").await.json();
    assert_eq!((ids(&all), &all["items"][0]["attention"]["code"]), (waiting.clone(), &json!("missing")));
    let first = house.api("jobs?attention=true&limit=2&connection=acme&clinic=9").await.json();
    let last = house.api(&format!("jobs?attention=true&limit=2&before={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!(([ids(&first), ids(&last)].concat(), &last["next"]), (waiting, &Value::Null));
    for nobody in ["jobs?attention=true&connection=open", "jobs?attention=true&clinic=8"] {
        assert_eq!(house.api(nobody).await.json()["items"], json!([]));
    }
}

#[tokio::test]
async fn a_list_is_read_in_pages() {
    let house = House::new().await;
    for id in ["1", "2", "3", "4"] {
        house.deliver(id, "Ana").await;
    }
    let entities = |answer: &Value| -> Vec<String> {
        let items = answer["items"].as_array().unwrap();
        items.iter().map(|item| item["entity"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = house.api("events?limit=2").await.json();
    assert_eq!(entities(&first), ["4", "3"]);
    let last = house.api(&format!("events?limit=2&before={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!((entities(&last), &last["next"]), (vec!["2".to_owned(), "1".to_owned()], &Value::Null));
    assert_eq!(entities(&house.api("events?connection=acme&clinic=9&limit=200").await.json()).len(), 4);
    assert_eq!(entities(&house.api("events?connection=open").await.json()).len(), 0);
    assert_eq!(entities(&house.api("events?clinic=8").await.json()).len(), 0);
    assert_eq!(house.api("jobs?state=ready").await.json()["items"].as_array().unwrap().len(), 4);
    assert_eq!(house.api("jobs?state=done").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_wrong_question_is_told_so() {
    let house = House::new().await;
    for query in [
        "events?limit=0",
        "events?limit=201",
        "events?limit=x",
        "events?before=yesterday",
        "events?since=1",
        "events?limit=1&limit=2",
        "events?state=done",
        "documents?type=pdf",
        "jobs?state=Zacarias-Marker",
        "jobs?attention=yes",
        "jobs?attention=true&state=done",
        "rules?limit=1",
        "rules/greeting?limit=1",
        "status?x=1",
    ] {
        house.api(query).await.is_problem(400, "query");
    }
    for unknown in
        ["events/evt_00000000000000000000000000000000", "events/Zacarias-Marker", "jobs/job_00000000000000000000000000000000", "jobs/evt_0"]
    {
        house.api(unknown).await.is_problem(404, "not-found");
    }
}

#[tokio::test]
async fn why_a_rule_fires_is_explained_and_shows_no_more_than_was_asked_for() {
    let house = House::new().await;
    let event = house.deliver("1", MARKER).await.json()["event_id"].as_str().unwrap().to_owned();
    let told = house.api(&format!("events/{event}/explanation")).await;
    assert!(!told.text.contains(MARKER), "{}", told.text);
    let told = told.json();
    assert_eq!((&told["rules"][0]["outcome"], &told["language"]), (&json!("fires"), &json!("pt-BR")));
    assert_eq!(told["jobs"][0]["state"], "ready");
    let english = house.api(&format!("events/{event}/explanation?lang=en&reveal=sensitive")).await.json();
    assert_eq!((&english["rules"][0]["title"], &english["language"]), (&json!("Greeting"), &json!("en")));
    for wrong in ["?lang=fr", "?reveal=all", "?x=1", "?lang=en&lang=en"] {
        house.api(&format!("events/{event}/explanation{wrong}")).await.is_problem(400, "query");
    }
    house.api("events/evt_00/explanation").await.is_problem(404, "not-found");

    let token = house.token().await;
    let authorization = format!("Bearer {token}");
    let ask = async |body: Value| {
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        house.send(request("POST", "/api/v1/explain", &headers, Body::from(body.to_string()))).await
    };
    let given = json!({ "connection": "acme", "type": "patient.created", "data": patient("2", MARKER) });
    let told = ask(given.clone()).await;
    assert!(told.status == 200 && !told.text.contains(MARKER), "{}", told.text);
    assert_eq!((&told.json()["rules"][0]["outcome"], &told.json()["jobs"]), (&json!("fires"), &json!([])), "nothing is made");
    assert_eq!(house.api("events").await.json()["items"].as_array().unwrap().len(), 1, "nothing is stored");
    for (wrong, why) in [
        (json!({ "connection": "x", "type": "patient.created", "data": {} }), "no such connection"),
        (json!({ "connection": "acme", "type": "patient.gone", "data": {} }), "names no event type"),
        (json!({ "connection": "acme", "path": "nowhere", "data": {} }), "patient.created"),
        (json!({ "connection": "acme", "type": "patient.created", "data": "not json" }), "cannot be read"),
        (json!({ "conection": "acme" }), "This is not {connection, type, data}"),
    ] {
        let problem = ask(wrong).await.is_problem(400, "malformed");
        assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    }
    let unknown = house.send(request("POST", "/api/v1/explain", &[], Body::from(given.to_string()))).await;
    assert_eq!(unknown.status, 401);
}

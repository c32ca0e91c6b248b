use proptest::strategy::Strategy;
use serde_json::{Value, json};

use super::{Caught, draft};
use crate::{FileText, Files, PluginFacts, Plugins, Severity, load};

struct NoPlugins;

impl Plugins for NoPlugins {
    fn plugin(&self, _: &str) -> Option<PluginFacts> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

fn caught(path: &str, headers: &[(&str, &str)], body: &Value) -> Caught {
    Caught {
        path: path.to_owned(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.to_string().into_bytes(),
    }
}

fn payment(id: &str, event: &str) -> Value {
    json!({
        "id": id, "event": event, "dateCreated": "2026-03-02 10:11:12",
        "payment": {
            "id": "pay_1", "status": "RECEIVED", "value": 99.9, "description": "Consulta da Ana",
            "customer": { "id": "cus_1", "name": "Ana Souza", "cpfCnpj": "52998224725", "email": "ana@example.com" },
        },
    })
}

#[test]
fn a_provider_that_names_its_events_in_the_body() {
    let deliveries = [
        caught("", &[("content-type", "application/json"), ("acme-access-token", "s3cr3t-value")], &payment("evt_1", "PAYMENT_RECEIVED")),
        caught("", &[("content-type", "application/json"), ("acme-access-token", "s3cr3t-value")], &payment("evt_2", "PAYMENT_OVERDUE")),
    ];
    let draft = draft("acme", "samples/acme", &deliveries).unwrap();
    for wanted in [
        r#"verify = { kind = "token", header = "acme-access-token" }"#,
        r#"match    = { body = { path = "$.event", equals = "PAYMENT_RECEIVED" } }"#,
        r#"type     = "payment.received""#,
        r#"type     = "payment.overdue""#,
        r#"id       = "$.id""#,
        r#"time     = "$.dateCreated""#,
        r#"entity   = { type = "payment", id = "$.payment.id" }"#,
        r#"subjects = [{ id = "$.payment.customer.id", cpf = "$.payment.customer.cpfCnpj", email = "$.payment.customer.email" }]"#,
        r#"sample   = "samples/acme/payment.received.json""#,
        r#"public   = ["$.dateCreated", "$.event", "$.id", "$.payment.id", "$.payment.status"]"#,
        r#""$.payment.customer.name""#,
        "# sensitive as long as they stand nowhere: $.payment.description, $.payment.value",
    ] {
        assert!(draft.text.contains(wanted), "{wanted} is not in\n{}", draft.text);
    }
    for said in ["s3cr3t", "Ana", "52998224725", "Consulta", "evt_1"] {
        assert!(!draft.text.contains(said), "{said} is in\n{}", draft.text);
    }
    let sample: Value = serde_json::from_slice(&draft.samples["payment.received.json"]).unwrap();
    assert_eq!(
        sample["payment"]["customer"],
        json!({ "id": "aaa_1", "name": "Aaa Aaaaa", "cpfCnpj": "11111111111", "email": "aaa@aaaaaaa.aaa" })
    );
    assert_eq!((&sample["event"], &sample["payment"]["description"]), (&json!("PAYMENT_RECEIVED"), &json!("Aaaaaaaa aa Aaa")));
}

#[test]
fn a_provider_that_names_its_events_in_a_header_and_signs() {
    let signature = format!("sha256={}", "ab".repeat(32));
    let headers = |event| {
        [("x-acme-event", event), ("x-acme-delivery", "1"), ("x-acme-signature-256", signature.as_str())]
            .map(|(name, value): (&str, &str)| (name, value.to_owned()))
    };
    let body = json!({ "action": "opened", "issue": { "id": 7 } });
    let headers = headers("issues");
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let draft = draft("acme", "samples", &[caught("", &headers, &body)]).unwrap();
    for wanted in [
        r#"kind = "hmac", header = "x-acme-signature-256", prefix = "sha256=", signed = "{body}", algorithm = "sha256", encodings = ["hex"], verified = false"#,
        r#"match    = { header = { name = "x-acme-event", equals = "issues" } }"#,
        r#"type     = "acme.issues""#,
        r#"id       = "{header:x-acme-delivery}""#,
        r#"entity   = { type = "issue", id = "$.issue.id" }"#,
    ] {
        assert!(draft.text.contains(wanted), "{wanted} is not in\n{}", draft.text);
    }
}

#[test]
fn a_provider_that_names_its_events_in_the_address() {
    let deliveries = [
        caught("appointment/new", &[], &json!({ "data": { "id": 1, "type": "exam" }, "timestamp": "2026-03-02 10:11:12" })),
        caught("appointment/cancel", &[], &json!({ "data": { "id": 1, "type": "exam" }, "timestamp": "2026-03-02 10:11:12" })),
    ];
    let draft = draft("acme", "samples", &deliveries).unwrap();
    for wanted in [
        r#"verify = { kind = "token", header = "x-zelo-token" }"#,
        r#"match    = { path = "appointment/new" }"#,
        r#"type     = "appointment.cancel""#,
        r#"entity   = { type = "appointment", id = "$.data.id" }"#,
        r#"time     = "$.timestamp""#,
    ] {
        assert!(draft.text.contains(wanted), "{wanted} is not in\n{}", draft.text);
    }
    assert!(!draft.text.contains("\nid       = \"$"), "what is the same in two deliveries identifies neither:\n{}", draft.text);
}

#[test]
fn what_cannot_be_read_is_said_without_what_stands_in_it() {
    let broken = Caught { body: b"{\"cpf\": 529982".to_vec(), ..Caught::default() };
    let said = draft("acme", "samples", &[broken]).unwrap_err();
    assert!(said.contains("the body of delivery 1") && !said.contains("529982"), "{said}");
    assert!(draft("Acme!", "samples", &[Caught::default()]).unwrap_err().contains("not a name"));
    assert!(draft("acme", "samples", &[]).is_err());
}

proptest::proptest! {
    /// Whatever comes: what is drafted is a source file that can be read, its samples too.
    #[test]
    fn every_draft_is_taken(
        names in proptest::collection::vec("[a-z_A-Z.'é -]{1,12}", 1..6),
        values in proptest::collection::vec(proptest::prop_oneof!["[ -~]{0,24}".prop_map(Value::String), proptest::prelude::any::<i64>().prop_map(Value::from)], 6),
        header in "[ -~]{0,70}",
        path in "[a-z/]{0,12}",
    ) {
        let inner: serde_json::Map<String, Value> = names.iter().cloned().zip(values.iter().cloned()).collect();
        let mut outer = inner.clone();
        outer.insert("type".to_owned(), values[0].clone());
        outer.insert("customer".to_owned(), Value::Object(inner.clone()));
        outer.insert("list".to_owned(), json!([inner]));
        let delivery = caught(&path, &[("x-acme-signature", &header), ("authorization", &header), ("x-acme-topic", &header)], &Value::Object(outer));
        let draft = draft("acme", "samples", std::slice::from_ref(&delivery)).unwrap();
        let source = FileText { name: "acme.toml".into(), text: draft.text.clone() };
        let loaded = load(&Files { sources: vec![source], ..Files::default() }, &NoPlugins);
        let errors: Vec<_> = loaded.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
        proptest::prop_assert!(errors.is_empty(), "{:?}\n{}", errors, draft.text);
    }
}

//! Deliveries that are no plain JSON with everything in it: forms, what stands around a body, several events in one, and what is not in its
//! form.

use proptest::prelude::*;
use serde_json::{Value, json};
use zelo_rules::{Delivery, FileText, Files, Headers, OnViolation, Read, Reading, Refusal, RuleSet, SampleText, Texts};

use super::common::loaded;

/// A source with this `[receive]`, beside the way to verify, and these events; its schemas are `beside`.
fn source(receive: &str, events: &str, beside: &[(&str, Value)]) -> RuleSet {
    let text = format!("id = \"other\"\n[receive]\n{receive}\nverify = {{ kind = \"token\", header = \"x-token\" }}\n{events}");
    let sample = |(name, schema): &(&str, Value)| SampleText {
        source: "other.toml".to_owned(),
        name: (*name).to_owned(),
        text: Ok(schema.to_string()),
    };
    let samples = beside.iter().map(sample).collect();
    loaded(&Files { sources: vec![FileText { name: "other.toml".to_owned(), text }], rules: vec![], samples })
}

/// What a delivery says: its headers, its URL and its body.
struct Sent<'a> {
    headers: &'a [(&'a str, &'a str)],
    url: &'a str,
    body: &'a [u8],
}

impl Sent<'_> {
    fn delivered<T>(&self, read: impl FnOnce(&Delivery<'_>) -> T) -> T {
        let headers: Headers<'_> = self.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        read(&Delivery { path: "", url: self.url, headers: &headers, body: self.body })
    }

    fn read(&self, set: &RuleSet) -> Result<Vec<Read>, Refusal> {
        self.delivered(|delivery| set.source("other").unwrap().read_all(delivery))
    }

    /// Its only event.
    fn one(&self, set: &RuleSet) -> Reading {
        match self.read(set).unwrap().remove(0) {
            Read::Event(reading) => reading,
            Read::Ignored { why } => panic!("ignored: {why}"),
        }
    }
}

fn json_of(body: &[u8]) -> Sent<'_> {
    Sent { headers: &[("content-type", "application/json")], url: "", body }
}

const ANY: &str = "[[events]]\ntype = \"thing.created\"\n";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[test]
fn a_form_is_read_as_an_object_of_texts() {
    let set = source("format = [\"json\", \"xml\", \"form\"]", ANY, &[]);
    let body = b"MessageSid=SM1&MessageStatus=delivered&To=%2B5511987654321&Media=a&Media=b+c";
    let reading = Sent { headers: &[FORM], url: "", body }.one(&set);
    let expected = json!({"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+5511987654321", "Media": ["a", "b c"]});
    assert_eq!(*reading.data, expected);
    assert_eq!(serde_json::from_slice::<Value>(reading.data.text().unwrap()).unwrap(), expected, "what is stored is what was read");
    // What says that it is a form, and is something else, is what it was before.
    assert_eq!(*Sent { headers: &[FORM], url: "", body: b" {\"a\": 1}" }.one(&set).data, json!({"a": 1}));
    assert_eq!(*Sent { headers: &[FORM], url: "", body: b"<a/>" }.one(&set).data, json!({"a": null}));
    let only = source("format = \"form\"", ANY, &[]);
    for (headers, body) in [(&[FORM][..], &b"{a=1"[..]), (&[], b"a=1"), (&[("content-type", "text/plain")], b"<a=1")] {
        assert!(Sent { headers, url: "", body }.one(&only).data.as_object().unwrap().len() == 1);
    }
    let refused = |headers, body| Sent { headers, url: "", body }.read(&only).unwrap_err();
    assert!(matches!(refused(&[("content-type", "application/json")], b"a=1"), Refusal::Unsupported { .. }));
    assert!(matches!(refused(&[FORM], b"a=%Marina"), Refusal::Malformed { why } if !why.contains("Marina")));
    let many = "a&".repeat(100_000);
    assert!(matches!(refused(&[FORM], many.as_bytes()), Refusal::Malformed { why } if why == "more than 1000 parameters"));
    let latin = [("content-type", "application/x-www-form-urlencoded; charset=iso-8859-1")];
    assert!(matches!(refused(&latin, "a=é".as_bytes()), Refusal::Unsupported { .. }));
}

#[test]
fn a_body_is_in_the_encoding_that_it_is_in() {
    let set = source("", ANY, &[]);
    assert_eq!(*json_of(b"\xef\xbb\xbf{\"a\": 1}").one(&set).data, json!({"a": 1}), "a mark is no part of it");
    let why = |body: &[u8]| match json_of(body).read(&set).unwrap_err() {
        Refusal::Malformed { why } => why,
        other => panic!("{other:?}"),
    };
    for utf16 in [&b"\xff\xfe{\0}\0"[..], b"\xfe\xff\0{\0}", b"{\0}\0", b"\0{\0}"] {
        assert_eq!(why(utf16), "it is written in UTF-16 or UTF-32; only UTF-8 is taken");
    }
    assert_eq!(why(b"{\"a\": \"\xe9\"}"), "byte 7 is not UTF-8");
    let said = |charset: &str, body: &str| {
        let header = format!("application/json; charset={charset}");
        Sent { headers: &[("content-type", &header)], url: "", body: body.as_bytes() }.read(&set).is_ok()
    };
    assert!(said("utf-8", r#"{"a": "é"}"#) && said("\"UTF8\"", r#"{"a": "é"}"#));
    assert!(said("iso-8859-1", r#"{"a": "e"}"#), "the same in both");
    assert!(!said("iso-8859-1", r#"{"a": "é"}"#) && !said("utf-16", r#"{"a": "é"}"#), "it is not what it says");
}

#[test]
fn a_payload_is_made_of_headers_and_parameters() {
    let events = r#"
[[events]]
match = { header = { name = "x-goog-resource-state", equals = "sync" } }
type = "channel.opened"
[[events]]
match = { query = { name = "topic", equals = "payment" }, body = { path = "$.data.id", exists = true } }
type = "payment.changed"
id = ["{header:x-request-id}", "$.data.id"]
time = "{header:x-time}"
entity = { type = "payment", id = "$.data.id" }
"#;
    let payload =
        r#"payload = { channel = "{header:X-Goog-Channel-Id}", data = { id = "{query:data.id}" }, both = "{header:a}/{query:b}" }"#;
    let set = source(payload, events, &[]);
    let opened = Sent { headers: &[("X-Goog-Channel-ID", "c1"), ("X-Goog-Resource-State", "sync")], url: "", body: b"" }.one(&set);
    assert_eq!((opened.kind.as_str(), &*opened.data), ("channel.opened", &json!({"channel": "c1"})), "what is missing is missing");
    let headers = [("x-request-id", "r1"), ("x-time", "1772791200"), ("a", "1"), ("content-type", "image/png")];
    let url = "https://x.example/hooks/other?topic=payment&data.id=17&b=2";
    let paid = Sent { headers: &headers, url, body: b"{\"data\": {\"id\": \"forged\"}}" }.one(&set);
    assert_eq!(*paid.data, json!({"data": {"id": "17"}, "both": "1/2"}), "the body is not read");
    assert_eq!(paid.delivery_id.as_deref(), Some(r#"["r1","17"]"#));
    assert_eq!(paid.time.unwrap().to_string(), "2026-03-06T10:00:00Z");
    let ignored = |url: &str| matches!(Sent { headers: &headers, url, body: b"" }.read(&set).unwrap()[..], [Read::Ignored { .. }]);
    assert!(ignored("/?topic=payment") && ignored("/?topic=order&data.id=1"));
    assert!(ignored("/?topic=payment&data.id=1&data.id=2"), "nobody knows which was meant");
}

#[test]
fn all_that_a_match_says_must_hold() {
    let events = r#"
[[events]]
match = { body = [{ path = "$.a", equals = 1 }, { path = "$.b", exists = true }, { path = "$.c[*]", exists = false }] }
type = "thing.created"
[[events]]
match = { body = { path = "$.b", exists = false } }
type = "thing.updated"
"#;
    let set = source("", events, &[]);
    for (body, kind) in [
        (json!({"a": 1, "b": 0}), Some("thing.created")),
        (json!({"a": 1, "b": false, "c": [null]}), Some("thing.created")),
        (json!({"a": 1, "b": 0, "c": [1]}), None),
        (json!({"a": 2, "b": 0}), None),
        (json!({"a": 1, "b": null}), Some("thing.updated")),
        (json!({}), Some("thing.updated")),
    ] {
        let text = body.to_string();
        let read = json_of(text.as_bytes()).read(&set).unwrap().remove(0);
        let found = if let Read::Event(reading) = &read { Some(reading.kind.as_str()) } else { None };
        assert_eq!(found, kind, "{body}");
    }
}

#[test]
fn an_id_has_all_of_its_parts_or_is_none() {
    let one = source("", &format!("{ANY}id = \"{{header:x-github-delivery}}\""), &[]);
    let id = |set: &RuleSet, headers: &[(&str, &str)], body: Value| {
        Sent { headers, url: "", body: body.to_string().as_bytes() }.one(set).delivery_id
    };
    assert_eq!(id(&one, &[("X-GitHub-Delivery", "d1")], json!({})).as_deref(), Some("d1"));
    assert_eq!([id(&one, &[], json!({})), id(&one, &[("x-github-delivery", "")], json!({}))], [const { None }; 2]);
    let two = source("", &format!("{ANY}id = [\"$.id\", \"$.status\"]"), &[]);
    let of = |id: Value, status: Value| json!({"id": id, "status": status});
    assert_eq!(id(&two, &[], of(json!(17), json!("read"))).as_deref(), Some(r#"["17","read"]"#));
    assert_ne!(id(&two, &[], of(json!("a"), json!("b\",\"c"))), id(&two, &[], of(json!("a\",\"b"), json!("c"))), "joined unambiguously");
    assert_eq!(id(&two, &[], json!({"id": 1})), None, "then its content identifies it");
}

#[test]
fn a_time_may_be_a_number() {
    let set = source("", &format!("{ANY}time = \"$.t\""), &[]);
    let time = |time: Value| json_of(json!({ "t": time }).to_string().as_bytes()).one(&set).time.map(|time| time.to_string());
    for (given, instant) in [
        (json!(1_772_791_200), Some("2026-03-06T10:00:00Z")),
        (json!("1772791200"), Some("2026-03-06T10:00:00Z")),
        (json!(1_772_791_200_123_i64), Some("2026-03-06T10:00:00.123Z")),
        (json!(1_772_791_200.5), Some("2026-03-06T10:00:00.5Z")),
        (json!("2026-03-06T10:00:00Z"), Some("2026-03-06T10:00:00Z")),
        (json!(20_260_306), None),
        (json!(true), None),
    ] {
        assert_eq!(time(given.clone()).as_deref(), instant, "{given}");
    }
}

const SPLIT: &str = r#"format = ["json", "xml"]
split = ["$.entry[*].messages[*]", "$.entry[*].statuses[*]"]"#;
const MESSAGES: &str = r#"
[[events]]
match = { body = { path = "$.entry[0].messages[0].id", exists = true } }
type = "message.received"
id = "$.entry[0].messages[0].id"
[[events]]
match = { body = { path = "$.entry[0].statuses[0].id", exists = true } }
type = "message.status"
id = ["$.entry[0].statuses[0].id", "$.entry[0].statuses[0].status"]
"#;

#[test]
fn one_delivery_is_several_events() {
    let set = source(SPLIT, MESSAGES, &[]);
    let read = |body: &str| {
        let texts = json_of(body.as_bytes()).delivered(|delivery| set.source("other").unwrap().texts(delivery)).unwrap();
        let read = json_of(body.as_bytes()).read(&set).unwrap();
        let ids = read.iter().map(|read| match read {
            Read::Event(reading) => reading.delivery_id.clone().unwrap_or_default(),
            Read::Ignored { .. } => "ignored".to_owned(),
        });
        (texts, ids.collect::<Vec<_>>())
    };
    let body = r#"{"entry": [{"messages": [{"id": "a"}, {"id": "b"}], "statuses": [{"id": "a", "status": "read"}]}, {"messages": [{}]}]}"#;
    let (Texts { all, split, of_body }, ids) = read(body);
    assert_eq!((all.len(), split, of_body), (4, true, false));
    assert_eq!(ids, ["a", "b", r#"["a","read"]"#, "ignored"]);
    let (Texts { all, split, of_body }, ids) = read(r#"{"entry": [ {"other": []} ]}"#);
    assert_eq!((all.len(), split, of_body, ids[0].as_str()), (1, false, true, "ignored"), "nothing matched: one event, whole");
    let twice = json_of(br#"{"entry": [{"messages": [{"id": 1, "id": 2}]}]}"#).read(&set);
    assert!(matches!(twice, Err(Refusal::Malformed { why }) if why.contains("one key twice")));
    let many = json!({"entry": [{"messages": vec![json!({"id": "x"}); 1001]}]}).to_string();
    assert!(matches!(json_of(many.as_bytes()).read(&set), Err(Refusal::Malformed { why }) if why == "it holds more than 1000 events"));
    let xml = source(
        "format = \"xml\"\nsplit = \"$.orders.order[*]\"",
        "[[events]]\ntype = \"order.created\"\nid = \"$.orders.order[0].id\"",
        &[],
    );
    for (body, ids) in
        [("<orders><order><id>1</id></order></orders>", 1), ("<orders><order><id>1</id></order><order><id>2</id></order></orders>", 2)]
    {
        let read = Sent { headers: &[], url: "", body: body.as_bytes() }.read(&xml).unwrap();
        assert_eq!(read.len(), ids);
        assert!(read.iter().all(|read| matches!(read, Read::Event(reading) if reading.delivery_id.is_some())));
    }
}

#[test]
fn what_violates_its_schema_says_where() {
    let schema = json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}});
    let events = format!("{ANY}schema = \"thing.json\"\n");
    let set = source("on_violation = \"refuse\"", &events, &[("thing.json", schema.clone())]);
    assert_eq!(set.source("other").unwrap().on_violation, OnViolation::Refuse);
    assert_eq!(json_of(br#"{"id": "1"}"#).one(&set).violation, None);
    let odd = json_of(br#"{"id": {"name": "Marina"}}"#).one(&set);
    assert_eq!(odd.violation.as_deref(), Some("`type` of its schema does not hold at $.id"));
    let other = source("", &events, &[("thing.json", json!({"type": "object"}))]);
    let same = source("", &events, &[("thing.json", json!({ "type": "object" }))]);
    let digest = |set: &RuleSet| set.digest().to_owned();
    assert_eq!(digest(&other), digest(&same));
    assert_ne!(digest(&other), digest(&source("", &events, &[("thing.json", schema)])), "a schema is a part of what is in force");
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"{\"entry\":[".to_vec()),
        Just(b"{\"messages\":[{\"id\":".to_vec()),
        Just(b"]}".to_vec()),
        Just(b"<entry>".to_vec()),
        Just(b"&a=%41".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

#[test]
fn any_delivery_is_read_or_refused() {
    let sets = [
        source(&SPLIT.replace("\"xml\"", "\"xml\", \"form\""), MESSAGES, &[]),
        source("payload = { a = \"{query:a}\", b = \"{header:content-type}\" }", ANY, &[]),
    ];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 512, ..ProptestConfig::default() });
    let kinds =
        prop::sample::select(vec!["application/json", "text/xml", "application/x-www-form-urlencoded", "", "text/plain; charset=x"]);
    let ran = runner.run(&(bytes(), kinds, "[?&=a%\u{e9}#]{0,8}"), |(body, kind, url)| {
        for set in &sets {
            if let Ok(read) = (Sent { headers: &[("content-type", kind)], url: &url, body: &body }).read(set) {
                prop_assert!((1..=256).contains(&read.len()));
            }
        }
        Ok(())
    });
    ran.unwrap();
}

//! What each call becomes, what comes back, and what never leaves the host.

#![allow(clippy::unwrap_used, reason = "in tests")]

mod support;

use serde_json::json;
use support::{DOCUMENTS, EVENTS, HTTP, MESSAGES, NEXT, RECORDS, Runtime, run, run_with};
use zelo_core::effect::{Attachment, Document, Emitted, File, RecordEdit};
use zelo_core::http::{Body, Header, HeaderValue, Method, Request, Response, Target};
use zelo_core::{Effect, EffectResult};
use zelo_host::{End, Limit, Limits, Stop};

/// Texts in the memory of a guest, from 8192 on.
#[derive(Default)]
struct Texts(String);

impl Texts {
    /// Puts a text there, and gives its address and length as instructions.
    fn put(&mut self, text: &str) -> String {
        self.put_bytes(text.as_bytes())
    }

    fn put_bytes(&mut self, bytes: &[u8]) -> String {
        let at = 8192 + self.0.len() / 3;
        self.0.extend(bytes.iter().map(|byte| format!("\\{byte:02x}")));
        format!("(i32.const {at}) (i32.const {})", bytes.len())
    }

    /// The imports, and the texts.
    fn with(&self, imports: &str) -> String {
        format!("{imports} (data (i32.const 8192) \"{}\")", self.0)
    }
}

/// Ends as `permanent` with the error, which is at 4096 and says so there; `error` is where its case is.
fn or_fail(error: u32) -> String {
    let (at, length) = (error + 4, error + 8);
    format!(
        "(if (i32.load8_u (i32.const 4096)) (then
            (i32.store8 (i32.const 5000) (i32.const 1)) (i32.store8 (i32.const 5008) (i32.const 1))
            (i32.store (i32.const 5016) (i32.load (i32.const {at}))) (i32.store (i32.const 5020) (i32.load (i32.const {length})))
            (return (i32.const 5000))))"
    )
}

/// Ends as done, with the text at `at` as summary.
fn done_with(at: u32) -> String {
    let length = at + 4;
    format!(
        "(i32.store (i32.const 1032) (i32.load (i32.const {at}))) (i32.store (i32.const 1036) (i32.load (i32.const {length})))
        (global.get $done)"
    )
}

/// A plugin that calls a function once with texts.
fn calling(imports: &str, function: &str, texts: &[&str], then: &str) -> (String, String) {
    let mut memory = Texts::default();
    let arguments: Vec<_> = texts.iter().map(|text| memory.put(text)).collect();
    let body = format!("(call ${function} {} (i32.const 4096)) {then}", arguments.join(" "));
    (memory.with(imports), body)
}

fn done(summary: &str) -> End {
    End::Outcome { code: "done".into(), summary: summary.into(), output: None }
}

fn permanent(reason: &str) -> End {
    End::Permanent { reason: reason.into() }
}

/// The one effect of a run that ended like this.
async fn one_effect((imports, body): (String, String), end: End) -> Effect {
    let runtime = Runtime::default();
    assert_eq!(run_with(&imports, &body, Limits::default(), &runtime).await.end, end);
    let effects = runtime.effects.lock().unwrap();
    assert_eq!(effects.len(), 1);
    effects[0].clone()
}

/// A call that is not valid reaches nobody but the plugin.
async fn invalid((imports, body): (String, String), problem: &str) {
    let runtime = Runtime::default();
    assert_eq!(run_with(&imports, &body, Limits::default(), &runtime).await.end, permanent(problem));
    assert!(runtime.effects.lock().unwrap().is_empty());
}

fn store(texts: [&str; 4]) -> (String, String) {
    calling(DOCUMENTS, "store", &texts, &(or_fail(4100) + &done_with(4100)))
}

fn get(texts: [&str; 2]) -> (String, String) {
    calling(RECORDS, "record", &texts, &(or_fail(4100) + &done_with(4104)))
}

fn emit(texts: [&str; 2]) -> (String, String) {
    calling(EVENTS, "emit", &texts, &(or_fail(4100) + "(global.get $done)"))
}

fn next(key: &str) -> (String, String) {
    // 2^40 + 7: the number comes whole.
    let number = "(if (i64.ne (i64.load (i32.const 4104)) (i64.const 1099511627783)) (then (unreachable))) (global.get $done)";
    calling(NEXT, "next", &[key], &(or_fail(4104) + number))
}

/// An edit that appends nothing, or one text to one field.
fn edit(record: &str, id: &str, set: &str, append: Option<(&str, &str)>) -> (String, String) {
    let mut memory = Texts::default();
    let arguments = [record, id, set].map(|text| memory.put(text)).join(" ");
    let list = append.map_or("(i32.const 0) (i32.const 0)", |_| "(i32.const 6000) (i32.const 1)");
    let store: String = append
        .iter()
        .flat_map(|(field, text)| [*field, *text])
        .zip([6000, 6008])
        .map(|(text, at)| {
            let address = memory.put(text).replace(") (", ")) (i32.store (i32.const LENGTH) (").replace("LENGTH", &(at + 4).to_string());
            format!("(i32.store (i32.const {at}) {address})")
        })
        .collect();
    let body = format!("{store} (call $edit {arguments} {list} (i32.const 4096)) {} (global.get $done)", or_fail(4100));
    (memory.with(RECORDS), body)
}

#[tokio::test]
async fn a_document_is_stored_and_its_id_comes_back() {
    let effect = one_effect(store(["recibo.pdf", "application/pdf", "%PDF-1.7", "RECIBO\nNº 1"]), done("doc_1")).await;
    let document = Document {
        name: "recibo.pdf".into(),
        media_type: "application/pdf".into(),
        content: b"%PDF-1.7".into(),
        text: "RECIBO\nNº 1".into(),
    };
    assert!(effect == Effect::Document(document));
    invalid(store(["a/b.pdf", "application/pdf", "x", "x"]), "the document's name is a path").await;
    invalid(store(["b.pdf", "application/pdf", "x", ""]), "the document's text is empty").await;
}

#[tokio::test]
async fn a_large_document_is_invalid_and_a_giant_one_ends_the_run() {
    let with_size = |size: usize| {
        let (imports, body) = store(["a.bin", "application/octet-stream", "?", "x"]);
        let at = 8192 + "a.bin".len() + "application/octet-stream".len();
        let given = format!("(i32.const {at}) (i32.const 1)");
        assert!(body.contains(&given));
        (imports, format!("(drop (memory.grow (i32.const 80))) {}", body.replace(&given, &format!("(i32.const 65536) (i32.const {size})"))))
    };
    invalid(with_size((2 << 20) + 1), "the document has 2097153 bytes; 2097152 are allowed").await;
    one_effect(with_size(2 << 20), done("doc_1")).await;
    let (imports, body) = with_size((4 << 20) + 1);
    assert_eq!(run(&imports, &body).await.end, End::Limit(Limit::BytesOut));
}

#[tokio::test]
async fn a_record_is_read() {
    let effect = one_effect(get(["contact", "17"]), done(r#"{"stage":"lead"}"#)).await;
    assert!(effect == Effect::RecordGet { record: "contact".into(), id: "17".into() });

    let none = Runtime::answering(|_| Ok(EffectResult::Record { fields: None }));
    let is_none = "(if (i32.load8_u (i32.const 4100)) (then (unreachable))) (global.get $done)";
    let (imports, body) = calling(RECORDS, "record", &["contact", "18"], is_none);
    assert_eq!(run_with(&imports, &body, Limits::default(), &none).await.end, done("ok"));

    invalid(get(["Contact", "17"]), "the record's type is not 1 to 64 of a-z, 0-9 and `_`, a letter first").await;
    invalid(get(["contact", "1\n7"]), "the record's id has a line break or another control character in it").await;
}

#[tokio::test]
async fn a_large_record_counts_as_given() {
    let large = Runtime::answering(|_| {
        Ok(EffectResult::Record { fields: Some([("a".to_owned(), json!("x".repeat(2 << 20)))].into_iter().collect()) })
    });
    let (imports, body) = get(["contact", "17"]);
    assert_eq!(run_with(&imports, &body, Limits::default(), &large).await.end, End::Limit(Limit::BytesIn));
}

#[tokio::test]
async fn a_record_is_edited() {
    let effect = one_effect(edit("contact", "17", r#"{"stage":"lead","email":null}"#, Some(("notes", "called"))), done("ok")).await;
    let expected = RecordEdit {
        record: "contact".into(),
        id: "17".into(),
        set: [("stage".to_owned(), json!("lead")), ("email".to_owned(), json!(null))].into_iter().collect(),
        append: [("notes".to_owned(), "called".to_owned())].into(),
    };
    assert!(effect == Effect::RecordEdit(expected));
    invalid(edit("contact", "17", "[]", None), "`set` is not a JSON object").await;
    invalid(edit("contact", "", "{}", None), "the record's id is empty").await;
    invalid(edit("contact", "17", r#"{"notes":1}"#, Some(("notes", "x"))), "the edit names a field twice").await;
}

#[tokio::test]
async fn a_counter_says_where_it_stands() {
    let effect = one_effect(next("receipts"), done("ok")).await;
    assert!(effect == Effect::StateNext { key: "receipts".into() });
    invalid(next(""), "the key is empty").await;
}

#[tokio::test]
async fn an_event_is_emitted() {
    let effect = one_effect(emit(["receipt.issued", r#"{"number":1}"#]), done("ok")).await;
    assert!(effect == Effect::Event(Emitted { kind: "receipt.issued".into(), data: json!({ "number": 1 }) }));
    invalid(emit(["receipt.issued", "\"number\""]), "the event's data is not a JSON object").await;
    invalid(
        emit(["receipt", "{}"]),
        "the event's type is not of the form `receipt.issued`: words of a-z, 0-9, `_` and `-`, a letter first",
    )
    .await;
}

#[tokio::test]
async fn a_message_carries_files_and_documents() {
    let mut memory = Texts::default();
    // Two attachments of 28 bytes: the case, then a file's name, media type and content, or a document's id.
    let mut list = [0_u8; 56];
    let mut place = |at: usize, text: &str| {
        let words: Vec<u32> = memory.put(text).split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
        // "i32.const A", "i32.const N": every second number is one.
        list[at..at + 4].copy_from_slice(&words[1].to_le_bytes());
        list[at + 4..at + 8].copy_from_slice(&words[3].to_le_bytes());
    };
    place(4, "a.ics");
    place(12, "text/calendar");
    place(20, "BEGIN");
    place(32, "doc_1");
    list[28] = 1;
    while memory.0.len() / 3 % 4 != 0 {
        memory.put(" ");
    }
    let at = memory.put_bytes(&list).replace("(i32.const 56)", "(i32.const 2)");
    let body = format!(
        "(call $send (i32.const 0) (i32.const 0) (i32.const 0)  (i32.const 230) (i32.const 3)
            (i32.const 0) (i32.const 100) (i32.const 6) (i32.const 0) (i32.const 0)
            {at}  (i32.const 0) (i32.const 0)  (i32.const 4096)) {} {}",
        or_fail(4100),
        done_with(4108)
    );
    let Effect::Message(message) = one_effect((memory.with(MESSAGES), body), done("outbox")).await else { panic!("a message") };
    let file = File { name: "a.ics".into(), media_type: "text/calendar".into(), content: b"BEGIN".into() };
    assert!(message.attachments == [Attachment::File(file), Attachment::Document { id: "doc_1".into() }]);
}

#[tokio::test]
async fn refusals_are_told_and_results_of_other_effects_are_not() {
    let calls = [
        (store(["a.pdf", "application/pdf", "x", "x"]), "document"),
        (get(["contact", "17"]), "record_get"),
        (edit("contact", "17", "{}", None), "record"),
        (next("receipts"), "counter"),
        (emit(["receipt.issued", "{}"]), "event"),
    ];
    for ((imports, body), kind) in calls {
        let refusing = Runtime::answering(|_| Ok(EffectResult::Refused { reason: "not this one".into() }));
        let end = run_with(&imports, &body, Limits::default(), &refusing).await.end;
        assert_eq!(end, permanent("not this one"), "{kind}");
        let mixed_up = Runtime::answering(|_| Ok(EffectResult::Value { value: None }));
        let end = run_with(&imports, &body, Limits::default(), &mixed_up).await.end;
        assert_eq!(end, End::Stopped(Stop::Differs { asked: kind.into(), recorded: "the result Value".into() }));
    }
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let body = "
        (i32.store8 (i32.const 5000) (i32.const 1)) (i32.store8 (i32.const 5008) (i32.const 2))
        (i32.store (i32.const 5016) (i32.const 100)) (i32.store (i32.const 5020) (i32.const 6))
        (i32.const 5000)";
    let end = run("", body).await.end;
    assert_eq!(end, End::Missing { reason: "marker".into() });
    assert_eq!((end.kind(), format!("{end:?}").as_str()), ("missing", "Missing"), "what it says is not printed");
}

/// A request of `method` (its place in the enum) to `url`, with headers of a name and a text or, after a `$`, the name of a secret.
fn asking(method: u32, url: &str, headers: &[(&str, &str)], body: Option<&str>) -> (String, String) {
    let mut memory = Texts::default();
    let url = memory.put(url);
    // Each is a name, the case of the value, and its text: 20 bytes.
    let stores: Vec<String> = headers
        .iter()
        .enumerate()
        .map(|(number, (name, value))| {
            let (case, value) = value.strip_prefix('$').map_or((0, *value), |secret| (1, secret));
            let store = |at: usize, text: &str| {
                let (address, length) = text.rsplit_once(" (").unwrap();
                format!("(i32.store (i32.const {at}) {address}) (i32.store (i32.const {}) ({length})", at + 4)
            };
            let at = 6000 + 20 * number;
            let (name, value) = (memory.put(name), memory.put(value));
            format!("{} (i32.store8 (i32.const {}) (i32.const {case})) {}", store(at, &name), at + 8, store(at + 12, &value))
        })
        .collect();
    let body = body.map_or("(i32.const 0) (i32.const 0) (i32.const 0)".to_owned(), |body| format!("(i32.const 1) {}", memory.put(body)));
    let call = format!(
        "{} (call $http (i32.const {method}) {url} (i32.const 6000) (i32.const {}) {body} (i32.const 4096)) {} {}",
        stores.join(" "),
        headers.len(),
        or_fail(4100),
        done_with(4112)
    );
    (memory.with(HTTP), call)
}

const POST: u32 = 2;

#[tokio::test]
async fn a_request_becomes_an_effect_and_its_answer_comes_back() {
    let headers = [("Accept", "application/json"), ("authorization", "$crm")];
    let effect = one_effect(asking(POST, "https://API.example.com:443/v1/a b", &headers, Some("{}")), done("taken")).await;
    let header = |name: &str, value| Header { name: name.into(), value };
    let request = Request {
        method: Method::Post,
        url: Target::parse("https://api.example.com/v1/a%20b").unwrap(),
        headers: vec![
            header("accept", HeaderValue::Text("application/json".into())),
            header("authorization", HeaderValue::Secret("crm".into())),
        ],
        body: Some(Body(b"{}".to_vec())),
    };
    assert_eq!(effect, Effect::Http(request));
}

#[tokio::test]
async fn what_is_no_request_never_leaves_the_host() {
    let url = "https://api.example.com/v1";
    let with = |name: &str, value: &str| asking(POST, url, &[(name, value)], None);
    invalid(asking(0, "/v1", &[], None), "the URL cannot be used: it is not an absolute URL: relative URL without a base").await;
    invalid(
        asking(0, "file:///etc/passwd", &[], None),
        "the URL cannot be used: it begins with `file:`; a request begins with `https:` or `http:`",
    )
    .await;
    invalid(
        asking(0, "https://api.example.com/v1/..%2fadmin", &[], None),
        "the URL cannot be used: its path holds an encoded `..` or `.` between slashes",
    )
    .await;
    invalid(asking(0, url, &[], Some("x")), "a GET has no body").await;
    invalid(with("Host", "evil.example"), "the header `host` is the host's to set").await;
    invalid(with("Idempotency-Key", "mine"), "the header `idempotency-key` is the host's to set").await;
    invalid(with("x y", "z"), "a header's name has a character that names cannot have").await;
    invalid(with("x", "y\r\nhost: evil.example"), "the value of the header `x` is not printable ASCII on one line").await;
    invalid(with("x", "$"), "a secret's name is empty").await;
    let many = vec![("x", "y"); 65];
    invalid(asking(0, url, &many, None), "the request has 65 headers; 64 are allowed").await;
}

#[tokio::test]
async fn why_a_request_got_no_answer_is_told() {
    for (result, why) in [
        (EffectResult::Refused { reason: "not granted".into() }, "not granted"),
        (EffectResult::Unusable { reason: "too large".into() }, "too large"),
    ] {
        let runtime = Runtime::answering(move |_| Ok(result.clone()));
        let (imports, body) = asking(0, "https://api.example.com/v1", &[], None);
        assert_eq!(run_with(&imports, &body, Limits::default(), &runtime).await.end, permanent(why));
    }
    let (imports, body) = asking(0, "https://api.example.com/v1", &[], None);
    let runtime = Runtime::answering(|_| Err(Stop::Unknown { reason: "cut off".into() }));
    assert!(matches!(run_with(&imports, &body, Limits::default(), &runtime).await.end, End::Stopped(Stop::Unknown { .. })));
    let giant = Response { status: 200, headers: Vec::new(), body: Body(vec![b'x'; 2 << 20]) };
    let runtime = Runtime::answering(move |_| Ok(EffectResult::Answered { response: giant.clone() }));
    assert_eq!(run_with(&imports, &body, Limits::default(), &runtime).await.end, End::Limit(Limit::BytesIn));
}

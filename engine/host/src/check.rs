//! Checks what a plugin hands over, before anybody else sees it.
//!
//! Names and addresses are present, of bearable length and without line breaks, which could become headers further on;
//! JSON is of bearable size and depth. What is wrong is said in words that name the part and never quote it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use zelo_core::effect::RecordEdit;
use zelo_core::http::{Body, Header, HeaderValue, Method, Request, Target, is_reserved};

use crate::bindings::{documents, http, messages, records};

/// Of a recipient, a channel, a name or a media type, bytes.
const NAME_MAX: usize = 512;
/// Of the text of a message or a document, bytes.
const TEXT_MAX: usize = 64 << 10;
/// Attachments, buttons or parameters of one message.
const PARTS_MAX: usize = 32;
/// Of a key in the state, bytes.
const KEY_MAX: usize = 256;
/// Of a value in the state, bytes.
const VALUE_MAX: usize = 64 << 10;
/// Of a document, bytes.
const DOCUMENT_MAX: usize = 2 << 20;
/// Of the name of a record's type or field, bytes.
const WORD_MAX: usize = 64;
/// Of the id of a record or a document, bytes.
const ID_MAX: usize = 256;
/// Of the type of an event, bytes.
const TYPE_MAX: usize = 128;
/// Of JSON, bytes.
const JSON_MAX: usize = 64 << 10;
/// Arrays and objects inside each other.
const DEPTH_MAX: usize = 32;
/// Fields that one edit may name.
const FIELDS_MAX: usize = 64;

/// Of a URL, bytes.
const URL_MAX: usize = 8 << 10;
/// Of the value of a header, bytes.
const HEADER_MAX: usize = 4 << 10;
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// Of the body of a request, bytes.
const BODY_MAX: usize = 1 << 20;

type Checked = Result<(), String>;

/// A request, read.
pub(crate) fn request(request: http::Request) -> Result<Request, String> {
    let http::Request { method, url, headers, body } = request;
    within("the URL", &url, URL_MAX)?;
    let url = Target::parse(&url).map_err(|problem| format!("the URL cannot be used: {problem}"))?;
    if headers.len() > HEADERS_MAX {
        return Err(format!("the request has {} headers; {HEADERS_MAX} are allowed", headers.len()));
    }
    let headers = headers.into_iter().map(header).collect::<Result<_, _>>()?;
    let method = match method {
        http::Method::Get => Method::Get,
        http::Method::Head => Method::Head,
        http::Method::Post => Method::Post,
        http::Method::Put => Method::Put,
        http::Method::Patch => Method::Patch,
        http::Method::Delete => Method::Delete,
    };
    match &body {
        Some(_) if method.is_safe() => Err(format!("a {} has no body", method.as_str())),
        Some(body) if body.len() > BODY_MAX => Err(format!("the body has {} bytes; {BODY_MAX} are allowed", body.len())),
        _ => Ok(Request { method, url, headers, body: body.map(Body) }),
    }
}

/// A field name is a token and its value is text on one line ([RFC 9110, 5.1 and 5.5](https://www.rfc-editor.org/rfc/rfc9110#section-5)).
fn header(header: http::Header) -> Result<Header, String> {
    let http::Header { name: title, value } = header;
    name("a header's name", &title)?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !title.chars().all(is_token) {
        return Err("a header's name has a character that names cannot have".into());
    }
    let title = title.to_ascii_lowercase();
    if is_reserved(&title) {
        return Err(format!("the header `{title}` is the host's to set"));
    }
    let value = match value {
        http::HeaderValue::Text(text) => {
            within("a header's value", &text, HEADER_MAX)?;
            if !text.chars().all(|c| c == '\t' || (' '..='~').contains(&c)) {
                return Err(format!("the value of the header `{title}` is not printable ASCII on one line"));
            }
            HeaderValue::Text(text)
        }
        http::HeaderValue::Secret(secret) => {
            name("a secret's name", &secret)?;
            HeaderValue::Secret(secret)
        }
    };
    Ok(Header { name: title, value })
}

pub(crate) fn message(message: &messages::Message) -> Checked {
    if let Some(channel) = &message.channel {
        name("the channel", channel)?;
    }
    name("the recipient", &message.to)?;
    match &message.body {
        messages::Body::Text(text) => {
            present("the text", text)?;
            within("the text", text, TEXT_MAX)?;
        }
        messages::Body::Template(template) => {
            name("the template's name", &template.name)?;
            few("parameters", template.parameters.len())?;
            template.parameters.iter().try_for_each(|parameter| within("a parameter", parameter, TEXT_MAX))?;
        }
    }
    few("attachments", message.attachments.len())?;
    for attachment in &message.attachments {
        match attachment {
            messages::Attachment::File(file) => {
                file_name("an attachment's name", &file.name)?;
                media_type("an attachment's media type", &file.media_type)?;
            }
            messages::Attachment::Document(document) => id("an attached document's id", document)?,
        }
    }
    few("buttons", message.buttons.len())?;
    message.buttons.iter().try_for_each(|button| name("a button's id", &button.id).and_then(|()| name("a button's title", &button.title)))
}

pub(crate) fn document(document: &documents::Document) -> Checked {
    file_name("the document's name", &document.name)?;
    media_type("the document's media type", &document.media_type)?;
    let size = document.content.len();
    if size == 0 {
        return Err("the document is empty".into());
    }
    if size > DOCUMENT_MAX {
        return Err(format!("the document has {size} bytes; {DOCUMENT_MAX} are allowed"));
    }
    present("the document's text", &document.text)?;
    within("the document's text", &document.text, TEXT_MAX)?;
    if document.text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err("the document's text has a control character in it that is neither a line break (LF) nor a tab".into());
    }
    Ok(())
}

/// Which record.
pub(crate) fn record(kind: &str, of: &str) -> Checked {
    word("the record's type", kind)?;
    id("the record's id", of)
}

/// What is to change in a record, read.
pub(crate) fn edit(change: records::Change) -> Result<RecordEdit, String> {
    let records::Change { record: kind, id, set, append } = change;
    record(&kind, &id)?;
    let set = object("`set`", &set)?;
    let count = set.len() + append.len();
    if count > FIELDS_MAX {
        return Err(format!("the edit names {count} fields; {FIELDS_MAX} are allowed"));
    }
    set.keys().try_for_each(|field| word("a field's name", field))?;
    let mut lists = BTreeMap::new();
    for (field, text) in append {
        word("a field's name", &field)?;
        present("what is appended", &text)?;
        within("what is appended", &text, TEXT_MAX)?;
        if set.contains_key(&field) || lists.contains_key(&field) {
            return Err("the edit names a field twice".into());
        }
        lists.insert(field, text);
    }
    Ok(RecordEdit { record: kind, id, set, append: lists })
}

/// The data of an event, read. `kind` is its type: `word.word`, as many words as there are.
pub(crate) fn event(kind: &str, data: &str) -> Result<Value, String> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
    };
    within("the event's type", kind, TYPE_MAX)?;
    if !kind.contains('.') || !kind.split('.').all(is_word) {
        return Err("the event's type is not of the form `receipt.issued`: words of a-z, 0-9, `_` and `-`, a letter first".into());
    }
    Ok(Value::Object(object("the event's data", data)?))
}

pub(crate) fn key(key: &str) -> Checked {
    present("the key", key)?;
    within("the key", key, KEY_MAX)
}

pub(crate) fn value(value: &str) -> Checked {
    within("the value", value, VALUE_MAX)
}

/// A JSON object of bearable size and depth.
fn object(what: &str, text: &str) -> Result<Map<String, Value>, String> {
    within(what, text, JSON_MAX)?;
    // The parser itself goes no deeper than 128.
    let value: Value = serde_json::from_str(text)
        .map_err(|error| format!("{what} is not JSON that can be read (line {}, column {})", error.line(), error.column()))?;
    let Value::Object(fields) = value else { return Err(format!("{what} is not a JSON object")) };
    if fields.values().any(|value| is_deeper(value, DEPTH_MAX - 1)) {
        return Err(format!("{what} has more than {DEPTH_MAX} arrays and objects inside each other"));
    }
    Ok(fields)
}

/// Whether more than `levels` arrays and objects are inside each other.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(fields) => fields.values().any(|field| is_deeper(field, levels - 1)),
        _ => false,
    }
}

/// What a record or a field is called.
fn word(what: &str, text: &str) -> Checked {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if text.len() <= WORD_MAX && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain) {
        Ok(())
    } else {
        Err(format!("{what} is not 1 to {WORD_MAX} of a-z, 0-9 and `_`, a letter first"))
    }
}

/// The name of a file, without folders.
fn file_name(what: &str, text: &str) -> Checked {
    name(what, text)?;
    if text.contains(['/', '\\']) || matches!(text, "." | "..") { Err(format!("{what} is a path")) } else { Ok(()) }
}

fn media_type(what: &str, text: &str) -> Checked {
    name(what, text)?;
    if text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty()) {
        Ok(())
    } else {
        Err(format!("{what} is not of the form `type/subtype`"))
    }
}

/// Something that names or addresses: present, short, on one line.
fn name(what: &str, text: &str) -> Checked {
    on_one_line(what, text, NAME_MAX)
}

fn id(what: &str, text: &str) -> Checked {
    on_one_line(what, text, ID_MAX)
}

fn on_one_line(what: &str, text: &str, max: usize) -> Checked {
    present(what, text)?;
    within(what, text, max)?;
    if text.chars().any(char::is_control) { Err(format!("{what} has a line break or another control character in it")) } else { Ok(()) }
}

fn present(what: &str, text: &str) -> Checked {
    if text.trim().is_empty() { Err(format!("{what} is empty")) } else { Ok(()) }
}

fn within(what: &str, text: &str, max: usize) -> Checked {
    if text.len() > max { Err(format!("{what} has {} bytes; {max} are allowed", text.len())) } else { Ok(()) }
}

fn few(what: &str, count: usize) -> Checked {
    if count > PARTS_MAX { Err(format!("the message has {count} {what}; {PARTS_MAX} are allowed")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> messages::Attachment {
        messages::Attachment::File(messages::File {
            name: "a.ics".into(),
            media_type: "text/calendar; method=PUBLISH".into(),
            content: vec![1],
        })
    }

    fn a_message() -> messages::Message {
        messages::Message {
            channel: None,
            to: "+55 11 98765-4321".into(),
            body: messages::Body::Text("Olá,\namanhã às 10:00.".into()),
            attachments: vec![file(), messages::Attachment::Document("doc_1".into())],
            buttons: vec![],
        }
    }

    fn of_message(change: impl FnOnce(&mut messages::Message)) -> String {
        let mut changed = a_message();
        change(&mut changed);
        message(&changed).expect_err("it is wrong")
    }

    fn of_file(change: impl FnOnce(&mut messages::File)) -> String {
        of_message(|message| match &mut message.attachments[0] {
            messages::Attachment::File(file) => change(file),
            messages::Attachment::Document(_) => unreachable!("the first is a file"),
        })
    }

    #[test]
    fn of_a_message() {
        assert_eq!(message(&a_message()), Ok(()));
        assert_eq!(of_message(|m| m.to.clear()), "the recipient is empty");
        assert!(of_message(|m| m.to.push_str("\r\nBcc: all@example.com")).contains("line break"));
        assert!(of_message(|m| m.channel = Some(String::new())).contains("channel"));
        assert!(of_message(|m| m.body = messages::Body::Text(" ".into())).contains("text is empty"));
        assert!(of_message(|m| m.body = messages::Body::Text("x".repeat(TEXT_MAX + 1))).contains("65537 bytes"));
        assert!(of_message(|m| m.attachments = vec![file(); 40]).contains("40 attachments"));
        assert!(
            of_message(|m| m.attachments = vec![messages::Attachment::Document("a\nb".into())]).contains("document's id has a line break")
        );
        assert!(of_file(|file| file.name = "../../a.ics".into()).contains("path"));
        assert!(of_file(|file| file.media_type = "calendar".into()).contains("type/subtype"));
    }

    #[test]
    fn of_a_document() {
        let good = documents::Document {
            name: "recibo-000001.pdf".into(),
            media_type: "application/pdf".into(),
            content: vec![0; DOCUMENT_MAX],
            text: "RECIBO\n\tNº 000001".into(),
        };
        let wrong = |change: fn(&mut documents::Document)| {
            let mut changed = good.clone();
            change(&mut changed);
            document(&changed).expect_err("it is wrong")
        };
        assert_eq!(document(&good), Ok(()));
        assert!(wrong(|d| d.name.clear()).contains("name is empty"));
        assert!(wrong(|d| d.name = "..".into()).contains("path") && wrong(|d| d.name = "a\\b".into()).contains("path"));
        assert!(wrong(|d| d.name.push('\n')).contains("line break"));
        assert!(wrong(|d| d.media_type = "pdf".into()).contains("type/subtype"));
        assert_eq!(wrong(|d| d.content.clear()), "the document is empty");
        assert_eq!(wrong(|d| d.content.push(0)), "the document has 2097153 bytes; 2097152 are allowed");
        assert!(wrong(|d| d.text = "x".repeat(TEXT_MAX + 1)).contains("65537 bytes"));
        assert!(wrong(|d| d.text.clear()).contains("text is empty"));
        assert!(wrong(|d| d.text.push('\u{1b}')).contains("control character"));
    }

    #[test]
    fn of_an_edit() {
        let edited = |set: &str, append: &[(&str, &str)]| {
            let append = append.iter().map(|(field, text)| ((*field).to_owned(), (*text).to_owned())).collect();
            edit(records::Change { record: "contact".into(), id: "17".into(), set: set.into(), append })
        };
        let read = edited(r#"{"stage":"lead","email":null}"#, &[("notes", "called")]).ok();
        assert!(read.is_some_and(|edit| edit.set.len() == 2 && edit.append["notes"] == "called"));
        assert!(edited("{}", &[]).is_ok());
        let wrong = |set: &str, append: &[(&str, &str)]| edited(set, append).expect_err("it is wrong");
        assert_eq!(wrong("[]", &[]), "`set` is not a JSON object");
        assert_eq!(wrong("{", &[]), "`set` is not JSON that can be read (line 1, column 1)");
        assert!(wrong(r#"{"Stage":1}"#, &[]).contains("field's name") && wrong("{}", &[("no-tes", "x")]).contains("field's name"));
        assert!(wrong("{}", &[("notes", " ")]).contains("empty"));
        assert!(wrong("{}", &[("notes", "a"), ("notes", "b")]).contains("twice"));
        assert!(wrong(r#"{"notes":[]}"#, &[("notes", "b")]).contains("twice"));
        assert!(wrong(&format!(r#"{{"a":"{}"}}"#, "x".repeat(JSON_MAX)), &[]).contains("65536 are allowed"));
        assert!(wrong(&format!(r#"{{"a":{}}}"#, "[".repeat(DEPTH_MAX) + &"]".repeat(DEPTH_MAX)), &[]).contains("more than 32"));
        assert!(edited(&format!(r#"{{"a":{}}}"#, "[".repeat(DEPTH_MAX - 1) + &"]".repeat(DEPTH_MAX - 1)), &[]).is_ok());
        let fields: Vec<_> = (0..=FIELDS_MAX).map(|n| format!("\"f{n}\":1")).collect();
        assert!(wrong(&format!("{{{}}}", fields.join(",")), &[]).contains("65 fields"));
    }

    #[test]
    fn of_a_record() {
        assert_eq!(record("service_2", "1004/a"), Ok(()));
        for kind in ["", "Contact", "2nd", "a-b", "contact\n", &"x".repeat(65)] {
            assert!(record(kind, "1").is_err_and(|problem| problem.contains("type")), "{kind}");
        }
        for id in ["", "a\nb", &"x".repeat(257)] {
            assert!(record("contact", id).is_err_and(|problem| problem.contains("id")), "{id}");
        }
    }

    #[test]
    fn of_an_event() {
        assert!(event("receipt.issued", r#"{"number":1}"#).is_ok_and(|data| data["number"] == 1));
        assert!(event("a.b-c.d_e2", "{}").is_ok());
        for kind in ["", "receipt", "receipt.", ".issued", "receipt..issued", "Receipt.issued", "receipt.2", "receipt.*", &"a.b".repeat(50)]
        {
            assert!(event(kind, "{}").is_err_and(|problem| problem.contains("event's type")), "{kind}");
        }
        assert!(event("receipt.issued", "1").is_err_and(|problem| problem == "the event's data is not a JSON object"));
    }
}

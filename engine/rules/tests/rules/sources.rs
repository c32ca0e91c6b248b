//! What the sources that ship make of their providers' samples, and of what nobody should send.

use proptest::prelude::*;
use serde_json::{Value, json};
use zelo_rules::{Delivery, FileText, Files, Format, Headers, Read, Reading, Refusal, RuleSet, Source};

use super::common::{changed, event, file, loaded, reading, root, sample, shipped};

/// Sample, path, type, entity type, subjects, whether it has a clinic, records.
type Trigger = (&'static str, &'static str, &'static str, &'static str, usize, bool, &'static [&'static str]);

const TRIGGERS: [Trigger; 14] = [
    ("new-appointment", "appointment/new", "appointment.created", "appointment", 1, true, &[]),
    ("edit-appointment", "appointment/edit", "appointment.updated", "appointment", 1, true, &[]),
    ("cancel-appointment", "appointment/cancel", "appointment.canceled", "appointment", 1, true, &[]),
    ("new-attendance", "attendance/new", "attendance.started", "attendance", 2, true, &[]),
    ("finished-attendance", "attendance/finished", "attendance.finished", "attendance", 2, true, &[]),
    ("cancelled-attendance", "attendance/cancelled", "attendance.canceled", "attendance", 2, true, &[]),
    ("new-patient", "patient/new", "patient.created", "patient", 1, false, &["patient"]),
    ("edit-patient", "patient/edit", "patient.updated", "patient", 1, false, &["patient"]),
    ("new-clinic", "clinic/new", "clinic.created", "clinic", 0, true, &["clinic"]),
    ("edit-clinic", "clinic/edit", "clinic.updated", "clinic", 0, true, &["clinic"]),
    ("new-user", "user/new", "user.created", "user", 1, false, &["user"]),
    ("edit-user", "user/edit", "user.updated", "user", 1, false, &["user"]),
    ("new-service", "service/new", "service.created", "service", 0, false, &["service"]),
    ("edit-service", "service/edit", "service.updated", "service", 0, false, &["service"]),
];

fn read(name: &str, path: &str) -> Reading {
    reading(&loaded(&shipped()), path, sample(name).as_bytes())
}

#[test]
fn every_documented_trigger_is_read() {
    for (name, path, kind, entity, subjects, clinic, records) in TRIGGERS {
        for path in [path.to_owned(), format!("/{path}/")] {
            let reading = read(name, &path);
            assert_eq!(reading.kind, kind, "{name}");
            assert_eq!(reading.time.unwrap().to_string(), "2023-07-13T15:55:33Z", "{name}: UTC though it does not say so");
            assert_eq!(reading.entity.unwrap().kind, entity, "{name}");
            assert_eq!(reading.people.len(), subjects, "{name}");
            assert_eq!(reading.clinic.is_some(), clinic, "{name}");
            assert_eq!(reading.delivery_id, None, "{name}: nothing in it identifies the delivery");
            assert_eq!(reading.records.iter().map(|record| record.kind.as_str()).collect::<Vec<_>>(), records, "{name}");
            assert_eq!(*reading.data, serde_json::from_str::<Value>(&sample(name)).unwrap(), "{name}: as it came");
        }
    }
}

#[test]
fn records_keep_what_the_payload_mentions() {
    let patient = read("new-patient", "patient/new").records.remove(0);
    assert_eq!(patient.id, "fbf08025-ba70-4beb-9869-f7d0a13a6446");
    assert_eq!(patient.subject.as_deref(), Some("fbf08025-ba70-4beb-9869-f7d0a13a6446"), "the patient is the person it is about");
    assert_eq!(patient.clinic, None);
    assert_eq!(patient.fields["phones"], json!(["(00) 00000-0000", "(00) 00000-0000"]));
    assert_eq!(patient.fields.keys().collect::<Vec<_>>(), ["birthday", "document", "email", "name", "phones"]);

    let clinic = read("edit-clinic", "clinic/edit").records.remove(0);
    assert_eq!(clinic.clinic.as_deref(), Some("498124ed-53d5-46eb-89c9-2b1e6a6191a5"));
    assert_eq!(clinic.subject, None);
    assert_eq!(clinic.fields["timezone"], "America/Sao_Paulo");
    assert!(!clinic.fields.contains_key("name"), "a clinic's edit does not mention its name, so the old one stays");

    let service = read("new-service", "service/new").records.remove(0);
    assert_eq!((service.id.as_str(), &service.fields["price"]), ("845", &json!(6.51)), "attendances name services by code");
}

#[test]
fn emptied_is_not_the_same_as_not_mentioned() {
    let set = loaded(&shipped());
    let fields = |data: &Value| reading(&set, "patient/edit", data.to_string().as_bytes()).records.remove(0).fields;
    let emptied = fields(&changed("edit-patient", &[("/data/phones", json!([])), ("/data/email", json!(null))]));
    assert_eq!((&emptied["phones"], &emptied["email"]), (&json!([]), &json!(null)));
    let mut unmentioned = changed("edit-patient", &[]);
    unmentioned["data"].as_object_mut().unwrap().remove("phones");
    assert!(!fields(&unmentioned).contains_key("phones"));
}

#[test]
fn ids_are_texts_whatever_they_are_in_the_payload() {
    let set = loaded(&shipped());
    let event = event(&set, "appointment/new", &changed("new-appointment", &[("/data/id", json!(201)), ("/data/patient/id", json!(17.5))]));
    assert_eq!(event.entity.unwrap().id, "201");
    assert!(event.subjects.is_empty(), "a fraction names nobody");
}

#[test]
fn a_time_that_cannot_be_read_is_no_time() {
    let set = loaded(&shipped());
    for time in [json!(null), json!("yesterday"), json!("2023-07-13"), json!(20230713)] {
        let data = changed("new-appointment", &[("/timestamp", time)]);
        assert_eq!(reading(&set, "appointment/new", data.to_string().as_bytes()).time, None);
    }
    let data = changed("new-appointment", &[("/timestamp", json!("2023-07-13T12:55:33-03:00"))]);
    assert_eq!(reading(&set, "appointment/new", data.to_string().as_bytes()).time.unwrap().to_string(), "2023-07-13T15:55:33Z");
}

#[test]
fn what_no_file_names_is_ignored_and_what_cannot_be_read_is_refused() {
    let set = loaded(&shipped());
    let source = set.source("clinicarx").unwrap();
    let read = |path: &str, content_type: &str, body: &[u8]| {
        let headers: Headers<'_> = [("Content-Type", content_type.as_bytes())].into_iter().collect();
        source.read(&Delivery { path, url: "", headers: &headers, body })
    };
    assert!(matches!(read("appointment/archived", "application/json", b"{}"), Ok(Read::Ignored { .. })));
    assert!(matches!(read("", "application/json", b"{}"), Ok(Read::Ignored { .. })));
    assert!(matches!(read("user/new", "application/json; charset=utf-8", b"{}"), Ok(Read::Event(_))));
    assert!(matches!(read("user/new", "application/vnd.api+json", b"{}"), Ok(Read::Event(_))));
    assert!(matches!(read("user/new", "application/x-www-form-urlencoded", b"a=b"), Err(Refusal::Unsupported { .. })));
    assert!(!matches!(read("user/new", "application/x-www-form-urlencoded", b" {}"), Err(Refusal::Unsupported { .. })), "curl -d says so");
    let secret = br#"{"data": {"name": "Marina"}, "data": 1}"#;
    let Err(Refusal::Malformed { why }) = read("user/new", "application/json", secret) else { panic!("it was read") };
    assert!(why.contains("one key twice") && !why.contains("Marina"), "{why}");
    assert!(matches!(read("user/new", "application/json", b"{\"a\": \"\xff\"}"), Err(Refusal::Malformed { .. })));
    let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
    assert!(matches!(read("user/new", "application/json", deep.as_bytes()), Err(Refusal::Malformed { .. })));
}

#[test]
fn nothing_prints_a_payload() {
    let reading = read("new-patient", "patient/new");
    let printed = format!("{reading:?} {:?}", reading.records);
    assert!(!printed.contains("GUILHERME") && !printed.contains("fbf08025"), "{printed}");
}

fn plotado() -> RuleSet {
    loaded(&Files { sources: vec![file("rules/sources/plotado.toml")], rules: vec![], samples: vec![] })
}

/// A source with this `[receive]`, beside the way to verify.
fn receiving(receive: &str) -> RuleSet {
    let text = format!(
        "id = \"other\"\n[receive]\n{receive}\nverify = {{ kind = \"token\", header = \"x-token\" }}\n[[events]]\ntype = \"thing.created\"\n"
    );
    loaded(&Files { sources: vec![FileText { name: "other.toml".to_owned(), text }], rules: vec![], samples: vec![] })
}

fn read_by(set: &RuleSet, path: &str, content_type: Option<&str>, body: &[u8]) -> Result<Reading, Refusal> {
    let headers: Headers<'_> = content_type.iter().map(|value| ("Content-Type", value.as_bytes())).collect();
    match set.sources().next().unwrap().read(&Delivery { path, url: "", headers: &headers, body })? {
        Read::Event(reading) => Ok(reading),
        Read::Ignored { why } => panic!("ignored: {why}"),
    }
}

/// `body` as a source reads it that takes XML only.
fn xml(body: impl AsRef<[u8]>) -> Result<Value, String> {
    match read_by(&receiving("format = \"xml\""), "", None, body.as_ref()) {
        Ok(reading) => {
            let stored: Value = serde_json::from_slice(reading.data.text().unwrap()).unwrap();
            assert_eq!(stored, *reading.data, "what is stored is what was read");
            Ok(stored)
        }
        Err(Refusal::Malformed { why }) => Err(why),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_lead_is_the_same_in_both_formats() {
    let set = plotado();
    let [json, xml] = ["json", "xml"].map(|kind| file(&format!("examples/events/plotado/lead.{kind}")).text);
    for path in ["lead/new", "", "whatever/else"] {
        let sent = json.as_bytes();
        let [json, xml] = [&json, &xml].map(|body| read_by(&set, path, None, body.as_bytes()).unwrap());
        for reading in [&json, &xml] {
            assert_eq!((reading.kind.as_str(), reading.time), ("lead.created", None), "{path}");
            assert_eq!(reading.subjects(), ["+5501999999999"]);
            assert_eq!(reading.entity.as_ref().unwrap().id, "+5501999999999");
        }
        assert_eq!(*json.data, json!({"nome": "Carlos", "telefone": "+5501999999999", "mensagem": "Quero agendar um horário"}));
        assert_eq!(xml.data, json.data);
        assert_eq!(&**json.data.text().unwrap(), sent, "the body itself is stored");
        assert_eq!(serde_json::from_slice::<Value>(xml.data.text().unwrap()).unwrap(), *xml.data);
    }
    let why = |body: &str| match read_by(&set, "", None, body.as_bytes()) {
        Err(Refusal::Malformed { why }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why("<order><nome>Carlos</nome></order>"), "its root element is not `lead`");
    assert_eq!(read_by(&set, "order/changed", None, json.as_bytes()).unwrap().kind, "order.changed");
}

#[test]
fn the_format_is_what_the_sender_says_or_how_the_body_begins() {
    let both = receiving("format = [\"json\", \"xml\"]");
    assert_eq!(both.sources().next().unwrap().formats, [Format::Json, Format::Xml]);
    let form = "application/x-www-form-urlencoded";
    let read = |set: &RuleSet, content_type: Option<&str>, body: &[u8]| {
        read_by(set, "", content_type, body).map(|reading| if **reading.data.text().unwrap() == *body { Format::Json } else { Format::Xml })
    };
    for (content_type, body, format) in [
        (None, "{}", Format::Json),
        (None, " \r\n\t<a/>", Format::Xml),
        (None, "\u{feff}<a/>", Format::Xml),
        (Some(""), "<a/>", Format::Xml),
        (Some("text/plain; charset=latin1"), "[]", Format::Json),
        (Some("application/octet-stream"), "<a/>", Format::Xml),
        (Some(form), " {}", Format::Json),
        (Some(form), " <a/>", Format::Xml),
        (Some("Application/XML"), "<a/>", Format::Xml),
        (Some("text/xml; charset=\"UTF-8\""), "<a/>", Format::Xml),
        (Some("application/soap+xml; action=a"), "<a/>", Format::Xml),
        (Some("application/vnd.api+json"), "{}", Format::Json),
    ] {
        assert_eq!(read(&both, content_type, body.as_bytes()), Ok(format), "{content_type:?} {body}");
    }
    let malformed = |content_type: &str, body: &[u8]| matches!(read(&both, Some(content_type), body), Err(Refusal::Malformed { .. }));
    assert!(malformed("application/json", b"<a/>") && malformed("application/xml", b"{}"), "the header decides");
    let unsupported = |set: &RuleSet, content_type: &str, body: &[u8]| match read(set, Some(content_type), body) {
        Err(Refusal::Unsupported { why }) => why,
        other => panic!("{other:?}"),
    };
    for (content_type, body) in [("text/html", "<a/>"), (form, "a=b"), ("multipart/form-data", "{}")] {
        assert_eq!(unsupported(&both, content_type, body.as_bytes()), "it takes application/json and application/xml", "{content_type}");
    }
    assert_eq!(unsupported(&both, "text/xml; Charset=ISO-8859-1", b"<a/>"), "it takes XML in UTF-8");
    let xml = receiving("format = \"xml\"");
    assert_eq!(unsupported(&xml, "application/json", b"{}"), "it takes application/xml");
    assert_eq!(unsupported(&xml, form, b"{}"), "it takes application/xml");
    assert_eq!(read(&xml, None, b"<a/>"), Ok(Format::Xml));
    assert_eq!(unsupported(&receiving("format = [\"json\"]"), "text/xml", b"<a/>"), "it takes application/json");
}

#[test]
fn xml_is_json_by_one_mapping() {
    for (text, value) in [
        ("<a/>", json!({"a": null})),
        ("<a></a>", json!({"a": null})),
        ("<a>1</a>", json!({"a": "1"})),
        ("<a> b\n </a>", json!({"a": " b\n "})),
        ("<a>\r\n</a>", json!({"a": "\n"})),
        ("<a>\n <b>1</b>\n <c/>\n</a>\n", json!({"a": {"b": "1", "c": null}})),
        ("<a><b>1</b><c/><b>2</b><b><d/></b></a>", json!({"a": {"b": ["1", "2", {"d": null}], "c": null}})),
        ("<a><b/><b/></a>", json!({"a": {"b": [null, null]}})),
        ("<a x=\"1\" y='\"2\"'/>", json!({"a": {"@x": "1", "@y": "\"2\""}})),
        ("<a x=\"1\">b</a>", json!({"a": {"@x": "1", "#text": "b"}})),
        ("<a x=\"1\"> </a>", json!({"a": {"@x": "1"}})),
        ("<a>one <b>2</b> three<b/>\n</a>", json!({"a": {"b": ["2", null], "#text": "one  three"}})),
        ("<n:a xmlns:n=\"urn:n\"><n:b/></n:a>", json!({"n:a": {"@xmlns:n": "urn:n", "n:b": null}})),
        ("<a>1 &lt; 2 &amp;&amp; &quot;&apos;&gt;&#233;&#x1F600;</a>", json!({"a": "1 < 2 && \"'>é😀"})),
        ("<a x=\"&lt;&#10;&amp;amp;\ty\"/>", json!({"a": {"@x": "<\n&amp; y"}})),
        ("<a><![CDATA[<b> & ]]>c<![CDATA[]]></a>", json!({"a": "<b> & c"})),
        ("<a>b<!-- no > -->c<?php echo?>d</a>", json!({"a": "bcd"})),
        ("<?xml version=\"1.0\" encoding=\"utf-8\" standalone='yes'?>\n<!-- a --><?b?>\n<ação>é</ação><!-- c -->", json!({"ação": "é"})),
        ("\u{feff}<?xml version=\"1.0\"?><a/>", json!({"a": null})),
    ] {
        assert_eq!(xml(text).as_ref(), Ok(&value), "{text}");
    }
    let root = receiving("format = \"xml\"\nxml_root = \"a\"");
    for (text, value) in [("<a><b>1</b></a>", json!({"b": "1"})), ("<a>1</a>", json!("1")), ("<a/>", json!(null))] {
        assert_eq!(*read_by(&root, "", None, text.as_bytes()).unwrap().data, value, "{text}");
    }
}

#[test]
fn xml_that_could_be_read_differently_is_refused() {
    let laughs = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol1 \"&lol;&lol;&lol;&lol;\">]><lolz>&lol1;</lolz>";
    for (text, why) in [
        (laughs, "a DOCTYPE; none is taken at line 1 column 1"),
        ("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "a DOCTYPE; none is taken at line 1 column 1"),
        ("<?xml version=\"1.0\"?>\n<!doctype a><a/>", "a DOCTYPE; none is taken at line 2 column 1"),
        ("<a>\né&nbsp;</a>", "an entity other than the five of XML itself at line 2 column 2"),
        ("<a>Marina & Co</a>", "it is not well-formed: an end tag, a comment or a reference does not fit at line 1 column 11"),
        ("<a>&#0;</a>", "a reference to a character that XML does not have at line 1 column 4"),
        ("<a>&#x1;</a>", "a reference to a character that XML does not have at line 1 column 4"),
        ("<a>&#xd800;</a>", "a reference to a character that XML does not have at line 1 column 4"),
        ("<a>\u{1}</a>", "a character that XML does not have at line 1 column 4"),
        ("<a x=\"&#1;\"/>", "a character that XML does not have at line 1 column 1"),
        ("<a/><b/>", "a second root element at line 1 column 5"),
        ("<a/>b", "text outside of the root element at line 1 column 5"),
        ("a<a/>", "text outside of the root element at line 1 column 1"),
        ("<a/>&amp;", "text outside of the root element at line 1 column 5"),
        ("<a/><![CDATA[]]>", "text outside of the root element at line 1 column 5"),
        ("<a>]]></a>", "`]]>` outside of CDATA at line 1 column 4"),
        (" <?xml version=\"1.0\"?><a/>", "an XML declaration that is not at the beginning at line 1 column 2"),
        ("<a x='1' x='2'/>", "an element has one attribute twice at line 1 column 1"),
        ("<a x='<'/>", "an attribute that cannot be read at line 1 column 1"),
        ("<a x=1/>", "an attribute that cannot be read at line 1 column 1"),
        ("<a x/>", "an attribute that cannot be read at line 1 column 1"),
        ("<1a/>", "an element whose name is none at line 1 column 1"),
        ("< a/>", "an element whose name is none at line 1 column 1"),
        ("<a,b/>", "an element whose name is none at line 1 column 1"),
        ("", "it has no element"),
        ("  <!-- a -->", "it has no element"),
        ("<a><b></b>", "it ends before its root element does at line 1 column 11"),
        ("<?xml version=\"1.1\"?><a/>", "it is not declared as XML 1.0"),
        ("<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>", "it declares another encoding; only UTF-8 is taken"),
    ] {
        assert_eq!(xml(text), Err(why.to_owned()), "{text}");
    }
    for text in
        ["<a><b></a></b>", "<a></a></a>", "<a x=\"&eacute;\"/>", "<a x=\"&\"/>", "<a", "<a><b", "<a><!-- b", "<a><![CDATA[b", "<?xml", "{}"]
    {
        assert!(xml(text).is_err(), "{text}");
    }
}

#[test]
fn no_part_of_a_document_is_in_a_message() {
    let documents = ["<a>&Marina;</a>", "<a></Marina>", "<a x=\"&Marina;\"/>", "<Marina", "<a><Marina></a>", "Marina", "<a Marina></a>"];
    for text in documents {
        let why = xml(text).unwrap_err();
        assert!(!why.contains("Marina"), "{why}");
    }
}

#[test]
fn xml_is_utf_8() {
    let latin1 = |text: &str| text.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect::<Vec<u8>>();
    let declared = latin1("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>é</a>");
    assert_eq!(xml(declared).unwrap_err(), "it declares another encoding; only UTF-8 is taken");
    assert_eq!(xml(latin1("<a>é</a>")).unwrap_err(), "byte 3 is not UTF-8");
    let found = "it is written in UTF-16 or UTF-32; only UTF-8 is taken";
    for mark in [true, false] {
        let text = if mark { "\u{feff}<a/>" } else { "<a/>" };
        for utf16 in [u16::to_be_bytes, u16::to_le_bytes] {
            assert_eq!(xml(text.encode_utf16().flat_map(utf16).collect::<Vec<u8>>()).unwrap_err(), found);
        }
    }
}

#[test]
fn xml_has_limits() {
    let nested = |depth: usize, leaf: &str| format!("{}{leaf}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(xml(nested(64, "1")).is_ok());
    let deeper = "nested deeper than 64";
    assert_eq!(xml(nested(65, "1")).unwrap_err(), format!("{deeper} at line 1 column 193"));
    assert_eq!(xml(nested(63, "<a x=''/>")).unwrap_err(), deeper, "its attribute stands in one more object");
    assert!(xml(nested(40, "<a/>")).is_ok());
    let wide = (0..40).fold("1".to_owned(), |inner, _| format!("<a/><a>{inner}</a>"));
    assert_eq!(xml(format!("<r>{wide}</r>")).unwrap_err(), deeper, "lists count too");
    assert!(xml(nested(10_000, "")).is_err());

    let many = |count: usize| format!("<r>{}</r>", "<a/>".repeat(count));
    assert!(xml(many(9_999)).is_ok());
    assert_eq!(xml(many(10_000)).unwrap_err(), "more than 10000 elements and attributes at line 1 column 40000");
    let attributes = (0..20_000).map(|index| format!(" a{index}=''")).collect::<String>();
    assert_eq!(xml(format!("<r{attributes}/>")).unwrap_err(), "more than 10000 elements and attributes at line 1 column 1");
    let large = format!("<a>{}</a>", "b".repeat(256 * 1024));
    assert!(matches!(read_by(&receiving("format = \"xml\""), "", None, large.as_bytes()), Err(Refusal::TooLarge { .. })));
}

proptest! {
    #[test]
    fn what_is_read_from_xml_is_strict_json(text in "[<>/a-c&;! '\"=#x?\\[\\]-]{0,60}", inner in "(<a>|</a>|<b x='1'>|</b>|<c/>|&lt;| |t){0,30}") {
        for text in [text, format!("<r>{inner}</r>")] {
            if let Ok(reading) = read_by(&receiving("format = \"xml\""), "", None, text.as_bytes()) {
                let again = read_by(&receiving("format = \"json\""), "", None, reading.data.text().unwrap()).unwrap();
                prop_assert_eq!(again.data, reading.data);
            }
        }
    }

    #[test]
    fn a_text_comes_out_as_it_went_in(text in "[ -~\u{a0}-\u{17f}\n\t]{1,40}") {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;");
        prop_assert_eq!(xml(format!("<a>{escaped}</a>")), Ok(json!({"a": text})));
        prop_assert_eq!(xml(format!("<a b=\"{escaped}\"/>")), Ok(json!({"a": {"@b": text}})));
    }
}

/// The file of a sample, read as a sender would send it.
fn read_sample(source: &Source, kind: &str) -> Reading {
    let sample = source.sample(kind).unwrap_or_else(|| panic!("{kind} has a sample"));
    let folder = root().join(&source.file);
    let body = std::fs::read(folder.parent().unwrap().join(&sample.file)).unwrap();
    let headers: Headers<'_> = sample.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    match source.read(&Delivery { path: &sample.path, url: "", headers: &headers, body: &body }).unwrap() {
        Read::Event(reading) => reading,
        Read::Ignored { why } => panic!("{kind}: {why}"),
    }
}

#[test]
fn every_event_that_ships_has_a_sample_that_is_one() {
    for set in [loaded(&shipped()), plotado()] {
        for source in set.sources() {
            for event in &source.events {
                assert!(event.sample.is_some(), "{}", event.kind);
                assert_eq!(read_sample(source, &event.kind).kind, event.kind);
            }
        }
    }
    let set = plotado();
    let sample = set.source("plotado").unwrap().sample("lead.updated").unwrap();
    assert_eq!((sample.file.as_str(), sample.path.as_str()), ("../../examples/events/plotado/lead.xml", "lead/changed"));
    assert_eq!(sample.headers, [("content-type".to_owned(), "application/xml".to_owned())]);
    assert_eq!(set.source("plotado").unwrap().sample("lead.forgotten"), None);
}

#[test]
fn a_sample_has_the_headers_that_its_event_is_known_by() {
    let text = r#"
id = "other"
receive.verify = { kind = "token", header = "x-token" }
[[events]]
match = { path = "/a/", header = { name = "X-Event", equals = "a" } }
type = "thing.created"
[[events]]
match = { header = { name = "X-Event", equals = "b" } }
type = "thing.created"
sample = "b.JSON"
[[events]]
match = { header = { name = "Content-Type", equals = "application/vnd.c+json" } }
type = "thing.changed"
sample = "c.json"
[[events]]
type = "thing.deleted"
sample = "d"
"#;
    let set =
        loaded(&Files { sources: vec![FileText { name: "other.toml".to_owned(), text: text.to_owned() }], rules: vec![], samples: vec![] });
    let sample = |kind: &str| {
        let sample = set.source("other").unwrap().sample(kind).unwrap();
        assert_eq!(sample.path, "");
        let headers = sample.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
        (sample.file, headers.join(", "))
    };
    let json = "X-Event: b, content-type: application/json";
    assert_eq!(sample("thing.created"), ("b.JSON".to_owned(), json.to_owned()), "the first of the type that has one");
    assert_eq!(sample("thing.changed"), ("c.json".to_owned(), "Content-Type: application/vnd.c+json".to_owned()));
    assert_eq!(sample("thing.deleted"), ("d".to_owned(), String::new()));
}

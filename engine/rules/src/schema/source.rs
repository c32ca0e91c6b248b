//! Source files.

use serde_json::{Value, json};

use super::table::{Keys, named, not_both};
use super::values::{
    any_of, anything, boolean, by_default, first_by_default, fitting, list, name, one_or_some, path, refers, some, string, text, types,
    with, word, zone,
};
use super::verify;
use super::{condition, patterns};
use crate::source::{CLASSES, Class, FORMATS, MAX_BODY_MAX, ON_VIOLATION};

/// The keys of a source file.
pub(super) fn keys() -> Keys {
    Keys::new()
        .need("id", "Names the source; a connection of this name is made by default.", name())
        .may("title", "What the source is called on the pages.", text())
        .may("timezone", "Of times without an offset.", by_default(zone(), "UTC"))
        .may("clinic_timezone", "Of a clinic whose record names none.", zone())
        .need("receive", "How deliveries look, and how they prove where they come from.", receive())
        .need("events", "Which deliveries are which events; the first that matches.", some(&event()))
        .may("records", "What to remember.", list(&record()))
        .may("words", "What people call the values at paths: sentences about rules are made of them.", words())
        .may("consents", "Which events give and take people's consent.", list(&consent()))
        .may("classes", "How delicate which fields are (LGPD art. 5). What nobody named is sensitive.", classes_of_all())
}

/// What the keys name.
pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    let mut definitions = vec![("scheme", verify::scheme()), ("composed", composed()), ("holds", holds())];
    definitions.extend(condition::definitions());
    definitions
}

fn receive() -> Value {
    let any = Keys::new().need("any", "Several ways; a delivery must satisfy one of them.", some(&refers("scheme"))).schema();
    let formats = with(one_or_some(&word(&FORMATS)), json!({ "default": FORMATS[0].0 }));
    let size = any_of([json!({ "type": "integer", "minimum": 1, "maximum": MAX_BODY_MAX }), fitting(patterns::SIZE)]);
    Keys::new()
        .may("format", "What bodies may be.", formats)
        .may("xml_root", "The root element of XML bodies; `$` is then what stands inside it.", fitting(patterns::ELEMENT))
        .may("max_body", "The longest body that is read: `\"64KiB\"`, at most 16 MiB.", by_default(size, "256KiB"))
        .may("verify", "How a delivery proves where it comes from, or `{ any = [ … ] }`.", any_of([any, refers("scheme")]))
        .may("insecure", "In place of `verify`: anyone can send events. Said aloud at every start.", boolean())
        .may(
            "handshakes",
            "Requests by which a provider asks whether we are here, answered before anything is stored.",
            list(&verify::handshake()),
        )
        .may("ack", "What a delivery that is taken is answered, exactly. Absent: 202 and what became of it.", verify::ack())
        .may(
            "payload",
            "What payloads are made of in place of the body: texts over `{header:name}` and `{query:name}`.",
            refers("composed"),
        )
        .may(
            "split",
            "Paths of elements that are an event each: names and `[*]`, which comes last.",
            one_or_some(&fitting(patterns::SPLIT)),
        )
        .may("on_violation", "What becomes of an event that its `schema` does not fit.", first_by_default(&ON_VIOLATION))
        .holds(not_both("payload", "split"))
        .holds(json!({
            "if": { "required": ["xml_root"] },
            "then": {
                "properties": { "format": { "anyOf": [{ "const": "xml" }, { "type": "array", "contains": { "const": "xml" } }] } },
                "required": ["format"],
            },
        }))
        .holds(json!({
            "anyOf": [
                { "required": ["verify"], "properties": { "insecure": { "const": false } } },
                { "required": ["insecure"], "properties": { "insecure": { "const": true }, "verify": false } },
            ],
        }))
        .schema()
}

/// A payload that is made of headers and parameters.
fn composed() -> Value {
    named(&json!({}), &any_of([fitting(patterns::AROUND), refers("composed")]))
}

/// What must hold of a payload.
fn holds() -> Value {
    Keys::new()
        .need("path", "A path over the payload.", path())
        .may("equals", "The value of one of its nodes.", anything())
        .may("exists", "Whether one of its nodes is there and not null.", boolean())
        .holds(json!({ "anyOf": [{ "required": ["equals"] }, { "required": ["exists"] }] }))
        .holds(not_both("equals", "exists"))
        .schema()
}

/// A path, or a text over headers and parameters.
fn given() -> Value {
    any_of([path(), fitting(patterns::AROUND)])
}

fn event() -> Value {
    let entity = Keys::new().need("type", "What kind of thing it is.", string()).need("id", "Path of its id.", path()).schema();
    let subject = Keys::new()
        .need("id", "Path of the person's id.", path())
        .may("cpf", "Path of their CPF.", path())
        .may("phone", "Path of their phone numbers.", path())
        .may("email", "Path of their e-mail addresses.", path())
        .may("of", "Singular paths of what is theirs alone, of anyone but the first: it is sealed under their own key.", list(&path()))
        .schema();
    Keys::new()
        .may("match", "What a delivery must look like; all that is given must hold. Absent: it takes anything.", matching())
        .need("type", "The event's type: words with dots, such as `appointment.created`.", fitting(patterns::GIVEN_TYPE))
        .may("title", "How a sentence says it: `um agendamento é criado`, `an appointment is created`.", text())
        .may(
            "time",
            "When it happened: a path, or a text over `{header:name}` and `{query:name}`. Absent or unreadable: when it arrived.",
            given(),
        )
        .may("entity", "What it is about.", entity)
        .may("subjects", "The people it is about, the main one first.", list(&subject))
        .may("clinic", "A path, or a text that does not begin with `$`. Absent: the connection's.", string())
        .may(
            "id",
            "What identifies the delivery: paths and texts over `{header:name}` and `{query:name}`. Absent: its content does.",
            one_or_some(&given()),
        )
        .may("schema", "A file with the JSON Schema of the payload, named from this file's folder.", string())
        .may("changes", "Where an edit tells what it changed; `changed` reads it.", changes())
        .may("class", "The most delicate class of anything in them, for `[retention]`. Absent: sensitive.", first_by_default(&CLASSES))
        .may("classes", "How delicate which fields of these events are, before the source's own `[classes]`.", classes().schema())
        .may("sample", "A file with an example body, named from this file's folder; `zelo send` posts it.", string())
        .schema()
}

/// By path: a text, or one with words for values.
fn words() -> Value {
    let whole = Keys::new()
        .need("title", "What people call it.", text())
        .may("values", "What people call a value that stands there.", named(&json!({}), &text()))
        .schema();
    named(&path(), &any_of([text(), whole]))
}

fn matching() -> Value {
    let header = Keys::new().need("name", "The header.", string()).need("equals", "What it must be.", string()).schema();
    let query = Keys::new().need("name", "The parameter.", string()).need("equals", "What it must be.", string()).schema();
    Keys::new()
        .may("path", "What follows `/hooks/{connection}/`.", string())
        .may("header", "A header and its value.", header)
        .may("query", "A parameter of the URL and its value.", query)
        .may("body", "What must hold of the payload; of a list, all.", any_of([refers("holds"), list(&refers("holds"))]))
        .schema()
}

fn changes() -> Value {
    Keys::new()
        .need("of", "Path of the thing as it is now.", path())
        .need("old", "Path of what stood in it before; what the edit did not touch may be left out.", path())
        .need("new", "Path of what stands in it now; what the edit did not touch may be left out.", path())
        .schema()
}

fn record() -> Value {
    Keys::new()
        .need("type", "The record's type; rules look it up by this name.", string())
        .need("on", "Event types that speak about it.", types())
        .need("key", "Path of its id.", path())
        .need("keep", "The fields to keep: a singular path keeps the value, any other a list.", named(&json!({}), &path()))
        .may("title", "How a sentence calls such a record: `o cadastro do paciente`.", text())
        .may("words", "What people call its fields, by their paths in the record.", words())
        .may("subject", "Path of the person it is about. Absent: its own id, where that is one of the event's subjects.", path())
        .may("clinic", "A path or a text. Absent: the event's clinic.", string())
        .schema()
}

fn classes() -> Keys {
    Class::ALL.into_iter().fold(Keys::new(), |keys, class| {
        let about = match class {
            Class::Public => "Singular paths of what says nothing about a person, each for all that lies below it.",
            Class::Personal => "Singular paths of personal data, each for all that lies below it.",
            Class::Sensitive => "Singular paths of sensitive data; what nobody named is sensitive too.",
        };
        keys.may(class.as_str(), about, list(&path()))
    })
}

fn classes_of_all() -> Value {
    let health = "Whether what is personal says something about a person's health, as all does that a health service knows: it then needs a basis of LGPD article 11.";
    classes().may("health", health, by_default(boolean(), false)).schema()
}

fn consent() -> Value {
    let keys = Keys::new()
        .need("topic", "What the consent is for; actions name it with `consent`.", name())
        .need("on", "The types of events that are asked.", types())
        .may("withdrawn", "Where this holds, the people of the event take their consent back.", refers("condition"))
        .may("given", "Where this holds, and `withdrawn` does not, they give it.", refers("condition"));
    keys.holds(json!({ "anyOf": [{ "required": ["withdrawn"] }, { "required": ["given"] }] })).schema()
}

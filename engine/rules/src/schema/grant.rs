//! `[then.grant]`: what an action may do.

use serde_json::{Value, json};
use zelo_core::grants::Capability;

use super::patterns;
use super::table::{Keys, named};
use super::values::{any_of, boolean, fitting, list, name, one_or_list, one_or_some, string, with};

pub(super) fn grant() -> Value {
    let keys = Capability::ALL.into_iter().fold(Keys::new(), |keys, capability| match of(capability) {
        Some((about, value)) => keys.may(capability.as_str(), about, value),
        None => keys,
    });
    keys.schema()
}

/// What grants a capability; none where nobody need grant it.
fn of(capability: Capability) -> Option<(&'static str, Value)> {
    match capability {
        Capability::Log => None,
        Capability::Http => Some(("Make these requests, and no others.", http())),
        Capability::Messages => Some(("Send to these recipients, through the first of the channels that is configured.", messages())),
        Capability::Documents => Some(("Make documents.", boolean())),
        Capability::Records => Some(("Write these fields of these records, and read them.", records())),
        Capability::State => Some(("Keep values of its own, and count.", boolean())),
        Capability::Events => Some(("Emit events of these types; not of a type that a source gives.", one_or_some(&emitted()))),
    }
}

fn http() -> Value {
    let pattern = || with(fitting(patterns::REQUEST), json!({ "examples": ["POST https://api.example.com/v1/*"] }));
    let more = Keys::new()
        .need("request", "A method and a URL with one host; a `*` in the path is any segment, at its end any rest.", pattern())
        .may("idempotency_key", "The header by which the destination tells a repeated request from a new one.", fitting(patterns::HEADER))
        .may("secrets", "The secrets of `zelo.toml` that its headers may carry.", one_or_list(&name()))
        .schema();
    let one = any_of([pattern(), more]);
    any_of([one.clone(), super::values::some(&one)])
}

fn emitted() -> Value {
    with(fitting(patterns::EMITTED_TYPE), json!({ "maxLength": 128, "examples": ["receipt.issued"] }))
}

fn messages() -> Value {
    Keys::new()
        .need("channels", "Channels of `zelo.toml`, in order of preference.", one_or_list(&string()))
        .need("to", "Exactly these recipients: templates over the fields.", list(&string()))
        .may("budget", "So many messages to one contact, where that is less than `[budget]` allows.", budget())
        .schema()
}

fn budget() -> Value {
    Keys::new()
        .need("limit", "So many messages.", json!({ "type": "integer", "minimum": 1, "maximum": 1000 }))
        .need("per", "Within any span of this length: `24h`.", fitting(patterns::DURATION))
        .schema()
}

fn records() -> Value {
    let fields = || one_or_some(&string());
    let some_of_them = Keys::new()
        .need("fields", "The fields that it may write.", fields())
        .may("ids", "Exactly these records: templates over the fields. Absent: any of the type.", list(&string()))
        .schema();
    with(named(&name(), &any_of([fields(), some_of_them])), json!({ "minProperties": 1 }))
}

//! What a person must have agreed to, or may put a stop to.

use super::basis;
use crate::diagnostic::error;
use crate::reader::{At, Table};
use crate::source::check_name;

/// The consent that an action heeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// What it is for: people give and withdraw it under this name.
    pub topic: String,
    /// Its legal basis is this consent: it must have been given before the action runs. Where it is not needed, the action
    /// runs unless the person has withdrawn it.
    pub needed: bool,
}

/// Reads `consent`; also where it stands. `given` is the basis as it was written.
pub(super) fn read(table: &Table<'_>, given: Option<&At<&str>>) -> Option<At<Consent>> {
    let topic = table.string("consent");
    let needed = given.filter(|given| basis::is_consent(given.value));
    let Some(topic) = topic else {
        if let Some(basis) = needed.filter(|_| table.get("consent").is_none()) {
            let finding = error("missing-consent", basis.span.clone(), "this basis is consent, and nothing says to what");
            table.report().push(finding.help("give the action `consent = \"…\"`, the topic under which people agree"));
        }
        return None;
    };
    check_name(table.report(), &topic);
    Some(At { value: Consent { topic: topic.value.to_owned(), needed: needed.is_some() }, span: topic.span })
}

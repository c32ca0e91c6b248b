//! Reads how `[receive]` makes events of a delivery: `payload`, `split`, `on_violation`.

use super::OnViolation;
use super::around::{Around, Composed, Member};
use super::file::choice;
use super::split::Split;
use crate::diagnostic::error;
use crate::reader::{Item, Table};

/// What `on_violation` may say; the first where it is absent.
pub(crate) const ON_VIOLATION: [(&str, OnViolation); 2] = [("quarantine", OnViolation::Quarantine), ("refuse", OnViolation::Refuse)];

/// How events are made of a delivery.
#[derive(Default)]
pub(super) struct Made {
    pub(super) payload: Option<Composed>,
    pub(super) split: Split,
    pub(super) on_violation: OnViolation,
}

/// Reads it from `[receive]`.
pub(super) fn made(table: &Table<'_>) -> Made {
    let payload = table.get("payload").and_then(|item| item.table("payload")).map(|table| composed(&table));
    let split = table.get("split").map(|item| split(item, payload.is_some())).unwrap_or_default();
    let on_violation = choice(table, "on_violation", &ON_VIOLATION).unwrap_or_default();
    Made { payload, split, on_violation }
}

fn composed(table: &Table<'_>) -> Composed {
    let members = table.entries().into_iter().filter_map(|(name, item)| {
        let member = if item.is_table() { Member::Object(composed(&item.table("payload")?)) } else { Member::Text(around(item)?) };
        Some((name.value.to_owned(), member))
    });
    Composed(members.collect())
}

/// A text over headers and parameters of the URL.
pub(super) fn around(item: Item<'_>) -> Option<Around> {
    let text = item.string()?;
    Around::parse(text.value).map_err(|why| item.report().push(error("bad-around", text.span, why))).ok()
}

fn split(item: Item<'_>, composed: bool) -> Split {
    let mut split = Split::default();
    if composed {
        let finding =
            error("contradiction", item.span(), "`payload` is made of headers and parameters, in which there is nothing to split");
        item.report().push(finding);
        return split;
    }
    let items = if item.is_array() { item.array().unwrap_or_default() } else { vec![item] };
    if items.is_empty() {
        item.report().push(error("empty-list", item.span(), "`split` needs at least one path"));
    }
    for item in items {
        if let Some(Err(why)) = item.path().map(|path| split.add(&path)) {
            let finding = error("bad-split", item.span(), why);
            item.report().push(finding.help("name the elements that are events, such as `$.entry[*].changes[*]`"));
        }
    }
    split
}

//! What an action may do: `[then.grant]`.
//!
//! A grant is held against what the plugin imports, and against the sources: no action may write what a provider says, nor
//! emit what only a provider can know.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use zelo_core::Budget;
use zelo_core::budget::BudgetError;
use zelo_core::grants::Capability;
use zelo_core::http::{HttpGrant, IDEMPOTENCY_KEY, Pattern, is_reserved};

use super::Plugin;
use super::file::Draft;
use super::names::{Names, Reach};
use super::timing::fixed_duration;
use crate::diagnostic::{Report, closest, error, warning};
use crate::reader::{At, Item, Table, parse};
use crate::source::check_name;
use crate::template::Template;

/// The doings that a rule grants to an action. Nothing is granted by default.
#[derive(Clone, Debug, Default)]
pub struct Granted {
    /// The requests that it may make: no field and no setting can stand in them.
    pub http: Vec<HttpGrant>,
    pub messages: Option<MessageGrant>,
    /// May make documents.
    pub documents: bool,
    pub records: Vec<RecordGrant>,
    /// May keep values of its own between runs.
    pub state: bool,
    /// The types of the events that it may emit.
    pub events: BTreeSet<String>,
}

/// The messages that an action may send.
#[derive(Clone, Debug)]
pub struct MessageGrant {
    pub channels: Vec<String>,
    /// Exactly these recipients.
    pub to: Vec<Template>,
    /// So many to one contact, where the rule asks for less than its connection allows.
    pub budget: Option<Budget>,
}

/// The records of one type that an action may write.
#[derive(Clone, Debug)]
pub struct RecordGrant {
    pub record: String,
    pub fields: BTreeSet<String>,
    /// Exactly these; none: any of the connection.
    pub ids: Option<Vec<Template>>,
}

/// What rules say that their actions bring about, whatever else is right or wrong with them: other rules may be about it.
#[derive(Debug, Default)]
pub(crate) struct Promised {
    pub(crate) events: BTreeSet<String>,
    /// Types of records.
    pub(crate) records: BTreeSet<String>,
    /// Some rule file is not TOML, so that what is unknown may well be in there.
    pub(crate) incomplete: bool,
}

impl Promised {
    /// Adds what the rule of `report` grants. What is wrong with it is said when it is read.
    pub(crate) fn collect(&mut self, report: &Report<'_>) {
        let Some(document) = parse(report) else {
            self.incomplete = true;
            return;
        };
        let root = Table::root(report, &document);
        for action in root.tables("then") {
            let Some(grant) = action.get("grant").filter(Item::is_table).and_then(|item| item.table("grant")) else { continue };
            let events = grant.get("events").and_then(Item::strings).unwrap_or_default();
            self.events.extend(events.iter().filter(|kind| is_type(kind.value)).map(|kind| kind.value.to_owned()));
            let records = grant.get("records").filter(Item::is_table).and_then(|item| item.table("records"));
            self.records.extend(records.iter().flat_map(Table::entries).map(|(record, _)| record.value.to_owned()));
        }
    }
}

/// Whether `kind` can be the type of an event: `receipt.issued`.
pub(crate) fn is_type(kind: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|char: char| char.is_ascii_lowercase())
            && word.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '_' | '-'))
    };
    kind.contains('.') && kind.len() <= 128 && kind.split('.').all(is_word)
}

/// Reads `[then.grant]`, and holds it against what the plugin cannot do without. Also where the types of records stand.
pub(super) fn read(
    table: &Table<'_>,
    names: &Names,
    draft: &mut Draft<'_, '_>,
    plugin: Option<&(Plugin, Range<usize>)>,
) -> (Granted, BTreeMap<String, Range<usize>>) {
    let item = table.get("grant");
    let grant = item.and_then(|item| item.table("[then.grant]"));
    let is_read = grant.is_some() || item.is_none();
    let records = grant.as_ref().and_then(|grant| grant.get("records")?.table("records"));
    let records = records.iter().flat_map(Table::entries).map(|(record, _)| (record.value.to_owned(), record.span)).collect();
    let (granted, named) = grant.map(|grant| given(&grant, names, draft)).unwrap_or_default();
    if let Some((plugin, place)) = plugin.filter(|_| is_read) {
        check(table.report(), &named, plugin, place);
    }
    (granted, records)
}

/// The capabilities that a rule names, readable or not, and where; nothing where only a misspelt word may mean it.
type Named = BTreeMap<Capability, Option<Range<usize>>>;

/// What is granted, and what is named.
fn given(table: &Table<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> (Granted, Named) {
    let words: Vec<&str> = Capability::ALL.into_iter().map(Capability::as_str).collect();
    let mut named = Named::new();
    for (key, _) in table.entries() {
        let is_word = words.contains(&key.value);
        let meant = if is_word { Some(key.value) } else { closest(key.value, &words) };
        let meant = Capability::ALL.into_iter().find(|capability| Some(capability.as_str()) == meant && *capability != Capability::Log);
        if let Some(capability) = meant {
            let place = named.entry(capability).or_default();
            *place = place.take().or(is_word.then_some(key.span));
        }
    }
    let mut flag = |capability: Capability| {
        let yes = table.get(capability.as_str()).and_then(Item::boolean);
        if yes == Some(false) {
            named.remove(&capability);
        }
        yes.unwrap_or(false)
    };
    let granted = Granted {
        http: table.get("http").map(http).unwrap_or_default(),
        documents: flag(Capability::Documents),
        state: flag(Capability::State),
        messages: table.get("messages").and_then(|item| messages(&item.table("messages")?, names, draft)),
        records: table.get("records").and_then(|item| item.table("records")).map(|table| records(&table, names, draft)).unwrap_or_default(),
        events: table.get("events").map(|item| events(item, draft)).unwrap_or_default(),
    };
    table.finish();
    (granted, named)
}

/// Reports what the plugin needs and is not granted, and what is granted for nothing.
fn check(report: &Report<'_>, named: &Named, plugin: &Plugin, place: &Range<usize>) {
    for capability in Capability::ALL.into_iter().filter(|capability| *capability != Capability::Log) {
        let word = capability.as_str();
        match (plugin.imports.contains(&capability), named.get(&capability)) {
            (true, None) => {
                let text = format!("plugin `{}` imports `{word}`, which [then.grant] does not grant", plugin.name);
                report
                    .push(error("not-granted", place.clone(), text).help(format!("grant `{word}`, or use a plugin that does without it")));
            }
            (false, Some(Some(grant))) => {
                let text = format!("plugin `{}` does not use the grant `{word}`", plugin.name);
                report.push(
                    warning("unused-grant", grant.clone(), text)
                        .help("take it away: an action is capable of nothing that it does not need"),
                );
            }
            _ => {}
        }
    }
}

/// `["GET https://api.example.com/v1/*", { request = "POST https://…", idempotency_key = "Idempotency-Key", secrets = ["crm"] }]`
fn http(item: Item<'_>) -> Vec<HttpGrant> {
    let items = if item.is_array() { item.array().unwrap_or_default() } else { vec![item] };
    if items.is_empty() {
        item.report().push(error("empty-list", item.span(), "`http` names no request"));
    }
    items.into_iter().filter_map(request).collect()
}

fn request(item: Item<'_>) -> Option<HttpGrant> {
    if !item.is_table() {
        return Some(HttpGrant { request: pattern(item)?, idempotency_key: None, secrets: BTreeSet::new() });
    }
    let table = item.table("http")?;
    let request = table.need("request").and_then(pattern);
    let key = table.get("idempotency_key").and_then(header);
    let secrets = table.get("secrets").and_then(Item::strings).unwrap_or_default();
    secrets.iter().for_each(|secret| check_name(table.report(), secret));
    table.finish();
    let secrets = secrets.into_iter().map(|secret| secret.value.to_owned()).collect();
    Some(HttpGrant { request: request?, idempotency_key: key, secrets })
}

/// A method and a URL, with one host.
pub(crate) fn pattern(item: Item<'_>) -> Option<Pattern> {
    let text = item.string()?.value;
    let explain = |bad| {
        let finding = error("bad-request", item.span(), format!("this grants no request: {bad}"));
        item.report().push(finding.help("write a method and one host, as in `POST https://api.example.com/v1/*`"));
    };
    text.parse().map_err(explain).ok()
}

/// The name of a header: a token ([RFC 9110, 5.1](https://www.rfc-editor.org/rfc/rfc9110#section-5.1)).
fn header(item: Item<'_>) -> Option<String> {
    let name = item.string()?.value;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        let finding = error("bad-name", item.span(), format!("`{name}` is not the name of a header"));
        item.report().push(finding.help("most destinations call it `Idempotency-Key`"));
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let means_else = matches!(lower.as_str(), "accept" | "authorization" | "content-type" | "cookie") || is_reserved(&lower);
    if means_else && lower != IDEMPOTENCY_KEY {
        let finding = error("bad-name", item.span(), format!("the header `{name}` means something else, so it cannot carry the key"));
        item.report().push(finding.help("name the header by which the destination tells a repeated request from a new one"));
        return None;
    }
    Some(lower)
}

fn messages(table: &Table<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> Option<MessageGrant> {
    let channels = table.need("channels").and_then(Item::strings);
    let to = table.need("to").and_then(Item::array);
    let budget = table.get("budget").and_then(|item| budget(&item.table("budget")?));
    table.finish();
    Some(MessageGrant {
        budget,
        to: templates(to?, names, draft),
        channels: channels?.into_iter().map(|channel| channel.value.to_owned()).collect(),
    })
}

/// `{ limit = 2, per = "1d" }`. What is wrong is said where it stands.
fn budget(table: &Table<'_>) -> Option<Budget> {
    let limit = table.need("limit").and_then(|item| Some(item.at(item.integer()?)));
    let per = table.need("per").and_then(|item| fixed_duration(item));
    table.finish();
    let (limit, per) = (limit?, per?);
    let explain = |bad: BudgetError| {
        let span = if bad == BudgetError::Messages { limit.span.clone() } else { per.span.clone() };
        table.report().push(error("bad-budget", span, bad.to_string()));
    };
    Budget::new(limit.value, per.value).map_err(explain).ok()
}

fn templates(items: Vec<Item<'_>>, names: &Names, draft: &mut Draft<'_, '_>) -> Vec<Template> {
    items.into_iter().filter_map(|item| names.template(item, draft.templates, Reach::Fields)).collect()
}

/// `{ contact = ["stage"] }`, or `{ contact = { fields = ["stage"], ids = ["{{ id }}"] } }`.
fn records(table: &Table<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> Vec<RecordGrant> {
    let entries = table.entries();
    if entries.is_empty() {
        table.report().push(error("empty-list", table.span.clone(), "`records` names no type of records"));
    }
    let grants = entries.into_iter().filter_map(|(record, item)| {
        check_name(table.report(), &record);
        check_fed(table.report(), &record, draft);
        record_grant(record.value, item, names, draft)
    });
    grants.collect()
}

fn record_grant(record: &str, item: Item<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> Option<RecordGrant> {
    let (fields, ids) = if item.is_table() {
        let table = item.table("records")?;
        let fields = table.need("fields");
        let ids = table.get("ids").and_then(Item::array);
        table.finish();
        (fields?, ids)
    } else {
        (item, None)
    };
    let named = fields.strings()?;
    if named.is_empty() {
        item.report().push(error("empty-list", fields.span(), "this names no field, so nothing could be written"));
    }
    let ids = ids.map(|ids| templates(ids, names, draft));
    Some(RecordGrant { record: record.to_owned(), fields: named.into_iter().map(|field| field.value.to_owned()).collect(), ids })
}

/// What a provider says of a thing is not for an action to change.
fn check_fed(report: &Report<'_>, record: &At<&str>, draft: &Draft<'_, '_>) {
    let fed: BTreeMap<&str, &str> =
        draft.all_sources().flat_map(|source| source.record_types().map(|kind| (kind, source.id.as_str()))).collect();
    if let Some(source) = fed.get(record.value) {
        let text = format!("source `{source}` feeds records of type `{}`, so no action may write them", record.value);
        report.push(error("fed-record", record.span.clone(), text).help("let the action write records of a type of its own"));
    }
}

/// The types of events; one that looks like a provider's must be the provider's.
fn events(item: Item<'_>, draft: &Draft<'_, '_>) -> BTreeSet<String> {
    let report = item.report();
    let types = item.strings().unwrap_or_default();
    if types.is_empty() && item.is_array() {
        report.push(error("empty-list", item.span(), "`events` names no type of events"));
    }
    for kind in &types {
        if !is_type(kind.value) {
            let finding = error("bad-name", kind.span.clone(), format!("`{}` is not the type of an event", kind.value));
            report.push(finding.help("types are small words with dots between them, such as `receipt.issued`"));
        } else if let Some(source) = draft.all_sources().find(|source| source.types().any(|given| given == kind.value)) {
            let text = format!("source `{}` gives events of type `{}`, so no action may emit them", source.id, kind.value);
            report.push(error("given-event", kind.span.clone(), text).help("let the action emit a type of its own"));
        }
    }
    types.into_iter().map(|kind| kind.value.to_owned()).collect()
}

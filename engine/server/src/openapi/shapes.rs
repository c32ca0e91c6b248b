//! The JSON of what other crates tell, as the OpenAPI document says it.
//!
//! Those crates know nothing of HTTP, so nothing here is made from them by itself: every test of this crate holds the answers that it gets
//! against the document, which is how the two stay one.

#![expect(dead_code, reason = "they are shapes: nothing is made of them")]

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use utoipa::openapi::schema::{Array, Object, ObjectBuilder, OneOf, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};
use zelo_core::Timestamp;

/// A text that is one of some words, or has a pattern.
macro_rules! text {
    ($($(#[doc = $doc:literal])+ $name:ident: $made:expr;)+) => {$(
        $(#[doc = $doc])+
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let made: ObjectBuilder = $made;
                made.description(Some(concat!($($doc),+).trim())).into()
            }
        }

        impl ToSchema for $name {}
    )+

        /// All of them: what stands in an address is not collected by itself.
        pub(crate) fn texts() -> Vec<(String, RefOr<Schema>)> {
            vec![$(($name::name().into_owned(), $name::schema())),+]
        }
    };
}

fn pattern(pattern: &str) -> ObjectBuilder {
    Object::builder().schema_type(SchemaType::new(Type::String)).pattern(Some(pattern))
}

fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> ObjectBuilder {
    Object::builder().schema_type(SchemaType::new(Type::String)).enum_values(Some(words))
}

text! {
    /// The id of an event.
    EventId: pattern("^evt_[0-9a-f]{32}$");
    /// The id of a job.
    JobId: pattern("^job_[0-9a-f]{32}$");
    /// The random name that a person has in the audit log.
    Pseudonym: pattern("^sub_[0-9a-f]{32}$");
    /// What the log lines and spans of one delivery are found by (W3C Trace Context).
    TraceId: pattern("^[0-9a-f]{32}$");
    /// The rule, the connection and the clinic of an automation: `rule@connection` or `rule@connection/clinic`.
    AutomationId: pattern("^[^@]+@.+$");
    /// What can be halted: `all`, `rule:NAME` or `plugin:NAME`.
    HaltScope: pattern("^(all|rule:[^/]+|plugin:[^/]+)$");
    /// Where a job stands.
    JobState: words(zelo_core::JobState::ALL.map(zelo_core::JobState::as_str));
    /// What became of a delivery.
    Status: words(["accepted", "duplicate", "stale", "quarantined", "ignored"]);
    /// What an entry of the audit log tells.
    AuditKind: words(zelo_core::AuditKind::ALL.map(zelo_core::AuditKind::as_str));
    /// What a person says about an ended job.
    Verdict: words(zelo_core::revive::Verdict::ALL.map(zelo_core::revive::Verdict::as_str));
    /// What a person decided about a job.
    Decided: words(zelo_store::Decided::ALL.map(zelo_store::Decided::as_str));
    /// How delicate a value is (LGPD art. 5).
    Class: words(zelo_rules::Class::ALL.map(zelo_rules::Class::as_str));
    /// What everybody knows a person by.
    IdentityKind: words(zelo_core::IdentityKind::ALL.map(zelo_core::IdentityKind::as_str));
    /// What becomes of one action for one event of a replay.
    Fate: words(["made", "collected", "cancelled", "skipped", "known", "counted", "outdated", "gone", "forgotten"]);
    /// What comes of a rule or an action.
    Outcome: words(["fires", "cancels", "silent"]);
    /// How bad a finding is.
    Severity: words(["error", "warning"]);
    /// A language of zelo.
    Locale: words(zelo_rules::LOCALES);
    /// The only word of what is asked for or not.
    True: words(["true"]);
    /// How a job ended that can be decided about.
    Ended: words(["dead", "unknown"]);
    /// As what something is handed out.
    Format: words(["json", "html"]);
    /// Where the next page begins: what an answer gave as `next`.
    Cursor: pattern("^[0-9]{1,18}$");
    /// A file as it is.
    Bytes: Object::builder().schema_type(SchemaType::new(Type::String)).format(Some(SchemaFormat::Custom("binary".into())));
}

/// One text, or one by language.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum Text {
    Same(String),
    Each(BTreeMap<String, String>),
}

/// What an event is about.
#[derive(ToSchema)]
pub(crate) struct Entity {
    #[schema(rename = "type")]
    kind: String,
    id: String,
}

/// Why an event exists that no provider sent.
#[derive(ToSchema)]
pub(crate) struct Cause {
    job: JobId,
    lineage: Vec<AutomationId>,
}

/// A step that a job needs.
#[derive(ToSchema)]
pub(crate) struct Need {
    step: String,
    job: JobId,
    done: bool,
}

/// Why a job stands where it stands: a code for programs and a sentence for people.
#[derive(ToSchema)]
pub(crate) struct Reason {
    code: String,
    text: String,
    #[schema(nullable = false)]
    since: Option<Timestamp>,
}

/// Why a job does not run, though its time has come.
#[derive(ToSchema)]
pub(crate) struct Waits {
    /// `halt`, `room` or `order`.
    #[schema(rename = "for")]
    what: String,
    scope: Option<String>,
    limit: Option<u32>,
    since: Option<Timestamp>,
    by: Option<String>,
    reason: Option<String>,
}

/// A line of a plugin's log.
#[derive(ToSchema)]
pub(crate) struct LogLine {
    level: String,
    text: String,
}

/// What a plugin was shown of somebody, for what, and on which legal basis: no value.
#[derive(ToSchema)]
pub(crate) struct Disclosure {
    plugin: String,
    fields: BTreeMap<String, String>,
    purpose: Option<String>,
    basis: Option<String>,
}

/// A quick answer that a message offers.
#[derive(ToSchema)]
pub(crate) struct Button {
    id: String,
    title: String,
}

/// What an accepted delivery is answered.
#[derive(ToSchema)]
pub(crate) struct Receipt {
    /// Null for an ignored delivery, which is not stored.
    event_id: Option<EventId>,
    status: Status,
    /// How many rules matched.
    rules: u64,
    trace_id: TraceId,
    /// Of a quarantined delivery: where its payload is not in the form of its type.
    #[schema(nullable = false)]
    violation: Option<String>,
}

/// What an accepted delivery is answered: one, or one for each event that it was split into.
pub(crate) struct Receipts;

impl PartialSchema for Receipts {
    fn schema() -> RefOr<Schema> {
        let one = || Ref::from_schema_name(Receipt::name());
        OneOf::builder().item(one()).item(Array::new(one())).into()
    }
}

impl ToSchema for Receipts {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Receipt::schemas(schemas);
        schemas.push((Receipt::name().into_owned(), Receipt::schema()));
    }
}

/// What becomes of one job.
#[derive(ToSchema)]
pub(crate) struct Revival {
    job: JobId,
    rule: String,
    action: String,
    connection: String,
    clinic: Option<String>,
    was: JobState,
    state: JobState,
    run_at: Option<Timestamp>,
    with: Option<JobId>,
    refused: Option<Reason>,
}

/// One finding in one file.
#[derive(ToSchema)]
pub(crate) struct Diagnostic {
    code: String,
    severity: Severity,
    file: String,
    span: Span,
    line: u64,
    column: u64,
    end_line: u64,
    end_column: u64,
    message: String,
    #[schema(nullable = false)]
    help: Option<String>,
    #[schema(nullable = false)]
    suggestion: Option<String>,
    #[schema(nullable = false)]
    replace: Option<Span>,
}

/// Bytes of a file.
#[derive(ToSchema)]
pub(crate) struct Span {
    start: u64,
    end: u64,
}

/// A rule on one screen.
#[derive(ToSchema)]
pub(crate) struct Overview {
    id: String,
    title: Text,
    description: Option<Text>,
    file: String,
    digest: String,
    source: Option<String>,
    on: Vec<String>,
    sentence: BTreeMap<String, String>,
    actions: Vec<Shown>,
    settings: Vec<Map<String, Value>>,
    tests: Vec<String>,
}

/// What one action shows to its plugin, why, and what that may do.
#[derive(ToSchema)]
pub(crate) struct Shown {
    action: String,
    plugin: String,
    version: String,
    purpose: Option<Text>,
    basis: Option<String>,
    basis_words: Option<BTreeMap<String, String>>,
    consent: Option<ConsentTold>,
    class: Class,
    fields: Vec<FieldTold>,
    grants: Vec<GrantTold>,
}

/// The consent that an action asks for.
#[derive(ToSchema)]
pub(crate) struct ConsentTold {
    topic: String,
    needed: bool,
    words: BTreeMap<String, String>,
}

/// A field that an action sees.
#[derive(ToSchema)]
pub(crate) struct FieldTold {
    name: String,
    words: BTreeMap<String, String>,
    record: Option<String>,
    path: String,
    class: Class,
    class_from: Value,
    #[schema(rename = "as")]
    transform: Option<String>,
}

/// A grant in words.
#[derive(ToSchema)]
pub(crate) struct GrantTold {
    grant: String,
    words: BTreeMap<String, String>,
}

/// Why rules fire or do not, and what was made because of the event.
#[derive(ToSchema)]
pub(crate) struct Explained {
    event: EventTold,
    rules: Vec<RuleTold>,
    language: Locale,
    status: Option<Status>,
    jobs: Vec<JobMade>,
}

/// The event that was explained.
#[derive(ToSchema)]
pub(crate) struct EventTold {
    #[schema(nullable = false)]
    id: Option<EventId>,
    #[schema(rename = "type")]
    kind: String,
    source: String,
    connection: String,
    clinic: Option<String>,
    time: Timestamp,
}

/// One rule, for each automation of it on the event's connection.
#[derive(ToSchema)]
pub(crate) struct RuleTold {
    rule: String,
    title: String,
    automation: Option<AutomationId>,
    outcome: Outcome,
    why: Option<String>,
    when: Option<Map<String, Value>>,
    actions: Vec<ActionTold>,
}

/// One action of a rule that is about the event.
#[derive(ToSchema)]
pub(crate) struct ActionTold {
    action: String,
    plugin: String,
    about: bool,
    outcome: Outcome,
    why: Option<String>,
    when: Option<Map<String, Value>>,
    only_if: Option<Map<String, Value>>,
    job: Option<Map<String, Value>>,
}

/// A job that was made because of the event.
#[derive(ToSchema)]
pub(crate) struct JobMade {
    job: JobId,
    rule: String,
    action: String,
    state: JobState,
    due: Timestamp,
    reason: Option<String>,
    waits: Option<Waits>,
    decisions: Vec<DecisionMade>,
}

/// What a person decided about it.
#[derive(ToSchema)]
pub(crate) struct DecisionMade {
    at: Timestamp,
    actor: String,
    decision: Decided,
    was: JobState,
}

/// What a replay comes to.
#[derive(ToSchema)]
pub(crate) struct Replay {
    rule: String,
    from: Timestamp,
    to: Timestamp,
    connection: Option<String>,
    clinic: Option<String>,
    dry_run: bool,
    events: u64,
    unreadable: u64,
    matched: u64,
    counts: BTreeMap<String, u64>,
    items: Vec<Replayed>,
}

/// What becomes of one action for one event.
#[derive(ToSchema)]
pub(crate) struct Replayed {
    event: EventId,
    connection: String,
    clinic: Option<String>,
    action: String,
    fate: Fate,
    job: Option<JobId>,
    state: Option<JobState>,
    due: Option<Timestamp>,
    run_at: Option<Timestamp>,
    reason: Option<Reason>,
}

/// A person, as one connection knows them.
#[derive(ToSchema)]
pub(crate) struct Subject {
    pseudonym: Pseudonym,
    connection: String,
    clinic: Option<String>,
    since: Timestamp,
    erased: Option<Timestamp>,
    held: Option<Timestamp>,
    identities: Vec<IdentityKind>,
    linked: Vec<Linked>,
}

/// Somebody who shares an identity with another.
#[derive(ToSchema)]
pub(crate) struct Linked {
    pseudonym: Pseudonym,
    by: IdentityKind,
}

/// What became of a person's data.
#[derive(ToSchema)]
pub(crate) struct Erasure {
    pseudonym: Pseudonym,
    at: Timestamp,
    keys: u64,
    deleted: BTreeMap<String, u64>,
    cancelled: u64,
    kept: Vec<Kept>,
    head: Option<Head>,
}

/// What stays of somebody who was erased, and the law that says so.
#[derive(ToSchema)]
pub(crate) struct Kept {
    kind: String,
    rows: u64,
    duty: String,
}

/// The audit log up to some entry, signed.
#[derive(ToSchema)]
pub(crate) struct Head {
    seq: u64,
    hash: String,
    at: Timestamp,
    key: String,
    signature: String,
}

/// The last word on a consent.
#[derive(ToSchema)]
pub(crate) struct Consent {
    topic: String,
    given: bool,
    at: Timestamp,
    event: Option<EventId>,
}

/// Who saw what of somebody.
#[derive(ToSchema)]
pub(crate) struct WhoSaw {
    /// What plugins were shown.
    disclosures: Vec<Map<String, Value>>,
    /// What people saw of them, and did about them.
    views: Vec<Map<String, Value>>,
}

/// Why something was refused (RFC 9457).
#[derive(ToSchema)]
pub(crate) struct Problem {
    /// `urn:zelo:problem:` and a stable word.
    #[schema(rename = "type", pattern = "^urn:zelo:problem:[a-z-]+$")]
    kind: String,
    title: String,
    status: u16,
    /// What is wrong, and what to do about it.
    detail: String,
    /// Why a job stands as it did.
    #[schema(nullable = false)]
    code: Option<String>,
    /// Of a delivery: what its log lines are found by.
    #[schema(nullable = false)]
    trace_id: Option<TraceId>,
}

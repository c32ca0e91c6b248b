//! The world of a story: a provider with a few deliveries, the rules that they meet, and the plugins that ship.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use zelo_core::retry::RetryPolicy;
use zelo_core::{Budget, ManualClock, SeededEntropy};
use zelo_host::{Host, HostConfig, Limits};
use zelo_rules::{FileText, Files, RuleSet};
use zelo_runtime::rulebook::{self, Edition, everything_on};
use zelo_runtime::{Budgets, Catalog, ChannelKind, Channels, Connection, Installed, Outbound, Rulebook, Runtime, Secrets, Shared};
use zelo_store::Store;

use crate::scheduler::Dice;

pub(crate) const CONNECTION: &str = "clinic";

const SOURCE: &str = r#"
id = "clinic"
title = "A clinic"
timezone = "UTC"
clinic_timezone = "America/Sao_Paulo"

[receive]
format = "json"
verify = { kind = "token", header = "x-token" }

[[events]]
match = { path = "visit/booked" }
type = "visit.booked"
time = "$.at"
entity = { type = "visit", id = "$.visit" }
subjects = [{ id = "$.person" }]

[[events]]
match = { path = "visit/canceled" }
type = "visit.canceled"
time = "$.at"
entity = { type = "visit", id = "$.visit" }
subjects = [{ id = "$.person" }]

[[events]]
match = { path = "sale" }
type = "sale.closed"
time = "$.at"
entity = { type = "sale", id = "$.sale" }
subjects = [{ id = "$.person" }]

[[events]]
match = { path = "order" }
type = "order.placed"
time = "$.at"
subjects = [{ id = "$.person" }]

[[events]]
match = { path = "person" }
type = "person.seen"
time = "$.at"
subjects = [{ id = "$.person" }]
"#;

/// A word about a visit takes the place of the one before; the receipt of a sale is numbered and sent; what it emits fires
/// another rule; an order asks three machines; a contact is moved.
const RULES: [(&str, &str); 5] = [
    (
        "visits",
        r#"
on = "visit.booked"

[[then]]
name = "remind"
plugin = "message"
key = "$.visit"
at = { time = "$.starts", before = "1h" }
cancel_on = [{ type = "visit.canceled", key = "$.visit" }]
with = { to = "somebody", text = "remind {{ n }}" }
allow = { n = "$.n" }
grant = { messages = { channels = ["outbox"], to = ["somebody"] } }

[[then]]
name = "follow"
plugin = "message"
key = "$.visit"
after = "10m"
cancel_on = [{ type = "visit.canceled", key = "$.visit" }]
with = { to = "somebody", text = "follow {{ n }}" }
allow = { n = "$.n" }
grant = { messages = { channels = ["outbox"], to = ["somebody"] } }

[[then]]
name = "tell"
plugin = "request"
key = "$.visit"
after = "5m"
cancel_on = [{ type = "visit.canceled", key = "$.visit" }]
allow = { n = "$.n" }
with = { method = "POST", url = "https://crm.example/v1/notes", body = { n = "{{ n }}" } }
grant = { http = ["POST https://crm.example/v1/notes"] }
"#,
    ),
    (
        "sales",
        r#"
on = "sale.closed"

[[then]]
name = "issue"
plugin = "receipt"
key = "$.sale"
allow = { n = "$.n", services = "$.services", prices = "$.prices" }
with = { patient = "Somebody {{ n }}", clinic = "Clinic", services = "{{ services }}", prices = "{{ prices }}", date = "1 March" }
grant = { documents = true, state = true, events = ["receipt.issued"] }

[[then]]
name = "send"
plugin = "message"
needs = ["issue"]
key = "$.sale"
allow = { n = "$.n" }
with = { to = "somebody", text = "send {{ n }}", document = "{{ steps.issue.document }}" }
grant = { messages = { channels = ["outbox"], to = ["somebody"] } }
"#,
    ),
    (
        "issued",
        r#"
on = "receipt.issued"

[[then]]
name = "announce"
plugin = "message"
allow = { number = "$.number" }
with = { to = "team", text = "announce {{ number }}" }
grant = { messages = { channels = ["outbox"], to = ["team"] } }
"#,
    ),
    (
        "orders",
        r#"
on = "order.placed"

[[then]]
name = "charge"
plugin = "request"
allow = { n = "$.n" }
with = { method = "POST", url = "https://pay.example/v1/charges", body = { n = "{{ n }}" } }
grant = { http = [{ request = "POST https://pay.example/v1/charges", idempotency_key = "Idempotency-Key" }] }

[[then]]
name = "note"
plugin = "request"
expires = "1h"
allow = { n = "$.n" }
with = { method = "POST", url = "https://crm.example/v1/notes", body = { n = "{{ n }}" } }
grant = { http = ["POST https://crm.example/v1/notes"] }

[[then]]
name = "reserve"
plugin = "request"
needs = ["charge"]
allow = { n = "$.n" }
with = { method = "PUT", url = "https://stock.example/v1/orders/{{ n }}", body = { n = "{{ n }}" } }
grant = { http = ["PUT https://stock.example/v1/orders/*"] }
"#,
    ),
    (
        "people",
        r#"
on = "person.seen"

[[then]]
name = "move"
plugin = "crm"
allow = { n = "$.n", person = "$.person", stage = "$.stage" }
with = { contact = "{{ person }}", stage = "{{ stage }}", note = "note {{ n }}" }
grant = { records = { contact = { fields = ["name", "phone", "email", "stage", "last_contact", "notes"], ids = ["{{ person }}"] } } }
"#,
    ),
];

/// What does not change from story to story: the sandbox, the plugins, the rules.
pub(crate) struct Ground {
    host: Arc<Host>,
    catalog: Arc<Catalog>,
    rules: Arc<RuleSet>,
}

/// What a process is made of, beside the ground.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) outbound: Arc<dyn Outbound>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) seed: u64,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self::of(&RULES)
    }

    /// With these rules, by their ids.
    pub(crate) fn of(rules: &[(&str, &str)]) -> Self {
        // Room for all that runs at once, or one story would wait for another.
        let host = Arc::new(Host::new(HostConfig { instances: 64, ..HostConfig::default() }).unwrap());
        let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist");
        let catalog = Arc::new(Catalog::load(&host, &Installed::in_folder(dist)).unwrap());
        let head = |id: &str| format!("id = \"{id}\"\ntitle = \"A rule\"\nsource = \"clinic\"\n");
        let purpose = |text: &str| {
            let explained = |line: &str| match line.strip_prefix("plugin = ") {
                Some(_) => format!("{line}\npurpose = \"To see what it does\"\nbasis = \"lgpd:11.II.f\""),
                None => line.to_owned(),
            };
            text.lines().map(explained).collect::<Vec<_>>().join("\n")
        };
        let file = |(id, text): &(&str, &str)| FileText { name: format!("{id}.toml"), text: head(id) + &purpose(text) };
        let sources = vec![FileText { name: "sources/clinic.toml".to_owned(), text: SOURCE.to_owned() }];
        let files = Files { sources, rules: rules.iter().map(file).collect(), samples: Vec::new() };
        let (rules, _) = rulebook::check(&files, &catalog).unwrap_or_else(|error| panic!("{error}"));
        Self { host, catalog, rules: Arc::new(rules) }
    }

    /// A process, about to start.
    pub(crate) fn process(&self, parts: Parts) -> Runtime {
        let name = CONNECTION.to_owned();
        let connection = Connection {
            name: name.clone(),
            source: name.clone(),
            secrets: Vec::new(),
            clinic: None,
            handshake: None,
            insecure: true,
            expect: None,
        };
        let rows = everything_on(&self.rules, &[&connection], Timestamp::UNIX_EPOCH);
        Runtime::new(Shared {
            store: parts.store,
            host: self.host.clone(),
            rules: Rulebook::new(Edition::new(self.rules.clone(), self.catalog.clone(), &rows).unwrap()),
            connections: HashMap::from([(name, connection)]),
            channels: Channels([("outbox".to_owned(), ChannelKind::Outbox)].into()),
            outbound: parts.outbound,
            secrets: Secrets::Unsaid,
            clock: parts.clock,
            entropy: Arc::new(SeededEntropy::new(parts.seed)),
            retry: RetryPolicy::default(),
            limits: Limits::default(),
            // More than anybody is sent, so that it is asked about and never spent.
            budgets: Budgets::new(Some(Budget::new(1000, SignedDuration::from_hours(24)).unwrap()), []),
            line: zelo_runtime::Line::default(),
            bell: tokio::sync::Notify::new(),
            counts: Default::default(),
        })
    }
}

/// What a provider has to say.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) number: u64,
    /// When it happened.
    pub(crate) at: Timestamp,
    /// When it is sent first.
    pub(crate) sent: Timestamp,
    pub(crate) word: Word,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// A visit is to be, or is to be at another time.
    Booked {
        visit: u64,
        starts: Timestamp,
    },
    Canceled {
        visit: u64,
    },
    Sale {
        sale: u64,
    },
    Order,
    Seen {
        person: u64,
        stage: &'static str,
    },
}

/// When every story begins.
pub(crate) fn beginning() -> Timestamp {
    "2026-03-05T12:00:00Z".parse().unwrap()
}

fn secs(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(seconds as i64)
}

/// A few deliveries, none of which happened when another did, in no particular order of arrival.
pub(crate) fn deliveries(dice: &mut Dice) -> Vec<Delivery> {
    let count = 5 + dice.below(11);
    let mut times: Vec<u64> = (0..count).collect();
    for place in (1..times.len()).rev() {
        times.swap(place, dice.below(place as u64 + 1) as usize);
    }
    let spread = dice.pick(&[1, 60, 1800]);
    let delivery = |(number, time): (u64, u64)| {
        let word = match dice.below(12) {
            // Days ahead; two in three at a time of their own.
            0..3 => Word::Booked { visit: dice.below(2), starts: beginning() + secs(4 * 86_400 + 60 * dice.pick(&[0, number, number])) },
            3 => Word::Canceled { visit: dice.below(2) },
            4..6 => Word::Sale { sale: dice.below(3) },
            6..9 => Word::Order,
            _ => Word::Seen { person: dice.below(2), stage: dice.pick(&["registered", "scheduled", "attended"]) },
        };
        Delivery { number, at: beginning() - secs(600) + secs(time), sent: beginning() + secs(dice.below(spread)), word }
    };
    (0..count).zip(times).map(delivery).collect()
}

/// A booking that is moved, a sale and an order: little, and something of everything.
pub(crate) fn small() -> Vec<Delivery> {
    let starts = beginning() + secs(2 * 86_400);
    let words = [Word::Sale { sale: 1 }, Word::Order, Word::Booked { visit: 1, starts }, Word::Canceled { visit: 1 }];
    let delivery = |(number, word)| Delivery { number, at: beginning() - secs(60 - number), sent: beginning(), word };
    (0..).zip(words).map(delivery).collect()
}

impl Delivery {
    pub(crate) fn path(&self) -> &'static str {
        match self.word {
            Word::Booked { .. } => "visit/booked",
            Word::Canceled { .. } => "visit/canceled",
            Word::Sale { .. } => "sale",
            Word::Order => "order",
            Word::Seen { .. } => "person",
        }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let own: Value = match self.word {
            Word::Booked { visit, starts } => json!({ "visit": visit, "starts": starts.to_string() }),
            Word::Canceled { visit } => json!({ "visit": visit }),
            Word::Sale { sale } => json!({
                "sale": sale, "services": [{ "service_code": "1", "service_name": "Service" }],
                "prices": [{ "code": "1", "name": "Service", "price": 10 }],
            }),
            Word::Order => json!({}),
            Word::Seen { stage, .. } => json!({ "stage": stage }),
        };
        let person = if let Word::Seen { person, .. } = self.word { person } else { self.number % 3 };
        let mut body = json!({ "n": self.number, "at": self.at.to_string(), "person": format!("p{person}") });
        body.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        body.to_string().into_bytes()
    }
}

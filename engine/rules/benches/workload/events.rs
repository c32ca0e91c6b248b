//! Events of a clinic network, as its bytes arrive: about 2.6 KB each, the keys in the order a provider writes them.

use jiff::Timestamp;
use serde_json::Value;

use super::dice::Dice;
use super::words::{
    CHANNELS, CITIES, FIRST, INSURERS, KINDS, LAST, METHODS, NOTES, PLANS, STATUS, TAGS, TENANCIES, TYPES, clinic, service_code, tenancy,
};

/// How many there are.
const EVENTS: usize = 2_000;

/// The first of January 2026.
const BEGIN: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The events, as texts and as trees.
pub(crate) struct Events {
    pub(crate) texts: Vec<String>,
    pub(crate) trees: Vec<Value>,
}

impl Events {
    pub(crate) fn generated(dice: &mut Dice) -> Self {
        // One sender in five escapes what is not ASCII, as those written in PHP and Python do.
        let text = |number: usize| if number.is_multiple_of(5) { escaped(&event(dice)) } else { event(dice) };
        Self::of((0..EVENTS).map(text).collect())
    }

    pub(crate) fn of(texts: Vec<String>) -> Self {
        let trees = texts.iter().map(|text| serde_json::from_str(text).expect("an event of the workload is JSON")).collect();
        Self { texts, trees }
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The mean length in bytes.
    pub(crate) fn mean_bytes(&self) -> usize {
        self.texts.iter().map(String::len).sum::<usize>() / self.len()
    }
}

fn escaped(text: &str) -> String {
    let mut units = [0; 2];
    let escaped = text.chars().map(|char| match char {
        char if char.is_ascii() => char.to_string(),
        char => char.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    });
    escaped.collect()
}

fn object<const N: usize>(members: [(&str, String); N]) -> String {
    let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn list(elements: &[String]) -> String {
    format!("[{}]", elements.join(","))
}

/// None of the texts has anything in it that JSON escapes.
fn text(text: impl AsRef<str>) -> String {
    format!("\"{}\"", text.as_ref())
}

fn number(dice: &mut Dice, first: u64, end: u64) -> String {
    dice.between(first, end).to_string()
}

/// An amount of money, in whole cents: `150.0`, `12.34`.
fn money(cents: u64) -> String {
    format!("{:?}", cents as f64 / 100.0)
}

fn name(dice: &mut Dice) -> String {
    text(format!("{} {} {}", dice.one_of(&FIRST), dice.one_of(&LAST), dice.one_of(&LAST)))
}

fn time(dice: &mut Dice) -> String {
    let at = Timestamp::from_second(BEGIN.as_second() + dice.between(0, 200 * 86_400) as i64).expect("a time of the year 2026");
    text(at.to_string())
}

fn words(dice: &mut Dice, count: u64) -> String {
    let words: Vec<&str> = (0..count).map(|_| dice.one_of(&NOTES)).collect();
    text(words.join(" "))
}

fn by_someone(dice: &mut Dice) -> String {
    object([("id", number(dice, 1, 9_000)), ("name", name(dice))])
}

fn event(dice: &mut Dice) -> String {
    let data = data(dice);
    object([
        ("id", text(format!("evt_{}", dice.hexadecimal(24)))),
        ("api_version", text("2026-01-15")),
        ("created_at", time(dice)),
        ("livemode", "true".to_owned()),
        ("attempt", number(dice, 1, 4)),
        ("source", text("agenda")),
        ("trace", object(["request_id", "correlation_id", "delivery_id"].map(|key| (key, text(dice.hexadecimal(32)))))),
        ("data", data),
        ("metadata", metadata(dice)),
    ])
}

/// What the event says; rules ask about nothing else.
fn data(dice: &mut Dice) -> String {
    let clinic = clinic(dice);
    let (services, amount) = services(dice);
    let mut data = object([
        ("event_type", text(dice.weighted(&TYPES))),
        ("event_status", text(dice.weighted(&STATUS))),
        ("event_time", time(dice)),
        (
            "clinic",
            object([
                ("id", clinic.to_string()),
                ("name", text(format!("Clínica {} {clinic}", dice.one_of(&LAST)))),
                ("timezone", text("America/Sao_Paulo")),
                ("phone", text(format!("+55 11 3{}", dice.between(1_000_000, 10_000_000)))),
            ]),
        ),
        (
            "tenancy",
            object([("id", text(tenancy(clinic % TENANCIES))), ("plan", text(dice.one_of(&PLANS))), ("region", text("br-south-1"))]),
        ),
        ("channel", text(dice.one_of(&CHANNELS))),
        ("appointment", appointment(dice)),
        ("patient", patient(dice)),
        ("services", services),
        (
            "payment",
            object([
                ("amount", money(amount)),
                ("currency", text("BRL")),
                ("method", text(dice.one_of(&METHODS))),
                ("installments", number(dice, 1, 7)),
                ("discount", money(dice.between(0, 2_001))),
            ]),
        ),
        ("tags", tags(dice)),
    ]);
    if dice.chance(0.35) {
        let insurance = object([
            ("provider", text(dice.one_of(&INSURERS))),
            ("plan_id", text(format!("PL{:04}", dice.between(1, 400)))),
            ("card", text(number(dice, 100_000_000_000, 1_000_000_000_000))),
            ("authorization", text(dice.hexadecimal(10))),
        ]);
        with(&mut data, "insurance", &insurance);
    }
    data
}

/// Adds a member at the end of an object.
fn with(object: &mut String, key: &str, value: &str) {
    object.pop();
    object.push_str(&format!(",\"{key}\":{value}}}"));
}

fn tags(dice: &mut Dice) -> String {
    let count = dice.between(0, 4) as usize;
    list(&dice.sample(&TAGS, count).into_iter().map(text).collect::<Vec<_>>())
}

/// What was done, and what it costs in cents.
fn services(dice: &mut Dice) -> (String, u64) {
    let mut amount = 0;
    let mut services = Vec::new();
    for _ in 0..dice.one_of(&[1, 1, 2, 2, 3, 4]) {
        let (price, quantity) = ((dice.log_normal(5.0, 0.7) * 100.0).round() as u64, dice.one_of(&[1, 1, 1, 2]));
        amount += price * quantity;
        services.push(object([
            ("service_id", number(dice, 1, 90_000)),
            ("service_code", text(service_code(dice))),
            ("description", words(dice, 4)),
            ("quantity", quantity.to_string()),
            ("unit_price", money(price)),
            ("total", money(price * quantity)),
            (
                "professional",
                object([
                    ("id", number(dice, 1, 9_000)),
                    ("name", name(dice)),
                    ("register", text(format!("CRM-SP {}", dice.between(10_000, 200_000)))),
                ]),
            ),
        ]));
    }
    (list(&services), amount)
}

fn appointment(dice: &mut Dice) -> String {
    let length = dice.between(10, 30);
    object([
        ("id", number(dice, 1, 10_000_000)),
        ("start", time(dice)),
        ("end", time(dice)),
        ("room", text(format!("Sala {}", dice.between(1, 20)))),
        ("kind", text(dice.one_of(&KINDS))),
        ("notes", words(dice, length)),
        ("created_by", by_someone(dice)),
    ])
}

fn patient(dice: &mut Dice) -> String {
    let document = [(); 3].map(|()| format!("{:03}", dice.between(0, 1_000))).join(".");
    let mut patient = object([
        ("id", number(dice, 1, 900_000)),
        ("name", name(dice)),
        ("document", text(format!("{document}-{:02}", dice.between(0, 100)))),
        ("birth_date", text(format!("{}-{:02}-{:02}", dice.between(1940, 2020), dice.between(1, 13), dice.between(1, 29)))),
        ("gender", text(dice.one_of(&["f", "m", "o"]))),
        (
            "phones",
            list(&[object([
                ("kind", text("mobile")),
                ("number", text(format!("+55 11 9{}", dice.between(10_000_000, 100_000_000)))),
                ("whatsapp", "true".to_owned()),
            ])]),
        ),
        ("address", address(dice)),
    ]);
    if dice.chance(0.6) {
        with(&mut patient, "email", &text(format!("paciente{}@example.com", dice.between(0, 1_000_000))));
    }
    patient
}

fn address(dice: &mut Dice) -> String {
    object([
        ("street", text(format!("Rua {} {}", dice.one_of(&LAST), dice.one_of(&LAST)))),
        ("number", text(number(dice, 1, 3_000))),
        ("district", text(dice.one_of(&LAST))),
        ("city", text(dice.one_of(&CITIES))),
        ("state", text("SP")),
        ("zip", text(format!("{}-{:03}", dice.between(10_000, 99_999), dice.between(0, 1_000)))),
    ])
}

/// What no rule asks about.
fn metadata(dice: &mut Dice) -> String {
    let labels = ["label_team", "label_cost_center", "label_campaign", "label_utm", "label_segment"];
    let changes = dice.between(1, 4);
    let history: Vec<String> = (0..changes).map(|_| object([("at", time(dice)), ("by", name(dice)), ("change", words(dice, 5))])).collect();
    let address = [(); 3].map(|()| number(dice, 0, 256)).join(".");
    object([
        ("origin_ip", text(format!("10.{address}"))),
        ("user_agent", text("AgendaWebhooks/3.2 (+https://example.com/bot)")),
        ("schema", text("https://example.com/schemas/appointment/v3.json")),
        ("checksum", text(dice.hexadecimal(64))),
        ("labels", object(labels.map(|key| (key, text(dice.hexadecimal(12)))))),
        ("history", list(&history)),
    ])
}

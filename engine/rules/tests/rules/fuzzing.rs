//! Bad input of any kind is an error: no panic, no unbounded time or memory. `PROPTEST_CASES` asks for more of it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use zelo_core::timing::Records;
use zelo_core::{KeyHash, Plan};
use zelo_rules::{Class, Delivery, FileText, Files, Headers, Outcome, Path, Question, Read, RuleSet, load, render};

use super::common::{Installed, automation, event, file, in_force, indexer, sample, with_odd_rules};

const SAMPLES: [(&str, &str); 3] =
    [("appointment/new", "new-appointment"), ("patient/edit", "edit-patient"), ("attendance/finished", "finished-attendance")];

const RULES: [&str; 3] = ["appointment-reminder", "attendance-receipt", "contact-board"];

/// What stands in files, in a place where it does not belong.
const PIECES: [&str; 44] = [
    "=",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    ".",
    "\"",
    "'",
    "\"\"\"",
    "#",
    "\n",
    "\\",
    "\\u0000",
    "{{",
    "}}",
    "{%",
    "%}",
    "$",
    "$..*",
    "@",
    "*",
    "true",
    "1e999",
    "-0",
    "9223372036854775808",
    "0x",
    "2026-13-45",
    "inf",
    "nan",
    "settings",
    "{{ settings.x }}",
    "path",
    "all = ",
    "not = { ",
    "every = true",
    "as = \"date\"",
    "within = { from = \"25:00\" }",
    "matches = \"(\"",
    "é\u{301}",
    "\u{202e}",
    "\r",
];

struct Nothing;

impl Records for Nothing {
    fn record(&self, _: KeyHash) -> Option<&Value> {
        None
    }
}

fn texts() -> Vec<FileText> {
    let rules = RULES.iter().map(|rule| file(&format!("rules/automations/{rule}.toml")));
    std::iter::once(file("rules/sources/clinicarx.toml")).chain(rules).collect()
}

/// Loads files, tells what is wrong with them, and if nothing is, asks the rules about events.
fn go_through(files: &Files) {
    let loaded = load(files, &Installed);
    let told = render(&loaded.diagnostics, files);
    assert_eq!(told.is_empty(), loaded.diagnostics.is_empty());
    for found in &loaded.diagnostics {
        assert!(found.line > 0 && found.column > 0 && found.span.start <= found.span.end, "{found:?}");
    }
    let Some(set) = loaded.set else { return };
    for (path, name) in SAMPLES {
        ask(&set, path, sample(name).as_bytes());
    }
    for rule in set.rules() {
        let _ = set.sentences(&rule.id, &Map::new());
    }
}

/// Asks all rules about a body; what is told is what happens.
fn ask(set: &RuleSet, path: &str, body: &[u8]) {
    let Some(source) = set.source("clinicarx") else { return };
    let headers = Headers::default();
    let Ok(Read::Event(reading)) = source.read(&Delivery { path, url: "", headers: &headers, body }) else { return };
    let event = event(set, path, &reading.data);
    let on = set.rules().map(|rule| automation(&rule.id, None, json!({}))).collect();
    let in_force = in_force(set, on);
    let candidates = in_force.candidates(&event, &indexer());
    let told = in_force.explain(&Question { event: &event, index: &indexer(), records: &Nothing, reveal: Class::Public, locale: "pt-BR" });
    for rule in &told.rules {
        let fires = candidates.iter().any(|candidate| candidate.origin.rule == rule.rule && matches!(candidate.plan, Plan::Fire { .. }));
        assert_eq!(fires, rule.outcome == Outcome::Fires);
    }
    let _ = told.render();
}

/// A change of a text: a piece of it goes, and another comes.
fn change() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let piece = prop_oneof![
        3 => prop::sample::select(PIECES.as_slice()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z_]{1,8}",
        1 => Just(String::new()),
    ];
    (any::<prop::sample::Index>(), prop_oneof![Just(0), 1..3_usize, 1..40_usize], piece)
}

fn changed(text: &str, changes: &[(prop::sample::Index, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (place, length, piece) in changes {
        let from = place.index(chars.len().max(1)).min(chars.len());
        let to = (from + length).min(chars.len());
        chars.splice(from..to, piece.chars());
    }
    chars.into_iter().collect()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |number| serde_json::Number::from_f64(number).map(Value::Number)),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "2026-03-06",
            "2026-03-06 10:00:00",
            "9999-12-31T23:59:59Z",
            "-009999-01-01T00:00:00Z",
            "24:00",
            "done",
            "1e5"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-c]|event_status|title|patient|id", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every operator, over values that a payload brings.
fn odd_rules() -> Vec<String> {
    let right = r#"{ path = "$.data.b" }"#;
    let clauses = [
        format!("equals = {right}"),
        format!("in = {right}"),
        format!("not_in = {right}"),
        format!("gt = {right}"),
        format!("between = [{right}, {right}]"),
        format!("contains = {right}"),
        format!("starts_with = {right}"),
        "glob = \"*a?*\"".to_owned(),
        "matches = \"(a+)+$\"".to_owned(),
        format!("length = {{ gte = {right} }}"),
        format!("before = {right}"),
        "after = \"+87000h\"".to_owned(),
        "within = { from = \"22:00\", to = \"06:00\", weekdays = [\"mon\"], timezone = { path = \"$.data.b\" } }".to_owned(),
        "changed = true".to_owned(),
        format!("as = \"number\", lte = {right}"),
        format!("as = \"date\", equals = {right}"),
        format!("as = \"string\", ends_with = {right}"),
    ];
    let paths = ["$.data.a", "$.data..*", "$.data.a[?@.b == @.c || length(@.a) > 2]", "$.data[-1]"];
    let rule = |(index, (path, clause)): (usize, (&str, &String))| {
        let every = if index % 2 == 0 { "" } else { ", every = true" };
        let about = if clause.starts_with("changed") { "$.data.a" } else { path };
        format!(
            "id = \"r{index}\"\ntitle = \"R\"\non = [\"appointment.*\", \"patient.*\"]\n[when]\nany = [{{ path = \"{about}\", {clause}{every} }}, {{ not = {{ path = \"{about}\", {clause} }} }}]\n[[then]]\nname = \"a\"\nplugin = \"reminder\"\nkey = \"$.data.id\"\nwith = {{ to = \"x\", text = \"y\" }}\ngrant.messages = {{ channels = [\"outbox\"], to = [\"x\"] }}\n"
        )
    };
    let pairs = paths.iter().flat_map(|path| clauses.iter().map(|clause| (*path, clause)));
    pairs.enumerate().map(rule).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_file_or_an_error(text in "\\PC{0,200}", as_source in any::<bool>()) {
        let odd = FileText { name: "odd.toml".to_owned(), text };
        let mut files = Files { sources: vec![file("rules/sources/clinicarx.toml")], ..Files::default() };
        if as_source { files.sources = vec![odd] } else { files.rules = vec![odd] }
        go_through(&files);
    }

    #[test]
    fn a_file_with_changes_is_a_file_or_an_error(which in 0..4_usize, changes in prop::collection::vec(change(), 1..4)) {
        let mut texts = texts();
        texts[which].text = changed(&texts[which].text, &changes);
        let source = texts.remove(0);
        go_through(&Files { sources: vec![source], rules: texts, ..Files::default() });
    }

    #[test]
    fn a_path_is_a_path_or_an_error(text in prop_oneof![
        "\\$[\\[\\].*'\"?@$=<>&|!()a-c0-9: ,-]{0,40}".prop_map(|text: String| text),
        any::<String>(),
    ], document in value()) {
        if let Ok(path) = Path::parse(&text) {
            let _ = path.nodes(&document).iter().count();
        }
    }
}

#[test]
fn any_body_is_an_event_or_an_error() {
    let set = with_odd_rules(&odd_rules());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 128, ..ProptestConfig::default() });
    let body = prop_oneof![
        value().prop_map(|data| json!({ "data": data, "timestamp": "2026-03-02 10:00:00" }).to_string().into_bytes()),
        (value(), value()).prop_map(|(old, new)| {
            json!({ "data": { "id": "1", "a": new.clone(), "b": old.clone() }, "timestamp": new,
                    "modified_data": { "edited_data": { "old_data": { "a": old }, "new_data": { "a": new } } } })
            .to_string()
            .into_bytes()
        }),
        prop::collection::vec(any::<u8>(), 0..200),
        "\\PC{0,100}".prop_map(String::into_bytes),
    ];
    let asked = runner.run(&(body, any::<bool>()), |(body, edit)| {
        ask(&set, if edit { "patient/edit" } else { "appointment/new" }, &body);
        Ok(())
    });
    asked.unwrap();
}

#[test]
fn what_is_huge_or_deep_is_an_error() {
    let rule = |text: String| Files {
        sources: vec![file("rules/sources/clinicarx.toml")],
        rules: vec![FileText { name: "odd.toml".to_owned(), text }],
        ..Files::default()
    };
    let head = "id = \"r\"\ntitle = \"R\"\non = \"appointment.created\"\n";
    let when = |condition: &str| format!("{head}[when]\n{condition}\n[[then]]\nname = \"a\"\nplugin = \"reminder\"\n");
    let deep = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    for (what, text, said) in [
        ("a regular expression of 10 MB", when(&format!("path = \"$.a\"\nmatches = \"{}\"", "a".repeat(10 << 20))), "at most 1024 KiB"),
        ("one of 500 KB", when(&format!("path = \"$.a\"\nmatches = \"{}\"", "a".repeat(500 << 10))), "at most 4000 bytes"),
        ("one that needs much memory", when("path = \"$.a\"\nmatches = '(\\w{500}){500}'"), "bytes of memory"),
        ("deep groups", when(&format!("path = \"$.a\"\nmatches = \"{}\"", deep("(", ")", 1_900))), "regular expression"),
        ("a path of 500 KB", when(&format!("path = \"$.{}\"\nexists = true", "a".repeat(1 << 19))), "at most 2000 bytes"),
        ("a deep path", when(&format!("path = \"$.a[?{}@.b{}]\"\nexists = true", "(".repeat(900), ")".repeat(900))), "JSONPath"),
        ("deep lists", when(&format!("path = \"$.a\"\nequals = {}", deep("[", "]", 100_000))), "not TOML"),
        ("deep tables", when(&deep("not = { ", "}", 20_000)), "not TOML"),
        (
            "deep conditions",
            when(&format!("{}path = \"$.a\", exists = true{}", "not = { ".repeat(30), " }".repeat(30))),
            "nested deeper than 16",
        ),
        ("a deep key", format!("{head}{}x = 1", "a.".repeat(50_000)), "odd.toml"),
        ("many keys", (0..20_000).fold(head.to_owned(), |text, key| text + &format!("k{key} = 1\n")), "unknown-key"),
        ("a huge number", when("path = \"$.a\"\ngt = 99999999999999999999999999"), "64 bits"),
        ("a number that is none", when("path = \"$.a\"\ngt = inf"), "finite"),
    ] {
        let files = rule(text);
        let loaded = load(&files, &Installed);
        assert!(loaded.set.is_none(), "{what}");
        let of_rule = loaded.diagnostics.iter().filter(|found| found.file == "odd.toml").count();
        assert!((1..=201).contains(&of_rule), "{what}: {of_rule} findings");
        let told = render(&loaded.diagnostics[..loaded.diagnostics.len().min(5)], &files);
        assert!(told.contains(said), "{what}: {}", &told[..told.len().min(2_000)]);
    }
}

#[test]
fn bodies_that_can_be_read_in_two_ways_are_refused() {
    let set = with_odd_rules(&[]);
    let source = set.source("clinicarx").unwrap();
    let headers = Headers::default();
    let nested = format!("{{\"data\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for (what, body) in [
        ("a key twice", br#"{"data": {"id": 1, "id": 2}}"#.to_vec()),
        ("half a surrogate pair", br#"{"data": "\ud800"}"#.to_vec()),
        ("no UTF-8", b"{\"data\": \"\xff\"}".to_vec()),
        ("a number beyond all", br#"{"data": 1e400}"#.to_vec()),
        ("too deep", nested.into_bytes()),
    ] {
        let read = source.read(&Delivery { path: "appointment/new", url: "", headers: &headers, body: &body });
        let why = read.unwrap_err().to_string();
        assert!(!why.is_empty() && !why.contains("ud800"), "{what}: {why}");
    }
}

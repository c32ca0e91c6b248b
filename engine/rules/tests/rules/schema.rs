//! The schemas that ship: they are those of the code, they take every good file and refuse the mistakes that they can know.
//!
//! `UPDATE=1 cargo test --workspace --test rules schema` writes `rules/schema` anew.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use boon::{Compiler, ErrorKind, InstanceToken, SchemaIndex, Schemas, ValidationError};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};
use zelo_rules::{FileText, Files, load, rule_schema, source_schema};

use super::common::{Installed, root};

/// Holds files against a schema.
struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

/// What a schema says against a file, and where: `then`, `0`, `at`.
#[derive(Debug)]
struct Complaint {
    place: Vec<String>,
    message: String,
}

impl Validator {
    fn new(schema: Value) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("zelo:schema", schema).unwrap();
        let index = compiler.compile("zelo:schema", &mut schemas).unwrap_or_else(|bad| panic!("this is no JSON Schema: {bad:#}"));
        Self { schemas, index }
    }

    /// Everything that the schema says against a text that is TOML.
    fn complaints(&self, text: &str) -> Vec<Complaint> {
        let mut found = Vec::new();
        if let Err(bad) = self.schemas.validate(&json(toml::Value::Table(text.parse().unwrap())), self.index) {
            leaves(&bad, &mut found);
        }
        found
    }
}

fn leaves(bad: &ValidationError<'_, '_>, found: &mut Vec<Complaint>) {
    // Why a name is wrong is said of no place.
    if bad.causes.is_empty() || matches!(bad.kind, ErrorKind::PropertyName { .. }) {
        let step = |step: &InstanceToken<'_>| match step {
            InstanceToken::Prop(key) => key.to_string(),
            InstanceToken::Item(at) => at.to_string(),
        };
        let place = bad.instance_location.tokens.iter().map(step).collect();
        found.push(Complaint { place, message: bad.kind.to_string() });
    }
    bad.causes.iter().for_each(|cause| leaves(cause, found));
}

/// As editors see it: dates are strings.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::Table(table) => Value::Object(table.into_iter().map(|(key, value)| (key, json(value))).collect::<Map<_, _>>()),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(json).collect()),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(flag) => Value::Bool(flag),
    }
}

static RULES: LazyLock<Validator> = LazyLock::new(|| Validator::new(rule_schema()));
static SOURCES: LazyLock<Validator> = LazyLock::new(|| Validator::new(source_schema()));

/// Holds files that load against the schemas: no schema may refuse what zelo takes.
pub(crate) fn assert_fits(files: &Files) {
    for (validator, files) in [(&RULES, &files.rules), (&SOURCES, &files.sources)] {
        for file in files {
            let complaints = validator.complaints(&file.text);
            assert!(complaints.is_empty(), "{} loads, but the schema says: {complaints:#?}\n{}", file.name, file.text);
        }
    }
}

#[test]
fn the_schemas_that_ship_are_those_of_the_code() {
    for (name, schema) in [("rule", rule_schema()), ("source", source_schema())] {
        let path = root().join(format!("rules/schema/{name}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let shipped = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(shipped == text, "{} is not what the code says; UPDATE=1 writes it anew", path.display());
    }
}

/// The TOML files below a folder.
fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(toml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_shipped_file_names_its_schema_and_fits_it() {
    let rules = root().join("rules");
    let paths = toml_files(&rules);
    assert!(paths.len() >= 8, "{} files", paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let is_source = path.starts_with(rules.join("sources"));
        let head = text.lines().next().unwrap_or_default();
        let named = head.strip_prefix("#:schema ").unwrap_or_else(|| panic!("the first line of {} names no schema", path.display()));
        let leads_to = path.parent().unwrap().join(named).canonicalize().unwrap_or_default();
        let meant = if is_source { "schema/source.schema.json" } else { "schema/rule.schema.json" };
        assert_eq!(leads_to, rules.join(meant), "{}", path.display());
        let file = FileText { name: path.display().to_string(), text };
        let (sources, rules) = if is_source { (vec![file], vec![]) } else { (vec![], vec![file]) };
        assert_fits(&Files { sources, rules, samples: Vec::new() });
    }
}

/// The mistakes of a single table, which an editor can show while it is being written.
const STRUCTURAL: [&str; 17] = [
    "unknown-key",
    "unknown-word",
    "unknown-format",
    "unknown-kind",
    "unknown-locale",
    "missing-key",
    "missing-operator",
    "wrong-type",
    "empty-list",
    "contradiction",
    "bad-name",
    "bad-type",
    "bad-basis",
    "bad-default",
    "bad-duration",
    "bad-time",
    "bad-signed",
];

/// Mistakes of these kinds that no schema can know, by file and line.
const BEYOND: [(&str, usize, &str); 27] = [
    ("rule-missing-keys.toml", 6, "that one of two keys is enough"),
    ("rule-operators.toml", 18, "to editors a date is a string"),
    ("rule-over-time.toml", 16, "that a span is longer than nothing"),
    ("rule-over-time.toml", 18, "how long a span may be"),
    ("rule-over-time.toml", 40, "that one of two keys is enough"),
    ("rule-over-time.toml", 47, "what another action is"),
    ("rule-over-time.toml", 58, "what fields say beside the action"),
    ("rule-over-time.toml", 72, "what fields say beside the action"),
    ("rule-plugin-inputs.toml", 8, "inputs are the plugin's"),
    ("rule-plugin-inputs.toml", 8, "inputs are the plugin's"),
    ("rule-requests.toml", 34, "what a header means"),
    ("rule-requests.toml", 35, "what a header means"),
    ("rule-right-sides.toml", 21, "what type a setting has"),
    ("rule-settings.toml", 7, "how two keys compare"),
    ("rule-settings.toml", 15, "that a choice is of languages because of its name"),
    ("rule-templates.toml", 26, "whether the plugin takes objects"),
    ("rule-tests.toml", 47, "what members an effect has"),
    ("rule-tests.toml", 47, "what members an effect has"),
    ("rule-tests.toml", 56, "what is run"),
    ("rule-timing.toml", 17, "what a template gives"),
    ("rule-wrong-types.toml", 17, "inputs are the plugin's"),
    ("rule-wrong-types.toml", 17, "to editors a date is a string"),
    ("rule-wrong-types.toml", 17, "inputs are the plugin's"),
    ("source-verify.toml", 9, "what a template names"),
    ("source-verify.toml", 10, "what a template names"),
    ("source-verify.toml", 13, "what a template names"),
    ("source-words.toml", 28, "that two paths are one"),
];

/// A part of a file: where it stands in the text, and in the document.
struct Part {
    span: std::ops::Range<usize>,
    place: Vec<String>,
    /// It is this key of the table that stands there.
    key: Option<String>,
}

impl Part {
    /// Whether `complaint` is about it, where zelo finds a mistake of this kind.
    fn is_meant(&self, complaint: &Complaint, code: &str) -> bool {
        let names = |key: &str| complaint.message.contains(&format!("'{key}'"));
        let place = &self.place;
        let beside = place.split_last().filter(|(_, table)| complaint.place == *table).map(|(last, _)| last);
        match (&self.key, code) {
            // The validator forgets the place where it is about the name of a key.
            (Some(key), _) if complaint.place == *place || complaint.message.starts_with("invalid property") => names(key),
            (Some(key), _) => complaint.place.split_last().is_some_and(|(last, table)| last == key && table == place),
            (None, "missing-key" | "missing-operator") => complaint.place == *place || beside.is_some_and(|key| names(key)),
            // What two keys say together is said of their table.
            (None, "contradiction") => complaint.place.starts_with(place) || beside.is_some(),
            (None, _) => complaint.place.starts_with(place),
        }
    }
}

fn parts(table: &DeTable<'_>, place: &[String], found: &mut Vec<Part>) {
    for (key, node) in table.iter() {
        let name = key.get_ref().to_string();
        let below = [place, std::slice::from_ref(&name)].concat();
        found.push(Part { span: key.span(), place: place.to_vec(), key: Some(name) });
        parts_of(node, &below, found);
    }
}

fn parts_of(node: &toml::Spanned<DeValue<'_>>, place: &[String], found: &mut Vec<Part>) {
    found.push(Part { span: node.span(), place: place.to_vec(), key: None });
    match node.get_ref() {
        DeValue::Table(table) => parts(table, place, found),
        DeValue::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| parts_of(item, &[place, &[at.to_string()]].concat(), found));
        }
        _ => {}
    }
}

#[test]
fn what_a_schema_can_know_it_refuses() {
    let mut beyond = BEYOND.to_vec();
    let mut missed = Vec::new();
    let mut held = 0;
    for path in toml_files(&super::diagnostics::folder()) {
        let files = super::diagnostics::case(&path);
        let validator = if files.rules.is_empty() { &SOURCES } else { &RULES };
        let file = files.rules.first().unwrap_or_else(|| &files.sources[0]);
        let Ok(document) = DeTable::parse(&file.text) else { continue };
        let mut parts_found = vec![Part { span: 0..0, place: vec![], key: None }];
        parts(document.get_ref(), &[], &mut parts_found);
        let complaints = validator.complaints(&file.text);
        for mistake in load(&files, &Installed).diagnostics.iter().filter(|found| STRUCTURAL.contains(&found.code)) {
            held += 1;
            let around = parts_found.iter().filter(|part| part.span.start <= mistake.span.start && mistake.span.end <= part.span.end);
            // A table and the list that it stands in may begin and end together.
            let part = around.rev().min_by_key(|part| part.span.len()).unwrap();
            if complaints.iter().any(|complaint| part.is_meant(complaint, mistake.code)) {
                continue;
            }
            match beyond.iter().position(|(file, line, _)| *file == mistake.file && *line == mistake.line) {
                Some(at) => _ = beyond.remove(at),
                None => missed.push(format!("(\"{}\", {}, \"\"), // {}: {}", mistake.file, mistake.line, mistake.code, mistake.message)),
            }
        }
    }
    assert!(held >= 80, "{held} mistakes");
    assert!(missed.is_empty(), "the schema takes these; teach it, or say in BEYOND why it cannot know:\n{}", missed.join("\n"));
    assert!(beyond.is_empty(), "the schema knows these now: {beyond:?}");
}

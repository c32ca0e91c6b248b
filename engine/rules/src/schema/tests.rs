//! Holds the schemas against the readers: at every place where a reader asks a table for keys, the schema has the same keys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};
use zelo_core::grants::Capability;

use super::{condition, rule_schema, source_schema};
use crate::condition::OPERATORS;
use crate::reader::asked::{self, Step};
use crate::{FileText, Files, PluginFacts, Plugins, load};

/// Tables that no other file of the tests has.
const RARE_SOURCE: &str = r#"
id = "rare"
[receive]
ack = { status = 200, body = "ok" }
handshakes = [
  { method = "POST", when = { body = "$.type", equals = "hello" }, check = { query = "token" }, answer = { body = "$.challenge" } },
]
[receive.verify]
any = [
  { kind = "hmac", header = "x-signature", fields = { separator = ",", assign = "=", signature = "v1", timestamp = "t" }, signed = "{t}.{body}", tolerance = "5m" },
  { kind = "hmac", header = "x-signature", timestamp = { header = "x-time" }, signed = "{t}.{url}", body_hash = { query = "hash" } },
  { kind = "token", query = "token" },
  { kind = "basic", verified = false },
]
[[events]]
type = "a.b"
match = { query = { name = "a", equals = "b" }, body = [{ path = "$.a", equals = 1 }, { path = "$.b", exists = true }] }
[events.classes]
public = ["$.a"]
[[consents]]
topic = "t"
on = "a.b"
[consents.withdrawn]
all = [
  { path = "$.a", length = { gte = 1 } },
  { path = "$.a", length = { path = "$.b" } },
  { path = "$.a", within = { weekdays = "mon", timezone = { path = "$.zone" } } },
  { path = "$.a", changed = { from = 1, to = { path = "$.b" } } },
]
[classes]
health = true
[[records]]
type = "thing"
on = "a.b"
key = "$.id"
keep = { state = "$.state" }
words = { "$.state" = { title = "o estado", values = { a = "aberto" } } }
"#;

/// Ways to verify that stand alone.
const ALONE: [&str; 3] =
    [r#"{ kind = "rsa", header = "x-signature", public_keys = ["x"] }"#, r#"{ kind = "token", query = "token" }"#, r#"{ kind = "basic" }"#];

/// The same for rules.
const RARE: &str = r#"
id = "rare"
title = "R"
on = "appointment.created"
[when]
all = [
  { path = "$.a", length = { gte = 1 } },
  { path = "$.a", length = { path = "$.b" } },
  { path = "$.a", within = { weekdays = "mon", timezone = { path = "$.zone" } } },
  { path = "$.a", changed = { from = 1, to = { path = "$.b" } } },
]
"#;

/// Any plugin.
struct Every;

impl Plugins for Every {
    fn plugin(&self, name: &str) -> Option<PluginFacts> {
        let (name, version, digest) = (name.to_owned(), "1.0.0".to_owned(), "11".repeat(32));
        Some(PluginFacts {
            name,
            version,
            digest,
            imports: Capability::ALL.to_vec(),
            inputs: json!({}),
            words: crate::rule::PluginWords::default(),
        })
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn texts(folder: &str, begins: &str) -> Vec<FileText> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.retain(|path| name(path).starts_with(begins) && name(path).ends_with(".toml"));
    paths.iter().map(|path| FileText { name: name(path), text: std::fs::read_to_string(path).unwrap() }).collect()
}

/// The files that ship, and those with mistakes.
fn files() -> Files {
    let mistakes = "engine/rules/tests/rules/diagnostics";
    let mut files = Files { sources: texts("rules/sources", ""), rules: texts("rules/automations", ""), samples: Vec::new() };
    files.sources.extend(texts(mistakes, "source-"));
    files.rules.extend(texts(mistakes, "rule-"));
    files.sources.push(FileText { name: "rare-source.toml".to_owned(), text: RARE_SOURCE.to_owned() });
    for (way, number) in ALONE.into_iter().zip(1..) {
        let text = format!("id = \"alone-{number}\"\n[receive]\nverify = {way}\n[[events]]\ntype = \"a.b\"\n");
        files.sources.push(FileText { name: format!("alone-{number}.toml"), text });
    }
    files.rules.push(FileText { name: "rare.toml".to_owned(), text: RARE.to_owned() });
    files
}

/// Where a table stands in a schema: JSON pointers, by what they name.
struct Walk {
    schema: Value,
}

impl Walk {
    /// The schemas of the tables that may stand at `place`.
    fn tables(&self, place: &[Step]) -> BTreeSet<String> {
        let mut here = self.choices("");
        for step in place {
            here = here.iter().flat_map(|pointer| self.step(pointer, step)).flat_map(|pointer| self.choices(&pointer)).collect();
        }
        here.into_iter().filter(|pointer| self.get(pointer).get("properties").is_some()).collect()
    }

    fn get(&self, pointer: &str) -> &Value {
        self.schema.pointer(pointer).unwrap()
    }

    /// What a schema comes down to, one for each thing that it may be.
    fn choices(&self, pointer: &str) -> BTreeSet<String> {
        let schema = self.get(pointer);
        if let Some(reference) = schema.get("$ref") {
            return self.choices(reference.as_str().unwrap().strip_prefix('#').unwrap());
        }
        let choices = match schema.get("anyOf").and_then(Value::as_array) {
            Some(choices) if schema.get("type").is_none() => choices.len(),
            _ => return BTreeSet::from([pointer.to_owned()]),
        };
        (0..choices).flat_map(|choice| self.choices(&format!("{pointer}/anyOf/{choice}"))).collect()
    }

    fn step(&self, pointer: &str, step: &Step) -> Option<String> {
        let below = match step {
            Step::Index => "items".to_owned(),
            Step::Key(key) if self.get(pointer).get("properties").is_some_and(|known| known.get(key).is_some()) => {
                format!("properties/{key}")
            }
            Step::Key(_) => "additionalProperties".to_owned(),
        };
        let pointer = format!("{pointer}/{below}");
        self.schema.pointer(&pointer).is_some_and(Value::is_object).then_some(pointer)
    }

    fn properties(&self, pointer: &str) -> BTreeSet<&str> {
        self.get(pointer)["properties"].as_object().unwrap().keys().map(String::as_str).collect()
    }

    /// Every table with known keys that the schema has.
    fn all(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut left = vec![(String::new(), &self.schema)];
        while let Some((pointer, value)) = left.pop() {
            // What stands below these says no more than what a table has already.
            let members = value.as_object().into_iter().flatten().filter(|(key, _)| !["if", "then", "else", "not"].contains(&key.as_str()));
            // Without `additionalProperties` it adds to another.
            if value.get("additionalProperties") == Some(&json!(false)) {
                found.insert(pointer.clone());
            }
            left.extend(members.map(|(key, value)| (format!("{pointer}/{key}"), value)));
            left.extend(value.as_array().into_iter().flatten().enumerate().map(|(at, value)| (format!("{pointer}/{at}"), value)));
        }
        found
    }
}

/// Says of a key what is to be done.
fn advice(problem: &str) -> String {
    format!(
        "{problem}\n    Mend the table of this kind in engine/rules/src/schema (its mod.rs says how), then write the schemas that ship:\n    \
         UPDATE=1 cargo test --workspace --test rules schema"
    )
}

fn written(place: &[Step]) -> String {
    let words = place.iter().map(|step| match step {
        Step::Key(key) => key.as_str(),
        Step::Index => "[]",
    });
    words.collect::<Vec<_>>().join(".").replace(".[]", "[]")
}

/// What readers asked of the tables of one kind.
#[derive(Default)]
struct Kind {
    asked: BTreeSet<&'static str>,
    /// Where one stands.
    example: String,
}

#[test]
fn readers_and_schemas_know_the_same_keys() {
    let files = files();
    asked::take();
    load(&files, &Every);
    let asked = asked::take();
    assert!(asked.len() > 500, "{} tables were read", asked.len());
    let mut problems = Vec::new();
    for (file_kind, schema) in [("rule", rule_schema()), ("source", source_schema())] {
        let walk = Walk { schema };
        let of_kind = if file_kind == "rule" { &files.rules } else { &files.sources };
        let mut kinds: BTreeMap<BTreeSet<String>, Kind> = BTreeMap::new();
        for table in asked.iter().filter(|table| of_kind.iter().any(|file| file.name == table.file)) {
            let kind = kinds.entry(walk.tables(&table.place)).or_default();
            kind.asked.extend(&table.keys);
            kind.example = format!("`{}` of {}", written(&table.place), table.file);
        }
        let mut left = walk.all();
        for (pointers, kind) in &kinds {
            pointers.iter().for_each(|pointer| _ = left.remove(pointer));
            let known = pointers.iter().flat_map(|pointer| walk.properties(pointer));
            // What may also be a text by language is read by its languages then.
            let known: BTreeSet<&str> = known.filter(|key| !crate::LOCALES.contains(key)).collect();
            let tables = pointers.iter().map(|pointer| format!("#{pointer}")).collect::<Vec<_>>().join(", ");
            let tables = if tables.is_empty() { "of which it knows no table".to_owned() } else { tables };
            for key in kind.asked.difference(&known) {
                problems
                    .push(advice(&format!("the {file_kind} schema lacks the key `{key}`, which is read at {} ({tables})", kind.example)));
            }
            for key in known.difference(&kind.asked) {
                problems.push(advice(&format!(
                    "the {file_kind} schema has the key `{key}`, which nobody reads at {} ({tables})",
                    kind.example
                )));
            }
        }
        // Texts by language are read by their languages.
        left.retain(|pointer| walk.properties(pointer) != BTreeSet::from(crate::LOCALES));
        for pointer in left {
            problems.push(format!(
                "no file here has a table of the kind #{pointer} of the {file_kind} schema: give one to RARE or RARE_SOURCE, so that its keys are compared"
            ));
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// Every schema within a schema, with its pointer.
fn visit(schema: &Value, pointer: &str, seen: &mut impl FnMut(&str, &Value)) {
    seen(pointer, schema);
    for key in ["additionalProperties", "propertyNames", "items", "not", "if", "then", "else"] {
        schema.get(key).into_iter().for_each(|below| visit(below, &format!("{pointer}/{key}"), seen));
    }
    for key in ["properties", "$defs", "anyOf"] {
        let Some(below) = schema.get(key) else { continue };
        below.as_object().into_iter().flatten().for_each(|(name, below)| visit(below, &format!("{pointer}/{key}/{name}"), seen));
        below.as_array().into_iter().flatten().for_each(|below| visit(below, &format!("{pointer}/{key}"), seen));
    }
}

#[test]
fn every_key_is_explained() {
    for schema in [rule_schema(), source_schema()] {
        visit(&schema, "#", &mut |pointer, schema| {
            let is_table = schema.get("additionalProperties") == Some(&json!(false));
            for (key, value) in schema.get("properties").and_then(Value::as_object).into_iter().flatten().filter(|_| is_table) {
                let about = value.get("description").and_then(Value::as_str).unwrap_or_default();
                assert!(about.ends_with('.') || crate::LOCALES.contains(&key.as_str()), "{pointer}: say what `{key}` means: {about:?}");
            }
        });
    }
    let explained: BTreeSet<&str> = condition::ABOUT.iter().map(|(operator, _)| *operator).collect();
    let known: BTreeSet<&str> = OPERATORS.iter().map(|(operator, _)| *operator).collect();
    assert_eq!(explained, known, "ABOUT in schema/condition.rs has one line for each operator");
}

#[test]
fn editors_that_know_little_read_the_schemas_too() {
    for schema in [rule_schema(), source_schema()] {
        visit(&schema, "#", &mut |pointer, schema| {
            let alone = schema.get("$ref").is_none() || schema.as_object().is_some_and(|schema| schema.len() == 1);
            assert!(alone, "{pointer}: nothing may stand beside a `$ref`");
            for key in ["allOf", "oneOf", "prefixItems", "unevaluatedProperties", "dependentSchemas", "patternProperties"] {
                assert!(schema.get(key).is_none(), "{pointer}: `{key}` is not for every editor");
            }
        });
    }
}

//! What the tests of this crate share: the shipped files, and a plugin that says what `reminder` says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use zelo_core::grants::Capability;
use zelo_core::{AutomationId, Candidate, Event, EventId, Indexer, Job, JobId, JobState, Origin, Plan, Timestamp};
use zelo_rules::{
    Automation, Delivery, FileText, Files, Headers, InForce, PluginFacts, PluginWords, Plugins, Read, Reading, RuleSet, SampleText, load,
    render,
};

use super::schema;

/// The installed plugins: the shipped `reminder`, a `maker` that can do everything inside, and a `caller` that calls elsewhere.
pub(crate) struct Installed;

impl Plugins for Installed {
    fn plugin(&self, name: &str) -> Option<PluginFacts> {
        if name == "maker" {
            let inputs =
                json!({ "type": "object", "properties": { "any": {}, "document": { "type": "string" }, "list": { "type": "array" } } });
            let imports = Capability::ALL.into_iter().filter(|capability| *capability != Capability::Http).collect();
            return Some(PluginFacts {
                name: "maker".to_owned(),
                version: "1.0.0".to_owned(),
                digest: "22".repeat(32),
                imports,
                inputs,
                words: PluginWords::default(),
            });
        }
        if name == "caller" {
            return Some(PluginFacts {
                name: "caller".to_owned(),
                version: "1.0.0".to_owned(),
                digest: "33".repeat(32),
                imports: vec![Capability::Log, Capability::Http],
                inputs: json!({ "type": "object", "properties": { "any": {} } }),
                words: PluginWords::default(),
            });
        }
        let found = ["reminder", "reminder@1"].contains(&name);
        found.then(|| PluginFacts {
            name: "reminder".to_owned(),
            version: "1.0.0".to_owned(),
            digest: "11".repeat(32),
            imports: vec![Capability::Log, Capability::Messages],
            inputs: json!({
                "type": "object",
                "required": ["to", "text"],
                "properties": {
                    "to": {"type": "string"}, "text": {"type": "string"}, "starts_at": {"type": "string"},
                    "duration_minutes": {"type": "integer"}, "title": {"type": "string"}, "location": {"type": "string"},
                },
            }),
            words: PluginWords::default(),
        })
    }

    fn names(&self) -> Vec<String> {
        vec!["caller".to_owned(), "maker".to_owned(), "reminder".to_owned()]
    }
}

/// The folder of the repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file of the repository, named from its root.
pub(crate) fn file(name: &str) -> FileText {
    FileText { name: name.to_owned(), text: std::fs::read_to_string(root().join(name)).unwrap() }
}

/// The files that ship.
pub(crate) fn shipped() -> Files {
    Files {
        sources: vec![file("rules/sources/clinicarx.toml")],
        rules: vec![file("rules/automations/appointment-reminder.toml")],
        samples: vec![],
    }
}

/// `files`, which must load without a finding.
pub(crate) fn loaded(files: &Files) -> RuleSet {
    let loaded = load(files, &Installed);
    assert!(loaded.diagnostics.is_empty(), "{}", render(&loaded.diagnostics, files));
    schema::assert_fits(files);
    loaded.set.unwrap()
}

/// A set of the shipped source and one rule. It may declare more than it uses: rules of tests are cut from longer ones.
pub(crate) fn with_rule(text: &str) -> RuleSet {
    let mut files = shipped();
    files.rules = vec![FileText { name: "rule.toml".to_owned(), text: text.to_owned() }];
    let mut loaded = load(&files, &Installed);
    loaded.diagnostics.retain(|found| !["unused-setting", "unused-lookup"].contains(&found.code));
    assert!(loaded.diagnostics.is_empty(), "{}", render(&loaded.diagnostics, &files));
    loaded.set.unwrap()
}

/// The samples that `source` names, read from where it stands in `folder`.
pub(crate) fn samples_of(source: &FileText, folder: &Path) -> Vec<SampleText> {
    let read = |name: String| {
        let text = std::fs::read_to_string(folder.join(&name)).map_err(|_| "there is no such file".to_owned());
        SampleText { source: source.name.clone(), name, text }
    };
    source.samples().into_iter().map(read).collect()
}

/// The same of rules that may earn warnings.
pub(crate) fn with_odd_rules(texts: &[String]) -> RuleSet {
    let mut files = shipped();
    let rule = |(index, text): (usize, &String)| FileText { name: format!("rule-{index}.toml"), text: text.clone() };
    files.rules = texts.iter().enumerate().map(rule).collect();
    let loaded = load(&files, &Installed);
    let set = loaded.set.unwrap_or_else(|| panic!("{}", render(&loaded.diagnostics, &files)));
    schema::assert_fits(&files);
    set
}

/// A sample event's text.
pub(crate) fn sample(name: &str) -> String {
    file(&format!("examples/events/{name}.json")).text
}

/// A sample event, with some values changed.
pub(crate) fn changed(name: &str, changes: &[(&str, Value)]) -> Value {
    let mut data: Value = serde_json::from_str(&sample(name)).unwrap();
    for (pointer, value) in changes {
        *data.pointer_mut(pointer).unwrap() = value.clone();
    }
    data
}

/// What the source reads from a body at a path.
pub(crate) fn reading(set: &RuleSet, path: &str, body: &[u8]) -> Reading {
    let headers = Headers::default();
    match set.source("clinicarx").unwrap().read(&Delivery { path, url: "", headers: &headers, body }).unwrap() {
        Read::Event(reading) => reading,
        Read::Ignored { why } => panic!("ignored: {why}"),
    }
}

/// An event of connection `centro` as the runtime would make it.
pub(crate) fn event(set: &RuleSet, path: &str, data: &Value) -> Event {
    let reading = reading(set, path, data.to_string().as_bytes());
    let received = "2026-03-02T12:30:00Z".parse().unwrap();
    Event {
        subjects: reading.subjects(),
        id: EventId::from_bytes([7; 16]),
        connection: "centro".to_owned(),
        source: "clinicarx".to_owned(),
        kind: reading.kind,
        time: reading.time.unwrap_or(received),
        received,
        entity: reading.entity,
        clinic: reading.clinic,
        data: reading.data,
        cause: None,
    }
}

/// The job that `candidate` wants because of `event`, running for the first time.
pub(crate) fn running(event: &Event, candidate: Candidate) -> Job {
    let Candidate { origin, plan } = candidate;
    let Origin { automation, rule, action, rule_digest } = Arc::unwrap_or_clone(origin);
    let Plan::Fire { key, lookups, lane, .. } = plan else { panic!("it does not fire") };
    Job {
        id: JobId::derive(event.id, &automation, &action),
        event: event.id,
        connection: event.connection.clone(),
        clinic: event.clinic.clone(),
        entity: None,
        automation,
        rule,
        action,
        rule_digest,
        key,
        lane,
        lookups,
        needs: Vec::new(),
        collected: 0,
        anchor: None,
        reference: Timestamp::UNIX_EPOCH,
        due: Timestamp::UNIX_EPOCH,
        expires: None,
        run_at: Timestamp::UNIX_EPOCH,
        state: JobState::Running,
        attempt: 1,
        lease: 1,
        attention: None,
        reason: None,
        cancel: None,
        again: false,
        in_flight: false,
        plugin: None,
        moved: None,
    }
}

/// `rule` switched on for `centro`, or one clinic of it.
pub(crate) fn automation(rule: &str, clinic: Option<&str>, settings: Value) -> Automation {
    Automation {
        id: AutomationId::new(rule, "centro", clinic),
        rule: rule.to_owned(),
        connection: "centro".to_owned(),
        clinic: clinic.map(str::to_owned),
        settings: settings.as_object().cloned().unwrap_or_else(Map::new),
        enabled: true,
    }
}

/// `set` with automations that must all be fine.
pub(crate) fn in_force(set: &RuleSet, automations: Vec<Automation>) -> InForce {
    let in_force = InForce::new(Arc::new(set.clone()), automations);
    assert_eq!(in_force.problems(), []);
    in_force
}

/// Keyed hashes for tests.
pub(crate) fn indexer() -> Indexer {
    Indexer::new(&[3; 32])
}

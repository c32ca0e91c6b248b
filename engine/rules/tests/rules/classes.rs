//! How delicate the fields of the shipped sources are: every one of them on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;

use serde_json::{Value, json};
use zelo_core::IdentityKind;
use zelo_rules::{Class, Delivery, FileText, Files, Format, Headers, Path, RuleSet, Source, read_document};

use super::common::{file, loaded, root, shipped};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Those whose every field has a class by name: what clinics work with all day. Of the others' fields most stay sensitive, as nobody named them.
const CLASSIFIED: [&str; 2] = ["clinicarx", "plotado"];

fn of_files(names: impl IntoIterator<Item = String>) -> RuleSet {
    let sources = names.into_iter().map(|name| file(&format!("rules/sources/{name}"))).collect();
    loaded(&Files { sources, rules: vec![], samples: vec![] })
}

fn classified_sources() -> RuleSet {
    of_files(CLASSIFIED.map(|id| format!("{id}.toml")))
}

fn all_sources() -> RuleSet {
    let sources = std::fs::read_dir(root().join("rules/sources")).unwrap();
    let names = sources.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    of_files(names.filter(|name| FilePath::new(name).extension().is_some_and(|extension| extension == "toml")))
}

#[test]
fn fields_are_classified() {
    let set = loaded(&shipped());
    let source = set.source("clinicarx").unwrap();
    for (kind, text, class) in [
        ("appointment.created", "$.data.clinic.name", Class::Public),
        ("appointment.created", "$.data.patient.name", Class::Personal),
        ("appointment.created", "$.data.patient", Class::Sensitive),
        ("appointment.created", "$.data.annotations", Class::Sensitive),
        ("appointment.created", "$", Class::Sensitive),
        ("attendance.finished", "$.data.services[*].service_name", Class::Sensitive),
        // One path, other things.
        ("patient.created", "$.data.name", Class::Personal),
        ("clinic.created", "$.data.name", Class::Public),
        ("service.created", "$.data.name", Class::Public),
        ("patient.created", "$.data.id", Class::Personal),
        ("clinic.created", "$.data.id", Class::Public),
        ("patient.created", "$.data.religion", Class::Sensitive),
        // What an edit copies.
        ("patient.updated", "$.modified_data.edited_data.new_data.name", Class::Personal),
        ("patient.updated", "$.modified_data.edited_data.old_data.addresses[*].street", Class::Personal),
        ("patient.updated", "$.modified_data.edited_data.old_data.religion", Class::Sensitive),
        ("patient.updated", "$.modified_data.edited_data.new_data", Class::Sensitive),
        ("patient.updated", "$.modified_data.edited_data.category", Class::Public),
        ("patient.updated", "$.modified_data.edited_data", Class::Sensitive),
        ("patient.updated", "$.modified_data", Class::Sensitive),
        ("clinic.updated", "$.modified_data.edited_data.new_data.name", Class::Public),
        ("clinic.updated", "$.modified_data.edited_data.new_data.tos", Class::Personal),
        ("attendance.started", "$.data.nobody_knows", Class::Sensitive),
    ] {
        assert_eq!(source.class(kind, &path(text)), class, "{kind} {text}");
    }
    assert_eq!(source.declared_class("attendance.started", &path("$.data.nobody_knows")), None);
}

#[test]
fn records_have_the_classes_of_what_feeds_them() {
    let set = loaded(&shipped());
    let source = set.source("clinicarx").unwrap();
    for (kind, text, class) in [
        ("patient", "$.phones[0]", Class::Personal),
        ("patient", "$.religion", Class::Sensitive),
        ("clinic", "$.timezone", Class::Public),
        ("clinic", "$.phones[0]", Class::Public),
        ("clinic", "$.addresses[0].street", Class::Public),
        ("service", "$[*].price", Class::Public),
        // All of it: the most delicate field decides.
        ("user", "$", Class::Personal),
        ("nothing", "$.name", Class::Sensitive),
    ] {
        assert_eq!(source.record_class(kind, &path(text)), class, "{kind} {text}");
    }
}

#[test]
fn who_booked_at_a_clinic_is_more_than_who_wrote_to_one() {
    let set = classified_sources();
    let source = set.source("plotado").unwrap();
    let classes = |kind: &str| ["$.nome", "$.telefone", "$.mensagem"].map(|text| source.class(kind, &path(text)));
    assert_eq!(classes("lead.created"), [Class::Personal, Class::Personal, Class::Sensitive]);
    assert_eq!(classes("lead.booked"), [Class::Sensitive; 3]);
    assert!(!source.health && set.source("clinicarx").unwrap().health);
}

/// The JSONPaths of all that stands in `value` and has nothing in it.
fn leaves(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(name, value)| leaves(value, &format!("{at}['{name}']"), found));
        }
        Value::Array(items) if !items.is_empty() => items.iter().for_each(|item| leaves(item, &format!("{at}[0]"), found)),
        _ => drop(found.insert(at.to_owned())),
    }
}

/// The leaves of the samples of `source` that nobody classified: left to chance.
fn left_to_chance(source: &Source) -> Vec<String> {
    let mut left = Vec::new();
    for event in &source.events {
        let name = event.sample.as_ref().unwrap_or_else(|| panic!("{} has no sample", event.kind));
        let body = std::fs::read(root().join("rules/sources").join(FilePath::new(name))).unwrap();
        let headers = Headers::default();
        let data = source.data(&Delivery { path: "", url: "", headers: &headers, body: &body }).unwrap();
        let mut found = BTreeSet::new();
        leaves(&data, "$", &mut found);
        assert!(found.len() > 2, "{name}");
        // A copy of nothing says nothing.
        let copies: Vec<Path> = event.changes.iter().flat_map(|changes| [changes.old.clone(), changes.new.clone()]).collect();
        let is_empty_copy = |text: &str| copies.iter().any(|copy| format!("{copy:?}") == format!("{:?}", path(&dotted(text))));
        let unknown = found.iter().filter(|text| source.declared_class(&event.kind, &path(text)).is_none() && !is_empty_copy(text));
        left.extend(unknown.map(|text| format!("{} {}", event.kind, dotted(text))));
    }
    left
}

/// As people write it.
fn dotted(text: &str) -> String {
    text.replace("['", ".").replace("']", "")
}

#[test]
fn no_field_of_a_shipped_source_is_left_to_chance() {
    let set = classified_sources();
    for source in set.sources() {
        let left = left_to_chance(source);
        assert!(left.is_empty(), "nobody classified these of `{}`; name them in its [classes]:\n{}", source.id, left.join("\n"));
    }
}

#[test]
fn what_is_left_to_chance_is_found() {
    let text = file("rules/sources/clinicarx.toml").text.replace("\"$.data.religion\", ", "").replace("\"$.data.occupation\", ", "");
    let files = Files { sources: vec![FileText { name: "clinicarx.toml".to_owned(), text }], rules: vec![], samples: vec![] };
    let left = left_to_chance(loaded(&files).source("clinicarx").unwrap());
    assert_eq!(
        left,
        [
            "patient.created $.data.occupation",
            "patient.created $.data.religion",
            "patient.created $.modified_data.edited_data.new_data.occupation",
            "patient.created $.modified_data.edited_data.new_data.religion",
            "patient.updated $.data.occupation",
            "patient.updated $.data.religion",
        ]
    );
}

#[test]
fn each_type_of_a_shipped_source_has_the_class_of_its_sample() {
    let set = classified_sources();
    let classified = set.classified();
    let mut found = BTreeMap::new();
    for source in set.sources() {
        for event in &source.events {
            let name = event.sample.as_ref().unwrap();
            let body = std::fs::read(root().join("rules/sources").join(FilePath::new(name))).unwrap();
            let headers = Headers::default();
            let data = source.data(&Delivery { path: "", url: "", headers: &headers, body: &body }).unwrap();
            let mut all = BTreeSet::new();
            leaves(&data, "$", &mut all);
            // Of what is empty, nothing can be told.
            let all = all.iter().filter(|text| !path(text).nodes(&data).iter().any(|value| *value == json!({}) || *value == json!([])));
            let most = all.map(|text| source.class(&event.kind, &path(text))).max().unwrap();
            assert_eq!(source.event_class(&event.kind), most, "{}", event.kind);
            found.insert(event.kind.clone(), most);
        }
    }
    let of = |class: Class| found.iter().filter(|(_, of)| **of == class).map(|(kind, _)| kind.as_str()).collect::<Vec<_>>();
    assert_eq!(of(Class::Public), ["service.created", "service.updated"]);
    assert!(of(Class::Sensitive).contains(&"attendance.finished") && of(Class::Personal).contains(&"user.created"));
    assert!(found.iter().all(|(kind, class)| classified.events[kind] >= *class));
}

/// The clinic's own numbers.
const OF_NO_PATIENT: [&str; 3] = [
    "meta-whatsapp $.entry[0].changes[0].value.message_echoes[0].from",
    "meta-whatsapp $.entry[0].changes[0].value.metadata.display_phone_number",
    "meta-whatsapp $.entry[0].changes[0].value.phone_number",
];

#[test]
fn what_people_are_known_by_is_public_in_no_source() {
    let set = all_sources();
    let (mut looked_at, mut wrong) = (0, BTreeSet::new());
    for source in set.sources() {
        for (kind, name) in source.events.iter().filter_map(|event| Some((&event.kind, event.sample.as_ref()?))) {
            let place = root().join("rules/sources").join(FilePath::new(name));
            // Payloads that are no bodies have samples of what they become.
            let body = std::fs::read(&place).unwrap();
            let format = match place.extension().and_then(|end| end.to_str()) {
                Some("xml") => Format::Xml,
                Some("form") => Format::Form,
                _ => Format::Json,
            };
            let data = read_document(&body, format, source.xml_root.as_deref()).unwrap();
            let mut found = BTreeSet::new();
            leaves(&data, "$", &mut found);
            for text in &found {
                let value = path(text).nodes(&data).iter().find_map(|value| value.as_str()).unwrap_or_default();
                let known = IdentityKind::ALL.into_iter().find(|kind| is_somebody(*kind, value));
                let Some(known) = known else { continue };
                looked_at += 1;
                if source.class(kind, &path(text)) == Class::Public
                    && !OF_NO_PATIENT.contains(&format!("{} {}", source.id, dotted(text)).as_str())
                {
                    wrong.insert(format!("{} {}: looks like a {}", source.id, dotted(text), known.as_str()));
                }
            }
        }
    }
    assert!(
        looked_at > 50 && wrong.is_empty(),
        "{looked_at} were looked at; public are:\n{}",
        wrong.into_iter().collect::<Vec<_>>().join("\n")
    );
}

/// Whether `text` is beyond doubt what somebody is known by.
fn is_somebody(kind: IdentityKind, text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let plain = text.chars().all(|char| char.is_ascii_digit() || "+-. ()".contains(char));
    let fits = match kind {
        IdentityKind::Email => text.contains('@'),
        IdentityKind::Phone => plain && digits >= 12 && (text.starts_with("55") || text.starts_with('+')),
        IdentityKind::Cpf => plain && digits == 11,
    };
    fits && zelo_rules::common_identity(kind, text).is_some()
}

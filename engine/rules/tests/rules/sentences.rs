//! The rules that ship, in words: `sentences.txt` is what people read. `UPDATE=1` writes it anew; read it before keeping it.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use zelo_core::grants::Capability;
use zelo_rules::{FileText, Files, Localised, PluginFacts, PluginWords, Plugins, RuleSet, Text, load, render};

use super::common::{file, root, with_rule};

/// The plugins that ship, as their manifests describe them.
struct Manifests;

impl Plugins for Manifests {
    fn plugin(&self, name: &str) -> Option<PluginFacts> {
        let text = std::fs::read_to_string(root().join("plugins").join(name).join("plugin.toml")).ok()?;
        let manifest: toml::Table = text.parse().unwrap();
        let manifest = serde_json::to_value(manifest).unwrap();
        let text = |key: &str| -> Option<Text> {
            let each = manifest[key].as_object()?.iter();
            Some(Localised::Each(each.map(|(locale, text)| (locale.clone(), text.as_str().unwrap().to_owned())).collect()))
        };
        let wants = manifest["wants"].as_array().unwrap().iter();
        let wants = wants.map(|want| serde_json::from_value::<Capability>(want["capability"].clone()).unwrap());
        Some(PluginFacts {
            name: name.to_owned(),
            version: manifest["version"].as_str().unwrap().to_owned(),
            digest: "33".repeat(32),
            imports: wants.chain([Capability::Log]).collect(),
            inputs: manifest["inputs"].clone(),
            words: PluginWords { title: text("title"), does: text("description") },
        })
    }

    fn names(&self) -> Vec<String> {
        ["crm", "message", "receipt", "reminder"].map(str::to_owned).to_vec()
    }
}

fn folder(name: &str) -> Vec<FileText> {
    let entries = std::fs::read_dir(root().join(name)).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.iter().map(|found| file(&format!("{name}/{found}"))).collect()
}

fn shipped() -> RuleSet {
    let files = Files { sources: folder("rules/sources"), rules: folder("rules/automations"), samples: Vec::new() };
    let loaded = load(&files, &Manifests);
    loaded.set.unwrap_or_else(|| panic!("{}", render(&loaded.diagnostics, &files)))
}

fn sentence(set: &RuleSet, rule: &str, settings: Value, locale: &str) -> String {
    set.sentence(rule, settings.as_object().unwrap_or(&Map::new()), locale).unwrap().to_string()
}

#[test]
fn the_rules_that_ship_read_like_this() {
    let set = shipped();
    let mut told = String::new();
    for rule in set.rules() {
        for locale in zelo_rules::LOCALES {
            writeln!(told, "{} ({locale})\n{}\n", rule.id, sentence(&set, &rule.id, Value::Null, locale)).unwrap();
        }
    }
    let expected = root().join("engine/rules/tests/rules/sentences.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&expected, &told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(&expected).unwrap_or_default(), "{}", expected.display());
}

#[test]
fn a_sentence_has_what_a_clinic_chose() {
    let set = shipped();
    let told = sentence(&set, "appointment-reminder", json!({ "hours_before": 48, "from": "09:30" }), "pt-BR");
    assert!(told.contains("2 dias antes do início previsto"), "{told}");
    assert!(told.contains("entre 09:30 e 20:00 no fuso horário da clínica"), "{told}");
    let told = sentence(&set, "lead-welcome", json!({ "team": "(11) 91234-5678" }), "en");
    assert!(told.contains("2. Sends a message to “(11) 91234-5678”"), "{told}");
    assert!(set.sentence("no-such-rule", &Map::new(), "en").is_none());
}

#[test]
fn every_event_and_every_field_of_the_rules_that_ship_has_words() {
    let set = shipped();
    for source in set.sources() {
        for kind in source.types() {
            let named = source.events.iter().any(|event| event.kind == kind && event.title.is_some());
            assert!(named, "{kind} of {} has no words", source.id);
        }
    }
    for rule in set.rules() {
        let overview = set.overview(&rule.id).unwrap();
        for field in overview.actions.iter().flat_map(|action| &action.fields) {
            assert!(field.words.values().all(|words| !words.contains('“')), "{}: {} has no words: {:?}", rule.id, field.path, field.words);
        }
        for told in overview.sentence.values() {
            assert!(!told.contains("“$"), "{told}");
        }
    }
}

#[test]
fn an_overview_is_all_that_a_person_wants_to_know() {
    let told = serde_json::to_value(shipped().overview("appointment-reminder").unwrap()).unwrap();
    let action = &told["actions"][0];
    assert_eq!((&action["basis"], &action["purpose"]["en"]), (&json!("lgpd:11.II.f"), &json!("Remind the patient of an appointment")));
    assert_eq!(
        action["fields"][1],
        json!({
            "name": "clinic", "record": null, "path": "$.data.clinic.name", "class": "public", "class_from": { "source": "clinicarx" }, "as": null,
            "words": { "pt-BR": "o nome da clínica", "en": "the clinic's name" },
        })
    );
    let patient = action["fields"].as_array().unwrap().iter().find(|field| field["name"] == "patient").unwrap();
    assert_eq!((&patient["as"], &patient["class"]), (&json!("first_name"), &json!("personal")));
    assert_eq!(patient["words"]["pt-BR"], "o nome do paciente (só o primeiro nome)");
    assert_eq!((&action["basis_words"]["en"], &action["class"]), (&json!("health care"), &json!("personal")));
    let words = json!({ "pt-BR": "não é feito para quem retirou o consentimento para mensagens", "en": "not done for who has withdrawn consent to messages" });
    assert_eq!(action["consent"], json!({ "topic": "messages", "needed": false, "words": words }));
    assert_eq!(action["grants"][0]["grant"], "messages");
    assert_eq!(
        action["grants"][0]["words"]["en"],
        "sends a message to the patient's phone number by WhatsApp or, where there is none, through the outbox"
    );
    assert_eq!((&told["settings"][0]["type"], &told["settings"][0]["max"]), (&json!("integer"), &json!(168)));
    assert_eq!(told["tests"].as_array().unwrap().len(), 19);
    assert_eq!(told["file"], "rules/automations/appointment-reminder.toml");
    let card = serde_json::to_value(shipped().overview("lead-welcome").unwrap()).unwrap();
    assert_eq!(
        card["actions"][2]["grants"][0]["words"]["pt-BR"],
        "grava “contact” (email, last_contact, name, notes, phone e stage) do registro cujo id é o telefone do contato"
    );
}

#[test]
fn what_is_made_of_several_events_is_said() {
    let set = with_rule(
        "id = \"r\"\ntitle = \"R\"\non = \"appointment.created\"\n[[then]]\nname = \"a\"\nplugin = \"reminder\"\nthrottle = { limit = 2, per = \"1d\" }\ndebounce = { wait = \"30s\", max = \"5m\" }\nwith = { to = \"x\", text = \"y\" }\ngrant.messages = { channels = [\"outbox\"], to = [\"x\"] }\n",
    );
    for (locale, said) in [
        (
            "pt-BR",
            "No máximo 2 vezes em 24 horas. Espera até nada mais chegar por 30 segundos, no máximo 5 minutos depois do primeiro, e é feito uma vez para todos.",
        ),
        (
            "en",
            "At most 2 times within 24 hours. Waits until nothing more comes for 30 seconds, at most 5 minutes after the first, and is done once for all of them.",
        ),
    ] {
        let sentence = set.sentence("r", &serde_json::Map::new(), locale).unwrap().to_string();
        assert!(sentence.ends_with(said), "{sentence}");
    }
}

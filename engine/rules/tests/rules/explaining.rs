//! Explanations: the same as what happens, with no value that was not asked for.

use std::collections::HashMap;

use serde_json::{Value, json};
use zelo_core::timing::Records;
use zelo_core::{KeyHash, Plan};
use zelo_rules::{Class, Explanation, InForce, Outcome, Question, RuleSet};

use super::common::{automation, changed, event, file, in_force, indexer, loaded, with_rule};

struct Known(HashMap<KeyHash, Value>);

impl Records for Known {
    fn record(&self, hash: KeyHash) -> Option<&Value> {
        self.0.get(&hash)
    }
}

fn explain(set: &RuleSet, in_force: &InForce, (path, data): (&str, &Value), reveal: Class, locale: &str) -> Explanation {
    let event = event(set, path, data);
    in_force.explain(&Question { event: &event, index: &indexer(), records: &Known(HashMap::new()), reveal, locale })
}

/// A rule of its own with this [when] and these lines in its action.
fn rule(when: &str, action: &str) -> RuleSet {
    with_rule(&format!(
        "id = \"r\"\ntitle = {{ en = \"Rule\", pt-BR = \"Regra\" }}\non = \"appointment.*\"\n[when]\n{when}\n[lookup.patient]\nkey = \"$.data.patient.id\"\n[[then]]\nname = \"a\"\nplugin = \"reminder\"\n{action}\nwith = {{ to = \"x\", text = \"y\" }}\ngrant.messages = {{ channels = [\"outbox\"], to = [\"x\"] }}\n"
    ))
}

const SAMPLES: [(&str, &str); 4] = [
    ("appointment/new", "new-appointment"),
    ("appointment/edit", "edit-appointment"),
    ("appointment/cancel", "cancel-appointment"),
    ("patient/edit", "edit-patient"),
];

#[test]
fn what_is_told_is_what_happens() {
    let set = loaded(&zelo_rules::Files {
        sources: vec![file("rules/sources/clinicarx.toml")],
        rules: vec![file("rules/automations/appointment-reminder.toml")],
        ..Default::default()
    });
    let in_force = in_force(&set, vec![automation("appointment-reminder", None, json!({}))]);
    for (path, sample) in SAMPLES {
        for status in ["scheduled", "done"] {
            let data = match sample {
                "edit-patient" => changed(sample, &[]),
                _ => changed(sample, &[("/data/event_status", json!(status))]),
            };
            let event = event(&set, path, &data);
            let candidates = in_force.candidates(&event, &indexer());
            let told = explain(&set, &in_force, (path, &data), Class::Public, "en");
            assert_eq!(told.rules.len(), set.rules().count(), "every rule is told");
            let why: HashMap<String, String> = in_force.why_not(&event).into_iter().collect();
            for rule in &told.rules {
                let fires =
                    |candidate: &&zelo_core::Candidate| candidate.origin.rule == rule.rule && matches!(candidate.plan, Plan::Fire { .. });
                assert_eq!(rule.outcome == Outcome::Fires, candidates.iter().any(|candidate| fires(&candidate)), "{sample} {status}");
                assert_eq!(rule.why.is_none(), rule.outcome == Outcome::Fires, "what does not fire has a reason");
                for action in &rule.actions {
                    let fires = candidates.iter().filter(fires).any(|candidate| candidate.origin.action == action.action);
                    assert_eq!(action.outcome == Outcome::Fires, fires);
                    assert_eq!(action.job.is_some(), fires);
                }
                if let (Some(why), true) = (why.get(&rule.rule), rule.outcome == Outcome::Silent) {
                    assert_eq!(rule.why.as_ref(), Some(why), "the same words as everywhere");
                }
            }
        }
    }
}

#[test]
fn the_tree_says_which_clause_failed_first() {
    let set = rule(
        r#"all = [
          { any = [ { path = "$.data.event_status", equals = "x" }, { path = "$.data.event_status", equals = "scheduled" } ] },
          { not = { path = "$.data.scheduled_start_at", before = "2017-01-01" } },
          { path = "$.data.patient.document", as = "string", starts_with = "9" },
          { path = "$.data.clinic.name", gt = 3 },
        ]"#,
        "key = \"$.data.id\"",
    );
    let in_force = in_force(&set, vec![automation("r", None, json!({}))]);
    let data =
        changed("new-appointment", &[("/data/event_status", json!("scheduled")), ("/data/patient/document", json!(17052897890_i64))]);
    let told = explain(&set, &in_force, ("appointment/new", &data), Class::Public, "pt-BR");
    let text = told.render();
    let expected = "\
− r@centro · Regra
  não dispara: $.data.patient.document não começa como esperado
  quando
    ✗ tudo isto
      ✓ algum destes
        ✗ $.data.event_status equals \"x\"   visto: \"scheduled\"
        ✓ $.data.event_status equals \"scheduled\"   visto: \"scheduled\"
      ✓ não
        ✗ $.data.scheduled_start_at before \"2017-01-01\"   visto: \"2017-05-30 09:17:03\"
      ✗ $.data.patient.document as string starts_with \"9\"   visto: ‹número pessoal›   ← $.data.patient.document não começa como esperado
      ✗ $.data.clinic.name gt 3   visto: \"Drogaria Exemplo\"
  − a (reminder): cancela o que está pendente
";
    assert!(text.ends_with(expected), "{text}");
    let decisive = serde_json::to_string(&told).unwrap().matches("\"decisive\":true").count();
    assert_eq!(decisive, 1);
    let revealed = explain(&set, &in_force, ("appointment/new", &data), Class::Personal, "en").render();
    assert!(revealed.contains("seen: 17052897890"), "{revealed}");
    assert!(revealed.contains("does not fire: $.data.patient.document does not begin as wanted"), "{revealed}");
}

#[test]
fn a_wrong_type_is_said() {
    for (when, pt, en) in [
        ("path = \"$.data.clinic.name\"\ngt = 3", "é um texto, e não um número", "is a text, not a number"),
        ("path = \"$.data.clinic.active\"\nstarts_with = \"t\"", "é verdadeiro ou falso, e não um texto", "is true or false, not a text"),
        ("path = \"$.data.clinic.name\"\nbefore = \"now\"", "é um texto, e não uma data", "is a text, not a date"),
        (
            "path = \"$.data.clinic\"\nequals = \"x\"",
            "é um objeto, e o valor comparado é de outro tipo",
            "is an object, and is compared with another type",
        ),
        (
            "path = \"$.data.clinic.active\"\nlength = 3",
            "é verdadeiro ou falso, e não um texto, uma lista ou um objeto",
            "is true or false, not a text, a list or an object",
        ),
    ] {
        let set = rule(when, "");
        let in_force = in_force(&set, vec![automation("r", None, json!({}))]);
        for (locale, words) in [("pt-BR", pt), ("en", en)] {
            let told = explain(&set, &in_force, ("appointment/new", &changed("new-appointment", &[])), Class::Public, locale).render();
            assert!(told.contains(words), "{when}\n{told}");
        }
    }
}

#[test]
fn what_takes_too_much_to_tell_is_said() {
    let lists = Value::from(vec![(0..50).fold(json!(1), |inner, _| json!([inner])); 500]);
    for when in
        ["path = \"$..*..*\"\nequals = \"nowhere\"", "path = \"$..*..*\"\nmissing = true", "not = { path = \"$..*..*\", exists = true }"]
    {
        let set = rule(when, "");
        let in_force = in_force(&set, vec![automation("r", None, json!({}))]);
        let data = changed("new-appointment", &[("/data/clinic/name", lists.clone())]);
        for (locale, words) in [("pt-BR", "avaliar $..*..* exige processamento demais"), ("en", "$..*..* takes too much to evaluate")] {
            let told = explain(&set, &in_force, ("appointment/new", &data), Class::Public, locale);
            assert_eq!(told.rules[0].outcome, Outcome::Silent, "{when}");
            assert!(told.render().contains(words), "{when}\n{}", told.render());
        }
    }
}

#[test]
fn what_is_delicate_is_not_shown() {
    let set = rule(
        r#"any = [
          { path = "$.data.patient.name", equals = "nobody" },
          { path = "$.data.annotations", contains = "nothing" },
          { path = "$..name", equals = { path = "$.data.annotations" } },
          { path = "$.data.patient", length = 99 },
        ]"#,
        "only_if = [{ record = \"patient\", path = \"$.name\", equals = \"nobody\" }]",
    );
    let in_force = in_force(&set, vec![automation("r", None, json!({}))]);
    let data = changed("new-appointment", &[("/data/patient/name", json!("MARKER one")), ("/data/annotations", json!("MARKER two"))]);
    for (class, one, two) in [(Class::Public, false, false), (Class::Personal, true, false), (Class::Sensitive, true, true)] {
        let told = explain(&set, &in_force, ("appointment/new", &data), class, "en");
        let all = format!("{}{}{told:?}", told.render(), serde_json::to_string(&told).unwrap());
        assert_eq!((all.contains("MARKER one"), all.contains("MARKER two")), (one, two), "{class:?}");
        assert!(!format!("{told:?}").contains("MARKER"), "never through Debug");
    }
}

#[test]
fn the_job_says_when_and_what_it_waits_for() {
    let set = rule(
        "path = \"$.data.id\"\nexists = true",
        "at = { time = \"$.data.scheduled_start_at\", before = \"1h\" }\nexpires = \"30m\"\nonly_if = [{ record = \"patient\", path = \"$.phones[0]\", exists = true }]",
    );
    let in_force = in_force(&set, vec![automation("r", None, json!({}))]);
    let data = changed("new-appointment", &[("/data/scheduled_start_at", json!("2030-01-01 12:00:00"))]);
    let told = explain(&set, &in_force, ("appointment/new", &data), Class::Public, "pt-BR");
    let text = told.render();
    assert!(
        text.contains(
            "    ao executar, só se\n      ✗ patient $.phones[0] exists true   visto: nada   ← patient $.phones[0] está faltando\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("    → fica agendada e espera por um valor, para 2030-01-01T11:00:00Z, expira em 2030-01-01T11:30:00Z: patient $.phones[0] está faltando\n"),
        "{text}"
    );
}

#[test]
fn rules_that_are_off_or_about_something_else_are_told_too() {
    let set = rule("path = \"$.data.id\"\nexists = true", "");
    let off = in_force(&set, vec![]);
    let told = explain(&set, &off, ("appointment/new", &changed("new-appointment", &[])), Class::Public, "en");
    assert_eq!(told.rules[0].why.as_deref(), Some("it is not switched on for this connection"));
    assert!(told.rules[0].when.as_ref().is_some_and(|when| when.holds()), "its conditions are told all the same");
    assert!(told.rules[0].automation.is_none());
    let told = explain(&set, &off, ("patient/edit", &changed("edit-patient", &[])), Class::Public, "en");
    assert!(told.rules[0].when.is_none());
    let on = in_force(&set, vec![automation("r", None, json!({}))]);
    let told = explain(&set, &on, ("patient/edit", &changed("edit-patient", &[])), Class::Public, "pt-BR");
    assert_eq!(
        told.rules[0].why.as_deref(),
        Some("não trata de patient.updated, só de appointment.canceled, appointment.created, appointment.updated")
    );
}

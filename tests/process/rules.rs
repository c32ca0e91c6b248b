//! `zelo rules`: what is in force, in words.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::house::{House, within};

const REMINDER: &str = "rules/automations/appointment-reminder.toml";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn all_rules_are_listed_with_where_they_are_on() {
    let house = House::new("");
    let listed = house.ok(&["rules"]);
    assert!(listed.contains("appointment-reminder  Lembrete de consulta  ") && listed.contains("nunca foi ligada"), "{listed}");
    assert!(listed.contains("clinicarx: appointment.created, appointment.updated"), "{listed}");

    house.ok(&["automation", "enable", "appointment-reminder", "--set", "hours_before=48"]);
    house.ok(&["automation", "disable", "appointment-reminder", "--clinic", "c1"]);
    let told = json(&house.ok(&["rules", "--format", "json"]));
    let rule = told["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == "appointment-reminder").unwrap();
    let digest = rule["digest"].as_str().unwrap();
    assert!(rule["sentence"]["pt-BR"].as_str().unwrap().contains("24 horas antes do início previsto"), "{rule}");
    let automations = rule["automations"].as_array().unwrap();
    let on = automations.iter().find(|row| row["clinic"].is_null()).unwrap();
    assert!(on["sentence"]["en"].as_str().unwrap().contains("2 days before the scheduled start"), "{on}");
    assert!(automations.iter().any(|row| row["clinic"] == "c1" && row["enabled"] == false));
    let listed = house.ok(&["rules", "--lang", "en"]);
    assert!(listed.contains(&format!("appointment-reminder  Appointment reminder  {}\n", &digest[..12])), "{listed}");
    assert!(listed.contains("on  clinicarx  hours_before=48") && listed.contains("off clinicarx (clinic c1)"), "{listed}");
}

#[test]
fn one_rule_fits_one_screen() {
    let house = House::new("");
    house.ok(&["automation", "enable", "appointment-reminder", "--set", "hours_before=48"]);
    let screen = house.ok(&["rules", "show", "appointment-reminder"]);
    for part in [
        "Lembrete de consulta  (appointment-reminder)",
        "24 horas antes do início",
        "appointment.created, appointment.updated (clinicarx)",
        "Lembrar o paciente da consulta, lgpd:11.II.f (tutela da saúde)",
        "não é feito para quem retirou o consentimento para mensagens",
        "trata  dados pessoais",
        "pessoal    o nome do paciente (só o primeiro nome)  $.data.patient.name  as first_name",
        "o telefone do paciente  patient $.phones[0]",
        "pode  envia uma mensagem ao telefone do paciente",
        "hours_before integer (>= 1, <= 168), padrão 24  Horas antes",
        "ligada    clinicarx  hours_before=48",
        "2 dias antes do início",
        "reminds a day before, in local time",
        "appointment-reminder.toml",
    ] {
        assert!(screen.contains(part), "{part} in\n{screen}");
    }
    assert!(screen.lines().count() <= 60, "{screen}");
    let english = house.ok(&["rules", "show", "lead-welcome", "--lang", "en"]);
    assert!(english.starts_with("Welcome of a lead  (lead-welcome)\n\nWhen a new lead arrives"), "{english}");
    let told = json(&house.ok(&["rules", "show", "lead-welcome", "--format", "json"]));
    assert_eq!(told["actions"][2]["grants"][0]["grant"], "records");
}

#[test]
fn a_rule_that_is_not_there_is_told_so() {
    let house = House::new("");
    for arguments in [&["rules", "show", "apointment-reminder"][..], &["automation", "enable", "apointment-reminder"]] {
        let output = house.zelo(arguments);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("there is no rule `apointment-reminder`; did you mean `appointment-reminder`?"), "{said}");
    }
    assert_eq!(house.zelo(&["rules", "show", "lead-welcome", "--lang", "fr"]).status.code(), Some(2));
}

#[test]
fn broken_files_are_told_by_the_server_and_without_one() {
    let house = House::new("");
    let text = fs::read_to_string(house.path(REMINDER)).unwrap();
    let broken = text.replacen("appointment.created", "apointment.created", 1);
    {
        let _server = house.serve();
        fs::write(house.path(REMINDER), &broken).unwrap();
        let mut output = house.zelo(&["rules"]);
        within("the refusal is told", Duration::from_secs(20), || {
            output = house.zelo(&["rules"]);
            output.status.code() == Some(1)
        });
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("Os arquivos em disco não estão em vigor:") && said.contains("apointment.created"), "{said}");
        assert!(said.contains("appointment-reminder  Lembrete de consulta"), "what was in force still is: {said}");
        assert_eq!(house.zelo(&["rules", "show", "lead-welcome"]).status.code(), Some(1));
    }
    let output = house.zelo(&["rules"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("apointment.created"));
}

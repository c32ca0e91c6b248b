//! What is delivered: a clinic's new appointments, each of its own, signed as the provider signs; and the rules about them.

use std::fmt::Write;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::Sha256;

use crate::drive::Delivery;

pub(crate) const SECRET: &str = "a secret of the benchmark";
/// Bytes of a body, about.
pub(crate) const BODY: usize = 3 * 1024;
const PATIENTS: u64 = 5_000;
const CLINICS: u64 = 20;

/// A message to the outbox, at once, for an appointment that is scheduled.
pub(crate) const TELL: &str = r#"
id          = "tell"
title       = { en = "Tell", pt-BR = "Avisar" }
description = { en = "Tells of a new appointment.", pt-BR = "Avisa de uma nova consulta." }
source      = "clinicarx"
on          = ["appointment.created"]

[when]
path   = "$.data.event_status"
equals = "scheduled"

[[then]]
name    = "tell"
plugin  = "message"
purpose = { en = "Tell the patient of an appointment", pt-BR = "Avisar o paciente da consulta" }
basis   = "lgpd:11.II.f"

[then.allow]
to        = "$.data.patient.id"
patient   = { path = "$.data.patient.name", as = "first_name" }
clinic    = "$.data.clinic.name"
starts_at = "$.data.scheduled_start_at"

[then.with]
to   = "{{ to }}"
text = "Olá {{ patient }}, sua consulta na {{ clinic }} é em {{ starts_at }}."

[then.grant]
messages = { channels = ["outbox"], to = ["{{ to }}"] }
"#;

/// A rule about one clinic that there is not: it is in force, and fires for nothing.
pub(crate) fn bystander(number: usize) -> String {
    let rule = TELL.replacen("\"tell\"", &format!("\"tell-{number}\""), 1);
    rule.replacen(
        "path   = \"$.data.event_status\"\nequals = \"scheduled\"",
        &format!(
            "all = [\n  {{ path = \"$.data.event_status\", equals = \"scheduled\" }},\n  \
             {{ path = \"$.data.clinic.id\", equals = \"another-{number}\" }},\n]"
        ),
        1,
    )
}

/// How the appointments stand, which decides about the rules.
#[derive(Clone, Copy)]
pub(crate) enum Standing {
    /// Over: no rule fires.
    Done,
    /// In ten days.
    Scheduled,
}

/// Makes deliveries, none of which there was before.
pub(crate) struct Deliveries {
    sample: Value,
    now: Timestamp,
    last: u64,
}

impl Deliveries {
    pub(crate) fn new() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/events/new-appointment.json");
        let sample = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let now = Timestamp::from_second(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64).unwrap();
        Self { sample, now, last: 0 }
    }

    pub(crate) fn some(&mut self, number: usize, standing: Standing) -> Vec<Delivery> {
        (0..number).map(|_| self.one(standing)).collect()
    }

    fn one(&mut self, standing: Standing) -> Delivery {
        self.last += 1;
        let body = self.body(standing);
        let signature = signature(&body);
        let head = format!(
            "POST /hooks/clinicarx/appointment/new HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: load\r\ncontent-type: application/json\r\n\
             authorization: {signature}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Delivery::from([head.as_bytes(), body.as_bytes()].concat())
    }

    fn body(&self, standing: Standing) -> String {
        let number = self.last;
        let text = |instant: Timestamp| instant.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let (patient, clinic) = (number % PATIENTS, number % PATIENTS % CLINICS);
        let starts = self.now + SignedDuration::from_hours(240) + SignedDuration::from_mins((number % 10_000) as i64);
        let mut body = self.sample.clone();
        let data = &mut body["data"];
        data["id"] = format!("8a492139-c5be-4cf8-bfc0-{number:012x}").into();
        data["event_status"] = match standing {
            Standing::Done => "done".into(),
            Standing::Scheduled => "scheduled".into(),
        };
        data["scheduled_start_at"] = text(starts).into();
        data["scheduled_end_at"] = text(starts + SignedDuration::from_mins(30)).into();
        data["patient"]["id"] = format!("498124ed-53d5-46eb-89c9-{patient:012x}").into();
        data["patient"]["name"] = format!("Paciente {patient} da Silva").into();
        data["patient"]["document"] = (10_000_000_000 + patient * 1_234_567).into();
        data["clinic"]["id"] = format!("5f0c24ed-53d5-46eb-89c9-{clinic:012x}").into();
        data["clinic"]["identification"] = format!("Loja {clinic:02}").into();
        data["annotations"] = "".into();
        body["timestamp"] = text(self.now).into();
        // The free text of a clinic fills it.
        let room = BODY.saturating_sub(body.to_string().len());
        body["data"]["annotations"] = note(number, room).into();
        body.to_string()
    }
}

/// A text of so many bytes that repeats itself no more than people do.
fn note(seed: u64, bytes: usize) -> String {
    const WORDS: [&str; 16] = [
        "paciente",
        "retorno",
        "dose",
        "vacina",
        "exame",
        "sem",
        "queixas",
        "orientado",
        "em",
        "jejum",
        "alergia",
        "nega",
        "uso",
        "de",
        "medicamento",
        "hoje",
    ];
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(WORDS[(state >> 40) as usize % WORDS.len()]);
        text.push(' ');
    }
    text.truncate(bytes);
    text
}

/// As the provider signs: HMAC-SHA256 of the body, hexadecimal.
fn signature(body: &str) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

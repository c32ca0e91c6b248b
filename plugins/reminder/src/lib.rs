//! A message to a person, with the appointment for their calendar where a time is given.

use serde::Deserialize;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use zelo_plugin::{Context, Failure, File, Message, Outcome};

mod calendar;

use calendar::Entry;

/// Minutes that an appointment takes where nobody says.
const DURATION_MINUTES: u32 = 30;
/// A day: a longer appointment is a mistake.
const DURATION_MINUTES_MAX: u32 = 24 * 60;

/// What `plugin.toml` describes under `[inputs]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    to: String,
    text: String,
    starts_at: Option<String>,
    duration_minutes: Option<u32>,
    title: Option<String>,
    location: Option<String>,
}

/// Sends the message.
///
/// # Errors
/// A time that is none, or a message that the host refuses: both for good.
pub fn run(input: Input, context: &Context) -> Result<Outcome, Failure> {
    let attachment = input.starts_at.as_deref().map(|starts_at| attachment(starts_at, &input, context)).transpose()?;
    let message = Message::text(&input.to, &input.text);
    let sent = match attachment {
        Some(file) => message.attach(file).send()?,
        None => message.send()?,
    };
    let language = context.language();
    let by = sent.by(&language);
    let summary = if language == "pt" { format!("Lembrete enviado {by}") } else { format!("Reminder sent {by}") };
    Ok(Outcome::new("sent", summary))
}

zelo_plugin::export!(run);

fn attachment(starts_at: &str, input: &Input, context: &Context) -> Result<File, Failure> {
    let minutes = input.duration_minutes.unwrap_or(DURATION_MINUTES);
    if !(1..=DURATION_MINUTES_MAX).contains(&minutes) {
        return Err(Failure::permanent(format!("`duration_minutes` is {minutes}; it goes from 1 to {DURATION_MINUTES_MAX}")));
    }
    let starts = instant("starts_at", starts_at)?;
    let ends = starts.checked_add(time::Duration::minutes(minutes.into()));
    let ends = ends.ok_or_else(|| Failure::permanent("the appointment ends beyond the calendar"))?;
    let portuguese = context.language() == "pt";
    let entry = Entry {
        uid: &format!("{}@zelo", context.job_id),
        stamp: instant("now", &context.now)?,
        starts,
        ends,
        summary: input.title.as_deref().unwrap_or(if portuguese { "Consulta" } else { "Appointment" }),
        location: input.location.as_deref(),
    };
    let name = if portuguese { "consulta.ics" } else { "appointment.ics" };
    Ok(File::new(name, "text/calendar", entry.to_string()))
}

fn instant(what: &str, text: &str) -> Result<OffsetDateTime, Failure> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok().and_then(|time| time.checked_to_offset(UtcOffset::UTC));
    time.ok_or_else(|| Failure::permanent(format!("`{what}` is not a time with its offset (RFC 3339): `{text}`")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zelo_plugin::Attachment;
    use zelo_plugin::messages::Body;
    use zelo_plugin::testing::{Run, Setup, context};

    use super::*;

    fn file(run: &Run) -> &File {
        match &run.messages[0].attachments[..] {
            [Attachment::File(file)] => file,
            other => panic!("one file, not {other:?}"),
        }
    }

    fn attached(run: &Run) -> String {
        String::from_utf8(file(run).content.clone()).unwrap()
    }

    #[test]
    fn sends_the_text_to_the_person() {
        let run = Run::of(super::run, json!({ "to": "+55 11 98765-4321", "text": "Até amanhã." }));
        let outcome = run.outcome();
        assert_eq!((outcome.code.as_str(), outcome.summary.as_str()), ("sent", "Lembrete enviado pela caixa de saída"));
        let message = &run.messages[..];
        assert_eq!(message.len(), 1);
        assert_eq!((message[0].to.as_str(), &message[0].body), ("+55 11 98765-4321", &Body::Text("Até amanhã.".into())));
        assert_eq!((message[0].channel.as_deref(), message[0].attachments.len()), (None, 0), "the host picks the channel");
    }

    #[test]
    fn attaches_the_appointment_in_utc() {
        let run = Run::of(
            super::run,
            json!({ "to": "a@example.com", "text": "…", "starts_at": "2026-03-06T10:00:00-03:00", "duration_minutes": 45,
                    "title": "Consulta; Dra. Ana, 2º andar", "location": "Rua A, 10\nCentro" }),
        );
        let file = file(&run);
        assert_eq!((file.name.as_str(), file.media_type.as_str()), ("consulta.ics", "text/calendar"));
        assert_eq!(
            attached(&run),
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//zelo//reminder//EN\r\nCALSCALE:GREGORIAN\r\nMETHOD:PUBLISH\r\n\
             BEGIN:VEVENT\r\nUID:job_0199a5d3f8007000800000000000abcd@zelo\r\nDTSTAMP:20260302T120000Z\r\n\
             DTSTART:20260306T130000Z\r\nDTEND:20260306T134500Z\r\nSUMMARY:Consulta\\; Dra. Ana\\, 2º andar\r\n\
             LOCATION:Rua A\\, 10\\nCentro\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
    }

    #[test]
    fn takes_half_an_hour_where_nobody_says() {
        let run = Run::of(super::run, json!({ "to": "a", "text": "b", "starts_at": "2026-03-06T13:00:00Z", "duration_minutes": null }));
        assert!(attached(&run).contains("DTEND:20260306T133000Z") && attached(&run).contains("SUMMARY:Consulta\r\n"));
        let english = Setup { context: Context { locale: "en-GB".into(), ..context() }, ..Setup::new() };
        let run = english.run(super::run, json!({ "to": "a", "text": "b", "starts_at": "2026-03-06T13:00:00Z" }));
        assert!(attached(&run).contains("SUMMARY:Appointment\r\n"));
        assert_eq!(run.outcome().summary, "Reminder sent through the outbox");
    }

    #[test]
    fn the_same_job_gives_the_same_attachment() {
        let input = json!({ "to": "a", "text": "b", "starts_at": "2026-03-06T13:00:00Z" });
        assert_eq!(attached(&Run::of(super::run, &input)), attached(&Run::of(super::run, &input)));
    }

    #[test]
    fn refuses_what_it_cannot_understand() {
        let failure = |input: serde_json::Value| Run::of(super::run, input).failure().to_string();
        assert!(failure(json!({ "to": "a" })).contains("missing field `text`"));
        assert!(failure(json!({ "to": "a", "text": "b", "cc": "c" })).contains("unknown field `cc`"));
        assert!(failure(json!({ "to": "a", "text": "b", "starts_at": "2026-03-06T13:00:00" })).contains("offset"));
        assert!(failure(json!({ "to": "a", "text": "b", "starts_at": "2026-03-06T13:00:00Z", "duration_minutes": 0 })).contains("from 1"));
    }
}

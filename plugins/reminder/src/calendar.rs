//! One appointment as an iCalendar file (RFC 5545), in UTC so that no time zone has to travel with it.

use core::fmt::{self, Write};

use time::OffsetDateTime;

/// No line is longer, in octets, its end aside (RFC 5545 §3.1).
const LINE_OCTETS: usize = 75;

/// One appointment. Its `Display` is the file.
pub(crate) struct Entry<'a> {
    /// The same for the same appointment, forever.
    pub(crate) uid: &'a str,
    /// When this was written.
    pub(crate) stamp: OffsetDateTime,
    pub(crate) starts: OffsetDateTime,
    pub(crate) ends: OffsetDateTime,
    pub(crate) summary: &'a str,
    pub(crate) location: Option<&'a str>,
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fixed in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//zelo//reminder//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH"] {
            line(f, fixed)?;
        }
        line(f, "BEGIN:VEVENT")?;
        line(f, &format!("UID:{}", self.uid))?;
        line(f, &format!("DTSTAMP:{}", utc(self.stamp)))?;
        line(f, &format!("DTSTART:{}", utc(self.starts)))?;
        line(f, &format!("DTEND:{}", utc(self.ends)))?;
        line(f, &format!("SUMMARY:{}", escaped(self.summary)))?;
        if let Some(location) = self.location {
            line(f, &format!("LOCATION:{}", escaped(location)))?;
        }
        line(f, "END:VEVENT")?;
        line(f, "END:VCALENDAR")
    }
}

/// Form 2 of RFC 5545 §3.3.5, of a time in UTC.
fn utc(time: OffsetDateTime) -> String {
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", time.hour(), time.minute(), time.second())
}

/// Text as a value (RFC 5545 §3.3.11): backslash, semicolon, comma and line breaks are written out, other control
/// characters are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' | ';' | ',' => out.extend(['\\', character]),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' | '\n' => out.push_str("\\n"),
            '\t' => out.push(' '),
            control if control.is_control() => {}
            character => out.push(character),
        }
    }
    out
}

/// A line, folded: what is too long goes on in the next line, after a space. Never within a character.
fn line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut octets = 0;
    for character in text.chars() {
        if octets + character.len_utf8() > LINE_OCTETS {
            f.write_str("\r\n ")?;
            octets = 1;
        }
        f.write_char(character)?;
        octets += character.len_utf8();
    }
    f.write_str("\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(summary: &str) -> String {
        let at = |text: &str| OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap();
        Entry {
            uid: "job_1@zelo",
            stamp: at("2026-03-02T12:00:00Z"),
            starts: at("2026-03-06T23:45:00Z"),
            ends: at("2026-03-07T00:15:00Z"),
            summary,
            location: None,
        }
        .to_string()
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let summary = "Avaliação de acompanhamento à distância — ".repeat(6);
        let file = file(&summary);
        for line in file.split("\r\n") {
            assert!(line.len() <= LINE_OCTETS, "{} octets: {line}", line.len());
        }
        assert!(file.replace("\r\n ", "").contains(&format!("SUMMARY:{summary}\r\n")), "unfolding gives back what was folded");
    }

    #[test]
    fn nothing_in_a_text_can_end_its_line() {
        let file = file("a\r\nATTENDEE:mailto:b@example.com\rc\u{0}\u{1b}d\\e");
        assert!(file.contains("SUMMARY:a\\nATTENDEE:mailto:b@example.com\\ncd\\\\e\r\n"), "{file}");
        assert_eq!(file.matches('\n').count(), file.matches("\r\n").count());
    }

    #[test]
    fn an_appointment_may_end_on_the_next_day() {
        assert!(file("x").contains("DTSTART:20260306T234500Z\r\nDTEND:20260307T001500Z\r\n"));
    }
}

//! Example deliveries, for whoever wants to send one.

use super::{EventMapping, Format, Source};

/// An example of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The file of its body, as [`Source::file`] names it: relative to that file's folder.
    pub file: String,
    /// What follows `/hooks/{connection}/`; empty where the source does not mind.
    pub path: String,
    /// The headers that the source wants to see, without those that prove where it comes from.
    pub headers: Vec<(String, String)>,
}

impl Source {
    /// The example of an event of type `kind`: that of the first `[[events]]` of the type that has one.
    pub fn sample(&self, kind: &str) -> Option<Sample> {
        let json = if self.takes_cloudevents() { Format::CloudEvents } else { Format::Json };
        self.events.iter().filter(|event| event.kind == kind).find_map(|event| event.sample(json))
    }
}

impl EventMapping {
    /// `json` is what bodies in JSON are.
    fn sample(&self, json: Format) -> Option<Sample> {
        let file = self.sample.clone()?;
        let format = match file.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
            Some("json") => Some(json),
            Some("xml") => Some(Format::Xml),
            _ => None,
        };
        let mut headers: Vec<(String, String)> = self.matches.header.iter().cloned().collect();
        let said = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let Some(format) = format.filter(|_| !said) {
            headers.push(("content-type".to_owned(), format.media_type().to_owned()));
        }
        Some(Sample { file, path: self.matches.path.clone().unwrap_or_default(), headers })
    }
}

//! Example deliveries, for whoever wants to send one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::form::written;
use super::{EventMapping, Format, Source};

/// An example of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The file of its body, as [`Source::file`] names it: relative to that file's folder.
    pub file: String,
    /// What follows `/hooks/{connection}/`; empty where the source does not mind.
    pub path: String,
    /// The parameters of the URL that the source wants to see.
    pub query: BTreeMap<String, String>,
    /// The headers that the source wants to see, without those that prove where it comes from.
    pub headers: Vec<(String, String)>,
}

impl Sample {
    /// What follows `/hooks/{connection}/`, with the parameters.
    pub fn address(&self) -> String {
        let query = written(self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }
}

impl Source {
    /// Puts what `payload` is made of where it comes from, for a source whose payloads are no bodies.
    pub fn take_apart(&self, payload: &Value, sample: &mut Sample) {
        let Some(composed) = &self.payload else { return };
        let (headers, query) = composed.apart(payload);
        sample.headers.retain(|(name, _)| !headers.contains_key(&name.to_ascii_lowercase()));
        sample.headers.extend(headers);
        sample.query.extend(query);
    }

    /// The example of an event of type `kind`: that of the first `[[events]]` of the type that has one.
    pub fn sample(&self, kind: &str) -> Option<Sample> {
        self.samples().find_map(|(known, sample)| (known == kind).then_some(sample))
    }

    /// Every example, with its type.
    pub fn samples(&self) -> impl Iterator<Item = (&str, Sample)> {
        self.events.iter().filter_map(|event| {
            let mut sample = event.sample()?;
            if self.takes_cloudevents() {
                let types = sample.headers.iter_mut().filter(|(name, value)| name == "content-type" && value == Format::Json.media_type());
                types.for_each(|(_, value)| *value = Format::CloudEvents.media_type().to_owned());
            }
            Some((event.kind.as_str(), sample))
        })
    }
}

impl EventMapping {
    fn sample(&self) -> Option<Sample> {
        Some(self.sent(self.sample.clone()?))
    }

    /// A delivery that becomes such an event, with the body `file`.
    pub fn sent(&self, file: String) -> Sample {
        let format = Format::of_file(&file);
        let mut headers: Vec<(String, String)> = self.matches.header.iter().cloned().collect();
        let said = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let Some(format) = format.filter(|_| !said) {
            headers.push(("content-type".to_owned(), format.media_type().to_owned()));
        }
        let query = self.matches.query.iter().cloned().collect();
        Sample { file, path: self.matches.path.clone().unwrap_or_default(), query, headers }
    }
}

impl Format {
    /// The format of an example, as the end of its name says it.
    pub(crate) fn of_file(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "xml" => Some(Self::Xml),
            "form" => Some(Self::Form),
            _ => None,
        }
    }
}

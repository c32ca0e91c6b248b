//! The examples that sources name, as documents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Everything;
use crate::diagnostic::{Report, warning};
use crate::document::read_document;
use crate::files::SampleText;
use crate::path::Example;
use crate::reader::{Table, parse};
use crate::rule::Rule;
use crate::source::{Format, RecordMapping, Source};

/// One example, of an event or of a record.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) value: Value,
    is_xml: bool,
}

/// The examples of all sources.
pub(super) struct Samples<'s> {
    sources: &'s BTreeMap<String, Source>,
    /// By source and type.
    events: BTreeMap<(String, String), Vec<Sample>>,
}

/// Examples of some types: enough of them to say what never stands in an event.
pub(super) struct Seen<'s> {
    /// What they are examples of, for messages.
    pub(super) of: String,
    pub(super) samples: Vec<&'s Sample>,
}

impl Sample {
    fn of(text: &str, name: &str, xml_root: Option<&str>) -> Result<Self, String> {
        let begins = if text.trim_start().starts_with('<') { Format::Xml } else { Format::Json };
        let format = Format::of_file(name).unwrap_or(begins);
        Ok(Self { value: read_document(text.as_bytes(), format, xml_root)?, is_xml: format == Format::Xml })
    }

    /// The same as the only element of a list.
    pub(super) fn in_list(self) -> Self {
        Self { value: Value::Array(vec![self.value]), ..self }
    }

    pub(super) fn example(&self) -> Example<'_> {
        Example { value: &self.value, lists_may_be_single: self.is_xml }
    }
}

impl Seen<'_> {
    pub(super) fn examples(&self) -> Vec<Example<'_>> {
        self.samples.iter().map(|sample| sample.example()).collect()
    }
}

impl<'s> Samples<'s> {
    /// Reads the examples, reporting at the places that name them those that cannot be read.
    pub(super) fn read(everything: &Everything<'s>, reports: &[Report<'_>]) -> Self {
        let mut events: BTreeMap<(String, String), Vec<Sample>> = BTreeMap::new();
        for report in reports {
            let Some(source) = everything.sources.values().find(|source| source.file == report.file.name) else { continue };
            let scratch = Report::new(report.file);
            let Some(document) = parse(&scratch) else { continue };
            for event in Table::root(&scratch, &document).tables("events") {
                let (Some(kind), Some(name)) = (event.string("type"), event.string("sample")) else { continue };
                let given = everything.files.samples.iter().find(|text| text.source == report.file.name && text.name == name.value);
                let Some(SampleText { text, .. }) = given else { continue };
                let read = text.as_deref().map_err(|why| ("missing-sample", format!("the sample cannot be read: {why}")));
                let read = read.and_then(|text| {
                    let bad = |why| ("bad-sample", format!("the sample is not what this source takes: {why}"));
                    Sample::of(text, name.value, source.xml_root.as_deref()).map_err(bad)
                });
                match read {
                    Ok(sample) => {
                        let mapping =
                            source.events.iter().find(|event| event.kind == kind.value && event.sample.as_deref() == Some(name.value));
                        if let Some(why) = mapping.and_then(|event| event.shape.as_ref()?.violation(&sample.value)) {
                            report.push(warning("bad-sample", name.span, format!("the sample is not in the form of its type: {why}")));
                        }
                        let found = source.class_within(kind.value, &sample.value);
                        if let Some(class) = event.string("class").filter(|_| found > source.event_class(kind.value)) {
                            let text = format!("the sample has what is {}", found.as_str());
                            let help = "with this class, `[retention]` would keep it for as long as what is less delicate";
                            report.push(warning("class-too-low", class.span, text).help(help));
                        }
                        events.entry((source.id.clone(), kind.value.to_owned())).or_default().push(sample);
                    }
                    Err((code, text)) => {
                        let finding = warning(code, name.span, text);
                        report.push(finding.help("samples are named from the folder of this file; without one, paths are not checked"));
                    }
                }
            }
        }
        Self { sources: everything.sources, events }
    }

    /// The examples of events of `kinds` that `sources` give; nothing where any of them has none.
    pub(super) fn of_events(&self, sources: &[&Source], kinds: &BTreeSet<&str>) -> Option<Seen<'_>> {
        let mut samples = Vec::new();
        for kind in kinds {
            let mut givers = sources.iter().filter(|source| source.types().any(|given| given == *kind)).peekable();
            // What plugins emit has no example.
            givers.peek()?;
            for source in givers {
                samples.extend(self.events.get(&(source.id.clone(), (*kind).to_owned()))?);
            }
        }
        (!samples.is_empty()).then(|| Seen { of: listed(kinds), samples })
    }

    /// The records of type `kind` that the examples of `sources` make; nothing where any example is missing.
    pub(super) fn of_records(&self, sources: &[&Source], kind: &str) -> Option<Vec<Sample>> {
        let mut records = Vec::new();
        for source in sources {
            for mapping in source.records.iter().filter(|record| record.kind == kind) {
                for on in &mapping.on {
                    let samples = self.events.get(&(source.id.clone(), on.clone()))?;
                    records.extend(samples.iter().map(|sample| record(mapping, sample)));
                }
            }
        }
        (!records.is_empty()).then_some(records)
    }

    /// The sources whose events `rule` may be about.
    pub(super) fn sources_of(&self, rule: &Rule) -> Vec<&'s Source> {
        self.sources.values().filter(|source| rule.source.as_ref().is_none_or(|named| *named == source.id)).collect()
    }
}

/// What is kept of one example.
fn record(mapping: &RecordMapping, sample: &Sample) -> Sample {
    let kept = mapping.keep.iter().filter_map(|(name, path)| Some((name.clone(), path.value(&sample.value)?)));
    Sample { value: Value::Object(kept.collect::<Map<_, _>>()), is_xml: sample.is_xml }
}

/// Some names in one line.
fn listed(names: &BTreeSet<&str>) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<&str> = names.iter().take(SHOWN).copied().collect();
    let more = names.len().saturating_sub(SHOWN);
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

//! The files that people write, as texts.
//!
//! Reading them from a disk is somebody else's work: this crate sees names and texts only.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::diagnostic::Report;
use crate::reader::{Table, parse};

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileText {
    /// The path to show to people.
    pub name: String,
    pub text: String,
}

/// All files of one rule set.
#[derive(Clone, Debug, Default)]
pub struct Files {
    pub sources: Vec<FileText>,
    pub rules: Vec<FileText>,
    /// The files that sources name: example bodies and schemas. An example that is not in here nobody looked for, and nothing is said about
    /// it; a schema must be there.
    pub samples: Vec<SampleText>,
}

/// A file that a source file names: an example body, or a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleText {
    /// The name of the source file.
    pub source: String,
    /// The file as the source file names it.
    pub name: String,
    /// Its text, or why it cannot be read.
    pub text: Result<String, String>,
}

impl Files {
    /// The file called `name`.
    pub fn get(&self, name: &str) -> Option<&FileText> {
        self.sources.iter().chain(&self.rules).find(|file| file.name == name)
    }
}

impl FileText {
    /// The example bodies and schemas that this source file names, as it names them: relative to its folder.
    pub fn samples(&self) -> Vec<String> {
        let report = Report::new(self);
        let Some(document) = parse(&report) else { return Vec::new() };
        let root = Table::root(&report, &document);
        let events = root.tables("events");
        let named = events.iter().flat_map(|event| [event.string("sample"), event.string("schema")]);
        let distinct: BTreeSet<String> = named.flatten().map(|name| name.value.to_owned()).collect();
        distinct.into_iter().collect()
    }

    /// Line and column (both from 1, columns in characters) of a byte position.
    pub(crate) fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// Where `part` of a string stands in the file, `span` being the string with its quotes. A string with escapes
    /// has no such place; then it is the whole string.
    pub(crate) fn within(&self, span: &Range<usize>, text: &str, part: Range<usize>) -> Range<usize> {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        match raw.find(text) {
            Some(start) if !text.is_empty() && text.is_char_boundary(part.start.min(text.len())) => {
                let start = span.start + start;
                start + part.start.min(text.len())..start + part.end.clamp(part.start, text.len().max(part.start))
            }
            _ => span.clone(),
        }
    }
}

//! What is wrong with a file, as data.
//!
//! Everything that checks files collects [`Diagnostic`]s; [`render`] makes the text for a terminal, `serde` the JSON.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::Range;

use serde::Serialize;

use crate::files::{FileText, Files};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot be used, and with it no file of the set.
    Error,
    /// The file works, but probably not as meant.
    Warning,
}

/// One finding in one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable, kebab-case: what tools and documentation refer to.
    pub code: &'static str,
    pub severity: Severity,
    pub file: String,
    /// In bytes of the file.
    pub span: Range<usize>,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// A text that would be right in place of the span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// A finding that is not yet tied to a file.
#[derive(Debug)]
pub(crate) struct Finding {
    code: &'static str,
    severity: Severity,
    span: Range<usize>,
    message: String,
    help: Option<String>,
    suggestion: Option<String>,
}

/// An error at `span`.
pub(crate) fn error(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Finding {
    Finding { code, severity: Severity::Error, span, message: message.into(), help: None, suggestion: None }
}

/// A warning at `span`.
pub(crate) fn warning(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Finding {
    Finding { severity: Severity::Warning, ..error(code, span, message) }
}

impl Finding {
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Suggests the word among `known` that is closest to `word`; where none is close, helps with all of them.
    pub(crate) fn meant<'a>(mut self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known: Vec<&str> = known.into_iter().collect();
        known.sort_unstable();
        known.dedup();
        self.suggestion = closest(word, &known).map(str::to_owned);
        if self.suggestion.is_none() && self.help.is_none() && !known.is_empty() && known.len() <= 40 {
            self.help = Some(format!("known are: {}", known.join(", ")));
        }
        self
    }
}

/// The word among `known` that is so close to `word` that it was probably meant.
pub(crate) fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let best = known.iter().max_by(|a, b| strsim::jaro_winkler(word, a).total_cmp(&strsim::jaro_winkler(word, b)))?;
    let far = strsim::damerau_levenshtein(word, best) > 2.max(word.chars().count() / 3);
    (!far).then_some(best)
}

/// Collects the findings of one file.
#[derive(Debug)]
pub(crate) struct Report<'f> {
    pub(crate) file: &'f FileText,
    found: RefCell<Vec<Diagnostic>>,
}

impl<'f> Report<'f> {
    pub(crate) fn new(file: &'f FileText) -> Self {
        Self { file, found: RefCell::default() }
    }

    pub(crate) fn push(&self, finding: Finding) {
        let (line, column) = self.file.position(finding.span.start);
        self.found.borrow_mut().push(Diagnostic {
            code: finding.code,
            severity: finding.severity,
            file: self.file.name.clone(),
            span: finding.span,
            line,
            column,
            message: finding.message,
            help: finding.help,
            suggestion: finding.suggestion,
        });
    }

    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|diagnostic| diagnostic.span.start);
        found
    }
}

/// The findings as text for a terminal: message, `file:line:column`, the line itself with a mark under the place, help.
pub fn render(diagnostics: &[Diagnostic], files: &Files) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        // Writing to a `String` cannot fail.
        let _ = render_one(&mut text, diagnostic, files.get(&diagnostic.file));
    }
    text
}

fn render_one(out: &mut String, found: &Diagnostic, file: Option<&FileText>) -> std::fmt::Result {
    let severity = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    writeln!(out, "{severity}[{}]: {}", found.code, found.message)?;
    let gutter = " ".repeat(found.line.to_string().len());
    writeln!(out, "{gutter}--> {}:{}:{}", found.file, found.line, found.column)?;
    if let Some(line) = file.and_then(|file| file.text.lines().nth(found.line - 1)) {
        let rest = line.chars().count().saturating_sub(found.column - 1);
        let marked = file.and_then(|file| file.text.get(found.span.clone())).and_then(|text| text.lines().next()).unwrap_or_default();
        let marks = "^".repeat(marked.chars().count().min(rest).max(1));
        writeln!(out, "{gutter} |")?;
        writeln!(out, "{} | {line}", found.line)?;
        writeln!(out, "{gutter} | {}{marks}", indent(line, found.column - 1))?;
    }
    if let Some(suggestion) = &found.suggestion {
        writeln!(out, "{gutter} = did you mean `{suggestion}`?")?;
    }
    if let Some(help) = &found.help {
        writeln!(out, "{gutter} = help: {help}")?;
    }
    writeln!(out)
}

/// As wide as the first `columns` characters of `line`, tabs kept.
fn indent(line: &str, columns: usize) -> String {
    line.chars().take(columns).map(|char| if char == '\t' { '\t' } else { ' ' }).collect()
}

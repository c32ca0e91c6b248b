//! What is wrong with a file, as data.
//!
//! Everything that checks files collects [`Diagnostic`]s; [`render`](crate::render) makes the text for a terminal, `serde` the JSON.
//!
//! A new code gets a line in `rules/DIAGNOSTICS.md`.

use std::cell::RefCell;
use std::ops::Range;

use serde::Serialize;

use crate::files::FileText;

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
    /// Where the span ends: the place after its last character, counted like `line` and `column`.
    pub end_line: usize,
    pub end_column: usize,
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// A text that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// What the suggestion would replace, in bytes of the file; absent where that is not one place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace: Option<Range<usize>>,
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
    /// What the suggestion stands for.
    instead_of: Option<InsteadOf>,
}

/// What a suggestion stands for.
#[derive(Debug)]
enum InsteadOf {
    /// A word in the text of the span.
    Word(String),
    /// All of this.
    Span(Range<usize>),
}

/// An error at `span`.
pub(crate) fn error(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Finding {
    Finding { code, severity: Severity::Error, span, message: message.into(), help: None, suggestion: None, instead_of: None }
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
        self.instead_of = Some(InsteadOf::Word(word.to_owned()));
        if self.suggestion.is_none() && self.help.is_none() && !known.is_empty() && known.len() <= 40 {
            self.help = Some(format!("known are: {}", known.join(", ")));
        }
        self
    }

    /// Suggests `text` for what stands at `span`.
    pub(crate) fn instead(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.suggestion = Some(text.into());
        self.instead_of = Some(InsteadOf::Span(span));
        self
    }

    /// What the suggestion would replace in `file`.
    fn replaced(&self, file: &FileText) -> Option<Range<usize>> {
        self.suggestion.as_ref()?;
        match self.instead_of.as_ref()? {
            InsteadOf::Span(span) => Some(span.clone()),
            InsteadOf::Word(word) => {
                let mut found = file.text.get(self.span.clone())?.match_indices(word.as_str());
                let (at, _) = found.next()?;
                found.next().is_none().then(|| self.span.start + at..self.span.start + at + word.len())
            }
        }
    }
}

/// The word among `known` that is closest to `word`, where one is close.
pub(crate) fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let best = known.iter().max_by(|a, b| strsim::jaro_winkler(word, a).total_cmp(&strsim::jaro_winkler(word, b)))?;
    // Of a short word too little is left to recognise it by.
    let slips = match word.chars().count() {
        0..5 => 1,
        5..9 => 2,
        length => length / 3,
    };
    let far = strsim::damerau_levenshtein(word, best) > slips;
    (!far).then_some(best)
}

/// Of one file no more findings are told.
const FINDINGS_MAX: usize = 200;

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

    /// Whether it takes no more: whoever looks for more may stop.
    pub(crate) fn is_full(&self) -> bool {
        self.found.borrow().len() > FINDINGS_MAX
    }

    pub(crate) fn push(&self, finding: Finding) {
        let finding = match self.found.borrow().len() {
            FINDINGS_MAX.. if self.is_full() => return,
            FINDINGS_MAX => error("too-many", finding.span, "there is more to find here; mend what is said first"),
            _ => finding,
        };
        let (line, column) = self.file.position(finding.span.start);
        let (end_line, end_column) = self.file.position(finding.span.end);
        let replace = finding.replaced(self.file);
        self.found.borrow_mut().push(Diagnostic {
            code: finding.code,
            severity: finding.severity,
            file: self.file.name.clone(),
            span: finding.span,
            line,
            column,
            end_line,
            end_column,
            message: finding.message,
            help: finding.help,
            suggestion: finding.suggestion,
            replace,
        });
    }

    /// Takes back what was said with this code and message about `span`: something else explains it better.
    pub(crate) fn retract(&self, code: &str, span: &Range<usize>, message: &str) {
        self.found.borrow_mut().retain(|found| found.code != code || found.span != *span || found.message != message);
    }

    /// Whether an error was found so far.
    pub(crate) fn has_errors(&self) -> bool {
        self.found.borrow().iter().any(|found| found.severity == Severity::Error)
    }

    /// All findings in the order of the file. One thing is said once about one place, and no warning is given about a place
    /// that has an error.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|diagnostic| diagnostic.span.start);
        let wrong: Vec<Range<usize>> =
            found.iter().filter(|found| found.severity == Severity::Error).map(|found| found.span.clone()).collect();
        found.retain(|found| found.severity == Severity::Error || !wrong.contains(&found.span));
        let mut said: Vec<Diagnostic> = Vec::new();
        for finding in found {
            let again = |other: &Diagnostic| other.code == finding.code && other.span == finding.span && other.message == finding.message;
            if !said.iter().any(again) {
                said.push(finding);
            }
        }
        said
    }
}

//! Findings as text for a terminal.

use std::fmt::Write as _;

use crate::diagnostic::{Diagnostic, Severity};
use crate::files::{FileText, Files};

/// Whether a text has the colours of terminals in it, as ANSI escapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    #[default]
    None,
    Ansi,
}

/// What stands in a colour of its own.
#[derive(Clone, Copy)]
enum Part {
    Error,
    Warning,
    /// The message.
    Strong,
    /// Marks and gutters.
    Frame,
    /// What to do.
    Advice,
}

impl Colours {
    fn paint(self, part: Part, text: &str) -> String {
        let code = match part {
            Part::Error => "1;31",
            Part::Warning => "1;33",
            Part::Strong => "1",
            Part::Frame => "34",
            Part::Advice => "36",
        };
        match self {
            Self::None => text.to_owned(),
            Self::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// The findings as plain text: message, `file:line:column`, the line itself with a mark under the place, help.
pub fn render(diagnostics: &[Diagnostic], files: &Files) -> String {
    render_in(Colours::None, diagnostics, files)
}

/// The same in colours.
pub fn render_in(colours: Colours, diagnostics: &[Diagnostic], files: &Files) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        // Writing to a `String` cannot fail.
        let _ = render_one(&mut text, colours, diagnostic, files.get(&diagnostic.file));
    }
    text
}

/// How many findings of each kind there are: `2 errors, 1 warning`; nothing where there are none.
pub fn counts(diagnostics: &[Diagnostic]) -> Option<String> {
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let counted = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{count} {word}s")),
    };
    let parts: Vec<String> = [counted(errors, "error"), counted(diagnostics.len() - errors, "warning")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn render_one(out: &mut String, colours: Colours, found: &Diagnostic, file: Option<&FileText>) -> std::fmt::Result {
    let (severity, colour) = match found.severity {
        Severity::Error => ("error", Part::Error),
        Severity::Warning => ("warning", Part::Warning),
    };
    let frame = |text: &str| colours.paint(Part::Frame, text);
    let kind = colours.paint(colour, &format!("{severity}[{}]", found.code));
    writeln!(out, "{kind}{}", colours.paint(Part::Strong, &format!(": {}", found.message)))?;
    let gutter = " ".repeat(found.line.to_string().len());
    writeln!(out, "{gutter}{} {}:{}:{}", frame("-->"), found.file, found.line, found.column)?;
    if let Some(line) = file.and_then(|file| file.text.lines().nth(found.line - 1)) {
        let rest = line.chars().count().saturating_sub(found.column - 1);
        let marked = file.and_then(|file| file.text.get(found.span.clone())).and_then(|text| text.lines().next()).unwrap_or_default();
        let marks = "^".repeat(marked.chars().count().min(rest).max(1));
        writeln!(out, "{gutter} {}", frame("|"))?;
        writeln!(out, "{} {line}", frame(&format!("{} |", found.line)))?;
        writeln!(out, "{gutter} {} {}{}", frame("|"), indent(line, found.column - 1), colours.paint(colour, &marks))?;
    }
    let advice = |text: &str| colours.paint(Part::Advice, text);
    if let Some(suggestion) = &found.suggestion {
        writeln!(out, "{gutter} {} {}", frame("="), advice(&format!("did you mean `{suggestion}`?")))?;
    }
    if let Some(help) = &found.help {
        writeln!(out, "{gutter} {} {}", frame("="), advice(&format!("help: {help}")))?;
    }
    writeln!(out)
}

/// As wide as the first `columns` characters of `line`, tabs kept.
fn indent(line: &str, columns: usize) -> String {
    line.chars().take(columns).map(|char| if char == '\t' { '\t' } else { ' ' }).collect()
}

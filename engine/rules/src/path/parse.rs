//! Reads queries by the grammar of RFC 9535 (appendix A), each rule of it a function. Filters are read in `filter`.
//!
//! No text is read twice, and nesting is bounded, so that reading takes time in proportion to the text, whatever it is.

use std::ops::Range;

use super::PathError;
use super::filter::logical;
use super::query::{Segment, Selector, Slice};
use super::scanner::Scanner;

/// The segments of a query, and where each stands in the text.
pub(super) fn query(text: &str) -> Result<(Vec<Segment>, Vec<Range<usize>>), PathError> {
    let mut scanner = Scanner::new(text);
    if !scanner.eat("$") {
        return Err(scanner.refuse("a path begins with `$`"));
    }
    let mut places = Vec::new();
    let segments = segments(&mut scanner, &mut places)?;
    if scanner.is_at_end() { Ok((segments, places)) } else { Err(scanner.misfit()) }
}

/// `segments`; `places` are told where each stands.
pub(super) fn segments(scanner: &mut Scanner<'_>, places: &mut Vec<Range<usize>>) -> Result<Vec<Segment>, PathError> {
    let mut segments = Vec::new();
    loop {
        let before = scanner.at();
        scanner.skip_space();
        let start = scanner.at();
        let descend = scanner.eat("..");
        let selectors = if scanner.peek() == Some('[') {
            bracketed(scanner)?
        } else if descend || scanner.eat(".") {
            vec![dotted(scanner)?]
        } else {
            scanner.go_to(before);
            return Ok(segments);
        };
        segments.push(Segment { descend, selectors });
        places.push(start..scanner.at());
    }
}

/// `wildcard-selector / member-name-shorthand`
fn dotted(scanner: &mut Scanner<'_>) -> Result<Selector, PathError> {
    if scanner.eat("*") {
        return Ok(Selector::Wildcard);
    }
    if matches!(scanner.peek(), Some('"' | '\'')) {
        return Err(scanner.refuse("a name in quotes stands in brackets: $['name']"));
    }
    scanner.name().map(Selector::Name)
}

/// `bracketed-selection`
fn bracketed(scanner: &mut Scanner<'_>) -> Result<Vec<Selector>, PathError> {
    scanner.open("[")?;
    let mut selectors = Vec::new();
    loop {
        scanner.skip_space();
        if selectors.is_empty() && scanner.peek() == Some(']') {
            return Err(scanner.refuse("empty brackets choose nothing; all children are [*]"));
        }
        selectors.push(selector(scanner)?);
        scanner.skip_space();
        if !scanner.eat(",") {
            scanner.close("]")?;
            return Ok(selectors);
        }
    }
}

fn selector(scanner: &mut Scanner<'_>) -> Result<Selector, PathError> {
    match scanner.peek() {
        Some('"' | '\'') => scanner.string().map(Selector::Name),
        Some('*') => scanner.expect("*").map(|()| Selector::Wildcard),
        Some('?') => {
            scanner.expect("?")?;
            scanner.skip_space();
            logical(scanner).map(Selector::Filter)
        }
        Some(':' | '-' | '0'..='9') => position(scanner),
        Some(char) if char.is_alphabetic() || char == '_' => Err(scanner.refuse("a name in brackets is in quotes: $['name']")),
        _ => Err(scanner.misfit()),
    }
}

/// `slice-selector / index-selector`
fn position(scanner: &mut Scanner<'_>) -> Result<Selector, PathError> {
    let start = optional(scanner)?;
    scanner.skip_space();
    if !scanner.eat(":") {
        return start.map(Selector::Index).ok_or_else(|| scanner.misfit());
    }
    scanner.skip_space();
    let end = optional(scanner)?;
    scanner.skip_space();
    let step = if scanner.eat(":") {
        scanner.skip_space();
        optional(scanner)?
    } else {
        None
    };
    Ok(Selector::Slice(Slice { start, end, step: step.unwrap_or(1) }))
}

fn optional(scanner: &mut Scanner<'_>) -> Result<Option<i64>, PathError> {
    scanner.is_at_integer().then(|| scanner.integer()).transpose()
}

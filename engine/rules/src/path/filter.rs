//! Reads filters (RFC 9535 §2.3.5), and refuses those that are not well-typed (§2.4.3), saying what to do.

use serde_json::Value;

use super::PathError;
use super::function::{self, Call};
use super::parse::segments;
use super::query::{Comparison, Filter, From, Is, Operand, Query};
use super::scanner::{Scanner, at};

/// A part of a filter before it is known what it is there for.
pub(super) struct Term {
    /// The byte where it begins.
    pub(super) at: usize,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Literal(Value),
    Query(Query),
    /// A call of the function of that name.
    Call(&'static str, Call),
}

/// `logical-expr`
pub(super) fn logical(scanner: &mut Scanner<'_>) -> Result<Filter, PathError> {
    joined(scanner, "||", Filter::Or, |scanner| joined(scanner, "&&", Filter::And, basic))
}

fn joined(
    scanner: &mut Scanner<'_>,
    by: &str,
    join: fn(Vec<Filter>) -> Filter,
    part: fn(&mut Scanner<'_>) -> Result<Filter, PathError>,
) -> Result<Filter, PathError> {
    let first = part(scanner)?;
    let mut more = Vec::new();
    scanner.skip_space();
    while scanner.eat(by) {
        scanner.skip_space();
        more.push(part(scanner)?);
        scanner.skip_space();
    }
    Ok(if more.is_empty() { first } else { join(std::iter::once(first).chain(more).collect()) })
}

/// `basic-expr`
fn basic(scanner: &mut Scanner<'_>) -> Result<Filter, PathError> {
    if scanner.peek() == Some('(') {
        return parenthesized(scanner);
    }
    if scanner.eat("!") {
        scanner.skip_space();
        let inner = if scanner.peek() == Some('(') { parenthesized(scanner)? } else { negated(scanner)? };
        return Ok(Filter::Not(Box::new(inner)));
    }
    let left = term(scanner)?;
    scanner.skip_space();
    let Some(is) = comparison(scanner) else { return test(left) };
    let left = comparable(left)?;
    scanner.skip_space();
    let right = comparable(term(scanner)?)?;
    Ok(Filter::Compare(Box::new(Comparison { left, is, right })))
}

fn parenthesized(scanner: &mut Scanner<'_>) -> Result<Filter, PathError> {
    scanner.open("(")?;
    scanner.skip_space();
    let filter = logical(scanner)?;
    scanner.skip_space();
    scanner.close(")")?;
    Ok(filter)
}

/// What stands after a `!` without parentheses.
fn negated(scanner: &mut Scanner<'_>) -> Result<Filter, PathError> {
    let tested = term(scanner)?;
    scanner.skip_space();
    if is_comparison(scanner) {
        return Err(scanner.refuse("a comparison after `!` is in parentheses: !(@.a == 1)"));
    }
    test(tested)
}

pub(super) fn term(scanner: &mut Scanner<'_>) -> Result<Term, PathError> {
    let start = scanner.at();
    let kind = match scanner.peek() {
        Some('@' | '$') => Kind::Query(query(scanner)?),
        Some('"' | '\'') => Kind::Literal(Value::String(scanner.string()?)),
        Some('-' | '0'..='9') => Kind::Literal(Value::Number(scanner.number()?)),
        Some('a'..='z' | 'A'..='Z' | '_') => word(scanner)?,
        Some('[' | '{') => return Err(scanner.refuse("lists and objects cannot be written in a filter")),
        _ => return Err(scanner.misfit()),
    };
    Ok(Term { at: start, kind })
}

/// `filter-query`
fn query(scanner: &mut Scanner<'_>) -> Result<Query, PathError> {
    let from = if scanner.eat("@") {
        From::Current
    } else {
        scanner.expect("$")?;
        From::Root
    };
    Ok(Query { from, segments: segments(scanner, &mut Vec::new())? })
}

fn word(scanner: &mut Scanner<'_>) -> Result<Kind, PathError> {
    let start = scanner.at();
    let word = scanner.read_while(|char| char.is_ascii_alphanumeric() || char == '_');
    match word {
        _ if scanner.peek() == Some('(') => function::call(scanner, start, word).map(|(name, call)| Kind::Call(name, call)),
        "true" => Ok(Kind::Literal(Value::Bool(true))),
        "false" => Ok(Kind::Literal(Value::Bool(false))),
        "null" => Ok(Kind::Literal(Value::Null)),
        _ if function::is_known(word) => Err(scanner.refuse(format!("`{word}` is followed by its `(`"))),
        _ => Err(at(start, format!("`{word}` is no value: a name stands after `@.`, a text in quotes"))),
    }
}

/// Whether a `comparison-op` is next.
pub(super) fn is_comparison(scanner: &mut Scanner<'_>) -> bool {
    let start = scanner.at();
    let found = comparison(scanner).is_some();
    scanner.go_to(start);
    found
}

/// `comparison-op`
fn comparison(scanner: &mut Scanner<'_>) -> Option<Is> {
    let all =
        [("==", Is::Equal), ("!=", Is::NotEqual), ("<=", Is::LessOrEqual), (">=", Is::GreaterOrEqual), ("<", Is::Less), (">", Is::Greater)];
    all.into_iter().find_map(|(written, is)| scanner.eat(written).then_some(is))
}

/// `test-expr`: whether a query yields anything, or what a function says.
fn test(term: Term) -> Result<Filter, PathError> {
    match term.kind {
        Kind::Query(query) => Ok(Filter::Exists(query)),
        Kind::Call(_, Call::Truth(filter)) => Ok(filter),
        Kind::Call(name, Call::Value(_)) => Err(at(term.at, format!("`{name}` gives a value: compare it"))),
        Kind::Literal(_) => Err(at(term.at, "a value alone says nothing: compare it")),
    }
}

/// `comparable`
fn comparable(term: Term) -> Result<Operand, PathError> {
    match term.kind {
        Kind::Literal(value) => Ok(Operand::Literal(value)),
        Kind::Query(query) => match query.steps() {
            Some(steps) => Ok(Operand::At(query.from, steps)),
            None => Err(at(term.at, "this path yields several nodes; only a path of names and indexes can be compared")),
        },
        Kind::Call(_, Call::Value(operand)) => Ok(operand),
        Kind::Call(name, Call::Truth(_)) => Err(at(term.at, format!("`{name}` says true or false: it is not compared"))),
    }
}

//! The functions of filters (RFC 9535 §2.4), and what they take.

use serde_json::Value;

use super::PathError;
use super::filter::{Kind, Term, is_comparison, term};
use super::iregexp::IRegexp;
use super::query::{Extent, Filter, Fits, Operand, Pattern, Query};
use super::scanner::{Scanner, at};

/// A call, by what it gives.
pub(super) enum Call {
    /// A value or nothing.
    Value(Operand),
    /// True or false.
    Truth(Filter),
}

/// Each function, and how many arguments it takes.
const FUNCTIONS: [(&str, usize); 5] = [("length", 1), ("count", 1), ("value", 1), ("match", 2), ("search", 2)];

pub(super) fn is_known(name: &str) -> bool {
    FUNCTIONS.iter().any(|(known, _)| *known == name)
}

/// The call of the function `name`, which stands at `start`. Its `(` is next.
pub(super) fn call(scanner: &mut Scanner<'_>, start: usize, name: &str) -> Result<(&'static str, Call), PathError> {
    let Some((name, takes)) = FUNCTIONS.into_iter().find(|(known, _)| *known == name) else {
        return Err(at(start, format!("`{name}` is not a function of RFC 9535")));
    };
    let mut given = arguments(scanner, name)?.into_iter();
    let call = match (name, given.len(), given.next(), given.next()) {
        ("length", 1, Some(of), _) => Call::Value(Operand::Length(Box::new(value(of, name)?))),
        ("count", 1, Some(of), _) => Call::Value(Operand::Count(nodes(of, name)?)),
        ("value", 1, Some(of), _) => Call::Value(Operand::ValueOf(nodes(of, name)?)),
        ("match", 2, Some(text), Some(pattern)) => Call::Truth(fits(text, pattern, name, Extent::Whole)?),
        ("search", 2, Some(text), Some(pattern)) => Call::Truth(fits(text, pattern, name, Extent::Part)?),
        (_, given, ..) => {
            let arguments = if takes == 1 { "one argument" } else { "two arguments" };
            return Err(at(start, format!("`{name}` takes {arguments}, and there are {given}")));
        }
    };
    Ok((name, call))
}

fn arguments(scanner: &mut Scanner<'_>, name: &str) -> Result<Vec<Term>, PathError> {
    let mut arguments = Vec::new();
    scanner.open("(")?;
    scanner.skip_space();
    while arguments.is_empty() && scanner.peek() != Some(')') || !arguments.is_empty() && scanner.eat(",") {
        scanner.skip_space();
        arguments.push(argument(scanner, name)?);
        scanner.skip_space();
    }
    scanner.close(")")?;
    Ok(arguments)
}

/// `function-argument`. No function takes what a condition says.
fn argument(scanner: &mut Scanner<'_>, name: &str) -> Result<Term, PathError> {
    let start = scanner.at();
    let is_condition = || at(start, format!("`{name}` takes no condition"));
    if matches!(scanner.peek(), Some('(' | '!')) {
        return Err(is_condition());
    }
    let argument = term(scanner)?;
    scanner.skip_space();
    let joins = scanner.eat("&&") || scanner.eat("||") || is_comparison(scanner);
    if joins { Err(is_condition()) } else { Ok(argument) }
}

/// An argument of which one value is taken.
fn value(argument: Term, of: &str) -> Result<Operand, PathError> {
    match argument.kind {
        Kind::Literal(value) => Ok(Operand::Literal(value)),
        Kind::Query(query) => match query.steps() {
            Some(steps) => Ok(Operand::At(query.from, steps)),
            None => Err(at(
                argument.at,
                format!("this path yields several nodes; `{of}` takes a path of names and indexes, or value(…) of this one"),
            )),
        },
        Kind::Call(_, Call::Value(operand)) => Ok(operand),
        Kind::Call(name, Call::Truth(_)) => Err(at(argument.at, format!("`{name}` says true or false, and `{of}` takes a value"))),
    }
}

/// An argument of which the nodes are taken.
fn nodes(argument: Term, of: &str) -> Result<Query, PathError> {
    match argument.kind {
        Kind::Query(query) => Ok(query),
        Kind::Literal(_) | Kind::Call(..) => Err(at(argument.at, format!("`{of}` takes a path"))),
    }
}

fn fits(text: Term, pattern: Term, name: &str, extent: Extent) -> Result<Filter, PathError> {
    let start = pattern.at;
    let text = value(text, name)?;
    let pattern = match value(pattern, name)? {
        Operand::Literal(Value::String(pattern)) => IRegexp::new(&pattern, extent)
            .map(Pattern::Fixed)
            .map_err(|why| at(start, format!("this pattern is no I-Regexp (RFC 9485): {why}")))?,
        operand => Pattern::Found(operand),
    };
    Ok(Filter::Fits(Box::new(Fits { text, pattern, extent })))
}

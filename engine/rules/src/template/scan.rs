//! Finds words in the code of a template: which filters, tests and statements it uses, and where its names stand.
//!
//! Words and single characters are all that it knows. [`super::bounds`] sees to it that minijinja reads a text no other way.
//! minijinja reports an unknown filter only when it renders; a rule file should not load with one.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::TemplateError;
use super::filters::{FILTERS, TESTS};
use crate::time;

const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// Words after which an expression may stand in parentheses.
const OPERATORS: [&str; 9] = ["and", "elif", "else", "for", "if", "in", "is", "not", "or"];

/// A piece of code: a word or a single other character, with its place.
pub(super) struct Token<'t> {
    pub(super) text: &'t str,
    pub(super) place: Range<usize>,
    /// It is the first of a `{% … %}`.
    pub(super) statement: bool,
    /// Where its block begins.
    pub(super) block: usize,
}

impl Token<'_> {
    fn is_word(&self) -> bool {
        self.text.starts_with(|char: char| char.is_alphabetic() || char == '_')
    }
}

/// The statements, filters and tests that there are not, and calls.
pub(super) fn check(tokens: &[Token<'_>]) -> Vec<TemplateError> {
    (0..tokens.len()).filter_map(|index| problem(tokens, index)).collect()
}

fn problem(tokens: &[Token<'_>], index: usize) -> Option<TemplateError> {
    let token = tokens.get(index)?;
    let before = |distance: usize| index.checked_sub(distance).and_then(|index| tokens.get(index)).map(|token| token.text);
    let after = tokens.get(index + 1).map(|token| token.text);
    let unknown = |what: &str, known: &'static [&'static str]| {
        let meant = Some((token.text.to_owned(), known));
        let fits = known.contains(&token.text);
        (!fits).then(|| TemplateError { message: format!("there is no {what} `{}`", token.text), at: Some(token.place.clone()), meant })
    };
    if token.statement {
        return unknown("statement", &STATEMENTS);
    }
    if !token.is_word() {
        return None;
    }
    match before(1) {
        Some("|") => unknown("filter", FILTERS).or_else(|| dotted(token, after)),
        Some("is") if token.text != "not" => unknown("test", TESTS).or_else(|| dotted(token, after)),
        Some("not") if before(2) == Some("is") => unknown("test", TESTS).or_else(|| dotted(token, after)),
        Some(".") if after == Some("(") => {
            let message = format!("values have no method `{}`; use a filter", token.text);
            Some(TemplateError { message, at: Some(token.place.clone()), meant: None })
        }
        _ if after == Some("(") && !OPERATORS.contains(&token.text) => {
            let message = format!("there is no function `{}`", token.text);
            Some(TemplateError { message, at: Some(token.place.clone()), meant: None })
        }
        _ => None,
    }
}

/// The zones that a text itself gives to filters, and that are none: a typo there would tell a wrong hour.
pub(super) fn zones(text: &str) -> Vec<TemplateError> {
    static GIVEN: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"\|\s*(?:local_time|date|time|weekday)\s*\(\s*(?:'([^']*)'|"([^"]*)")"#).ok());
    let found = GIVEN.iter().flat_map(|given| given.captures_iter(text)).filter_map(|found| found.get(1).or(found.get(2)));
    let unknown = found.filter(|name| !name.is_empty() && time::zone(name.as_str()).is_none());
    let error = |name: regex::Match<'_>| {
        let message = format!("`{}` is not a time zone of the IANA database", name.as_str());
        TemplateError { message, at: Some(name.range()), meant: None }
    };
    unknown.map(error).collect()
}

/// minijinja takes what follows a dot as part of the name of a filter or test, and misses it only when it renders.
fn dotted(token: &Token<'_>, after: Option<&str>) -> Option<TemplateError> {
    let message = format!("`{}` has no parts", token.text);
    (after == Some(".")).then(|| TemplateError { message, at: Some(token.place.clone()), meant: None })
}

/// Where a dotted name first stands.
pub(super) fn place(text: &str, name: &str) -> Option<Range<usize>> {
    let parts: Vec<&str> = name.split('.').collect();
    let tokens = tokens(text);
    let found = |index: usize| {
        let starts = index == 0 || !matches!(tokens[index - 1].text, "." | "|");
        starts
            && parts.iter().enumerate().all(|(nth, part)| {
                let word = tokens.get(index + 2 * nth).is_some_and(|token| token.text == *part);
                word && (nth == 0 || tokens.get(index + 2 * nth - 1).is_some_and(|token| token.text == "."))
            })
    };
    let first = (0..tokens.len()).find(|index| found(*index))?;
    let last = tokens.get(first + 2 * (parts.len() - 1))?;
    Some(tokens.get(first)?.place.start..last.place.end)
}

/// The name in a template that is nothing but `{{ name }}`.
pub(super) fn only_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let word = |part: &str| !part.is_empty() && part.chars().all(|char| char.is_alphanumeric() || char == '_');
    name.split('.').all(word).then_some(name)
}

/// The code in all `{{ … }}` and `{% … %}`, without texts in quotes.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|open| at + open) {
        at = open + 1;
        match text.as_bytes().get(at) {
            Some(b'#') => at = text[at..].find("#}").map_or(text.len(), |end| at + end + 2),
            Some(b'{') => at = block(text, at + 1, "}}", false, &mut tokens),
            Some(b'%') => at = block(text, at + 1, "%}", true, &mut tokens),
            _ => {}
        }
    }
    tokens
}

/// Reads one block from `at` up to `end`; returns where it ends.
fn block<'t>(text: &'t str, mut at: usize, end: &str, statement: bool, tokens: &mut Vec<Token<'t>>) -> usize {
    let mut first = statement;
    let block = at;
    while let Some(char) = text[at..].chars().next() {
        let rest = &text[at..];
        if rest.starts_with(end) {
            return at + end.len();
        }
        let length = match char {
            '"' | '\'' => quoted(rest, char),
            _ if char.is_alphanumeric() || char == '_' => {
                rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len())
            }
            _ => char.len_utf8(),
        };
        let text = &rest[..length];
        // `{%-` and `{%+` trim or keep the space before the block.
        let trim = first && matches!(char, '-' | '+');
        if !char.is_whitespace() && !trim {
            tokens.push(Token { text, place: at..at + length, statement: first, block });
            first = false;
        }
        at += length;
    }
    at
}

/// The length of the text in quotes that `rest` begins with.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + char.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

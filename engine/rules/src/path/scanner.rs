//! The text of a query, character by character: space, names, numbers and strings, and what to say where nothing fits.

use serde_json::Number;

use super::PathError;

/// Brackets, parentheses and calls are not nested deeper.
const NESTING_MAX: usize = 32;
/// The largest index (RFC 9535 §2.1): what every implementation of JSON numbers holds exactly.
const INDEX_MAX: i64 = (1 << 53) - 1;
/// No number is written longer, in bytes.
const NUMBER_MAX: usize = 1_000;

/// A text and how far it has been read.
pub(super) struct Scanner<'t> {
    text: &'t str,
    at: usize,
    nesting: usize,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, nesting: 0 }
    }

    /// The byte that is read next.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes back, or on, to a place that [`Scanner::at`] has named.
    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Reads `expected` where it is next.
    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let is_next = self.rest().starts_with(expected);
        if is_next {
            self.at += expected.len();
        }
        is_next
    }

    /// Reads `expected`.
    pub(super) fn expect(&mut self, expected: &str) -> Result<(), PathError> {
        if self.eat(expected) { Ok(()) } else { Err(self.misfit()) }
    }

    /// Reads `S` of the grammar.
    pub(super) fn skip_space(&mut self) {
        self.read_while(is_space);
    }

    /// Reads the longest beginning of which every character is `wanted`.
    pub(super) fn read_while(&mut self, wanted: fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|char| !wanted(char)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Reads the `[` or `(` that is next.
    pub(super) fn open(&mut self, bracket: &str) -> Result<(), PathError> {
        if self.nesting == NESTING_MAX {
            return Err(self.refuse(format!("brackets are nested deeper than {NESTING_MAX}")));
        }
        self.expect(bracket)?;
        self.nesting += 1;
        Ok(())
    }

    /// Reads the `]` or `)` that is next.
    pub(super) fn close(&mut self, bracket: &str) -> Result<(), PathError> {
        self.expect(bracket)?;
        self.nesting = self.nesting.saturating_sub(1);
        Ok(())
    }

    /// `member-name-shorthand`
    pub(super) fn name(&mut self) -> Result<String, PathError> {
        match self.peek() {
            Some(first) if is_named(first) && !first.is_ascii_digit() => Ok(self.read_while(is_named).to_owned()),
            Some(first) if is_named(first) => Err(self.refuse("a name that is not in quotes does not begin with a digit: ['1st']")),
            _ => Err(self.misfit()),
        }
    }

    /// Whether an `int` is next.
    pub(super) fn is_at_integer(&self) -> bool {
        self.peek().is_some_and(|char| char == '-' || char.is_ascii_digit())
    }

    /// `int`, as an index
    pub(super) fn integer(&mut self) -> Result<i64, PathError> {
        let start = self.at;
        let is_negative = self.eat("-");
        let digits = self.digits(start)?;
        if is_negative && digits == "0" {
            return Err(at(start, "`-0` is no index; the last element is -1"));
        }
        let index = digits.parse::<i64>().ok().filter(|index| *index <= INDEX_MAX);
        let index = index.ok_or_else(|| at(start, format!("an index is at most {INDEX_MAX}, and at least -{INDEX_MAX}")))?;
        Ok(if is_negative { -index } else { index })
    }

    /// `number`, as JSON has it
    pub(super) fn number(&mut self) -> Result<Number, PathError> {
        let start = self.at;
        self.eat("-");
        self.digits(start)?;
        if self.eat(".") && self.read_while(|char| char.is_ascii_digit()).is_empty() {
            return Err(self.misfit());
        }
        if self.eat("e") || self.eat("E") {
            let _ = self.eat("-") || self.eat("+");
            if self.read_while(|char| char.is_ascii_digit()).is_empty() {
                return Err(self.misfit());
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        // As the numbers of documents are read, so that what is written alike is equal.
        let number = Some(text).filter(|text| text.len() <= NUMBER_MAX).and_then(|text| text.parse().ok());
        number.ok_or_else(|| at(start, "no double holds this number"))
    }

    /// Digits without a leading zero, of the number that begins at `start`.
    fn digits(&mut self, start: usize) -> Result<&'t str, PathError> {
        let digits = self.read_while(|char| char.is_ascii_digit());
        match digits.len() {
            0 => Err(self.misfit()),
            1 => Ok(digits),
            _ if digits.starts_with('0') => Err(at(start, "a number has no leading zero")),
            _ => Ok(digits),
        }
    }

    /// `string-literal`
    pub(super) fn string(&mut self) -> Result<String, PathError> {
        let Some(quote) = self.next().filter(|char| matches!(char, '"' | '\'')) else { return Err(self.misfit()) };
        let mut string = String::new();
        loop {
            let start = self.at;
            match self.next() {
                None => return Err(at(start, format!("the path ends before the {quote} of a text"))),
                Some(char) if char == quote => return Ok(string),
                Some('\\') => string.push(self.escaped(start, quote)?),
                Some(control) if control < ' ' => {
                    return Err(at(start, format!("a control character in a text is written \\u{:04x}", u32::from(control))));
                }
                Some(char) => string.push(char),
            }
        }
    }

    /// The character after the `\` at `start`.
    fn escaped(&mut self, start: usize, quote: char) -> Result<char, PathError> {
        match self.next() {
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some(char @ ('/' | '\\')) => Ok(char),
            Some(char) if char == quote => Ok(char),
            Some('u') => {
                self.unicode().ok_or_else(|| at(start, "`\\u` is followed by four hexadecimal digits, of a pair where it is half of one"))
            }
            Some(char) => Err(at(start, format!("`\\{}` stands for nothing; a backslash is written `\\\\`", shown(char)))),
            None => Err(self.misfit()),
        }
    }

    /// `hexchar`
    fn unicode(&mut self) -> Option<char> {
        match self.hexadecimal()? {
            high @ 0xD800..=0xDBFF => {
                let low = self.eat("\\u").then(|| self.hexadecimal()).flatten().filter(|low| (0xDC00..=0xDFFF).contains(low))?;
                char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))
            }
            code => char::from_u32(code),
        }
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |code, _| Some(code * 16 + self.next()?.to_digit(16)?))
    }

    /// What is next does not fit.
    pub(super) fn misfit(&self) -> PathError {
        let read = self.text.get(..self.at).unwrap_or_default().trim_end_matches(is_space);
        let next = self.text.get(read.len()..).unwrap_or_default().trim_start_matches(is_space);
        let has_space = read.len() + next.len() < self.text.len();
        let word = next.split(|char| !is_named(char)).next().unwrap_or_default();
        match next.chars().next() {
            _ if word == "and" => self.at_next(next, "`and` is written `&&`"),
            _ if word == "or" => self.at_next(next, "`or` is written `||`"),
            Some('=') if self.nesting > 0 => self.at_next(next, "equal is written `==`"),
            Some(_) if has_space && read.ends_with('.') => at(read.len(), "no space stands after a `.`"),
            Some(first) if has_space && is_named(first) && !first.is_ascii_digit() && read.ends_with(is_named) => {
                at(read.len(), "a name that is not in quotes has no space in it")
            }
            Some(first) => self.at_next(next, format!("`{}` does not fit here", shown(first))),
            None if has_space && self.nesting == 0 => at(read.len(), "space after the end of the path"),
            None => at(self.text.len(), "the path ends too early"),
        }
    }

    /// Refuses what is next.
    pub(super) fn refuse(&self, message: impl Into<String>) -> PathError {
        at(self.at, message)
    }

    fn at_next(&self, next: &str, message: impl Into<String>) -> PathError {
        at(self.text.len() - next.len(), message)
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }
}

/// A refusal of what stands at a byte.
pub(super) fn at(at: usize, message: impl Into<String>) -> PathError {
    PathError { message: message.into(), at: Some(at) }
}

/// A character within a message of one line.
fn shown(char: char) -> String {
    if char.is_control() { char.escape_default().to_string() } else { char.to_string() }
}

fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | '\r')
}

/// `name-char`
fn is_named(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_' || !char.is_ascii()
}

//! One pass over the bytes of a JSON document: strict, and keeping only what is asked.
//!
//! All of the document is checked, also what nobody asks about: that it is JSON (RFC 8259), that no object has a name twice
//! (names are compared unescaped), that escapes are whole, that numbers fit a double, and how deep it is nested. It accepts exactly what
//! [`crate::json::parse`] accepts; a property test holds the one against the other.

use std::borrow::Cow;
use std::collections::HashSet;

use super::asked::Asked;
use super::found::Found;
use super::name;
use super::node::{Node, Part, number, unescaped};
use crate::json::DEPTH_MAX;

/// The document is refused. Why is for [`crate::json::parse`] to say, which takes its time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Objects with more members are compared by a set: comparing all pairs would be a stranger's to make slow.
const PAIRS_MAX: usize = 24;

/// Reads `text` once. Also whether some wildcard met an object: then the nodes are in the order of the document, not of the names.
pub(super) fn scan<'b>(text: &'b str, asked: &Asked) -> Result<(Found<'b>, bool), Malformed> {
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        asked,
        found: Found::new(asked.slots()),
        active: Vec::with_capacity(16),
        names: Vec::with_capacity(32),
        disordered: false,
    };
    if asked.branch(0).is_some() {
        scanner.active.push(0);
    }
    scanner.value(0, 0)?;
    scanner.space();
    if scanner.at == scanner.bytes.len() { Ok((scanner.found, scanner.disordered)) } else { Err(Malformed) }
}

struct Scanner<'b, 'a> {
    text: &'b str,
    bytes: &'b [u8],
    at: usize,
    asked: &'a Asked,
    found: Found<'b>,
    /// The branches that are walked at once, those of the innermost value at the end.
    active: Vec<u32>,
    /// The names of the objects that are open, those of the innermost at the end.
    names: Vec<Seen>,
    disordered: bool,
}

/// A name that an object has.
struct Seen {
    hash: u64,
    start: u32,
    end: u32,
}

/// A text between quotes.
#[derive(Clone, Copy)]
struct Quoted {
    start: usize,
    end: usize,
    escapes: bool,
}

impl<'b> Scanner<'b, '_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(Malformed)
    }

    /// Reads one value; the branches at the end of `active`, from `from` on, are what is asked of it.
    fn value(&mut self, from: usize, depth: u32) -> Result<(), Malformed> {
        self.space();
        let start = self.at;
        let asked = from < self.active.len();
        let node = match self.peek().ok_or(Malformed)? {
            b'"' => {
                self.at += 1;
                let quoted = self.quoted()?;
                if !asked {
                    return Ok(());
                }
                Node::Text(self.text(quoted)?)
            }
            b'{' => {
                self.object(from, depth)?;
                if !asked {
                    return Ok(());
                }
                Node::Object(Part::Raw(self.since(start)))
            }
            b'[' => {
                self.list(from, depth)?;
                if !asked {
                    return Ok(());
                }
                Node::List(Part::Raw(self.since(start)))
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
                if !asked {
                    return Ok(());
                }
                Node::Number(number(self.since(start)).ok_or(Malformed)?)
            }
            b't' => self.word(b"true", Node::Bool(true))?,
            b'f' => self.word(b"false", Node::Bool(false))?,
            b'n' => self.word(b"null", Node::Null)?,
            _ => return Err(Malformed),
        };
        if asked {
            self.keep(from, node);
        }
        Ok(())
    }

    fn since(&self, start: usize) -> &'b str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Puts `node` into the slots of the branches that are asked of it.
    fn keep(&mut self, from: usize, node: Node<'b>) {
        let mut slots = self.active.get(from..).unwrap_or_default().iter().filter_map(|branch| self.asked.branch(*branch)?.slot);
        let Some(first) = slots.next() else { return };
        for slot in slots {
            self.found.push(slot, node.clone());
        }
        self.found.push(first, node);
    }

    fn word(&mut self, word: &[u8], node: Node<'b>) -> Result<Node<'b>, Malformed> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(node);
        }
        Err(Malformed)
    }

    fn object(&mut self, from: usize, depth: u32) -> Result<(), Malformed> {
        if depth >= DEPTH_MAX {
            return Err(Malformed);
        }
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let own = self.names.len();
        let to = self.active.len();
        let mut many: Option<HashSet<Cow<'b, str>>> = None;
        loop {
            self.expect(b'"')?;
            let quoted = self.quoted()?;
            let name = self.bytes.get(quoted.start..quoted.end).ok_or(Malformed)?;
            if quoted.escapes {
                let name = self.text(quoted)?;
                let hash = name::hash(name.as_bytes());
                self.is_new(own, hash, name.as_bytes(), quoted, &mut many)?;
                self.enter(from..to, hash, name.as_bytes());
            } else {
                let hash = name::hash(name);
                self.is_new(own, hash, name, quoted, &mut many)?;
                if from < to {
                    self.enter(from..to, hash, name);
                }
            }
            self.space();
            self.expect(b':')?;
            self.value(to, depth + 1)?;
            self.active.truncate(to);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(Malformed),
            }
            self.space();
        }
        self.at += 1;
        self.names.truncate(own);
        Ok(())
    }

    /// Refuses a name that the object, whose names begin at `own`, has already.
    #[inline]
    fn is_new(
        &mut self,
        own: usize,
        hash: u64,
        name: &[u8],
        quoted: Quoted,
        many: &mut Option<HashSet<Cow<'b, str>>>,
    ) -> Result<(), Malformed> {
        if let Some(many) = many {
            return if many.insert(self.text(quoted)?) { Ok(()) } else { Err(Malformed) };
        }
        let before = self.names.get(own..).unwrap_or_default();
        if before.iter().any(|seen| seen.hash == hash) {
            self.is_no_twin(own, hash, name)?;
        }
        if before.len() >= PAIRS_MAX {
            let mut set = HashSet::new();
            for seen in self.names.get(own..).unwrap_or_default() {
                set.insert(self.name_of(seen)?);
            }
            if !set.insert(self.text(quoted)?) {
                return Err(Malformed);
            }
            *many = Some(set);
            return Ok(());
        }
        // Bodies are no longer than a `u32` can count: [`super::Facts::read`] looks.
        self.names.push(Seen { hash, start: quoted.start as u32, end: quoted.end as u32 });
        Ok(())
    }

    #[cold]
    fn is_no_twin(&self, own: usize, hash: u64, name: &[u8]) -> Result<(), Malformed> {
        for seen in self.names.get(own..).unwrap_or_default().iter().filter(|seen| seen.hash == hash) {
            if self.name_of(seen)?.as_bytes() == name {
                return Err(Malformed);
            }
        }
        Ok(())
    }

    fn name_of(&self, seen: &Seen) -> Result<Cow<'b, str>, Malformed> {
        let raw = self.text.get(seen.start as usize..seen.end as usize).ok_or(Malformed)?;
        if raw.contains('\\') { unescaped(raw).map(Cow::Owned).ok_or(Malformed) } else { Ok(Cow::Borrowed(raw)) }
    }

    /// Walks on to the branches below a name.
    #[inline]
    fn enter(&mut self, active: std::ops::Range<usize>, hash: u64, name: &[u8]) {
        for place in active {
            let Some(branch) = self.active.get(place).and_then(|branch| self.asked.branch(*branch)) else { continue };
            if let Some(there) = branch.name(hash, name) {
                self.active.push(there);
            }
            if let Some(there) = branch.any {
                self.disordered = true;
                self.active.push(there);
            }
        }
    }

    fn list(&mut self, from: usize, depth: u32) -> Result<(), Malformed> {
        if depth >= DEPTH_MAX {
            return Err(Malformed);
        }
        self.at += 1;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        let to = self.active.len();
        let branches = self.active.get(from..to).unwrap_or_default();
        let wanted = branches.iter().any(|branch| self.asked.branch(*branch).is_some_and(|branch| branch.has_elements()));
        let mut index = 0;
        loop {
            if wanted {
                for place in from..to {
                    let Some(branch) = self.active.get(place).and_then(|branch| self.asked.branch(*branch)) else { continue };
                    self.active.extend(branch.indexed(index));
                    self.active.extend(branch.any);
                }
            }
            self.value(to, depth + 1)?;
            self.active.truncate(to);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(Malformed),
            }
            index += 1;
        }
        self.at += 1;
        Ok(())
    }

    fn text(&self, quoted: Quoted) -> Result<Cow<'b, str>, Malformed> {
        let raw = self.text.get(quoted.start..quoted.end).ok_or(Malformed)?;
        if quoted.escapes { unescaped(raw).map(Cow::Owned).ok_or(Malformed) } else { Ok(Cow::Borrowed(raw)) }
    }

    /// Reads up to and with the closing quote; the opening one was read.
    #[inline]
    fn quoted(&mut self) -> Result<Quoted, Malformed> {
        let start = self.at;
        let mut escapes = false;
        loop {
            self.at += plain(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    let end = self.at;
                    self.at += 1;
                    return Ok(Quoted { start, end, escapes });
                }
                Some(b'\\') => {
                    escapes = true;
                    self.escape()?;
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// Reads one escape; half of a surrogate pair is none.
    fn escape(&mut self) -> Result<(), Malformed> {
        match self.bytes.get(self.at + 1).ok_or(Malformed)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                let unit = self.unit(self.at)?;
                self.at += 6;
                match unit {
                    0xd800..=0xdbff if self.bytes.get(self.at..self.at + 2) == Some(b"\\u") => {
                        if !matches!(self.unit(self.at)?, 0xdc00..=0xdfff) {
                            return Err(Malformed);
                        }
                        self.at += 6;
                    }
                    0xd800..=0xdfff => return Err(Malformed),
                    _ => {}
                }
            }
            _ => return Err(Malformed),
        }
        Ok(())
    }

    /// The four hexadecimal digits of the `\u` at `at`.
    fn unit(&self, at: usize) -> Result<u32, Malformed> {
        let digits = self.bytes.get(at + 2..at + 6).ok_or(Malformed)?;
        digits.iter().try_fold(0, |unit, digit| Some((unit << 4) | char::from(*digit).to_digit(16)?)).ok_or(Malformed)
    }

    /// Reads a number (RFC 8259 §6) that a double can hold.
    fn number(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(Malformed),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        // Without an exponent, more than 300 digits are needed to be too large.
        let may_be_too_large = exponent || self.at - start > 300;
        if may_be_too_large && !self.since(start).parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(Malformed);
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Malformed) }
    }
}

/// How many bytes come before the next quote, backslash or control character: eight at a time.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Marks the zero bytes; above the first one there may be false marks, and only the first one counts.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let mut at = 0;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let escapes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (quotes | escapes | controls) & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count()
}

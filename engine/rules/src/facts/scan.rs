//! One pass over the bytes of a JSON document: strict, and keeping only what is asked.
//!
//! All of the document is checked, also what nobody asks about: that it is JSON (RFC 8259), that no object has a name twice
//! (names are compared unescaped), that escapes are whole, that numbers fit a double, and how deep it is nested. It accepts exactly what
//! [`crate::json::parse`] accepts; a property test holds the one against the other.

use std::borrow::Cow;
use std::collections::HashSet;

use wide::u8x16;

use super::asked::Asked;
use super::found::Found;
use super::name::Key;
use super::node::{Node, Part, number as parsed, unescaped};
use crate::json::DEPTH_MAX;

/// In larger objects, names are told apart by a set: comparing pairs would be a stranger's to make slow.
const PAIRS_MAX: usize = 40;

/// Reads `text` once; nothing where it is refused: why is for [`crate::json::parse`] to say, which takes its time. Also whether some wildcard met an
/// object: then the nodes are in the order of the document, not of the names.
pub(super) fn scan<'b>(text: &'b str, asked: &Asked) -> Option<(Found<'b>, bool)> {
    let mut scanner = Scanner {
        text,
        asked,
        found: Found::new(asked.slots()),
        active: Vec::with_capacity(16),
        names: Vec::with_capacity(32),
        disordered: false,
    };
    if asked.branch(0).is_some() {
        scanner.active.push(0);
    }
    let end = scanner.value(0, 0, 0)?;
    (space(text.as_bytes(), end) == text.len()).then_some((scanner.found, scanner.disordered))
}

/// Its methods take where to read, and give where to read on; nothing where the document is refused.
struct Scanner<'b, 'a> {
    text: &'b str,
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
    tag: u32,
    /// Where it begins. Bodies are no longer than a `u32` can count: [`super::Facts::read`] looks.
    start: u32,
}

/// A text up to its closing quote.
#[derive(Clone, Copy)]
struct Quoted {
    end: usize,
    escapes: bool,
}

impl<'b> Scanner<'b, '_> {
    /// Reads one value; the branches at the end of `active`, from `from` on, are what is asked of it.
    #[inline(always)]
    fn value(&mut self, at: usize, from: usize, depth: u32) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let (start, byte) = token(bytes, at)?;
        let asked = from < self.active.len();
        if byte == b'"' {
            let quoted = quoted(bytes, start + 1)?;
            if asked {
                let text = self.unquoted(start + 1, quoted)?;
                self.keep(from, Node::Text(text));
            }
            return Some(quoted.end + 1);
        }
        let end = match byte {
            b'{' => self.object(start, from, depth)?,
            b'[' => self.list(start, from, depth)?,
            b'-' | b'0'..=b'9' => number(self.text, start)?,
            b't' => word(bytes, start, b"true")?,
            b'f' => word(bytes, start, b"false")?,
            b'n' => word(bytes, start, b"null")?,
            _ => return None,
        };
        if asked {
            self.keep(from, node(self.text.get(start..end)?)?);
        }
        Some(end)
    }

    /// Puts `node` into the slots of the branches that are asked of it.
    #[inline(never)]
    fn keep(&mut self, from: usize, node: Node<'b>) {
        let mut slots = self.active.get(from..).unwrap_or_default().iter().filter_map(|branch| self.asked.branch(*branch)?.slot);
        let Some(first) = slots.next() else { return };
        for slot in slots {
            self.found.push(slot, node.clone());
        }
        self.found.push(first, node);
    }

    #[inline(never)]
    fn object(&mut self, at: usize, from: usize, depth: u32) -> Option<usize> {
        let bytes = self.text.as_bytes();
        if depth >= DEPTH_MAX {
            return None;
        }
        let (mut at, mut byte) = token(bytes, at + 1)?;
        if byte == b'}' {
            return Some(at + 1);
        }
        let first = self.names.len();
        let to = self.active.len();
        // A bit for each name: most are told from all before by theirs.
        let mut bits = [0_u64; 4];
        loop {
            if byte != b'"' {
                return None;
            }
            let start = at + 1;
            let (quoted, key) = self.named(start)?;
            let tag = key.tag();
            let (part, bit) = (bits.get_mut(tag as usize & 3)?, 1 << (tag >> 26));
            if *part & bit != 0 {
                self.is_new(first, tag, start, quoted)?;
            }
            *part |= bit;
            self.names.push(Seen { tag, start: start as u32 });
            if from < to {
                self.enter(from..to, key, start, quoted)?;
            }
            (at, byte) = token(bytes, quoted.end + 1)?;
            if byte != b':' {
                return None;
            }
            (at, byte) = token(bytes, self.value(at + 1, to, depth + 1)?)?;
            self.active.truncate(to);
            match byte {
                b',' => (at, byte) = token(bytes, at + 1)?,
                b'}' => break,
                _ => return None,
            }
        }
        if self.names.len() - first > PAIRS_MAX {
            self.are_distinct(first)?;
        }
        self.names.truncate(first);
        Some(at + 1)
    }

    /// Refuses a name that the object, whose names begin at `first`, has already; where it has many, [`Scanner::are_distinct`] does.
    #[inline(never)]
    fn is_new(&self, first: usize, tag: u32, start: usize, own: Quoted) -> Option<()> {
        let before = self.names.get(first..)?;
        if before.len() > PAIRS_MAX {
            return Some(());
        }
        let own = self.unquoted(start, own)?;
        for seen in before.iter().filter(|seen| seen.tag == tag) {
            if self.name(seen)? == own {
                return None;
            }
        }
        Some(())
    }

    #[inline(never)]
    fn are_distinct(&self, first: usize) -> Option<()> {
        let names = self.names.get(first..)?;
        let mut set = HashSet::with_capacity(names.len());
        names.iter().try_for_each(|seen| set.insert(self.name(seen)?).then_some(()))
    }

    fn name(&self, seen: &Seen) -> Option<Cow<'b, str>> {
        let start = seen.start as usize;
        self.unquoted(start, quoted(self.text.as_bytes(), start)?)
    }

    /// Walks on to the branches below a name.
    #[inline]
    fn enter(&mut self, active: std::ops::Range<usize>, key: Key, start: usize, quoted: Quoted) -> Option<()> {
        for place in active {
            let branch = self.asked.branch(*self.active.get(place)?)?;
            if branch.may_have(key) {
                let there = if key.is_all() { branch.name(key, &[]) } else { branch.name(key, self.unquoted(start, quoted)?.as_bytes()) };
                self.active.extend(there);
            }
            if let Some(there) = branch.any {
                self.disordered = true;
                self.active.push(there);
            }
        }
        Some(())
    }

    #[inline(never)]
    fn list(&mut self, at: usize, from: usize, depth: u32) -> Option<usize> {
        let bytes = self.text.as_bytes();
        if depth >= DEPTH_MAX {
            return None;
        }
        let (mut at, mut byte) = token(bytes, at + 1)?;
        if byte == b']' {
            return Some(at + 1);
        }
        let to = self.active.len();
        let branches = self.active.get(from..to).unwrap_or_default();
        let wanted = branches.iter().any(|branch| self.asked.branch(*branch).is_some_and(|branch| branch.has_elements()));
        let mut index = 0;
        loop {
            if wanted {
                for place in from..to {
                    let branch = self.asked.branch(*self.active.get(place)?)?;
                    self.active.extend(branch.indexed(index));
                    self.active.extend(branch.any);
                }
            }
            (at, byte) = token(bytes, self.value(at, to, depth + 1)?)?;
            self.active.truncate(to);
            match byte {
                b',' => at += 1,
                b']' => return Some(at + 1),
                _ => return None,
            }
            index += 1;
        }
    }

    /// The name that begins at `start`.
    #[inline]
    fn named(&self, start: usize) -> Option<(Quoted, Key)> {
        let bytes = self.text.as_bytes();
        if let Some(chunk) = bytes.get(start..).and_then(|rest| rest.first_chunk::<16>()) {
            let length = plain_of(*chunk);
            if chunk.get(length) == Some(&b'"') {
                return Some((Quoted { end: start + length, escapes: false }, Key::beginning(*chunk, length)));
            }
        }
        let quoted = quoted(bytes, start)?;
        Some((quoted, Key::of(self.unquoted(start, quoted)?.as_bytes())))
    }

    /// The text that begins at `start`, without its escapes.
    #[inline]
    fn unquoted(&self, start: usize, quoted: Quoted) -> Option<Cow<'b, str>> {
        let raw = self.text.get(start..quoted.end)?;
        if quoted.escapes { unescaped(raw).map(Cow::Owned) } else { Some(Cow::Borrowed(raw)) }
    }
}

/// What stands in `text`, which is no string and was read.
fn node(text: &str) -> Option<Node<'_>> {
    Some(match *text.as_bytes().first()? {
        b'{' => Node::Object(Part::Raw(text)),
        b'[' => Node::List(Part::Raw(text)),
        b't' => Node::Bool(true),
        b'f' => Node::Bool(false),
        b'n' => Node::Null,
        _ => Node::Number(parsed(text)?),
    })
}

/// The next byte that is no space, and where it is.
#[inline]
fn token(bytes: &[u8], at: usize) -> Option<(usize, u8)> {
    match *bytes.get(at)? {
        0..=b' ' => {
            let at = space(bytes, at);
            Some((at, *bytes.get(at)?))
        }
        byte => Some((at, byte)),
    }
}

#[inline(never)]
fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

fn word(bytes: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(word).then_some(at + word.len())
}

/// Reads up to the closing quote; the opening one was read.
#[inline]
fn quoted(bytes: &[u8], start: usize) -> Option<Quoted> {
    // Most texts are short and plain.
    let mut end = start + plain(bytes, start);
    if end == start + 16 {
        end += plain(bytes, end);
    }
    if bytes.get(end) == Some(&b'"') { Some(Quoted { end, escapes: false }) } else { quoted_from(bytes, end) }
}

/// The same from within the text, which was plain so far.
#[inline(never)]
fn quoted_from(bytes: &[u8], mut at: usize) -> Option<Quoted> {
    let mut escapes = false;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(Quoted { end: at, escapes }),
            b'\\' => {
                escapes = true;
                at = escape(bytes, at)?;
            }
            0..=0x1f => return None,
            _ => at += plain(bytes, at).max(1),
        }
    }
}

/// Reads one escape; half of a surrogate pair is none.
fn escape(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => match unit(bytes, at)? {
            0xd800..=0xdbff if bytes.get(at + 6..at + 8) == Some(b"\\u") => {
                matches!(unit(bytes, at + 6)?, 0xdc00..=0xdfff).then_some(at + 12)
            }
            0xd800..=0xdfff => None,
            _ => Some(at + 6),
        },
        _ => None,
    }
}

/// The four hexadecimal digits of the `\u` at `at`.
fn unit(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at + 2..at + 6)?.iter().try_fold(0, |unit, digit| Some((unit << 4) | char::from(*digit).to_digit(16)?))
}

/// Reads a number (RFC 8259 §6) that a double can hold.
#[inline]
fn number(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    at = match bytes.get(at)? {
        b'0' => at + 1,
        _ => digits(bytes, at)?,
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    let exponent = matches!(bytes.get(at), Some(b'e' | b'E'));
    if exponent {
        let sign = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits(bytes, at + 1 + usize::from(sign))?;
    }
    // Without an exponent, more than 300 digits are needed to be too large.
    let may_be_too_large = exponent || at - start > 300;
    if may_be_too_large && !text.get(start..at)?.parse::<f64>().is_ok_and(f64::is_finite) {
        return None;
    }
    Some(at)
}

#[inline]
fn digits(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while let Some(b'0'..=b'9') = bytes.get(at) {
        at += 1;
    }
    (at > start).then_some(at)
}

/// At least how many bytes from `at` on are neither quotes, backslashes nor control characters: exact up to the sixteenth of them.
#[inline]
fn plain(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(chunk) = rest.first_chunk::<16>() else {
        return rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
    };
    plain_of(*chunk)
}

/// The same of sixteen bytes.
#[inline]
fn plain_of(chunk: [u8; 16]) -> usize {
    let chunk = u8x16::new(chunk);
    let quotes = chunk.simd_eq(u8x16::splat(b'"'));
    let escapes = chunk.simd_eq(u8x16::splat(b'\\'));
    let controls = chunk.simd_eq(chunk.min(u8x16::splat(0x1f)));
    ((quotes | escapes | controls).to_bitmask() | 1 << 16).trailing_zeros() as usize
}

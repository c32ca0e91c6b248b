//! XML as it comes from outside: strict, and as JSON.
//!
//! | XML | JSON |
//! |---|---|
//! | an element | a key of its parent, with its prefix where it has one |
//! | the root element | the only key of the document, or `$` itself where it is unwrapped |
//! | a repeated element | a list, in the order of the document |
//! | an attribute (a declaration of a namespace too) | `@name` |
//! | an element with text only | a string, exactly that text |
//! | text beside attributes or children | `#text`: the pieces one after the other, blank ones left out |
//! | an element with nothing in it | null |
//!
//! CDATA is text; comments and processing instructions are left out. Nothing is ever expanded: a DOCTYPE and entities
//! other than the five of XML itself are refused, and everything that grows with the document has a limit.

use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::{Error, Reader, XmlVersion};
use serde_json::{Map, Value};

use crate::encoding::{is_utf8, unmarked};

/// Elements, and the lists and objects made of them, are nested no deeper: what is stored is read as strict JSON again.
const DEPTH_MAX: usize = 64;
/// A document has no more elements and attributes.
const NODES_MAX: usize = 10_000;

/// Reads one document. Its root must be called `root` where that is given, and is then `$` itself.
///
/// # Errors
/// What is wrong and where, without any part of the document.
pub(crate) fn parse(bytes: &[u8], root: Option<&str>) -> Result<Value, String> {
    let text = decoded(bytes)?;
    if let Some(at) = text.find(|char| !is_char(char)) {
        return Err(placed(text, at, "a character that XML does not have"));
    }
    let (name, value) = document(text)?;
    let value = match root {
        None => Value::Object(Map::from_iter([(name, value)])),
        Some(root) if root == name => value,
        Some(root) => return Err(format!("its root element is not `{root}`")),
    };
    if levels(&value) > DEPTH_MAX { Err(too_deep()) } else { Ok(value) }
}

/// Whether `text` can be the name of an element: a letter, then letters, digits and `. - _ :`. Beyond ASCII it is less
/// exact than the specification.
pub(crate) fn is_name(text: &str) -> bool {
    let first = |char: char| char.is_alphabetic() || char == '_' || char == ':';
    let later = |char: char| !char.is_ascii() || char.is_ascii_alphanumeric() || ".-_:".contains(char);
    text.starts_with(first) && text.chars().all(later)
}

/// Whether XML 1.0 has the character at all.
fn is_char(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The document as text, without the mark at its beginning.
fn decoded(bytes: &[u8]) -> Result<&str, String> {
    let bytes = unmarked(bytes)?;
    let (text, bad) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => (std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(), Some(error.valid_up_to())),
    };
    // What it says about itself comes first: it explains why the rest is not UTF-8.
    if let Ok(Event::Decl(declaration)) = Reader::from_str(text).read_event() {
        check_declaration(&declaration)?;
    }
    match bad {
        None => Ok(text),
        Some(at) => Err(format!("byte {at} is not UTF-8")),
    }
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), String> {
    if !declaration.version().is_ok_and(|version| version == "1.0") {
        return Err("it is not declared as XML 1.0".to_owned());
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if is_utf8(&encoding) => Ok(()),
        Some(Ok(_)) => Err("it declares another encoding; only UTF-8 is taken".to_owned()),
        Some(Err(_)) => Err("its declaration cannot be read".to_owned()),
    }
}

/// An element whose end is still to come.
struct Open {
    name: String,
    /// Attributes and children.
    members: Map<String, Value>,
    /// The text since the last child.
    piece: String,
    /// The text before it.
    text: String,
}

impl Open {
    fn end_piece(&mut self) {
        if !is_blank(&self.piece) {
            self.text.push_str(&self.piece);
        }
        self.piece.clear();
    }

    fn add(&mut self, name: String, value: Value) {
        match self.members.get_mut(&name) {
            None => _ = self.members.insert(name, value),
            // No element is a list by itself.
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }

    fn close(mut self) -> (String, Value) {
        if self.members.is_empty() {
            let value = if self.piece.is_empty() { Value::Null } else { Value::String(self.piece) };
            return (self.name, value);
        }
        self.end_piece();
        if !self.text.is_empty() {
            self.members.insert("#text".to_owned(), Value::String(self.text));
        }
        (self.name, Value::Object(self.members))
    }
}

/// What was read so far.
#[derive(Default)]
struct Building {
    open: Vec<Open>,
    root: Option<(String, Value)>,
    nodes: usize,
}

/// The name of the root and what stands in it.
fn document(text: &str) -> Result<(String, Value), String> {
    let mut reader = Reader::from_str(text);
    let mut building = Building::default();
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event().map_err(|error| {
            let at = usize::try_from(reader.error_position()).unwrap_or(usize::MAX);
            placed(text, at, &explained(&error))
        })?;
        let done = matches!(event, Event::Eof);
        building.take(event, at == 0).map_err(|why| placed(text, at, &why))?;
        if done {
            return building.root.ok_or_else(|| "it has no element".to_owned());
        }
    }
}

impl Building {
    fn take(&mut self, event: Event<'_>, first: bool) -> Result<(), String> {
        match event {
            Event::Start(start) => self.open(&start),
            Event::Empty(start) => {
                self.open(&start)?;
                self.close();
                Ok(())
            }
            Event::End(_) => {
                self.close();
                Ok(())
            }
            Event::Text(text) if text.contains("]]>") => Err("`]]>` outside of CDATA".to_owned()),
            Event::CData(_) | Event::GeneralRef(_) if self.open.is_empty() => Err(outside()),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => self.text(referenced(&reference)?.encode_utf8(&mut [0; 4])),
            Event::DocType(_) => Err("a DOCTYPE; none is taken".to_owned()),
            Event::Decl(_) if !first => Err("an XML declaration that is not at the beginning".to_owned()),
            Event::Eof if !self.open.is_empty() => Err("it ends before its root element does".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Eof => Ok(()),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        match self.open.last_mut() {
            Some(element) => element.piece.push_str(text),
            None if is_blank(text) => {}
            None => return Err(outside()),
        }
        Ok(())
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.root.is_some() {
            return Err("a second root element".to_owned());
        }
        if self.open.len() == DEPTH_MAX {
            return Err(too_deep());
        }
        let name = start.name().as_ref().to_owned();
        if !is_name(&name) {
            return Err("an element whose name is none".to_owned());
        }
        self.count()?;
        let mut members = Map::new();
        // The reader's own check for repeated names takes quadratic time.
        for attribute in start.attributes().with_checks(false) {
            self.count()?;
            let attribute = attribute.map_err(|_| "an attribute that cannot be read".to_owned())?;
            let key = attribute.key.as_ref();
            if !is_name(key) || attribute.value.contains('<') {
                return Err("an attribute that cannot be read".to_owned());
            }
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|error| explained(&error))?;
            if !value.chars().all(is_char) {
                return Err("a character that XML does not have".to_owned());
            }
            if members.insert(format!("@{key}"), Value::String(value.into_owned())).is_some() {
                return Err("an element has one attribute twice".to_owned());
            }
        }
        if let Some(parent) = self.open.last_mut() {
            parent.end_piece();
        }
        self.open.push(Open { name, members, piece: String::new(), text: String::new() });
        Ok(())
    }

    fn close(&mut self) {
        // The reader has refused ends without a beginning.
        let Some((name, value)) = self.open.pop().map(Open::close) else { return };
        match self.open.last_mut() {
            Some(parent) => parent.add(name, value),
            None => self.root = Some((name, value)),
        }
    }

    fn count(&mut self) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > NODES_MAX { Err(format!("more than {NODES_MAX} elements and attributes")) } else { Ok(()) }
    }
}

/// The character that a reference stands for.
fn referenced(reference: &BytesRef<'_>) -> Result<char, String> {
    match &**reference {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => match reference.resolve_char_ref() {
            Ok(Some(char)) if is_char(char) => Ok(char),
            Ok(Some(_)) | Err(_) => Err("a reference to a character that XML does not have".to_owned()),
            Ok(None) => Err("an entity other than the five of XML itself".to_owned()),
        },
    }
}

fn outside() -> String {
    "text outside of the root element".to_owned()
}

fn too_deep() -> String {
    format!("nested deeper than {DEPTH_MAX}")
}

/// How many lists and objects stand in each other.
fn levels(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(levels).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

/// In words without any part of the document, which the error itself may quote.
fn explained(error: &Error) -> String {
    match error {
        Error::Syntax(error) => error.to_string(),
        Error::IllFormed(_) => "it is not well-formed: an end tag, a comment or a reference does not fit".to_owned(),
        Error::Escape(_) => "a reference in an attribute: only the five entities of XML itself and characters are taken".to_owned(),
        _ => "it is not well-formed".to_owned(),
    }
}

/// `why`, with the place of a byte.
fn placed(text: &str, at: usize, why: &str) -> String {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').filter(|byte| (**byte & 0xc0) != 0x80).count() + 1;
    format!("{why} at line {line} column {column}")
}

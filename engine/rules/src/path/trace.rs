//! Follows a query through examples, to say at which of its segments nothing stands any more.
//!
//! Examples are few and small, and what they leave open is no mistake: below null, an empty list or an empty object nothing
//! is known. Elements of a list are alike: an index, a slice and a filter stand for any of them.

use std::collections::BTreeSet;
use std::ops::Range;

use jsonpath_rust::parser::model::{Segment, Selector};
use serde_json::Value;

use super::{Path, Step};

/// An example of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Example<'v> {
    pub(crate) value: &'v Value,
    /// Whether one thing and a list of one thing look the same in it, as in XML.
    pub(crate) lists_may_be_single: bool,
}

/// Where a query leads nowhere in all examples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The number of the segment, from 0.
    pub(crate) segment: usize,
    pub(crate) why: Why,
}

/// What is the matter with a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// No object there has the name.
    NoName { name: String, known: BTreeSet<String> },
    /// What stands there is a list, and the segment is a name. Its elements have these.
    IsList { name: String, known: BTreeSet<String> },
    /// What stands there is no list and no object: nothing is below it.
    NoContainer,
    /// What stands there is an object, and the segment is an index.
    NoList,
}

impl Path {
    /// The first segment at which no example has anything; nothing where one has, or where what it would stand in is open.
    pub(crate) fn broken(&self, examples: &[Example<'_>]) -> Option<Broken> {
        let mut nodes: Vec<Example<'_>> = examples.to_vec();
        let count = self.many.as_ref().map_or(self.prefix.len(), |query| query.segments.len());
        for segment in 0..count {
            let below: Vec<Example<'_>> = match &self.many {
                None => nodes.iter().flat_map(|node| node.step(self.prefix.get(segment))).collect(),
                Some(query) => nodes.iter().flat_map(|node| node.segment(query.segments.get(segment))).collect(),
            };
            if below.is_empty() {
                let name = match &self.many {
                    None => match self.prefix.get(segment) {
                        Some(Step::Name(name)) => Some(name.as_str()),
                        _ => None,
                    },
                    Some(query) => query.segments.get(segment).and_then(name_of),
                };
                let is_descent =
                    self.many.as_ref().is_some_and(|query| matches!(query.segments.get(segment), Some(Segment::Descendant(_))));
                let open = nodes.is_empty() || nodes.iter().any(|node| if is_descent { node.is_open_below() } else { node.is_open(name) });
                return (!open).then(|| Broken { segment, why: why(&nodes, name) });
            }
            nodes = below;
        }
        None
    }

    /// Where the segments stand in the text of the query; nothing where that cannot be told.
    pub(crate) fn places(&self) -> Option<Vec<Range<usize>>> {
        let count = self.many.as_ref().map_or(self.prefix.len(), |query| query.segments.len());
        let mut places = Vec::new();
        let mut at = 1;
        while at < self.text.len() {
            let rest = self.text.get(at..)?;
            let length = if rest.starts_with('[') { bracketed(rest)? } else { dotted(rest)? };
            places.push(at..at + length);
            at += length;
        }
        (places.len() == count).then_some(places)
    }

    /// The query with the segment at `place` written as the name `name`, after `before`.
    pub(crate) fn renamed(&self, place: &Range<usize>, before: &str, name: &str) -> Option<String> {
        let is_word = name.starts_with(|char: char| char.is_alphabetic() || char == '_')
            && name.chars().all(|char| char.is_alphanumeric() || char == '_');
        let dots = if self.text.get(place.clone())?.starts_with("..") { ".." } else { "." };
        let segment = match (is_word, dots) {
            (true, dots) => format!("{dots}{name}"),
            (false, "..") => format!("..['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
            (false, _) => format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
        };
        let text = format!("{}{before}{segment}{}", self.text.get(..place.start)?, self.text.get(place.end..)?);
        Path::parse(&text).ok().map(|path| path.text)
    }
}

/// The length of the `[…]` that `text` begins with.
fn bracketed(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match (quote, char) {
            (Some(_), '\\') => _ = chars.next(),
            (Some(open), char) if char == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(char),
            (None, '[') => depth += 1,
            (None, ']') => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            (None, _) => {}
        }
    }
    None
}

/// The length of the `.name`, `.*`, `..name` or `..[…]` that `text` begins with.
fn dotted(text: &str) -> Option<usize> {
    let dots = if text.starts_with("..") { 2 } else { 1 };
    let rest = text.get(dots..).filter(|_| text.starts_with('.'))?;
    if rest.starts_with('[') {
        return Some(dots + bracketed(rest)?);
    }
    Some(dots + rest.find(['.', '[']).unwrap_or(rest.len()))
}

fn name_of(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Descendant(segment) => name_of(segment),
        Segment::Selector(Selector::Name(name)) => Some(name),
        Segment::Selector(_) => None,
        Segment::Selectors(selectors) => match selectors.as_slice() {
            [Selector::Name(name)] => Some(name),
            _ => None,
        },
    }
}

fn why(nodes: &[Example<'_>], name: Option<&str>) -> Why {
    let names = |values: &mut dyn Iterator<Item = &Value>| {
        values.filter_map(Value::as_object).flat_map(|object| object.keys().cloned()).collect::<BTreeSet<String>>()
    };
    let objects = names(&mut nodes.iter().map(|node| node.value));
    let elements = names(&mut nodes.iter().filter_map(|node| node.value.as_array()).flatten());
    let is_list = nodes.iter().any(|node| node.value.is_array());
    match name {
        Some(name) if !objects.is_empty() => Why::NoName { name: name.to_owned(), known: objects },
        Some(name) if is_list => Why::IsList { name: name.to_owned(), known: elements },
        None if !objects.is_empty() => Why::NoList,
        _ => Why::NoContainer,
    }
}

impl<'v> Example<'v> {
    fn with(self, value: &'v Value) -> Self {
        Self { value, ..self }
    }

    /// Whether other documents may have there what this one has not.
    fn is_open(self, name: Option<&str>) -> bool {
        match self.value {
            Value::Null => true,
            Value::Array(elements) => elements.is_empty(),
            Value::Object(members) => members.is_empty() || (name.is_none() && self.lists_may_be_single),
            // An element with text may have had attributes, or others beside it.
            Value::String(_) => self.lists_may_be_single,
            Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn is_open_below(self) -> bool {
        self.is_open(None) || self.children().into_iter().any(Self::is_open_below)
    }

    fn children(self) -> Vec<Self> {
        match self.value {
            Value::Array(elements) => elements.iter().map(|value| self.with(value)).collect(),
            Value::Object(members) => members.values().map(|value| self.with(value)).collect(),
            _ => Vec::new(),
        }
    }

    fn step(self, step: Option<&Step>) -> Vec<Self> {
        match step {
            Some(Step::Name(name)) => self.member(name),
            Some(Step::Index(_)) => self.elements(),
            None => Vec::new(),
        }
    }

    fn member(self, name: &str) -> Vec<Self> {
        self.value.as_object().and_then(|members| members.get(name)).map(|value| self.with(value)).into_iter().collect()
    }

    fn elements(self) -> Vec<Self> {
        if self.value.is_array() { self.children() } else { Vec::new() }
    }

    fn segment(self, segment: Option<&Segment>) -> Vec<Self> {
        match segment {
            None => Vec::new(),
            Some(Segment::Selector(selector)) => self.select(selector),
            Some(Segment::Selectors(selectors)) => selectors.iter().flat_map(|selector| self.select(selector)).collect(),
            Some(Segment::Descendant(segment)) => {
                let below = self.children().into_iter().flat_map(|child| child.descend(segment));
                self.segment(Some(segment)).into_iter().chain(below).collect()
            }
        }
    }

    fn descend(self, segment: &Segment) -> Vec<Self> {
        let below = self.children().into_iter().flat_map(|child| child.descend(segment));
        self.segment(Some(segment)).into_iter().chain(below).collect()
    }

    fn select(self, selector: &Selector) -> Vec<Self> {
        match selector {
            Selector::Name(name) => self.member(name),
            Selector::Index(_) | Selector::Slice(..) => self.elements(),
            Selector::Wildcard | Selector::Filter(_) => self.children(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn broken(path: &str, document: &Value, xml: bool) -> Option<(usize, &'static str)> {
        let path = Path::parse(path).unwrap();
        let found = path.broken(&[Example { value: document, lists_may_be_single: xml }])?;
        let why = match found.why {
            Why::NoName { .. } => "name",
            Why::IsList { .. } => "list",
            Why::NoContainer => "end",
            Why::NoList => "object",
        };
        Some((found.segment, why))
    }

    #[test]
    fn a_query_breaks_where_nothing_stands() {
        let document = json!({"a": {"b": 1}, "list": [{"x": 1}, {"y": {"z": null}}], "none": null, "empty": [], "open": {}});
        for (path, found) in [
            ("$", None),
            ("$.a.b", None),
            ("$.a.c", Some((1, "name"))),
            ("$.a.b.c", Some((2, "end"))),
            ("$.a[0]", Some((1, "object"))),
            ("$.a.b[0]", Some((2, "end"))),
            ("$.list.x", Some((1, "list"))),
            ("$.list[0].x", None),
            ("$.list[0].y", None),
            ("$.list[0].w", Some((2, "name"))),
            ("$.list[7].y.z", None),
            ("$.list[*].y.z.far.away", None),
            ("$.list[*].w", Some((2, "name"))),
            ("$.list[?@.x == 2].y", None),
            ("$.list[?@.x == 2].w", Some((2, "name"))),
            ("$.list[0:1]['x', 'y']", None),
            ("$.none.c.d", None),
            ("$.empty[0].d", None),
            ("$.empty[*].d", None),
            ("$.open.d", None),
            ("$..z", None),
            ("$..q", None),
            ("$['a']['c']", Some((1, "name"))),
        ] {
            assert_eq!(broken(path, &document, false), found, "{path}");
        }
        assert_eq!(broken("$..q", &json!({"a": 1}), false), Some((0, "name")));
    }

    #[test]
    fn in_xml_one_thing_may_be_a_list() {
        let document = json!({"item": {"name": "x"}});
        assert_eq!(broken("$.item[0].name", &document, true), None);
        assert_eq!(broken("$.item[0].name", &document, false), Some((1, "object")));
        assert_eq!(broken("$.item.nam", &document, true), Some((1, "name")));
    }

    #[test]
    fn segments_have_places() {
        for (text, parts) in [
            ("$.a.b", vec![".a", ".b"]),
            ("$['a b'][0][\"]\"].c", vec!["['a b']", "[0]", "[\"]\"]", ".c"]),
            ("$..a[?@.x == ']'].*", vec!["..a", "[?@.x == ']']", ".*"]),
            ("$..[0].é", vec!["..[0]", ".é"]),
        ] {
            let path = Path::parse(text).unwrap();
            let places = path.places().unwrap();
            assert_eq!(places.iter().map(|place| &text[place.clone()]).collect::<Vec<_>>(), parts, "{text}");
        }
    }

    #[test]
    fn a_name_is_put_right() {
        let path = Path::parse("$.data.pateint['x'].y").unwrap();
        let places = path.places().unwrap();
        assert_eq!(path.renamed(&places[1], "", "patient").unwrap(), "$.data.patient['x'].y");
        assert_eq!(path.renamed(&places[1], "[*]", "it's").unwrap(), "$.data[*]['it\\'s']['x'].y");
    }
}

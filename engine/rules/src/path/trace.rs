//! Follows a query through examples, to say at which of its segments nothing stands any more.
//!
//! Examples are few and small, and what they leave open is no mistake: below null, an empty list or an empty object nothing
//! is known. Elements of a list are alike: an index, a slice and a filter stand for any of them.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use super::query::Selector;
use super::{Path, Segment};

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
        for (number, segment) in self.segments().iter().enumerate() {
            let below: Vec<Example<'_>> = nodes.iter().flat_map(|node| node.segment(segment)).collect();
            if below.is_empty() {
                let name = name_of(segment);
                let is_open = |node: &Example<'_>| if segment.descend { node.is_open_below() } else { node.is_open(name) };
                let open = nodes.is_empty() || nodes.iter().any(is_open);
                return (!open).then(|| Broken { segment: number, why: why(&nodes, name) });
            }
            nodes = below;
        }
        None
    }

    /// Where the segments stand in the text of the query.
    pub(crate) fn places(&self) -> &[Range<usize>] {
        &self.places
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

fn name_of(segment: &Segment) -> Option<&str> {
    match segment.selectors.as_slice() {
        [Selector::Name(name)] => Some(name),
        _ => None,
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

    fn member(self, name: &str) -> Vec<Self> {
        self.value.as_object().and_then(|members| members.get(name)).map(|value| self.with(value)).into_iter().collect()
    }

    fn elements(self) -> Vec<Self> {
        if self.value.is_array() { self.children() } else { Vec::new() }
    }

    fn segment(self, segment: &Segment) -> Vec<Self> {
        let mut chosen: Vec<Self> = segment.selectors.iter().flat_map(|selector| self.select(selector)).collect();
        if segment.descend {
            chosen.extend(self.children().into_iter().flat_map(|child| child.segment(segment)));
        }
        chosen
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
            let places = path.places();
            assert_eq!(places.iter().map(|place| &text[place.clone()]).collect::<Vec<_>>(), parts, "{text}");
        }
    }

    #[test]
    fn a_name_is_put_right() {
        let path = Path::parse("$.data.pateint['x'].y").unwrap();
        let places = path.places();
        assert_eq!(path.renamed(&places[1], "", "patient").unwrap(), "$.data.patient['x'].y");
        assert_eq!(path.renamed(&places[1], "[*]", "it's").unwrap(), "$.data[*]['it\\'s']['x'].y");
    }
}

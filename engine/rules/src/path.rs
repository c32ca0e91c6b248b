//! JSONPath queries: RFC 9535, all of it and nothing else.
//!
//! `parse` and `filter` read a text, by way of `scanner`, into what `query` describes; `evaluate` says what that yields in a
//! document. A singular query (only names and indexes, RFC 9535 §2.3.5.1), which is what nearly all paths of real rules are,
//! is walked without any of that. A new function of filters goes into `function` and `evaluate`.

mod compare;
mod evaluate;
mod filter;
mod function;
mod iregexp;
mod parse;
mod query;
mod scanner;
mod trace;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use query::{Selector, position, walk};

pub(crate) use query::{Segment, Step};
pub(crate) use trace::{Broken, Example, Why};

/// No query is longer, in bytes.
const LENGTH_MAX: usize = 2_000;

/// A checked query.
#[derive(Clone)]
pub struct Path {
    text: String,
    /// The names and indexes that the query begins with; all of it where it is singular.
    prefix: Vec<Step>,
    /// The whole query.
    segments: Arc<[Segment]>,
    /// Where each segment stands in the text.
    places: Arc<[Range<usize>]>,
}

/// A segment that a walk over a document can follow without knowing what comes later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hop {
    Name(String),
    Index(usize),
    Any,
}

/// Why a text is not a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PathError {
    pub message: String,
    /// The byte of the text where reading stopped.
    pub at: Option<usize>,
}

/// A query takes more steps in a document than one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it takes more than {} steps in this document; say more exactly where to look, with fewer `..`, `*` and filters in filters",
    evaluate::STEPS_MAX
)]
pub struct TooMuch;

/// The nodes that a query yields.
#[derive(Clone, Debug)]
pub enum Nodes<'v> {
    /// Of a singular query: at most one.
    One(Option<&'v Value>),
    /// Of any other, in the order of RFC 9535.
    Many(Vec<&'v Value>),
    /// Finding them takes too much: none are known.
    TooMuch,
}

impl Path {
    /// Reads a query.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > LENGTH_MAX {
            return Err(PathError { message: format!("a path has at most {LENGTH_MAX} bytes"), at: None });
        }
        let (segments, places) = parse::query(text)?;
        let prefix = segments.iter().map_while(Segment::step).collect();
        Ok(Self { text: text.to_owned(), prefix, segments: segments.into(), places: places.into() })
    }

    /// The query as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the query can only yield one node: RFC 9535 §2.3.5.1.
    pub fn is_singular(&self) -> bool {
        self.prefix.len() == self.segments.len()
    }

    /// The nodes in `document`; none where finding them takes too much.
    pub fn nodes<'v>(&self, document: &'v Value) -> Nodes<'v> {
        self.nodes_below(0, document)
    }

    /// The nodes in `document`.
    ///
    /// # Errors
    /// Finding them takes too much.
    pub fn try_nodes<'v>(&self, document: &'v Value) -> Result<Nodes<'v>, TooMuch> {
        self.try_nodes_below(0, document)
    }

    /// The first node in `document`.
    pub fn first<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.nodes(document).first()
    }

    /// What stands at the path as one value: a singular query's node, any other's nodes as a list. Nothing where the
    /// singular beginning of the query leads nowhere.
    pub fn value(&self, document: &Value) -> Option<Value> {
        let beginning = walk(&self.prefix, document)?;
        match self.nodes(document) {
            Nodes::One(_) => Some(beginning.clone()),
            Nodes::Many(nodes) => Some(Value::Array(nodes.into_iter().cloned().collect())),
            Nodes::TooMuch => None,
        }
    }

    /// The names and indexes that the query begins with.
    pub(crate) fn prefix(&self) -> &[Step] {
        &self.prefix
    }

    /// All segments of the query.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The name that the segment at `depth` stands for, where it is one.
    pub(crate) fn name_at(&self, depth: usize) -> Option<String> {
        // Below a descent there is no telling how deep.
        if self.segments.iter().take(depth).any(|segment| segment.descend) {
            return None;
        }
        match self.segments.get(depth)?.step()? {
            Step::Name(name) => Some(name),
            Step::Index(_) => None,
        }
    }

    /// The query as names, indexes and wildcards, where it is made of these alone.
    pub(crate) fn hops(&self) -> Option<Vec<Hop>> {
        self.segments.iter().map(hop).collect()
    }

    /// The names and indexes that the query begins with; nothing where some of them count from the end.
    pub(crate) fn named_beginning(&self) -> Option<Vec<Hop>> {
        self.prefix.iter().map(Hop::of).collect()
    }

    /// The names and indexes that the query begins with, below which the rest of it can be evaluated by itself.
    pub(crate) fn beginning(&self) -> Vec<Hop> {
        // A filter may ask the whole document.
        if self.text.matches('$').count() > 1 {
            return Vec::new();
        }
        self.prefix.iter().map_while(Hop::of).collect()
    }

    /// How many segments of this query lead to what the singular query `above` yields; nothing where it lies elsewhere.
    pub(crate) fn depth_below(&self, above: &Path) -> Option<usize> {
        above.covers(self).then_some(above.prefix.len())
    }

    /// The nodes in `document`, which stands where the first `depth` names and indexes of this query lead.
    pub(crate) fn nodes_below<'v>(&self, depth: usize, document: &'v Value) -> Nodes<'v> {
        self.try_nodes_below(depth, document).unwrap_or(Nodes::TooMuch)
    }

    fn try_nodes_below<'v>(&self, depth: usize, document: &'v Value) -> Result<Nodes<'v>, TooMuch> {
        let beginning = walk(self.prefix.get(depth..).unwrap_or_default(), document);
        if self.is_singular() {
            return Ok(Nodes::One(beginning));
        }
        let (Some(beginning), Some(rest)) = (beginning, self.segments.get(self.prefix.len()..)) else { return Ok(Nodes::Many(Vec::new())) };
        if self.is_bounded() {
            return Ok(Nodes::Many(rest.iter().fold(vec![beginning], |nodes, segment| evaluate::children(segment, &nodes))));
        }
        evaluate::nodes(rest, beginning, document).map(Nodes::Many)
    }

    /// Whether it yields no more nodes than there are in a document, so that finding them never takes too much.
    pub(crate) fn is_bounded(&self) -> bool {
        let one = |selector: &Selector| matches!(selector, Selector::Name(_) | Selector::Index(_) | Selector::Wildcard);
        self.segments.iter().all(|segment| !segment.descend && segment.selectors.len() == 1 && segment.selectors.iter().all(one))
    }

    /// Whether everything that `other` yields lies at or below what this singular query yields.
    pub(crate) fn covers(&self, other: &Path) -> bool {
        self.is_singular() && other.prefix.starts_with(&self.prefix)
    }

    /// Puts `value` where this singular query points, making objects on the way; false where that is impossible.
    pub fn assign(&self, document: &mut Value, value: Value) -> bool {
        if !self.is_singular() {
            return false;
        }
        let mut place = document;
        for step in &self.prefix {
            if place.is_null() && matches!(step, Step::Name(_)) {
                *place = Value::Object(serde_json::Map::new());
            }
            let next = match (step, place) {
                (Step::Name(name), Value::Object(object)) => Some(object.entry(name.clone()).or_insert(Value::Null)),
                (Step::Index(index), Value::Array(array)) => position(*index, array.len()).and_then(|index| array.get_mut(index)),
                _ => None,
            };
            match next {
                Some(next) => place = next,
                None => return false,
            }
        }
        *place = value;
        true
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({})", self.text)
    }
}

impl<'v> Nodes<'v> {
    /// The first of them.
    pub fn first(&self) -> Option<&'v Value> {
        match self {
            Self::One(node) => *node,
            Self::Many(nodes) => nodes.first().copied(),
            Self::TooMuch => None,
        }
    }

    /// Whether finding them takes too much.
    pub fn is_too_much(&self) -> bool {
        matches!(self, Self::TooMuch)
    }

    /// The nodes in order.
    pub fn iter(&self) -> impl Iterator<Item = &'v Value> {
        let (one, many) = match self {
            Self::One(one) => (*one, &[] as &[&Value]),
            Self::Many(many) => (None, many.as_slice()),
            Self::TooMuch => (None, &[] as &[&Value]),
        };
        one.into_iter().chain(many.iter().copied())
    }
}

fn hop(segment: &Segment) -> Option<Hop> {
    match (segment.step(), segment.descend, segment.selectors.as_slice()) {
        (Some(step), ..) => Hop::of(&step),
        (None, false, [Selector::Wildcard]) => Some(Hop::Any),
        _ => None,
    }
}

impl Hop {
    fn of(step: &Step) -> Option<Self> {
        match step {
            Step::Name(name) => Some(Self::Name(name.clone())),
            Step::Index(index) => usize::try_from(*index).ok().map(Self::Index),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn singular_is_names_and_indexes() {
        for (text, singular) in [
            ("$", true),
            ("$.data.id", true),
            ("$['data'][\"id\"]", true),
            ("$.phones[-1].phone", true),
            ("$.phones[*].phone", false),
            ("$..id", false),
            ("$.a['b','c']", false),
            ("$.a[0:1]", false),
            ("$.services[?@.code == '1004']", false),
        ] {
            assert_eq!(Path::parse(text).unwrap().is_singular(), singular, "{text}");
        }
    }

    #[test]
    fn space_between_parts_is_fine() {
        for text in ["$ .a [ 0 ]", "$['a b']", "$[?@.a == 'x y' && @.b > 1]", "$[\"a\\\" b\"]", "$[ 0 , 1 ]"] {
            assert!(Path::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_bad_query_says_where() {
        for (text, at) in [
            ("data.id", Some(0)),
            ("$.data..", Some(8)),
            ("$.data[", Some(7)),
            ("$.da ta", Some(4)),
            ("$[?@.a b == 1]", Some(6)),
            ("$.a[?in(@.b, [1])]", Some(5)),
        ] {
            assert_eq!(Path::parse(text).unwrap_err().at, at, "{text}");
        }
        assert_eq!(Path::parse("$[?in(@.b, $.c)]").unwrap_err().message, "`in` is not a function of RFC 9535");
        assert!(Path::parse(&format!("$.{}", "a".repeat(LENGTH_MAX))).is_err());
    }

    #[test]
    fn the_value_of_many_nodes_is_a_list() {
        let path = Path::parse("$.phones[*].phone").unwrap();
        assert_eq!(path.value(&json!({"phones": [{"phone": "1"}, {"phone": "2"}]})), Some(json!(["1", "2"])));
        assert_eq!(path.value(&json!({"phones": []})), Some(json!([])), "mentioned, and empty");
        assert_eq!(path.value(&json!({})), None, "not mentioned");
        assert_eq!(Path::parse("$.a").unwrap().value(&json!({"a": null})), Some(json!(null)));
    }

    #[test]
    fn below_a_part_of_the_query_the_rest_is_asked() {
        let data = Path::parse("$.data").unwrap();
        let below = |text: &str, document: Value| {
            let path = Path::parse(text).unwrap();
            let nodes = path.nodes_below(path.depth_below(&data)?, &document).iter().cloned().collect::<Vec<_>>();
            Some(Value::from(nodes))
        };
        assert_eq!(below("$.data.name", json!({"name": 1})), Some(json!([1])));
        assert_eq!(below("$.data.phones[*].phone", json!({"phones": [{"phone": 1}, {"phone": 2}]})), Some(json!([1, 2])));
        assert_eq!(below("$.data", json!(3)), Some(json!([3])));
        assert_eq!(below("$.other.name", json!({"name": 1})), None);
    }

    #[test]
    fn assigning_makes_the_way() {
        let mut document = json!({"a": [1, 2]});
        assert!(Path::parse("$.b.c").unwrap().assign(&mut document, json!(3)));
        assert!(Path::parse("$.a[-1]").unwrap().assign(&mut document, json!(4)));
        assert!(!Path::parse("$.a.c").unwrap().assign(&mut document, json!(5)));
        assert!(!Path::parse("$.a[*]").unwrap().assign(&mut document, json!(5)));
        assert_eq!(document, json!({"a": [1, 4], "b": {"c": 3}}));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ab']{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c]|a b|é", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn segment() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(".a".to_owned()),
            Just("['b']".to_owned()),
            Just("[\"a b\"]".to_owned()),
            Just("['\\u00e9']".to_owned()),
            (-4..4i64).prop_map(|index| format!("[{index}]"))
        ]
    }

    proptest! {
        #[test]
        fn a_walk_finds_what_the_library_finds(document in value(), segments in prop::collection::vec(segment(), 0..4)) {
            let text = format!("${}", segments.concat());
            let path = Path::parse(&text).unwrap();
            prop_assert!(path.is_singular());
            let walked: Vec<&Value> = path.nodes(&document).iter().collect();
            let theirs = serde_json_path::JsonPath::parse(&text).unwrap();
            prop_assert_eq!(walked, theirs.query(&document).all());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = Path::parse(&format!("${text}"));
        }
    }
}

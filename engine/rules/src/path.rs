//! JSONPath queries (RFC 9535).
//!
//! Queries are parsed by `jsonpath-rust`. A singular query (only names and indexes, RFC 9535 §2.3.5.1) is walked by
//! this module, which is what nearly all paths of real rules are; the others are evaluated by `jsonpath-rust`. Nothing
//! else in zelo knows which is which.

mod trace;

use std::fmt;

use jsonpath_rust::parser::errors::JsonPathError;
use jsonpath_rust::parser::model::{Comparable, Comparison, Filter, FilterAtom, FnArg, JpQuery, Segment, Selector, Test, TestFunction};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use pest::error::InputLocation;
use serde_json::Value;

pub(crate) use trace::{Broken, Example, Why};

/// No query is longer, in bytes.
const LENGTH_MAX: usize = 2_000;

/// A checked query.
#[derive(Clone)]
pub struct Path {
    text: String,
    /// The names and indexes that the query begins with; all of it where it is singular.
    prefix: Vec<Step>,
    /// The whole query, where it is not singular.
    many: Option<JpQuery>,
}

/// One segment of a singular query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    Index(i64),
}

/// Why a text is not a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PathError {
    pub message: String,
    /// The byte of the text where reading stopped.
    pub at: Option<usize>,
}

/// The nodes that a query yields.
#[derive(Clone, Debug)]
pub enum Nodes<'v> {
    /// Of a singular query: at most one.
    One(Option<&'v Value>),
    /// Of any other, in the order of RFC 9535.
    Many(Vec<&'v Value>),
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
        if let Some(prefix) = plain(text) {
            return Ok(Self { text: text.to_owned(), prefix, many: None });
        }
        let query = parse_json_path(text).map_err(|error| explain(text, &error))?;
        if let Some(at) = gap(text) {
            return Err(PathError { message: "a name that is not in quotes has no space in it".to_owned(), at: Some(at) });
        }
        if let Some(name) = query.segments.iter().find_map(foreign_function) {
            return Err(PathError { message: format!("`{name}` is not a function of RFC 9535"), at: text.find(name) });
        }
        let prefix: Vec<Step> = query.segments.iter().map_while(step).collect();
        let many = (prefix.len() < query.segments.len()).then_some(query);
        Ok(Self { text: text.to_owned(), prefix, many })
    }

    /// The query as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the query can only yield one node: RFC 9535 §2.3.5.1.
    pub fn is_singular(&self) -> bool {
        self.many.is_none()
    }

    /// The nodes in `document`.
    pub fn nodes<'v>(&self, document: &'v Value) -> Nodes<'v> {
        match &self.many {
            None => Nodes::One(walk(&self.prefix, document)),
            // A query of segments yields references only, so there is no other outcome.
            Some(query) => Nodes::Many(js_path_process(query, document).unwrap_or_default().into_iter().map(|found| found.val).collect()),
        }
    }

    /// The first node in `document`.
    pub fn first<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        match self.nodes(document) {
            Nodes::One(node) => node,
            Nodes::Many(nodes) => nodes.first().copied(),
        }
    }

    /// What stands at the path as one value: a singular query's node, any other's nodes as a list. Nothing where the
    /// singular beginning of the query leads nowhere.
    pub fn value(&self, document: &Value) -> Option<Value> {
        let beginning = walk(&self.prefix, document)?;
        match self.nodes(document) {
            Nodes::One(_) => Some(beginning.clone()),
            Nodes::Many(nodes) => Some(Value::Array(nodes.into_iter().cloned().collect())),
        }
    }

    /// The names and indexes that the query begins with.
    pub(crate) fn prefix(&self) -> &[Step] {
        &self.prefix
    }

    /// The name that the segment at `depth` stands for, where it is one.
    pub(crate) fn name_at(&self, depth: usize) -> Option<String> {
        let found = match &self.many {
            None => self.prefix.get(depth).cloned(),
            // Below a descent there is no telling how deep.
            Some(query) if query.segments.iter().take(depth).any(|segment| matches!(segment, Segment::Descendant(_))) => None,
            Some(query) => query.segments.get(depth).and_then(step),
        };
        match found {
            Some(Step::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// How many segments of this query lead to what the singular query `above` yields; nothing where it lies elsewhere.
    pub(crate) fn depth_below(&self, above: &Path) -> Option<usize> {
        above.covers(self).then_some(above.prefix.len())
    }

    /// The nodes in `document`, which stands where the first `depth` names and indexes of this query lead.
    pub(crate) fn nodes_below<'v>(&self, depth: usize, document: &'v Value) -> Nodes<'v> {
        match &self.many {
            None => Nodes::One(walk(self.prefix.get(depth..).unwrap_or_default(), document)),
            Some(query) => {
                let rest = JpQuery::new(query.segments.iter().skip(depth).cloned().collect());
                Nodes::Many(js_path_process(&rest, document).unwrap_or_default().into_iter().map(|found| found.val).collect())
            }
        }
    }

    /// Whether everything that `other` yields lies at or below what this singular query yields.
    pub(crate) fn covers(&self, other: &Path) -> bool {
        self.is_singular() && other.prefix.starts_with(&self.prefix)
    }

    /// Puts `value` where this singular query points, making objects on the way; false where that is impossible.
    pub fn assign(&self, document: &mut Value, value: Value) -> bool {
        if self.many.is_some() {
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
    /// The nodes in order.
    pub fn iter(&self) -> impl Iterator<Item = &'v Value> {
        let (one, many) = match self {
            Self::One(one) => (*one, &[] as &[&Value]),
            Self::Many(many) => (None, many.as_slice()),
        };
        one.into_iter().chain(many.iter().copied())
    }
}

fn walk<'v>(steps: &[Step], document: &'v Value) -> Option<&'v Value> {
    steps.iter().try_fold(document, |value, step| match step {
        Step::Name(name) => value.as_object()?.get(name),
        Step::Index(index) => value.as_array().and_then(|array| array.get(position(*index, array.len())?)),
    })
}

/// The place of a possibly negative index (RFC 9535 §2.3.3.2).
fn position(index: i64, length: usize) -> Option<usize> {
    if index >= 0 { usize::try_from(index).ok() } else { length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?) }
}

/// Beyond so many names the parser has a word to say.
const PLAIN_MAX: usize = 32;

/// The names of a query like `$.data.patient.name`, which nearly all are: read at once, since the grammar of all queries takes a
/// hundred times as long, and a large rule set has tens of thousands.
fn plain(text: &str) -> Option<Vec<Step>> {
    let is_name = |name: &str| {
        name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
            && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
    };
    let names = text.strip_prefix("$.")?.split('.');
    let steps: Vec<Step> = names.map(|name| is_name(name).then(|| Step::Name(name.to_owned()))).collect::<Option<_>>()?;
    (steps.len() <= PLAIN_MAX).then_some(steps)
}

fn step(segment: &Segment) -> Option<Step> {
    let selector = match segment {
        Segment::Selector(selector) => selector,
        Segment::Selectors(selectors) => match selectors.as_slice() {
            [selector] => selector,
            _ => return None,
        },
        Segment::Descendant(_) => return None,
    };
    match selector {
        Selector::Name(name) => Some(Step::Name(name.clone())),
        Selector::Index(index) => Some(Step::Index(*index)),
        _ => None,
    }
}

/// The space inside a bare name. The parser takes `$.a b` for the name `a b`; RFC 9535 §2.5.1.1 has no such name, and
/// nowhere else may space stand between two characters of names either.
fn gap(text: &str) -> Option<usize> {
    let named = |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_' || !char.is_ascii());
    let mut quote = None;
    let mut before = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        match quote {
            Some(_) if char == '\\' => _ = chars.next(),
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None if matches!(char, '"' | '\'') => quote = Some(char),
            None if char.is_ascii_whitespace() => {
                let after = text[at..].trim_start_matches(|char: char| char.is_ascii_whitespace()).chars().next();
                if named(before) && named(after) {
                    return Some(at);
                }
                continue;
            }
            None => {}
        }
        before = quote.is_none().then_some(char);
    }
    None
}

fn explain(text: &str, error: &JsonPathError) -> PathError {
    if !text.starts_with('$') {
        return PathError { message: "a path begins with `$`".to_owned(), at: Some(0) };
    }
    match error {
        JsonPathError::PestError(error) => {
            let at = match error.location {
                InputLocation::Pos(at) => at,
                InputLocation::Span((at, _)) => at,
            };
            let message = match text.get(at..).and_then(|rest| rest.chars().next()) {
                Some(char) => format!("`{char}` does not fit here"),
                None => "the path ends too early".to_owned(),
            };
            PathError { message, at: Some(at) }
        }
        JsonPathError::MaxNestingDepthExceeded(depth) => PathError { message: format!("nested deeper than {depth}"), at: None },
        other => PathError { message: other.to_string(), at: None },
    }
}

/// The name of a function in `segment` that is an extension of the parser and not of the standard.
fn foreign_function(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Descendant(segment) => foreign_function(segment),
        Segment::Selector(selector) => in_selector(selector),
        Segment::Selectors(selectors) => selectors.iter().find_map(in_selector),
    }
}

fn in_selector(selector: &Selector) -> Option<&str> {
    match selector {
        Selector::Filter(filter) => in_filter(filter),
        _ => None,
    }
}

fn in_filter(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::Or(parts) | Filter::And(parts) => parts.iter().find_map(in_filter),
        Filter::Atom(FilterAtom::Filter { expr, .. }) => in_filter(expr),
        Filter::Atom(FilterAtom::Test { expr, .. }) => in_test(expr),
        Filter::Atom(FilterAtom::Comparison(comparison)) => in_comparison(comparison),
    }
}

fn in_comparison(comparison: &Comparison) -> Option<&str> {
    let (left, right) = comparison.vals();
    [left, right].into_iter().find_map(|side| match side {
        Comparable::Function(function) => in_function(function),
        _ => None,
    })
}

fn in_test(test: &Test) -> Option<&str> {
    match test {
        Test::RelQuery(segments) => segments.iter().find_map(foreign_function),
        Test::AbsQuery(query) => query.segments.iter().find_map(foreign_function),
        Test::Function(function) => in_function(function),
    }
}

fn in_function(function: &TestFunction) -> Option<&str> {
    match function {
        TestFunction::Custom(name, _) => Some(name),
        TestFunction::Length(argument) => in_argument(argument),
        TestFunction::Value(argument) | TestFunction::Count(argument) => in_argument(argument),
        TestFunction::Search(a, b) | TestFunction::Match(a, b) => in_argument(a).or_else(|| in_argument(b)),
    }
}

fn in_argument(argument: &FnArg) -> Option<&str> {
    match argument {
        FnArg::Literal(_) => None,
        FnArg::Test(test) => in_test(test),
        FnArg::Filter(filter) => in_filter(filter),
    }
}

#[cfg(test)]
mod tests {
    use jsonpath_rust::JsonPath;
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
    fn plain_names_are_read_at_once() {
        for (text, plain_names) in [
            ("$.data.patient.name", true),
            ("$._1", true),
            ("$", false),
            ("$.", false),
            ("$.a..b", false),
            ("$.1a", false),
            ("$.a b", false),
            ("$.nó", false),
            ("$.a.*", false),
            ("$.a[0]", false),
        ] {
            assert_eq!(plain(text).is_some(), plain_names, "{text}");
        }
        let longest = format!("${}", ".a".repeat(PLAIN_MAX));
        assert_eq!(plain(&longest).map(|steps| steps.len()), Some(parse_json_path(&longest).unwrap().segments.len()));
        assert_eq!(plain(&format!("{longest}.a")), None);
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
            ("$.a[?in(@.b, [1])]", Some(13)),
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
            prop_assert_eq!(walked, document.query(&text).unwrap());
        }

        #[test]
        fn plain_names_are_what_the_parser_reads(text in "\\$(\\.([a-zA-Z_][a-zA-Z0-9_]{0,3}|true|null|in|length|[a-z0-9 é*-]{1,3})){1,8}") {
            if let Some(steps) = plain(&text) {
                let query = parse_json_path(&text).unwrap();
                prop_assert_eq!(gap(&text), None);
                prop_assert_eq!(query.segments.iter().map(step).collect::<Option<Vec<_>>>(), Some(steps));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = Path::parse(&format!("${text}"));
        }
    }
}

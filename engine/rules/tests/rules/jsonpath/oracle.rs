//! Queries of every kind, made up and taken apart, against the other implementation of RFC 9535.

use proptest::prelude::*;
use serde_json::{Value, json};
use serde_json_path::JsonPath;
use zelo_rules::Path;

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-2..4_i32).prop_map(Value::from),
        // No 1.0: in a list it is not 1 for the other implementation.
        Just(json!(1.5)),
        "[ab\u{e9}\n]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]|a b|é", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn chosen(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(from).prop_map(str::to_owned)
}

/// Without negative indexes: in filters, the other implementation does not find the first element by its negative index.
fn singular() -> impl Strategy<Value = String> {
    let step = chosen(&[".a", ".b", "['c']", "[\"a b\"]", ".\u{e9}", "[0]", "[ 1 ]", " .a"]);
    (chosen(&["@", "@", "$"]), prop::collection::vec(step, 0..3)).prop_map(|(from, steps)| format!("{from}{}", steps.concat()))
}

/// Segments without filters.
fn segment() -> impl Strategy<Value = String> {
    let bounds = (prop::option::of(-3..4_i64), prop::option::of(-3..4_i64), prop::option::of(-2..3_i64));
    let slice = bounds.prop_map(|(start, end, step)| {
        let written = |number: Option<i64>| number.map_or(String::new(), |number| number.to_string());
        format!("[{}:{}:{}]", written(start), written(end), written(step))
    });
    prop_oneof![
        chosen(&[
            ".a",
            ".b",
            "['c']",
            "[0]",
            "..[-2]",
            ".*",
            "[*]",
            "..a",
            "..*",
            "..[0]",
            "..['a','b']",
            "[*,0]",
            "['a',\"a\"]",
            "..[*, 'a']"
        ]),
        slice,
    ]
}

fn query() -> impl Strategy<Value = String> {
    (chosen(&["@", "$"]), prop::collection::vec(segment(), 0..3)).prop_map(|(from, segments)| format!("{from}{}", segments.concat()))
}

fn literal() -> impl Strategy<Value = String> {
    chosen(&["0", "-0", "1", "1.0", "2", "1.5", "10e-1", "-1", "''", "'a'", "\"b\"", "'ab'", "'\\u00e9'", "true", "false", "null"])
}

fn operand() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => literal(),
        4 => singular(),
        1 => singular().prop_map(|of| format!("length({of})")),
        1 => literal().prop_map(|of| format!("length( {of} )")),
        1 => query().prop_map(|of| format!("count({of})")),
        1 => query().prop_map(|of| format!("value({of})")),
        1 => query().prop_map(|of| format!("length(value({of}))")),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    let pattern = chosen(&["'a'", "'a.*'", "'[ab]+'", "'(a|b)?'", "'\\\\p{L}'", "'a{2}'", "'[^a]'"]);
    let fits = (chosen(&["match", "search"]), operand(), prop_oneof![3 => pattern, 1 => singular(), 1 => Just("1".to_owned())]);
    // The other implementation takes what has no order for greater; `orders_are_made_of_less_and_equal` has the rest.
    let leaf = prop_oneof![
        3 => query(),
        5 => (operand(), chosen(&["==", "!=", "<"]), operand()).prop_map(|(left, is, right)| format!("{left} {is} {right}")),
        1 => fits.prop_map(|(function, text, pattern)| format!("{function}({text}, {pattern})")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left} && {right}")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left}||{right}")),
            inner.clone().prop_map(|of| format!("!({of})")),
            inner.clone().prop_map(|of| format!("( {of} )")),
            (singular(), inner.clone()).prop_map(|(from, of)| format!("{from}[?{of}]")),
            (singular(), inner.clone(), segment()).prop_map(|(from, of, then)| format!("{from}..[?{of}]{then}")),
            (inner, -1..3_i32).prop_map(|(of, least)| format!("count(@[?{of}]) > {least}")),
        ]
    })
}

fn whole() -> impl Strategy<Value = String> {
    let filters = prop_oneof![
        filter().prop_map(|of| format!("[?{of}]")),
        filter().prop_map(|of| format!("..[?{of}]")),
        (filter(), chosen(&["'a'", "*", "-1", "1::-1"])).prop_map(|(of, other)| format!("[{other}, ?{of}]")),
    ];
    let segment = prop_oneof![4 => segment(), 2 => filters, 1 => (-3..0).prop_map(|index| format!("[{index}]"))];
    prop::collection::vec(segment, 0..4).prop_map(|segments| format!("${}", segments.concat()))
}

/// A query in which something was left out, put in or put elsewhere.
fn altered() -> impl Strategy<Value = String> {
    const PIECES: &str = "$@.[]()?*:,-0123'\"\\ \nab\u{e9}_!=<>&|e+tru";
    let change =
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop::sample::select(PIECES.chars().collect::<Vec<_>>()), 0..4);
    (whole(), prop::collection::vec(change, 0..3)).prop_map(|(text, changes)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, other, piece, kind) in changes {
            let at = at.index(chars.len() + 1);
            match kind {
                0 if at < chars.len() => _ = chars.remove(at),
                1 => chars.insert(at, piece),
                2 if at < chars.len() => chars[at] = piece,
                _ if at < chars.len() => {
                    let other = other.index(chars.len());
                    chars.swap(at, other);
                }
                _ => {}
            }
        }
        chars.into_iter().collect()
    })
}

/// Where the two are known to judge differently whether a text is a query.
fn is_judged_differently(text: &str) -> bool {
    // The other implementation takes no space before a `..`; `segments = *(S segment)` does.
    let has_space_before_descent = text.match_indices("..").any(|(at, _)| text[..at].ends_with([' ', '\n']));
    // A pattern that is no I-Regexp never matches (RFC 9535 §2.4.6): better said than wondered about.
    let is_bad_pattern = Path::parse(text).is_err_and(|error| error.message.contains("no I-Regexp"));
    has_space_before_descent || is_bad_pattern
}

/// Whether an escape begins in a string that is never closed: no query, and where the text ends in the middle of the escape, the other
/// implementation panics instead of saying so.
fn ends_in_an_escape(text: &str) -> bool {
    text.rfind('\\').is_some_and(|at| !text[at..].contains(['\'', '"']))
}

#[test]
fn a_text_that_ends_in_an_escape_is_no_query() {
    for text in [r"$['\", r#"$[?@.a == "\u"#, r"$['\ud8", r"$['\ud800\"] {
        assert!(ends_in_an_escape(text), "{text}");
        assert!(Path::parse(text).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn nodes_are_those_of_the_other_implementation(text in whole(), document in document()) {
        let ours = Path::parse(&text).unwrap();
        let theirs = JsonPath::parse(&text).unwrap();
        let found: Vec<*const Value> = ours.nodes(&document).iter().map(std::ptr::from_ref).collect();
        let wanted: Vec<*const Value> = theirs.query(&document).iter().map(|node| std::ptr::from_ref(*node)).collect();
        prop_assert_eq!(found, wanted, "{}: {:?} {:?}", text, ours.nodes(&document), theirs.query(&document));
    }

    #[test]
    fn orders_are_made_of_less_and_equal(left in operand(), right in operand(), document in document()) {
        let nodes = |filter: String| {
            let path = Path::parse(&format!("$..[?{filter}]")).unwrap();
            path.nodes(&document).iter().map(std::ptr::from_ref).collect::<Vec<*const Value>>()
        };
        for (short, long) in [
            (format!("{left} <= {right}"), format!("{left} < {right} || {left} == {right}")),
            (format!("{left} >= {right}"), format!("{right} < {left} || {left} == {right}")),
            (format!("{left} > {right}"), format!("{right} < {left}")),
        ] {
            prop_assert_eq!(nodes(short.clone()), nodes(long), "{}", short);
        }
    }

    #[test]
    fn a_text_is_a_query_where_it_is_for_the_other_implementation(text in altered()) {
        prop_assume!(!is_judged_differently(&text));
        let refused = Path::parse(&text).err();
        let theirs_refuses = ends_in_an_escape(&text) || JsonPath::parse(&text).is_err();
        prop_assert_eq!(refused.is_some(), theirs_refuses, "{}: {:?}", text, refused);
    }
}

//! Any text is a template or an error, and any value of any filter a text or an error. `PROPTEST_CASES` asks for more of them.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::template::filters::FILTERS;

/// Stands in every value that must not be shown.
const MARKER: &str = "Zq7marker";
const MARKED: u64 = 77_012_345_678_901;

const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{%",
    "%}",
    "{%-",
    "-%}",
    "{#",
    "#}",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "|",
    ".",
    ",",
    ":",
    "=",
    "==",
    "<",
    "~",
    "+",
    "-",
    "*",
    "**",
    "/",
    "//",
    "%",
    "'",
    "\"",
    "\\",
    " ",
    "\n",
    "if",
    "elif",
    "else",
    "endif",
    "for",
    "in",
    "endfor",
    "is",
    "not",
    "and",
    "or",
    "recursive",
    "raw",
    "endraw",
    "set",
    "filter",
    "defined",
    "undefined",
    "none",
    "true",
    "loop",
    "loop.index",
    "a",
    "b",
    "list",
    "map",
    "map.a",
    "0",
    "1",
    "-1",
    "1.5",
    "1e999",
    "9223372036854775807",
    "9223372036854775808",
    "170141183460469231731687303715884105727",
    "0x_f",
    "'x'",
    "é",
    "\u{0}",
    "\u{feff}",
    "😀",
];

/// Expressions that are read more often than not.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => prop::sample::select(&["a", "b", "list", "map", "map.a", "x", "0", "1", "-1", "2.5", "'é'", "''", "[]", "true", "none"][..])
            .prop_map(str::to_owned),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => "[a-zé ]{0,4}".prop_map(|text| format!("'{text}'")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operators = prop::sample::select(&["+", "-", "~", "/", "//", "%", "==", "<", "in", "not in", "and", "or", "if"][..]);
        let filter = prop::sample::select(FILTERS);
        prop_oneof![
            (inner.clone(), operators, inner.clone()).prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
            (inner.clone(), filter, prop::collection::vec(inner.clone(), 0..4))
                .prop_map(|(a, filter, arguments)| format!("({a}) | {filter}({})", arguments.join(", "))),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, from, to)| format!("({a})[{from}:{to}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, at)| format!("({a})[{at}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            inner.prop_map(|a| format!("-{a}")),
        ]
    })
}

fn grammatical() -> impl Strategy<Value = String> {
    let leaf = expression().prop_map(|expression| format!("{{{{ {expression} }}}}"));
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (expression(), inner.clone(), inner.clone())
                .prop_map(|(test, a, b)| format!("{{% if {test} %}}{a}{{% else %}}{b}{{% endif %}}")),
            (expression(), inner.clone()).prop_map(|(list, body)| format!("{{% for x in {list} %}}{body}{{% endfor %}}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a} é {b}")),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(PIECES), 0..60).prop_map(|pieces| pieces.concat()),
        prop::collection::vec(prop_oneof![prop::sample::select(PIECES).prop_map(str::to_owned), "\\PC{0,3}"], 0..40)
            .prop_map(|pieces| format!("{{{{ {} }}}}", pieces.join(" "))),
        any::<String>(),
        grammatical(),
    ]
}

/// JSON of any shape; each text and number of it is marked if `marked`.
fn value(marked: bool) -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_map(move |number| if marked { json!(MARKED) } else { json!(number) });
    let integer = any::<i64>().prop_map(move |number| if marked { json!(-1.5 * MARKED as f64) } else { json!(number) });
    let known = prop::sample::select(
        &[
            "2026-03-06 13:00:00",
            "2026-03-06",
            "(11) 98765-4321",
            "52998224725",
            "12ABC34501DE35",
            "1234.5",
            "1,5",
            "-9",
            "BRL",
            "en",
            "UTC",
            "",
        ][..],
    );
    let text = prop_oneof![any::<String>(), known.prop_map(str::to_owned)];
    let text = text.prop_map(move |text| if marked { json!(format!("{text}{MARKER}")) } else { json!(text) });
    let leaf = prop_oneof![Just(json!(null)), any::<bool>().prop_map(|value| json!(value)), number, integer, text];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn names(marked: bool) -> impl Strategy<Value = Map<String, Value>> {
    let list = prop::collection::vec(value(marked), 0..5).prop_map(Value::Array);
    let map = value(marked).prop_map(|value| json!({ "a": value }));
    (value(marked), value(marked), list, map)
        .prop_map(|(a, b, list, map)| {
            [("a", a), ("b", b), ("list", list), ("map", map)].map(|(name, value)| (name.to_owned(), value)).into()
        })
        .prop_map(|names: std::collections::BTreeMap<String, Value>| names.into_iter().collect())
}

/// What `text` renders to, if it loads.
fn rendered(text: &str, names: &Map<String, Value>, locale: &str) -> Option<Result<String, RenderError>> {
    let mut templates = Templates::new();
    let (template, errors) = templates.compile(text);
    let template = template.filter(|_| errors.is_empty())?;
    let zone = TimeZone::UTC;
    Some(templates.render(&template, &Values { names, zone: &zone, clinic_zone: Some(&zone), locale }))
}

proptest! {
    #[test]
    fn any_text_is_a_template_or_an_error(text in text(), names in names(false), english in any::<bool>()) {
        if let Some(Ok(output)) = rendered(&text, &names, if english { "en" } else { "pt-BR" }) {
            prop_assert!(output.len() <= OUTPUT_MAX.max(text.len()));
        }
    }

    #[test]
    fn no_error_of_a_filter_shows_a_value(
        filter in prop::sample::select(FILTERS),
        arguments in prop::collection::vec(prop::sample::select(&["a", "b", "list", "map", "'en'", "1"][..]), 0..4),
        of in prop::sample::select(&["a", "b", "list", "map", "list | first", "map.a", "absent", "a ~ b", "a + b", "a - b", "-a", "a / 0", "b % 0", "list[0]"][..]),
        names in names(true),
    ) {
        let text = format!("{{{{ ({of}) | {filter}({}) }}}}", arguments.join(", "));
        let outcome = rendered(&text, &names, "en");
        let a_zone = arguments.first() == Some(&"'en'") && ["local_time", "date", "time", "weekday"].contains(&filter);
        prop_assert!(outcome.is_some() != a_zone, "{text} does not load");
        if let Some(Err(error)) = outcome {
            let error = format!("{error:?}");
            prop_assert!(!error.contains(MARKER) && !error.contains("77012345") && !error.contains("1155185185"), "{text}: {error}");
        }
    }
}

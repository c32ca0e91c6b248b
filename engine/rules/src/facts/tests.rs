use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// JSON as senders write it, well or badly: escapes, odd numbers, space, repeated names.
fn json_text() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        Just("-0".to_owned()),
        Just("1e400".to_owned()),
        Just("01".to_owned()),
    ];
    let piece = prop_oneof![
        6 => "[a-zé ß日]{0,9}",
        1 => Just("\\u00e3".to_owned()),
        1 => Just("\\ud83d\\ude00".to_owned()),
        1 => "\\\\[\"\\\\/bfnrt]",
        1 => "[x]{7,40}",
    ];
    let text = proptest::collection::vec(piece, 0..3).prop_map(|pieces| format!("\"{}\"", pieces.concat()));
    let space = || prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\n\t ")];
    let leaf = prop_oneof![number, text, Just("true".to_owned()), Just("false".to_owned()), Just("null".to_owned())];
    // What is told apart by its first bytes alone, and what is not.
    let long = prop::sample::select(vec!["sixteen bytes ab", "seventeen bytes a", "seventeen bytes b", "seventeen bytes \\u0061"]);
    let name = prop_oneof![10 => "[abc]", 1 => Just("\\u0061".to_owned()), 1 => "[abc]{5,12}", 2 => long.prop_map(str::to_owned)];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let list = proptest::collection::vec((space(), inner.clone()), 0..5).prop_map(|elements| {
            format!("[{}]", elements.iter().map(|(space, value)| format!("{space}{value}{space}")).collect::<Vec<_>>().join(","))
        });
        let member = (name.clone(), space(), inner).prop_map(|(name, space, value)| format!("{space}\"{name}\"{space}:{space}{value}"));
        let object = proptest::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(",")));
        prop_oneof![list, object]
    })
}

/// What happens to texts on their way: bytes lost, doubled, changed.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..4_u8, any::<u8>());
    (json_text(), proptest::collection::vec(change, 0..4)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (place, change, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let place = place.index(bytes.len());
            match change {
                0 => _ = bytes.remove(place),
                1 => bytes.insert(place, byte),
                2 => bytes[place] = byte,
                _ => bytes.truncate(place),
            }
        }
        bytes
    })
}

fn paths() -> Vec<Path> {
    [
        "$",
        "$.a",
        "$.b",
        "$.a.b",
        "$['a']['b']",
        "$.a[0]",
        "$[0]",
        "$[1].a",
        "$[*]",
        "$[*].a",
        "$.a[*]",
        "$.a[*].b",
        "$.b[*][*]",
        "$.a[0].b",
        "$[*][0]",
        "$.a.b.c.a",
        "$[-1]",
        "$.a[-1].b",
        "$..a",
        "$.a..b",
        "$.b[?@.a]",
        "$.b[?@.a == $.c].b",
        "$.a[0:2]",
        "$['a', 'b']",
        "$.*.b",
        "$.c[*].a[*]",
        "$['seventeen bytes a']",
        "$['seventeen bytes b'].a",
        "$['sixteen bytes ab']['seventeen bytes b']",
    ]
    .iter()
    .map(|text| Path::parse(text).unwrap())
    .collect()
}

/// All paths but for the one at `without`, which is asked nevertheless.
fn asked(without: usize) -> (Asked, Vec<Path>) {
    let paths = paths();
    let mut asked = Asked::default();
    paths.iter().enumerate().filter(|(place, _)| *place != without).for_each(|(_, path)| _ = asked.ask(path));
    (asked, paths)
}

fn same(a: &Nodes<'_>, b: &Nodes<'_>) -> bool {
    // Doubles are compared by their bits: -0.0 is kept.
    let text = |nodes: &Nodes<'_>| nodes.iter().map(Value::to_string).collect::<Vec<_>>();
    text(a) == text(b)
}

/// Holds one pass over the bytes against the tree.
fn check(bytes: &[u8]) -> Result<bool, TestCaseError> {
    let (asked, paths) = asked(3);
    let (read, tree) = (Facts::read(&asked, bytes), json::parse(bytes));
    let (read, tree) = match (read, tree) {
        (Ok(read), Ok(tree)) => (read, tree),
        (Err(why), Err(other)) => {
            prop_assert_eq!(why, other);
            return Ok(false);
        }
        (read, tree) => return Err(TestCaseError::fail(format!("the pass took it: {}, the tree took it: {}", read.is_ok(), tree.is_ok()))),
    };
    let of = Facts::of(&asked, &tree);
    for path in &paths {
        let expected = path.nodes(&tree);
        prop_assert!(same(&read.nodes(path), &expected), "{} of bytes", path.as_str());
        prop_assert!(same(&of.nodes(path), &expected), "{} of a tree", path.as_str());
        if let Some(slot) = asked.slot_of(path) {
            let expected: Vec<String> = expected.iter().map(Value::to_string).collect();
            let values = |facts: &Facts<'_>| facts.at(slot).map(|node| node.value().to_string()).collect::<Vec<_>>();
            prop_assert_eq!(values(&read), expected.clone(), "{} in its slot", path.as_str());
            prop_assert_eq!(values(&of), expected, "{} in its slot, of a tree", path.as_str());
        }
    }
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]
    #[test]
    fn a_pass_says_what_the_tree_says(text in json_text()) {
        check(text.as_bytes())?;
    }

    #[test]
    fn a_pass_takes_what_the_tree_takes(bytes in mangled()) {
        check(&bytes)?;
    }
}

#[test]
fn what_is_taken_and_what_is_not() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let members = |count: usize, extra: &str| {
        format!("{{{},\"{extra}\":0}}", (0..count).map(|number| format!("\"n{number}\":{number}")).collect::<Vec<_>>().join(","))
    };
    let wide = |extra: &str| members(100, extra);
    let long = "9".repeat(400);
    for (text, taken) in [
        (r#"{"a":{"b":[1,2]},"b":[]}"#.to_owned(), true),
        (r#"{"a":1,"\u0061":2}"#.to_owned(), false),
        (r#"{"long name here":1,"long name hers":2}"#.to_owned(), true),
        (wide("n100"), true),
        (wide("n7"), false),
        (wide("\\u006e7"), false),
        (wide("n99"), false),
        (format!("[{},{}]", wide("n7x"), wide("n7")), false),
        (format!("{{\"n7\":{},\"n8\":{}}}", wide("a"), wide("b")), true),
        (members(39, "n0"), false),
        (members(40, "n0"), false),
        (members(41, "n0"), false),
        (members(41, "n41"), true),
        (r#"{"seventeen bytes a":1,"seventeen bytes b":2}"#.to_owned(), true),
        (r#"{"seventeen bytes a":1,"seventeen bytes a":2}"#.to_owned(), false),
        (r#"{"seventeen bytes a":1,"seventeen bytes \u0061":2}"#.to_owned(), false),
        ("{\"a\" :\r\n1 , \"b\"\t: [ 1 , 2 ] }  ".to_owned(), true),
        ("{\"a\":1\u{b},\"b\":2}".to_owned(), false),
        ("{\"a\"\0:1}".to_owned(), false),
        (format!("\"{}\u{1f}\"", "x".repeat(15)), false),
        (format!("\"{}\n\"", "x".repeat(33)), false),
        (deep(64), true),
        (deep(65), false),
        (deep(100_000), false),
        (format!("{}0{}", "{\"a\":".repeat(64), "}".repeat(64)), true),
        (format!("{}{{}}{}", "{\"a\":".repeat(64), "}".repeat(64)), false),
        (r#""\ud800""#.to_owned(), false),
        (r#""\ud800\ud800""#.to_owned(), false),
        (r#""\udc00""#.to_owned(), false),
        ("\"a\tb\"".to_owned(), false),
        ("1e308".to_owned(), true),
        ("1e309".to_owned(), false),
        (long.clone(), false),
        (format!("0.{long}"), true),
        (String::new(), false),
        ("\u{feff}{}".to_owned(), false),
        ("[1,]".to_owned(), false),
        ("{} {}".to_owned(), false),
    ] {
        assert_eq!(check(text.as_bytes()).unwrap(), taken, "{}", text.chars().take(60).collect::<String>());
    }
    assert!(!check(b"{\"a\": \"\xff\"}").unwrap());
}

#[test]
fn nothing_is_kept_of_what_nobody_asks() {
    let mut asked = Asked::default();
    let id = Path::parse("$.data.id").unwrap();
    asked.ask(&id);
    let body = br#"{"data": {"id": 7, "name": "Ana", "list": [{"id": 8}]}, "id": 9}"#;
    let facts = Facts::read(&asked, body).unwrap();
    assert_eq!(facts.at(asked.slot_of(&id).unwrap()).map(Node::value).collect::<Vec<_>>(), [Value::from(7)]);
    assert_eq!((asked.slots(), facts.found.at(0).count()), (1, 1));
    assert_eq!(format!("{facts:?}"), "Facts(1 slots)", "no values in it");
}

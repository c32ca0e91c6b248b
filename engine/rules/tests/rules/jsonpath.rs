//! JSONPath as rules see it: RFC 9535, case by case, and its bounds.

mod oracle;

use serde_json::{Value, json};
use zelo_rules::{Path, TooMuch};

fn nodes(query: &str, document: &Value) -> Value {
    let path = Path::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    path.try_nodes(document).unwrap().iter().cloned().collect()
}

#[test]
fn queries_yield_what_the_standard_says() {
    let list = json!([3, 5, 1, 2, 4, 6, { "b": "j" }, { "b": "k" }, { "b": {} }, { "b": "kilo" }]);
    let tree = json!({ "o": { "j": 1, "k": 2 }, "a": [5, 3, [{ "j": 4 }, { "k": 6 }]] });
    let odd = json!({ "n": null, "a": [9007199254740993_u64, 9007199254740992.0, -0.0, "17", 17], "é": "a\u{1F600}" });
    for (query, document, wanted) in [
        ("$[?@.b == 'kilo'].b", &list, json!(["kilo"])),
        ("$[?(@ > 3.5)]", &list, json!([5, 4, 6])),
        ("$[?@ > 1 && @ < 4]", &list, json!([3, 2])),
        ("$[?@.b == $[6].b].b", &list, json!(["j"])),
        ("$[?@.b == $.x]", &list, json!([3, 5, 1, 2, 4, 6])),
        ("$[?!@.b]", &list, json!([3, 5, 1, 2, 4, 6])),
        ("$[?@.b < 'k'].b", &list, json!(["j"])),
        ("$[?match(@.b, '[jk]')].b", &list, json!(["j", "k"])),
        ("$[?search(@.b, '[jk]')].b", &list, json!(["j", "k", "kilo"])),
        ("$[?length(@.b) == 0].b", &list, json!([{}])),
        ("$[0, 0, -1:-3:-1, 1]", &list, json!([3, 3, { "b": "kilo" }, { "b": {} }, 5])),
        ("$..j", &tree, json!([4, 1])),
        ("$..['k', 'j']", &tree, json!([4, 6, 2, 1].map(Value::from))),
        ("$..[1, 0]", &tree, json!([3, 5, { "k": 6 }, { "j": 4 }])),
        ("$.o[*, *]", &tree, json!([1, 2, 1, 2])),
        ("$[?count(@..j) == 1][?@ == 1]", &tree, json!([1])),
        ("$.a[?@[?@.j == 4]]", &tree, json!([[{ "j": 4 }, { "k": 6 }]])),
        ("$[?value(@..k) == 6][0]", &tree, json!([5])),
        ("$[?@.j <= 1 || @[1] >= 3].j", &tree, json!([1])),
        ("$[?@ == null]", &odd, json!([null])),
        ("$.a[?@ == 9007199254740993]", &odd, json!([9007199254740993_u64])),
        ("$.a[?@ == 0]", &odd, json!([-0.0])),
        ("$.a[?@ == 17.0]", &odd, json!([17])),
        ("$.a[?@ == '17']", &odd, json!(["17"])),
        ("$[?@ == 'a\\uD83D\\uDE00']", &odd, json!(["a\u{1F600}"])),
        ("$[?length(@) == 2]", &odd, json!(["a\u{1F600}"])),
        ("$[?@.x <= @.y && @ == null]", &odd, json!([null])),
    ] {
        assert_eq!(nodes(query, document), wanted, "{query}");
    }
}

#[test]
fn a_pattern_may_stand_in_the_document() {
    let document = json!({ "p": "a.c", "bad": "(", "long": "a?".repeat(200), "l": ["abc", "xabcx", "a\nc", 1] });
    assert_eq!(nodes("$.l[?match(@, $.p)]", &document), json!(["abc"]));
    assert_eq!(nodes("$.l[?search(@, $.p)]", &document), json!(["abc", "xabcx"]));
    for absent in ["$.bad", "$.long", "$.l", "$.nowhere", "1", "null"] {
        assert_eq!(nodes(&format!("$.l[?match(@, {absent})]"), &document), json!([]), "{absent}");
    }
}

#[test]
fn what_is_no_query_is_refused_where_it_stands() {
    for (query, at, said) in [
        ("", 0, "begins with `$`"),
        (" $", 0, "begins with `$`"),
        ("$ ", 1, "space after the end"),
        ("$.", 2, "too early"),
        ("$.a.'b'", 4, "$['name']"),
        ("$.1st", 2, "['1st']"),
        ("$. a", 2, "no space stands after a `.`"),
        ("$.. a", 3, "no space stands after a `.`"),
        ("$[a]", 2, "in quotes"),
        ("$[]", 2, "[*]"),
        ("$[0,]", 4, "`]` does not fit"),
        ("$[01]", 2, "leading zero"),
        ("$[-0]", 2, "the last element is -1"),
        ("$[9007199254740992]", 2, "at most 9007199254740991"),
        ("$['a", 4, "ends before the '"),
        ("$['\\x']", 3, "`\\x` stands for nothing"),
        ("$['\\uD800']", 3, "four hexadecimal digits"),
        ("$['\n']", 3, "written \\u000a"),
        ("$[?@.a = 1]", 7, "written `==`"),
        ("$[?@.a == 1 and @.b]", 12, "written `&&`"),
        ("$[?@.a or @.b]", 7, "written `||`"),
        ("$[?not(@.a)]", 3, "`not` is not a function"),
        ("$[?@.a == abc]", 10, "`abc` is no value"),
        ("$[?@.a == [1]]", 10, "lists and objects"),
        ("$[?@.a == 1e999]", 10, "no double"),
        ("$[?@.a == 1.]", 12, "`]` does not fit"),
        ("$[?!@.a == 1]", 8, "in parentheses"),
        ("$[?'a']", 3, "compare it"),
        ("$[?length(@.a)]", 3, "`length` gives a value: compare it"),
        ("$[?!count(@.a)]", 4, "`count` gives a value: compare it"),
        ("$[?match(@.a, 'a') == true]", 3, "`match` says true or false: it is not compared"),
        ("$[?true == search(@.a, 'a')]", 11, "`search` says true or false: it is not compared"),
        ("$[?@.a[*] == 1]", 3, "several nodes; only a path of names and indexes can be compared"),
        ("$[?1 == $..a]", 8, "several nodes; only a path of names and indexes can be compared"),
        ("$[?length(@.*) > 1]", 10, "several nodes; `length` takes a path of names and indexes, or value(…)"),
        ("$[?length(@.a == 1) > 1]", 10, "`length` takes no condition"),
        ("$[?length(match(@.a, 'a')) > 1]", 10, "`match` says true or false, and `length` takes a value"),
        ("$[?count(1) == 1]", 9, "`count` takes a path"),
        ("$[?count(length(@.a)) == 1]", 9, "`count` takes a path"),
        ("$[?count((@.a)) == 1]", 9, "`count` takes no condition"),
        ("$[?value('a') == 1]", 9, "`value` takes a path"),
        ("$[?match(@.a)]", 3, "`match` takes two arguments, and there are 1"),
        ("$[?count() == 1]", 3, "`count` takes one argument, and there are 0"),
        ("$[?length (@.a) == 1]", 9, "followed by its `(`"),
        ("$[?in(@.a, $.b)]", 3, "`in` is not a function of RFC 9535"),
        ("$[?match(@.a, '\\\\d+')]", 14, "no I-Regexp (RFC 9485): there is no `\\d`; write [0-9]"),
        ("$[?search(@.a, '(')]", 15, "no I-Regexp (RFC 9485): a `(` has no `)`"),
    ] {
        let refused = Path::parse(query).unwrap_err();
        assert!(refused.message.contains(said), "{query}: {refused}");
        assert_eq!(refused.at, Some(at), "{query}: {refused}");
    }
}

#[test]
fn nesting_has_a_bound_when_a_query_is_read() {
    for (open, close, fits, not) in [
        ("(", ")", 31, 32),
        ("!(", ")", 31, 32),
        ("@[?", "]", 31, 32),
        ("$..[?@.a && ", "]", 31, 32),
        ("1==length(value(@[?", "]))", 10, 11),
        ("length(", ")", 31, 32),
        ("match(match(", "))", 15, 16),
    ] {
        let deep = |depth: usize| Path::parse(&format!("$[?{}@.a{}]", open.repeat(depth), close.repeat(depth)));
        let refused = deep(not).unwrap_err();
        assert_eq!(refused.message, "brackets are nested deeper than 32", "{open}");
        // Of functions in functions the types are wrong, but not the depth.
        let read = deep(fits);
        assert!(read.as_ref().err().is_none_or(|error| open.ends_with("h(") && error.message.contains("`")), "{open}: {read:?}");
    }
    for text in
        ["[", "(", "!", "[?", "[?(", "[?!", "[?@[", "[?length(", "[?!(", "..[?$", "[?match(match(", "[?@.a==", "[,", "[?@&&(", "['\\u"]
    {
        let text = format!("${}", text.repeat(2_000 / text.len()));
        assert!(Path::parse(&text[..text.len().min(2_000)]).is_err());
    }
}

/// A list of lists, three deep.
fn wide(width: usize) -> Value {
    let row = Value::from(vec![json!({ "a": 1 }); width]);
    Value::from(vec![row; width])
}

#[test]
fn what_takes_too_much_yields_nothing_and_says_so() {
    let (list, long) = (wide(100), json!({ "l": vec!["a"; 2_000], "t": "a".repeat(100_000), "u": "a".repeat(100_000), "n": null }));
    let patterns = Value::from((0..200).map(|number| format!("a{number}?")).collect::<Vec<_>>());
    for (query, document) in [
        ("$..[*,*,*,*]..[*,*,*,*]..[*,*,*,*]", &list),
        ("$[*,*,*,*,*,*][*,*,*,*,*,*][*,*,*,*,*,*]", &list),
        ("$..[?count($..*) > 9]", &list),
        ("$..[?$..[?@.b == 2]]", &list),
        ("$[?@[?$[?@[?$..b]]]]", &list),
        ("$[*][?$[99] == $[98]]", &list),
        ("$.l[?$.t == $.u]", &long),
        ("$.l[?$.t < $.u]", &long),
        ("$.l[?length($.t) == 1]", &long),
        ("$.l[?search($.t, 'b')]", &long),
        ("$[?match('a', @)]", &patterns),
    ] {
        let path = Path::parse(query).unwrap();
        assert_eq!(path.try_nodes(document).map(|nodes| nodes.iter().count()), Err(TooMuch), "{query}");
    }
    let path = Path::parse("$[*][?$[99] == $[98]]").unwrap();
    assert_eq!(path.nodes(&list).iter().count(), 0);
    assert_eq!(path.first(&list), None);
    for (query, found) in [("$..a", 10_000), ("$..*", 20_100), ("$..[?@.a == 1]", 10_000), ("$[?@[?@.a == $[0][0].a]]", 100)] {
        assert_eq!(nodes(query, &list).as_array().unwrap().len(), found, "{query}");
    }
}

#[test]
fn names_indexes_and_wildcards_are_never_too_much() {
    let long = json!({ "a": vec![json!([0, { "b": 1 }]); 600_000] });
    for (query, found) in [("$.a[*]", 600_000), ("$.a[*][*]", 1_200_000), ("$.a[*][-1].b", 600_000), ("$.*[*].b", 0)] {
        let nodes = Path::parse(query).unwrap().try_nodes(&long).map(|nodes| nodes.iter().count());
        assert_eq!(nodes, Ok(found), "{query}");
    }
    assert!(Path::parse("$..a[*][*]").unwrap().try_nodes(&long).is_err());
}

#[test]
fn depth_has_a_bound_that_a_small_stack_bears() {
    let deep = |depth: usize| (0..depth).fold(json!({ "end": 1 }), |inner, _| json!({ "a": inner, "b": [0] }));
    let work = move || {
        let (delivered, deepest) = (deep(60), deep(120));
        assert_eq!(nodes("$..end", &deepest), json!([1]));
        assert_eq!(nodes("$..a..a..end", &delivered).as_array().unwrap().len(), 60 * 59 / 2);
        assert_eq!(nodes("$..[?@.end && $..[?@.end && $..end]]", &delivered), json!([{ "end": 1 }]));
        // Each filter begins at the top again, from the bottom of the one before.
        let filters = format!("${}$..end{}", "..[?@.end && $".repeat(30), "]".repeat(30)).replacen("$$", "$", 1);
        assert!(Path::parse(&filters).unwrap().try_nodes(&deepest).is_err());
        let filters = format!("$..end[?{}1 == 1{}]", "(".repeat(31), ")".repeat(31));
        assert_eq!(nodes(&filters, &deepest), json!([]));
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

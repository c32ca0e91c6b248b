use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn split(paths: &[&str]) -> Split {
    let mut split = Split::default();
    paths.iter().for_each(|path| split.add(&Path::parse(path).unwrap()).unwrap());
    split
}

fn events(paths: &[&str], document: &Value) -> Vec<Value> {
    let events = split(paths).events(&document.to_string(), Lists::AreLists).unwrap();
    events.iter().map(|event| serde_json::from_slice(event).unwrap()).collect()
}

const META: [&str; 2] = ["$.entry[*].changes[*].value.messages[*]", "$.entry[*].changes[*].value.statuses[*]"];

#[test]
fn each_event_is_the_envelope_around_one_element() {
    let change = |value: Value| json!({"field": "messages", "value": value});
    let document = json!({"object": "whatsapp_business_account", "entry": [
        {"id": "1", "changes": [
            change(json!({"contacts": [1, 2], "messages": [{"id": "a"}, {"id": "b"}], "statuses": []})),
            change(json!({"statuses": [{"id": "a", "status": "read"}]})),
        ]},
        {"id": "2", "changes": [{"field": "account_update", "value": {"event": "x"}}]},
    ]});
    let envelope = |id: &str, change: Value| json!({"object": "whatsapp_business_account", "entry": [{"id": id, "changes": [change]}]});
    let of_messages = [
        envelope("1", change(json!({"contacts": [1, 2], "messages": [{"id": "a"}]}))),
        envelope("1", change(json!({"contacts": [1, 2], "messages": [{"id": "b"}]}))),
        envelope("1", change(json!({"statuses": [{"id": "a", "status": "read"}]}))),
    ];
    assert_eq!(events(&META, &document), of_messages);
    let outer = [META[0], META[1], "$.entry[*].changes[*]"];
    let update = envelope("2", json!({"field": "account_update", "value": {"event": "x"}}));
    assert_eq!(events(&outer, &document), [&of_messages[..], &[update]].concat());
    for nothing in [json!({}), json!([]), json!({"entry": []}), json!({"entry": {"changes": []}}), json!(1)] {
        assert!(events(&outer, &nothing).is_empty(), "{nothing}");
    }
}

#[test]
fn what_is_not_split_stays_as_it_was_written() {
    let text = r#" {"b" : 12345678901234567890123, "a\u0061": [ {"x": 1.50}, 2 ], "a": {"c":[3], "d" : "\u00e9"}, "z":[4]} "#;
    let events = split(&["$.aa[*]", "$.a.c[*]"]).events(text, Lists::AreLists).unwrap();
    let texts: Vec<&str> = events.iter().map(|event| std::str::from_utf8(event).unwrap()).collect();
    assert_eq!(
        texts,
        [
            r#"{"b":12345678901234567890123,"aa":[{"x": 1.50}],"a":{"d":"\u00e9"},"z":[4]}"#,
            r#"{"b":12345678901234567890123,"aa":[2],"a":{"d":"\u00e9"},"z":[4]}"#,
            r#"{"b":12345678901234567890123,"a":{"c":[3],"d":"\u00e9"},"z":[4]}"#,
        ]
    );
}

#[test]
fn a_list_of_one_in_xml_is_a_list() {
    let text = json!({"orders": {"order": {"id": "1"}}, "notes": {"note": null}}).to_string();
    let split = split(&["$.orders.order[*]", "$.notes.note[*]"]);
    let events = split.events(&text, Lists::MayBeSingle).unwrap();
    assert_eq!(events.len(), 1);
    let event: Value = serde_json::from_slice(&events[0]).unwrap();
    assert_eq!(event, json!({"orders": {"order": [{"id": "1"}]}, "notes": {"note": null}}));
    assert!(split.events(&text, Lists::AreLists).unwrap().is_empty());
}

#[test]
fn there_is_an_end_to_it() {
    let of = |amount: usize| json!({"a": vec![0; amount]}).to_string();
    let split_a = split(&["$.a[*]"]);
    assert_eq!(split_a.events(&of(EVENTS_MAX), Lists::AreLists).unwrap().len(), EVENTS_MAX);
    assert_eq!(split_a.events(&of(EVENTS_MAX + 1), Lists::AreLists).unwrap_err(), "it holds more than 1000 events");
    assert!(split_a.events(&of(1_000_000), Lists::AreLists).is_err());
    let large = json!({"a": vec![0; EVENTS_MAX], "rest": "x".repeat(100_000)}).to_string();
    assert_eq!(split_a.events(&large, Lists::AreLists).unwrap_err(), "its events have more than 16 MiB together");
    for bad in ["$", "$.a", "$[0][*]", "$..a[*]", "$.a[?@.b]", "$.a[*].b", "$.a[-1][*]"] {
        assert!(Split::default().add(&Path::parse(bad).unwrap()).is_err(), "{bad}");
    }
    let deep = format!("${}", "[*]".repeat(SEGMENTS_MAX + 1));
    assert!(Split::default().add(&Path::parse(&deep).unwrap()).is_err());
}

/// What `hops` find where `[*]` is of lists alone, each with the way to it.
fn find<'v>(value: &'v Value, hops: &[Hop], way: &str) -> Vec<(String, &'v Value)> {
    let Some((hop, rest)) = hops.split_first() else { return vec![(way.to_owned(), value)] };
    match (hop, value) {
        (Hop::Name(name), Value::Object(members)) => {
            members.get(name).map(|value| find(value, rest, &format!("{way}/{name}"))).unwrap_or_default()
        }
        (Hop::Any, Value::Array(elements)) => {
            elements.iter().enumerate().flat_map(|(place, element)| find(element, rest, &format!("{way}/{place}"))).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether `way` leads to something in what `above` leads to.
fn is_below(way: &str, above: &str) -> bool {
    way.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(null)), any::<u8>().prop_map(Value::from), "[ab]{0,2}".prop_map(Value::from)];
    leaf.prop_recursive(6, 60, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn path() -> impl Strategy<Value = Path> {
    let part = prop_oneof![2 => "\\.[a-c]", 1 => Just("[*]".to_owned())];
    prop::collection::vec(part, 0..4).prop_map(|parts| Path::parse(&format!("${}[*]", parts.concat())).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// The declared paths find exactly that element in what an event was narrowed to, and the events are all there are.
    #[test]
    fn narrowing_leaves_exactly_one_element(document in document(), paths in prop::collection::vec(path(), 1..4)) {
        let mut split = Split::default();
        paths.iter().for_each(|path| split.add(path).unwrap());
        let hops: Vec<Vec<Hop>> = paths.iter().map(|path| path.hops().unwrap()).collect();
        let mut found: Vec<(String, &Value)> = hops.iter().flat_map(|hops| find(&document, hops, "")).collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found.dedup_by(|one, other| one.0 == other.0);
        let innermost = |(way, _): &&(String, &Value)| !found.iter().any(|(other, _)| is_below(other, way));
        let expected: Vec<&Value> = found.iter().filter(innermost).map(|(_, element)| *element).collect();

        let events = split.events(&document.to_string(), Lists::AreLists).unwrap();
        let mut elements = Vec::new();
        for event in &events {
            let event: Value = serde_json::from_slice(event).unwrap();
            let mut there: Vec<(String, &Value)> = hops.iter().flat_map(|hops| find(&event, hops, "")).collect();
            there.sort_by_key(|(way, _)| way.len());
            there.dedup_by(|one, other| one.0 == other.0);
            let (way, element) = there.pop().expect("its element");
            prop_assert!(there.iter().all(|(above, _)| is_below(&way, above)), "nothing but what it stands in");
            elements.push(element.clone());
        }
        let sorted = |values: Vec<String>| { let mut values = values; values.sort(); values };
        prop_assert_eq!(
            sorted(elements.iter().map(Value::to_string).collect()),
            sorted(expected.iter().map(ToString::to_string).collect())
        );
    }

    #[test]
    fn any_text_splits_or_does_not(text in "[\\[\\]{}\",:a0 n]{0,40}") {
        let _ = split(&["$.a[*]", "$[*].a[*]"]).events(&text, Lists::MayBeSingle);
    }
}

//! What is said of conditions is held against what they do: on thousands of documents, none may prove it wrong.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::*;
use crate::condition::{Circumstances, Comparison, Convert, Documents, Pattern, Right, Spans, Spot, Test};
use crate::path::{Nodes, Path};
use crate::source::Changes;

const CONDITIONS: usize = 20_000;
const DOCUMENTS: usize = 300;

/// Values that meet each other often, in documents and on right sides.
fn value() -> impl Strategy<Value = Value> {
    let values = [
        json!(true),
        json!(1),
        json!(2),
        json!(2.0),
        json!(2.5),
        json!(3),
        json!(""),
        json!("1"),
        json!("2"),
        json!("2.0"),
        json!("a"),
        json!("ab"),
        json!("b"),
        json!("true"),
        json!("2026-01-01"),
        json!("2026-01-02"),
        json!("2026-01-01T12:00:00Z"),
        json!("2026-01-01T12:00:00"),
        json!(["a", 2]),
        json!({"a": 2}),
    ];
    prop::sample::select(values.to_vec())
}

fn right() -> impl Strategy<Value = Right> {
    let times = ["now", "+1h", "-1h", "2026-01-01", "2026-01-02", "2026-01-01T12:00:00Z", "2026-01-03T12:00:00Z", "2026-01-01T12:00:00"];
    prop_oneof![
        8 => value().prop_map(Right::Literal),
        2 => prop::sample::select(times.to_vec()).prop_map(|time| Right::Literal(json!(time))),
        1 => Just(Right::At(Spot { record: None, path: Path::parse("$.b[*]").unwrap() })),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    prop::sample::select(vec![Comparison::Equal, Comparison::Gt, Comparison::Gte, Comparison::Lt, Comparison::Lte])
}

fn kind() -> impl Strategy<Value = TestKind> {
    let pattern = |text: &str| Pattern::Fixed { text: text.to_owned(), regex: regex::Regex::new(text).unwrap() };
    let patterns = prop::sample::select(vec![pattern("^a"), pattern("\\d"), pattern("^$"), pattern("b$")]);
    let length = (comparison(), 0..4_i64).prop_map(|(comparison, length)| (comparison, Right::Literal(json!(length))));
    prop_oneof![
        1 => Just(TestKind::Exists),
        1 => Just(TestKind::Missing),
        1 => Just(TestKind::IsNull),
        4 => right().prop_map(TestKind::Equals),
        3 => prop::collection::vec(right(), 0..3).prop_map(TestKind::In),
        3 => (comparison(), right()).prop_map(|(comparison, right)| TestKind::Compare(comparison, right)),
        2 => (right(), right()).prop_map(|(low, high)| TestKind::Between(low, high)),
        1 => right().prop_map(TestKind::Contains),
        1 => right().prop_map(TestKind::StartsWith),
        1 => right().prop_map(TestKind::EndsWith),
        1 => patterns.prop_map(TestKind::Matches),
        1 => prop::collection::vec(length, 1..3).prop_map(TestKind::Length),
        2 => right().prop_map(TestKind::Before),
        2 => right().prop_map(TestKind::After),
        1 => Just(TestKind::Changed { from: None, to: None }),
    ]
}

fn clause() -> impl Strategy<Value = Condition> {
    clause_about(prop::sample::select(vec!["$.a", "$['a']", "$.b[*]", "$.c"]))
}

fn clause_about(path: impl Strategy<Value = &'static str>) -> impl Strategy<Value = Condition> {
    let convert = prop_oneof![
        4 => Just(None),
        1 => Just(Some(Convert::String)),
        1 => Just(Some(Convert::Number)),
        1 => Just(Some(Convert::Date)),
    ];
    (path, any::<bool>(), convert, any::<bool>(), kind()).prop_map(|(path, every, convert, negated, kind)| {
        let at = Spot { record: None, path: Path::parse(path).unwrap() };
        Condition::Clause(Box::new(Clause { at, every, convert, test: Test { negated, kind }, spans: Spans::default() }))
    })
}

/// Trees, and lists about one path: there most contradictions are.
fn condition() -> impl Strategy<Value = Condition> {
    let about = |path: &'static str| prop::collection::vec(clause_about(Just(path)), 2..4).prop_map(Condition::All);
    let tree = clause().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::All),
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::Any),
            1 => inner.prop_map(|part| Condition::Not(Box::new(part))),
        ]
    });
    prop_oneof![2 => tree, 4 => about("$.a"), 1 => about("$.b[*]")]
}

fn document() -> impl Strategy<Value = Value> {
    let node = || prop_oneof![1 => Just(Value::Null), 8 => value()];
    let list = prop::collection::vec(node(), 0..3).prop_map(Value::from);
    (prop::option::weighted(0.9, node()), prop::option::weighted(0.9, list), prop::option::weighted(0.9, node())).prop_map(|(a, b, c)| {
        let members = [("a", a), ("b", b), ("c", c)].into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let mut document: Map<String, Value> = members.collect();
        // Edits tell of what does not stand there, too.
        document.insert("old".to_owned(), json!({"a": 1, "b": [1], "c": 1}));
        document.insert("new".to_owned(), json!({"a": 2, "b": [1, 2]}));
        Value::Object(document)
    })
}

struct Event {
    data: Value,
    circumstances: Circumstances<'static>,
}

impl Documents for Event {
    fn event(&self, path: &Path) -> Nodes<'_> {
        path.nodes(&self.data)
    }

    fn record(&self, _: &str) -> Option<&Value> {
        None
    }

    fn circumstances(&self) -> &Circumstances<'_> {
        &self.circumstances
    }
}

fn events(runner: &mut TestRunner) -> Vec<Event> {
    let times = ["2026-01-01T11:30:00Z", "2026-01-01T13:00:00Z", "2025-12-31T23:30:00Z"];
    let zones = ["UTC", "America/Sao_Paulo", "Asia/Tokyo"];
    let path = |text: &str| Path::parse(text).unwrap();
    let changes: &'static Changes = Box::leak(Box::new(Changes { of: path("$"), old: path("$.old"), new: path("$.new") }));
    let documents = document();
    let event = |number: usize| {
        let circumstances = Circumstances {
            time: times[number % 3].parse().unwrap(),
            zone: crate::time::zone(zones[number / 3 % 3]).unwrap(),
            clinic_zone: None,
            changes: number.is_multiple_of(2).then_some(changes),
        };
        Event { data: documents.new_tree(runner).unwrap().current(), circumstances }
    };
    (0..DOCUMENTS).map(event).collect()
}

#[test]
fn what_never_holds_never_does_and_what_always_holds_always_does() {
    let mut runner = TestRunner::deterministic();
    let events = events(&mut runner);
    let conditions = condition();
    let (mut nevers, mut always) = (0, 0);
    for _ in 0..CONDITIONS {
        let condition = conditions.new_tree(&mut runner).unwrap().current();
        let holds = |event: &Event| condition.holds(event);
        if never(&condition, true) {
            nevers += 1;
            let wrong = events.iter().find(|event| holds(event));
            assert!(wrong.is_none(), "{condition:?} holds on {}", wrong.unwrap().data);
        }
        if never(&condition, false) {
            always += 1;
            let wrong = events.iter().find(|event| !holds(event));
            assert!(wrong.is_none(), "{condition:?} does not hold on {}", wrong.unwrap().data);
        }
    }
    assert!(nevers > 400 && always > 400, "{nevers} never, {always} always");
}

/// Conditions of one path each, with what is said of them.
#[test]
fn of_one_path() {
    let clause = |convert, negated, kind| {
        let at = Spot { record: None, path: Path::parse("$.a").unwrap() };
        Condition::Clause(Box::new(Clause { at, every: false, convert, test: Test { negated, kind }, spans: Spans::default() }))
    };
    let literal = |value: Value| Right::Literal(value);
    let equals = |value: Value| clause(None, false, TestKind::Equals(literal(value)));
    let not_equals = |value: Value| clause(None, true, TestKind::Equals(literal(value)));
    let than = |comparison, value: Value| clause(None, false, TestKind::Compare(comparison, literal(value)));
    let number = |comparison, value: Value| clause(Some(Convert::Number), false, TestKind::Compare(comparison, literal(value)));
    let text = |value: Value| clause(Some(Convert::String), false, TestKind::Equals(literal(value)));
    for (parts, never_holds) in [
        (vec![equals(json!(2)), equals(json!(2.0))], false),
        (vec![equals(json!(2)), equals(json!("2"))], true),
        (vec![text(json!("2")), equals(json!(2))], false),
        (vec![text(json!("2")), equals(json!("2.0"))], true),
        (vec![text(json!("2.0")), equals(json!(2))], false),
        (vec![than(Comparison::Gt, json!(2)), than(Comparison::Lt, json!(3))], false),
        (vec![than(Comparison::Gt, json!(3)), than(Comparison::Lte, json!(3))], true),
        (vec![than(Comparison::Gte, json!(3)), than(Comparison::Lte, json!(3))], false),
        (vec![than(Comparison::Gte, json!(3)), than(Comparison::Lte, json!(3)), not_equals(json!(3))], true),
        (vec![number(Comparison::Gte, json!(3)), number(Comparison::Lte, json!(3)), not_equals(json!(3))], false),
        (vec![number(Comparison::Gt, json!("3")), than(Comparison::Lt, json!(2))], true),
        (vec![equals(json!("a")), clause(None, false, TestKind::Exists)], false),
        (vec![not_equals(json!("a")), clause(None, true, TestKind::Exists)], false),
    ] {
        assert_eq!(never(&Condition::All(parts.clone()), true), never_holds, "{parts:?}");
    }
}

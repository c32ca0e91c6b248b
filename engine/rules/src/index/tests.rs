use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::condition::{Circumstances, Clause, Comparison, Condition, Convert, Pattern, Right, Spans, Spot, TestKind};
use crate::in_force::EventOnly;
use crate::path::{Nodes, Path};

/// The event as a tree: the naive way.
struct Tree<'v> {
    value: &'v Value,
    circumstances: Circumstances<'static>,
}

impl Documents for Tree<'_> {
    fn event(&self, path: &Path) -> Nodes<'_> {
        path.nodes(self.value)
    }

    fn record(&self, _: &str) -> Option<&Value> {
        None
    }

    fn circumstances(&self) -> &Circumstances<'_> {
        &self.circumstances
    }
}

fn nowhere() -> Circumstances<'static> {
    Circumstances::nowhere(Timestamp::UNIX_EPOCH)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => "[abx]{0,3}".prop_map(Value::from),
        3 => (-3..4_i64).prop_map(Value::from),
        1 => prop_oneof![Just(json!(1.0)), Just(json!(0.5)), Just(json!(-0.0)), Just(json!(u64::MAX)), Just(json!(9_007_199_254_740_993_i64))],
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!("2026-03-06T13:00:00Z")),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[abc]", inner, 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    proptest::collection::btree_map("[abc]", value, 0..4).prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn path() -> impl Strategy<Value = Path> {
    let texts = [
        "$.a",
        "$.b",
        "$['a']",
        "$.a.b",
        "$.a[*]",
        "$.a[*].b",
        "$.b[0]",
        "$.a[-1]",
        "$..b",
        "$.c[?@.a == 1]",
        "$.*",
        "$.c[*].a",
        "$.a[?@ == $.b]",
    ];
    prop::sample::select(texts.to_vec()).prop_map(|text| Path::parse(text).unwrap())
}

fn right() -> impl Strategy<Value = Right> {
    let list = proptest::collection::vec(scalar(), 0..3).prop_map(|list| Right::Literal(Value::from(list)));
    let at = path().prop_map(|path| Right::At(Spot { record: None, path }));
    prop_oneof![8 => scalar().prop_map(Right::Literal), 1 => list, 1 => at, 1 => Just(Right::Setting("s".to_owned()))]
}

fn number() -> impl Strategy<Value = Right> {
    (-3..4_i64).prop_map(|number| Right::Literal(number.into()))
}

fn kind() -> impl Strategy<Value = TestKind> {
    let pattern = "[ab]{1,2}".prop_map(|text| Pattern::Fixed { regex: regex::Regex::new(&text).unwrap(), text });
    let text = || "[abx]{0,2}".prop_map(|text| Right::Literal(Value::from(text)));
    let common = prop_oneof![
        4 => right().prop_map(TestKind::Equals),
        3 => proptest::collection::vec(right(), 0..4).prop_map(TestKind::In),
        2 => right().prop_map(TestKind::Contains),
    ];
    let presence =
        prop::sample::select(vec![0, 1, 2]).prop_map(|number| [TestKind::Exists, TestKind::Missing, TestKind::IsNull][number].clone());
    prop_oneof![
        9 => common,
        3 => presence,
        1 => text().prop_map(TestKind::StartsWith),
        1 => text().prop_map(TestKind::EndsWith),
        1 => pattern.clone().prop_map(TestKind::Matches),
        1 => pattern.prop_map(TestKind::Glob),
        1 => (prop::sample::select(vec![Comparison::Gt, Comparison::Gte, Comparison::Lt, Comparison::Lte]), number())
            .prop_map(|(comparison, right)| TestKind::Compare(comparison, right)),
        1 => (number(), number()).prop_map(|(low, high)| TestKind::Between(low, high)),
        1 => number().prop_map(|right| TestKind::Length(vec![(Comparison::Gte, right)])),
        1 => Just(TestKind::Before(Right::Literal(json!("2026-03-07")))),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let convert =
        prop_oneof![6 => Just(None), 1 => Just(Some(Convert::String)), 1 => Just(Some(Convert::Number)), 1 => Just(Some(Convert::Date))];
    let clause = (path(), kind(), prop::bool::weighted(0.2), prop::bool::weighted(0.2), convert).prop_map(
        |(path, kind, negated, every, convert)| {
            let test = crate::condition::Test { negated, kind };
            Condition::Clause(Box::new(Clause { at: Spot { record: None, path }, every, convert, test, spans: Spans::default() }))
        },
    );
    clause.prop_recursive(3, 10, 3, |inner| {
        let parts = proptest::collection::vec(inner.clone(), 0..3);
        prop_oneof![3 => parts.clone().prop_map(Condition::All), 2 => parts.prop_map(Condition::Any), 1 => inner.prop_map(|part| Condition::Not(Box::new(part)))]
    })
}

fn rule(number: usize, when: Option<Condition>, on: &[&str], source: Option<&str>) -> Rule {
    Rule {
        on: on.iter().map(|kind| (*kind).to_owned()).collect(),
        source: source.map(str::to_owned),
        when,
        ..Rule::empty(&format!("r{number:03}"))
    }
}

/// What holds whatever the settings are, and what may.
fn naive(condition: &Condition, documents: &dyn Documents) -> Option<bool> {
    let all = |parts: &[Condition], decisive: bool| {
        let outcomes: Vec<_> = parts.iter().map(|part| naive(part, documents)).collect();
        if outcomes.contains(&Some(decisive)) { Some(decisive) } else { (!outcomes.contains(&None)).then_some(!decisive) }
    };
    match condition {
        Condition::All(parts) => all(parts, false),
        Condition::Any(parts) => all(parts, true),
        Condition::Not(part) => naive(part, documents).map(|holds| !holds),
        Condition::Clause(_) => condition.is_fixed().then(|| condition.decided(documents)).flatten(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_index_finds_what_looking_at_every_rule_finds(
        rules in proptest::collection::vec((proptest::option::weighted(0.95, condition()), 0..4_u8, 0..3_u8), 1..30),
        documents in proptest::collection::vec(document(), 1..6),
    ) {
        let rules: Vec<Rule> = rules.into_iter().enumerate().map(|(number, (when, kinds, source))| {
            let on: &[&str] = [&["k"][..], &["l"], &["k", "l"], &["k"]][usize::from(kinds)];
            rule(number, when, on, [None, Some("s"), Some("t")][usize::from(source)])
        }).collect();
        let index = Index::new(rules.iter(), std::iter::empty()).unwrap();
        for document in &documents {
            let text = document.to_string();
            let tree = Tree { value: document, circumstances: nowhere() };
            for kind in ["k", "l", "m"] {
                let expected: Vec<Possible> = (0..).zip(&rules)
                    .filter(|(_, rule)| rule.on.contains(kind) && rule.source.as_deref().is_none_or(|source| source == "s"))
                    .filter_map(|(number, rule)| match rule.when.as_ref().map_or(Some(true), |when| naive(when, &tree)) {
                        Some(false) => None,
                        holds => Some(Possible { rule: number, certain: holds.is_some() }),
                    })
                    .collect();
                for facts in [Facts::of(index.asked(), document), Facts::read(index.asked(), text.as_bytes()).unwrap()] {
                    let seen = |_| -> Box<dyn Documents + '_> { Box::new(EventOnly::nowhere(&facts)) };
                    prop_assert_eq!(index.possible(kind, "s", &facts, &seen), expected.clone());
                }
            }
        }
    }
}

fn when(text: &str) -> Condition {
    let (path, value) = text.split_once('=').unwrap();
    Condition::Clause(Box::new(Clause {
        at: Spot { record: None, path: Path::parse(path).unwrap() },
        every: false,
        convert: None,
        test: crate::condition::Test { negated: false, kind: TestKind::Equals(Right::Literal(serde_json::from_str(value).unwrap())) },
        spans: Spans::default(),
    }))
}

#[test]
fn a_rule_is_filed_under_what_tells_most_rules_apart() {
    let rules: Vec<Rule> = (0..100)
        .map(|number| {
            let parts = [format!("$.type=\"t{}\"", number % 3), format!("$.clinic={number}"), format!("$.vip={}", number % 2 == 0)];
            rule(number, Some(Condition::All(parts.iter().map(|part| when(part)).collect())), &["k"], None)
        })
        .collect();
    let index = Index::new(rules.iter(), std::iter::empty()).unwrap();
    assert_eq!(index.files.len(), 100, "one file for each clinic");
    assert!(index.kinds["k"].rest.is_empty());
    assert_eq!(index.tests.len(), 105, "each distinct clause once");
    assert_eq!(index.score().work, 0);
}

#[test]
fn what_would_blow_up_is_refused_with_its_score() {
    let pattern = |number: usize| {
        let mut condition = when("$.a=1");
        if let Condition::Clause(clause) = &mut condition {
            let text = format!("x{number}");
            clause.test.kind = TestKind::Matches(Pattern::Fixed { regex: regex::Regex::new("x").unwrap(), text });
        }
        condition
    };
    let many = Condition::All((0..1_100).map(pattern).collect());
    let unfiled: Vec<Rule> = (0..50).map(|number| rule(number, Some(many.clone()), &["k"], None)).collect();
    let why = Index::new(unfiled.iter(), std::iter::empty()).unwrap_err();
    assert!(why.contains("1100000 tests"), "{why}");
    let wide = Condition::Any((0..40_000).map(|number| when(&format!("$.a={number}"))).collect());
    let kinds: Vec<String> = (0..60).map(|number| format!("k{number}")).collect();
    let on: Vec<&str> = kinds.iter().map(String::as_str).collect();
    let rules: Vec<Rule> = (0..30).map(|number| rule(number, Some(wide.clone()), &on, None)).collect();
    let why = Index::new(rules.iter(), std::iter::empty()).unwrap_err();
    assert!(why.contains("MiB of memory"), "{why}");
}

#[test]
fn a_rule_that_is_filed_under_several_values_is_found_once() {
    let mut either = when("$.a[*]=0");
    if let Condition::Clause(clause) = &mut either {
        clause.test.kind = TestKind::In([1, 2, 3].map(|number| Right::Literal(number.into())).into());
    }
    let rules = [rule(0, Some(either), &["k"], None)];
    let index = Index::new(rules.iter(), std::iter::empty()).unwrap();
    let document = json!({"a": [2, 1, 2]});
    let facts = Facts::of(index.asked(), &document);
    let seen = |_| -> Box<dyn Documents + '_> { Box::new(EventOnly::nowhere(&facts)) };
    assert_eq!(index.possible("k", "s", &facts, &seen), [Possible { rule: 0, certain: true }]);
}

#[test]
fn many_elements_of_one_value_are_looked_up_as_one() {
    let rules: Vec<Rule> = (0..100).map(|number| rule(number, Some(when("$.a[*]=1")), &["k"], None)).collect();
    let index = Index::new(rules.iter(), std::iter::empty()).unwrap();
    let document = json!({ "a": vec![1; 20_000] });
    let facts = Facts::of(index.asked(), &document);
    let seen = |_| -> Box<dyn Documents + '_> { Box::new(EventOnly::nowhere(&facts)) };
    assert_eq!(index.possible("k", "s", &facts, &seen).len(), 100);
    let memo = index.take();
    assert!(memo.files.capacity() <= KEPT_MAX && memo.open.capacity() <= KEPT_MAX, "and no more room is kept");
    let mut memo = memo;
    index.look(&index.kinds["k"], &facts, &mut memo);
    assert_eq!(memo.files.len(), 1);
}

#[test]
fn what_takes_too_much_to_tell_is_not_certain_and_does_not_hold() {
    let clause = |negated: bool, kind: TestKind| {
        let Condition::Clause(mut clause) = when("$..*..*=1") else { unreachable!() };
        clause.test = crate::condition::Test { negated, kind };
        Condition::Clause(clause)
    };
    let equals = || TestKind::Equals(Right::Literal(json!("nowhere")));
    let conditions = [
        clause(false, equals()),
        clause(true, equals()),
        clause(false, TestKind::Missing),
        Condition::Not(Box::new(clause(false, TestKind::Exists))),
        Condition::Any(vec![clause(true, equals()), when("$.b=2")]),
    ];
    let decided =
        [Condition::Any(vec![clause(false, equals()), when("$.b=1")]), Condition::All(vec![clause(true, equals()), when("$.b=2")])];
    let rules: Vec<Rule> =
        conditions.iter().chain(&decided).enumerate().map(|(number, when)| rule(number, Some(when.clone()), &["k"], None)).collect();
    let index = Index::new(rules.iter(), std::iter::empty()).unwrap();
    let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
    let wide = json!({"b": 1, "a": vec![deep; 300]});
    let text = wide.to_string();
    for facts in [Facts::of(index.asked(), &wide), Facts::read(index.asked(), text.as_bytes()).unwrap()] {
        let seen = |_| -> Box<dyn Documents + '_> { Box::new(EventOnly::nowhere(&facts)) };
        let uncertain = (0..5).map(|rule| Possible { rule, certain: false });
        let expected: Vec<Possible> = uncertain.chain([Possible { rule: 5, certain: true }]).collect();
        assert_eq!(index.possible("k", "s", &facts, &seen), expected);
        for condition in &conditions {
            assert!(!condition.holds(&*seen(0)), "{condition:?}");
            assert!(!Condition::Not(Box::new(condition.clone())).holds(&*seen(0)), "{condition:?}");
            let why = condition.failure(&*seen(0)).unwrap().why();
            assert_eq!(why, "$..*..* takes too much to evaluate");
        }
    }
}

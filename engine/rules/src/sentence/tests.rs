//! Every operator in both languages, and trees that cannot be mistaken for each other.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::speaker::Speaker;
use super::words::{drawn, duration, list};
use crate::condition::{Clause, Comparison, Condition, Convert, Language, Right, Spans, Spot, Test, TestKind};
use crate::files::{FileText, Files};
use crate::load::{RuleSet, load};
use crate::path::Path;
use crate::rule::{PluginFacts, PluginWords, Plugins};

const SOURCE: &str = r#"
id = "s"
clinic_timezone = "America/Sao_Paulo"
[receive]
verify = { kind = "token", header = "x" }
[[events]]
type = "thing.made"
title = { pt-BR = "uma coisa é feita", en = "a thing is made" }
changes = { of = "$", old = "$.old", new = "$.new" }
[[records]]
type = "owner"
title = { pt-BR = "a dona", en = "the owner" }
on = ["thing.made"]
key = "$.owner"
keep = { size = "$.size", age = "$.age" }
words = { "$.age" = { pt-BR = "a idade da dona", en = "the owner's age" } }
[words]
"$.title" = { pt-BR = "o título", en = "the title" }
"$['size']" = { pt-BR = "a medida", en = "the size" }
"$.phones" = { pt-BR = "os telefones", en = "the phones" }
"$.phones[*]" = { pt-BR = "os telefones", en = "the phones" }
"$.notes[*]" = { pt-BR = "as notas", en = "the notes" }
"$.state" = { title = { pt-BR = "a situação", en = "the state" }, values = { done = { pt-BR = "concluída", en = "finished" } } }
"#;

struct Maker;

impl Plugins for Maker {
    fn plugin(&self, name: &str) -> Option<PluginFacts> {
        Some(PluginFacts {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            digest: String::new(),
            imports: Vec::new(),
            inputs: json!({ "type": "object" }),
            words: PluginWords::default(),
        })
    }

    fn names(&self) -> Vec<String> {
        vec!["maker".to_owned()]
    }
}

/// A rule whose only action has `keys`, under the condition `when`.
fn set(when: &str, keys: &str) -> RuleSet {
    let when = if when.is_empty() { String::new() } else { format!("[when]\n{when}") };
    let rule = format!(
        "id = \"r\"\ntitle = \"R\"\non = \"thing.made\"\n[settings.limit]\ntype = \"integer\"\nlabel = {{ pt-BR = \"Limite\", en = \"Limit\" }}\n\
         {when}\n[lookup.owner]\nkey = \"$.owner\"\n[[then]]\nname = \"make\"\nplugin = \"maker\"\nkey = \"$.id\"\n{keys}"
    );
    let file = |name: &str, text: &str| FileText { name: name.to_owned(), text: text.to_owned() };
    let files = Files { sources: vec![file("s.toml", SOURCE)], rules: vec![file("r.toml", &rule)], samples: Vec::new() };
    let loaded = load(&files, &Maker);
    loaded.set.unwrap_or_else(|| panic!("{}", crate::render(&loaded.diagnostics, &files)))
}

fn told(set: &RuleSet, settings: Value, locale: &str) -> String {
    set.sentence("r", settings.as_object().unwrap_or(&Map::new()), locale).unwrap().to_string()
}

/// What stands between the event and what is done.
fn condition(when: &str, locale: &str) -> String {
    let told = told(&set(when, ""), Value::Null, locale);
    let (before, after) = match locale {
        "en" => ("When a thing is made and ", ", runs the plugin “maker”."),
        _ => ("Quando uma coisa é feita e ", ", executa o plugin “maker”."),
    };
    told.strip_prefix(before).and_then(|told| told.strip_suffix(after)).unwrap_or_else(|| panic!("{told}")).to_owned()
}

const OPERATORS: &[(&str, &str, &str)] = &[
    (r#"path = "$.title", equals = "a""#, "o título é “a”", "the title is “a”"),
    (r#"path = "$.title", not_equals = 1.5"#, "o título não é 1,5", "the title is not 1.5"),
    (r#"path = "$.phones", equals = true"#, "os telefones são verdadeiro", "the phones are true"),
    (r#"path = "$.title", in = ["a"]"#, "o título é “a”", "the title is “a”"),
    (r#"path = "$.state", in = ["done", "b", 3]"#, "a situação é “concluída”, “b” ou 3", "the state is “finished”, “b” or 3"),
    (r#"path = "$.state", not_in = ["done", "b"]"#, "a situação não é “concluída” nem “b”", "the state is not “finished” or “b”"),
    (r#"path = "$.title", in = { path = "$.phones[*]" }"#, "o título é um dos telefones", "the title is one of the phones"),
    (r#"path = "$.size", exists = true"#, "a medida está informada", "the size is given"),
    (r#"path = "$.phones", exists = false"#, "os telefones não estão informados", "the phones are not given"),
    (r#"path = "$.phones", missing = true"#, "os telefones estão ausentes", "the phones are missing"),
    (r#"path = "$.title", missing = false"#, "o título não está ausente", "the title is not missing"),
    (r#"path = "$.size", is_null = true"#, "a medida é nula", "the size is null"),
    (r#"path = "$.size", is_null = false"#, "a medida não é nula", "the size is not null"),
    (r#"path = "$.size", gt = 3"#, "a medida está acima de 3", "the size is above 3"),
    (r#"path = "$.size", gte = 3"#, "a medida é no mínimo 3", "the size is at least 3"),
    (r#"path = "$.size", lt = 3"#, "a medida está abaixo de 3", "the size is below 3"),
    (r#"path = "$.size", lte = 3"#, "a medida é no máximo 3", "the size is at most 3"),
    (r#"not = { path = "$.size", lte = 3 }"#, "a medida não é no máximo 3", "the size is not at most 3"),
    (r#"path = "$.size", gt = { path = "$.title" }"#, "a medida está acima do título", "the size is above the title"),
    (
        r#"path = "$.size", gt = { setting = "limit" }"#,
        "a medida está acima da configuração “Limite”",
        "the size is above the setting “Limit”",
    ),
    (r#"path = "$.size", between = [1, 2]"#, "a medida está entre 1 e 2", "the size is between 1 and 2"),
    (r#"path = "$.size", equals = { path = "$.phones" }"#, "a medida é igual aos telefones", "the size is the same as the phones"),
    (r#"path = "$.size", as = "number", gt = "3""#, "a medida (como número) está acima de “3”", "the size (as a number) is above “3”"),
    (r#"path = "$.size", as = "string", equals = "3""#, "a medida (como texto) é “3”", "the size (as a text) is “3”"),
    (
        r#"path = "$.title", as = "date", gte = "+24h""#,
        "o título (como data) é a partir de 24 horas depois do evento",
        "the title (as a date) is at or after 24 hours after the event",
    ),
    (
        r#"path = "$.title", as = "date", equals = "2026-03-06""#,
        "o título (como data) é em “2026-03-06”",
        "the title (as a date) is at “2026-03-06”",
    ),
    (r#"path = "$.title", contains = "x""#, "o título contém “x”", "the title contains “x”"),
    (r#"path = "$.phones", not_contains = "x""#, "os telefones não contêm “x”", "the phones do not contain “x”"),
    (r#"path = "$.title", starts_with = "x""#, "o título começa com “x”", "the title begins with “x”"),
    (r#"path = "$.phones", ends_with = "x""#, "os telefones terminam com “x”", "the phones end with “x”"),
    (r#"path = "$.title", matches = '\d'"#, "o título contém algum algarismo", "the title contains a digit"),
    (r#"path = "$.title", matches = '\bx\b'"#, "o título contém a palavra “x”", "the title contains the word “x”"),
    (
        r#"path = "$.title", matches = '(?i)\bx\b'"#,
        "o título contém a palavra “x” (sem distinguir maiúsculas)",
        "the title contains the word “x” (in capitals too)",
    ),
    (r#"path = "$.title", matches = '^x'"#, "o título segue o padrão “^x”", "the title follows the pattern “^x”"),
    (r#"path = "$.title", glob = 'x*'"#, "o título segue o modelo “x*”", "the title follows the form “x*”"),
    (r#"path = "$.title", length = 3"#, "o título tem comprimento 3", "the title has a length of 3"),
    (
        r#"path = "$.title", length = { gte = 1, lt = 5 }"#,
        "o título tem comprimento no mínimo 1 e abaixo de 5",
        "the title has a length of at least 1 and below 5",
    ),
    (r#"path = "$.title", before = "now""#, "o título é antes do momento do evento", "the title is before the moment of the event"),
    (r#"path = "$.title", after = "-2d""#, "o título é depois de 2 dias antes do evento", "the title is after 2 days before the event"),
    (
        r#"path = "$.title", within = { from = "08:00", to = "18:00", weekdays = ["mon", "fri"] }"#,
        "o título cai entre 08:00 e 18:00 em segunda-feira ou sexta-feira no horário da clínica",
        "the title falls between 08:00 and 18:00 on Monday or Friday in the clinic's time",
    ),
    (
        r#"path = "$.title", within = { weekdays = ["sun"], timezone = "America/Manaus" }"#,
        "o título cai em domingo no horário de America/Manaus",
        "the title falls on Sunday in the time of America/Manaus",
    ),
    (r#"path = "$.phones", changed = true"#, "os telefones mudaram", "the phones changed"),
    (r#"path = "$.title", changed = false"#, "o título não mudou", "the title did not change"),
    (r#"path = "$.title", changed = { from = "a", to = "b" }"#, "o título mudou de “a” para “b”", "the title changed from “a” to “b”"),
    // Of several values.
    (r#"path = "$.phones[*]", contains = "x""#, "algum dos telefones contém “x”", "any of the phones contains “x”"),
    (r#"path = "$.notes[*]", exists = true"#, "alguma das notas está informada", "any of the notes is given"),
    (r#"path = "$.notes[*]", not_contains = "x""#, "nenhuma das notas contém “x”", "none of the notes contains “x”"),
    (r#"path = "$.phones[*]", every = true, contains = "x""#, "cada um dos telefones contém “x”", "each of the phones contains “x”"),
    (
        r#"path = "$.phones[*]", every = true, not_contains = "x""#,
        "não é verdade que cada um dos telefones contém “x”",
        "it is not so that each of the phones contains “x”",
    ),
    (r#"path = "$.notes[*]", missing = true"#, "as notas estão ausentes", "the notes are missing"),
    // What nobody has a word for.
    (r#"path = "$.a.b", equals = 1"#, "o valor em “$.a.b” é 1", "the value at “$.a.b” is 1"),
    (r#"path = "$.a[*]", equals = 1"#, "algum dos valores em “$.a[*]” é 1", "any of the values at “$.a[*]” is 1"),
    // Trees.
    (
        r#"all = [{ path = "$.title", exists = true }, { path = "$.title", contains = "x" }, { path = "$.size", gt = 1 }]"#,
        "o título está informado, contém “x” e a medida está acima de 1",
        "the title is given, contains “x” and the size is above 1",
    ),
    (
        r#"any = [{ path = "$.title", equals = "a" }, { path = "$.size", gt = 1 }]"#,
        "(o título é “a” ou a medida está acima de 1)",
        "(the title is “a” or the size is above 1)",
    ),
    (
        r#"not = { any = [{ path = "$.title", equals = "a" }, { path = "$.size", gt = 1 }] }"#,
        "o título não é “a” e a medida não está acima de 1",
        "the title is not “a” and the size is not above 1",
    ),
    (
        r#"all = [{ path = "$.title", equals = "a" }, { any = [{ path = "$.title", equals = "b" }, { path = "$.size", gt = 1 }] }]"#,
        "o título é “a” e (o título é “b” ou a medida está acima de 1)",
        "the title is “a” and (the title is “b” or the size is above 1)",
    ),
    (
        r#"all = [{ path = "$.state", in = ["a", "b"] }, { path = "$.title", equals = "c" }]"#,
        "a situação é “a” ou “b”; e o título é “c”",
        "the state is “a” or “b”; and the title is “c”",
    ),
    (r#"not = { not = { path = "$.title", equals = "a" } }"#, "o título é “a”", "the title is “a”"),
];

#[test]
fn every_operator_is_said() {
    for (when, portuguese, english) in OPERATORS {
        let when = if when.starts_with("path") { format!("all = [{{ {when} }}]") } else { (*when).to_owned() };
        assert_eq!(condition(&when, "pt-BR"), *portuguese, "{when}");
        assert_eq!(condition(&when, "en"), *english, "{when}");
    }
    for (operator, _) in crate::condition::OPERATORS {
        assert!(OPERATORS.iter().any(|(when, ..)| when.contains(&format!("{operator} ="))), "{operator} is in no row");
    }
}

#[test]
fn times_limits_and_settings_are_said() {
    for (keys, portuguese, english) in [
        ("after = \"36h\"", "1 dia e 12 horas depois, executa", "1 day and 12 hours later, runs"),
        (
            "at = { time = \"$.title\" }",
            "no título (ou na hora, se esse momento já passou), executa",
            "at the title (or at once where that time has passed), runs",
        ),
        (
            "at = { time = \"$.title\", after = \"1h30m\" }\nif_late = \"skip\"",
            "1 hora e 30 minutos depois do título (e nunca, se esse momento já passou), executa",
            "1 hour and 30 minutes after the title (and never where that time has passed), runs",
        ),
        (
            "send_window = { from = \"08:00\", to = \"20:00\", timezone = \"America/Manaus\" }",
            "entre 08:00 e 20:00 no horário de America/Manaus, executa",
            "between 08:00 and 20:00 in the time of America/Manaus, runs",
        ),
        (
            "after = \"{{ settings.limit }}h\"",
            "no horário que for configurado, executa",
            "at the time that is chosen in its settings, runs",
        ),
        (
            "cancel_on = [{ type = \"thing.made\", key = \"$.id\" }]\nexpires = \"90s\"",
            "Com mais de 1 minuto e 30 segundos de atraso, deixa de ser feito. Cancelado quando a coisa é feita.",
            "More than 1 minute and 30 seconds late, it is not done any more. Cancelled when the thing is made.",
        ),
        (
            "only_if = [{ record = \"owner\", path = \"$.age\", gt = 1 }, { record = \"owner\", path = \"$.size\", gt = 1 }, { record = \"owner\", path = \"$.size.x\", gt = 1 }]",
            "Só é feito se, na hora, a idade da dona está acima de 1, a medida da dona está acima de 1 e o valor em “$.size.x” da dona está acima de 1.",
            "Only done if, at that time, the owner's age is above 1, the size of the owner is above 1 and the value at “$.size.x” of the owner is above 1.",
        ),
        (
            "throttle = { limit = 1, per = \"1h\" }\ncount = { at_least = 3, within = \"10m\" }",
            "Só é feito quando isso acontece 3 vezes em 10 minutos, e então recomeça a contagem. No máximo uma vez em 1 hora.",
            "Only done when this happens 3 times within 10 minutes; then the count begins again. At most once within 1 hour.",
        ),
        (
            "when = { path = \"$.title\", equals = 1 }",
            "Quando uma coisa é feita e o título é 1, executa",
            "When a thing is made and the title is 1, runs",
        ),
    ] {
        let set = set("", keys);
        for (locale, wanted) in [("pt-BR", portuguese), ("en", english)] {
            let told = told(&set, Value::Null, locale);
            assert!(told.contains(wanted), "{keys}\n{told}");
        }
    }
    let set = set("path = \"$.size\"\ngt = { setting = \"limit\" }", "after = \"{{ settings.limit }}h\"");
    assert_eq!(
        told(&set, json!({ "limit": 2 }), "en"),
        "When a thing is made and the size is above 2, 2 hours later, runs the plugin “maker”."
    );
}

#[test]
fn portuguese_draws_together() {
    for (preposition, noun, drawn_together) in [
        ("de", "o título", "do título"),
        ("antes de", "as notas", "antes das notas"),
        ("em", "a medida", "na medida"),
        ("a", "a dona", "à dona"),
        ("a", "os telefones", "aos telefones"),
        ("a", "“x”", "a “x”"),
        ("de", "um dia", "de um dia"),
        ("depois de", "24 horas", "depois de 24 horas"),
    ] {
        assert_eq!(drawn(preposition, noun), drawn_together);
    }
    let hours = |hours| duration(Language::Portuguese, jiff::SignedDuration::from_hours(hours));
    assert_eq!([1, 24, 25, 48, 36].map(hours), ["1 hora", "24 horas", "1 dia e 1 hora", "2 dias", "1 dia e 12 horas"]);
    assert_eq!(list(&["a, b".to_owned(), "c".to_owned()], "e"), "a, b; e c");
}

/// A clause of a small family, of which no two say the same.
fn clause(path: usize, kind: usize, negated: bool) -> Condition {
    let path = ["$.title", "$.size", "$.phones[*]", "$.x"][path % 4];
    let one = || Right::Literal(json!("a"));
    let kind = match kind % 6 {
        0 => TestKind::Exists,
        1 => TestKind::Missing,
        2 => TestKind::Equals(one()),
        3 => TestKind::Contains(one()),
        4 => TestKind::Compare(Comparison::Gte, Right::Literal(json!(1))),
        _ => TestKind::StartsWith(one()),
    };
    let at = Spot { record: None, path: Path::parse(path).unwrap() };
    Condition::Clause(Box::new(Clause { at, every: false, convert: None, test: Test { negated, kind }, spans: Spans::default() }))
}

fn leaf() -> impl Strategy<Value = Condition> {
    (0..4_usize, 0..6_usize, any::<bool>()).prop_map(|(path, kind, negated)| clause(path, kind, negated))
}

fn tree() -> impl Strategy<Value = Condition> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Condition::Any),
            inner.prop_map(|part| Condition::Not(Box::new(part))),
        ]
    })
}

/// Any right side and any conversion, long texts among them.
fn odd() -> impl Strategy<Value = Condition> {
    let right = prop_oneof![
        ".{100,300}".prop_map(|text| Right::Literal(Value::String(text))),
        Just(Right::Literal(json!([1, { "a": null }]))),
        Just(Right::Setting("limit".to_owned())),
        Just(Right::At(Spot { record: Some("owner".to_owned()), path: Path::parse("$.age").unwrap() })),
    ];
    let convert = prop_oneof![Just(None), Just(Some(Convert::String)), Just(Some(Convert::Number)), Just(Some(Convert::Date))];
    (prop::collection::vec(right, 2..40), convert, any::<bool>(), 0..6_usize).prop_map(|(rights, convert, flag, kind)| {
        let (first, second) = (rights[0].clone(), rights[1].clone());
        let kind = match kind {
            0 => TestKind::In(rights),
            1 => TestKind::Between(first, second),
            2 => TestKind::Before(first),
            3 => TestKind::Length(vec![(Comparison::Lte, first)]),
            4 => TestKind::Changed { from: Some(first), to: flag.then_some(second) },
            _ => TestKind::Equals(first),
        };
        let at = Spot { record: None, path: Path::parse(if flag { "$.notes[*]" } else { "$.title" }).unwrap() };
        Condition::Clause(Box::new(Clause { at, every: !flag, convert, test: Test { negated: flag, kind }, spans: Spans::default() }))
    })
}

/// How many lists there are in it: each may bring brackets.
fn groups(condition: &Condition) -> usize {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => 1 + parts.iter().map(groups).sum::<usize>(),
        Condition::Not(part) => groups(part),
        Condition::Clause(_) => 0,
    }
}

/// Whether a tree holds where the clauses named by the bits of `world` do.
fn holds(condition: &Condition, world: usize) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|part| holds(part, world)),
        Condition::Any(parts) => parts.iter().any(|part| holds(part, world)),
        Condition::Not(part) => !holds(part, world),
        Condition::Clause(clause) => {
            let bit = match (clause.at.path.as_str(), &clause.test.kind) {
                ("$.title", TestKind::Exists) => 1,
                ("$.title", _) => 2,
                _ => 4,
            };
            (world & bit != 0) != clause.test.negated
        }
    }
}

/// All trees of two levels over three clauses, two of them about one thing: what reads the same means the same.
#[test]
fn different_trees_read_differently() {
    let set = set("", "");
    let rule = set.rule("r").unwrap();
    let speaker = Speaker::new(&set, rule, &Map::new(), "pt-BR");
    let leaves = [(0, 0), (0, 2), (1, 4)].into_iter().flat_map(|(path, kind)| [false, true].map(|negated| clause(path, kind, negated)));
    let leaves: Vec<Condition> = leaves.collect();
    let pairs = |from: &[Condition]| -> Vec<Condition> {
        let pairs = from.iter().flat_map(|one| from.iter().map(move |other| vec![one.clone(), other.clone()]));
        pairs.flat_map(|pair| [Condition::All(pair.clone()), Condition::Any(pair)]).collect()
    };
    let inner = [leaves.clone(), pairs(&leaves)].concat();
    let mut meanings: HashMap<String, u8> = HashMap::new();
    for tree in pairs(&inner).into_iter().flat_map(|tree| [Condition::Not(Box::new(tree.clone())), tree]) {
        let meaning = (0..8).filter(|world| holds(&tree, *world)).fold(0_u8, |all, world| all | 1 << world);
        let said = speaker.alone(&tree);
        let known = *meanings.entry(said.clone()).or_insert(meaning);
        assert_eq!(known, meaning, "two meanings of: {said}");
    }
    assert!(meanings.len() > 1_000, "{}", meanings.len());
}

proptest! {
    #[test]
    fn any_tree_is_said_and_not_at_length(tree in tree(), odd in odd()) {
        let set = set("", "");
        let rule = set.rule("r").unwrap();
        for locale in ["pt-BR", "en"] {
            let speaker = Speaker::new(&set, rule, &Map::new(), locale);
            let said = speaker.condition(&tree);
            prop_assert!(!said.is_empty() && said.chars().count() <= 40 + 120 * tree.clauses().len() + 40 * groups(&tree), "{said}");
            let said = speaker.condition(&odd);
            let rights: usize = odd.clauses().iter().map(|clause| clause.test.kind.rights().len().min(13)).sum();
            prop_assert!(said.chars().count() <= 150 + 90 * rights, "{said}");
        }
    }
}

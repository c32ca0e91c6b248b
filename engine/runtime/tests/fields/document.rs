//! Random documents full of markers, and fields of them: a path, perhaps a transform, and what there is then.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use crate::marker::Markers;

/// A document without its texts.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Text,
    Number,
    List(Vec<Shape>),
    /// Members: whether a rule may know the name, or it is a marker itself.
    Object(Vec<(bool, Shape)>),
}

pub(crate) fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![3 => Just(Shape::Text), 1 => Just(Shape::Number)];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 1..4).prop_map(Shape::List),
            2 => prop::collection::vec((any::<bool>(), inner), 1..4).prop_map(Shape::Object),
        ]
    })
}

/// The document with a marker in every place.
pub(crate) fn planted(shape: &Shape, markers: &Markers) -> Value {
    match shape {
        Shape::Text => json!(markers.text()),
        Shape::Number => json!(markers.number()),
        Shape::List(shapes) => shapes.iter().map(|shape| planted(shape, markers)).collect(),
        Shape::Object(members) => {
            let named = (0..).zip(members).map(|(place, (known, shape))| {
                let name = if *known { format!("k{place}") } else { markers.key() };
                (name, planted(shape, markers))
            });
            Value::Object(named.collect())
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct FieldPick {
    of_person: bool,
    node: Index,
    way: Way,
    transform: Option<&'static str>,
}

/// How a path leads to a node.
#[derive(Clone, Copy, Debug)]
enum Way {
    Exact,
    /// All that is in it.
    Children,
    /// All that is called so, however deep.
    Below,
    /// Nothing is there.
    Nowhere,
}

pub(crate) fn field_pick() -> impl Strategy<Value = FieldPick> {
    let way = prop_oneof![6 => Just(Way::Exact), 3 => Just(Way::Children), 2 => Just(Way::Below), 1 => Just(Way::Nowhere)];
    let transform = prop_oneof![
        3 => Just(None),
        2 => prop::sample::select(vec!["first_name", "last4", "initials", "digits", "lower", "upper", "trim", "hash"]).prop_map(Some),
        1 => Just(Some("year")),
    ];
    (prop::bool::weighted(0.3), any::<Index>(), way, transform).prop_map(|(of_person, node, way, transform)| FieldPick {
        of_person,
        node,
        way,
        transform,
    })
}

/// A line of `[then.allow]`.
pub(crate) struct Field {
    pub(crate) name: String,
    /// As a rule says it.
    pub(crate) rule: Value,
    /// What there is.
    pub(crate) value: Option<Value>,
}

impl Field {
    /// The template that is the field and nothing else.
    pub(crate) fn template(&self) -> String {
        format!("{{{{ {} }}}}", self.name)
    }
}

pub(crate) fn field(number: usize, pick: &FieldPick, visit: &Value, person: &Value, hash: &dyn Fn(&str) -> String) -> Field {
    let mut nodes = Vec::new();
    if pick.of_person {
        ["p0", "p1"].iter().for_each(|name| collect(&format!("$['{name}']"), &person[name], &mut nodes));
    } else {
        collect("$.tree", &visit["tree"], &mut nodes);
    }
    let (path, node) = pick.node.get(&nodes);
    let last = path.rsplit_once("['").and_then(|(_, name)| name.strip_suffix("']"));
    let (path, value) = match (pick.way, node, last) {
        (Way::Children, Value::Array(values), _) => (format!("{path}[*]"), Some(Value::Array(values.clone()))),
        (Way::Children, Value::Object(members), _) => (format!("{path}.*"), Some(members.values().cloned().collect())),
        (Way::Below, _, Some(name)) if !pick.of_person => {
            let mut found = Vec::new();
            below(&visit["tree"], name, &mut found);
            (format!("$.tree..['{name}']"), Some(Value::Array(found)))
        }
        (Way::Nowhere, _, _) => (format!("{path}['nowhere']"), None),
        _ => (path.clone(), Some((*node).clone())),
    };
    let value = match (pick.transform, value) {
        (None, value) => value,
        (Some(transform), Some(Value::Array(values))) => {
            Some(values.iter().map(|value| transformed(transform, value, hash).unwrap_or_default()).collect())
        }
        (Some(transform), value) => value.and_then(|value| transformed(transform, &value, hash)),
    };
    let mut rule = Map::from_iter([("path".to_owned(), json!(path))]);
    if pick.of_person {
        rule.insert("record".to_owned(), json!("person"));
    }
    if let Some(transform) = pick.transform {
        rule.insert("as".to_owned(), json!(transform));
    }
    let rule = if rule.len() == 1 { json!(path) } else { Value::Object(rule) };
    Field { name: format!("f{number}"), rule, value }
}

/// Every node of `value`, with its path.
fn collect<'v>(path: &str, value: &'v Value, nodes: &mut Vec<(String, &'v Value)>) {
    nodes.push((path.to_owned(), value));
    match value {
        Value::Array(values) => (0..).zip(values).for_each(|(place, value): (usize, _)| collect(&format!("{path}[{place}]"), value, nodes)),
        Value::Object(members) => members.iter().for_each(|(name, value)| collect(&format!("{path}['{name}']"), value, nodes)),
        _ => {}
    }
}

/// All members called `name` in `value`, those higher up first.
fn below(value: &Value, name: &str, found: &mut Vec<Value>) {
    found.extend(value.get(name).cloned());
    match value {
        Value::Array(values) => values.iter().for_each(|value| below(value, name, found)),
        Value::Object(members) => members.values().for_each(|value| below(value, name, found)),
        _ => {}
    }
}

pub(crate) fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

/// A scalar as text.
pub(crate) fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn transformed(transform: &str, value: &Value, hash: &dyn Fn(&str) -> String) -> Option<Value> {
    let text = Some(value).filter(|value| is_scalar(value)).map(scalar)?;
    let made = match transform {
        "first_name" => text.split_whitespace().next()?.to_owned(),
        "last4" => text.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect(),
        "initials" => text.split_whitespace().filter_map(|word| word.chars().next()).collect::<String>().to_uppercase(),
        "digits" => text.chars().filter(char::is_ascii_digit).collect(),
        "lower" => text.to_lowercase(),
        "upper" => text.to_uppercase(),
        "trim" => text.trim().to_owned(),
        "hash" => hash(&text),
        // No marker begins with one.
        _ => return None,
    };
    (!made.is_empty()).then(|| json!(made))
}

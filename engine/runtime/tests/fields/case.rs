//! A case: what a provider sends, a rule that asks for some of it, and what its plugins are to be given, worked out here in
//! the plainest way.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use crate::document::{Field, FieldPick, field, field_pick, is_scalar, scalar};
use crate::document::{Shape, planted, shape};
use crate::marker::Markers;
use crate::plugins::{CONTACT, INPUTS, KINDS, Kind, PERSON};

/// What a case is made of.
#[derive(Clone)]
pub(crate) struct Picks {
    seed: u64,
    visit: Shape,
    person: [Shape; 2],
    fields: Vec<FieldPick>,
    actions: Vec<ActionPick>,
}

#[derive(Clone, Debug)]
struct ActionPick {
    kind: Kind,
    allow: Vec<Index>,
    inputs: Vec<(Form, Index, Index)>,
    trouble: Trouble,
    /// Whom it may write to, or whose record it may read.
    whom: Index,
    /// Which fields of the contact it may read: a bit each.
    contact: u8,
    ids: Ids,
}

/// How an input is made of fields.
#[derive(Clone, Copy, Debug)]
enum Form {
    Only,
    Text,
    Upper,
    Length,
    Defined,
    Joined,
    List,
    Object,
    /// It never fits.
    Cpf,
}

/// What keeps an action from running.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    /// Something is missing that its condition asks about.
    Missing,
    /// Its condition does not hold.
    OnlyIf,
    /// What it counts from is no time.
    NoTime,
}

/// Which contacts it may read.
#[derive(Clone, Copy, Debug)]
enum Ids {
    Any,
    This,
    Other,
    Rendered,
}

/// Prints what is asked, and of what; the rest stands in the rule.
impl fmt::Debug for Picks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "markers of {}: {:?} {:?}", self.seed, self.visit, self.person)
    }
}

pub(crate) fn picks() -> impl Strategy<Value = Picks> {
    let fields = prop::collection::vec(field_pick(), 3..8);
    let actions = prop::collection::vec(action(), 1..4);
    (any::<u64>(), shape(), [shape(), shape()], fields, actions).prop_map(|(seed, visit, person, fields, actions)| Picks {
        seed,
        visit,
        person,
        fields,
        actions,
    })
}

fn action() -> impl Strategy<Value = ActionPick> {
    use Form::*;
    let forms = prop_oneof![
        12 => prop::sample::select(vec![Only, Text, Upper, Length, Defined, Joined, List, Object]),
        1 => Just(Cpf),
    ];
    let inputs = prop::collection::vec((forms, any::<Index>(), any::<Index>()), 1..=INPUTS.len());
    let trouble = prop_oneof![
        12 => Just(Trouble::None),
        1 => prop::sample::select(vec![Trouble::Missing, Trouble::OnlyIf, Trouble::NoTime]),
    ];
    let ids = prop::sample::select(vec![Ids::Any, Ids::This, Ids::Other, Ids::Rendered]);
    let allow = prop::collection::vec(any::<Index>(), 0..5);
    (prop::sample::select(KINDS.to_vec()), allow, inputs, trouble, any::<Index>(), 1..8_u8, ids)
        .prop_map(|(kind, allow, inputs, trouble, whom, contact, ids)| ActionPick { kind, allow, inputs, trouble, whom, contact, ids })
}

/// A case.
pub(crate) struct Case {
    pub(crate) markers: Vec<String>,
    /// The deliveries, as they come.
    pub(crate) person: Value,
    pub(crate) visit: Value,
    /// What is known of the contact.
    pub(crate) contact: Map<String, Value>,
    /// Headers and URL of the deliveries say these.
    pub(crate) header: String,
    pub(crate) url: String,
    pub(crate) token: String,
    /// A rule file.
    pub(crate) rule: String,
    pub(crate) actions: Vec<Action>,
}

/// An action, and what is expected of it.
pub(crate) struct Action {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// What its plugin is given; none: it does not run.
    pub(crate) given: Option<Given>,
}

/// What a plugin is given.
pub(crate) struct Given {
    pub(crate) input: Value,
    /// Whom it may write to, and whose records it may read: in its grants only.
    pub(crate) granted: Vec<String>,
    /// What it is told of the contact.
    pub(crate) read: Map<String, Value>,
    /// The effects that are refused.
    pub(crate) refused: Vec<&'static str>,
}

/// What a form came to: the input as a file says it, and its value. `Err`: the action cannot run with it; `None`: it is absent.
type Made = (Value, Result<Option<Value>, ()>);

impl Picks {
    /// The case; `hash` is what the transform of this name makes of a text.
    pub(crate) fn case(&self, hash: &dyn Fn(&str) -> String) -> Case {
        let markers = Markers::new(self.seed);
        let clinic = markers.number();
        let visit = json!({
            "at": "2026-03-05T12:59:00Z", "id": markers.number(), "clinic": clinic, "person": { "id": PERSON.1 },
            "tree": planted(&self.visit, &markers), "rest": markers.text(),
        });
        let person = json!({
            "at": "2026-03-05T12:58:00Z", "id": PERSON.1, "clinic": clinic,
            "p0": planted(&self.person[0], &markers), "p1": planted(&self.person[1], &markers), "rest": { markers.key(): markers.text() },
        });
        let contact = ["stage", "notes", "owner"].map(|name| (name.to_owned(), Value::from(markers.text())));
        let contact = Map::from_iter(contact);
        let fields: Vec<Field> = (0..).zip(&self.fields).map(|(number, pick)| field(number, pick, &visit, &person, hash)).collect();
        let made = (0..).zip(&self.actions).map(|(number, pick): (usize, _)| pick.made(number, &fields, &contact));
        let (rules, actions): (Vec<Value>, Vec<Action>) = made.unzip();
        let rule = json!({
            "id": "tells", "title": "A rule", "source": "origin", "on": ["visit.made"],
            "lookup": { "person": { "key": "$.person.id" } }, "then": rules,
        });
        Case {
            header: markers.key(),
            url: format!("https://hooks.example/hooks/origin/visit?q={}", markers.key()),
            token: markers.key(),
            markers: markers.made(),
            person,
            visit,
            contact,
            rule: toml::to_string(&rule).unwrap(),
            actions,
        }
    }
}

impl ActionPick {
    /// The action as a rule has it, and what is expected of it.
    fn made(&self, number: usize, fields: &[Field], contact: &Map<String, Value>) -> (Value, Action) {
        let mut allowed: Vec<&Field> = self.allow.iter().map(|index| index.get(fields)).collect();
        allowed.sort_by_key(|field| &field.name);
        allowed.dedup_by_key(|field| &field.name);
        let made: Vec<(&str, Made)> = INPUTS
            .into_iter()
            .zip(&self.inputs)
            .map(|(name, (form, one, other))| {
                let made = match allowed.as_slice() {
                    [] => (json!(7), Ok(Some(json!(7)))),
                    allowed => {
                        let (one, other): (&&Field, &&Field) = (one.get(allowed), other.get(allowed));
                        form.made(one, other)
                    }
                };
                (name, made)
            })
            .collect();
        let (grant, granted, read, refused) = self.grant(&allowed, contact);
        let inputs: Result<Map<String, Value>, ()> = made
            .iter()
            .filter_map(|(name, (_, value))| value.clone().map(|value| Some(((*name).to_owned(), value?))).transpose())
            .collect();
        let given = match (inputs, granted, self.trouble) {
            (Ok(input), Ok(granted), Trouble::None) => Some(Given { input: Value::Object(input), granted, read, refused }),
            _ => None,
        };
        let name = format!("act{number}");
        let mut rule = json!({
            "name": name, "plugin": self.kind.name(), "purpose": "To see what it sees", "basis": "lgpd:11.II.f",
            "allow": allowed.iter().map(|field| (field.name.clone(), field.rule.clone())).collect::<Map<_, _>>(),
            "with": made.iter().map(|(name, (rule, _))| ((*name).to_owned(), rule.clone())).collect::<Map<_, _>>(),
            "grant": grant,
        });
        let of_person = |test: Value| {
            let mut clause = json!({ "record": "person", "path": "$.p0" });
            clause.as_object_mut().unwrap().extend(test.as_object().unwrap().clone());
            json!([clause])
        };
        match self.trouble {
            Trouble::None => {}
            Trouble::Missing => rule["only_if"] = json!([{ "record": "person", "path": "$.p0.nowhere", "exists": true }]),
            Trouble::OnlyIf => rule["only_if"] = of_person(json!({ "equals": "somebody else" })),
            Trouble::NoTime => rule["at"] = json!({ "time": "$.rest" }),
        }
        (rule, Action { name, kind: self.kind, given })
    }

    /// What it is granted: as a rule says it; rendered; what it reads by it; and what it is refused nevertheless.
    #[expect(clippy::type_complexity, reason = "four things that come of one choice")]
    fn grant(
        &self,
        allowed: &[&Field],
        contact: &Map<String, Value>,
    ) -> (Value, Result<Vec<String>, ()>, Map<String, Value>, Vec<&'static str>) {
        // Somebody whom a field names, where one of the allowed fields could.
        let fitting: Vec<&&Field> = allowed.iter().filter(|field| field.value.as_ref().is_none_or(is_scalar)).collect();
        let (whom, rendered) = match fitting.as_slice() {
            [] => ("nobody".to_owned(), Ok("nobody".to_owned())),
            fitting => {
                let field = self.whom.get(fitting);
                (format!("{{{{ {} }}}}", field.name), field.value.as_ref().map(scalar).ok_or(()))
            }
        };
        match self.kind {
            Kind::Sends => {
                let grant = json!({ "messages": { "channels": ["outbox"], "to": [whom] } });
                (grant, rendered.map(|to| vec![to]), Map::new(), vec!["message"])
            }
            Kind::Requests => (json!({ "http": ["POST https://api.example/v1/*"] }), Ok(Vec::new()), Map::new(), vec!["http"]),
            Kind::Reads => {
                let names = contact.keys().enumerate().filter(|(place, _)| self.contact >> place & 1 == 1).map(|(_, name)| name.clone());
                let names: Vec<String> = names.collect();
                let read: Map<String, Value> = names.iter().map(|name| (name.clone(), contact[name].clone())).collect();
                let ids = match self.ids {
                    Ids::Any => None,
                    Ids::This => Some((CONTACT.1.to_owned(), Ok(CONTACT.1.to_owned()))),
                    Ids::Other => Some(("c9".to_owned(), Ok("c9".to_owned()))),
                    Ids::Rendered => Some((whom, rendered)),
                };
                let (grant, ids) = match ids {
                    None => (json!(names), Ok(None)),
                    Some((rule, id)) => (json!({ "fields": names, "ids": [rule] }), id.map(Some)),
                };
                let reaches = matches!(&ids, Ok(id) if id.as_deref().is_none_or(|id| id == CONTACT.1));
                let (read, refused) = if reaches { (read, vec!["record_get"]) } else { (Map::new(), vec!["record_get", "record_get"]) };
                (json!({ "records": { CONTACT.0: grant } }), ids.map(|id| id.into_iter().collect()), read, refused)
            }
            _ => (json!({}), Ok(Vec::new()), Map::new(), Vec::new()),
        }
    }
}

impl Form {
    fn made(self, one: &Field, other: &Field) -> Made {
        let (name, second) = (one.template(), other.template());
        let is_text = |field: &Field| field.value.as_ref().is_none_or(is_scalar);
        match (self, &one.value, &other.value) {
            (Self::Text, _, _) if is_text(one) && is_text(other) => {
                let text = one.value.as_ref().zip(other.value.as_ref());
                let text = text.map(|(one, other)| json!(format!("Olá {} — {}.", scalar(one), scalar(other))));
                (json!(format!("Olá {name} — {second}.")), text.map(Some).ok_or(()))
            }
            (Self::Upper, Some(Value::String(text)), _) => {
                (json!(format!("{{{{ {} | upper }}}}", one.name)), Ok(Some(json!(text.to_uppercase()))))
            }
            (Self::Length, Some(value), _) if !value.is_number() => {
                let length = match value {
                    Value::Array(values) => values.len(),
                    Value::Object(members) => members.len(),
                    value => scalar(value).chars().count(),
                };
                (json!(format!("{{{{ {} | length }}}} of it", one.name)), Ok(Some(json!(format!("{length} of it")))))
            }
            (Self::Defined, value, _) => {
                let told = if value.is_some() { "yes" } else { "no" };
                let rule = format!("{{% if {} is defined %}}yes{{% else %}}no{{% endif %}}", one.name);
                (json!(rule), Ok(Some(json!(told))))
            }
            (Self::Joined, Some(Value::Array(values)), _) if values.iter().all(is_scalar) => {
                let joined = values.iter().map(scalar).collect::<Vec<_>>().join("; ");
                (json!(format!("{{{{ {} | join('; ') }}}}", one.name)), Ok(Some(json!(joined))))
            }
            (Self::List, one, other) => {
                let list = one.as_ref().zip(other.as_ref()).map(|(one, other)| json!([one, other]));
                (json!([name, second]), list.map(Some).ok_or(()))
            }
            (Self::Object, one, other) => {
                let members = [("x", one), ("y", other)].into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
                (json!({ "x": name, "y": second }), Ok(Some(members.collect())))
            }
            (Self::Cpf, _, _) => (json!(format!("{{{{ {} | cpf }}}}", one.name)), Err(())),
            (_, value, _) => (json!(name), Ok(value.clone())),
        }
    }
}

//! What stands around the body of a delivery: its headers, and the parameters of its URL. Payloads, ids and times may be made of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Delivery;
use super::form::parameter;
use crate::path::Path;

/// A text made of headers and parameters: `{header:x-github-delivery}`, `{query:data.id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Header(String),
    Query(String),
}

/// Where a value of an event stands: in its payload, or around the body.
#[derive(Clone, Debug)]
pub enum Given {
    Path(Path),
    Around(Around),
}

/// A payload that is made in place of the body: texts and objects of them.
#[derive(Clone, Debug, Default)]
pub struct Composed(pub(super) BTreeMap<String, Member>);

/// What one name of a composed payload has.
#[derive(Clone, Debug)]
pub(super) enum Member {
    Text(Around),
    Object(Composed),
}

impl Around {
    /// Reads `text`, which names at least one header or parameter.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else { return Err("a `{` is never closed".to_owned()) };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(match name.split_once(':') {
                Some(("header", name)) if !name.is_empty() => Piece::Header(name.to_ascii_lowercase()),
                Some(("query", name)) if !name.is_empty() => Piece::Query(name.to_owned()),
                _ => return Err(format!("`{{{name}}}` is not known here; known are {{header:name}} and {{query:name}}")),
            });
            rest = after;
        }
        if pieces.is_empty() {
            return Err("it names neither a {header:name} nor a {query:name}".to_owned());
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The text for `delivery`; nothing where something that it names is missing.
    pub(super) fn fill(&self, delivery: &Delivery<'_>) -> Option<String> {
        self.0.iter().try_fold(String::new(), |text, piece| {
            Some(match piece {
                Piece::Text(piece) => text + piece,
                Piece::Header(name) => text + delivery.headers.text(name)?,
                Piece::Query(name) => text + &parameter(delivery.url, name)?,
            })
        })
    }
}

impl Given {
    /// The path that it asks of the payload.
    pub(super) fn path(&self) -> Option<&Path> {
        if let Self::Path(path) = self { Some(path) } else { None }
    }
}

impl Composed {
    /// The payload of `delivery`: what is missing around its body is missing in it.
    pub(super) fn payload(&self, delivery: &Delivery<'_>) -> Map<String, Value> {
        let member = |(name, member): (&String, &Member)| {
            let value = match member {
                Member::Text(around) => Value::String(around.fill(delivery)?),
                Member::Object(composed) => {
                    let members = composed.payload(delivery);
                    (!members.is_empty()).then_some(Value::Object(members))?
                }
            };
            Some((name.clone(), value))
        };
        self.0.iter().filter_map(member).collect()
    }

    /// The headers, and the parameters of the URL, of which `payload` would be made: for whoever sends an example.
    pub fn apart(&self, payload: &Value) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let (mut headers, mut query) = (BTreeMap::new(), BTreeMap::new());
        for (name, member) in &self.0 {
            match (member, payload.get(name)) {
                (Member::Text(Around(pieces)), Some(Value::String(text))) => match pieces.as_slice() {
                    [Piece::Header(name)] => _ = headers.insert(name.clone(), text.clone()),
                    [Piece::Query(name)] => _ = query.insert(name.clone(), text.clone()),
                    _ => {}
                },
                (Member::Object(composed), Some(value)) => {
                    let (more_headers, more_query) = composed.apart(value);
                    headers.extend(more_headers);
                    query.extend(more_query);
                }
                _ => {}
            }
        }
        (headers, query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Headers;

    #[test]
    fn it_is_filled_or_it_is_nothing() {
        let headers: Headers<'_> = [("X-A", &b"1"[..]), ("X-B", b"\xff")].into_iter().collect();
        let delivery = Delivery { path: "", url: "https://x.example/a?b=2", headers: &headers, body: b"" };
        let fill = |text: &str| Around::parse(text).unwrap().fill(&delivery);
        assert_eq!(fill("{header:x-a}").as_deref(), Some("1"));
        assert_eq!(fill("a/{header:X-A}/{query:b}.").as_deref(), Some("a/1/2."));
        assert_eq!([fill("{header:x-b}"), fill("{query:c}"), fill("{header:x-a}{query:c}")], [const { None }; 3]);
        for bad in ["", "text", "{body}", "{header:}", "{query:a", "{}", "{header:a}{t}"] {
            assert!(Around::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_payload_is_made_and_taken_apart() {
        let text = |text: &str| Member::Text(Around::parse(text).unwrap());
        let inner = Composed([("id".to_owned(), text("{query:data.id}"))].into());
        let none = Composed([("id".to_owned(), text("{query:none}"))].into());
        let members = [
            ("data", Member::Object(inner)),
            ("none", Member::Object(none)),
            ("kind", text("{header:x-kind}")),
            ("no", text("{header:no}")),
        ];
        let composed = Composed(members.map(|(name, member)| (name.to_owned(), member)).into());
        let headers: Headers<'_> = [("x-kind", &b"payment"[..])].into_iter().collect();
        let payload = composed.payload(&Delivery { path: "", url: "/a?data.id=7", headers: &headers, body: b"not read" });
        let payload = Value::Object(payload);
        assert_eq!(payload, serde_json::json!({"kind": "payment", "data": {"id": "7"}}));
        let (headers, query) = composed.apart(&payload);
        assert_eq!(
            (headers, query),
            ([("x-kind".to_owned(), "payment".to_owned())].into(), [("data.id".to_owned(), "7".to_owned())].into())
        );
    }
}

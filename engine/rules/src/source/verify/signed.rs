//! What is signed: a template over a delivery.

use std::borrow::Cow;

use super::super::{Delivery, parameters};
use super::carrier::{Carrier, Why};

/// Text with values of the delivery in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Piece(Piece),
    /// Left out where a value in it is missing.
    Optional(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Value(Value),
    /// In lower case, as far as it is ASCII.
    Lower(Value),
}

/// Something of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Body,
    Url,
    /// The timestamp, as it was sent.
    Stamp,
    /// The parameters of a form, sorted by name, each name and value joined; the same twice counts once.
    Form,
    Of(Carrier),
}

impl Signed {
    /// The body alone.
    pub(super) fn body() -> Self {
        Self(vec![Part::Piece(Piece::Value(Value::Body))])
    }

    /// Reads a template: text with `{body}`, `{url}`, `{t}`, `{form}`, `{header:name}` and `{query:name}`, each also with `|lower`,
    /// and parts in `[ ]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['[', ']']) {
            parts.extend(pieces(&rest[..open])?.into_iter().map(Part::Piece));
            let inside = rest[open..].strip_prefix('[').ok_or("a `]` closes nothing")?;
            let (inside, behind) = inside.split_once(']').ok_or("a `[` is never closed")?;
            if inside.contains('[') {
                return Err("a `[ ]` has no other in it".to_owned());
            }
            let inside = pieces(inside)?;
            if inside.iter().all(|piece| matches!(piece, Piece::Literal(_))) {
                return Err("in `[ ]` stands a value that may be missing".to_owned());
            }
            parts.push(Part::Optional(inside));
            rest = behind;
        }
        parts.extend(pieces(rest)?.into_iter().map(Part::Piece));
        if parts.iter().all(|part| matches!(part, Part::Piece(Piece::Literal(_)))) {
            return Err("what is signed must name something of the delivery, such as {body}".to_owned());
        }
        Ok(Self(parts))
    }

    /// Whether `value` is signed whatever comes, and exactly as it was sent.
    pub(super) fn covers(&self, value: &Value) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Piece(Piece::Value(signed)) if signed == value))
    }

    /// Whether it speaks of `value` at all.
    pub(super) fn mentions(&self, value: &Value) -> bool {
        let is_it = |piece: &Piece| matches!(piece, Piece::Value(signed) | Piece::Lower(signed) if signed == value);
        self.0.iter().any(|part| match part {
            Part::Piece(piece) => is_it(piece),
            Part::Optional(pieces) => pieces.iter().any(is_it),
        })
    }

    /// The headers and parameters that must be there.
    pub(super) fn needs(&self) -> impl Iterator<Item = &Carrier> {
        self.0.iter().filter_map(|part| match part {
            Part::Piece(Piece::Value(Value::Of(carrier)) | Piece::Lower(Value::Of(carrier))) => Some(carrier),
            _ => None,
        })
    }

    /// What is signed of `delivery`, piece by piece. `stamp` is its timestamp.
    pub(super) fn of<'s>(&'s self, delivery: &Delivery<'s>, stamp: Option<&'s str>) -> Result<Vec<Cow<'s, [u8]>>, Why> {
        let mut found = Vec::new();
        for part in &self.0 {
            match part {
                Part::Piece(piece) => found.push(piece.of(delivery, stamp)?),
                Part::Optional(pieces) => match pieces.iter().map(|piece| piece.of(delivery, stamp)).collect::<Result<Vec<_>, _>>() {
                    Ok(all) => found.extend(all),
                    Err(Why::Missing(_)) => {}
                    Err(why) => return Err(why),
                },
            }
        }
        Ok(found)
    }

    /// Refuses what could be read in two ways: a header or a parameter that holds what stands behind it, and so says where it ends.
    pub(super) fn is_plain(&self, delivery: &Delivery<'_>) -> Result<(), Why> {
        let single = self.0.iter().filter_map(|part| if let Part::Piece(piece) = part { Some(piece) } else { None });
        let single: Vec<&Piece> = single.collect();
        let grouped = self.0.iter().filter_map(|part| if let Part::Optional(pieces) = part { Some(pieces.iter().collect()) } else { None });
        for pieces in grouped.chain([single]) {
            for pair in pieces.windows(2) {
                let [Piece::Value(Value::Of(carrier)) | Piece::Lower(Value::Of(carrier)), Piece::Literal(behind)] = pair else { continue };
                let value = carrier.bytes(delivery)?.unwrap_or_default();
                if value.windows(behind.len().max(1)).any(|window| window == behind.as_bytes()) {
                    return Err(Why::Unreadable(format!("{carrier} holds `{behind}`, which is to stand behind it")));
                }
            }
        }
        Ok(())
    }
}

impl Piece {
    fn of<'s>(&'s self, delivery: &Delivery<'s>, stamp: Option<&'s str>) -> Result<Cow<'s, [u8]>, Why> {
        match self {
            Self::Literal(text) => Ok(Cow::Borrowed(text.as_bytes())),
            Self::Value(value) => value.of(delivery, stamp),
            Self::Lower(value) => value.of(delivery, stamp).map(|bytes| Cow::Owned(bytes.to_ascii_lowercase())),
        }
    }
}

impl Value {
    fn of<'s>(&'s self, delivery: &Delivery<'s>, stamp: Option<&'s str>) -> Result<Cow<'s, [u8]>, Why> {
        match self {
            Self::Body => Ok(Cow::Borrowed(delivery.body)),
            Self::Url => Ok(Cow::Borrowed(delivery.url.as_bytes())),
            Self::Stamp => Ok(Cow::Borrowed(stamp.unwrap_or_default().as_bytes())),
            Self::Form if parameters::is_form(delivery.body) => Ok(Cow::Owned(joined(delivery.body))),
            Self::Form => Err(Why::Unreadable("its body is not a form that could be signed".to_owned())),
            Self::Of(carrier) => carrier.bytes(delivery)?.ok_or_else(|| Why::Missing(carrier.clone())),
        }
    }
}

/// As Twilio joins the parameters of a form.
fn joined(body: &[u8]) -> Vec<u8> {
    let mut pairs: Vec<_> = parameters::pairs(body).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]).collect::<Vec<_>>().concat()
}

/// The pieces of a text without `[ ]`.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (inside, behind) = behind.split_once('}').ok_or("a `{` is never closed")?;
        if !before.is_empty() {
            found.push(Piece::Literal(before.to_owned()));
        }
        let unknown =
            || format!("`{{{inside}}}` cannot be signed; known are {{body}}, {{form}}, {{url}}, {{t}}, {{header:name}} and {{query:name}}");
        found.push(match inside.split_once('|') {
            None => Piece::Value(value(inside).ok_or_else(unknown)?),
            Some((name, "lower")) => Piece::Lower(value(name).ok_or_else(unknown)?),
            Some(_) => return Err(format!("`{{{inside}}}` cannot be signed; what may follow a value is `|lower`")),
        });
        rest = behind;
    }
    if !rest.is_empty() {
        found.push(Piece::Literal(rest.to_owned()));
    }
    Ok(found)
}

fn value(text: &str) -> Option<Value> {
    match text.split_once(':') {
        Some(("header", name)) if !name.is_empty() => Some(Value::Of(Carrier::Header(name.to_ascii_lowercase()))),
        Some(("query", name)) if !name.is_empty() => Some(Value::Of(Carrier::Query(name.to_owned()))),
        Some(_) => None,
        None => match text {
            "body" => Some(Value::Body),
            "url" => Some(Value::Url),
            "t" => Some(Value::Stamp),
            "form" => Some(Value::Form),
            _ => None,
        },
    }
}

//! One delivery, several events.
//!
//! Each event is the whole envelope narrowed to one element: the lists on the way to it hold nothing else, and the other lists that are split
//! stand in it no more. So every path reads as the provider documents it: `$.entry[0].changes[0].value.messages[0].from`. What is not split
//! stays byte for byte as it came.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::path::{Hop, Path};

/// One delivery is split into no more events.
pub(crate) const EVENTS_MAX: usize = 1000;
/// They have no more bytes together: the envelope comes again in each.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// A path has no more segments: no document is nested deeper.
const SEGMENTS_MAX: usize = 64;

/// Which lists are split.
#[derive(Clone, Debug, Default)]
pub struct Split(Node);

/// A place in a document that leads to lists which are split.
#[derive(Clone, Debug, Default)]
struct Node {
    names: BTreeMap<String, Node>,
    /// The elements of the list that stands here.
    elements: Option<Box<Node>>,
    /// Whether an element in which nothing else is split is an event.
    ends: bool,
}

/// Whether a list may be written as its only element, as in XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    AreLists,
    MayBeSingle,
}

/// A document, or a part of it, taken apart as far as lists are split in it.
enum Piece<'t> {
    Object(Vec<(String, Piece<'t>)>),
    List(Vec<Piece<'t>>),
    Whole(&'t str),
}

impl Split {
    /// Whether nothing is split.
    pub fn is_empty(&self) -> bool {
        self.0.names.is_empty() && self.0.elements.is_none()
    }

    /// Splits the elements of what `path` yields too.
    ///
    /// # Errors
    /// It is not made of names and `[*]`, or does not end with that.
    pub(super) fn add(&mut self, path: &Path) -> Result<(), &'static str> {
        let hops = path.hops().filter(|hops| hops.len() <= SEGMENTS_MAX).ok_or("`split` takes names and `[*]` only")?;
        if hops.last() != Some(&Hop::Any) {
            return Err("`split` names the elements of a list: it ends with `[*]`");
        }
        let mut node = &mut self.0;
        for hop in hops {
            node = match hop {
                Hop::Name(name) => node.names.entry(name).or_default(),
                Hop::Any => node.elements.get_or_insert_default(),
                Hop::Index(_) => return Err("`split` takes names and `[*]` only"),
            };
        }
        node.ends = true;
        Ok(())
    }

    /// The events in `text`, which is strict JSON, in the order of the document; none where nothing is split in it.
    ///
    /// # Errors
    /// They are too many, or too much together.
    pub(super) fn events(&self, text: &str, lists: Lists) -> Result<Vec<Arc<[u8]>>, String> {
        let Some(document) = Piece::read(text.trim_ascii(), &self.0, lists) else { return Ok(Vec::new()) };
        let mut routes = Vec::new();
        document.routes(&self.0, &mut Vec::new(), &mut routes);
        if routes.len() > EVENTS_MAX {
            return Err(format!("it holds more than {EVENTS_MAX} events"));
        }
        let mut events = Vec::with_capacity(routes.len());
        let mut length = 0;
        for route in &routes {
            let mut event = String::new();
            document.narrow(route, &mut event);
            length += event.len();
            if length > BYTES_MAX {
                return Err(format!("its events have more than {} MiB together", BYTES_MAX >> 20));
            }
            events.push(event.into_bytes().into());
        }
        Ok(events)
    }
}

impl<'t> Piece<'t> {
    /// Takes a part of a document apart; nothing where it is not JSON.
    fn read(text: &'t str, node: &Node, lists: Lists) -> Option<Self> {
        let first = text.as_bytes().first()?;
        Some(match &node.elements {
            Some(elements) if *first == b'[' => {
                let list: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                Self::List(list.into_iter().map(|element| Self::read(element.get(), elements, lists)).collect::<Option<_>>()?)
            }
            Some(elements) if lists == Lists::MayBeSingle && *first != b'n' => Self::List(vec![Self::read(text, elements, lists)?]),
            _ if *first == b'{' && !node.names.is_empty() => {
                let Members(members) = serde_json::from_str(text).ok()?;
                let member = |(name, value): (String, &'t RawValue)| {
                    let piece = match node.names.get(&name) {
                        Some(node) => Self::read(value.get(), node, lists)?,
                        None => Self::Whole(value.get()),
                    };
                    Some((name, piece))
                };
                Self::Object(members.into_iter().map(member).collect::<Option<_>>()?)
            }
            _ => Self::Whole(text),
        })
    }

    /// Finds the ways to all events: the places of members and elements. Whether there is any; it stops when they are too many.
    fn routes(&self, node: &Node, way: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) -> bool {
        let before = found.len();
        let children = match self {
            Self::List(elements) => elements.iter().map(|element| (element, node.elements.as_deref())).collect::<Vec<_>>(),
            Self::Object(members) => members.iter().map(|(name, member)| (member, node.names.get(name))).collect(),
            Self::Whole(_) => Vec::new(),
        };
        for (place, (child, node)) in children.into_iter().enumerate() {
            let Some(node) = node.filter(|_| found.len() <= EVENTS_MAX) else { continue };
            way.push(place);
            if !child.routes(node, way, found) && node.ends {
                found.push(way.clone());
            }
            way.pop();
        }
        found.len() > before
    }

    /// Writes this with nothing but what stands at the end of `route` in the lists that are split.
    fn narrow(&self, route: &[usize], out: &mut String) {
        let Some((place, rest)) = route.split_first() else { return self.write(out) };
        match self {
            Self::List(elements) => {
                out.push('[');
                if let Some(element) = elements.get(*place) {
                    element.narrow(rest, out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                let member = |(at, (name, member)): (usize, &'_ (String, Piece<'t>)), out: &mut String| {
                    key(name, out);
                    if at == *place { member.narrow(rest, out) } else { member.strip(out) }
                };
                let kept = members.iter().enumerate().filter(|(at, (_, member))| at == place || !matches!(member, Self::List(_)));
                object(kept, member, out);
            }
            Self::Whole(text) => out.push_str(text),
        }
    }

    /// Writes this without any list that is split.
    fn strip(&self, out: &mut String) {
        match self {
            Self::Object(members) => {
                let kept = members.iter().filter(|(_, member)| !matches!(member, Self::List(_)));
                object(kept, |(name, member), out| (key(name, out), member.strip(out)).1, out);
            }
            Self::List(_) => {}
            Self::Whole(text) => out.push_str(text),
        }
    }

    /// Writes all of this.
    fn write(&self, out: &mut String) {
        match self {
            Self::Object(members) => object(members.iter(), |(name, member), out| (key(name, out), member.write(out)).1, out),
            Self::List(elements) => {
                out.push('[');
                for (place, element) in elements.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    element.write(out);
                }
                out.push(']');
            }
            Self::Whole(text) => out.push_str(text),
        }
    }
}

fn object<M>(members: impl Iterator<Item = M>, mut write: impl FnMut(M, &mut String), out: &mut String) {
    out.push('{');
    for (place, member) in members.enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(member, out);
    }
    out.push('}');
}

fn key(name: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(name).to_string());
    out.push(':');
}

/// The members of an object in their order, as they are written.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = members.next_entry::<String, &RawValue>()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }
        deserializer.deserialize_map(All)
    }
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;

//! The people that an event is about: their ids, what else they are known by, and which parts of the payload are theirs alone.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;
use zelo_core::{Identity, IdentityKind, Indexer, Person};

use crate::Path;
use crate::facts::Facts;
use crate::forms;
use crate::path::Step;

/// Where an event names a person: one line of `subjects`.
#[derive(Clone, Debug)]
pub struct PersonMapping {
    /// What the provider calls them.
    pub id: Path,
    /// What else they are known by.
    pub identities: Vec<(IdentityKind, Path)>,
    /// What of the payload is theirs alone. Nothing for the main one, whose everything else is.
    pub of: Vec<Path>,
}

/// A person, as a delivery names them.
#[derive(Clone)]
pub struct PersonReading {
    pub id: String,
    /// As everybody writes them.
    pub identities: Vec<(IdentityKind, String)>,
    /// Where the payload has what is theirs alone; nothing for the main one.
    pub of: Vec<Path>,
}

/// Prints nothing of them.
impl std::fmt::Debug for PersonReading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonReading({} identities)", self.identities.len())
    }
}

impl PersonMapping {
    /// All paths that it asks an event.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.id].into_iter().chain(self.identities.iter().map(|(_, path)| path))
    }

    /// Whether `path` reads something that is theirs alone.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.of.iter().any(|part| part.covers(path) || part.prefix().starts_with(path.prefix()))
    }
}

/// The people of `mappings`, the main one first. Nobody comes twice.
pub(super) fn people(mappings: &[PersonMapping], facts: &Facts<'_>) -> Vec<PersonReading> {
    let mut people: Vec<PersonReading> = Vec::new();
    for mapping in mappings {
        let ids = facts.ids(&mapping.id);
        // Of several whose ids stand in a list, nobody can tell which phone is whose.
        let alone = ids.len() == 1;
        for id in ids {
            if people.iter().any(|known| known.id == id) {
                continue;
            }
            let identities = if alone { identities(&mapping.identities, facts) } else { Vec::new() };
            let of = if people.is_empty() { Vec::new() } else { mapping.of.clone() };
            people.push(PersonReading { id, identities, of });
        }
    }
    people
}

fn identities(paths: &[(IdentityKind, Path)], facts: &Facts<'_>) -> Vec<(IdentityKind, String)> {
    let mut found: Vec<(IdentityKind, String)> = Vec::new();
    for (kind, path) in paths {
        for text in facts.ids(path).iter().filter_map(|text| common(*kind, text)) {
            if !found.iter().any(|(known, other)| known == kind && *other == text) {
                found.push((*kind, text));
            }
        }
    }
    found
}

/// An identity as everybody writes it; nothing where it is none, so that no two people are one because both are called `0`.
pub fn common(kind: IdentityKind, text: &str) -> Option<String> {
    match kind {
        // Who keeps it as a number has lost the zeros before it.
        IdentityKind::Cpf => {
            forms::cpf(text).or_else(|unfit| if text.len() > 8 { forms::cpf(&format!("{text:0>11}")) } else { Err(unfit) }).ok()
        }
        IdentityKind::Phone => forms::phone_e164(text, "BR").ok(),
        IdentityKind::Email => {
            let text = text.trim().to_lowercase();
            let (name, host) = text.rsplit_once('@')?;
            (!name.is_empty() && host.contains('.') && !text.chars().any(char::is_whitespace)).then_some(text)
        }
    }
}

impl PersonReading {
    /// The person as the store knows them, whose payload is `body`. Where the main one stands, `is_main` says.
    pub(super) fn person(&self, connection: &str, body: &[u8], index: &Indexer, is_main: bool) -> Person {
        let identities = self.identities.iter().map(|(kind, value)| Identity { kind: *kind, hash: index.identity(*kind, value) });
        let mut parts: Vec<Range<usize>> = self.of.iter().filter_map(|path| locate(body, path)).collect();
        parts.sort_unstable_by_key(|part| part.start);
        parts.dedup();
        Person { hash: index.subject(connection, &self.id), identities: identities.collect(), parts: (!is_main).then_some(parts) }
    }
}

/// Takes out of each person's parts what overlaps with another's, so that every byte is one person's.
pub(super) fn disjoint(people: &mut [Person]) {
    let mut taken: Vec<Range<usize>> = Vec::new();
    for parts in people.iter_mut().filter_map(|person| person.parts.as_mut()) {
        parts.retain(|part| {
            let free = taken.iter().all(|other| part.end <= other.start || other.end <= part.start);
            if free {
                taken.push(part.clone());
            }
            free
        });
    }
}

/// Where the value at a singular `path` stands in `body`.
fn locate(body: &[u8], path: &Path) -> Option<Range<usize>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut at: &RawValue = serde_json::from_str(text).ok()?;
    for step in path.prefix() {
        at = match step {
            Step::Name(name) => serde_json::from_str::<BTreeMap<String, &RawValue>>(at.get()).ok()?.remove(name)?,
            Step::Index(index) => {
                let list: Vec<&RawValue> = serde_json::from_str(at.get()).ok()?;
                let place = if *index < 0 {
                    list.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
                } else {
                    usize::try_from(*index).ok()?
                };
                list.get(place).copied()?
            }
        };
    }
    let start = (at.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    Some(start..start + at.get().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_where_it_stands() {
        let body = br#" {"a": [ {"b": 1}, {"b": "x\"y"} ], "c": null}"#;
        for (path, found) in [
            ("$.a[1]", r#"{"b": "x\"y"}"#),
            ("$.a[1].b", r#""x\"y""#),
            ("$.a[-2].b", "1"),
            ("$.c", "null"),
            ("$", r#"{"a": [ {"b": 1}, {"b": "x\"y"} ], "c": null}"#),
        ] {
            let range = locate(body, &Path::parse(path).unwrap()).unwrap();
            assert_eq!(std::str::from_utf8(&body[range]).unwrap(), found, "{path}");
        }
        assert!(["$.b", "$.a[2]", "$.a[-3]", "$.c.d"].iter().all(|path| locate(body, &Path::parse(path).unwrap()).is_none()));
    }

    #[test]
    fn an_identity_is_the_same_however_it_is_written() {
        use IdentityKind::{Cpf, Email, Phone};
        for (kind, one, other) in [
            (Cpf, "529.982.247-25", "52998224725"),
            (Cpf, "012.345.678-90", "1234567890"),
            (Phone, "(11) 98765-4321", "+55 11 98765 4321"),
            (Email, " Ana@Example.com ", "ana@example.com"),
        ] {
            assert!(common(kind, one).is_some() && common(kind, one) == common(kind, other), "{one}");
        }
        for (kind, nothing) in [(Cpf, "000.000.000-00"), (Cpf, "1"), (Phone, "0"), (Email, "ana"), (Email, "@example.com"), (Email, "a@b")]
        {
            assert_eq!(common(kind, nothing), None, "{nothing}");
        }
    }

    #[test]
    fn every_byte_is_one_persons() {
        let person = |parts: Vec<Range<usize>>| Person { parts: Some(parts), ..Person::new(zelo_core::KeyHash([0; 16])) };
        let mut people = [person(vec![0..10, 20..30]), person(vec![5..7, 30..40, 60..61]), person(vec![25..35, 50..51, 52..53])];
        disjoint(&mut people);
        assert_eq!(
            people.each_ref().map(|person| person.parts.as_deref().unwrap()),
            [&[0..10, 20..30][..], &[30..40, 60..61], &[50..51, 52..53]]
        );
    }
}

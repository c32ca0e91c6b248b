//! How delicate a field is: LGPD, article 5.

use serde::Serialize;
use serde_json::Value;

use super::{Changes, RecordMapping, Source};
use crate::diagnostic::{error, warning};
use crate::path::{Path, Step};
use crate::reader::{Item, Table};

/// How delicate a value is. The order is that of care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Says nothing about a person.
    #[default]
    Public,
    /// LGPD art. 5, I.
    Personal,
    /// LGPD art. 5, II; also whatever nobody classified.
    Sensitive,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::Public, Self::Personal, Self::Sensitive];

    /// The word in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Personal => "personal",
            Self::Sensitive => "sensitive",
        }
    }
}

/// The words for classes in files, the one that goes without saying first.
pub(crate) const CLASSES: [(&str, Class); 3] = [("sensitive", Class::Sensitive), ("personal", Class::Personal), ("public", Class::Public)];

/// Classes of paths: singular ones, each for all that lies below it.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    paths: Vec<(Path, Class)>,
}

impl Classes {
    /// These, and those of `other` about which these say nothing.
    pub(super) fn before(mut self, other: &Self) -> Self {
        let own = self.paths.len();
        for (path, class) in &other.paths {
            if !self.paths.iter().take(own).any(|(known, _)| known.prefix() == path.prefix()) {
                self.paths.push((path.clone(), *class));
            }
        }
        self
    }

    /// What is declared of all that `steps` lead to; nothing where nobody says: the longest declared path above decides,
    /// and whatever more delicate is declared below it.
    fn at(&self, steps: &[Step]) -> Option<Class> {
        let above = self.paths.iter().filter(|(declared, _)| steps.starts_with(declared.prefix()));
        let (_, own) = above.max_by_key(|(declared, _)| declared.prefix().len())?;
        Some(self.below(0, steps).fold(*own, Class::max))
    }

    /// The classes of what may lie below `steps`, declared by a path of at least `length` steps.
    fn below(&self, length: usize, steps: &[Step]) -> impl Iterator<Item = Class> {
        let may_be = move |declared: &[Step]| declared.len() >= length && meet(declared, steps) && !steps.starts_with(declared);
        self.paths.iter().filter(move |(declared, _)| may_be(declared.prefix())).map(|(_, class)| *class)
    }

    /// The same where some of it may be a copy, which has the class of what it is a copy of. What is declared among the copies
    /// themselves counts where it is more delicate.
    fn at_or_in_copies(&self, changes: Option<&Changes>, steps: &[Step]) -> Option<Class> {
        let Some(changes) = changes else { return self.at(steps) };
        let mut found = Some(Class::Public);
        let mut is_copy = false;
        for copy in [changes.old.prefix(), changes.new.prefix()].into_iter().filter(|copy| meet(copy, steps)) {
            // Above the copies lies all of them.
            let rest = steps.get(copy.len()..).unwrap_or_default();
            let original: Vec<Step> = changes.of.prefix().iter().chain(rest).cloned().collect();
            let own = self.paths.iter().map(|(declared, class)| (declared.prefix(), *class));
            let own = own.filter(|(declared, _)| declared.len() >= copy.len() && meet(declared, steps)).map(|(_, class)| class);
            found = both(found, self.at(&original).map(|class| own.fold(class, Class::max)));
            is_copy |= steps.len() >= copy.len();
        }
        if is_copy { found } else { both(found, self.at(steps)) }
    }
}

/// The more delicate of both; what nobody declared is more delicate than anything.
fn both(one: Option<Class>, other: Option<Class>) -> Option<Class> {
    one.zip(other).map(|(one, other)| one.max(other))
}

/// Whether one may lie above the other.
fn meet(one: &[Step], other: &[Step]) -> bool {
    one.iter().zip(other).all(|(one, other)| match (one, other) {
        // One counts from the beginning and the other from the end.
        (Step::Index(one), Step::Index(other)) if (*one < 0) != (*other < 0) => true,
        _ => one == other,
    })
}

impl Source {
    /// What is declared of all that a path yields in payloads of events of type `kind`; nothing where nobody classified it.
    pub fn declared_class(&self, kind: &str, path: &Path) -> Option<Class> {
        self.declared_at(kind, path.prefix())
    }

    /// The class of what a path yields in payloads of events of type `kind`.
    pub fn class(&self, kind: &str, path: &Path) -> Class {
        self.declared_class(kind, path).unwrap_or(Class::Sensitive)
    }

    /// What is declared of what a path yields in records of type `kind`: of the payload fields that feed it, in all events that
    /// do. Nothing where nobody classified it, or it feeds no such records.
    pub fn declared_record_class(&self, kind: &str, path: &Path) -> Option<Class> {
        let records = self.records.iter().filter(|record| record.kind == kind);
        records.map(|record| self.declared_in_record(record, path)).reduce(both)?
    }

    /// The class of what a path yields in records of type `kind`.
    pub fn record_class(&self, kind: &str, path: &Path) -> Class {
        self.declared_record_class(kind, path).unwrap_or(Class::Sensitive)
    }

    /// The class of the most delicate that may stand in events of type `kind`.
    pub fn event_class(&self, kind: &str) -> Class {
        self.events.iter().filter(|event| event.kind == kind).map(|event| event.class).max().unwrap_or(Class::Sensitive)
    }

    /// The class of the most delicate that is kept in records of type `kind`.
    pub fn whole_record_class(&self, kind: &str) -> Class {
        let records = self.records.iter().filter(|record| record.kind == kind);
        let kept = records.flat_map(|record| record.keep.values().flat_map(|kept| record.on.iter().map(move |on| (on, kept))));
        kept.map(|(on, kept)| self.declared_at(on, kept.prefix())).reduce(both).flatten().unwrap_or(Class::Sensitive)
    }

    /// The class of the most delicate that stands in `value`, as in payloads of events of type `kind`.
    pub(crate) fn class_within(&self, kind: &str, value: &Value) -> Class {
        self.class_below(kind, value, &mut Vec::new())
    }

    fn class_below(&self, kind: &str, value: &Value, steps: &mut Vec<Step>) -> Class {
        let mut most = |step: Step, value: &Value| {
            steps.push(step);
            let class = self.class_below(kind, value, steps);
            steps.pop();
            class
        };
        let below = match value {
            Value::Object(members) => members.iter().map(|(name, value)| most(Step::Name(name.as_str().into()), value)).max(),
            Value::Array(items) => (0..).zip(items).map(|(place, item)| most(Step::Index(place), item)).max(),
            _ => return self.declared_at(kind, steps).unwrap_or(Class::Sensitive),
        };
        below.unwrap_or(Class::Public)
    }

    fn declared_at(&self, kind: &str, steps: &[Step]) -> Option<Class> {
        let events = self.events.iter().filter(|event| event.kind == kind);
        events.map(|event| event.classes.at_or_in_copies(event.changes.as_ref(), steps)).reduce(both)?
    }

    fn declared_in_record(&self, record: &RecordMapping, path: &Path) -> Option<Class> {
        let (name, below) = match path.prefix().split_first() {
            Some((Step::Name(name), below)) => (Some(name), below),
            // A lookup of several records is a list: what stands in it decides.
            _ => (None, &[] as &[Step]),
        };
        let fields = record.keep.iter().filter(|(field, _)| name.is_none_or(|name| name == *field));
        let classes = fields.flat_map(|(_, kept)| {
            // Of a list of nodes, each is as delicate as all of them.
            let below = if kept.is_singular() { below } else { &[] };
            let steps: Vec<Step> = kept.prefix().iter().chain(below).cloned().collect();
            record.on.iter().map(move |kind| self.declared_at(kind, &steps)).collect::<Vec<_>>()
        });
        classes.reduce(both)?
    }
}

/// Reads lists of paths by class.
pub(super) fn read(table: &Table<'_>) -> Classes {
    let mut paths: Vec<(Path, Class)> = Vec::new();
    for class in Class::ALL {
        let items = table.get(class.as_str()).and_then(Item::array).unwrap_or_default();
        for item in items {
            let Some(path) = item.path() else { continue };
            if !path.is_singular() {
                let finding = error("not-singular", item.span(), "a class is given to a path of names and indexes");
                table.report().push(finding.help("it holds for all that lies below the path"));
            } else if paths.iter().any(|(other, _)| other.prefix() == path.prefix()) {
                table.report().push(warning("classified-twice", item.span(), format!("`{}` has a class already", path.as_str())));
            } else {
                paths.push((path, class));
            }
        }
    }
    Classes { paths }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn classes(declared: &[(&str, Class)]) -> Classes {
        Classes { paths: declared.iter().map(|(text, class)| (path(text), *class)).collect() }
    }

    #[test]
    fn the_longest_declared_path_decides() {
        let classes = classes(&[
            ("$.data.clinic", Class::Public),
            ("$.data.clinic.owner", Class::Personal),
            ("$.data.phones", Class::Personal),
            ("$.data.list", Class::Public),
            ("$.data.list[0]", Class::Sensitive),
        ]);
        for (text, class) in [
            ("$.data.clinic.name", Some(Class::Public)),
            ("$.data.clinic.owner.name", Some(Class::Personal)),
            ("$.data.clinic", Some(Class::Personal)),
            ("$.data.clinic[*]", Some(Class::Personal)),
            ("$.data.clinic['owner','name']", Some(Class::Personal)),
            ("$.data.phones[*].phone", Some(Class::Personal)),
            ("$.data.list[1]", Some(Class::Public)),
            // It may be the first.
            ("$.data.list[-1].x", Some(Class::Sensitive)),
            ("$.data.religion", None),
            ("$.data", None),
            ("$..name", None),
        ] {
            assert_eq!(classes.at(path(text).prefix()), class, "{text}");
        }
    }

    #[test]
    fn an_events_own_classes_go_before_those_of_the_source() {
        let own = classes(&[("$.data.name", Class::Public), ("$.data", Class::Public)]);
        let joined = own.before(&classes(&[("$.data.name", Class::Personal), ("$.data.patient", Class::Sensitive)]));
        assert_eq!(joined.at(path("$.data.name").prefix()), Some(Class::Public));
        assert_eq!(joined.at(path("$.data.patient.name").prefix()), Some(Class::Sensitive), "what the source says of more than that stays");
        assert_eq!(joined.at(path("$.data").prefix()), Some(Class::Sensitive));
    }

    #[test]
    fn a_copy_has_the_class_of_what_it_is_a_copy_of() {
        let changes = Changes { of: path("$.data"), old: path("$.edit.old"), new: path("$.edit.new") };
        let classes = classes(&[
            ("$.data.name", Class::Personal),
            ("$.data.clinic", Class::Public),
            ("$.data.religion", Class::Sensitive),
            ("$.edit", Class::Public),
            ("$.edit.new.clinic.owner", Class::Personal),
        ]);
        let all = self::classes(&[("$.data", Class::Public), ("$.data.name", Class::Personal), ("$.edit", Class::Public)]);
        for (text, class) in [
            ("$.edit.new.name", Some(Class::Personal)),
            ("$.edit.old.name.first", Some(Class::Personal)),
            ("$.edit.new.religion", Some(Class::Sensitive)),
            ("$.edit.old.clinic", Some(Class::Public)),
            ("$.edit.old.clinic.owner", Some(Class::Public)),
            ("$.edit.new.clinic.owner", Some(Class::Personal)),
            ("$.edit.new.clinic", Some(Class::Personal)),
            ("$.edit.new.unknown", None),
            // All of it, which nobody classified as a whole.
            ("$.edit.new", None),
            ("$.edit", None),
            ("$.edit[*].name", None),
            ("$.edit.by", Some(Class::Public)),
        ] {
            assert_eq!(classes.at_or_in_copies(Some(&changes), path(text).prefix()), class, "{text}");
        }
        for text in ["$.edit", "$.edit.new", "$.edit['old','new']"] {
            assert_eq!(all.at_or_in_copies(Some(&changes), path(text).prefix()), Some(Class::Personal), "{text}: the most delicate");
        }
    }
}

//! How delicate a field is: LGPD, article 5.

use serde::Serialize;

use super::Source;
use crate::path::{Path, Step};

/// How delicate a value is. The order is that of care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Says nothing about a person.
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

/// The `[classes]` of a source: singular paths, each for all that lies below it.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    pub(super) paths: Vec<(Path, Class)>,
}

impl Classes {
    /// The class of what `path` yields: the longest declared path above it decides, and whatever more delicate is
    /// declared below it.
    pub fn of(&self, path: &Path) -> Class {
        let above = self.paths.iter().filter(|(declared, _)| declared.covers(path));
        let own = above.max_by_key(|(declared, _)| declared.prefix().len()).map_or(Class::Sensitive, |(_, class)| *class);
        let below = self.paths.iter().filter(|(declared, _)| declared.prefix().starts_with(path.prefix()));
        below.map(|(_, class)| *class).fold(own, Class::max)
    }
}

/// The class of what `path` yields in records of type `kind`: that of the payload field that feeds it.
pub(super) fn of_record(source: &Source, kind: &str, path: &Path) -> Class {
    let fields = source.records.iter().filter(|record| record.kind == kind).flat_map(|record| &record.keep);
    let name = match path.prefix().first() {
        Some(Step::Name(name)) => Some(name),
        // A lookup of several records is a list: what stands in it decides.
        _ => None,
    };
    let fed: Vec<Class> = fields.filter(|(field, _)| name.is_none_or(|name| name == *field)).map(|(_, path)| source.class(path)).collect();
    fed.into_iter().max().unwrap_or(Class::Sensitive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_declared_path_decides() {
        let path = |text: &str| Path::parse(text).unwrap();
        let classes = Classes {
            paths: vec![
                (path("$.data.clinic"), Class::Public),
                (path("$.data.clinic.owner"), Class::Personal),
                (path("$.data.phones"), Class::Personal),
            ],
        };
        for (text, class) in [
            ("$.data.clinic.name", Class::Public),
            ("$.data.clinic.owner.name", Class::Personal),
            ("$.data.clinic", Class::Personal),
            ("$.data.clinic[*]", Class::Personal),
            ("$.data.phones[*].phone", Class::Personal),
            ("$.data.religion", Class::Sensitive),
            ("$.data", Class::Sensitive),
            ("$..name", Class::Sensitive),
        ] {
            assert_eq!(classes.of(&path(text)), class, "{text}");
        }
    }
}

//! Of which clinics somebody is told: of all, or of some and of nothing else.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A clinic as a connection names it: another connection may have another clinic of the same id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClinicRef {
    pub connection: String,
    pub clinic: String,
}

/// `centro/12`
impl fmt::Display for ClinicRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.connection, self.clinic)
    }
}

impl FromStr for ClinicRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((connection, clinic)) if !connection.is_empty() && !clinic.is_empty() => {
                Ok(Self { connection: connection.to_owned(), clinic: clinic.to_owned() })
            }
            _ => Err(format!("`{text}` is no clinic: it is the name of a connection, a slash, and the clinic's id there")),
        }
    }
}

/// Of which clinics somebody is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Clinics {
    /// Of all, and of what is of none.
    #[default]
    All,
    /// Of these; not of what is of none.
    Only(BTreeSet<ClinicRef>),
}

impl Clinics {
    /// All, where none is named.
    pub fn of(named: impl IntoIterator<Item = ClinicRef>) -> Self {
        let named: BTreeSet<ClinicRef> = named.into_iter().collect();
        if named.is_empty() { Self::All } else { Self::Only(named) }
    }

    /// Whether what is of this connection and clinic is told.
    pub fn include(&self, connection: &str, clinic: Option<&str>) -> bool {
        match (self, clinic) {
            (Self::All, _) => true,
            (Self::Only(_), None) => false,
            (Self::Only(named), Some(clinic)) => named.iter().any(|one| one.connection == connection && one.clinic == clinic),
        }
    }

    /// Those that are named; nothing where it is all.
    pub fn named(&self) -> Option<&BTreeSet<ClinicRef>> {
        match self {
            Self::All => None,
            Self::Only(named) => Some(named),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clinic_reads_as_it_was_written() {
        for text in ["centro/12", "centro/12/b"] {
            assert_eq!(text.parse::<ClinicRef>().map(|clinic| clinic.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "centro", "centro/", "/12"] {
            assert!(text.parse::<ClinicRef>().is_err(), "{text}");
        }
    }

    #[test]
    fn who_is_told_of_some_is_told_of_nothing_else() {
        let some = Clinics::of(["centro/12".parse().unwrap()]);
        assert!(some.include("centro", Some("12")));
        for (connection, clinic) in [("centro", Some("1")), ("norte", Some("12")), ("centro", None), ("centro/12", Some(""))] {
            assert!(!some.include(connection, clinic), "{connection} {clinic:?}");
            assert!(Clinics::of([]).include(connection, clinic), "{connection} {clinic:?}");
        }
    }
}

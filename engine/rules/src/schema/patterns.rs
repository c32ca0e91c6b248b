//! Regular expressions of texts that a reader understands.
//!
//! They say the same as the functions of the readers, which the tests below hold them against: none refuses what is read. What only
//! an open mind can tell (whether a zone exists, whether all of a path is one) they leave to `zelo check`.

/// A JSONPath begins so.
pub(super) const PATH: &str = r"^\$";
/// `check_name`: ids, actions, lookups, settings.
pub(super) const NAME: &str = "^[a-z][a-z0-9_-]*$";
/// A field of `[then.allow]`: a name that templates can say.
pub(super) const FIELD: &str = "^[a-z][a-z0-9_]*$";
/// The type of an event of a source.
pub(super) const GIVEN_TYPE: &str = r"^[a-z0-9_]+(\.[a-z0-9_]+)+$";
/// The type of an event of an action.
pub(super) const EMITTED_TYPE: &str = r"^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+$";
/// Either, or with `.*` at its end all that begin so.
pub(super) const TYPES: &str = r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*(\.\*|\.[a-z0-9_-]+)$";
pub(super) const DURATION: &str = r"^\s*([0-9]+[smhd])+\s*$";
pub(super) const TIME_OF_DAY: &str = r"^\s*(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)\s*$";
/// An instant, also one that TOML has as a date and time.
pub(super) const INSTANT: &str = r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}";
/// A time in a condition: an instant, a day, or counted from the event.
pub(super) const MOMENT: &str = r"^(now|[+-]\s*([0-9]+[smhd])+\s*|\s*[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].*)?)$";
/// A size in bytes.
pub(super) const SIZE: &str = r"^\s*[0-9]+\s*(KiB|MiB)?$";
/// A request: a method and a URL.
pub(super) const REQUEST: &str = r"^\s*(GET|HEAD|POST|PUT|PATCH|DELETE)\s+https?:";
/// The name of a header.
pub(super) const HEADER: &str = "^[A-Za-z0-9-]+$";
/// What is signed: a text with something of the delivery in it, and parts in `[ ]` that may be missing, each with such a value.
pub(super) const SIGNED: &str = concat!(
    r"^[^{\[\]]*",
    r"(\{(body|url|t|form|(header|query):[^}|\[\]]+)(\|lower)?\}|\[([^{\[\]]*\{(body|url|t|form|(header|query):[^}|\[\]]+)(\|lower)?\})+[^{\[\]]*\])",
    r"([^{\[\]]|\{(body|url|t|form|(header|query):[^}|\[\]]+)(\|lower)?\}|\[([^{\[\]]*\{(body|url|t|form|(header|query):[^}|\[\]]+)(\|lower)?\})+[^{\[\]]*\])*$",
);
/// The same where the body is signed whatever comes.
pub(super) const PROVEN: &str = r"^([^\[\]]|\[[^\]]*\])*\{(body|form)\}";
/// A text over what stands around a body.
pub(super) const AROUND: &str = r"^([^{]|\{(header|query):[^}]+\})*\{(header|query):[^}]+\}([^{]|\{(header|query):[^}]+\})*$";
/// A path of elements.
pub(super) const SPLIT: &str = r"^\$(.|\s)*\*\s*\]?$";
/// The name of an element.
pub(super) const ELEMENT: &str = r"^([A-Za-z_:]|[^\x00-\x7F])([A-Za-z0-9._:-]|[^\x00-\x7F])*$";
/// A text that a template makes.
pub(super) const TEMPLATE: &str = r"\{[{%#]";

/// A text that fits, or that a template makes.
pub(super) fn or_template(pattern: &str) -> String {
    format!("{pattern}|{TEMPLATE}")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::condition::date::is_moment;
    use crate::path::Path;
    use crate::rule::grants::is_type as is_emitted_type;
    use crate::source::file::is_name;
    use crate::source::receive::size_of;
    use crate::source::verify::Signed;
    use crate::source::{Around, is_type};
    use crate::time;

    thread_local! {
        static COMPILED: RefCell<BTreeMap<&'static str, Regex>> = RefCell::default();
    }

    fn fits(pattern: &'static str, text: &str) -> bool {
        let compiled = || Regex::new(pattern).unwrap();
        COMPILED.with_borrow_mut(|known| known.entry(pattern).or_insert_with(compiled).is_match(text))
    }

    proptest! {
        #[test]
        fn names_and_types_are_those_of_the_readers(text in "[a-zA1_.-]{0,5}") {
            prop_assert_eq!(fits(NAME, &text), is_name(&text));
            prop_assert_eq!(fits(FIELD, &text), is_name(&text) && !text.contains('-'));
            prop_assert_eq!(fits(GIVEN_TYPE, &text), is_type(&text));
            prop_assert_eq!(fits(EMITTED_TYPE, &text), is_emitted_type(&text));
            if is_type(&text) || is_emitted_type(&text) {
                let beginning = text.split_once('.').map_or("", |(beginning, _)| beginning);
                prop_assert!(fits(TYPES, &text) && fits(TYPES, &format!("{beginning}.*")), "{}", text);
            }
        }

        #[test]
        fn durations_are_those_of_the_readers(text in "[ 17smhdw]{0,4}") {
            prop_assert_eq!(fits(DURATION, &text), time::duration(&text).is_some());
        }

        #[test]
        fn times_of_day_are_those_of_the_readers(text in " ?[0-2+]?[0-9]:[0-6][0-9] ?") {
            prop_assert_eq!(fits(TIME_OF_DAY, &text), time::time_of_day(&text).is_some());
        }

        #[test]
        fn what_is_read_fits(
            size in " ?[0-9+]{1,3} ?(KiB|MiB|KB)?",
            path in r" ?\$?(\.[a-z]|\[[0-9]\]){0,3}",
            instant in " ?2026-0[1-9]-1[0-9][Tt ]?[01][0-9](:[0-5][0-9](:[0-5][0-9])?)?(Z|-03:00)?",
            moment in "(now|[+-] ?[1-9][hdw]|2026-0[1-9]-1[0-9])[Tt ]?([01][0-9]:00)?Z?",
            element in "[a-z1_.:é\u{b7} -]{1,3}",
        ) {
            prop_assert!(!is_moment(&moment) || fits(MOMENT, &moment), "{}", moment);
            prop_assert!(!crate::xml::is_name(&element) || fits(ELEMENT, &element), "{}", element);
            prop_assert!(size_of(&size).is_none() || fits(SIZE, &size), "{}", size);
            prop_assert!(Path::parse(&path).is_err() || fits(PATH, &path), "{}", path);
            prop_assert!(instant.parse::<jiff::Timestamp>().is_err() || fits(INSTANT, &instant), "{}", instant);
        }

        #[test]
        fn what_stands_around_a_body_is_that_of_the_readers(text in r"\{?(header:|query)\}?\.?\{(header:x|query:\{|body)\}?\$?") {
            prop_assert_eq!(fits(AROUND, &text), Around::parse(&text).is_ok());
        }

        #[test]
        fn what_can_be_signed_is_that_of_the_readers(
            text in r"[\[\].]?\{?(body|url|t|form|header:)\}?\]?\.?\[?\{?(body|query:x|header:x\|lower|x|t\|upper|url\|lower)\}\]?",
        ) {
            prop_assert_eq!(fits(SIGNED, &text), Signed::parse(&text).is_ok(), "{}", text);
        }
    }
}

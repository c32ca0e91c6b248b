//! Forms as they come from outside: `application/x-www-form-urlencoded` (WHATWG URL §5.1), strict, and as JSON; and the parameters of a URL,
//! which are written the same way.
//!
//! A form is an object of texts: a name that comes several times has a list of them, in order. Names are names: brackets and dots in them mean
//! nothing, so nothing is ever nested.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::encoding::unmarked;

/// A form has no more parameters.
const PARAMETERS_MAX: usize = 1_000;

/// Reads one form.
///
/// # Errors
/// What is wrong and where, without any part of it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(unmarked(bytes)?).map_err(|error| format!("byte {} is not UTF-8", error.valid_up_to()))?;
    let mut members = Map::new();
    for (place, (name, value)) in pairs(text).enumerate() {
        if place == PARAMETERS_MAX {
            return Err(format!("more than {PARAMETERS_MAX} parameters"));
        }
        let bad = || format!("parameter {} is not percent-encoded UTF-8", place + 1);
        let value = Value::String(decoded(value).ok_or_else(bad)?);
        match members.entry(decoded(name).ok_or_else(bad)?) {
            serde_json::map::Entry::Vacant(place) => _ = place.insert(value),
            serde_json::map::Entry::Occupied(mut before) => match before.get_mut() {
                Value::Array(list) => list.push(value),
                first => *first = Value::Array(vec![first.take(), value]),
            },
        }
    }
    Ok(Value::Object(members))
}

/// The parameter `name` of `url`. One that comes several times is none: whoever signed it may have meant another than we would take.
pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let mut found = pairs(query).filter(|(given, _)| decoded(given).is_some_and(|given| given == name));
    let (_, value) = found.next().filter(|_| found.next().is_none())?;
    decoded(value)
}

/// Parameters as a URL has them behind its `?`.
pub(super) fn written<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let encoded = |text| utf8_percent_encode(text, PLAIN).to_string();
    parameters.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect::<Vec<_>>().join("&")
}

/// What need not be encoded: the unreserved characters of RFC 3986, 2.3.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The names and values, as they are written.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// A name or a value as it was meant.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut signs = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    if !signs.all(|(at, _)| is_hex(at + 1) && is_hex(at + 2)) {
        return None;
    }
    percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_an_object_of_texts() {
        for (form, value) in [
            ("", json!({})),
            ("a=1&b=x+y", json!({"a": "1", "b": "x y"})),
            ("a=1&a=2&b&a=", json!({"a": ["1", "2", ""], "b": ""})),
            ("a%5Bb%5D=1&c.d=2&&=3", json!({"a[b]": "1", "c.d": "2", "": "3"})),
            ("n=%C3%A9%20%2B&m=a=b", json!({"n": "é +", "m": "a=b"})),
            ("\u{feff}a=1", json!({"a": "1"})),
        ] {
            assert_eq!(parse(form.as_bytes()).as_ref(), Ok(&value), "{form}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for form in [&b"a=%"[..], b"a=%4", b"a=%zz", b"%ff=1", b"a=%ed%a0%80", b"a=\xff", b"a\0=\0"] {
            let why = parse(form).unwrap_err();
            assert!(why.contains("UTF-"), "{why}");
        }
        let many = "a=1&".repeat(PARAMETERS_MAX);
        assert_eq!(parse(many.as_bytes()).unwrap()["a"].as_array().unwrap().len(), PARAMETERS_MAX);
        assert_eq!(parse((many + "a").as_bytes()).unwrap_err(), "more than 1000 parameters");
    }

    #[test]
    fn a_parameter_of_a_url_is_one_or_none() {
        let url = "https://x.example/hooks/a?type=payment&data.id=12%2F3&empty=&twice=1&twice=1#data=4";
        let found = ["data.id", "type", "empty", "twice", "data", "id"].map(|name| parameter(url, name));
        assert_eq!(found.each_ref().map(Option::as_deref), [Some("12/3"), Some("payment"), Some(""), None, None, None]);
        assert_eq!(parameter("https://x.example/hooks/a", "a"), None);
        assert_eq!(parameter("?a=1&%61=2", "a"), None, "the same name, written in two ways");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_form_or_an_error(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'%'), Just(b'&'), Just(b'='), Just(b'a')], 0..80)) {
            let _ = parse(&bytes);
            let _ = parameter(&String::from_utf8_lossy(&bytes), "a");
        }

        #[test]
        fn what_was_encoded_is_read_back(pairs in prop::collection::vec((any::<String>(), any::<String>()), 0..6)) {
            let form = written(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            let read = parse(form.as_bytes()).unwrap();
            for (name, _) in &pairs {
                let of_name: Vec<&str> = pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
                let expected = if let [one] = of_name[..] { json!(one) } else { json!(of_name) };
                prop_assert_eq!(&read[name], &expected);
            }
        }
    }
}

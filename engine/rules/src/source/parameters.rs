//! `application/x-www-form-urlencoded`: the parameters of a form, and those of a URL.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// The names and values in `text`, decoded, in their order. What is no escape stands for itself.
pub(super) fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    parts(text).map(|part| match part.iter().position(|byte| *byte == b'=') {
        Some(at) => (decoded(&part[..at]), decoded(&part[at + 1..])),
        None => (decoded(part), Cow::Borrowed(&[] as &[u8])),
    })
}

/// Whether `text` is a form beyond doubt: every part has a name, a `=` and whole escapes. Nothing at all is none: it would be signed by
/// whatever signs an address alone.
pub(super) fn is_form(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'&').all(|part| part.iter().position(|byte| *byte == b'=') > Some(0) && has_whole_escapes(part))
}

fn parts(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'&').filter(|part| !part.is_empty())
}

fn has_whole_escapes(part: &[u8]) -> bool {
    let digit = |at: usize| part.get(at).is_some_and(u8::is_ascii_hexdigit);
    part.iter().enumerate().all(|(at, byte)| *byte != b'%' || (digit(at + 1) && digit(at + 2)))
}

fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'+') {
        return percent_decode(text).into();
    }
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded() {
        let read = |text: &str| {
            pairs(text.as_bytes())
                .map(|(name, value)| format!("{}:{}", String::from_utf8_lossy(&name), String::from_utf8_lossy(&value)))
                .collect::<Vec<_>>()
        };
        assert_eq!(read("a=1&b%20c=%C3%A9+x&&d&e==f"), ["a:1", "b c:é x", "d:", "e:=f"]);
        assert_eq!(read("a=%2B%zz"), ["a:+%zz"]);
        assert!(read("").is_empty());
    }

    #[test]
    fn a_form_beyond_doubt() {
        for text in ["a=", "a=1&b=2", "a=%41+b", "a==b"] {
            assert!(is_form(text.as_bytes()), "{text}");
        }
        for text in ["", "a", "=1", "a=1&", "&a=1", "a=1&&b=2", "a=%4", "a=%zz", "{\"a\": 1}"] {
            assert!(!is_form(text.as_bytes()), "{text}");
        }
    }
}

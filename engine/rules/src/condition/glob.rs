//! Patterns of whole texts: `*` for any characters, `?` for one, `\` before a character that stands for itself.

use regex::{Regex, RegexBuilder};

/// No regular expression takes more memory, in bytes.
const REGEX_SIZE_MAX: usize = 1 << 20;
/// No pattern is longer, in bytes.
const LENGTH_MAX: usize = 4_000;

/// Compiles a regular expression.
///
/// # Errors
/// Why it is none, in one line that does not repeat the pattern.
pub(super) fn regex(text: &str) -> Result<Regex, String> {
    if text.len() > LENGTH_MAX {
        return Err(format!("a pattern has at most {LENGTH_MAX} bytes"));
    }
    RegexBuilder::new(text).size_limit(REGEX_SIZE_MAX).nest_limit(64).build().map_err(|bad| match bad {
        regex::Error::CompiledTooBig(limit) => format!("it takes more than {limit} bytes of memory"),
        bad => bad.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    })
}

/// Compiles a glob.
///
/// # Errors
/// Why it is none.
pub(super) fn glob(text: &str) -> Result<Regex, String> {
    let mut pattern = String::from("(?s)^");
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            '\\' => match chars.next() {
                Some(char) => pattern.push_str(&regex::escape(char.encode_utf8(&mut [0; 4]))),
                None => return Err("it ends with a `\\` that stands for nothing".to_owned()),
            },
            char => pattern.push_str(&regex::escape(char.encode_utf8(&mut [0; 4]))),
        }
    }
    pattern.push('$');
    regex(&pattern)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("a*", "ba", false),
            ("a?c", "aéc", true),
            ("a?c", "ac", false),
            ("*.pdf", "x.y.pdf", true),
            ("*.pdf", "xpdf", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a*b", "a\nb", true),
            ("(x", "(x", true),
        ] {
            assert_eq!(glob(pattern).unwrap().is_match(text), fits, "{pattern} {text}");
        }
        assert!(glob("a\\").is_err());
    }

    #[test]
    fn what_is_too_large_is_an_error() {
        assert!(regex("(a{1000}){1000}").unwrap_err().contains("memory"));
        assert!(regex(&"a".repeat(10 << 20)).unwrap_err().contains("4000 bytes"));
        assert!(regex(&"(".repeat(2_000)).is_err());
        assert!(regex("(").unwrap_err().contains("unclosed group"));
    }

    /// The same by the book: try every way to share the text out.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            Some(('?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
            Some((char, rest)) => text.first() == Some(char) && naive(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_glob_is_what_trying_gives(pattern in "[ab*?]{0,6}", text in "[abé\n]{0,6}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(glob(&pattern).unwrap().is_match(&text), naive(&chars(&pattern), &chars(&text)));
        }
    }
}

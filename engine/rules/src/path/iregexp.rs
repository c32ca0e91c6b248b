//! Regular expressions of `match` and `search`: I-Regexp (RFC 9485), and nothing that it does not have.
//!
//! They are turned into those of the crate `regex`, which take time in proportion to the text. `^` and `$` hold the ends of
//! the text, as they do where I-Regexps are handed to other engines (RFC 9485 §5) and in the compliance suite of JSONPath.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

use super::query::Extent;

/// No pattern of a rule takes more memory, in bytes.
const SIZE_MAX: usize = 1 << 20;
/// No pattern of a document is longer, in bytes.
pub(super) const FOUND_LENGTH_MAX: usize = 200;
/// None takes more memory, in bytes.
const FOUND_SIZE_MAX: usize = 256 << 10;
/// Groups are not nested deeper.
const NESTING_MAX: u32 = 64;
/// For each byte of a text an automaton may have to follow every atom of its pattern, as often as that is repeated. A step of an
/// evaluation follows so many: fewer where nobody vouches for the pattern.
const ATOMS_A_STEP: usize = 64;
const FOUND_ATOMS_A_STEP: usize = 8;

/// The general categories of Unicode that may be named.
const CATEGORIES: [&str; 36] = [
    "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S",
    "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs", "C", "Cc", "Cf", "Cn", "Co",
];

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct IRegexp {
    regex: Regex,
    steps_a_byte: usize,
}

/// A pattern in the words of the crate `regex`.
struct Translated {
    regex: String,
    /// How many atoms it has, each as often as it is repeated.
    atoms: usize,
}

impl IRegexp {
    /// Compiles a pattern of a rule.
    ///
    /// # Errors
    /// Why it is none, and what to write instead where that is known.
    pub(super) fn new(pattern: &str, extent: Extent) -> Result<Self, String> {
        let Translated { regex, atoms } = translate(pattern, extent)?;
        let regex = RegexBuilder::new(&regex).size_limit(SIZE_MAX).nest_limit(NESTING_MAX).build().map_err(|bad| match bad {
            regex::Error::CompiledTooBig(limit) => format!("it takes more than {limit} bytes of memory"),
            _ => "a range is the wrong way round, a number is too large, or groups are nested too deep".to_owned(),
        })?;
        Ok(Self { regex, steps_a_byte: 1 + atoms / ATOMS_A_STEP })
    }

    /// Compiles a pattern of a document, which nobody vouches for.
    pub(super) fn found(pattern: &str, extent: Extent) -> Option<Self> {
        let Translated { regex, atoms } = translate(pattern, extent).ok()?;
        let mut builder = RegexBuilder::new(&regex);
        builder.size_limit(FOUND_SIZE_MAX).dfa_size_limit(FOUND_SIZE_MAX).nest_limit(NESTING_MAX);
        Some(Self { regex: builder.build().ok()?, steps_a_byte: 1 + atoms / FOUND_ATOMS_A_STEP })
    }

    /// How many steps of an evaluation it takes to look at a text.
    pub(super) fn steps(&self, text: &str) -> usize {
        text.len().saturating_mul(self.steps_a_byte)
    }

    pub(super) fn fits(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn translate(pattern: &str, extent: Extent) -> Result<Translated, String> {
    let mut chars = pattern.chars().peekable();
    let mut regex = String::with_capacity(pattern.len() + 8);
    // Of the groups that are open, the atoms before each; those since; of them, those of the piece that may be repeated.
    let mut groups: Vec<usize> = Vec::new();
    let (mut atoms, mut piece) = (0_usize, None::<usize>);
    while let Some(char) = chars.next() {
        let repeated = piece.take();
        match (char, repeated) {
            ('*' | '+' | '?' | '{', None) => return Err(format!("there is nothing that `{char}` could repeat")),
            ('*' | '+' | '?', Some(_)) | ('|' | '^' | '$', _) => regex.push(char),
            ('{', Some(repeated)) => {
                let times = quantity(&mut chars, &mut regex)?;
                atoms = atoms.saturating_add(repeated.saturating_mul(times.saturating_sub(1)));
            }
            ('(', _) => {
                groups.push(std::mem::take(&mut atoms));
                regex.push_str("(?:");
            }
            (')', _) => {
                let before = groups.pop().ok_or("a `)` has no `(`")?;
                piece = Some(atoms);
                atoms = atoms.saturating_add(before);
                regex.push(')');
            }
            (']' | '}', _) => return Err(format!("`{char}` itself is written `\\{char}`")),
            (char, _) => {
                atom(char, &mut chars, &mut regex)?;
                piece = Some(1);
                atoms = atoms.saturating_add(1);
            }
        }
    }
    match extent {
        _ if !groups.is_empty() => Err("a `(` has no `)`".to_owned()),
        Extent::Whole => Ok(Translated { regex: format!("^(?:{regex})$"), atoms }),
        Extent::Part => Ok(Translated { regex, atoms }),
    }
}

/// `NormalChar` or `charClass`, of which `first` has been read.
fn atom(first: char, chars: &mut Peekable<Chars<'_>>, regex: &mut String) -> Result<(), String> {
    match first {
        '.' => regex.push_str("[^\\n\\r]"),
        '[' => class(chars, regex)?,
        '\\' if category(chars, regex)? => {}
        '\\' => literal(regex, escaped(chars)?),
        char => literal(regex, char),
    }
    Ok(())
}

fn literal(regex: &mut String, char: char) {
    regex.push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
}

/// `range-quantifier`, after its `{`: how often it repeats, at least where there is no most.
fn quantity(chars: &mut Peekable<Chars<'_>>, regex: &mut String) -> Result<usize, String> {
    let refused = || "numbers of repetitions are {2}, {2,} or {2,5}".to_owned();
    let mut written = String::new();
    loop {
        match chars.next() {
            Some('}') => break,
            Some(char @ ('0'..='9' | ',')) => written.push(char),
            _ => return Err(refused()),
        }
    }
    let (least, most) = written.split_once(',').unwrap_or((&written, &written));
    if least.is_empty() || most.contains(',') {
        return Err(refused());
    }
    let least: usize = least.parse().map_err(|_| refused())?;
    let most = if most.is_empty() { least } else { most.parse().map_err(|_| refused())? };
    if least > most {
        return Err(refused());
    }
    regex.push_str(&format!("{{{written}}}"));
    Ok(most)
}

/// `charClassExpr`, after its `[`.
fn class(chars: &mut Peekable<Chars<'_>>, regex: &mut String) -> Result<(), String> {
    const UNCLOSED: &str = "a `[` has no `]`";
    regex.push('[');
    if chars.next_if_eq(&'^').is_some() {
        regex.push('^');
    }
    let mut is_empty = true;
    if chars.next_if_eq(&'-').is_some() {
        regex.push_str("\\-");
        is_empty = false;
    }
    loop {
        let first = match chars.next().ok_or(UNCLOSED)? {
            ']' if is_empty => return Err("`[]` has nothing in it".to_owned()),
            ']' => break,
            '-' if chars.next_if_eq(&']').is_some() => {
                regex.push_str("\\-");
                break;
            }
            char @ ('-' | '[') => return Err(format!("`{char}` itself is written `\\{char}` in brackets")),
            '\\' if category(chars, regex)? => {
                is_empty = false;
                continue;
            }
            '\\' => escaped(chars)?,
            char => char,
        };
        is_empty = false;
        literal(regex, first);
        if chars.next_if_eq(&'-').is_none() {
            continue;
        }
        if chars.next_if_eq(&']').is_some() {
            regex.push_str("\\-");
            break;
        }
        regex.push('-');
        match chars.next().ok_or(UNCLOSED)? {
            '\\' => literal(regex, escaped(chars)?),
            char @ ('-' | '[') => return Err(format!("`{char}` itself is written `\\{char}` in brackets")),
            last => literal(regex, last),
        }
    }
    regex.push(']');
    Ok(())
}

/// `SingleCharEsc`, after its `\`.
fn escaped(chars: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    match chars.next() {
        Some('n') => Ok('\n'),
        Some('r') => Ok('\r'),
        Some('t') => Ok('\t'),
        Some(char @ ('(' | ')' | '*' | '+' | '-' | '.' | '?' | '[' | '\\' | ']' | '^' | '{' | '|' | '}')) => Ok(char),
        Some('d') => Err("there is no `\\d`; write [0-9]".to_owned()),
        Some('w') => Err("there is no `\\w`; write [0-9A-Za-z_]".to_owned()),
        Some('s') => Err("there is no `\\s`; write [ \\t\\n\\r]".to_owned()),
        Some('$') => Err("`$` itself is written [$]".to_owned()),
        Some(char) => Err(format!("there is no `\\{char}`")),
        None => Err("it ends with a `\\` that stands for nothing".to_owned()),
    }
}

/// `charClassEsc`, after its `\`; false where something else is next.
fn category(chars: &mut Peekable<Chars<'_>>, regex: &mut String) -> Result<bool, String> {
    let Some(kind) = chars.next_if(|char| matches!(char, 'p' | 'P')) else { return Ok(false) };
    let refused = || format!("`\\{kind}` is followed by a general category of Unicode: \\{kind}{{L}}");
    chars.next_if_eq(&'{').ok_or_else(refused)?;
    let name: String = std::iter::from_fn(|| chars.next_if(char::is_ascii_alphabetic)).take(3).collect();
    if chars.next() != Some('}') || !CATEGORIES.contains(&name.as_str()) {
        return Err(refused());
    }
    regex.push_str(&format!("\\{kind}{{{name}}}"));
    Ok(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_are_those_of_the_standard() {
        for (pattern, text, whole, part) in [
            ("a.c", "abc", true, true),
            ("a.c", "a\nc", false, false),
            ("a.c", "a\rc", false, false),
            ("a.c", "a\u{2028}c", true, true),
            ("b", "abc", false, true),
            ("a|bc", "abc", false, true),
            ("(ab|c){2,3}", "abcab", true, true),
            ("[^a-c]+", "xyz", true, true),
            ("[-a]+[b-]", "-a-", true, true),
            ("[.&&~^]+", ".&~^", true, true),
            ("[\\]\\-x]+", "]-x", true, true),
            ("\\p{Lu}\\P{L}", "É1", true, true),
            ("[\\p{Nd}.]+", "1.5", true, true),
            ("a\\.b\\n\\t", "a.b\n\t", true, true),
            ("#<>&~/", "#<>&~/", true, true),
            ("^ab$", "ab", true, true),
            ("^b", "ab", false, false),
            ("", "x", false, true),
            ("()|a", "a", true, true),
            ("é+", "éé", true, true),
        ] {
            assert_eq!(IRegexp::new(pattern, Extent::Whole).unwrap().fits(text), whole, "match {pattern} {text}");
            assert_eq!(IRegexp::new(pattern, Extent::Part).unwrap().fits(text), part, "search {pattern} {text}");
        }
    }

    #[test]
    fn what_the_standard_does_not_have_is_refused() {
        for (pattern, said) in [
            ("\\d+", "[0-9]"),
            ("\\w", "[0-9A-Za-z_]"),
            ("\\$", "[$]"),
            ("a**", "nothing that `*`"),
            ("a+?", "nothing that `?`"),
            ("*a", "nothing that `*`"),
            ("(?i)a", "nothing that `?`"),
            ("a{,2}", "{2,5}"),
            ("a{2,1}", "{2,5}"),
            ("a{2", "{2,5}"),
            ("a{1,2,3}", "{2,5}"),
            ("(a", "no `)`"),
            ("a)", "no `(`"),
            ("a]", "written `\\]`"),
            ("[]", "nothing in it"),
            ("[a", "no `]`"),
            ("[a[b]]", "written `\\[`"),
            ("[a--b]", "written `\\-`"),
            ("[\\p{L}-x]", "written `\\-`"),
            ("[c-a]", "wrong way round"),
            ("\\p{Greek}", "general category"),
            ("\\pL", "general category"),
            ("\\", "ends with"),
            ("\\1", "no `\\1`"),
            ("(\\p{L}{100}){100}", "bytes of memory"),
        ] {
            let why = IRegexp::new(pattern, Extent::Whole).unwrap_err();
            assert!(why.contains(said), "{pattern}: {why}");
        }
        assert!(IRegexp::new(&"(".repeat(900), Extent::Part).is_err());
        assert!(IRegexp::new(&format!("{}{}", "(".repeat(900), ")".repeat(900)), Extent::Part).is_err());
    }

    #[test]
    fn patterns_of_documents_are_small() {
        assert!(IRegexp::found("[a-z]+@[a-z]+", Extent::Whole).unwrap().fits("a@b"));
        assert!(IRegexp::found("(a{100}){100}", Extent::Whole).is_none());
        let atoms = |pattern: &str| translate(pattern, Extent::Part).unwrap().atoms;
        assert_eq!(["ab*c", "(a|b[cd]{3}){2,5}x", "((a{30}){30,}){2}", "a{0}", ""].map(atoms), [3, 26, 1_800, 1, 0]);
        assert_eq!(IRegexp::found("[ab]{80}", Extent::Part).unwrap().steps("abab"), 4 * 11, "each byte may be the first of 80");
        assert!(IRegexp::found("\\p{L}+, \\p{Lu}\\p{Ll}*", Extent::Whole).unwrap().fits("São, Paulo"));
    }

    proptest! {
        /// Where a pattern is one, the crate can read what it became; only ranges and sizes may still be wrong.
        #[test]
        fn a_translation_is_a_regex(pattern in "[ab.*+?|(){}\\[\\]\\\\,0-3^$pL-]{0,12}") {
            if let Err(why) = IRegexp::new(&pattern, Extent::Part) && translate(&pattern, Extent::Part).is_ok() {
                prop_assert!(why.contains("wrong way round") || why.contains("memory"), "{pattern}: {why}");
            }
        }
    }
}

//! Markers: texts and numbers that stand in one place of one delivery and nowhere else; and the search for them, in any
//! form that bytes are written in.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// So many letters of a marker in a row are a part of it. No English word and no hexadecimal digit is among the letters.
const LETTERS: usize = 8;
/// So many digits of a marker in a row are a part of it: no instant and no size in a log has as many.
const DIGITS: usize = 10;
const ALPHABET: &[u8; 20] = b"ghijklmnopqrstuvwxyz";

/// Makes markers, each another: a function of the seed and of how many were made before.
pub(crate) struct Markers {
    seed: u64,
    made: RefCell<Vec<String>>,
}

impl Markers {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, made: RefCell::default() }
    }

    /// What a leaf says: words with something between them that is written in another way in JSON and in URLs.
    pub(crate) fn text(&self) -> String {
        let number = self.number_of(0);
        let gap = [" ", " \"", "\n", " é", " \\"][(number % 5) as usize];
        let end = if number.is_multiple_of(3) {
            format!(" {:012}", 100_000_000_000 + self.number_of(1) % 899_999_999_999)
        } else {
            String::new()
        };
        self.keep(format!("{}{gap}{}{end}", capital(&self.word(2)), self.word(3)))
    }

    /// The name of a member.
    pub(crate) fn key(&self) -> String {
        self.keep(self.word(0))
    }

    /// 17 digits, more than a float has.
    pub(crate) fn number(&self) -> i64 {
        let number = 10_000_000_000_000_000 + (self.number_of(0) % 80_000_000_000_000_000) as i64;
        self.keep(number.to_string());
        number
    }

    /// All that were made.
    pub(crate) fn made(&self) -> Vec<String> {
        self.made.borrow().clone()
    }

    fn keep(&self, text: String) -> String {
        self.made.borrow_mut().push(text.clone());
        text
    }

    fn word(&self, part: u64) -> String {
        let mut number = self.number_of(part);
        let mut letters = String::new();
        for _ in 0..10 {
            letters.push(char::from(ALPHABET[(number % 20) as usize]));
            number /= 20;
        }
        letters
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn number_of(&self, part: u64) -> u64 {
        let place = self.made.borrow().len() as u64 * 8 + part + 1;
        let mut z = self.seed.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

/// Every text in `value`: leaves and names of members.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(members) => members.iter().flat_map(|(name, value)| [vec![name.clone()], texts(value)].concat()).collect(),
        value => vec![value.to_string()],
    }
}

/// The parts of markers that must not be found, each with the marker that it is of.
pub(crate) struct Forbidden(HashMap<Vec<u8>, String>);

impl Forbidden {
    /// All of `markers` but what `shown` says.
    pub(crate) fn but(markers: &[String], shown: &[String]) -> Self {
        let mut parts: HashMap<Vec<u8>, String> = HashMap::new();
        for marker in markers {
            parts.extend(parts_of(marker.as_bytes()).map(|part| (part, marker.clone())));
        }
        for shown in shown {
            parts_of(shown.as_bytes()).for_each(|part| drop(parts.remove(&part)));
        }
        Self(parts)
    }

    /// The markers that are found in `bytes`, each with the form that it is written in.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = BTreeMap::new();
        for (form, bytes) in forms(bytes) {
            for part in parts_of(&bytes) {
                if let Some(marker) = self.0.get(&part) {
                    found.entry(marker.clone()).or_insert_with(|| format!("{marker:?} ({form})"));
                }
            }
        }
        found.into_values().collect()
    }
}

/// The runs of letters and of digits that are long enough, cut into all parts that are.
fn parts_of(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let class = |byte: u8| match byte.to_ascii_lowercase() {
        b'g'..=b'z' => LETTERS,
        b'0'..=b'9' => DIGITS,
        _ => 0,
    };
    let runs = bytes.chunk_by(move |one, next| class(*one) == class(*next));
    let runs = runs.filter(move |run| class(run[0]) > 0 && run.len() >= class(run[0]));
    runs.flat_map(move |run| run.windows(class(run[0])).map(<[u8]>::to_ascii_lowercase))
}

/// The bytes as they are, and what they say where they write other bytes.
fn forms(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("as it is", bytes.to_vec()),
        ("in hexadecimal", hexadecimal(bytes)),
        ("in base64", base64(bytes)),
        ("as \\u escapes", escaped(bytes, b"\\u", 4)),
        ("percent-encoded", escaped(bytes, b"%", 2)),
        ("as a list of bytes", listed(bytes)),
        ("in UTF-16", bytes.iter().copied().filter(|byte| *byte != 0).collect()),
    ]
}

/// What long runs of hexadecimal digits say, read from the first and from the second.
fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut read = Vec::new();
    for run in runs(bytes, |byte| byte.is_ascii_hexdigit(), 2 * LETTERS) {
        for start in 0..2 {
            read.extend(run[start..].chunks_exact(2).filter_map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8)));
            read.push(0);
        }
    }
    read
}

/// What long runs of base64 say, in both alphabets, read from each of four places.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let mut read = Vec::new();
    for run in runs(bytes, move |byte| value(byte).is_some(), LETTERS) {
        for start in 0..4 {
            for four in run[start.min(run.len())..].chunks(4) {
                let bits = four.iter().filter_map(|byte| value(*byte)).fold(0_u32, |bits, six| bits << 6 | u32::from(six));
                let bits = bits << (6 * (4 - four.len()) + 8);
                read.extend(&bits.to_be_bytes()[..four.len() * 3 / 4]);
            }
            read.push(0);
        }
    }
    read
}

/// The bytes with every `mark` and so many hexadecimal digits as the one byte that they stand for.
fn escaped(bytes: &[u8], mark: &[u8], digits: usize) -> Vec<u8> {
    let mut read = Vec::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let code = rest.strip_prefix(mark).and_then(|rest| std::str::from_utf8(rest.get(..digits)?).ok());
        match code.and_then(|code| u32::from_str_radix(code, 16).ok()) {
            Some(code) => {
                read.push(u8::try_from(code).unwrap_or(b'?'));
                rest = &rest[mark.len() + digits..];
            }
            None => {
                read.push(*first);
                rest = &rest[1..];
            }
        }
    }
    read
}

/// What lists of numbers say, as `{:?}` prints bytes: `[104, 105]`.
fn listed(bytes: &[u8]) -> Vec<u8> {
    let numbers = bytes.split(|byte| !byte.is_ascii_digit());
    numbers.filter_map(|number| std::str::from_utf8(number).ok()?.parse().ok()).collect()
}

fn runs(bytes: &[u8], is: impl Fn(u8) -> bool, least: usize) -> Vec<&[u8]> {
    let runs = bytes.chunk_by(|one, next| is(*one) == is(*next));
    runs.filter(|run| run.len() >= least && is(run[0])).collect()
}

#[test]
fn a_marker_is_found_in_any_form() {
    let markers = Markers::new(7);
    let (text, number) = (markers.text(), markers.number());
    let (other, key) = (markers.text(), markers.key());
    let word = text.split_whitespace().next().unwrap().to_owned();
    let forbidden = Forbidden::but(&markers.made(), std::slice::from_ref(&other));
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let base64 = data_encoding::BASE64.encode(format!("é {text}").as_bytes());
    let base64url = data_encoding::BASE64URL_NOPAD.encode(format!("??>{word}").as_bytes());
    let escapes: String = word.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let percent: String = word.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let forms = [
        Value::from(text.as_str()).to_string(),
        word.to_uppercase(),
        format!("x{}", &word[1..9]),
        format!("a{}", hex(&text)),
        hex(&word).to_uppercase(),
        base64.clone(),
        format!("a{base64}"),
        base64url,
        escapes,
        percent,
        format!("{:?}", word.as_bytes()),
        number.to_string(),
        format!("-{}", number % 100_000_000_000),
        key,
    ];
    for form in &forms {
        assert_eq!(forbidden.found_in(format!("say {form}.").as_bytes()).len(), 1, "{form}");
    }
    assert_eq!(forbidden.found_in(&wide).len(), 1);
    assert_eq!(forbidden.found_in(other.as_bytes()), [""; 0], "it is shown");
    assert_eq!(forbidden.found_in(b"somebody understood 1234567890, hypothetically"), [""; 0]);
}

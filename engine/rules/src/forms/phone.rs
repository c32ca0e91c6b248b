//! Phone numbers as E.164 writes them: `+`, country code, number; at most fifteen digits (ITU-T E.164).
//!
//! A number that begins with `+` says its country itself and is kept. Others are read as Brazil writes them, in all the
//! ways of writing the two digits of the area: `(11)`, `011`, `0xx11`, with a carrier's code `0 15 11`, with `55` before. Nothing is
//! invented: a number of eight digits after the area stays one, and a number without an area is refused.

use super::Unfit;

const DIGITS_MAX: usize = 15;
/// The shortest international numbers, of small islands.
const DIGITS_MIN: usize = 7;

/// The area codes of Brazil (Anatel).
const AREAS: [&str; 67] = [
    "11", "12", "13", "14", "15", "16", "17", "18", "19", "21", "22", "24", "27", "28", "31", "32", "33", "34", "35", "37", "38", "41",
    "42", "43", "44", "45", "46", "47", "48", "49", "51", "53", "54", "55", "61", "62", "63", "64", "65", "66", "67", "68", "69", "71",
    "73", "74", "75", "77", "79", "81", "82", "83", "84", "85", "86", "87", "88", "89", "91", "92", "93", "94", "95", "96", "97", "98",
    "99",
];

/// `text` as `+5511987654321`. `country` is that of numbers without `+`: `BR` is the one whose ways are known.
pub(crate) fn phone_e164(text: &str, country: &str) -> Result<String, Unfit> {
    let text = text.trim();
    let (text, international) = match text.strip_prefix('+').or_else(|| text.strip_prefix("(+")) {
        // `+44 (0)20 …`: the zero is for those who call from inside.
        Some(rest) => (rest.replacen("(0)", "", 1), true),
        None => (text.to_owned(), false),
    };
    let digits = digits(&text, !international)?;
    match digits.strip_prefix("55") {
        Some(number) if international => return brazilian(number.strip_prefix('0').unwrap_or(number)),
        _ if international => {}
        _ if country == "BR" => return national(&digits),
        _ => return Err(Unfit::CountryCode),
    }
    let valid = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) && !digits.starts_with('0');
    if valid { Ok(format!("+{digits}")) } else { Err(Unfit::Phone) }
}

/// The digits of a text that has nothing else but what people put between them. With `carrier`, `xx` may stand for the
/// carrier's code.
fn digits(text: &str, carrier: bool) -> Result<String, Unfit> {
    let lower = text.to_ascii_lowercase();
    let text =
        if carrier { lower.trim_start_matches('(').strip_prefix("0xx").map_or(lower.clone(), |rest| format!("0{rest}")) } else { lower };
    let mut digits = String::new();
    for char in text.chars() {
        match char {
            '0'..='9' if digits.len() > 2 * DIGITS_MAX => return Err(Unfit::Phone),
            '0'..='9' => digits.push(char),
            '(' | ')' | '-' | '.' | '/' => {}
            // Hyphens and dashes as word processors write them.
            '\u{2010}'..='\u{2015}' => {}
            _ if char.is_whitespace() => {}
            _ => return Err(Unfit::Phone),
        }
    }
    if digits.is_empty() { Err(Unfit::Phone) } else { Ok(digits) }
}

/// A number as it is dialled, or written, inside Brazil.
fn national(digits: &str) -> Result<String, Unfit> {
    if let Some(number) = digits.strip_prefix("0055") {
        return brazilian(number);
    }
    let number = match (digits.strip_prefix('0'), digits.strip_prefix("55")) {
        // A carrier's code of two digits stands before the area.
        (Some(number), _) if number.len() > 11 => number.get(2..).unwrap_or_default(),
        (Some(number), _) => number,
        (None, Some(number)) if digits.len() > 11 => number.strip_prefix('0').unwrap_or(number),
        _ => digits,
    };
    brazilian(number)
}

/// A number that begins with its area.
fn brazilian(number: &str) -> Result<String, Unfit> {
    let Some((area, subscriber)) = number.split_at_checked(2) else { return Err(Unfit::Phone) };
    let first = subscriber.bytes().next().unwrap_or_default();
    match subscriber.len() {
        9 if first == b'9' && AREAS.contains(&area) => {}
        8 if (b'2'..=b'9').contains(&first) && AREAS.contains(&area) => {}
        6 | 7 if !number.starts_with('0') => return Err(Unfit::AreaCode),
        _ => return Err(Unfit::Phone),
    }
    Ok(format!("+55{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_of_brazil() {
        for text in [
            "11987654321",
            "(11) 98765-4321",
            "11 9 8765.4321",
            "011 98765-4321",
            "(011) 98765-4321",
            "0xx11 98765-4321",
            "(0XX11) 98765-4321",
            "0 15 11 98765-4321",
            "0151198765-4321",
            "5511987654321",
            "55 11 98765 4321",
            "55 011 98765 4321",
            "+55 (11) 98765-4321",
            "+55 (0)11 98765–4321",
            "+55 011 98765-4321",
            "(+55) 11 98765-4321",
            "0055 11 98765-4321",
            " 11\u{a0}98765-4321 ",
        ] {
            assert_eq!(phone_e164(text, "BR").as_deref(), Ok("+5511987654321"), "{text}");
        }
        for (text, number) in [
            ("(11) 3456-7890", "+551134567890"),
            ("0 21 11 3456-7890", "+551134567890"),
            ("(11) 8765-4321", "+551187654321"),
            ("55 99876-5432", "+5555998765432"),
            ("55 3221-1234", "+555532211234"),
            ("55 55 99876-5432", "+5555998765432"),
        ] {
            assert_eq!(phone_e164(text, "BR").as_deref(), Ok(number), "{text}");
        }
    }

    #[test]
    fn other_countries_by_their_plus() {
        for (text, number) in [
            ("+1 (212) 555-0123", "+12125550123"),
            ("+351 912 345 678", "+351912345678"),
            ("+44 (0)20 7946 0958", "+442079460958"),
            ("+683 4000", "+6834000"),
            ("+123456789012345", "+123456789012345"),
        ] {
            for country in ["BR", "US"] {
                assert_eq!(phone_e164(text, country).as_deref(), Ok(number), "{text}");
            }
        }
        assert_eq!(phone_e164("212 555 0123", "US"), Err(Unfit::CountryCode));
    }

    #[test]
    fn what_is_no_phone() {
        for text in ["98765-4321", "3456-7890"] {
            assert_eq!(phone_e164(text, "BR"), Err(Unfit::AreaCode), "{text}");
        }
        for text in [
            "",
            "-",
            "none",
            "11 18765-4321",
            "11 1234-5678",
            "20 98765-4321",
            "119876543210",
            "marina@example.com",
            "11 98765-4321 r. 12",
            "+1234567890123456",
            "+0123456789",
            "++5511987654321",
            "+123456",
            "１１987654321",
            "0800 123 4567",
            &"9".repeat(1000),
        ] {
            assert_eq!(phone_e164(text, "BR"), Err(Unfit::Phone), "{text}");
        }
    }
}

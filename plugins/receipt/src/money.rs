//! Money: exact decimals of reais, read from text and never from a float.

use core::fmt;
use core::iter::Sum;

use rust_decimal::Decimal;

/// More than any clinic is paid at once: a larger price is a mistake. In reais.
const REAIS_MAX: i64 = 1_000_000_000_000;

/// An amount from zero to [`REAIS_MAX`], in whole centavos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amount {
    centavos: u64,
}

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Not a number, or one that can be read in two ways.
    NotANumber,
    Negative,
    /// There is something after the second decimal place.
    TooFine,
    TooLarge,
}

impl Amount {
    /// Reads `189.9`, `189.90` and `1e2`, and where there is a comma, as Brazilians write it, `189,90` and `1.234,50`.
    pub(crate) fn read(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let text = text.strip_prefix("R$").map_or(text, str::trim_start);
        let plain = match text.split_once(',') {
            Some((whole, places)) => format!("{}.{places}", ungrouped(whole).ok_or(Problem::NotANumber)?),
            None => text.to_owned(),
        };
        let places_given = !plain.ends_with('.');
        let digits_first = plain.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
        let plain_only = plain.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
        if !digits_first || !places_given || !plain_only {
            return Err(Problem::NotANumber);
        }
        let number = if plain.contains(['e', 'E']) { Decimal::from_scientific(&plain) } else { Decimal::from_str_exact(&plain) };
        // A number that is too long for the type is either too large or too fine; which one shows before the point.
        let number = number.map_err(|_| match plain.split(['.', 'e', 'E']).next() {
            Some(whole) if whole.len() > 13 && whole.bytes().all(|byte| byte.is_ascii_digit()) => Problem::TooLarge,
            _ => Problem::NotANumber,
        })?;
        Self::of(number)
    }

    fn of(number: Decimal) -> Result<Self, Problem> {
        if number.is_sign_negative() && !number.is_zero() {
            return Err(Problem::Negative);
        }
        if number > Decimal::from(REAIS_MAX) {
            return Err(Problem::TooLarge);
        }
        let mut number = number.normalize();
        if number.scale() > 2 {
            return Err(Problem::TooFine);
        }
        number.rescale(2);
        let centavos = u64::try_from(number.mantissa()).map_err(|_| Problem::TooLarge)?;
        Ok(Self { centavos })
    }

    /// Whether this is more than a receipt can be for.
    pub(crate) fn is_too_large(self) -> bool {
        self.centavos > REAIS_MAX.unsigned_abs() * 100
    }

    /// Reais, and the centavos beside them.
    pub(crate) fn parts(self) -> (u64, u64) {
        (self.centavos / 100, self.centavos % 100)
    }

    /// `R$ 1.234,80`
    pub(crate) fn figures(self) -> String {
        let (reais, centavos) = self.parts();
        let digits = reais.to_string();
        let mut out = String::from("R$ ");
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                out.push('.');
            }
            out.push(digit);
        }
        out.push_str(&format!(",{centavos:02}"));
        out
    }
}

/// `1234.80`: for machines.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reais, centavos) = self.parts();
        write!(f, "{reais}.{centavos:02}")
    }
}

/// Of some hundred amounts, each of which is far from the largest number that there is.
impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self { centavos: amounts.map(|amount| amount.centavos).sum() }
    }
}

/// The digits of `1.234` without the points of its thousands; nothing where points stand elsewhere.
fn ungrouped(whole: &str) -> Option<String> {
    let sign = if whole.starts_with('-') { "-" } else { "" };
    let mut groups = whole[sign.len()..].split('.');
    let first = groups.next()?;
    let rest: Vec<_> = groups.collect();
    let digits = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let grouped = rest.is_empty() || first.len() <= 3;
    if digits(first) && grouped && rest.iter().all(|group| group.len() == 3 && digits(group)) {
        Some(format!("{sign}{first}{}", rest.concat()))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_providers_and_people_write() {
        for (text, plain, figures) in [
            ("0", "0.00", "R$ 0,00"),
            ("-0.0", "0.00", "R$ 0,00"),
            ("189.9", "189.90", "R$ 189,90"),
            ("189.90", "189.90", "R$ 189,90"),
            ("189.9000", "189.90", "R$ 189,90"),
            ("0.1", "0.10", "R$ 0,10"),
            ("1e2", "100.00", "R$ 100,00"),
            ("1.5E1", "15.00", "R$ 15,00"),
            (" 65,5 ", "65.50", "R$ 65,50"),
            ("1.234,50", "1234.50", "R$ 1.234,50"),
            ("1234,50", "1234.50", "R$ 1.234,50"),
            ("R$ 1.234.567,89", "1234567.89", "R$ 1.234.567,89"),
            ("1000000000000", "1000000000000.00", "R$ 1.000.000.000.000,00"),
        ] {
            let amount = Amount::read(text).unwrap();
            assert_eq!((amount.to_string().as_str(), amount.figures().as_str()), (plain, figures), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        for text in
            ["", "R$", "free", "NaN", "1,234.50", "1,2,3", "12.34,50", "1.234.567", ".5", "1_000", "1,", "0x10", "--1", ",50", "1 000"]
        {
            assert_eq!(Amount::read(text), Err(Problem::NotANumber), "{text}");
        }
        for text in ["0.001", "189.899999999999", "1.234", "1e-3", "0,005"] {
            assert_eq!(Amount::read(text), Err(Problem::TooFine), "{text}");
        }
        for text in ["-1", "-0.01", "-1,50"] {
            assert_eq!(Amount::read(text), Err(Problem::Negative), "{text}");
        }
        for text in ["1000000000000.01", "1e13", "99999999999999999999999999999999999"] {
            assert_eq!(Amount::read(text), Err(Problem::TooLarge), "{text}");
        }
    }

    #[test]
    fn adds_up_without_a_float() {
        let sum = |texts: &[&str]| texts.iter().map(|text| Amount::read(text).unwrap()).sum::<Amount>().to_string();
        assert_eq!(sum(&["1.234,50", "0.1", "0.20"]), "1234.80");
        assert_eq!(sum(&["189.9", "65.5"]), "255.40");
        assert_eq!(sum(&["0.1"; 10]), "1.00");
        assert_eq!(sum(&[]), "0.00");
    }
}

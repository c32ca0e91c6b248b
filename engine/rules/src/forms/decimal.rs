//! Numbers by their decimal digits, as they are written: what is shown as money or counted is never a float.

use super::Unfit;

/// No number here has more digits before its point.
const WHOLE_MAX: usize = 18;

/// A number as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal<'t> {
    pub(crate) negative: bool,
    /// The digits before the point, without leading zeros.
    pub(crate) whole: &'t str,
    /// The digits after it.
    pub(crate) fraction: &'t str,
}

impl<'t> Decimal<'t> {
    /// Reads `1234.5`, `-7`, and `1234,5` where one or two digits follow the comma, so that it cannot group thousands.
    pub(crate) fn read(text: &'t str) -> Option<Self> {
        let text = text.trim();
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let (whole, fraction) = match (text.split_once('.'), text.split_once(',')) {
            (None, None) => (text, None),
            (Some((whole, fraction)), None) => (whole, Some(fraction)),
            (None, Some((whole, fraction))) if fraction.len() <= 2 => (whole, Some(fraction)),
            _ => return None,
        };
        if !digits(whole) || fraction.is_some_and(|fraction| !digits(fraction)) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        (whole.len() <= WHOLE_MAX).then_some(Self { negative, whole, fraction: fraction.unwrap_or_default() })
    }
}

/// `one` or `other`, as the plural rules of CLDR have it: in Portuguese `one` is for 0, 1 and what is between 1 and 2; in
/// English for 1 alone.
pub(crate) fn plural<'t>(number: &str, one: &'t str, other: &'t str, english: bool) -> Result<&'t str, Unfit> {
    let number = Decimal::read(number).ok_or(Unfit::Count)?;
    let is_one = if english { number.whole == "1" && number.fraction.is_empty() } else { matches!(number.whole, "" | "1") };
    Ok(if is_one { one } else { other })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_they_are_written() {
        let read = |text| Decimal::read(text).map(|number| (number.negative, number.whole, number.fraction));
        for (text, number) in [
            ("0", (false, "", "")),
            ("-007.50", (true, "7", "50")),
            (" 1234,5 ", (false, "1234", "5")),
            ("999999999999999999", (false, "999999999999999999", "")),
        ] {
            assert_eq!(read(text), Some(number), "{text}");
        }
        for text in ["", "-", ".5", "5.", "1,234", "1.234,50", "1,234.50", "1e3", "+1", "--1", "NaN", "inf", "٣", "1000000000000000000"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn plurals() {
        for (number, portuguese, english) in [
            ("0", "one", "other"),
            ("1", "one", "one"),
            ("-1", "one", "one"),
            ("0.5", "one", "other"),
            ("1.0", "one", "other"),
            ("1.9", "one", "other"),
            ("2", "other", "other"),
            ("10", "other", "other"),
            ("21", "other", "other"),
        ] {
            assert_eq!(plural(number, "one", "other", false), Ok(portuguese), "{number}");
            assert_eq!(plural(number, "one", "other", true), Ok(english), "{number}");
        }
        assert_eq!(plural("many", "one", "other", true), Err(Unfit::Count));
    }
}

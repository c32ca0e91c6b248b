//! Amounts of money, as CLDR writes them in Brazilian Portuguese and in English.

use super::{Decimal, Unfit};

/// What stands between a symbol or a code and the amount: it keeps them on one line.
const NO_BREAK_SPACE: char = '\u{a0}';

/// Currencies that have a symbol: code, in Portuguese, in English (CLDR, standard symbols). Others go by their code.
const SYMBOLS: [(&str, &str, &str); 11] = [
    ("AUD", "AU$", "A$"),
    ("BRL", "R$", "R$"),
    ("CAD", "CA$", "CA$"),
    ("CNY", "CN¥", "CN¥"),
    ("EUR", "€", "€"),
    ("GBP", "£", "£"),
    ("INR", "₹", "₹"),
    ("JPY", "JP¥", "¥"),
    ("KRW", "₩", "₩"),
    ("MXN", "MX$", "MX$"),
    ("USD", "US$", "$"),
];
/// Currencies without minor units (ISO 4217).
const WHOLE: [&str; 16] = ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Currencies with three digits of them (ISO 4217).
const THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// `amount` in the currency `code` (ISO 4217): `R$ 1.234,50`, `R$1,234.50`.
///
/// What is finer than the minor unit is rounded half up, away from zero: as receipts are added by hand, and as Regulation
/// (EC) 1103/97 article 5 has it. It is the decimal digits that are rounded, so 1.005 is 1.01, whatever float is next to it.
pub(crate) fn money(amount: &str, code: &str, english: bool) -> Result<String, Unfit> {
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Unfit::Currency);
    }
    let amount = Decimal::read(amount).ok_or(Unfit::Amount)?;
    let decimals = if WHOLE.contains(&code) {
        0
    } else if THOUSANDTHS.contains(&code) {
        3
    } else {
        2
    };
    let units = units(&amount, decimals)?;
    let digits = format!("{units:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let (group, point) = if english { (',', '.') } else { ('.', ',') };
    let mut text = String::new();
    if amount.negative && units > 0 {
        text.push('-');
    }
    match SYMBOLS.iter().find(|(known, ..)| *known == code) {
        Some((_, _, symbol)) if english => text.push_str(symbol),
        Some((_, symbol, _)) => text.extend(symbol.chars().chain([NO_BREAK_SPACE])),
        None => text.extend(code.chars().chain([NO_BREAK_SPACE])),
    }
    for (nth, digit) in whole.chars().enumerate() {
        if nth > 0 && (whole.len() - nth).is_multiple_of(3) {
            text.push(group);
        }
        text.push(digit);
    }
    if decimals > 0 {
        text.push(point);
        text.push_str(fraction);
    }
    Ok(text)
}

/// The amount in minor units, without its sign.
fn units(amount: &Decimal<'_>, decimals: usize) -> Result<u128, Unfit> {
    let finer = amount.fraction.as_bytes().get(decimals).is_some_and(|digit| *digit >= b'5');
    let kept = amount.fraction.get(..decimals).unwrap_or(amount.fraction);
    let digits = format!("0{}{kept:0<decimals$}", amount.whole);
    digits.parse::<u128>().map(|units| units + u128::from(finer)).map_err(|_| Unfit::Amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (amount, code, portuguese, english) in [
            ("1234.5", "BRL", "R$\u{a0}1.234,50", "R$1,234.50"),
            ("0", "BRL", "R$\u{a0}0,00", "R$0.00"),
            ("-1234567.891", "BRL", "-R$\u{a0}1.234.567,89", "-R$1,234,567.89"),
            ("-0.004", "BRL", "R$\u{a0}0,00", "R$0.00"),
            ("189,9", "BRL", "R$\u{a0}189,90", "R$189.90"),
            ("999.995", "BRL", "R$\u{a0}1.000,00", "R$1,000.00"),
            ("1.005", "USD", "US$\u{a0}1,01", "$1.01"),
            ("0.005", "EUR", "€\u{a0}0,01", "€0.01"),
            ("0.0049999", "GBP", "£\u{a0}0,00", "£0.00"),
            ("100", "GBP", "£\u{a0}100,00", "£100.00"),
            ("1234.5", "JPY", "JP¥\u{a0}1.235", "¥1,235"),
            ("1.2345", "KWD", "KWD\u{a0}1,235", "KWD\u{a0}1.235"),
            ("12", "CHF", "CHF\u{a0}12,00", "CHF\u{a0}12.00"),
            ("999999999999999999.99", "BRL", "R$\u{a0}999.999.999.999.999.999,99", "R$999,999,999,999,999,999.99"),
        ] {
            assert_eq!(money(amount, code, false).as_deref(), Ok(portuguese), "{amount} {code}");
            assert_eq!(money(amount, code, true).as_deref(), Ok(english), "{amount} {code}");
        }
    }

    #[test]
    fn what_is_no_money() {
        for text in ["", "free", "1.2.3", "R$ 10", "1e3", "1000000000000000000"] {
            assert_eq!(money(text, "BRL", false), Err(Unfit::Amount), "{text}");
        }
        for code in ["", "brl", "R$", "REAL", "ÉUR", "B1L"] {
            assert_eq!(money("1", code, false), Err(Unfit::Currency), "{code}");
        }
    }
}

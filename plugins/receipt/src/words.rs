//! Amounts in Portuguese words, as receipts and cheques have them.
//!
//! Own code, because the crates that do this take floats.

use crate::money::Amount;

const TO_NINETEEN: [&str; 20] = [
    "zero",
    "um",
    "dois",
    "três",
    "quatro",
    "cinco",
    "seis",
    "sete",
    "oito",
    "nove",
    "dez",
    "onze",
    "doze",
    "treze",
    "quatorze",
    "quinze",
    "dezesseis",
    "dezessete",
    "dezoito",
    "dezenove",
];
const TENS: [&str; 10] = ["", "", "vinte", "trinta", "quarenta", "cinquenta", "sessenta", "setenta", "oitenta", "noventa"];
const HUNDREDS: [&str; 10] =
    ["", "cento", "duzentos", "trezentos", "quatrocentos", "quinhentos", "seiscentos", "setecentos", "oitocentos", "novecentos"];
/// One, and several, of each power of a thousand.
const POWERS: [(&str, &str); 5] = [("", ""), ("mil", "mil"), ("milhão", "milhões"), ("bilhão", "bilhões"), ("trilhão", "trilhões")];

/// `duzentos e cinquenta e cinco reais e quarenta centavos`
pub(crate) fn amount(amount: Amount) -> String {
    let (reais, centavos) = amount.parts();
    let reais_in_words = || {
        // "um milhão de reais", but "um milhão e um reais".
        let of = if reais >= 1_000_000 && reais.is_multiple_of(1_000_000) { "de " } else { "" };
        format!("{} {of}{}", number(reais), if reais == 1 { "real" } else { "reais" })
    };
    let centavos_in_words = || format!("{} {}", number(centavos), if centavos == 1 { "centavo" } else { "centavos" });
    match (reais, centavos) {
        (0, 0) => "zero real".to_owned(),
        (_, 0) => reais_in_words(),
        (0, _) => centavos_in_words(),
        _ => format!("{} e {}", reais_in_words(), centavos_in_words()),
    }
}

/// A whole number of at most 15 digits.
fn number(number: u64) -> String {
    if number == 0 {
        return TO_NINETEEN[0].to_owned();
    }
    // The groups of three digits that are not zero, the largest first.
    let groups: Vec<(usize, u64)> =
        (0..POWERS.len()).rev().map(|power| (power, number / 1000_u64.pow(power as u32) % 1000)).filter(|(_, group)| *group > 0).collect();
    let mut out = String::new();
    for (index, &(power, group)) in groups.iter().enumerate() {
        if index > 0 {
            // "mil e cem", "mil e um", but "mil cento e um": an "e" only before a last group that has none itself.
            let last = index + 1 == groups.len();
            out.push_str(if last && (group < 100 || group.is_multiple_of(100)) { " e " } else { " " });
        }
        match (power, group) {
            (0, _) => out.push_str(&up_to_999(group)),
            (1, 1) => out.push_str(POWERS[1].0),
            (_, 1) => out.push_str(&format!("um {}", POWERS[power].0)),
            _ => out.push_str(&format!("{} {}", up_to_999(group), POWERS[power].1)),
        }
    }
    out
}

fn up_to_999(number: u64) -> String {
    let (hundreds, rest) = ((number / 100) as usize, (number % 100) as usize);
    let rest_in_words = || match rest {
        0..20 => TO_NINETEEN[rest].to_owned(),
        _ if rest.is_multiple_of(10) => TENS[rest / 10].to_owned(),
        _ => format!("{} e {}", TENS[rest / 10], TO_NINETEEN[rest % 10]),
    };
    match (hundreds, rest) {
        (1, 0) => "cem".to_owned(),
        (0, _) => rest_in_words(),
        (_, 0) => HUNDREDS[hundreds].to_owned(),
        _ => format!("{} e {}", HUNDREDS[hundreds], rest_in_words()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> String {
        amount(Amount::read(text).unwrap())
    }

    #[test]
    fn reads_as_people_say_it() {
        for (text, expected) in [
            ("0", "zero real"),
            ("0.01", "um centavo"),
            ("0.02", "dois centavos"),
            ("0.10", "dez centavos"),
            ("0.11", "onze centavos"),
            ("0.14", "quatorze centavos"),
            ("0.16", "dezesseis centavos"),
            ("0.17", "dezessete centavos"),
            ("0.19", "dezenove centavos"),
            ("0.20", "vinte centavos"),
            ("0.21", "vinte e um centavos"),
            ("0.99", "noventa e nove centavos"),
            ("1", "um real"),
            ("1.01", "um real e um centavo"),
            ("1.10", "um real e dez centavos"),
            ("2", "dois reais"),
            ("2.50", "dois reais e cinquenta centavos"),
            ("3", "três reais"),
            ("10", "dez reais"),
            ("12", "doze reais"),
            ("13", "treze reais"),
            ("15", "quinze reais"),
            ("18", "dezoito reais"),
            ("20", "vinte reais"),
            ("21", "vinte e um reais"),
            ("32", "trinta e dois reais"),
            ("43", "quarenta e três reais"),
            ("54", "cinquenta e quatro reais"),
            ("65.50", "sessenta e cinco reais e cinquenta centavos"),
            ("76", "setenta e seis reais"),
            ("87", "oitenta e sete reais"),
            ("98", "noventa e oito reais"),
            ("100", "cem reais"),
            ("100.01", "cem reais e um centavo"),
            ("101", "cento e um reais"),
            ("110", "cento e dez reais"),
            ("119", "cento e dezenove reais"),
            ("121", "cento e vinte e um reais"),
            ("189.90", "cento e oitenta e nove reais e noventa centavos"),
            ("200", "duzentos reais"),
            ("255.40", "duzentos e cinquenta e cinco reais e quarenta centavos"),
            ("300", "trezentos reais"),
            ("404", "quatrocentos e quatro reais"),
            ("515", "quinhentos e quinze reais"),
            ("616", "seiscentos e dezesseis reais"),
            ("720", "setecentos e vinte reais"),
            ("833", "oitocentos e trinta e três reais"),
            ("999.99", "novecentos e noventa e nove reais e noventa e nove centavos"),
            ("1000", "mil reais"),
            ("1001", "mil e um reais"),
            ("1020", "mil e vinte reais"),
            ("1099", "mil e noventa e nove reais"),
            ("1100", "mil e cem reais"),
            ("1101", "mil cento e um reais"),
            ("1110", "mil cento e dez reais"),
            ("1200", "mil e duzentos reais"),
            ("1250", "mil duzentos e cinquenta reais"),
            ("1234.80", "mil duzentos e trinta e quatro reais e oitenta centavos"),
            ("1900", "mil e novecentos reais"),
            ("1999", "mil novecentos e noventa e nove reais"),
            ("2000", "dois mil reais"),
            ("2001.05", "dois mil e um reais e cinco centavos"),
            ("10000", "dez mil reais"),
            ("21345", "vinte e um mil trezentos e quarenta e cinco reais"),
            ("100000", "cem mil reais"),
            ("101001", "cento e um mil e um reais"),
            ("100500", "cem mil e quinhentos reais"),
            ("999999", "novecentos e noventa e nove mil novecentos e noventa e nove reais"),
            ("1000000", "um milhão de reais"),
            ("1000000.50", "um milhão de reais e cinquenta centavos"),
            ("1000001", "um milhão e um reais"),
            ("1001000", "um milhão e mil reais"),
            ("1100000", "um milhão e cem mil reais"),
            ("1120000", "um milhão cento e vinte mil reais"),
            ("1500200", "um milhão quinhentos mil e duzentos reais"),
            ("2500000", "dois milhões e quinhentos mil reais"),
            ("2000000", "dois milhões de reais"),
            ("1234567.89", "um milhão duzentos e trinta e quatro mil quinhentos e sessenta e sete reais e oitenta e nove centavos"),
            ("1000000000", "um bilhão de reais"),
            ("3000000100", "três bilhões e cem reais"),
            ("5001000000", "cinco bilhões e um milhão de reais"),
            ("1000000000000", "um trilhão de reais"),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    /// Reads words back, knowing nothing but what each is worth.
    fn read(words: &str) -> u64 {
        let place = |list: &[&str], word: &str| list.iter().position(|known| *known == word);
        let (mut centavos, mut millions, mut group) = (0, 0, 0);
        for word in words.split(' ') {
            match word {
                "e" | "de" => {}
                "real" | "reais" => (centavos, millions, group) = ((millions + group) * 100, 0, 0),
                "centavo" | "centavos" => (centavos, group) = (centavos + group, 0),
                "cem" => group += 100,
                _ => {
                    if let Some(power) = POWERS[1..].iter().position(|(one, several)| [one, several].contains(&&word)) {
                        (millions, group) = (millions + group.max(1) * 1000_u64.pow(power as u32 + 1), 0);
                    } else {
                        let worth = place(&TO_NINETEEN, word).or(place(&TENS, word).map(|tens| tens * 10));
                        let worth = worth.or(place(&HUNDREDS, word).map(|hundreds| hundreds * 100));
                        group += worth.unwrap_or_else(|| panic!("{word} in {words}")) as u64;
                    }
                }
            }
        }
        centavos
    }

    proptest! {
        #[test]
        fn says_what_it_is_worth(centavos in prop_oneof![0..300_000_u64, 0..100_000_000_000_000_u64]) {
            let (reais, rest) = (centavos / 100, centavos % 100);
            let words = words(&format!("{reais}.{rest:02}"));
            prop_assert_eq!(read(&words), centavos, "{}", words);
            prop_assert!(!words.contains("  ") && !words.starts_with(' ') && !words.ends_with(' '));
        }
    }
}

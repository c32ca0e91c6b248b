//! The numbers by which Brazil knows people (CPF) and companies (CNPJ), checked and with their punctuation.

use super::Unfit;

/// `529.982.247-25`. The two last digits check the others (modulo 11); eleven times the same digit is nobody's.
pub(crate) fn cpf(text: &str) -> Result<String, Unfit> {
    let signs: [u8; 11] = signs(text).ok_or(Unfit::Cpf)?;
    let valid = signs.iter().all(u8::is_ascii_digit) && is_checked(&signs, 11) && !is_uniform(&signs);
    if valid { Ok(punctuated(&signs, &[(3, '.'), (6, '.'), (9, '-')])) } else { Err(Unfit::Cpf) }
}

/// `11.222.333/0001-81`, and with letters among the first twelve `12.ABC.345/01DE-35` (IN RFB 2.229/2024, in use since
/// July 2026). A sign counts as its ASCII code less 48.
pub(crate) fn cnpj(text: &str) -> Result<String, Unfit> {
    let signs: [u8; 14] = signs(text).ok_or(Unfit::Cnpj)?;
    let check = signs.iter().skip(12).all(u8::is_ascii_digit);
    let valid = check && is_checked(&signs, 9) && !is_uniform(&signs);
    if valid { Ok(punctuated(&signs, &[(2, '.'), (5, '.'), (8, '/'), (12, '-')])) } else { Err(Unfit::Cnpj) }
}

/// The digits and letters of a text that has nothing else but punctuation; letters as capitals.
fn signs<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut signs = [0; N];
    let mut places = signs.iter_mut();
    for char in text.trim().chars() {
        match char {
            '.' | '-' | '/' | ' ' => {}
            '0'..='9' | 'a'..='z' | 'A'..='Z' => *places.next()? = u8::try_from(char.to_ascii_uppercase()).ok()?,
            _ => return None,
        }
    }
    places.next().is_none().then_some(signs)
}

/// Whether each of the two last signs is the check digit of all before it. Weights rise from 2 at the right, up to
/// `weight_max` and then from 2 again.
fn is_checked(signs: &[u8], weight_max: u32) -> bool {
    let digit = |signs: &[u8]| {
        let weights = (2..=weight_max).cycle();
        let sum: u32 = signs.iter().rev().zip(weights).map(|(sign, weight)| u32::from(sign - b'0') * weight).sum();
        match sum % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        }
    };
    (signs.len() - 2..signs.len()).all(|at| {
        let (before, rest) = signs.split_at(at);
        rest.first().is_some_and(|sign| u32::from(sign - b'0') == digit(before))
    })
}

fn is_uniform(signs: &[u8]) -> bool {
    signs.windows(2).all(|pair| matches!(pair, [a, b] if a == b))
}

fn punctuated(signs: &[u8], marks: &[(usize, char)]) -> String {
    let mut text = String::new();
    for (at, sign) in signs.iter().enumerate() {
        text.extend(marks.iter().filter(|(place, _)| *place == at).map(|(_, mark)| *mark));
        text.push(char::from(*sign));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people() {
        for text in ["52998224725", "529.982.247-25", " 529 982 247 25 "] {
            assert_eq!(cpf(text).as_deref(), Ok("529.982.247-25"), "{text}");
        }
        assert_eq!(cpf("00000000191").as_deref(), Ok("000.000.001-91"), "check digits below 2 too");
        assert_eq!(cpf("12345678909").as_deref(), Ok("123.456.789-09"));
        for text in ["", "52998224724", "52998224715", "5299822472", "529982247250", "11111111111", "5299822472A", "５２９98224725", "cpf"]
        {
            assert_eq!(cpf(text), Err(Unfit::Cpf), "{text}");
        }
    }

    #[test]
    fn companies() {
        for (text, formatted) in [
            ("11222333000181", "11.222.333/0001-81"),
            ("11.222.333/0001-81", "11.222.333/0001-81"),
            ("12ABC34501DE35", "12.ABC.345/01DE-35"),
            ("12.abc.345/01de-35", "12.ABC.345/01DE-35"),
        ] {
            assert_eq!(cnpj(text).as_deref(), Ok(formatted), "{text}");
        }
        for text in [
            "",
            "11222333000180",
            "11222333000191",
            "1122233300018",
            "00000000000000",
            "12ABC34501DE34",
            "12ABC34501DEAA",
            "12ÁBC34501DE35",
        ] {
            assert_eq!(cnpj(text), Err(Unfit::Cnpj), "{text}");
        }
    }
}

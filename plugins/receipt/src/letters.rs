//! Text as the fonts have it: WinAnsiEncoding (PDF 1.7, annex D.2), which is Windows code page 1252.
//!
//! What is not in it is reduced to its base letter: a name from elsewhere stays readable.

/// 0x80 to 0x9F. The rest of the encoding is Latin-1.
const BETWEEN: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

/// Letters and the combining marks that make one of the encoding's letters of them, with that letter.
const MARKED: [(char, &str, &str); 8] = [
    ('\u{300}', "AEIOUaeiou", "ÀÈÌÒÙàèìòù"),
    ('\u{301}', "AEIOUYaeiouy", "ÁÉÍÓÚÝáéíóúý"),
    ('\u{302}', "AEIOUaeiou", "ÂÊÎÔÛâêîôû"),
    ('\u{303}', "ANOano", "ÃÑÕãñõ"),
    ('\u{308}', "AEIOUYaeiouy", "ÄËÏÖÜŸäëïöüÿ"),
    ('\u{30a}', "Aa", "Åå"),
    ('\u{30c}', "SZsz", "ŠŽšž"),
    ('\u{327}', "Cc", "Çç"),
];

/// The base letters of U+0100 to U+024F (Latin Extended-A and -B).
const BASES: &[u8; 0x150] =
    b"AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLlNnNnNn?NnOoOoOo??RrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs\
????????????????????????????????Oo?????????????Uu???????????????????DDdLLlNNnAaIiOoUuUuUuUuUu?AaAa????GgKkOoOo??jDDdGg??NnAa????\
AaAaEeEeIiIiOoOoRrRrUuUuSsTt??Hh??????AaEeOoOoOoOoYy????????????????????????????";

/// The base letters of U+1E00 to U+1EFF (Latin Extended Additional: Vietnamese, mostly).
const MORE_BASES: &[u8; 0x100] =
    b"AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMmMmMmNnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVv\
WwWwWwWwWwXxXxYyZzZzZzhtwyas????AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEeEeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUuUuYyYyYyYy??????";

/// One line of text: no line breaks or other control characters, no spaces at its ends or beside each other.
pub(crate) fn one_line(text: &str) -> String {
    let shown: String = text.chars().filter(|c| !is_invisible(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The bytes that the fonts show `text` with; `?` only for what has no base letter.
pub(crate) fn encode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let marked = characters.peek().and_then(|mark| composed(character, *mark));
        if marked.is_some() {
            characters.next();
        }
        let character = marked.unwrap_or(character);
        match byte(character) {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(reduced(character)),
        }
    }
    out
}

/// The byte that the encoding has for this character itself.
fn byte(character: char) -> Option<u8> {
    match u32::from(character) {
        code @ (0x20..=0x7e | 0xa0..=0xac | 0xae..=0xff) => u8::try_from(code).ok(),
        0..=0xff => None,
        _ => BETWEEN.chars().position(|known| known == character).map(|index| 0x80 + index as u8),
    }
}

fn composed(letter: char, mark: char) -> Option<char> {
    let (_, letters, composed) = MARKED.iter().find(|(known, ..)| *known == mark)?;
    letters.chars().position(|known| known == letter).and_then(|index| composed.chars().nth(index))
}

/// What stands for a character that the encoding does not have.
fn reduced(character: char) -> &'static [u8] {
    let code = u32::from(character) as usize;
    match character {
        '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => b" ",
        '\u{2010}' | '\u{2011}' | '\u{2212}' => b"-",
        '\u{2012}' => b"\x96",
        '\u{2015}' => b"\x97",
        '\u{2032}' => b"'",
        '\u{2033}' => b"\"",
        '\u{0132}' => b"IJ",
        '\u{0133}' => b"ij",
        'ẞ' => b"\xdf",
        _ if is_invisible(character) || is_mark(character) => b"",
        '\u{0100}'..='\u{024f}' => core::slice::from_ref(&BASES[code - 0x100]),
        '\u{1e00}'..='\u{1eff}' => core::slice::from_ref(&MORE_BASES[code - 0x1e00]),
        _ => b"?",
    }
}

/// Hints for line breaking and joining, which no reader sees.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A mark that was not composed with its letter.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let encoded = encode(text);
        let (between, latin) = (BETWEEN.chars().collect::<Vec<_>>(), |byte: u8| char::from(byte));
        encoded.iter().map(|byte| if (0x80..0xa0).contains(byte) { between[usize::from(byte - 0x80)] } else { latin(*byte) }).collect()
    }

    #[test]
    fn portuguese_and_its_signs_are_there() {
        let text = "Ação, coração, avó, avô, à, ü, Nº 1ª – “aspas” ‘simples’ — R$ € … ÁÉÍÓÚÂÊÔÃÕÇ";
        assert_eq!(shown(text), text);
        assert_eq!(encode("ã–“"), [0xe3, 0x96, 0x93]);
    }

    #[test]
    fn letters_with_separate_marks_are_the_same_letters() {
        assert_eq!(shown("Joa\u{303}o Lourenc\u{327}o Ari\u{301}s"), "João Lourenço Arís");
        assert_eq!(shown("x\u{301}"), "x");
    }

    #[test]
    fn other_letters_are_reduced() {
        assert_eq!(shown("Wałęsa Đoković Șerban Nguyễn Čapek Ĳssel Ōe ﬁ"), "Walesa Dokovic Serban Nguyen Capek IJssel Oe ?");
        assert_eq!(shown("Žižek Škoda"), "Žižek Škoda", "what the encoding has stays");
        assert_eq!(shown("東京 Ж"), "?? ?");
        assert_eq!(shown("a\u{200b}b\u{ad}c\u{2009}d\u{2011}e"), "abc d-e");
    }

    #[test]
    fn nothing_can_break_a_line() {
        assert_eq!(one_line("  Ana\r\nMaria\t \u{0}da\u{85}Silva\u{a0}\u{feff} "), "Ana Maria da Silva");
        assert!(encode("a\nb\u{7f}\u{85}").iter().all(|byte| (0x20..0x7f).contains(byte)));
    }
}

//! The two fonts of the paper. Every PDF reader has them, so none travels with the file; their widths are those of
//! Adobe's core-14 font metrics (AFM, version 002.000), for the codes 0x20 to 0xFF of WinAnsiEncoding.

use crate::letters;

/// A font.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Font {
    Regular,
    Bold,
}

/// One letter of a line: a byte of WinAnsiEncoding.
pub(crate) type Glyph = (Font, u8);

impl Font {
    pub(crate) const ALL: [Self; 2] = [Self::Regular, Self::Bold];

    /// What PDF calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Regular => "Helvetica",
            Self::Bold => "Helvetica-Bold",
        }
    }

    /// The widths of 0x20 to 0xFF, in thousandths of the size.
    pub(crate) fn widths(self) -> &'static [u16; 224] {
        match self {
            Self::Regular => &HELVETICA,
            Self::Bold => &HELVETICA_BOLD,
        }
    }

    /// `text` in this font.
    pub(crate) fn set(self, text: &str) -> Vec<Glyph> {
        letters::encode(text).into_iter().map(|byte| (self, byte)).collect()
    }
}

/// How wide a line is at `size`.
pub(crate) fn width(line: &[Glyph], size: f32) -> f32 {
    let of = |(font, byte): &Glyph| u32::from(font.widths()[usize::from(byte.saturating_sub(0x20))]);
    line.iter().map(of).sum::<u32>() as f32 * size / 1000.0
}

/// Breaks a text into lines that are no wider than `max`: between words where it can be, else within one.
pub(crate) fn wrap(text: &[Glyph], size: f32, max: f32) -> Vec<Vec<Glyph>> {
    let mut lines = vec![Vec::new()];
    for word in text.split(|(_, byte)| *byte == b' ').filter(|word| !word.is_empty()) {
        let line = lines.last_mut().expect("there is always a line");
        let mut longer = line.clone();
        if let Some((font, _)) = line.last() {
            longer.push((*font, b' '));
        }
        longer.extend_from_slice(word);
        if width(&longer, size) <= max {
            *line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(Vec::new());
        }
        for glyph in word {
            let line = lines.last_mut().expect("there is always a line");
            line.push(*glyph);
            if width(line, size) > max && line.len() > 1 {
                line.pop();
                lines.push(vec![*glyph]);
            }
        }
    }
    lines
}

#[rustfmt::skip]
const HELVETICA: [u16; 224] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584, 350,
    556, 350, 222, 556, 333, 1000, 556, 556, 333, 1000, 667, 333, 1000, 350, 611, 350,
    350, 222, 222, 333, 333, 350, 556, 1000, 333, 1000, 500, 333, 944, 350, 500, 667,
    278, 333, 556, 556, 556, 556, 260, 556, 333, 737, 370, 556, 584, 333, 737, 333,
    400, 584, 333, 333, 333, 556, 537, 278, 333, 333, 365, 556, 834, 834, 834, 611,
    667, 667, 667, 667, 667, 667, 1000, 722, 667, 667, 667, 667, 278, 278, 278, 278,
    722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611,
    556, 556, 556, 556, 556, 556, 889, 500, 556, 556, 556, 556, 278, 278, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 584, 611, 556, 556, 556, 556, 500, 556, 500,
];

#[rustfmt::skip]
const HELVETICA_BOLD: [u16; 224] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611,
    975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556,
    333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611,
    611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584, 350,
    556, 350, 278, 556, 500, 1000, 556, 556, 333, 1000, 667, 333, 1000, 350, 611, 350,
    350, 278, 278, 500, 500, 350, 556, 1000, 333, 1000, 556, 333, 944, 350, 500, 667,
    278, 333, 556, 556, 556, 556, 280, 556, 333, 737, 370, 556, 584, 333, 737, 333,
    400, 584, 333, 333, 333, 611, 556, 278, 333, 333, 365, 556, 834, 834, 834, 611,
    722, 722, 722, 722, 722, 722, 1000, 722, 667, 667, 667, 667, 278, 278, 278, 278,
    722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611,
    556, 556, 556, 556, 556, 556, 889, 556, 556, 556, 556, 556, 278, 278, 278, 278,
    611, 611, 611, 611, 611, 611, 611, 584, 611, 611, 611, 611, 611, 556, 611, 556,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &[Glyph]) -> String {
        line.iter().map(|(_, byte)| char::from(*byte)).collect()
    }

    #[test]
    fn widths_are_those_of_the_metrics() {
        // From the AFM files: A 667 and 722, i 222 and 278, atilde 556, Ccedilla 722, emdash 1000, space 278.
        assert_eq!(width(&Font::Regular.set("Ai"), 1000.0), 889.0);
        assert_eq!(width(&Font::Bold.set("Ai"), 1000.0), 1000.0);
        assert_eq!(width(&Font::Regular.set("ãÇ— "), 1000.0), 2556.0);
        for font in Font::ALL {
            let digits: Vec<_> = (b'0'..=b'9').map(|digit| width(&[(font, digit)], 1000.0)).collect();
            assert_eq!(digits, [556.0; 10], "figures stand below each other");
        }
    }

    #[test]
    fn breaks_between_words() {
        let long = Font::Regular.set("Avaliação de acompanhamento à distância com laudo e orientação");
        let lines = wrap(&long, 10.0, 100.0);
        assert!(lines.len() > 2 && lines.iter().all(|line| width(line, 10.0) <= 100.0));
        let again: Vec<_> = lines.iter().map(|line| text(line)).collect();
        assert_eq!(again.join(" "), text(&long));
    }

    #[test]
    fn breaks_within_a_word_where_it_must() {
        let lines = wrap(&Font::Bold.set(&format!("a {} b", "W".repeat(40))), 10.0, 100.0);
        assert!(lines.iter().all(|line| width(line, 10.0) <= 100.0));
        assert_eq!(lines.concat().iter().filter(|(_, byte)| *byte == b'W').count(), 40);
        assert_eq!(wrap(&Font::Bold.set("W"), 10.0, 1.0).len(), 1, "one letter is never broken");
    }

    #[test]
    fn nothing_is_one_empty_line() {
        assert_eq!(wrap(&[], 10.0, 100.0), [vec![]]);
    }
}

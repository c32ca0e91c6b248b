//! What differs between two texts, for people.

/// A line of two texts side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'t> {
    Both(&'t str),
    /// Only in the first.
    First(&'t str),
    /// Only in the second.
    Second(&'t str),
}

/// Common lines that are shown on each side of what differs.
const AROUND: usize = 2;

/// More comparisons than these are not made: texts so long are told apart as wholes.
const COMPARISONS_MAX: usize = 4_000_000;

/// The lines of two texts: the fewest that are only in one of them, those of the first before those of the second.
pub(super) fn lines<'t>(first: &'t str, second: &'t str) -> Vec<Line<'t>> {
    let (first, second): (Vec<&str>, Vec<&str>) = (first.split('\n').collect(), second.split('\n').collect());
    let before = first.iter().zip(&second).take_while(|(one, other)| one == other).count();
    let rest = first.len().min(second.len()) - before;
    let after = first.iter().rev().zip(second.iter().rev()).take(rest).take_while(|(one, other)| one == other).count();
    let middle = |lines: &[&'t str]| lines.get(before..lines.len() - after).unwrap_or_default().to_vec();
    let common = |line: &&'t str| Line::Both(line);
    let mut found: Vec<Line<'_>> = first.iter().take(before).map(common).collect();
    found.extend(differing(&middle(&first), &middle(&second)));
    found.extend(first.iter().skip(first.len() - after).map(common));
    found
}

/// The same for lists whose ends differ, by their longest common subsequence.
fn differing<'t>(first: &[&'t str], second: &[&'t str]) -> Vec<Line<'t>> {
    if first.len().saturating_mul(second.len()) > COMPARISONS_MAX {
        let second = second.iter().map(|line| Line::Second(line));
        return first.iter().map(|line| Line::First(line)).chain(second).collect();
    }
    // How long the longest common subsequence of their beginnings is.
    let mut lengths = vec![vec![0_usize; second.len() + 1]];
    for one in first {
        let mut row = vec![0];
        let above = lengths.last().map(Vec::as_slice).unwrap_or_default();
        for (other, pair) in second.iter().zip(above.windows(2)) {
            let [slanting, up] = pair else { continue };
            let left = row.last().copied().unwrap_or(0);
            row.push(if one == other { slanting + 1 } else { left.max(*up) });
        }
        lengths.push(row);
    }
    let length = |i: usize, j: usize| lengths.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    // From the end to the beginning.
    let mut found = Vec::new();
    let (mut i, mut j) = (first.len(), second.len());
    loop {
        let one = i.checked_sub(1).and_then(|i| first.get(i));
        let other = j.checked_sub(1).and_then(|j| second.get(j));
        match (one, other) {
            (Some(one), Some(other)) if one == other => {
                found.push(Line::Both(one));
                (i, j) = (i - 1, j - 1);
            }
            (one, Some(other)) if one.is_none() || length(i, j - 1) >= length(i - 1, j) => {
                found.push(Line::Second(other));
                j -= 1;
            }
            (Some(one), _) => {
                found.push(Line::First(one));
                i -= 1;
            }
            _ => break,
        }
    }
    found.reverse();
    found
}

/// What differs between texts of several lines: `-` stands before what is only in the first, `+` before what is only in the
/// second, with some common lines around. Nothing where they are equal.
pub(super) fn told(first: &str, second: &str) -> Vec<String> {
    let lines = lines(first, second);
    let differs = |line: &Line<'_>| !matches!(line, Line::Both(_));
    let near = |place: usize| lines.iter().skip(place.saturating_sub(AROUND)).take(place.min(AROUND) + 1 + AROUND).any(differs);
    let mut told: Vec<String> = Vec::new();
    let mut left_out = false;
    for (place, line) in lines.iter().enumerate() {
        if !near(place) {
            left_out = true;
            continue;
        }
        if std::mem::take(&mut left_out) {
            told.push("  …".to_owned());
        }
        told.push(match line {
            Line::Both(text) => format!("  {text}").trim_end().to_owned(),
            Line::First(text) => format!("- {text}"),
            Line::Second(text) => format!("+ {text}"),
        });
    }
    if left_out && !told.is_empty() {
        told.push("  …".to_owned());
    }
    told
}

/// Where `second` differs from `first`, for texts of one line: the place and length in characters. `None` where they have too
/// little in common for a mark to help.
pub(super) fn marked(first: &str, second: &str) -> Option<(usize, usize)> {
    let before = first.chars().zip(second.chars()).take_while(|(one, other)| one == other).count();
    let (long, other) = (second.chars().count(), first.chars().count());
    let rest = long.min(other) - before;
    let after = first.chars().rev().zip(second.chars().rev()).take(rest).take_while(|(one, other)| one == other).count();
    let common = before + after;
    (common * 2 >= long.min(other)).then_some((before, (long - common).max(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `lines` say that one of the texts is.
    fn text(lines: &[Line<'_>], second: bool) -> String {
        let lines = lines.iter().filter_map(|line| match line {
            Line::Both(text) => Some(*text),
            Line::First(text) => (!second).then_some(*text),
            Line::Second(text) => second.then_some(*text),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_changed_line_stands_among_its_neighbours() {
        let lines: Vec<String> = (1..=9).map(|number| number.to_string()).collect();
        let first = lines.join("\n");
        assert_eq!(told(&first, &first.replace('5', "cinco")), ["  …", "  3", "  4", "- 5", "+ cinco", "  6", "  7", "  …"]);
        assert_eq!(told("a\nb", "a\nb\nc"), ["  a", "  b", "+ c"]);
        assert_eq!(told("a\nb\nc", "b\nc\nd"), ["- a", "  b", "  c", "+ d"], "what stays is found again where it moved to");
        assert_eq!(told("a\n", "a"), ["  a", "- "], "the line break at the end counts");
    }

    #[test]
    fn a_line_is_marked_where_it_differs() {
        assert_eq!(marked("Olá João!", "Olá José!"), Some((6, 2)));
        assert_eq!(marked("Olá!", "Olá, Ana!"), Some((3, 5)));
        assert_eq!(marked("Olá, Ana!", "Olá!"), Some((3, 1)), "what is missing has a place too");
        assert_eq!(marked("aa", "aaa"), Some((2, 1)), "no character is taken for both ends");
        assert_eq!(marked("runs", "waits"), None, "they have an s in common");
    }

    #[test]
    fn long_texts_are_told_apart_as_wholes() {
        let first = "a\n".repeat(2_100) + "x";
        let second = "b\n".repeat(2_100) + "y";
        let found = lines(&first, &second);
        assert_eq!((text(&found, false), text(&found, true)), (first, second));
    }

    proptest! {
        #[test]
        fn nothing_differs_between_equal_texts(text in "([ab]?\n){0,8}[ab]?") {
            prop_assert_eq!(told(&text, &text), Vec::<String>::new());
            prop_assert!(lines(&text, &text).iter().all(|line| matches!(line, Line::Both(_))));
        }

        #[test]
        fn either_text_can_be_made_of_the_lines(first in "([abc]?\n){0,8}[abc]?", second in "([abc]?\n){0,8}[abc]?") {
            let found = lines(&first, &second);
            prop_assert_eq!(text(&found, false), first.clone());
            prop_assert_eq!(text(&found, true), second.clone());
            prop_assert_eq!(told(&first, &second).is_empty(), first == second);
        }

        #[test]
        fn what_is_not_marked_is_common(first in "[ab]{0,6}", second in "[ab]{0,6}") {
            prop_assume!(first != second);
            let Some((place, length)) = marked(&first, &second) else { return Ok(()) };
            let end: String = second.chars().skip(place + length).collect();
            prop_assert_eq!(first.chars().take(place).collect::<String>(), second.chars().take(place).collect::<String>());
            prop_assert!(first.ends_with(&end));
        }
    }
}

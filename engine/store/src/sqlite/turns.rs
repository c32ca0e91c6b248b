//! In whose turn jobs begin: start-time fair queueing (P. Goyal, H. Vin, H. Cheng, 1996).
//!
//! Every clinic has a line of its own for each priority, and a job's turn comes so much after the one before it in that line, or after
//! the turn that is being served, whichever is later. So who has one job waiting comes next, however many others have. Those that come
//! back from somewhere stand in a second line of their clinic and priority, whose first turn is the one that is being served: what
//! waited long goes on at once, and keeps nobody else waiting for more than every other job of his.

use std::collections::HashMap;

use zelo_core::concurrency::Priority;

/// Lines that are remembered at most. Of more, those that are ahead the least are forgotten: they come a little sooner than they should.
const LINES_MAX: usize = 8192;

type Name = (String, Option<String>, Priority);

/// Where the lines stand. Nothing is lost with it: a store that is opened makes it anew.
#[derive(Default)]
pub(super) struct Turns {
    /// The turn that is being served.
    pub(super) serving: i64,
    /// The last turn of each line.
    last: HashMap<Name, i64>,
    /// The last turn of those that came back to each line.
    back: HashMap<Name, i64>,
}

impl Turns {
    /// A line as it was found.
    pub(super) fn found(&mut self, connection: &str, clinic: Option<&str>, priority: Priority, last: i64) {
        remember(&mut self.last, self.serving, (connection, clinic, priority), last);
    }

    /// The turn of a job that becomes ready.
    pub(super) fn next(&mut self, connection: &str, clinic: Option<&str>, priority: Priority) -> i64 {
        let name = (connection.to_owned(), clinic.map(str::to_owned), priority);
        let last = self.last.get(&name).copied().unwrap_or(self.serving);
        let turn = self.serving.max(last).saturating_add(priority.cost());
        remember(&mut self.last, self.serving, (connection, clinic, priority), turn);
        turn
    }

    /// The turn of a job that comes back.
    pub(super) fn again(&mut self, connection: &str, clinic: Option<&str>, priority: Priority) -> i64 {
        let name = (connection.to_owned(), clinic.map(str::to_owned), priority);
        let after = self.back.get(&name).map_or(self.serving, |last| last.saturating_add(priority.cost()));
        let turn = self.serving.max(after);
        remember(&mut self.back, self.serving, (connection, clinic, priority), turn);
        turn
    }
}

/// Remembers the last turn of a line. Where there are too many lines, those that are at most being served go, and then the half that is
/// ahead the least: each look at all of them pays for many more lines.
fn remember(lines: &mut HashMap<Name, i64>, serving: i64, (connection, clinic, priority): (&str, Option<&str>, Priority), turn: i64) {
    if lines.len() >= LINES_MAX {
        let mut turns: Vec<i64> = lines.values().copied().collect();
        let (_, middle, _) = turns.select_nth_unstable(LINES_MAX / 2);
        let middle = serving.max(*middle);
        lines.retain(|_, last| *last > middle);
    }
    lines.insert((connection.to_owned(), clinic.map(str::to_owned), priority), turn);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_however_many_clinics_there_are() {
        let mut turns = Turns::default();
        for number in 0..100_000 {
            // Of few many jobs wait; of most, one.
            let clinic = if number % 10 == 0 { "flood".to_owned() } else { number.to_string() };
            turns.next("centro", Some(&clinic), Priority::Normal);
            turns.again("centro", Some(&clinic), Priority::Normal);
            assert!(turns.last.len() <= LINES_MAX && turns.back.len() <= LINES_MAX);
        }
        let flood = turns.next("centro", Some("flood"), Priority::Normal);
        assert_eq!(flood, 10_001 * Priority::Normal.cost(), "who is ahead the most is not forgotten");
    }

    #[test]
    fn who_comes_back_stands_in_a_line_of_those() {
        let mut turns = Turns { serving: 100, ..Turns::default() };
        assert_eq!([1; 3].map(|_| turns.again("c", Some("a"), Priority::Normal)), [100, 104, 108]);
        assert_eq!([1; 2].map(|_| turns.next("c", Some("a"), Priority::Normal)), [104, 108]);
        assert_eq!(turns.again("c", Some("b"), Priority::Normal), 100);
        turns.serving = 300;
        assert_eq!((turns.again("c", Some("a"), Priority::Normal), turns.next("c", Some("a"), Priority::Low)), (300, 316));
    }
}

//! Bars by day, drawn here: a picture that needs no script, and a table that says the same.

use jiff::civil::Date;
use maud::{Markup, html};

use super::words::Words as Own;
use crate::pages::moments::{day, number};
use crate::pages::tables::table;
use crate::pages::words::Words;

/// One day: what came, what was done, what failed.
pub(super) struct Day {
    pub(super) date: Date,
    pub(super) came: u64,
    pub(super) done: u64,
    pub(super) failed: u64,
}

/// One row of bars: what it is called, its class, and what it counts.
type Series = (&'static str, &'static str, fn(&Day) -> u64);

/// The room of a day, of the bars, of the numbers above them and of the days below them.
const WIDE: u64 = 26;
const HIGH: u64 = 64;
const ABOVE: u64 = 14;
const BELOW: u64 = 16;

/// The days, oldest first, as pictures and as a table.
pub(super) fn charts(words: &Words, own: &Own, days: &[Day]) -> Markup {
    let series: [Series; 3] =
        [(own.came, "came", |day| day.came), (own.done, "done", |day| day.done), (own.failed, "failed", |day| day.failed)];
    let rows = html! {
        @for one in days.iter().rev() {
            tr {
                th scope="row" { (day(words, one.date)) }
                @for (_, _, count) in series { td.number { (number(words, count(one))) } }
            }
        }
    };
    html! {
        div.charts { @for series in series { (chart(words, series, days)) } }
        details data-key="by-day-table" {
            summary { (own.as_table) }
            (table(own.by_day, &[own.day, own.came, own.done, own.failed], &rows))
        }
    }
}

fn chart(words: &Words, (title, class, count): Series, days: &[Day]) -> Markup {
    let most = days.iter().map(count).max().unwrap_or(0).max(1);
    let total: u64 = days.iter().map(count).sum();
    let width = WIDE * days.len() as u64;
    // What the picture says, for who does not see it; each number stands in the table.
    let told = format!("{title}: {}", days.iter().map(|day| number(words, count(day))).collect::<Vec<_>>().join(", "));
    html! {
        figure.chart {
            figcaption { (title) " " strong { (number(words, total)) } }
            svg.bars role="img" aria-label=(told) viewBox={ "0 0 " (width) " " (ABOVE + HIGH + BELOW) } {
                @for (place, day) in days.iter().enumerate() {
                    @let (left, count) = (place as u64 * WIDE, count(day));
                    // Something is to be seen wherever there is something.
                    @let high = if count == 0 { 0 } else { (count * HIGH / most).max(2) };
                    @let middle = left + WIDE / 2;
                    @if count > 0 {
                        rect class=(class) x=(left + 4) y=(ABOVE + HIGH - high) width=(WIDE - 8) height=(high) rx="2" {}
                        text x=(middle) y=(ABOVE + HIGH - high - 3) { (short(words, count)) }
                    }
                    text.day x=(middle) y=(ABOVE + HIGH + 12) { (day.date.day()) }
                }
                line x1="0" x2=(width) y1=(ABOVE + HIGH) y2=(ABOVE + HIGH) {}
            }
        }
    }
}

/// So that it has room above its bar: `950`, `12k`.
fn short(words: &Words, count: u64) -> String {
    if count < 10_000 { number(words, count) } else { format!("{}k", count / 1_000) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::words::called;

    #[test]
    fn bars_stand_for_their_numbers() {
        let days: Vec<Day> = [0, 1, 50, 12_345]
            .into_iter()
            .enumerate()
            .map(|(place, came)| Day { date: jiff::civil::date(2026, 3, 1 + place as i8), came, done: 0, failed: 0 })
            .collect();
        let words = called("pt-BR").unwrap();
        let drawn = chart(words, ("Recebidos", "came", |day| day.came), &days).0;
        assert_eq!(drawn.matches("<rect").count(), 3, "nothing is drawn for nothing: {drawn}");
        assert!(drawn.contains("height=\"64\"") && drawn.contains("height=\"2\""), "{drawn}");
        assert!(drawn.contains("aria-label=\"Recebidos: 0, 1, 50, 12.345\"") && drawn.contains(">12k<"), "{drawn}");
        assert!(drawn.contains("<strong>12.396</strong>"), "{drawn}");
    }
}

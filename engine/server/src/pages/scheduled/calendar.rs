//! The days around one: its week as a strip, its month as a calendar, each a link with how much there is.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use maud::{Markup, html};

use super::Asked;
use super::words::Words;
use crate::pages::words::Words as Common;

/// The weeks that a month touches, at most.
const WEEKS: i64 = 6;

/// The days of a calendar, with how much there is on each.
pub(super) struct Calendar {
    /// The day that is shown.
    pub(super) day: Date,
    today: Date,
    /// A Monday, and the days after it.
    days: Vec<(Date, u64)>,
}

/// The first and the last instant of `date` in `zone`; where a clock jumps over midnight, what comes right after it.
pub(super) fn span(date: Date, zone: &TimeZone) -> (Timestamp, Timestamp) {
    let begin = |date: Date| date.to_zoned(zone.clone()).map_or(Timestamp::MAX, |zoned| zoned.timestamp());
    (begin(date), begin(date.saturating_add(1.day())))
}

/// The days that the calendar around `day` has: whole weeks, those of its month.
pub(super) fn days(day: Date) -> Vec<Date> {
    let first = monday(day.first_of_month());
    (0..WEEKS * 7).map(|number| first.saturating_add(number.days())).collect()
}

fn monday(day: Date) -> Date {
    day.saturating_sub(i64::from(day.weekday().to_monday_zero_offset()).days())
}

impl Calendar {
    /// With these counts of [`days`].
    pub(super) fn new(day: Date, today: Date, counts: Vec<u64>) -> Self {
        Self { day, today, days: days(day).into_iter().zip(counts).collect() }
    }

    /// The next day with something on it.
    pub(super) fn next(&self) -> Option<Date> {
        self.days.iter().find(|(day, count)| *day > self.day && *count > 0).map(|(day, _)| *day)
    }

    pub(super) fn markup(&self, words: &Words, common: &Common, asked: &Asked) -> Markup {
        let week = monday(self.day);
        let in_week = |day: Date| day >= week && day < week.saturating_add(7.days());
        let month = |day: Date| day.month() == self.day.month() && day.year() == self.day.year();
        let name = words.months.get(self.day.month() as usize - 1).copied().unwrap_or_default();
        let first = self.day.first_of_month();
        html! {
            nav.week aria-label=(words.week) {
                a.button.quiet href=(asked.at(self.day.saturating_sub(7.days()))) aria-label=(words.before) { "‹" }
                ul { @for (day, count) in self.days.iter().filter(|(day, _)| in_week(*day)) { li { (self.link(words, common, asked, *day, *count)) } } }
                a.button.quiet href=(asked.at(self.day.saturating_add(7.days()))) aria-label=(words.after) { "›" }
            }
            details.month data-key="month" {
                summary { (words.month) }
                nav aria-label=(words.month) {
                    p.pager {
                        a href=(asked.at(first.saturating_sub(1.day()).first_of_month())) { "‹" }
                        strong { (name) " " (self.day.year()) }
                        a href=(asked.at(self.day.last_of_month().saturating_add(1.day()))) { "›" }
                    }
                    table {
                        thead { tr { @for short in words.short { th scope="col" { (short) } } } }
                        tbody {
                            @for week in self.days.chunks(7).filter(|week| week.iter().any(|(day, _)| month(*day))) {
                                tr { @for (day, count) in week { td.other[!month(*day)] { (self.link(words, common, asked, *day, *count)) } } }
                            }
                        }
                    }
                }
            }
        }
    }

    fn link(&self, words: &Words, common: &Common, asked: &Asked, day: Date, count: u64) -> Markup {
        let short = words.short[day.weekday().to_monday_zero_offset() as usize];
        html! {
            a.day.today[day == self.today] href=(asked.at(day)) aria-current=[(day == self.day).then_some("date")] {
                span.short { (short) }
                time datetime=(day) { (day.day()) }
                span.hidden { ": " (words.count(common, count)) }
                @if count > 0 { span.many aria-hidden="true" { (count) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn a_calendar_has_the_whole_weeks_of_its_month() {
        for day in ["2026-03-02", "2026-02-28", "2026-08-31", "2027-01-01"] {
            let (day, days) = (date(day), days(date(day)));
            assert_eq!((days.len(), days[0].weekday()), (42, jiff::civil::Weekday::Monday));
            assert!(days.contains(&day.first_of_month()) && days.contains(&day.last_of_month()), "{day}");
            let calendar = Calendar::new(day, day, vec![1; 42]);
            let week = calendar.days.iter().filter(|(one, _)| *one >= monday(day) && *one < monday(day).saturating_add(7.days()));
            assert_eq!(week.count(), 7, "{day}");
        }
    }

    #[test]
    fn a_day_is_that_of_its_zone() {
        let zone = TimeZone::get("America/Sao_Paulo").unwrap();
        let (from, to) = span(date("2026-03-02"), &zone);
        assert_eq!((from.to_string(), to.to_string()), ("2026-03-02T03:00:00Z".into(), "2026-03-03T03:00:00Z".into()));
    }
}

//! What came in each hour, as bars, and as numbers for who does not see them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use zelo_core::hearing::Hour;

use super::words::Words;
use crate::pages::moments::{hour, number};
use crate::pages::tables::table;
use crate::pages::visit::Visit;

/// Of the drawing.
const BAR: u64 = 20;
const HEIGHT: u64 = 100;

/// Bars for the hours since 1970, each with what was taken and what was refused.
pub(super) fn by_hour(visit: &Visit, w: &Words, hours: &[(i64, Hour)], zone: &TimeZone) -> Markup {
    let most = hours.iter().map(|(_, came)| came.accepted + came.refused).max().unwrap_or(0).max(1);
    let tall = |count: u64| if count == 0 { 0 } else { (count * HEIGHT / most).max(2) };
    let begins = |at: i64| Timestamp::from_second(at.saturating_mul(3600)).unwrap_or(Timestamp::UNIX_EPOCH);
    let width = BAR * hours.len() as u64;
    html! {
        figure {
            svg.hours viewBox={ "0 0 " (width) " " (HEIGHT + 1) } role="img" aria-label=(w.by_hour) {
                line x1="0" x2=(width) y1=(HEIGHT) y2=(HEIGHT) {}
                @for ((_, came), place) in hours.iter().zip(0_u64..) {
                    @let (taken, refused) = (tall(came.accepted), tall(came.refused).min(HEIGHT - tall(came.accepted).min(HEIGHT)));
                    rect.came x=(place * BAR + 2) y=(HEIGHT - taken) width=(BAR - 4) height=(taken) {}
                    rect.refused x=(place * BAR + 2) y=(HEIGHT - taken - refused) width=(BAR - 4) height=(refused) {}
                }
            }
            figcaption.none { (w.by_hour) }
        }
        details data-key="numbers" {
            summary { (w.in_numbers) }
            (table(w.by_hour, &[w.hour, w.taken, w.refused], &html! {
                @for (at, came) in hours.iter().filter(|(_, came)| came.accepted + came.refused > 0) {
                    tr { th scope="row" { (hour(begins(*at), zone)) } td { (number(visit.words, came.accepted)) } td { (number(visit.words, came.refused)) } }
                }
            }))
        }
    }
}

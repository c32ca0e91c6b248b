//! What is wrong around the jobs: silent connections, refusals that rise, systems that are down, and the last refused deliveries.

use jiff::tz::TimeZone;
use maud::{Markup, html};
use zelo_runtime::Heard;
use zelo_runtime::outbound::Down;
use zelo_store::Page;

use super::refused::rows;
use super::words::Words;
use crate::pages::moments::moment;
use crate::pages::tables::section;
use crate::pages::visit::Visit;
use crate::problem::Problem;
use crate::seen::Seen;

/// Refused deliveries that stand on the page of failures.
const LATEST: u32 = 5;

pub(super) async fn around(visit: &Visit, words: &Words, zone: &TimeZone) -> Result<Markup, Problem> {
    let common = visit.words;
    let (heard, down) = (visit.app.runtime.heard(), visit.app.runtime.down());
    let silent: Vec<&Heard> = heard.iter().filter(|heard| heard.silent).collect();
    let rising: Vec<&Heard> = heard.iter().filter(|heard| heard.refusals_rise).collect();
    let refused = visit.app.runtime.store.refused(&Page { limit: LATEST, ..Page::default() }).await?;
    Seen::of("refused").rows(&refused).by(&visit.who, &visit.app).await?;
    let alarm = |id: &str, title: &str, content: &Markup| html! { div.alarm data-key={ "alarm " (id) } { (section(id, title, content)) } };
    Ok(html! {
        @if !down.is_empty() {
            (alarm("down", common.down, &html! {
                ul {
                    @for Down { host, since, again, .. } in &down {
                        li {
                            strong { (host) } " " (common.down_since) " " (moment(common, *since, zone)) " · "
                            @if let Some(again) = again { (common.down_again) " " (moment(common, *again, zone)) } @else { (common.down_tried) }
                        }
                    }
                }
            }))
        }
        @if !silent.is_empty() {
            (alarm("silent", common.silent, &html! {
                p { (common.silent_how) }
                ul { @for heard in &silent { li { strong { (heard.connection) } @if let Some(last) = heard.last { " " (common.silent_since) " " (moment(common, last, zone)) } } } }
            }))
        }
        @if !rising.is_empty() {
            (alarm("rising", common.rising, &html! {
                p { (common.rising_how) }
                ul { @for heard in &rising { li { a href={ "/refused?connection=" (heard.connection) } { (heard.connection) } } } }
            }))
        }
        (section("refused", words.refusals, &html! {
            @if refused.is_empty() {
                div.empty { p { (words.no_refusals) } p { (words.no_refusals_teach) } }
            } @else {
                (rows(visit, words, &refused, zone))
                p { a href="/refused" { (words.all_refusals) } }
            }
        }))
    })
}

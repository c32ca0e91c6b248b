//! Deliveries that were refused, on the first page.

use maud::{Markup, html};
use zelo_store::RefusedView;

use super::tables::{section, table, time};
use super::words::Words;

/// The last of them; nothing where there are none.
pub(super) fn refused(words: &Words, rows: &[RefusedView]) -> Markup {
    if rows.is_empty() {
        return html! {};
    }
    let lines = html! {
        @for view in rows {
            @let refused = &view.refused;
            tr data-key={ "refused " (refused.trace) } {
                td { (time(refused.at)) }
                th scope="row" { code { (refused.connection) } }
                td.text lang="en" { code { (refused.code) } " " (refused.why) }
                td { (refused.address.as_deref().unwrap_or_default()) }
                td { (refused.count) }
            }
        }
    };
    let columns = [words.time, words.connection, words.refusal_why, words.address, words.times];
    section("refused", words.refusals, &table(words.latest_refusals, &columns, &lines))
}

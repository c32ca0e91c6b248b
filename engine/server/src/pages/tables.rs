//! What pages are made of: sections, tables, and how values are told in them.

use maud::{Markup, html};
use zelo_core::JobState;
use zelo_core::job::Reason;

use super::words::Words;

pub(super) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section id=(id) data-key=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            (content)
        }
    }
}

/// A table that scrolls by itself where the window is narrow; reachable with the keyboard for that.
pub(crate) fn table(caption: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" data-key={ "table " (caption) } {
            table {
                caption { (caption) }
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// To three digits or so: people compare it, and do not calculate with it.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..10_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

/// In the language of the page where it has words for it, else as it is.
pub(crate) fn reason<'r>(words: &Words, state: JobState, reason: &'r Reason) -> &'r str {
    words.reason(state, reason).unwrap_or(&reason.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_roughly() {
        let told = [0, 999, 1_000, 1_001, 9_999_999, 10_000_000].map(size);
        assert_eq!(told, ["0 B", "999 B", "1 kB", "2 kB", "10000 kB", "10 MB"]);
    }
}

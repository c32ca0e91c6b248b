//! Which events: `um agendamento é criado ou alterado`.

use std::collections::BTreeSet;

use super::speaker::Speaker;
use super::words::{definite, list, quoted};

impl Speaker<'_> {
    /// What happens, one of these types; and whether there is more than one.
    pub(super) fn happens(&self, types: &BTreeSet<String>) -> (String, bool) {
        let told = self.titles(types);
        (list(&merged(&told), self.pick("ou", "or")), told.len() > 1)
    }

    /// The same of things that were named before.
    pub(super) fn happens_to_it(&self, types: &BTreeSet<String>) -> String {
        let told: Vec<String> = self.titles(types).iter().map(|title| definite(self.language, title)).collect();
        list(&merged(&told), self.pick("ou", "or"))
    }

    /// In the order of the sources, which is that of a thing's life; then what only plugins emit.
    fn titles(&self, types: &BTreeSet<String>) -> Vec<String> {
        let mut order: Vec<&str> = Vec::new();
        for kind in self.sources().flat_map(|source| source.types()).chain(types.iter().map(String::as_str)) {
            if types.contains(kind) && !order.contains(&kind) {
                order.push(kind);
            }
        }
        order.into_iter().map(|kind| self.title(kind)).collect()
    }

    fn title(&self, kind: &str) -> String {
        let events = self.sources().flat_map(|source| &source.events).filter(|event| event.kind == kind);
        let title = events.filter_map(|event| event.title.as_ref()?.get(self.locale)).next();
        title.map_or_else(
            || self.pick(format!("acontece {}", quoted(kind)), format!("{} happens", quoted(kind))),
            |title| title.trim().to_owned(),
        )
    }
}

/// Those that differ in their last word only are one: `um agendamento é criado`, `… alterado`.
fn merged(titles: &[String]) -> Vec<String> {
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for title in titles {
        let (head, last) = title.rsplit_once(' ').unwrap_or(("", title));
        // Of one word alone nobody knows what it belongs to.
        let head = if head.contains(' ') && !last.ends_with('”') { head } else { "" };
        match told.last_mut() {
            Some((known, lasts)) if !head.is_empty() && known == head => lasts.push(last.to_owned()),
            _ if head.is_empty() => told.push((String::new(), vec![title.clone()])),
            _ => told.push((head.to_owned(), vec![last.to_owned()])),
        }
    }
    told.into_iter().flat_map(|(head, lasts)| with_head(&head, lasts)).collect()
}

/// The first with what they share; the others are their last words.
fn with_head(head: &str, lasts: Vec<String>) -> Vec<String> {
    let first = |last: String| if head.is_empty() { last } else { format!("{head} {last}") };
    let mut lasts = lasts.into_iter();
    lasts.next().map(first).into_iter().chain(lasts).collect()
}

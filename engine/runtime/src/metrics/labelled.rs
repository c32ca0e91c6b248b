//! Figures by labels: found without a lock or an allocation once they are known.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

/// Combinations of values that one figure is told apart by at most. Names of rules, plugins and hosts are the operator's own, so it takes
/// a mistake to come so far; from then on they are counted together.
pub(super) const COMBINATIONS_MAX: usize = 2_000;

/// The value of every label of what is counted together.
pub(super) const OTHER: &str = "other";

/// One `M` for each combination of the values of `N` labels.
#[derive(Debug)]
pub(super) struct Labelled<const N: usize, M> {
    names: [&'static str; N],
    /// In the order of their values.
    known: ArcSwap<Vec<Entry<N, M>>>,
    /// Held by who adds one.
    adding: Mutex<()>,
    new: fn() -> M,
}

/// The values of the labels, and what they stand for.
type Entry<const N: usize, M> = ([Box<str>; N], Arc<M>);

impl<const N: usize, M> Labelled<N, M> {
    pub(super) fn new(names: [&'static str; N], new: fn() -> M) -> Self {
        Self { names, known: ArcSwap::default(), adding: Mutex::default(), new }
    }

    /// Has `act` look at the one with these values.
    pub(super) fn with(&self, values: [&str; N], act: impl FnOnce(&M)) {
        {
            let known = self.known.load();
            if let Ok(place) = place(&known, &values)
                && let Some((_, found)) = known.get(place)
            {
                return act(found);
            }
        }
        act(&self.add(values));
    }

    /// The one with these values, made if nobody was faster.
    fn add(&self, values: [&str; N]) -> Arc<M> {
        let _turn = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known.load_full();
        let full = known.len() >= COMBINATIONS_MAX;
        let values = if full && place(&known, &values).is_err() { [OTHER; N] } else { values };
        match place(&known, &values) {
            Ok(place) => known[place].1.clone(),
            Err(place) => {
                let made = Arc::new((self.new)());
                let mut more = Vec::clone(&known);
                more.insert(place, (values.map(Box::from), made.clone()));
                self.known.store(Arc::new(more));
                made
            }
        }
    }

    /// Has `act` look at each with its values, in order.
    pub(super) fn every(&self, mut act: impl FnMut([&str; N], &M)) {
        for (values, found) in self.known.load().iter() {
            act(values.each_ref().map(AsRef::as_ref), found);
        }
    }

    /// Each with its labels, in order.
    pub(super) fn each(&self, mut act: impl FnMut(&[(&'static str, &str)], &M) -> std::fmt::Result) -> std::fmt::Result {
        for (values, found) in self.known.load().iter() {
            let labels: Vec<_> = self.names.into_iter().zip(values.iter().map(AsRef::as_ref)).collect();
            act(&labels, found)?;
        }
        Ok(())
    }
}

impl<const N: usize> Labelled<N, AtomicU64> {
    /// The sum of those whose values are `wanted`.
    pub(super) fn sum(&self, wanted: impl Fn([&str; N]) -> bool) -> u64 {
        let known = self.known.load();
        let wanted = known.iter().filter(|(values, _)| wanted(values.each_ref().map(AsRef::as_ref)));
        wanted.map(|(_, count)| count.load(Ordering::Relaxed)).sum()
    }
}

fn place<const N: usize, M>(known: &[Entry<N, M>], values: &[&str; N]) -> Result<usize, usize> {
    known.binary_search_by(|(found, _)| found.iter().map(AsRef::as_ref).cmp(values.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(labelled: &Labelled<2, AtomicU64>) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        let each = |labels: &[(&str, &str)], count: &AtomicU64| {
            let values: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            all.push((values.join(","), count.load(Ordering::Relaxed)));
            Ok(())
        };
        labelled.each(each).unwrap();
        all
    }

    #[test]
    fn each_combination_is_counted_by_itself() {
        let labelled = Labelled::new(["a", "b"], AtomicU64::default);
        for values in [["x", "1"], ["x", "0"], ["x", "1"], ["w", "9"]] {
            labelled.with(values, super::super::one_more);
        }
        assert_eq!(counts(&labelled), [("a=w,b=9".into(), 1), ("a=x,b=0".into(), 1), ("a=x,b=1".into(), 2)]);
    }

    #[test]
    fn there_is_an_end_to_them() {
        let labelled = Labelled::new(["a", "b"], AtomicU64::default);
        for number in 0..COMBINATIONS_MAX + 500 {
            labelled.with([&number.to_string(), "x"], super::super::one_more);
        }
        let all = counts(&labelled);
        assert_eq!(all.len(), COMBINATIONS_MAX + 1);
        assert!(all.contains(&("a=other,b=other".into(), 500)), "nothing is lost");
    }
}

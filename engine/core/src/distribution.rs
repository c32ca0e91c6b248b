//! How values are spread: counted in buckets, as monitoring reads them.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts observed values in buckets, from any thread, without a lock.
#[derive(Debug)]
pub struct Distribution {
    bounds: &'static [f64],
    /// One for each bound, and one for what is beyond the last.
    counts: Box<[AtomicU64]>,
    /// Of the values, in millionths.
    sum: AtomicU64,
}

/// What a [`Distribution`] stands at.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// The upper end of each bucket but the last, which has none.
    pub bounds: &'static [f64],
    /// How many values are in each bucket, and in no lower one; one more than bounds.
    pub counts: Vec<u64>,
    /// Of all values.
    pub sum: f64,
}

impl Distribution {
    /// Nothing yet, in buckets up to and including each of `bounds`, which rise.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    /// Counts `value`; one below zero as zero.
    pub fn observe(&self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        // A float that is too large or no number becomes the nearest integer, or zero.
        self.sum.fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }

    /// What it stands at.
    pub fn spread(&self) -> Spread {
        Spread {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed) as f64 / 1e6,
        }
    }
}

impl Spread {
    /// Below which value this share of them lies, by the upper end of its bucket; nothing where there are none, or where it lies beyond all
    /// ends.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = share * self.count() as f64;
        let mut below = 0;
        let bucket = self.counts.iter().position(|count| {
            below += count;
            below > 0 && below as f64 >= wanted
        })?;
        self.bounds.get(bucket).copied()
    }

    /// The same with the values of `other`, which has the same bounds.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.sum += other.sum;
        self
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_once_in_the_lowest_bucket_that_holds_it() {
        let distribution = Distribution::new(&[0.5, 1.0, 10.0]);
        for value in [0.1, 0.5, 0.6, 10.0, 10.1, -3.0] {
            distribution.observe(value);
        }
        let spread = distribution.spread();
        assert_eq!(spread.counts, [3, 1, 1, 1]);
        assert_eq!(spread.count(), 6);
        assert_eq!([0.5, 0.6, 0.75, 1.0].map(|share| spread.quantile(share)), [Some(0.5), Some(1.0), Some(10.0), None]);
        assert_eq!(Distribution::new(&[1.0]).spread().quantile(0.5), None);
        assert_eq!(spread.clone().and(&spread).counts, [6, 2, 2, 2]);
        assert!((spread.sum - 21.3).abs() < 1e-6, "{}", spread.sum);
    }
}

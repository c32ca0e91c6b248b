//! When to try again.

use jiff::SignedDuration;

/// How often, and how far apart, a failed action is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles from then on.
    pub first: SignedDuration,
    /// No wait is longer, `Retry-After` included.
    pub longest: SignedDuration,
}

impl Default for RetryPolicy {
    /// Eight attempts over about an hour.
    fn default() -> Self {
        Self { attempts: 8, first: SignedDuration::from_secs(15), longest: SignedDuration::from_hours(1) }
    }
}

impl RetryPolicy {
    /// The wait after attempt number `attempt` (1 is the first) failed, or `None` when it was the last.
    ///
    /// Exponential with full jitter (half of it is fixed, so that a retry never comes at once): `jitter` is any number,
    /// the same number gives the same wait. `after` is what the destination asked for.
    pub fn wait(&self, attempt: u32, after: Option<SignedDuration>, jitter: u64) -> Option<SignedDuration> {
        if attempt >= self.attempts {
            return None;
        }
        let doubled = self.first.as_millis().saturating_mul(1 << attempt.saturating_sub(1).min(30));
        let ceiling = doubled.min(self.longest.as_millis()).max(2) as u64;
        let wait = SignedDuration::from_millis((ceiling / 2 + jitter % (ceiling / 2)) as i64);
        Some(after.map_or(wait, |after| wait.max(after)).min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let policy = RetryPolicy::default();
        let wait = |attempt| policy.wait(attempt, None, 0).map(|wait| wait.as_secs());
        assert_eq!((1..=8).map(wait).collect::<Vec<_>>(), [Some(7), Some(15), Some(30), Some(60), Some(120), Some(240), Some(480), None]);
        let asked = policy.wait(1, Some(SignedDuration::from_mins(5)), 9).unwrap();
        assert_eq!(asked.as_secs(), 300, "Retry-After is honoured");
        assert_eq!(policy.wait(1, Some(SignedDuration::from_hours(99)), 9).unwrap(), policy.longest, "but bounded");
    }
}

//! What an index costs: before it is built, so that one that would blow up is refused and not built.

/// No index takes more memory, by this estimate, in bytes.
const MEMORY_MAX: u64 = 1 << 30;
/// No event costs more work for rules that are not filed, counted in plain tests.
const WORK_MAX: u64 = 1_000_000;

/// What an index costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    /// An estimate of the memory that it takes, in bytes.
    pub(crate) memory: u64,
    /// The tests that every event of some type costs at worst, whatever it says, because the rules have no condition under which they could be
    /// filed: a plain one counts 1, a pattern 20, a JSONPath filter or a date 100.
    pub(crate) work: u64,
}

impl Score {
    /// Why an index of this score is not built; nothing where it is.
    pub(crate) fn refusal(&self) -> Option<String> {
        if self.memory > MEMORY_MAX {
            let (score, most) = (self.memory >> 20, MEMORY_MAX >> 20);
            return Some(format!("the conditions of these rules would take {score} MiB of memory; at most {most} MiB is taken"));
        }
        if self.work > WORK_MAX {
            let score = self.work;
            return Some(format!(
                "each event of some type would cost {score} tests, because the rules about it can be told apart by no value; at most {WORK_MAX} are taken"
            ));
        }
        None
    }
}

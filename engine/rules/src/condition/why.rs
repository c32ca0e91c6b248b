//! Says why a clause keeps a condition from holding: the path and what is the matter with it, never a value.

use super::{Clause, Comparison, Failure, TestKind};

impl Failure<'_> {
    /// In words: `$.data.event_status is one of those excluded`, `patient $.phones[0] is missing`.
    pub fn why(&self) -> String {
        let matter = if self.missing { "is missing" } else { matter(&self.clause.test.kind, self.clause.test.negated != self.inverted) };
        format!("{} {matter}", self.clause.place())
    }
}

impl Clause {
    /// The path, and whose it is.
    pub fn place(&self) -> String {
        match &self.record {
            Some(record) => format!("{record} {}", self.path.as_str()),
            None => self.path.as_str().to_owned(),
        }
    }
}

/// What is the matter where a test fails (`excluded`: where it holds and should not).
fn matter(kind: &TestKind, excluded: bool) -> &'static str {
    match (kind, excluded) {
        (TestKind::Exists, false) | (TestKind::Missing, true) => "is missing",
        (TestKind::Exists, true) | (TestKind::Missing, false) => "is there",
        (TestKind::IsNull, false) => "is not null",
        (TestKind::IsNull, true) => "is null",
        (TestKind::Equals(_), false) => "is not the value wanted",
        (TestKind::Equals(_), true) => "is the value excluded",
        (TestKind::In(_), false) => "is none of those wanted",
        (TestKind::In(_), true) => "is one of those excluded",
        (TestKind::Compare(Comparison::Gt, _), false) => "is not a number above its limit",
        (TestKind::Compare(Comparison::Gte, _), false) => "is not a number at or above its limit",
        (TestKind::Compare(Comparison::Lt, _), false) => "is not a number below its limit",
        (TestKind::Compare(Comparison::Lte, _), false) => "is not a number at or below its limit",
        (TestKind::Compare(Comparison::Gt, _), true) => "is above its limit",
        (TestKind::Compare(Comparison::Gte, _), true) => "is at or above its limit",
        (TestKind::Compare(Comparison::Lt, _), true) => "is below its limit",
        (TestKind::Compare(Comparison::Lte, _), true) => "is at or below its limit",
        (TestKind::Between(..), false) => "is not a number between its limits",
        (TestKind::Between(..), true) => "is between its limits",
        (TestKind::Contains(_), false) => "does not contain what is wanted",
        (TestKind::Contains(_), true) => "contains what is excluded",
        (TestKind::StartsWith(_), false) => "does not begin as wanted",
        (TestKind::StartsWith(_), true) => "begins as is excluded",
        (TestKind::EndsWith(_), false) => "does not end as wanted",
        (TestKind::EndsWith(_), true) => "ends as is excluded",
        (TestKind::Matches(_), false) => "does not fit the pattern wanted",
        (TestKind::Matches(_), true) => "fits the pattern excluded",
    }
}

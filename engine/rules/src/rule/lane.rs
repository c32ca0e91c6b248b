//! What an action says about the jobs beside its own: `priority`, `order_by` and `concurrency`; and `concurrency` of a whole rule.
//!
//! Read and checked here; what comes of it is decided when jobs are claimed: `zelo_core::concurrency`.

use zelo_core::Priority;

use crate::diagnostic::error;
use crate::path::Path;
use crate::reader::{Item, Table};
use crate::source::pick;

/// The most that `limit` can be: more than ever run at once is no limit.
const LIMIT_MAX: u32 = 1000;

/// What `priority` may say; the first where it is absent.
pub(crate) const PRIORITIES: [(&str, Priority); 3] = [("normal", Priority::Normal), ("high", Priority::High), ("low", Priority::Low)];

/// What an action says about the jobs beside its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActionLane {
    pub(crate) priority: Priority,
    /// Jobs with the same value run one after another.
    pub(crate) order_by: Option<Path>,
    pub(crate) concurrency: Option<AtOnce>,
}

/// `concurrency = 3`, `concurrency = { limit = 3, by = "$.data.clinic.id" }`
#[derive(Clone, Debug)]
pub(crate) struct AtOnce {
    pub(crate) limit: u32,
    /// Limited apart for each value.
    pub(crate) by: Option<Path>,
}

impl ActionLane {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.priority == Priority::Normal && self.paths().next().is_none() && self.concurrency.is_none()
    }

    /// What tells its jobs apart.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.order_by.iter().chain(self.concurrency.as_ref().and_then(|at_once| at_once.by.as_ref()))
    }
}

/// Reads the keys of an action that are about the jobs beside its own.
pub(super) fn read(table: &Table<'_>) -> ActionLane {
    let order_by = table.get("order_by").and_then(|item| singular(item, "order_by"));
    let concurrency = table.get("concurrency").and_then(|item| {
        if !item.is_table() {
            return limit(item).map(|limit| AtOnce { limit, by: None });
        }
        let table = item.table("concurrency")?;
        let limit = table.need("limit").and_then(limit);
        let by = table.get("by").map(|item| singular(item, "by"));
        table.finish();
        Some(AtOnce { limit: limit?, by: by.map_or(Some(None), |by| by.map(Some))? })
    });
    let priority = table.get("priority").and_then(|item| pick(item, "priority", &PRIORITIES)).unwrap_or_default();
    let lane = ActionLane { priority, order_by, concurrency };
    let told_apart = lane.paths().next().and_then(|_| table.get("debounce"));
    if let Some(debounce) = told_apart {
        let finding = error("contradiction", debounce.span(), "a job of several events has no one value to be told apart by");
        table.report().push(finding.help("leave out `order_by`, or the `by` of `concurrency`; `debounce` has a `by` of its own"));
    }
    lane
}

/// `concurrency` of a rule, over all its actions.
pub(super) fn of_rule(table: &Table<'_>) -> Option<u32> {
    table.get("concurrency").and_then(limit)
}

fn limit(item: Item<'_>) -> Option<u32> {
    let given = item.integer()?;
    let fits = u32::try_from(given).ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    if fits.is_none() {
        let finding = error("bad-amount", item.span(), format!("`{given}` jobs cannot run at once"));
        item.report().push(finding.help("`concurrency` is a whole number from 1 to 1000"));
    }
    fits
}

fn singular(item: Item<'_>, key: &str) -> Option<Path> {
    let path = item.path()?;
    if !path.is_singular() {
        let finding = error("not-singular", item.span(), format!("`{}` may yield several values", path.as_str()));
        item.report().push(finding.help(format!("`{key}` is a path of names and indexes")));
        return None;
    }
    Some(path)
}

//! One rule by itself: what it would have done, and about which events.

use std::collections::HashSet;

use zelo_core::{Indexer, Timestamp};
use zelo_store::AutomationRow;

use super::Backtest;
use crate::connection::{Channels, Connection};
use crate::rulebook::{Edition, Error, everything_on};

impl Backtest {
    /// The rule called `rule` of `edition` against nothing: with its automations among `rows`; where none of them is on, as if it were, with
    /// its defaults, which the second part of the answer says.
    ///
    /// # Errors
    /// Its automations do not fit it.
    pub fn alone(
        edition: &Edition,
        rows: &[AutomationRow],
        rule: &str,
        connections: &[&Connection],
        (channels, index): (Channels, Indexer),
    ) -> Result<(Self, bool), Error> {
        let mut own: Vec<AutomationRow> = rows.iter().filter(|row| row.rule == rule).cloned().collect();
        let as_if_on = !own.iter().any(|row| row.enabled);
        if as_if_on {
            let on = everything_on(&edition.rules, connections, Timestamp::UNIX_EPOCH).into_iter().filter(|row| row.rule == rule);
            let on: Vec<AutomationRow> = on.collect();
            let replaced: HashSet<_> = on.iter().map(|row| row.id.clone()).collect();
            own.retain(|row| !replaced.contains(&row.id));
            own.extend(on);
        }
        let nothing = Edition::new(edition.rules.clone(), edition.catalog.clone(), &[])?;
        let alone = Edition::new(edition.rules.clone(), edition.catalog.clone(), &own)?;
        Ok((Self::new(nothing.in_force, alone.in_force, channels, index), as_if_on))
    }
}

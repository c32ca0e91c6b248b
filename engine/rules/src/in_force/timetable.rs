//! When a job is due, on the records in force.

use jiff::tz::TimeZone;
use serde_json::Value;
use zelo_core::LookupRef;
use zelo_core::job::Reason;
use zelo_core::timing::{Due, DueQuestion, Records, Timetable, Timing};

use super::{ActionRef, InForce, JoinedAction};
use crate::rule::ZoneOf;
use crate::time;

impl Timetable for InForce {
    fn due(&self, question: &DueQuestion<'_>, records: &dyn Records) -> Result<Due, Reason> {
        let gone = || Reason::new("rule_gone", "the rule no longer has this action");
        let joined = self.joined(question.automation, question.clinic)?;
        let action = self.action(question.automation, question.action).ok_or_else(gone)?;
        let JoinedAction { timing, over, .. } = joined.action(question.action).ok_or_else(gone)?;
        let window = timing.window.as_ref().map(|(window, zone)| (*window, zone.now(&action, question.lookups, records)));
        let timing = Timing { offset: timing.offset, window, if_late: timing.if_late, expires: timing.expires };
        let anchor = match over.quiet.filter(|_| question.collected > 0) {
            Some(quiet) => question.anchor.map(|last| quiet.ends(question.reference, last, question.collected)),
            None => question.anchor,
        };
        timing.due(anchor, question.reference)
    }
}

impl ZoneOf {
    /// The zone on the records in force. A loaded rule always has one, so UTC is what a broken one would get.
    pub(super) fn now(&self, action: &ActionRef<'_>, lookups: &[LookupRef], records: &dyn Records) -> TimeZone {
        let recorded = match self {
            Self::Fixed(zone) => Some(zone.clone()),
            Self::Source => None,
            Self::Record { lookup, path } => {
                let document = document(lookups, lookup, records);
                document.and_then(|document| time::zone(path.first(&document)?.as_str()?))
            }
        };
        recorded.or_else(|| action.zone_of_clinics().cloned()).unwrap_or(TimeZone::UTC)
    }
}

/// The document of a lookup: its record, or the list of its records with null for each that is unknown, as far as the last
/// that has an id.
pub(crate) fn document(lookups: &[LookupRef], name: &str, records: &dyn Records) -> Option<Value> {
    let found: Vec<&LookupRef> = lookups.iter().filter(|lookup| lookup.name == name).collect();
    if let [lookup] = found.as_slice()
        && lookup.singular
    {
        return records.record(lookup.record.hash).cloned();
    }
    let length = found.iter().map(|lookup| lookup.position as usize + 1).max()?;
    let mut list = vec![Value::Null; length];
    for lookup in found {
        if let (Some(place), Some(record)) = (list.get_mut(lookup.position as usize), records.record(lookup.record.hash)) {
            *place = record.clone();
        }
    }
    Some(Value::Array(list))
}

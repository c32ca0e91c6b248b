//! Questions of those who count what rules would do: which of them an event concerns, and by which clock a clinic lives.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use zelo_core::timing::{Records, SendWindow};
use zelo_core::{Event, Job};

use super::{InForce, Standing, is_second_lap};

/// The rules that an event concerns, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concerned<'f> {
    /// Those that listen to events like it, and are on for its clinic.
    pub listening: BTreeSet<&'f str>,
    /// Those among them that do nothing about it because they led to it themselves.
    pub second_laps: BTreeSet<&'f str>,
}

impl InForce {
    /// The rules that `event` concerns. Whether they fire is for [`InForce::candidates`] to say.
    pub fn concerned<'f>(&'f self, event: &'f Event) -> Concerned<'f> {
        let mut concerned = Concerned::default();
        for (joined, rule) in self.listening(event) {
            if self.standing(&joined.automation, event.clinic.as_deref()) != Standing::InForce {
                continue;
            }
            concerned.listening.insert(&rule.id);
            if is_second_lap(joined, event) {
                concerned.second_laps.insert(&rule.id);
            }
        }
        concerned
    }

    /// The hours in which `job` may go out, on `records`; nothing where it may at any.
    pub fn send_window(&self, job: &Job, records: &dyn Records) -> Option<(SendWindow, TimeZone)> {
        let action = self.action(&job.automation, &job.action)?;
        let (window, zone) = action.joined.action(&job.action)?.timing.window.as_ref()?;
        Some((*window, zone.now(&action, &job.lookups, records)))
    }

    /// The zone of the clinic that `job` is for: what its action's window names, on `records`; else its source's; else UTC.
    pub fn clinic_zone(&self, job: &Job, records: &dyn Records) -> TimeZone {
        let Some(action) = self.action(&job.automation, &job.action) else { return TimeZone::UTC };
        let window = action.joined.action(&job.action).and_then(|joined| joined.timing.window.as_ref());
        match window {
            Some((_, zone)) => zone.now(&action, &job.lookups, records),
            None => action.zone_of_clinics().cloned().unwrap_or(TimeZone::UTC),
        }
    }
}

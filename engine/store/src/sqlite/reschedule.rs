//! The time that a person gives a pending job. [`zelo_core::reschedule`] decides.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::job::Reason;
use zelo_core::reschedule;

use super::revive::{Decision, due, over};
use super::writer::{Desk, Write};
use super::{audit, jobs, steps};
use crate::{Decided, Error, Reschedule, Rescheduled};

/// Moves a job.
pub(crate) struct Move {
    pub ask: Reschedule,
    pub now: Timestamp,
}

#[async_trait]
impl Write for Move {
    type Answer = Option<Rescheduled>;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Self::Answer, Error> {
        desk.saw(self.now);
        let Reschedule { job, to, actor, timetable } = &self.ask;
        let Some((kept, before)) = jobs::by_ids(conn, vec![*job]).await?.pop() else {
            let refused = |state: zelo_core::JobState| {
                Rescheduled::Refused(Reason::new(
                    "wrong_state",
                    format!("it is {}: only a job that has not begun can be moved", state.as_str()),
                ))
            };
            return Ok(over(conn, *job).await?.map(refused));
        };
        let due = due(conn, desk, timetable.as_ref(), &before).await?;
        let after = match reschedule::reschedule(&before, due, *to, self.now) {
            Ok(after) => after,
            Err(refused) => return Ok(Some(Rescheduled::Refused(refused))),
        };
        steps::write_back(conn, &[(kept, after.clone(), self.now)]).await?;
        let decision = Decision { kept, before: &before, decided: Decided::Moved, with: None, actor, now: self.now };
        let entry = decision.store(conn, desk).await?;
        audit::append(conn, desk, vec![entry]).await?;
        Ok(Some(Rescheduled::Moved(Box::new(after))))
    }
}

//! Who got how many messages of late: what budgets are counted by. Written with the messages themselves, so that what is taken
//! back never counts.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::budget::PER_MAX;
use zelo_core::{AutomationId, Job, KeyHash};

use super::bulk::Rows;
use super::column::{Columns, ms};
use super::effects::of_job;
use super::interned::Interned;
use super::together::Question;
use super::trip::Trip;
use crate::Error;
use crate::seal::Keyring;

const INSERT: Rows = Rows {
    doing: "count messages",
    head: "INSERT OR FAIL INTO sent_messages (job_id, effect, connection, clinic, contact, at, automation, action) SELECT * FROM (VALUES",
    columns: 8,
    tail: ") WHERE column1 IS NOT NULL",
};

// A portion at a time: whoever writes after a long silence must not pay for all of it.
const FORGET: &str = "DELETE FROM sent_messages WHERE (contact, at, job_id, effect) IN \
    (SELECT contact, at, job_id, effect FROM sent_messages WHERE at <= ? ORDER BY at LIMIT 512)";

const SENT_SINCE: Rows = Rows {
    doing: "count messages",
    head: "SELECT column1 AS question, (SELECT count(*) FROM sent_messages WHERE contact = column2 AND at > column3 \
        AND (column4 IS NULL OR (automation = column4 AND action = column5))) AS sent FROM (VALUES",
    columns: 5,
    tail: ") WHERE column1 IS NOT NULL",
};

/// A message that counts from now on.
pub(crate) struct Sent<'a> {
    pub job: &'a Job,
    pub effect: u32,
    pub contact: KeyHash,
    pub at: Timestamp,
}

/// Counts messages, and forgets some that can matter no more.
pub(crate) fn count(trip: &mut Trip, sent: Vec<Sent<'_>>) {
    let Some(latest) = sent.iter().map(|sent| sent.at).max() else { return };
    trip.add_all("sent_messages", &INSERT, sent, |query, Sent { job, effect, contact, at }| {
        let query = of_job(query, job, effect).bind(contact.0.to_vec()).bind(ms(at));
        query.bind(Interned(&job.automation.0)).bind(Interned(&job.action))
    });
    let before = latest.saturating_sub(PER_MAX).unwrap_or(Timestamp::MIN);
    trip.add_one("forget old messages", FORGET, |query| query.bind(ms(before)));
}

/// How many messages went to a contact later than a time.
pub(crate) struct SentSince {
    pub contact: KeyHash,
    /// Those of this action alone.
    pub of: Option<(AutomationId, String)>,
    pub after: Timestamp,
}

#[async_trait]
impl Question for SentSince {
    type Answer = u32;

    async fn answers(conn: &mut SqliteConnection, _: &Keyring, questions: &[Self]) -> Result<Vec<u32>, Error> {
        let mut answers = vec![0; questions.len()];
        let found = SENT_SINCE
            .fetch(conn, questions.iter().enumerate().collect(), |query, (place, Self { contact, of, after })| {
                let (automation, action) = of.as_ref().map(|(automation, action)| (automation.0.as_str(), action.as_str())).unzip();
                query.bind(place as i64).bind(contact.0.to_vec()).bind(ms(*after)).bind(automation).bind(action)
            })
            .await?;
        for row in &found {
            let row = Columns::new(row, "sent_messages", "question");
            if let Some(answer) = answers.get_mut(row.count("question")? as usize) {
                *answer = u32::try_from(row.count("sent")?).unwrap_or(u32::MAX);
            }
        }
        Ok(answers)
    }
}

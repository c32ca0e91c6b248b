//! Who got how many messages of late: what budgets are counted by. Written with the messages themselves, so that what is taken
//! back never counts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use zelo_core::budget::PER_MAX;
use zelo_core::{AutomationId, Job, KeyHash};

use super::bulk::{Rows, expect_rows};
use super::column::{Columns, ms};
use super::effects::of_job;
use super::reader::Reader;
use super::writer::Reply;
use crate::Error;

const INSERT: Rows = Rows {
    doing: "count messages",
    head: "INSERT OR FAIL INTO sent_messages (job_id, effect, connection, clinic, contact, at, automation, action) SELECT * FROM (VALUES",
    columns: 8,
    tail: ") WHERE column1 IS NOT NULL",
};

// A portion at a time: whoever writes after a long silence must not pay for all of it.
const FORGET: &str = "DELETE FROM sent_messages WHERE (contact, at, job_id, effect) IN \
    (SELECT contact, at, job_id, effect FROM sent_messages WHERE at <= ?1 ORDER BY at LIMIT 512)";

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
pub(crate) async fn count(conn: &mut SqliteConnection, sent: Vec<Sent<'_>>) -> Result<(), Error> {
    let Some(latest) = sent.iter().map(|sent| sent.at).max() else { return Ok(()) };
    let wanted = sent.len();
    let touched = INSERT
        .run(conn, sent, |query, Sent { job, effect, contact, at }| {
            let query = of_job(query, job, effect).bind(contact.0.to_vec()).bind(ms(at));
            query.bind(job.automation.0.as_str()).bind(job.action.as_str())
        })
        .await?;
    expect_rows("sent_messages", "count messages", wanted, touched)?;
    let before = latest.saturating_sub(PER_MAX).unwrap_or(Timestamp::MIN);
    sqlx::query(FORGET).bind(ms(before)).execute(conn).await.map_err(Error::database("forget old messages"))?;
    Ok(())
}

/// How many messages went to a contact later than a time.
pub(crate) struct Question {
    pub contact: KeyHash,
    /// Those of this action alone.
    pub of: Option<(AutomationId, String)>,
    pub after: Timestamp,
}

/// Questions that are asked at the same time: they are one query. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Questions(Arc<Mutex<Vec<(Question, Reply<u32>)>>>);

impl Questions {
    /// Asks as soon as a connection is free, together with whoever else asks until then. What was stored before is counted.
    pub(crate) async fn ask(&self, reader: &Reader, question: Question) -> Result<u32, Error> {
        let (reply, answer) = oneshot::channel();
        if self.add(question, reply) {
            // Apart from who asked first, who may go.
            tokio::spawn(self.clone().answer(reader.clone()));
        }
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Whether it is the first.
    fn add(&self, question: Question, reply: Reply<u32>) -> bool {
        let mut waiting = self.waiting();
        waiting.push((question, reply));
        waiting.len() == 1
    }

    async fn answer(self, reader: Reader) {
        // Those who are about to ask come along, as long as they keep coming.
        let mut seen = 0;
        while seen < self.waiting().len() {
            seen = self.waiting().len();
            tokio::task::yield_now().await;
        }
        let conn = reader.conn().await;
        let (questions, replies): (Vec<_>, Vec<_>) = std::mem::take(&mut *self.waiting()).into_iter().unzip();
        let answers = match conn {
            Ok(mut conn) => sent_since(&mut conn, questions).await,
            Err(error) => Err(error),
        };
        match answers {
            Ok(answers) => replies.into_iter().zip(answers).for_each(|(reply, answer)| drop(reply.send(Ok(answer)))),
            Err(error) => replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone())))),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(Question, Reply<u32>)>> {
        // Nothing that is done under it can leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answers to `questions`, in their order.
async fn sent_since(conn: &mut SqliteConnection, questions: Vec<Question>) -> Result<Vec<u32>, Error> {
    let mut answers = vec![0; questions.len()];
    let rows = questions.into_iter().enumerate().collect();
    let found = SENT_SINCE
        .fetch(conn, rows, |query, (place, Question { contact, of, after })| {
            let (automation, action) = of.map(|(automation, action)| (automation.0, action)).unzip();
            query.bind(place as i64).bind(contact.0.to_vec()).bind(ms(after)).bind(automation).bind(action)
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

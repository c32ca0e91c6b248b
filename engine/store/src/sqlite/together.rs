//! Short questions of many jobs: those that are asked at the same time are one query.
//!
//! A query is a trip to a connection's own thread and back, which takes longer than to find a row. Jobs that were claimed together ask at
//! about the same time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use super::reader::Reader;
use super::writer::Reply;
use crate::Error;
use crate::seal::Keyring;

/// What can be asked together.
#[async_trait]
pub(crate) trait Question: Sized + Send + Sync + 'static {
    type Answer: Send + 'static;

    /// The answers to `questions`, in their order.
    async fn answers(conn: &mut SqliteConnection, ring: &Keyring, questions: &[Self]) -> Result<Vec<Self::Answer>, Error>;
}

/// Those who ask. Cheap to clone.
pub(crate) struct Together<Q: Question>(Arc<Mutex<Asked<Q>>>);

type Asked<Q> = Vec<(Q, Reply<<Q as Question>::Answer>)>;

impl<Q: Question> Together<Q> {
    /// Asks as soon as a connection is free, with whoever else asks until then: everything that was stored before is seen.
    pub(crate) async fn ask(&self, reader: &Reader, question: Q) -> Result<Q::Answer, Error> {
        let (reply, answer) = oneshot::channel();
        if self.add(question, reply) {
            // Apart from who asked first: they may go before the others have their answers.
            tokio::spawn(self.clone().answer(reader.clone()));
        }
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Whether it is the first.
    fn add(&self, question: Q, reply: Reply<Q::Answer>) -> bool {
        let mut asked = self.asked();
        asked.push((question, reply));
        asked.len() == 1
    }

    async fn answer(self, reader: Reader) {
        // Those who are about to ask come along, as long as they keep coming.
        let mut seen = 0;
        while seen < self.asked().len() {
            seen = self.asked().len();
            tokio::task::yield_now().await;
        }
        let conn = reader.conn().await;
        let (questions, replies): (Vec<Q>, Vec<_>) = std::mem::take(&mut *self.asked()).into_iter().unzip();
        let mut conn = match conn {
            Ok(conn) => conn,
            Err(error) => return replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone())))),
        };
        match Q::answers(&mut conn, &reader.ring, &questions).await {
            Ok(answers) => replies.into_iter().zip(answers).for_each(|(reply, answer)| drop(reply.send(Ok(answer)))),
            // What is damaged is in the way of those alone who asked about it.
            Err(_) => {
                for (question, reply) in questions.iter().zip(replies) {
                    let answers = Q::answers(&mut conn, &reader.ring, std::slice::from_ref(question)).await;
                    let _ = reply.send(answers.and_then(|mut answers| answers.pop().ok_or(Error::Closed)));
                }
            }
        }
    }

    fn asked(&self) -> MutexGuard<'_, Asked<Q>> {
        // Nothing that is done under it can leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q: Question> Clone for Together<Q> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Q: Question> Default for Together<Q> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

//! Who is parked, and for what.
//!
//! Jobs that are in the same scopes wait in one *queue*, since there is room for all of them or for none. The first of a queue comes back
//! when there is room in *all* of its scopes, the queue whose first has waited longest before others: nobody is let go only to be parked
//! again under another scope. What the queues are is kept in memory as long as the same rules and halts hold; `jobs.parked` names them.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use sqlx::sqlite::SqliteConnection;

use zelo_core::Scope;
use zelo_core::concurrency::Wait;

use super::line::release_first;
use crate::Error;

const HEAD: &str = "SELECT min(turn) FROM jobs WHERE parked = ?1";

/// Between the scopes that name a queue: in no name of one.
const AND: &str = "\n";

/// What those wait for who are parked under `name`.
pub(crate) fn wait(name: &str) -> Wait {
    match name.split(AND).next().and_then(|full| full.rsplit_once('=')) {
        Some((scope, limit)) => Wait::of_scope(scope, limit.parse().unwrap_or(0)),
        None => Wait::Order,
    }
}

/// Those who wait for room in the same scopes.
#[derive(Clone)]
struct Queue {
    scopes: Vec<Scope>,
    /// The turn of the first, or an earlier one: who was first may be gone.
    head: i64,
}

/// All queues.
#[derive(Default)]
pub(super) struct Waiting {
    queues: HashMap<String, Queue>,
    /// What the transaction changed, as it was before, in order.
    before: Vec<(String, Option<Queue>)>,
}

/// How many are in each scope.
pub(super) type Taken = HashMap<String, u32>;

/// How many more find room in all of `scopes`.
fn room(scopes: &[Scope], taken: &Taken) -> u32 {
    scopes.iter().map(|scope| scope.limit.saturating_sub(taken.get(&scope.name).copied().unwrap_or(0))).min().unwrap_or(u32::MAX)
}

/// One more is in all of `scopes`.
pub(super) fn enter(scopes: &[Scope], taken: &mut Taken) {
    scopes.iter().for_each(|scope| *taken.entry(scope.name.clone()).or_default() += 1);
}

impl Waiting {
    /// The transaction is on disk.
    pub(super) fn committed(&mut self) {
        self.before.clear();
    }

    /// The transaction was taken back: everybody is where he was.
    pub(super) fn rolled_back(&mut self) {
        while let Some((name, queue)) = self.before.pop() {
            match queue {
                Some(queue) => _ = self.queues.insert(name, queue),
                None => _ = self.queues.remove(&name),
            }
        }
    }

    /// A job whose turn is `turn` finds no room in one of its `scopes`: the name of its queue, which begins with that one.
    pub(super) fn park(&mut self, scopes: &[Scope], taken: &Taken, turn: i64) -> Option<String> {
        let is_full = |scope: &&Scope| room(std::slice::from_ref(*scope), taken) == 0;
        let full = scopes.iter().find(is_full)?;
        let others = scopes.iter().filter(|scope| scope.name != full.name);
        let names: Vec<_> = std::iter::once(full).chain(others).map(|scope| format!("{}={}", scope.name, scope.limit)).collect();
        let name = names.join(AND);
        let head = self.queues.get(&name).map_or(turn, |queue| queue.head.min(turn));
        self.put(name.clone(), Some(Queue { scopes: scopes.to_vec(), head }));
        Some(name)
    }

    /// Lets the first ones come back who wait for scopes that somebody `left`, as many as find room in all of theirs, `limit` at most;
    /// how many they are.
    pub(super) async fn come_back(
        &mut self,
        conn: &mut SqliteConnection,
        left: &BTreeSet<String>,
        taken: &Taken,
        limit: usize,
    ) -> Result<usize, Error> {
        let concerned = |queue: &Queue| queue.scopes.iter().any(|scope| left.contains(&scope.name)) && room(&queue.scopes, taken) > 0;
        let heads = self.queues.iter().filter(|(_, queue)| concerned(queue)).map(|(name, queue)| Reverse((queue.head, name.clone())));
        let mut heads: BinaryHeap<_> = heads.collect();
        let mut promised = taken.clone();
        let mut back = 0;
        while back < limit
            && let Some(Reverse((_, name))) = heads.pop()
        {
            let Some(queue) = self.queues.get(&name).cloned().filter(|queue| room(&queue.scopes, &promised) > 0) else { continue };
            if release_first(conn, &name).await? {
                enter(&queue.scopes, &mut promised);
                back += 1;
            }
            let head: Option<i64> =
                sqlx::query_scalar(HEAD).bind(&name).fetch_one(&mut *conn).await.map_err(Error::database("look who waits"))?;
            heads.extend(head.map(|head| Reverse((head, name.clone()))));
            self.put(name, head.map(|head| Queue { head, ..queue }));
        }
        Ok(back)
    }

    fn put(&mut self, name: String, queue: Option<Queue>) {
        let before = match queue {
            Some(queue) => self.queues.insert(name.clone(), queue),
            None => self.queues.remove(&name),
        };
        self.before.push((name, before));
    }
}

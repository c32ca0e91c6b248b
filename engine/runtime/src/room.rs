//! How many jobs are in hand, and how many of them run.
//!
//! A job is claimed, runs, and its end is on its way to the disk. Slots bound what runs: a plugin's memory. A claim is a commit, so a worker
//! that asked for as many jobs as it has free slots would stand still for one each time, and commit again for a handful. It asks for
//! [`AHEAD`] times as many more as have run since it asked last: about so many will have run until the answer is there. Where jobs take long
//! that is hardly any, and none is taken out of the line for long before it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// For each slot, so many jobs may be in hand: those that have run and whose end is on its way to the disk keep no other from running.
/// Without them a disk that takes some milliseconds for each commit would set the pace, however many ends fit into one.
const IN_HAND: usize = 4;

/// For each job that has run since the last claim, so many more are claimed than there are slots. An answer comes with the commit after the
/// one that is under way: two of them pass, and what has run since the last claim ran in one.
const AHEAD: usize = 2;

/// Room for jobs.
pub(crate) struct Room(Arc<Inner>);

struct Inner {
    size: usize,
    /// For those that run.
    slots: Semaphore,
    /// For all that are in hand.
    hand: Arc<Semaphore>,
    counts: Mutex<Counts>,
    /// Rung where one has run.
    ran: Notify,
}

#[derive(Default)]
struct Counts {
    /// Taken, and not run yet.
    open: usize,
    /// That have run since the last were taken.
    ran: usize,
}

impl Inner {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the places of `first` and of as many more as there is room for; none, where there is none.
    fn enter(self: &Arc<Self>, first: &mut Option<OwnedSemaphorePermit>) -> Vec<Place> {
        let mut counts = self.counts();
        let room = (self.size + AHEAD * counts.ran).saturating_sub(counts.open);
        let hands = std::iter::from_fn(|| first.take().or_else(|| self.hand.clone().try_acquire_owned().ok()));
        let places: Vec<_> = hands.take(room).map(|hand| Place { inner: self.clone(), open: true, _hand: hand }).collect();
        if !places.is_empty() {
            counts.open += places.len();
            counts.ran = 0;
        }
        places
    }
}

impl Room {
    pub(crate) fn new(slots: usize) -> Self {
        Self(Arc::new(Inner {
            size: slots,
            slots: Semaphore::new(slots),
            hand: Arc::new(Semaphore::new(slots * IN_HAND)),
            counts: Mutex::default(),
            ran: Notify::new(),
        }))
    }

    /// Waits for room for one job, then takes all that there is.
    pub(crate) async fn take(&self) -> Vec<Place> {
        let mut first = self.0.hand.clone().acquire_owned().await.ok();
        loop {
            let places = self.0.enter(&mut first);
            if !places.is_empty() {
                return places;
            }
            self.0.ran.notified().await;
        }
    }
}

/// The place of a job in hand.
pub(crate) struct Place {
    inner: Arc<Inner>,
    /// It has not run yet.
    open: bool,
    _hand: OwnedSemaphorePermit,
}

impl Place {
    /// Has `attempt` run in a slot.
    pub(crate) async fn run<T>(&mut self, attempt: impl Future<Output = T>) -> T {
        let slot = self.inner.slots.acquire().await;
        let outcome = attempt.await;
        drop(slot);
        self.left(1);
        outcome
    }

    /// It runs no more, and counts for `ran` that have run.
    fn left(&mut self, ran: usize) {
        if std::mem::take(&mut self.open) {
            let mut counts = self.inner.counts();
            counts.open -= 1;
            counts.ran += ran;
            drop(counts);
            self.inner.ran.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.left(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::{Duration, sleep, timeout};

    use super::*;

    async fn ran(places: impl IntoIterator<Item = Place>) -> Vec<Place> {
        let mut ended = Vec::new();
        for mut place in places {
            place.run(async {}).await;
            ended.push(place);
        }
        ended
    }

    #[tokio::test(start_paused = true)]
    async fn twice_as_many_more_are_taken_as_have_run_since() {
        let room = Room::new(4);
        let mut first = room.take().await;
        assert_eq!(first.len(), 4);
        assert!(timeout(Duration::from_secs(1), room.take()).await.is_err(), "none has run");
        let ended = ran(first.drain(..2)).await;
        assert_eq!(room.take().await.len(), 6, "two slots are free, and two have run");
        drop((first, ended));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_needed_is_no_reason_to_take_more() {
        let room = Room::new(4);
        drop(room.take().await);
        assert_eq!(room.take().await.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_run_than_there_are_slots() {
        let room = Room::new(2);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            for mut place in room.take().await {
                let (now, most) = (now.clone(), most.clone());
                tasks.spawn(async move {
                    let attempt = async {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        sleep(Duration::from_millis(5)).await;
                        now.fetch_sub(1, Ordering::SeqCst);
                    };
                    place.run(attempt).await;
                    sleep(Duration::from_millis(3)).await;
                });
            }
        }
        let all = tasks.join_all().await.len();
        assert_eq!(most.load(Ordering::SeqCst), 2);
        assert!(all > 20, "more than one was taken at once");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_run_and_is_on_its_way_to_the_disk_is_bounded() {
        let room = Room::new(2);
        let mut ended = Vec::new();
        while let Ok(places) = timeout(Duration::from_secs(1), room.take()).await {
            ended.extend(ran(places).await);
        }
        assert_eq!(ended.len(), 2 * IN_HAND);
        ended.pop();
        assert_eq!(room.take().await.len(), 1);
    }
}

//! Tells open pages that they are no longer up to date.
//!
//! While a page listens, and only then, one task asks the store every [`Settings::look_every`](crate::Settings::look_every)
//! what is newest, and tells all listeners its digest: that something is different, and nothing of what it is. A page that
//! shows another digest fetches itself again, as whoever is signed in.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, HeaderName};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use zelo_runtime::Runtime;
use zelo_store::{Error, Page};

use crate::App;
use crate::access::Known;
use crate::problem::Problem;
use crate::seen::Seen;
use crate::serve::stopped;

/// A silent connection says so often that it lives; so one whose other end is gone is found out.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// A listener is sent away after this long. Its browser comes back by itself, and shows again that it is signed in.
const LISTEN_MAX: Duration = Duration::from_secs(10 * 60);

/// So many jobs, the newest, are looked at for whether they stand otherwise.
const ROWS: u32 = 25;

/// Looks one after the other until two agree, at most.
const LOOKS_MAX: usize = 4;

/// Tells nginx to pass each event on at once instead of collecting them.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Who listens.
pub(crate) struct Live {
    /// What was seen last; nothing while nobody looks.
    seen: watch::Sender<Option<String>>,
    /// One permit for each listener.
    room: Arc<Semaphore>,
    /// The task that looks, while it does.
    looking: Mutex<Option<JoinHandle<()>>>,
}

/// What the address says.
#[derive(Deserialize)]
pub(crate) struct Since {
    /// The digest that the page shows.
    #[serde(default)]
    since: String,
}

/// `GET /changes`: an event `change` whenever there is something newer than `since`, or than the event that the listener heard last.
#[utoipa::path(
    get,
    path = "/changes",
    tag = "pages",
    params(("since" = Option<String>, Query, description = "The digest that the page shows.")),
    responses((status = 200, description = "Server-sent events.", body = String, content_type = "text/event-stream"))
)]
pub(crate) async fn changes(
    State(app): State<App>,
    who: Known,
    query: Result<Query<Since>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let heard = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let shown = heard.or_else(|| query.ok().map(|Query(Since { since })| since)).unwrap_or_default();
    let room = app.live.room.clone().try_acquire_owned().map_err(|_| Problem::busy())?;
    Seen::of("changes").opened(&who, &app).await?;
    let seen = app.live.listen(&app);
    let listener = Listener { shown, seen, stop: app.stop.clone(), end: Instant::now() + LISTEN_MAX, _room: room };
    let events = Sse::new(futures::stream::unfold(listener, Listener::next)).keep_alive(KeepAlive::new().interval(ALIVE_EVERY));
    Ok(([(CACHE_CONTROL, "no-store"), (UNBUFFERED, "no")], events).into_response())
}

/// A digest of what is newest: it is another one after anything that the first page shows has changed.
pub(crate) async fn look(runtime: &Runtime) -> Result<String, Error> {
    let store = runtime.store.as_ref();
    let newest = Page { limit: 1, ..Page::default() };
    let cursors = [
        store.events(&newest).await?.first().map(|view| view.cursor),
        store.messages(&newest).await?.first().map(|view| view.cursor),
        store.documents(&newest).await?.first().map(|view| view.cursor),
        store.records(&newest, None).await?.first().map(|view| view.cursor),
    ];
    let mut digest = Sha256::new();
    // An older job than those shown that comes to something is no longer what is looked at next.
    digest.update(format!("{cursors:?} {:?}", store.next_run().await?));
    // A job keeps its cursor and changes where it stands.
    for view in store.jobs(&Page { limit: ROWS, ..Page::default() }, None).await? {
        let job = &view.job;
        let waits = job.waits();
        digest.update(format!("{} {:?} {} {waits} {:?} {:?}", view.cursor, job.state, job.due, job.attention, job.reason));
        digest.update(format!("{:?}", view.waits));
    }
    digest.update(format!("{:?}", runtime.line.halts()));
    digest.update(format!("{:?}", runtime.rules.problem()));
    for problem in runtime.rules.current().in_force.problems() {
        digest.update(&problem.text);
    }
    digest.update(format!("{:?}", runtime.down()));
    for heard in runtime.heard().iter().filter(|heard| heard.silent || heard.refusals_rise) {
        digest.update(format!("{heard:?}"));
    }
    Ok(HEXLOWER.encode(&digest.finalize()[..8]))
}

/// The digest of something that was: [`look`] reads one thing after the other, and a change that comes in between makes one of what was
/// neither before it nor after. So what differs from what was `told` is looked at until two looks agree. Where something changes all the
/// time the last one will do: a page fetches itself once too often.
async fn look_whole(runtime: &Runtime, told: Option<&str>) -> Result<String, Error> {
    let mut now = look(runtime).await?;
    if told == Some(&now) {
        return Ok(now);
    }
    for _ in 1..LOOKS_MAX {
        let again = look(runtime).await?;
        if again == now {
            break;
        }
        now = again;
    }
    Ok(now)
}

impl Live {
    pub(crate) fn new(listeners_max: usize) -> Self {
        let room = Arc::new(Semaphore::new(listeners_max.min(Semaphore::MAX_PERMITS)));
        Self { seen: watch::Sender::new(None), room, looking: Mutex::default() }
    }

    /// What is seen from now on; somebody looks as long as this is held.
    fn listen(self: &Arc<Self>, app: &App) -> watch::Receiver<Option<String>> {
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = self.seen.subscribe();
        if looking.as_ref().is_none_or(JoinHandle::is_finished) {
            *looking = Some(tokio::spawn(self.clone().look_on(app.runtime.clone(), app.settings.look_every)));
        }
        seen
    }

    /// Looks until nobody listens any more.
    async fn look_on(self: Arc<Self>, runtime: Runtime, every: Duration) {
        let mut beat = tokio::time::interval(every.max(Duration::from_millis(1)));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            if self.is_alone() {
                return;
            }
            let told = self.seen.borrow().clone();
            match look_whole(&runtime, told.as_deref()).await {
                Ok(now) => drop(self.seen.send_replace(Some(now))),
                Err(error) => tracing::warn!(%error, "open pages are not told of changes"),
            }
        }
    }

    /// Whether nobody listens. Who comes after that finds no task, and starts one.
    fn is_alone(&self) -> bool {
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let alone = self.seen.receiver_count() == 0;
        if alone {
            *looking = None;
            self.seen.send_replace(None);
        }
        alone
    }
}

/// One open page.
struct Listener {
    /// The digest that it shows.
    shown: String,
    seen: watch::Receiver<Option<String>>,
    stop: Option<watch::Receiver<bool>>,
    end: Instant,
    _room: OwnedSemaphorePermit,
}

impl Listener {
    /// The next event, when there is one; none when the server stops or the listener's time is up.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            let now = self.seen.borrow_and_update().clone();
            if let Some(now) = now.filter(|now| *now != self.shown) {
                let event = Event::default().event("change").id(&now).data(&now);
                self.shown = now;
                return Some((Ok(event), self));
            }
            let stop = async {
                match &mut self.stop {
                    Some(stop) => stopped(stop).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.seen.changed() => changed.ok()?,
                () = stop => return None,
                () = tokio::time::sleep_until(self.end) => return None,
            }
        }
    }
}

//! What the law asks for and no job waits for: the audit log is signed and its heads are handed to somebody else, and what was kept long
//! enough goes; what came through connections is written down.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use zelo_core::audit::Head;
use zelo_core::http::{Method, Target};
use zelo_core::{Actor, AuditEntry, AuditKind, SignedDuration, Timestamp};
use zelo_rules::Classified;
use zelo_store::{AuditPrune, Retained, Retention};

use crate::Runtime;
use crate::outbound::{Exchange, Hop};

/// How often the audit log is signed.
pub const SIGNED_EVERY: Duration = Duration::from_secs(60);

/// How often what was kept long enough is looked for.
const RETAINED_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// Heads that are handed out at once.
const HEADS: u32 = 256;

/// What is to be taken care of.
#[derive(Default)]
pub struct Care {
    /// Who else holds the heads of the audit log.
    pub heads: Holders,
    /// How long entries of the audit log are kept; nothing: for ever.
    pub audit: Option<SignedDuration>,
    /// What goes at a time; nothing: everything is kept for ever.
    pub retention: Option<Keeping>,
}

/// What goes at a time, of which types of events.
pub type Keeping = Box<dyn Fn(Timestamp, &Classified) -> Retention + Send + Sync>;

/// Who else holds the heads of the audit log: without anybody, who can write the database can cut off its end unseen.
#[derive(Clone, Debug, Default)]
pub struct Holders {
    /// A file that they are added to, one JSON object a line.
    pub file: Option<PathBuf>,
    /// An address that they are sent to, the same lines.
    pub webhook: Option<Target>,
}

impl Holders {
    /// Whether there is anybody.
    pub fn is_nobody(&self) -> bool {
        self.file.is_none() && self.webhook.is_none()
    }
}

/// Prints nothing but what is configured.
impl std::fmt::Debug for Care {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Care({:?}, {:?}, {})", self.heads, self.audit, self.retention.is_some())
    }
}

impl Runtime {
    /// Takes care of it until `stop` turns true, and signs once more then.
    pub async fn take_care(&self, care: Care, mut stop: watch::Receiver<bool>) {
        let mut retained: Option<Timestamp> = None;
        while !*stop.borrow() {
            let now = self.clock.now();
            if retained.is_none_or(|last| now.duration_since(last).abs() >= RETAINED_EVERY) {
                self.retain(&care, now).await;
                retained = Some(now);
            }
            self.note_heard(now).await;
            self.sign(&care.heads, now).await;
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(SIGNED_EVERY) => {}
            }
        }
        self.sign(&care.heads, self.clock.now()).await;
    }

    /// Signs the audit log as it stands, and hands out what nobody else holds yet.
    pub async fn sign(&self, heads: &Holders, now: Timestamp) {
        if let Err(error) = self.store.sign_audit(now).await {
            tracing::error!(%error, "the audit log could not be signed");
            return;
        }
        if heads.is_nobody() {
            return;
        }
        loop {
            let unexported = match self.store.unexported_heads(HEADS).await {
                Ok(unexported) if unexported.is_empty() => return,
                Ok(unexported) => unexported,
                Err(error) => return tracing::error!(%error, "the heads of the audit log could not be read"),
            };
            if let Err(why) = self.hand_out(heads, &unexported).await {
                return tracing::error!(why, "the heads of the audit log could not be handed out; this is tried again in a minute");
            }
            if let Err(error) = self.store.exported_heads(unexported.iter().map(|head| head.seq).collect()).await {
                return tracing::error!(%error, "that heads of the audit log were handed out could not be noted");
            }
        }
    }

    /// Writes down which rules are in force from now on: their digest covers sources and plugins too.
    pub async fn tell_rules(&self) {
        let edition = self.rules.current();
        let rules = &edition.rules;
        let detail = serde_json::json!({ "what": "rules in force", "rules": rules.rules().count(), "digest": rules.digest() });
        let entry = AuditEntry::new(self.clock.now(), AuditKind::Configured, Actor::engine(), &detail);
        if let Err(error) = self.store.answer_for(vec![entry]).await {
            tracing::error!(%error, "that other rules are in force could not be written into the audit log");
        }
    }

    async fn hand_out(&self, to: &Holders, heads: &[Head]) -> Result<(), String> {
        let mut lines = String::new();
        for head in heads {
            lines.push_str(&serde_json::to_string(head).map_err(|error| error.to_string())?);
            lines.push('\n');
        }
        if let Some(url) = &to.webhook {
            let headers = vec![("content-type".to_owned(), "application/x-ndjson".to_owned())];
            let hop = Hop { method: Method::Post, url, headers, body: Some(lines.as_bytes()) };
            let sent = tokio::time::timeout(self.outbound.longest(), self.outbound.exchange(&hop)).await;
            match sent.map_err(|_elapsed| format!("no answer of {} in time", url.origin()))? {
                Exchange::Answered(response) | Exchange::Headed { head: response, .. } if (200..300).contains(&response.status) => {}
                Exchange::Answered(response) | Exchange::Headed { head: response, .. } => {
                    return Err(format!("{} answered with {}", url.origin(), response.status));
                }
                Exchange::Inside(why) | Exchange::Unsent(why) | Exchange::Lost(why) => return Err(why),
            }
        }
        let Some(file) = to.file.clone() else { return Ok(()) };
        let written = tokio::task::spawn_blocking(move || append(&file, &lines)).await;
        written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// Deletes what was kept long enough.
    async fn retain(&self, care: &Care, now: Timestamp) {
        if let Some(keep) = &care.retention {
            let edition = self.rules.current();
            match self.retain_all(keep(now, &edition.rules.classified()), Actor::engine(), now).await {
                Ok(retained) if retained.is_empty() => {}
                Ok(Retained { deleted, keys, .. }) => tracing::info!(?deleted, keys, "what was kept long enough was deleted"),
                Err(error) => tracing::error!(%error, "what was kept long enough could not be deleted"),
            }
        }
        let Some(before) = care.audit.and_then(|keep| now.checked_sub(keep).ok()) else { return };
        let prune = AuditPrune { before, exported: !care.heads.is_nobody(), actor: Actor::engine() };
        match self.store.prune_audit(prune, now).await {
            Ok(None) => {}
            Ok(Some(head)) => tracing::info!(up_to = head.seq, "the beginning of the audit log was cut off, behind a signed head"),
            Err(error) => tracing::error!(%error, "the audit log could not be pruned"),
        }
    }

    /// Deletes what `keep` says, portion by portion, and gives others their turn in between; all of it.
    ///
    /// # Errors
    /// The store failed. What was deleted before is.
    pub async fn retain_all(&self, keep: Retention, actor: Actor, now: Timestamp) -> Result<Retained, zelo_store::Error> {
        retain_all(self.store.as_ref(), keep, actor, now).await
    }
}

/// The same, on a store that nobody else has open.
///
/// # Errors
/// The store failed. What was deleted before is.
pub async fn retain_all(
    store: &dyn zelo_store::Store,
    keep: Retention,
    actor: Actor,
    now: Timestamp,
) -> Result<Retained, zelo_store::Error> {
    let mut all = Retained::default();
    loop {
        let Retained { deleted, keys, more } = store.retain(keep.clone(), actor.clone(), now).await?;
        for (kind, rows) in deleted {
            *all.deleted.entry(kind).or_default() += rows;
        }
        all.keys += keys;
        if !more {
            return Ok(all);
        }
        tokio::task::yield_now().await;
    }
}

/// Adds lines to a file of which nobody else may write; they are on disk when this returns well.
fn append(path: &Path, lines: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use zelo_store::Aged;

    use super::*;
    use crate::recorder::tests::{claimed_as, runtime_with, start};

    async fn noted(runtime: &Runtime, at: Timestamp) {
        let entry = AuditEntry::new(at, AuditKind::Viewed, Actor::command(), &());
        runtime.store.answer_for(vec![entry]).await.unwrap();
    }

    #[tokio::test]
    async fn heads_are_handed_out_once_and_again_where_that_failed() {
        let (runtime, _) = runtime_with(None).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("elsewhere/heads.jsonl");
        let to_file = Holders { file: Some(file.clone()), webhook: None };
        let heads = || -> Vec<Head> {
            std::fs::read_to_string(&file).unwrap_or_default().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        runtime.sign(&to_file, start()).await;
        assert_eq!(heads(), [], "there is nothing to sign");
        noted(&runtime, start()).await;
        // Nobody answers there: the head is kept for another time.
        let nobody = Holders { webhook: Some(Target::parse("https://archive.example.com/zelo").unwrap()), ..to_file.clone() };
        runtime.sign(&nobody, start()).await;
        assert_eq!((heads(), runtime.store.unexported_heads(9).await.unwrap().len()), (vec![], 1));
        noted(&runtime, start()).await;
        runtime.sign(&to_file, start()).await;
        runtime.sign(&to_file, start()).await;
        assert_eq!(heads().iter().map(|head| head.seq).collect::<Vec<_>>(), [1, 2], "each once, in order");
        let verified = runtime.store.verify_audit(heads()).await.unwrap();
        assert_eq!((verified.findings, verified.heads), (vec![], 2));
    }

    #[tokio::test]
    async fn what_was_kept_long_enough_goes_in_the_end_all_of_it() {
        let (runtime, _) = runtime_with(None).await;
        for number in 0..5 {
            claimed_as(&runtime, number, start()).await;
        }
        let later = start() + SignedDuration::from_hours(24 * 90);
        let expected = runtime.rules.current().rules.classified();
        let care = |days: i64, expected: Classified| Care {
            retention: Some(Box::new(move |now, classified| {
                assert_eq!(*classified, expected, "as the rules in force have it");
                let before = now - SignedDuration::from_hours(24 * days);
                Retention { events: vec![Aged::all("events", before)], jobs: vec![Aged::all("jobs", before)], ..Retention::default() }
            })),
            ..Care::default()
        };
        let left = async || runtime.store.events(&zelo_store::Page::default()).await.unwrap().len();
        runtime.retain(&care(30, expected.clone()), later).await;
        assert_eq!(left().await, 5, "their jobs are live");
        for job in runtime.store.jobs(&zelo_store::Page::default(), None).await.unwrap() {
            let end = zelo_core::settle::AttemptEnd::Dead(zelo_core::job::Reason::new("x", "x"));
            let job = job.job;
            let settlement = zelo_core::settle::Settlement {
                job: job.id,
                lease: job.lease,
                end,
                journal: vec![],
                shown: None,
                local: vec![],
                emitted: vec![],
                outward: false,
                report: zelo_core::settle::Report::default(),
                policy: runtime.retry,
            };
            runtime.store.settle(settlement, start()).await.unwrap();
        }
        runtime.retain(&care(120, expected.clone()), later).await;
        assert_eq!(left().await, 5, "nothing is so old");
        runtime.retain(&care(30, expected.clone()), later).await;
        assert_eq!(left().await, 0);
    }
}

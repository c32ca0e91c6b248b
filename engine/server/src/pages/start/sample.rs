//! Sends an example: signed as its provider would sign it, and through the way in that a real delivery takes.

use std::path::{Path as File, PathBuf};

use serde_json::Value;
use zelo_core::{EventId, Status};
use zelo_rules::{Delivery, Headers, Path, Sample, Source};
use zelo_runtime::{Answer, Connection, Incoming};

use crate::App;
use crate::problem::Problem;

/// What became of it.
pub(super) enum Sent {
    Came(EventId),
    /// The same came before; as this event, where it is kept.
    Known(Option<EventId>),
    /// Why it was not taken, in English.
    Refused(String),
    /// Nobody but the provider can sign it.
    Unsigned,
    /// Its file is not there.
    Unread,
}

/// What is sent, and through which connection.
pub(super) struct Parcel<'a> {
    pub(super) connection: &'a Connection,
    pub(super) source: &'a Source,
    pub(super) kind: &'a str,
    /// Values that it shall have: see [`zelo_rules::Rule::fires_with`].
    pub(super) set: &'a [(Path, Value)],
    /// What rules count from: it lies ahead.
    pub(super) ahead: Vec<&'a Path>,
    /// Where the server is reached.
    pub(super) base: &'a str,
}

impl Parcel<'_> {
    /// Sends it.
    ///
    /// # Errors
    /// The store does not answer, or too much is going on.
    pub(super) async fn send(&self, app: &App) -> Result<Sent, Problem> {
        let Some(mut sample) = self.source.sample(self.kind) else { return Ok(Sent::Unread) };
        let Some(mut body) = read(self.source, &sample).await else { return Ok(Sent::Unread) };
        if let Ok(mut payload) = serde_json::from_slice::<Value>(&body) {
            for (path, value) in self.set {
                path.assign(&mut payload, value.clone());
            }
            self.source.refresh(self.kind, &mut payload, &self.ahead, app.runtime.clock.now());
            body = payload.to_string().into_bytes();
            if self.source.payload.is_some() {
                self.source.take_apart(&payload, &mut sample);
                body.clear();
            }
        }
        self.deliver(app, &sample, &body).await
    }

    async fn deliver(&self, app: &App, sample: &Sample, body: &[u8]) -> Result<Sent, Problem> {
        let url = format!("{}/hooks/{}/{}", self.base, self.connection.name, sample.address());
        let own: Headers<'_> = sample.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let delivery = Delivery { path: &sample.path, url: &url, headers: &own, body };
        let now = app.runtime.clock.now();
        let signed = self.connection.secrets.iter().find_map(|secret| self.source.sign(&delivery, secret, now));
        let added = match signed {
            Some(added) => added,
            None if app.runtime.is_insecure(self.connection) => Default::default(),
            None => return Ok(Sent::Unsigned),
        };
        let url = added.url(&url);
        let all: Headers<'_> = sample.headers.iter().chain(&added.headers).map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let incoming = Incoming { connection: &self.connection.name, path: &sample.path, url: &url, headers: &all, body };
        let receipts = match app.runtime.receive(app.runtime.arrived(), incoming).await {
            Ok(Answer::Taken { receipts, .. }) => receipts,
            Ok(Answer::Handshake(_)) => return Ok(Sent::Unsigned),
            Err(refused) => {
                let problem = Problem::from(refused);
                return if problem.is_senders() { Ok(Sent::Refused(problem.detail().to_owned())) } else { Err(problem) };
            }
        };
        let Some(receipt) = receipts.all().first() else { return Ok(Sent::Known(None)) };
        Ok(match (receipt.status, receipt.event_id) {
            (Status::Duplicate | Status::Ignored, event) => Sent::Known(event),
            (_, Some(event)) => Sent::Came(event),
            (_, None) => Sent::Known(None),
        })
    }
}

/// The body of an example, as its file has it.
async fn read(source: &Source, sample: &Sample) -> Option<Vec<u8>> {
    let file: PathBuf = File::new(&source.file).parent().unwrap_or(File::new("")).join(&sample.file);
    tokio::task::spawn_blocking(move || std::fs::read(file)).await.ok()?.ok()
}

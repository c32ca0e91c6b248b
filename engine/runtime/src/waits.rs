//! What a job that is ready waits for, told to people.

use serde::Serialize;
use zelo_core::concurrency::Wait;
use zelo_core::{Halt, HaltScope, Timestamp};
use zelo_store::JobView;

/// Why a job does not run, though its time has come: `halt`, `room` or `order`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waits {
    #[serde(rename = "for")]
    pub what: &'static str,
    /// What is halted, or what has no room: `all`, `rule:NAME`, `plugin:NAME`, `action:RULE/NAME`.
    pub scope: Option<String>,
    /// How many run there at once.
    pub limit: Option<u32>,
    /// Since when it is halted, by whom and why.
    pub since: Option<Timestamp>,
    pub by: Option<String>,
    pub reason: Option<String>,
}

impl Waits {
    /// What `view` waits for, where something keeps it; `halts` is all that is halted.
    pub fn of(view: &JobView, halts: &[Halt]) -> Option<Self> {
        let nothing = |what| Self { what, scope: None, limit: None, since: None, by: None, reason: None };
        Some(match view.waits.as_ref()? {
            Wait::Order => nothing("order"),
            Wait::Room { scope, limit } => Self { scope: Some(scope.clone()), limit: Some(*limit), ..nothing("room") },
            Wait::Halt(scope) => {
                // It may be lifted already, and the job not be looked at again.
                let halt = halts.iter().find(|halt| halt.scope == *scope)?;
                Self {
                    scope: Some(scope.to_string()),
                    since: Some(halt.at),
                    by: Some(halt.actor.as_str().to_owned()),
                    reason: halt.reason.clone(),
                    ..nothing("halt")
                }
            }
        })
    }

    /// As a sentence, in English or else in Portuguese.
    pub fn told(&self, english: bool) -> String {
        let scope = self.scope.as_deref().map(|scope| named(scope, english)).unwrap_or_default();
        match (self.limit, self.since) {
            (Some(limit), _) if english => format!("waits: limit of {scope} ({limit} at once)"),
            (Some(limit), _) => format!("espera: limite de {scope} ({limit} ao mesmo tempo)"),
            (None, Some(since)) => {
                let by = self.by.as_deref().unwrap_or_default();
                let reason = self.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                let since = since.strftime("%Y-%m-%d %H:%M");
                match english {
                    true => format!("waits: {scope} halted since {since} UTC by {by}{reason}"),
                    false => format!("espera: {scope} com parada desde {since} UTC por {by}{reason}"),
                }
            }
            (None, None) if english => "waits for an earlier job of the same key".to_owned(),
            (None, None) => "espera um job anterior da mesma chave".to_owned(),
        }
    }
}

/// A scope in words.
pub fn named(scope: &str, english: bool) -> String {
    match scope.split_once(':') {
        Some(("rule", name)) if english => format!("rule {name}"),
        Some(("rule", name)) => format!("regra {name}"),
        Some(("plugin", name)) => format!("plugin {name}"),
        Some(("action", name)) if english => format!("action {name}"),
        Some(("action", name)) => format!("ação {name}"),
        _ if scope == HaltScope::All.to_string() => if english { "everything" } else { "tudo" }.to_owned(),
        _ => scope.to_owned(),
    }
}

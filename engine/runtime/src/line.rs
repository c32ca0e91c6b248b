//! Who may run now: the limits of rules and plugins, and what people have put a halt to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use zelo_core::concurrency::HALT;
use zelo_core::halt::{Halt, HaltScope};
use zelo_core::{Actor, Concurrency, Job, Scope};
use zelo_rules::InForce;
use zelo_store::Error;

use crate::Runtime;

/// What stands beside the rules: limits of plugins, and halts.
pub struct Line {
    /// How many jobs may run each plugin at once.
    plugins: Arc<BTreeMap<String, u32>>,
    halts: watch::Sender<Arc<[Halt]>>,
    /// Held by who takes up what is halted: nobody's older word comes after a newer one.
    heeding: tokio::sync::Mutex<()>,
    /// What holds now, as long as it does.
    now: Mutex<Option<Arc<Holding>>>,
}

impl Line {
    /// With the limits that the configuration gives plugins, and what is halted already.
    pub fn new(plugins: BTreeMap<String, u32>, halts: Vec<Halt>) -> Self {
        Self {
            plugins: Arc::new(plugins),
            halts: watch::Sender::new(halts.into()),
            heeding: tokio::sync::Mutex::default(),
            now: Mutex::default(),
        }
    }

    /// All that is halted.
    pub fn halts(&self) -> Arc<[Halt]> {
        self.halts.borrow().clone()
    }

    /// Ends when a job of `rule` that runs `plugin` must not go on: at once, where it is halted already. By whose word.
    pub(crate) async fn halted(&self, rule: &str, plugin: &str) -> HaltScope {
        let mut watching = self.halts.subscribe();
        let mut found = None;
        let waited = watching.wait_for(|halts| {
            found = by_which(halts, rule, plugin);
            found.is_some()
        });
        drop(waited.await);
        match found {
            Some(scope) => scope,
            // Whoever could say so is gone, so nobody will.
            None => std::future::pending().await,
        }
    }

    /// By whose word a job of `rule` that runs `plugin` must not begin.
    pub(crate) fn is_halted(&self, rule: &str, plugin: &str) -> Option<HaltScope> {
        by_which(&self.halts.borrow(), rule, plugin)
    }
}

fn by_which(halts: &[Halt], rule: &str, plugin: &str) -> Option<HaltScope> {
    halts.iter().map(|halt| &halt.scope).find(|scope| scope.includes(rule, Some(plugin))).cloned()
}

impl Default for Line {
    fn default() -> Self {
        Self::new(BTreeMap::new(), Vec::new())
    }
}

/// Rules, limits and halts that hold together. Never changed: others are another one.
struct Holding {
    in_force: Arc<InForce>,
    plugins: Arc<BTreeMap<String, u32>>,
    halts: Arc<[Halt]>,
    is_unlimited: bool,
}

impl Concurrency for Holding {
    fn scopes(&self, job: &Job) -> Vec<Scope> {
        let plugin = self.in_force.plugin_of(job);
        let halted = self.halts.iter().filter(|halt| halt.scope.includes(&job.rule, plugin));
        let halted = halted.map(|halt| Scope { name: format!("{HALT}{}", halt.scope), limit: 0 });
        let of_plugin = plugin.and_then(|plugin| self.plugins.get_key_value(plugin));
        let of_plugin = of_plugin.map(|(plugin, limit)| Scope { name: format!("plugin:{plugin}"), limit: *limit });
        halted.chain(of_plugin).chain(self.in_force.scopes_of(job)).collect()
    }

    fn is_unlimited(&self) -> bool {
        self.is_unlimited
    }
}

impl Runtime {
    /// Who may run beside whom now: the same one until rules or halts change.
    pub fn concurrency(&self) -> Arc<dyn Concurrency> {
        let (in_force, halts) = (self.rules.current().in_force.clone(), self.line.halts());
        let mut now = self.line.now.lock().unwrap_or_else(PoisonError::into_inner);
        match now.as_ref() {
            Some(holding) if Arc::ptr_eq(&holding.in_force, &in_force) && Arc::ptr_eq(&holding.halts, &halts) => holding.clone(),
            _ => {
                let plugins = self.line.plugins.clone();
                let is_unlimited = halts.is_empty() && plugins.is_empty() && !in_force.is_limited();
                let holding = Arc::new(Holding { in_force, plugins, halts, is_unlimited });
                *now = Some(holding.clone());
                holding
            }
        }
    }

    /// Puts a halt to something: what runs of it is broken off, and nothing of it begins, until [`Runtime::resume`]. Whether it was not
    /// halted before. On disk before anything stops, so that it holds after a restart too.
    pub async fn halt(&self, scope: HaltScope, reason: Option<String>, actor: Actor) -> Result<bool, Error> {
        let halt = Halt { scope, at: self.clock.now(), actor, reason };
        let new = self.store.put_halt(halt).await?;
        self.heed_halts().await?;
        Ok(new)
    }

    /// Lets go on what was halted; whether it was.
    pub async fn resume(&self, scope: HaltScope, actor: Actor) -> Result<bool, Error> {
        let lifted = self.store.lift_halt(scope, actor, self.clock.now()).await?;
        self.heed_halts().await?;
        Ok(lifted)
    }

    /// Takes up what is halted, as the store has it.
    pub async fn heed_halts(&self) -> Result<(), Error> {
        let _heeding = self.line.heeding.lock().await;
        let halts = self.store.halts().await?;
        self.line.halts.send_if_modified(|now| {
            let changed = **now != *halts;
            if changed {
                *now = halts.into();
            }
            changed
        });
        self.bell.notify_one();
        Ok(())
    }
}

//! The host: one per process.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use zelo_core::Invocation;
use zelo_core::grants::Capability;

use crate::cache::Cache;
use crate::effects::Effects;
use crate::engine;
use crate::limits::{HARD_STOP, Limits};
use crate::plugin::{self, LoadError, MissingGrants, Plugin, Prepared, Problem};
use crate::run::{self, Run};

/// How large a host is.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Plugins that may run at the same time. One more waits.
    pub instances: u32,
    /// No run has more linear memory, in bytes.
    pub memory_max: usize,
    /// No component is larger, in bytes.
    pub component_max: usize,
    /// No component is compiled for longer.
    pub compile_max: Duration,
    /// Where compiled components are kept, so that a restart compiles nothing. Private to the user that zelo runs as:
    /// what lies there is executed. `None` keeps nothing.
    pub cache_dir: Option<PathBuf>,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self { instances: 32, memory_max: 64 << 20, component_max: 32 << 20, compile_max: Duration::from_secs(300), cache_dir: None }
    }
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the WebAssembly engine does not start on this machine: {0}")]
    Engine(String),
    #[error("no thread can be started for the time limits of plugins")]
    Ticker(#[source] std::io::Error),
    #[error("the folder for compiled plugins, {path}, cannot be used; it must be a folder of zelo's own user")]
    CacheDir {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Loads and runs plugins. Cheap to share behind an `Arc`.
pub struct Host {
    engine: wasmtime::Engine,
    pooled: bool,
    config: HostConfig,
    cache: Option<Cache>,
    /// As many as the pool holds: who finds it full waits here instead of failing there.
    free: Arc<Semaphore>,
}

/// How busy a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    pub instances: u32,
    pub running: u32,
    /// Whether instances come from a pool; without one, runs are slower.
    pub pooled: bool,
}

impl Host {
    /// Starts an engine and its clock.
    ///
    /// # Errors
    /// The machine cannot run WebAssembly, or the cache folder cannot be made private.
    pub fn new(config: HostConfig) -> Result<Self, Error> {
        let cache = config
            .cache_dir
            .as_ref()
            .map(|path| Cache::open(path).map_err(|source| Error::CacheDir { path: path.clone(), source }))
            .transpose()?;
        let built = engine::build(&config)?;
        engine::start_ticker(&built.engine).map_err(Error::Ticker)?;
        let free = Arc::new(Semaphore::new(config.instances as usize));
        Ok(Self { engine: built.engine, pooled: built.pooled, config, cache, free })
    }

    /// Checks and compiles a component. `name` is what it is called in errors: its file, say.
    ///
    /// Takes tens of milliseconds of computing for a Rust component and half a minute for a JavaScript one, unless the
    /// cache has it: call it where plugins are installed or rules loaded, on a thread that may block.
    ///
    /// # Errors
    /// Whatever makes it no plugin: see [`Problem`].
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Plugin, LoadError> {
        if bytes.len() > self.config.component_max {
            let problem = Problem::TooLarge { size: bytes.len(), max: self.config.component_max };
            return Err(LoadError { plugin: name.to_owned(), problem });
        }
        Plugin::load(&self.engine, self.cache.as_ref(), self.config.compile_max, bytes)
            .map_err(|problem| LoadError { plugin: name.to_owned(), problem })
    }

    /// Whether [`load`](Self::load) has nothing to compile, because the cache has it.
    pub fn is_compiled(&self, bytes: &[u8]) -> bool {
        self.cache.as_ref().is_some_and(|cache| cache.has(&self.engine, &plugin::digest(bytes)))
    }

    /// The plugin, ready to run with what a rule grants it.
    ///
    /// # Errors
    /// It uses something that was not granted.
    pub fn prepare(&self, plugin: &Plugin, granted: &[Capability]) -> Result<Prepared, MissingGrants> {
        plugin.prepare(granted)
    }

    /// Runs the plugin once, on a fresh instance, and says how it ended. Waits while the host is full.
    ///
    /// Runs on a tokio runtime with its timer on. The future is `Send`; dropping it ends the run and its effects.
    pub async fn run(&self, prepared: &Prepared, call: &Invocation, effects: Box<dyn Effects>, limits: &Limits) -> Run {
        // Never closed, so always granted; and should it be closed, the pool itself still refuses a run too many.
        let _place = Arc::clone(&self.free).acquire_owned().await;
        let limits = Limits { memory: limits.memory.min(self.config.memory_max), ..*limits };
        run::ended_by(limits.wall.saturating_add(HARD_STOP), run::run(prepared, call, effects, limits)).await
    }

    /// How busy it is.
    pub fn capacity(&self) -> Capacity {
        let free = u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX);
        Capacity { instances: self.config.instances, running: self.config.instances.saturating_sub(free), pooled: self.pooled }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.capacity().fmt(f)
    }
}

//! A plugin: a component that was checked and compiled.

use std::fmt;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;
use zelo_core::grants::Capability;

use crate::bindings::{self, AutomationPre};
use crate::cache::{Cache, hex};
use crate::inspect::{self, Inspected};
use crate::manifest::{Manifest, ManifestError};
use crate::run::State;

/// A component that was checked, compiled and linked with what it imports. Cheap to clone.
#[derive(Clone)]
pub struct Plugin(Arc<Loaded>);

struct Loaded {
    manifest: Manifest,
    digest: String,
    imports: Vec<Capability>,
    size: usize,
    pre: AutomationPre<State>,
}

/// A plugin whose imports were all granted: only such a one can be run. Cheap to clone.
#[derive(Clone)]
pub struct Prepared(Plugin);

/// A plugin uses capabilities that the rule does not grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plugin `{plugin}` uses {}, which the rule does not grant", list(.missing))]
pub struct MissingGrants {
    pub plugin: String,
    pub missing: Vec<Capability>,
}

/// A file that is no plugin.
#[derive(Debug, thiserror::Error)]
#[error("the plugin `{plugin}` cannot be used: {problem}")]
pub struct LoadError {
    /// What it was called when it was loaded.
    pub plugin: String,
    pub problem: Problem,
}

/// What makes a file no plugin.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("it has {size} bytes, {max} are allowed")]
    TooLarge { size: usize, max: usize },
    #[error("it is not WebAssembly in binary form")]
    NotWasm,
    #[error("it is a core module, not a component: make one of it with `zelo plugin pack`")]
    CoreModule,
    #[error("it is not a well-formed component: {0}")]
    Malformed(String),
    #[error("it has components inside; a composed component is not accepted")]
    Composed,
    #[error("it imports {}, which zelo does not have{}", quoted(.names), wasi_hint(.names))]
    UnknownImports { names: Vec<String> },
    #[error("it does not export the function `run` of the world `zelo:automation/automation@0.1.0`")]
    NoRun,
    #[error("it has {count} linear memories, one is allowed")]
    Memories { count: u32 },
    #[error("it has a memory that threads share; a plugin runs on one thread")]
    Threads,
    #[error("it carries no manifest (the custom section `zelo:manifest`): make it with `zelo plugin pack`")]
    NoManifest,
    #[error("it carries {count} manifests")]
    Manifests { count: usize },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("it imports {}, which its manifest does not want; plugin.toml needs `[[wants]]` with that `capability`, and a `reason`", list(.capabilities))]
    Unwanted { capabilities: Vec<Capability> },
    #[error("it does not compile: {0}")]
    Compile(String),
    #[error("it is not compiled after {} s, which is what may be taken", .0.as_secs_f64())]
    Slow(Duration),
    #[error("its functions differ from those of `zelo:automation@0.1.0`: {0}")]
    Contract(String),
}

impl Plugin {
    pub(crate) fn load(engine: &Engine, cache: Option<&Cache>, longest: Duration, bytes: &[u8]) -> Result<Self, Problem> {
        let inspected = inspect::inspect(bytes)?;
        let digest = digest(bytes);
        let component = match cache.and_then(|cache| cache.get(engine, &digest)) {
            Some(component) => component,
            None => {
                let component = compile(engine, longest, bytes)?;
                if let Some(cache) = cache {
                    cache.put(engine, &digest, &component);
                }
                component
            }
        };
        // Linked with exactly what it imports, so a call of anything else is not refused but impossible.
        let contract = |error: wasmtime::Error| Problem::Contract(format!("{error:#}"));
        let linker = bindings::linker(engine, &inspected.imports).map_err(contract)?;
        let pre = linker.instantiate_pre(&component).and_then(AutomationPre::new).map_err(contract)?;
        let Inspected { manifest, imports } = inspected;
        Ok(Self(Arc::new(Loaded { manifest, digest, imports, size: bytes.len(), pre })))
    }

    pub(crate) fn prepare(&self, granted: &[Capability]) -> Result<Prepared, MissingGrants> {
        let granted = |import: &Capability| *import == Capability::Log || granted.contains(import);
        let missing: Vec<_> = self.imports().iter().copied().filter(|import| !granted(import)).collect();
        if missing.is_empty() { Ok(Prepared(self.clone())) } else { Err(MissingGrants { plugin: self.manifest().name.clone(), missing }) }
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// SHA-256 of the component, manifest included, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// The capabilities that it uses, sorted: what a rule has to grant, `log` aside.
    pub fn imports(&self) -> &[Capability] {
        &self.0.imports
    }

    /// Bytes of the component.
    pub fn size(&self) -> usize {
        self.0.size
    }
}

impl Prepared {
    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.0
    }

    pub(crate) fn pre(&self) -> &AutomationPre<State> {
        &self.0.0.pre
    }
}

/// Compiles, for so long at most. Compiling cannot be interrupted: on a thread of its own it comes to its end some time, and whoever
/// waited has gone on.
fn compile(engine: &Engine, longest: Duration, bytes: &[u8]) -> Result<Component, Problem> {
    let failed = |error: &dyn fmt::Display| Problem::Compile(error.to_string());
    let (tell, told) = mpsc::sync_channel(1);
    let (engine, bytes) = (engine.clone(), bytes.to_vec());
    let work = move || drop(tell.send(Component::from_binary(&engine, &bytes)));
    // As much stack as the main thread has.
    let thread = std::thread::Builder::new().name("zelo-compile".into()).stack_size(8 << 20);
    thread.spawn(work).map_err(|error| failed(&error))?;
    match told.recv_timeout(longest) {
        Ok(compiled) => compiled.map_err(|error| failed(&format!("{error:#}"))),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Problem::Slow(longest)),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(failed(&"the compiler broke off")),
    }
}

/// What tells components apart: the SHA-256 of the file, hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Prints name, version and digest.
impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plugin({}@{} {})", self.manifest().name, self.manifest().version, self.digest())
    }
}

/// Prints the plugin.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn list(capabilities: &[Capability]) -> String {
    let words: Vec<_> = capabilities.iter().map(|capability| format!("`{}`", capability.as_str())).collect();
    words.join(" and ")
}

fn quoted(names: &[String]) -> String {
    let words: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    words.join(", ")
}

fn wasi_hint(names: &[String]) -> &'static str {
    if names.iter().any(|name| name.starts_with("wasi:") || name.starts_with("wasi_")) {
        "; plugins get no WASI: build for a target without it (in Rust, `wasm32-unknown-unknown`; in C, call nothing that prints, reads files or asks the time)"
    } else {
        ""
    }
}

//! Compiled components on disk, so that a restart compiles nothing.
//!
//! A compiled component is machine code that is executed as it lies there. So the folder belongs to zelo's user alone,
//! nothing is ever taken in from outside, and a file's name says which bytes it was compiled from, for which engine.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// A folder of compiled components.
pub(crate) struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// Makes the folder, or makes it private. Fails on a folder of somebody else's.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        make_private(dir)?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Whether there is a component with this digest, compiled by an engine like this one.
    pub(crate) fn has(&self, engine: &Engine, digest: &str) -> bool {
        self.path(engine, digest).exists()
    }

    /// The component with this digest as compiled earlier by an engine like this one.
    ///
    /// A file that cannot be read is as good as none: it is compiled again and replaced.
    pub(crate) fn get(&self, engine: &Engine, digest: &str) -> Option<Component> {
        if !self.has(engine, digest) {
            return None;
        }
        match deserialize(engine, &self.path(engine, digest)) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(digest, error = format!("{error:#}"), "a compiled plugin cannot be read back: it is compiled again");
                None
            }
        }
    }

    /// Keeps a compiled component. Failing to costs the next start some time, and nothing else.
    pub(crate) fn put(&self, engine: &Engine, digest: &str, component: &Component) {
        let kept = component.serialize().map_err(io::Error::other).and_then(|bytes| self.write(&self.path(engine, digest), &bytes));
        if let Err(error) = kept {
            tracing::warn!(digest, %error, "a compiled plugin cannot be kept: the next start compiles it again");
        }
    }

    fn path(&self, engine: &Engine, digest: &str) -> PathBuf {
        let mut hasher = Sha(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.dir.join(format!("{digest}-{}.cwasm", &hex(&hasher.0.finalize())[..16]))
    }

    /// Written aside and renamed, so that no reader ever sees half a file.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        static WRITES: AtomicU64 = AtomicU64::new(0);
        let aside = self.dir.join(format!("{}-{}.tmp", std::process::id(), WRITES.fetch_add(1, Ordering::Relaxed)));
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path).inspect_err(|_| drop(fs::remove_file(&aside)))
    }
}

#[allow(unsafe_code, reason = "wasmtime cannot check machine code; the folder is private and the file is our own, see the module")]
fn deserialize(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by `Cache::write` from `Component::serialize` of an engine with the same
    // compatibility hash, into a folder that only this user can write to.
    unsafe { Component::deserialize_file(engine, path) }
}

#[cfg(unix)]
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// SHA-256 as a [`Hasher`]: what it is fed is what counts, not the eight bytes it could give back.
struct Sha(Sha256);

impl Hasher for Sha {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// Small hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

//! `zelo plugin`: from nothing to a plugin, and what it does by itself.

mod build;
mod cases;
mod dry;
mod inspect;
mod language;
mod new;
mod template;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use zelo_host::{Host, Plugin, package};

use zelo_runtime::{Catalog, Lock};

use crate::config::Config;

use super::{Findings, print_line, setup};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make the folder of a new plugin, in Rust, JavaScript, Python or C.
    New(new::Arguments),
    /// Make a plugin of such a folder, with the tools of its language.
    Build(build::Arguments),
    /// Make a plugin of what a compiler made and its manifest: one file, one digest.
    Pack {
        /// The core module or the component that a compiler made.
        wasm: PathBuf,
        /// Its plugin.toml.
        #[arg(long)]
        manifest: PathBuf,
        /// Where to write the plugin.
        #[arg(long)]
        out: PathBuf,
    },
    /// Show what a plugin is, what it may do and why, and what it takes.
    Inspect(inspect::Arguments),
    /// Write zelo.lock: the plugins that are installed now, and no others, may run.
    Lock {
        /// Write nothing; fail where it would change.
        #[arg(long)]
        check: bool,
    },
    /// Run a plugin once, in the sandbox, and show how it ends and what it would do. Nothing is done.
    Run(dry::Arguments),
    /// Run a plugin on the cases of a file, and compare what it would do.
    Test(cases::Arguments),
}

pub(super) fn run(config: Option<&Path>, command: &Command) -> Result<Findings> {
    match command {
        Command::New(arguments) => return new::run(arguments),
        Command::Build(arguments) => return build::run(arguments),
        Command::Pack { wasm, manifest, out } => {
            let bytes = std::fs::read(wasm).with_context(|| format!("{} cannot be read", wasm.display()))?;
            let text = std::fs::read_to_string(manifest).with_context(|| format!("{} cannot be read", manifest.display()))?;
            let packed = package::pack(&bytes, &text).with_context(|| format!("{} with {}", wasm.display(), manifest.display()))?;
            write_whole(out, &packed)?;
        }
        Command::Inspect(arguments) => return inspect::run(config, arguments),
        Command::Lock { check } => return lock(&Config::load(config)?, *check),
        Command::Run(arguments) => return dry::run(arguments),
        Command::Test(arguments) => return cases::run(arguments),
    }
    Ok(Findings::None)
}

/// Writes a plugin under another name first: a server that watches the folder never sees half of one.
fn write_whole(out: &Path, bytes: &[u8]) -> Result<()> {
    let part = out.with_extension("part");
    std::fs::write(&part, bytes).with_context(|| format!("{} cannot be written", part.display()))?;
    std::fs::rename(&part, out).with_context(|| format!("{} cannot be written", out.display()))
}

/// Writes the lock of what is installed, or says whether it would change.
fn lock(config: &Config, check: bool) -> Result<Findings> {
    let installed = config.installed();
    let catalog = Catalog::load_unlocked(&setup::host_for_tools()?, &installed)?;
    let before = Lock::read(&installed.lock)?;
    let (lock, path) = (Lock::of(&catalog, before.clone()), installed.lock.display());
    let count = catalog.plugins().count();
    if before.as_ref() == Some(&lock) {
        print_line(&format!("{path} names the {count} plugins that are installed"));
        return Ok(Findings::None);
    }
    if check {
        print_line(&format!("{path} is not what is installed"));
        return Ok(Findings::Some);
    }
    let part = installed.lock.with_extension("lock.part");
    std::fs::write(&part, lock.to_text()).with_context(|| format!("{} cannot be written", part.display()))?;
    std::fs::rename(&part, &installed.lock).with_context(|| format!("{path} cannot be written"))?;
    print_line(&format!("{path} names the {count} plugins that are installed now"));
    Ok(Findings::None)
}

/// The plugin in a file.
fn load(host: &Host, file: &Path) -> Result<Plugin> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    setup::announce(host, file, &bytes);
    let hint = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    host.load(&hint, &bytes).with_context(|| file.display().to_string())
}

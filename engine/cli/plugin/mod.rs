//! `zelo plugin`: from a compiled module to a plugin, and what it does by itself.

mod cases;
mod dry;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;
use zelo_host::{Host, Plugin, package};

use zelo_runtime::{Catalog, Lock};

use crate::config::Config;

use super::{Findings, Format, print_line, setup};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a plugin of a core WebAssembly module and its manifest: one file, one digest.
    Pack {
        /// The module that a compiler made.
        module: PathBuf,
        /// Its plugin.toml.
        #[arg(long)]
        manifest: PathBuf,
        /// Where to write the plugin.
        #[arg(long)]
        out: PathBuf,
    },
    /// Show what a plugin is, what it imports, and why.
    Inspect {
        file: PathBuf,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
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
        Command::Pack { module, manifest, out } => {
            let bytes = std::fs::read(module).with_context(|| format!("{} cannot be read", module.display()))?;
            let text = std::fs::read_to_string(manifest).with_context(|| format!("{} cannot be read", manifest.display()))?;
            let packed = package::pack(&bytes, &text).with_context(|| format!("{} with {}", module.display(), manifest.display()))?;
            // Written whole under another name first: a server that watches the folder never sees half a plugin.
            let part = out.with_extension("part");
            std::fs::write(&part, packed).with_context(|| format!("{} cannot be written", part.display()))?;
            std::fs::rename(&part, out).with_context(|| format!("{} cannot be written", out.display()))?;
        }
        Command::Inspect { file, format } => {
            let plugin = load(&setup::host_in_memory()?, file)?;
            let manifest = plugin.manifest();
            let imports: Vec<&str> = plugin.imports().iter().map(|capability| capability.as_str()).collect();
            let wants: Vec<String> = manifest.wanted().iter().map(|capability| capability.as_str().to_owned()).collect();
            match format {
                Format::Json => print_line(&serde_json::to_string_pretty(&json!({
                    "name": manifest.name, "version": manifest.version, "digest": plugin.digest(), "bytes": plugin.size(),
                    "imports": imports, "wants": wants, "inputs": manifest.inputs,
                }))?),
                Format::Text => {
                    print_line(&format!("{} {}  {} bytes", manifest.name, manifest.version, plugin.size()));
                    print_line(&format!("digest   {}", plugin.digest()));
                    print_line(&format!("imports  {}", imports.join(", ")));
                    for want in &manifest.wants {
                        print_line(&format!("wants    {}: {}", want.capability.as_str(), want.reason.in_locale("en")));
                    }
                    print_line(&format!("inputs   {}", manifest.input_names().join(", ")));
                }
            }
        }
        Command::Lock { check } => return lock(&Config::load(config)?, *check),
        Command::Run(arguments) => return dry::run(arguments),
        Command::Test(arguments) => return cases::run(arguments),
    }
    Ok(Findings::None)
}

/// Writes the lock of what is installed, or says whether it would change.
fn lock(config: &Config, check: bool) -> Result<Findings> {
    let installed = config.installed();
    let catalog = Catalog::load_unlocked(&setup::host_for_tools(config)?, &installed)?;
    let (lock, path) = (Lock::of(&catalog), installed.lock.display());
    let count = catalog.plugins().count();
    if Lock::read(&installed.lock)?.as_ref() == Some(&lock) {
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
    let hint = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    host.load(&hint, &bytes).with_context(|| file.display().to_string())
}

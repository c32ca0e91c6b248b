//! `zelo plugin build`: from a folder with a plugin's source to the plugin, by the tools of its language.
//!
//! Mistakes in the plugin are findings; a tool that is missing and cannot be installed is an error.

mod languages;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use zelo_host::{Manifest, package};

use super::super::{Findings, print_line};
use super::language::{Language, sources};
use super::write_whole;

#[derive(Debug, clap::Args)]
pub(in super::super) struct Arguments {
    /// The folder of the plugin: its plugin.toml and its source.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Where to write the plugin; default: NAME.wasm in its folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A plugin to build.
struct Project {
    /// Absolute: tools are called in there.
    folder: PathBuf,
    manifest: Manifest,
}

pub(super) fn run(arguments: &Arguments) -> Result<Findings> {
    let shown = arguments.folder.display();
    let folder = fs::canonicalize(&arguments.folder).with_context(|| format!("the folder {shown} cannot be read"))?;
    let path = arguments.folder.join("plugin.toml");
    let text = fs::read_to_string(&path)
        .with_context(|| format!("{} cannot be read; `zelo plugin new` makes a folder with one", path.display()))?;
    let manifest = Manifest::parse(&text).with_context(|| path.display().to_string())?;
    let language = Language::of(&folder)?;
    let out = arguments.out.clone().unwrap_or_else(|| arguments.folder.join(format!("{}.wasm", manifest.name)));
    // cargo knows by itself what is to be compiled again, also where a plugin's code stands outside of its folder.
    if language != Language::Rust && is_newest(&out, &folder)? {
        print_line(&format!("{} is up to date", out.display()));
        return Ok(Findings::None);
    }
    let project = Project { folder, manifest };
    let wasm = match language {
        Language::Rust => languages::rust(&project),
        Language::Js => languages::js(&project),
        Language::Python => languages::python(&project),
        Language::C => languages::c(&project),
    }?;
    let Some(wasm) = wasm else { return Ok(Findings::Some) };
    let bytes = fs::read(&wasm).with_context(|| format!("{} cannot be read", wasm.display()))?;
    let packed = match package::pack(&bytes, &text) {
        Ok(packed) => packed,
        Err(error) => {
            eprintln!("zelo: {shown}: {error}");
            return Ok(Findings::Some);
        }
    };
    if fs::read(&out).is_ok_and(|before| before == packed) {
        print_line(&format!("{} is up to date", out.display()));
        return Ok(Findings::None);
    }
    write_whole(&out, &packed)?;
    print_line(&format!("{}  {} bytes", out.display(), packed.len()));
    Ok(Findings::None)
}

/// Whether nothing below the folder has changed since `out` was written.
fn is_newest(out: &Path, folder: &Path) -> Result<bool> {
    let Some(written) = changed(out) else { return Ok(false) };
    Ok(sources(folder)?.iter().all(|file| changed(file).is_some_and(|changed| changed <= written)))
}

fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

impl Project {
    /// A folder for what is made on the way.
    fn aside(&self) -> Result<PathBuf> {
        let folder = self.folder.join("build");
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(folder)
    }

    /// Writes the contract as far as the manifest wants it, beside the whole of it, and gives the folder of both.
    fn narrow_contract(&self) -> Result<PathBuf> {
        use zelo_host::contract;
        let folder = self.aside()?.join("wit");
        let whole = folder.join("deps").join(contract::FOLDER);
        fs::create_dir_all(&whole).with_context(|| format!("{} cannot be made", whole.display()))?;
        let narrow = (folder.join("world.wit"), contract::narrow(&self.manifest));
        let files = contract::FILES.iter().map(|(name, text)| (whole.join(name), (*text).to_owned()));
        for (path, text) in files.chain([narrow]) {
            fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        Ok(folder)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_plugin_is_up_to_date_as_long_as_nothing_is_newer() {
        let folder = tempfile::tempdir().unwrap();
        let (source, out) = (folder.path().join("plugin.py"), folder.path().join("greeter.wasm"));
        let written_at = |path: &Path, seconds: u64| {
            fs::write(path, "").unwrap();
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
        };
        written_at(&source, 1_000);
        assert!(!is_newest(&out, folder.path()).unwrap(), "there is none");
        written_at(&out, 2_000);
        assert!(is_newest(&out, folder.path()).unwrap());
        written_at(&source, 3_000);
        assert!(!is_newest(&out, folder.path()).unwrap());
    }
}

//! `zelo plugin new`: a folder that builds, passes its cases, and is there to be changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use zelo_host::manifest::{NAME_RULE, is_name};

use super::super::{Findings, print_line};
use super::language::Language;
use super::template;

#[derive(Debug, clap::Args)]
pub(in super::super) struct Arguments {
    /// What rules call it: small letters, digits and hyphens. Also the name of the folder.
    name: String,
    /// The language that it is written in.
    #[arg(long, value_enum)]
    lang: Language,
    /// Where to make the folder; default: here.
    #[arg(long = "in", value_name = "FOLDER", default_value = ".")]
    within: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Findings> {
    let Arguments { name, lang, within } = arguments;
    if !is_name(name) {
        bail!("a plugin cannot be called `{name}`: a name has {NAME_RULE}");
    }
    let folder = within.join(name);
    fs::create_dir_all(within).with_context(|| format!("{} cannot be made", within.display()))?;
    match fs::create_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} is there already: choose another name, or another place with --in", folder.display())
        }
        made => made.with_context(|| format!("{} cannot be made", folder.display()))?,
    }
    let files = template::files(*lang, name);
    files.iter().try_for_each(|(path, text)| write(&folder.join(path), text))?;
    print_line(&format!("{} has {} files. In there:", folder.display(), files.len()));
    print_line("  zelo plugin build");
    print_line(&format!("  zelo plugin test {name}.wasm cases.toml"));
    Ok(Findings::None)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

//! Files with what is kept of somebody: for their owner's eyes only, and never in place of another.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use zelo_core::Pseudonym;

use super::Shape;
use crate::config::secrets;

/// Writes `text` to a file of its own in `folder`, and says where.
pub(super) fn into(folder: &Path, subject: Pseudonym, shape: Shape, text: &str) -> Result<()> {
    secrets::private_folder(folder)?;
    let end = if shape == Shape::Html { "html" } else { "json" };
    let file = folder.join(format!("{subject}.{end}"));
    write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    eprintln!("{}", file.display());
    Ok(())
}

/// Writes `text` to a new file.
pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    let mut file = make(file)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    Ok(file.sync_all()?)
}

/// A new file.
pub(super) fn make(file: &Path) -> std::io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)
}

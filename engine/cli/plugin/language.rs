//! The languages that plugins are written in with zelo's help.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    Rust,
    Js,
    Python,
    C,
}

impl Language {
    /// The language of the plugin in a folder, by the files that its tools want there.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let names = |word: &str, file: &str| fs::read_to_string(folder.join(file)).is_ok_and(|text| text.contains(word));
        if folder.join("Cargo.toml").exists() {
            return Ok(Self::Rust);
        }
        if folder.join("package.json").exists() {
            return Ok(Self::Js);
        }
        if names("componentize-py", "requirements.txt") {
            return Ok(Self::Python);
        }
        if sources(folder)?.iter().any(|file| file.extension() == Some(OsStr::new("c"))) {
            return Ok(Self::C);
        }
        bail!(
            "{} has none of the files that tell its language: Cargo.toml (Rust), package.json (JavaScript), requirements.txt with \
             componentize-py in it (Python), a file in C. `zelo plugin new` makes a folder that has",
            folder.display()
        )
    }
}

/// The files below a folder that a plugin is made of: without what tools put there, which is hidden or named here, and without
/// what only people read.
pub(super) fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("{} cannot be read", folder.display()))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if !name.starts_with('.') && !matches!(&*name, "target" | "node_modules" | "build" | "__pycache__") {
                    folders.push(path);
                }
            } else if ![".wasm", ".part", ".md"].iter().any(|end| name.ends_with(end)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_tells_its_language_by_its_files() {
        for (files, language) in [
            (&[("Cargo.toml", ""), ("helper.c", "")][..], Some(Language::Rust)),
            (&[("package.json", "{}"), ("native/fast.c", "")], Some(Language::Js)),
            (&[("requirements.txt", "componentize-py==0.25.0")], Some(Language::Python)),
            (&[("requirements.txt", "ziglang==0.17.1"), ("source/plugin.c", "")], Some(Language::C)),
            (&[("requirements.txt", "ziglang==0.17.1"), (".venv/include/x.c", ""), ("build/x.c", "")], None),
            (&[("plugin.rs", "")], None),
        ] {
            assert_eq!(Language::of(folder(files).path()).ok(), language, "{files:?}");
        }
    }

    #[test]
    fn what_tools_make_and_people_read_is_no_source() {
        let folder = folder(&[
            ("plugin.py", ""),
            ("wit/x/types.wit", ""),
            ("README.md", ""),
            ("greeter.wasm", ""),
            ("node_modules/a/index.js", ""),
            ("target/x", ""),
            ("__pycache__/plugin.pyc", ""),
        ]);
        let found = sources(folder.path()).unwrap();
        assert_eq!(found, ["plugin.py", "wit/x/types.wit"].map(|path| folder.path().join(path)));
    }
}

//! The register of erasures: a file that stands apart from the database and its backups.
//!
//! Who was erased must stay erased when a backup from before is restored, so that is written down where no backup of the database
//! goes: one JSON object a line, with a pseudonym that leads nowhere. A store applies what it names before it opens.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use zelo_core::Pseudonym;

use crate::Error;

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct Register {
    path: PathBuf,
    /// The store that it is about, by the key that signs its audit log: others may stand in the same file.
    store: String,
}

/// An erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    store: String,
    pub erased: Pseudonym,
    pub at: Timestamp,
    /// It could not be done, and whoever asked for it was told so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    revoked: bool,
}

impl Register {
    pub(crate) fn new(path: &Path, audit_key: [u8; 32]) -> Self {
        Self { path: path.to_owned(), store: data_encoding::HEXLOWER.encode(&audit_key) }
    }

    /// Makes the file where it is missing.
    ///
    /// # Errors
    /// It cannot be made; or it is there no more although it was (`expected`).
    pub(crate) fn prepare(&self, expected: bool) -> Result<(), Error> {
        if self.path.exists() {
            return Ok(());
        }
        if expected {
            return Err(Error::Open(format!(
                "the register of erasures, {}, is missing: without it a restored backup could bring back people who were erased. Put it \
                 back; or, if nobody ever was, make an empty file of this name",
                self.path.display()
            )));
        }
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| self.failed(&error))?;
        }
        let file = self.open().map_err(|error| self.failed(&error))?;
        file.sync_all().map_err(|error| self.failed(&error))
    }

    /// Writes down that `erased` was erased. When this returns well, it is on disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn add(&self, erased: Pseudonym, at: Timestamp) -> Result<(), Error> {
        self.write(&Line { store: self.store.clone(), erased, at, revoked: false })
    }

    /// Takes it back: it could not be done.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn revoke(&self, erased: Pseudonym, at: Timestamp) -> Result<(), Error> {
        self.write(&Line { store: self.store.clone(), erased, at, revoked: true })
    }

    fn write(&self, line: &Line) -> Result<(), Error> {
        let mut text = serde_json::to_string(line).map_err(|error| self.failed(&std::io::Error::other(error)))?;
        text.push('\n');
        let write = || {
            let mut file = self.open()?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| self.failed(&error))
    }

    /// Who of this store was erased.
    ///
    /// # Errors
    /// It cannot be read, or has a line that is none: whoever it names must not come back.
    pub(crate) fn lines(&self) -> Result<Vec<Line>, Error> {
        let file = File::open(&self.path).map_err(|error| self.failed(&error))?;
        let mut lines = Vec::new();
        let texts: Vec<String> = BufReader::new(file).lines().collect::<Result<_, _>>().map_err(|error| self.failed(&error))?;
        for (place, text) in texts.iter().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            match serde_json::from_str::<Line>(text) {
                Ok(line) => lines.push(line),
                // The process died while it wrote: the erasure was not begun, and who asked for it was not told that it was done.
                Err(_) if place + 1 == texts.len() => tracing::warn!("the last line of the register of erasures is not whole"),
                Err(_) => {
                    let text = format!("line {} of the register of erasures, {}, cannot be read", place + 1, self.path.display());
                    return Err(Error::Open(text));
                }
            }
        }
        lines.retain(|line| line.store == self.store);
        let revoked: Vec<(Pseudonym, Timestamp)> = lines.iter().filter(|line| line.revoked).map(|line| (line.erased, line.at)).collect();
        lines.retain(|line| !revoked.contains(&(line.erased, line.at)));
        Ok(lines)
    }

    fn open(&self) -> std::io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.path)?;
        // Half a line is of an erasure that was never begun.
        let text = std::fs::read(&self.path)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            file.set_len(whole as u64)?;
        }
        Ok(file)
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::Open(format!("the register of erasures, {}, cannot be used: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_back_by_its_store_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/erasures.jsonl");
        let (one, other) = (Register::new(&path, [1; 32]), Register::new(&path, [2; 32]));
        assert!(one.prepare(true).is_err(), "it was there, and is gone");
        one.prepare(false).unwrap();
        one.prepare(true).unwrap();
        let person = |byte: u8| Pseudonym::from_bytes([byte; 16]);
        one.add(person(1), Timestamp::UNIX_EPOCH).unwrap();
        other.add(person(2), Timestamp::UNIX_EPOCH).unwrap();
        one.add(person(4), Timestamp::UNIX_EPOCH).unwrap();
        one.revoke(person(4), Timestamp::UNIX_EPOCH).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"store\":").unwrap();
        assert_eq!(one.lines().unwrap().iter().map(|line| line.erased).collect::<Vec<_>>(), [person(1)], "half a line is none");
        one.add(person(3), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(one.lines().unwrap().len(), 2, "the next one takes its place");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("store", "stor", 1)).unwrap();
        assert!(one.lines().is_err(), "in the middle it is damage");
    }
}

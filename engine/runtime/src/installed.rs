//! The files of plugins: which of them may be loaded, and the shelf on which those stay that jobs have begun with.

use std::io::Write;
use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};

use crate::catalog::Error;
use crate::lock::Lock;

/// Where plugins are installed, and what is asked of them.
#[derive(Clone, Debug, Default)]
pub struct Installed {
    /// The folder of `*.wasm`.
    pub folder: PathBuf,
    /// The lock file, where there is one.
    pub lock: PathBuf,
    /// Whether the lock file must be there.
    pub locked: bool,
    /// Who may sign plugins: public keys as `minisign` prints them. With any, a plugin that none of them has signed is refused.
    pub signers: Vec<String>,
    /// Where every plugin stays that was once in force, by its digest: a job that has begun goes on with the version it began with.
    /// Private to zelo; `None` keeps nothing.
    pub shelf: Option<PathBuf>,
}

/// The file of a plugin, which may be loaded.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

impl Installed {
    /// A folder, and nothing asked.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..Self::default() }
    }

    /// The files of the folder, in the order of their names; a folder that does not exist has none.
    pub(crate) fn files(&self, lock: Option<&Lock>) -> Result<Vec<File>, Error> {
        let read = |path: &Path, source| Error::Read { path: path.to_owned(), source };
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(read(&self.folder, error)),
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
        paths.sort();
        let signers = self.signers.iter().map(|key| key_of(key)).collect::<Result<Vec<_>, _>>()?;
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let bytes = std::fs::read(&path).map_err(|error| read(&path, error))?;
            let digest = zelo_host::digest(&bytes);
            if lock.is_some_and(|lock| !lock.installs(&digest)) {
                return Err(Error::NotLocked { path, lock: self.lock.clone(), digest });
            }
            if !signers.is_empty() {
                signed(&path, &bytes, &signers).map_err(|why| Error::NotSigned { path: path.clone(), why })?;
            }
            files.push(File { path, bytes });
        }
        Ok(files)
    }

    /// Puts a plugin that is in force on the shelf.
    pub(crate) fn shelve(&self, digest: &str, bytes: &[u8]) -> Result<(), Error> {
        let Some(shelf) = &self.shelf else { return Ok(()) };
        let path = on_shelf(shelf, digest);
        if path.exists() {
            return Ok(());
        }
        // Whole under another name first, so that a crash leaves no half of one.
        let keep = || {
            std::fs::create_dir_all(shelf)?;
            let part = path.with_extension("part");
            let mut file = std::fs::File::create(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&part, &path)
        };
        keep().map_err(|source| Error::Shelf { path: path.clone(), source })
    }

    /// The plugin with `digest`, if it is on the shelf, and still what it was.
    pub(crate) fn shelved(&self, digest: &str) -> Option<Vec<u8>> {
        let path = on_shelf(self.shelf.as_deref()?, digest);
        let bytes = std::fs::read(&path).ok()?;
        if zelo_host::digest(&bytes) != digest {
            tracing::error!(path = %path.display(), "a plugin on the shelf is not what was put there, and is not run");
            return None;
        }
        Some(bytes)
    }
}

/// A digest is hexadecimal; anything else in a journal leads nowhere.
fn on_shelf(shelf: &Path, digest: &str) -> PathBuf {
    let digest: String = digest.chars().filter(char::is_ascii_hexdigit).collect();
    shelf.join(digest).with_extension("wasm")
}

fn key_of(text: &str) -> Result<PublicKey, Error> {
    PublicKey::from_base64(text.trim()).map_err(|_| Error::Signer { key: text.to_owned() })
}

/// The file that holds the signature of the plugin at `path`.
pub fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

/// What the one who signed says beside the signature, which is signed too. Only signatures of the prehashed kind, which every
/// `minisign` of the last years makes.
fn signed(path: &Path, bytes: &[u8], signers: &[PublicKey]) -> Result<String, String> {
    let beside = signature_of(path);
    let text = std::fs::read_to_string(&beside).map_err(|error| format!("its signature {} cannot be read ({error})", beside.display()))?;
    let signature = Signature::decode(&text).map_err(|_| format!("{} is not a signature as minisign makes them", beside.display()))?;
    match signers.iter().any(|key| key.verify(bytes, &signature, false).is_ok()) {
        true => Ok(signature.trusted_comment().to_owned()),
        false => Err(format!("{} is not a signature of it by one of the keys in `[plugins] signed_by`", beside.display())),
    }
}

/// Whether the plugin at `path` is signed by one of `signers`: what the one who signed says of it.
///
/// # Errors
/// Why not, in words.
pub fn signature(path: &Path, bytes: &[u8], signers: &[String]) -> Result<String, String> {
    let keys: Vec<PublicKey> = signers.iter().map(|key| key_of(key).map_err(|error| error.to_string())).collect::<Result<_, _>>()?;
    signed(path, bytes, &keys)
}

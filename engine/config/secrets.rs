//! Where secrets are found, and how the first ones are made.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use zelo_core::Entropy;
use zelo_store::MasterKey;

use super::Config;

/// Where a secret is.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum SecretRef {
    /// The content of a file, without white space at its end.
    File { file: PathBuf },
    /// The value of an environment variable.
    Env { env: String },
}

impl SecretRef {
    /// The secret; an empty one is refused, because anybody could have signed with it.
    pub fn read(&self, config: &Config) -> Result<Vec<u8>> {
        let (secret, place) = match self {
            Self::File { file } => {
                let path = config.path(file);
                let text = fs::read_to_string(&path).with_context(|| format!("the secret {} cannot be read", path.display()))?;
                (text.trim_end().as_bytes().to_vec(), path.display().to_string())
            }
            Self::Env { env } => {
                let value =
                    std::env::var(env).with_context(|| format!("the environment variable {env} is not set; a secret is to be in it"))?;
                (value.into_bytes(), format!("the environment variable {env}"))
            }
        };
        ensure!(!secret.is_empty(), "{place} is empty; a secret is to be in it");
        Ok(secret)
    }
}

/// The master key. A store that does not exist yet gets a new one, if it is to be in a file.
pub fn master_key(config: &Config, entropy: &dyn Entropy) -> Result<MasterKey> {
    if let SecretRef::File { file } = &config.store.master_key {
        let path = config.path(file);
        outside(&path, &config.data()?, "the master key", "store.master_key", "the key")?;
        if !path.exists() {
            ensure!(
                !config.database()?.exists(),
                "the master key {} is not there, but the store it opens is: bring the key back; without it nothing sealed can be read{}",
                path.display(),
                unfinished(config).map(|why| format!(" ({why})")).unwrap_or_default()
            );
            make(&path, "", entropy)?;
        }
    }
    let text = config.store.master_key.read(config)?;
    MasterKey::parse(&text).context("the master key")
}

/// The master key as it is; none is made.
pub fn present_key(config: &Config) -> Result<MasterKey> {
    let text =
        config.store.master_key.read(config).context("the master key, which must be the one that the store had; bring it back first")?;
    MasterKey::parse(&text).context("the master key")
}

/// The files that a change of the master key in `file` goes through: the new one before it takes its place, and the old one after.
pub fn beside(file: &Path) -> (PathBuf, PathBuf) {
    let beside = |end: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    (beside(".new"), beside(".old"))
}

/// What may be the matter where the master key does not open the store: a change of it that was not finished, or a copy of the store from
/// before one.
pub fn unfinished(config: &Config) -> Option<String> {
    let SecretRef::File { file } = &config.store.master_key else { return None };
    let (new, old) = beside(&config.path(file));
    if new.exists() {
        let text = "a change of the master key was not finished: the new key is in {}. Finish it with `zelo key rotate`";
        return Some(text.replace("{}", &new.display().to_string()));
    }
    let text = "the master key was changed: the one before is in {}, and opens copies of the store from before the change";
    old.exists().then(|| text.replace("{}", &old.display().to_string()))
}

/// A master key in a file: an existing one, or a new one where there is none.
pub fn key_in(path: &Path, config: &Config, entropy: &dyn Entropy) -> Result<MasterKey> {
    outside(path, &config.data()?, "the master key", "--new", "the key")?;
    if !path.exists() {
        make(path, "", entropy)?;
    }
    let text = fs::read_to_string(path).with_context(|| format!("the master key {} cannot be read", path.display()))?;
    MasterKey::parse(text.trim_end().as_bytes()).with_context(|| format!("the master key {}", path.display()))
}

/// Where the register of erasures is.
pub fn register(config: &Config) -> Result<PathBuf> {
    let path = config.path(&config.store.erasures);
    outside(&path, &config.data()?, "the register of erasures", "store.erasures", "an old one")?;
    Ok(path)
}

/// A copy of the data folder must not hold the key that opens it, nor go back to who was not erased yet.
fn outside(path: &Path, data: &Path, what: &str, key: &str, short: &str) -> Result<()> {
    let folder = std::path::absolute(data)?;
    ensure!(
        !std::path::absolute(path)?.starts_with(&folder),
        "{what} {} lies inside the data folder {}; who copies the data must not get {short} with it: set {key} elsewhere",
        path.display(),
        data.display()
    );
    Ok(())
}

/// Writes a new random secret, 64 hexadecimal digits behind `prefix`, that only the owner can read. Never overwrites one.
pub fn make(path: &Path, prefix: &str, entropy: &dyn Entropy) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder(folder)?;
    }
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("{prefix}{digits}\n");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("the secret {} cannot be made", path.display()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("the secret {} cannot be written", path.display()))
}

/// Makes a folder that only its owner can enter, if it is not there.
pub fn private_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use zelo_core::SeededEntropy;

    use super::*;

    fn config(folder: &Path) -> Config {
        Config { folder: folder.to_owned(), ..Config::default() }
    }

    #[test]
    fn the_first_start_makes_a_key_that_others_cannot_read() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        master_key(&config, &SeededEntropy::new(1)).unwrap();
        let path = folder.path().join("keys/master.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let before = fs::read(&path).unwrap();
        master_key(&config, &SeededEntropy::new(2)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), before, "it is kept");
    }

    #[test]
    fn a_store_without_its_key_is_not_given_another() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/zelo.db"), "").unwrap();
        assert!(master_key(&config(folder.path()), &SeededEntropy::new(1)).is_err());
        assert!(!folder.path().join("keys").exists());
    }

    #[test]
    fn the_key_is_not_kept_with_the_data() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.store.master_key = SecretRef::File { file: "data/master.key".into() };
        assert!(master_key(&config, &SeededEntropy::new(1)).unwrap_err().to_string().contains("inside the data folder"));
    }
}

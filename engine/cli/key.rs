//! `zelo key rotate`: changes the master key.
//!
//! Of a key in a file: the new one is made beside it, the store is wrapped under it, and the two change places. A process that dies in
//! between leaves the new key where the next one finds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use zelo_core::{Clock, Entropy};
use zelo_runtime::system::{SystemClock, SystemEntropy};
use zelo_store::sqlite::SqliteStore;
use zelo_store::{Error, MasterKey, Store};

use super::control::Way;
use super::{Findings, print_line, setup};
use crate::config::Config;
use crate::config::secrets::{self, SecretRef};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Change the master key. Everything stays as it is, but opens with the new key only. Not while a server runs.
    Rotate {
        /// The new key: this file, made where it is not there. It stays where it is, and the configuration is to name it. Default: made
        /// beside the old one, whose place it takes.
        #[arg(long, value_name = "FILE")]
        new: Option<PathBuf>,
    },
}

pub(super) fn run(config: Option<&Path>, command: &Command) -> Result<Findings> {
    let Command::Rotate { new } = command;
    let config = Config::load(config)?;
    super::tokio()?.block_on(rotate(&config, new.as_deref()))?;
    Ok(Findings::None)
}

async fn rotate(config: &Config, new: Option<&Path>) -> Result<()> {
    let database = config.database()?;
    ensure!(database.exists(), "there is no store yet: {} is made by the first `zelo serve`, with its master key", database.display());
    ensure!(
        Way::to_server(config).await?.is_none(),
        "a server has the store open; stop it first: the master key is changed while nobody else has it"
    );
    match (new, &config.store.master_key) {
        (Some(new), key) => to(config, new, key).await,
        (None, SecretRef::File { file }) => in_place(config, &config.path(file)).await,
        (None, SecretRef::Store { .. }) => bail!("store.master_key: what opens the store cannot be in it"),
        (None, SecretRef::Env { env }) => bail!(
            "the master key is in the environment variable {env}, which cannot be changed from here. Run `zelo key rotate --new FILE`: it \
             makes a new key in FILE and changes to it. Then put what is in FILE into {env}, and remove FILE"
        ),
    }
}

/// Changes to the key in a file that the configuration does not name yet.
async fn to(config: &Config, new: &Path, old: &SecretRef) -> Result<()> {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let present = secrets::master_key(config, entropy.as_ref())?;
    let key = secrets::key_in(new, config, entropy.as_ref())?;
    let keys = change(config, present, &key, entropy).await?;
    print_line(&format!("{keys} keys are wrapped under the master key in {}", new.display()));
    match old {
        SecretRef::File { file } => print_line(&format!(
            "before the next start: set store.master_key = {{ file = \"{}\" }}; the old key is still in {}",
            new.display(),
            config.path(file).display()
        )),
        SecretRef::Store { .. } => {}
        SecretRef::Env { env } => {
            print_line(&format!("before the next start: put what is in {} into {env}, and remove the file", new.display()));
        }
    }
    backups("the old one");
    Ok(())
}

/// Makes a new key, which takes the place of the one in `file`; or goes on where an earlier process stopped.
async fn in_place(config: &Config, file: &Path) -> Result<()> {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let (new, old) = secrets::beside(file);
    let begun = new.exists();
    // Which key opens the store tells how far it had come.
    if begun && !(file.exists() && opens(config, file, entropy.clone()).await?) {
        ensure!(
            opens(config, &new, entropy).await?,
            "neither {} nor {} opens the store; bring back the key that does",
            file.display(),
            new.display()
        );
        exchange(file, &new, &old)?;
        print_line(&format!("an earlier change of the master key is finished: the new key is in {}", file.display()));
        backups(&old.display().to_string());
        return Ok(());
    }
    free(&old)?;
    let present = secrets::master_key(config, entropy.as_ref())?;
    // One that an earlier process left behind is used: it may be about to wrap the store under it.
    let key = secrets::key_in(&new, config, entropy.as_ref())
        .with_context(|| format!("if no other `zelo key rotate` runs, remove {} and try again", new.display()))?;
    sync_folder(&new)?;
    let changed = change(config, present, &key, entropy).await;
    let keys =
        changed.with_context(|| format!("run `zelo key rotate` again once this is mended; until then, keep {} too", new.display()))?;
    exchange(file, &new, &old)?;
    print_line(&format!("{keys} keys are wrapped under the new master key, which is in {}", file.display()));
    backups(&old.display().to_string());
    Ok(())
}

/// Makes sure that no older key is overwritten.
fn free(old: &Path) -> Result<()> {
    ensure!(
        !old.exists(),
        "{} is there, from an earlier change of the master key: backups from before that need it, so it is not overwritten. Move it away, or \
         destroy it once no such backup is kept, and run `zelo key rotate` again",
        old.display()
    );
    Ok(())
}

/// Puts the new key in the place of the old one.
fn exchange(file: &Path, new: &Path, old: &Path) -> Result<()> {
    if file.exists() {
        free(old)?;
        fs::rename(file, old).with_context(|| format!("{} cannot be moved to {}", file.display(), old.display()))?;
    }
    fs::rename(new, file).with_context(|| format!("{} cannot be moved to {}", new.display(), file.display()))?;
    sync_folder(file)
}

/// Has the names in the folder of `file` on disk.
fn sync_folder(file: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("the folder {}", folder.display()))
}

async fn change(config: &Config, old: MasterKey, new: &MasterKey, entropy: Arc<dyn Entropy>) -> Result<u64> {
    let changed = SqliteStore::rotate(setup::sqlite(config)?, old, new, entropy, SystemClock.now()).await;
    changed.context("changing the master key")
}

/// Whether the key in `file` opens the store.
async fn opens(config: &Config, file: &Path, entropy: Arc<dyn Entropy>) -> Result<bool> {
    let key = secrets::key_in(file, config, entropy.as_ref())?;
    match SqliteStore::open(setup::sqlite(config)?, key, entropy).await {
        Ok(store) => {
            store.close().await?;
            Ok(true)
        }
        Err(Error::Sealed { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn backups(old: &str) {
    print_line(&format!(
        "backups from before now still need {old}: keep it apart from them, and destroy it once none of them is kept any more"
    ));
}

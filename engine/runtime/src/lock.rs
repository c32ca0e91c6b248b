//! `zelo.lock`: which plugins may run, by digest. Where the file is there, a component that it does not name is refused before it is even
//! compiled: whoever can write into the folder of plugins cannot put another one in force unseen.

use std::path::Path;

use serde::Deserialize;

use crate::Catalog;
use crate::catalog::Error;

/// The plugins that may run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    plugins: Vec<Locked>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Locked {
    /// Name and version are for people: the digest decides.
    name: String,
    version: String,
    /// SHA-256 of the component, hexadecimal.
    digest: String,
    /// Not installed any more: only jobs that began with it may still run it.
    #[serde(default)]
    former: bool,
}

impl Lock {
    /// Names what is in `catalog`, and what `before` named, for jobs that began with it.
    pub fn of(catalog: &Catalog, before: Option<Self>) -> Self {
        let locked = catalog.plugins().map(|plugin| {
            let (manifest, digest) = (plugin.manifest(), plugin.digest().to_owned());
            Locked { name: manifest.name.clone(), version: manifest.version.to_string(), digest, former: false }
        });
        let mut plugins: Vec<Locked> = locked.collect();
        for former in before.into_iter().flat_map(|before| before.plugins) {
            if !plugins.iter().any(|locked| locked.digest == former.digest) {
                plugins.push(Locked { former: true, ..former });
            }
        }
        Self { plugins }
    }

    /// The lock of a file; nothing where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is none: then nothing may run.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        toml::from_str(&text).map(Some).map_err(|error| Error::Lock { path: path.to_owned(), why: error.to_string() })
    }

    /// As the file says it.
    pub fn to_text(&self) -> String {
        let mut text = "# The plugins that may run, by the SHA-256 of their files. `zelo plugin lock` writes it.\n".to_owned();
        for Locked { name, version, digest, former } in &self.plugins {
            text.push_str(&format!("\n[[plugins]]\nname    = \"{name}\"\nversion = \"{version}\"\ndigest  = \"{digest}\"\n"));
            if *former {
                text.push_str("former  = true   # for jobs that began with it\n");
            }
        }
        text
    }

    /// Whether the component with this digest may be in force.
    pub(crate) fn installs(&self, digest: &str) -> bool {
        self.plugins.iter().any(|locked| locked.digest == digest && !locked.former)
    }

    /// Whether a job that began with the component with this digest may go on with it.
    pub(crate) fn names(&self, digest: &str) -> bool {
        self.plugins.iter().any(|locked| locked.digest == digest)
    }
}

//! TLS of connections that come in: the certificate, its key, and how changed files take their place.
//!
//! rustls with *ring*, TLS 1.2 and 1.3 with its own choice of suites. What is negotiated on top is HTTP/1.1, which is what is spoken.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Why files are no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("{} is not in PEM, as `-----BEGIN CERTIFICATE-----` and so on", .0.display())]
    NotPem(PathBuf, #[source] pem::Error),
    #[error("{} has no certificate", .0.display())]
    Empty(PathBuf),
    #[error("{} and {} do not go together, or are not for a server", .cert.display(), .key.display())]
    Unfit {
        cert: PathBuf,
        key: PathBuf,
        #[source]
        why: rustls::Error,
    },
}

/// A certificate with its chain, and its key: those that were read last and fit together.
#[derive(Debug)]
pub struct Certificates {
    cert: PathBuf,
    key: PathBuf,
    current: ArcSwap<ServerConfig>,
    /// A digest of the files as they were looked at last; none where one could not be read.
    seen: Mutex<Option<[u8; 32]>>,
}

impl Certificates {
    /// Reads both files.
    ///
    /// # Errors
    /// They are no certificate to serve with.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = Files::read(cert, key)?;
        let current = ArcSwap::from_pointee(files.config(cert, key)?);
        Ok(Self { cert: cert.to_owned(), key: key.to_owned(), current, seen: Mutex::new(Some(files.digest())) })
    }

    /// Looks at the files again; whether another certificate is served from now on. Connections that are open keep theirs.
    ///
    /// # Errors
    /// They have changed since they were looked at last, to no certificate to serve with: the one before stays.
    pub fn look(&self) -> Result<bool, TlsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let files = match Files::read(&self.cert, &self.key) {
            Ok(files) => files,
            // Told of once.
            Err(error) => return if seen.take().is_some() { Err(error) } else { Ok(false) },
        };
        let digest = files.digest();
        if seen.replace(digest) == Some(digest) {
            return Ok(false);
        }
        self.current.store(Arc::new(files.config(&self.cert, &self.key)?));
        Ok(true)
    }

    /// Looks at the files again, and says what came of it.
    pub(crate) fn look_and_tell(&self) {
        match self.look() {
            Ok(true) => tracing::info!("the changed certificate is served to new connections"),
            Ok(false) => {}
            Err(error) => {
                let cause = std::error::Error::source(&error).map(tracing::field::display);
                tracing::error!(%error, cause, "the changed certificate cannot be served, the one before it stays");
            }
        }
    }

    /// What makes TLS of a new connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

/// The contents of both files.
struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    fn read(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| TlsError::Unreadable(path.to_owned(), error));
        Ok(Self { cert: read(cert)?, key: read(key)? })
    }

    fn digest(&self) -> [u8; 32] {
        // The length keeps the border between them.
        Sha256::new()
            .chain_update((self.cert.len() as u64).to_be_bytes())
            .chain_update(&self.cert)
            .chain_update(&self.key)
            .finalize()
            .into()
    }

    fn config(&self, cert: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
        let not_pem = |path: &Path| {
            let path = path.to_owned();
            move |error| TlsError::NotPem(path, error)
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.cert).collect::<Result<_, _>>().map_err(not_pem(cert))?;
        if chain.is_empty() {
            return Err(TlsError::Empty(cert.to_owned()));
        }
        let secret = PrivateKeyDer::from_pem_slice(&self.key).map_err(not_pem(key))?;
        let unfit = |why| TlsError::Unfit { cert: cert.to_owned(), key: key.to_owned(), why };
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
        let mut config = builder.map_err(unfit)?.with_no_client_auth().with_single_cert(chain, secret).map_err(unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(folder: &Path, cert: &str, key: &str) {
        fs::write(folder.join("cert.pem"), cert).unwrap();
        fs::write(folder.join("key.pem"), key).unwrap();
    }

    /// A certificate and its key, in PEM.
    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["zelo.test".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn changed_files_are_taken_over_and_bad_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let ((cert, key), (other_cert, other_key)) = (made(), made());
        write(folder, &cert, &key);
        let certificates = Certificates::load(&folder.join("cert.pem"), &folder.join("key.pem")).unwrap();
        let first = certificates.current.load_full();
        let is_first = || Arc::ptr_eq(&first, &certificates.current.load_full());
        assert!(!certificates.look().unwrap());

        // The certificate is written before its key: nothing is served with half of it.
        write(folder, &other_cert, &key);
        assert!(matches!(certificates.look(), Err(TlsError::Unfit { .. })) && is_first());
        assert!(!certificates.look().unwrap(), "told of once");
        write(folder, "garbage", &other_key);
        assert!(matches!(certificates.look(), Err(TlsError::Empty(_))) && is_first());
        write(folder, &other_cert, "garbage");
        assert!(matches!(certificates.look(), Err(TlsError::NotPem(..))) && is_first());
        fs::remove_file(folder.join("key.pem")).unwrap();
        assert!(matches!(certificates.look(), Err(TlsError::Unreadable(..))) && is_first());
        assert!(!certificates.look().unwrap(), "told of once");

        write(folder, &other_cert, &other_key);
        assert!(certificates.look().unwrap() && !is_first());
        assert!(!certificates.look().unwrap());
    }
}

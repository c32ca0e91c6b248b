//! Sealing: personal data is unreadable in the files, and each owner's can be made unreadable for good.
//!
//! One [`MasterKey`], kept outside of the data folder, yields three keys by HMAC-SHA256 under fixed labels (the
//! expand step of HKDF, RFC 5869 §2.3, with a single block): one to index by ([`Indexer`]), one to name owners by,
//! one to wrap data keys with. Every [`Owner`] has a random data key of its own; only its wrapped form is stored, so
//! destroying that row makes everything sealed under it noise. Values and data keys are sealed with
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) under random nonces, and bound to the [`Place`] they stand in: moved to
//! another row or column they do not open.
//!
//! No SQL here: each database keeps the wrapped keys in its own way and asks a [`Keyring`] to make and open them.

mod data_key;
mod keyring;
mod master;
mod owner;

pub use data_key::{DataKey, Place, Unopened};
pub use keyring::Keyring;
pub use master::{InvalidMasterKey, MasterKey};
pub use owner::{Owner, OwnerKind, PURPOSE};

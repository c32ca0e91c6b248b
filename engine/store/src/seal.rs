//! Sealing: personal data is unreadable in the files, and each owner's can be made unreadable for good.
//!
//! One [`MasterKey`], kept outside of the data folder, yields the key that wraps all others, by HMAC-SHA256 under a fixed label (the
//! expand step of HKDF, RFC 5869 §2.3, with a single block). A [`Root`] has what must stay when the master key changes: the key to
//! index by, the one to name owners by, the one that signs the audit log. Every [`Owner`] has a random data key of its own; only its wrapped form is stored, so
//! destroying that row makes everything sealed under it noise. Values and data keys are sealed with
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) under random nonces, and bound to the [`Place`] they stand in: moved to
//! another row or column they do not open.
//!
//! No SQL here: each database keeps the wrapped keys in its own way and asks a [`Keyring`] to make and open them.

mod cipher;
mod data_key;
mod keyring;
mod master;
mod owner;
mod root;
mod signer;

pub use data_key::{DataKey, Place, Unopened};
pub use keyring::Keyring;
pub(crate) use keyring::{open_own, seal_own};
pub use master::{InvalidMasterKey, MasterKey};
pub use owner::{DUTY, Owner, OwnerKind, PURPOSE};
pub use root::Root;
pub use signer::{Signer, is_signed};

use std::fs;
use std::path::Path;

use minisign::{KeyPair, SecretKey};
use zelo_host::HostConfig;

use super::*;
use crate::installed::signature_of;

fn host() -> Arc<Host> {
    Arc::new(Host::new(HostConfig::default()).unwrap())
}

/// The plugin `message` that ships, as if it were of this version.
fn message(version: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist/message.wasm");
    let mut bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; `plugins/build` makes it", path.display()));
    let shipped = b"version = \"1.0.0\"";
    let at = bytes.windows(shipped.len()).position(|window| window == shipped).unwrap() + b"version = \"".len();
    assert_eq!(version.len(), 5);
    bytes[at..at + 5].copy_from_slice(version.as_bytes());
    bytes
}

fn folder(plugins: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in plugins {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn version(catalog: &Catalog, name: &str) -> Option<String> {
    catalog.named(name).map(|plugin| plugin.manifest().version.to_string())
}

#[test]
fn versions_stand_side_by_side() {
    let host = host();
    let (first, later, next) = (message("1.2.0"), message("1.9.0"), message("2.0.0"));
    let some = folder(&[("message.wasm", &next), ("message-1.2.wasm", &first), ("message-1.9.wasm", &later)]);
    let catalog = Catalog::load(&host, &Installed::in_folder(some.path())).unwrap();
    let named = |name: &str| version(&catalog, name);
    assert_eq!(named("message").as_deref(), Some("2.0.0"), "the highest");
    assert_eq!(named("message@1").as_deref(), Some("1.9.0"), "the highest of what is pinned");
    assert_eq!(named("message@2").as_deref(), Some("2.0.0"));
    assert_eq!((named("message@3"), named("message@1.2"), named("message@"), named("other")), (None, None, None, None));
    assert_eq!(catalog.names(), ["message"]);
    assert_eq!(catalog.plugin("message@1").unwrap().version, "1.9.0");
    let locked = Lock::of(&catalog, None).to_text();
    assert_eq!(locked.matches("[[plugins]]").count(), 3, "{locked}");

    let twice = folder(&[("a.wasm", &first), ("b.wasm", &first)]);
    let error = Catalog::load(&host, &Installed::in_folder(twice.path())).err().unwrap().to_string();
    assert!(error.contains("b.wasm") && error.contains("both plugin `message` in version 1.2.0"), "{error}");
}

#[tokio::test]
async fn a_version_that_was_in_force_is_there_for_who_began_with_it() {
    let host = host();
    let (first, next) = (message("1.0.0"), message("2.0.0"));
    let (plugins, shelf) = (folder(&[("message.wasm", &first)]), tempfile::tempdir().unwrap());
    let kept = shelf.path().join("plugins");
    let installed = Installed { shelf: Some(kept.clone()), ..Installed::in_folder(plugins.path()) };
    let before = Catalog::load(&host, &installed).unwrap();
    let began = before.named("message").unwrap().digest().to_owned();

    fs::write(plugins.path().join("message.wasm"), &next).unwrap();
    let after = Arc::new(Catalog::load(&host, &installed).unwrap());
    assert_eq!(version(&after, "message").as_deref(), Some("2.0.0"), "what begins now begins with the new one");
    let found = after.with_digest(&host, &began).await.expect("it is kept");
    assert_eq!((found.digest(), found.manifest().version.to_string().as_str()), (began.as_str(), "1.0.0"));
    assert!(after.with_digest(&host, &"0".repeat(64)).await.is_none());
    assert!(after.with_digest(&host, "../message").await.is_none());

    let nothing_kept = Arc::new(Catalog::load(&host, &Installed::in_folder(plugins.path())).unwrap());
    assert!(nothing_kept.with_digest(&host, &began).await.is_none());

    // A lock keeps what it named before, for them; who takes it out of the lock takes it away from them too.
    let lock = plugins.path().join("zelo.lock");
    let locked = Installed { lock: lock.clone(), locked: true, ..installed.clone() };
    let no_lock = Catalog::load(&host, &locked).err().unwrap().to_string();
    assert!(no_lock.contains("is not there, so no plugin may run"), "{no_lock}");
    for (text, there) in [(Lock::of(&after, Some(Lock::of(&before, None))), true), (Lock::of(&after, None), false)] {
        fs::write(&lock, text.to_text()).unwrap();
        assert_eq!(Lock::read(&lock).unwrap(), Some(text));
        let catalog = Arc::new(Catalog::load(&host, &locked).unwrap());
        assert!(catalog.is_locked());
        assert_eq!(catalog.with_digest(&host, &began).await.is_some(), there);
    }

    // But only from the shelf: who puts the former version back does not bring it into force.
    fs::write(&lock, Lock::of(&after, Some(Lock::of(&before, None))).to_text()).unwrap();
    fs::write(plugins.path().join("message.wasm"), &first).unwrap();
    let back = Catalog::load(&host, &locked).err().unwrap().to_string();
    assert!(back.contains("is not among the plugins"), "{back}");
    fs::remove_file(&lock).unwrap();
    fs::write(plugins.path().join("message.wasm"), &next).unwrap();

    fs::write(kept.join(&began).with_extension("wasm"), &next).unwrap();
    let afresh = Arc::new(Catalog::load(&host, &installed).unwrap());
    assert!(afresh.with_digest(&host, &began).await.is_none(), "it is not what was put there");
}

fn sign(path: &Path, key: &SecretKey) {
    let bytes = fs::read(path).unwrap();
    let signature = minisign::sign(None, key, bytes.as_slice(), Some("release 1.0.0"), None).unwrap();
    fs::write(signature_of(path), signature.to_string()).unwrap();
}

#[test]
fn where_signatures_are_asked_for_only_what_is_signed_runs() {
    let host = host();
    let [own, other] = [(); 2].map(|()| KeyPair::generate_unencrypted_keypair().unwrap());
    let plugins = folder(&[("message.wasm", &message("1.0.0"))]);
    let path = plugins.path().join("message.wasm");
    let installed = Installed { signers: vec![own.pk.to_base64()], ..Installed::in_folder(plugins.path()) };
    let why = |installed: &Installed| Catalog::load(&host, installed).err().map(|error| error.to_string()).unwrap_or_default();

    assert!(why(&installed).contains("its signature") && why(&installed).contains("message.wasm.minisig"), "{}", why(&installed));
    assert!(Catalog::load(&host, &Installed::in_folder(plugins.path())).is_ok(), "nobody asked");
    fs::write(signature_of(&path), "nonsense").unwrap();
    assert!(why(&installed).contains("is not a signature as minisign makes them"));
    sign(&path, &other.sk);
    assert!(why(&installed).contains("not a signature of it by one of the keys"));
    sign(&path, &own.sk);
    assert_eq!(why(&installed), "");
    let said = crate::installed::signature(&path, &fs::read(&path).unwrap(), &installed.signers);
    assert_eq!(said.as_deref(), Ok("release 1.0.0"));
    let both = Installed { signers: vec![other.pk.to_base64(), own.pk.to_base64()], ..installed.clone() };
    assert_eq!(why(&both), "", "one of them is enough");
    fs::write(&path, message("1.0.1")).unwrap();
    assert!(why(&installed).contains("not a signature of it"), "it was changed after it was signed");
    let unreadable = Installed { signers: vec!["RWQ".to_owned()], ..installed };
    assert!(why(&unreadable).contains("`RWQ` is not a public key"));
}

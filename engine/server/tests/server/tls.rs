//! TLS, over real sockets.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version};
use zelo_server::Certificates;

use crate::door::{Door, Heard, settings_with};

const NAME: &str = "zelo.test";

/// Makes a certificate, and writes it with its key to where the server looks.
fn renew(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = made();
    fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

fn made() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([NAME.to_owned()]).unwrap()
}

fn load(folder: &Path) -> Arc<Certificates> {
    Arc::new(Certificates::load(&folder.join("cert.pem"), &folder.join("key.pem")).unwrap())
}

/// Connects, as a client that trusts this certificate alone.
async fn connect(
    door: &Door,
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(door.address).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(NAME).unwrap(), stream).await
}

const BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

async fn ask(stream: &mut TlsStream<TcpStream>, close: &str) {
    stream.write_all(format!("GET /sign-in HTTP/1.1\r\nhost: {NAME}\r\n{close}\r\n").as_bytes()).await.unwrap();
}

#[tokio::test]
async fn it_speaks_tls_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let door = Door::new(settings_with(load(folder.path()))).await;
    for (version, spoken) in [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)] {
        let mut stream = connect(&door, &trusted, &[version], &["h2", "http/1.1"]).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(spoken));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        ask(&mut stream, "connection: close\r\n").await;
        let heard = Heard::of(stream).await;
        assert_eq!((heard.status, heard.header("strict-transport-security")), (200, Some("max-age=31536000")));
    }
    assert!(connect(&door, &trusted, &BOTH, &["h2"]).await.is_err(), "what is not spoken is not promised");
    let mut plain = TcpStream::connect(door.address).await.unwrap();
    plain.write_all(b"GET /sign-in HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn a_session_over_tls_is_for_tls() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let door = Door::new(settings_with(load(folder.path()))).await;
    let mut stream = connect(&door, &trusted, &BOTH, &[]).await.unwrap();
    let form = format!("code={}", door.house.link().await);
    let head =
        format!("POST /sign-in HTTP/1.1\r\nhost: {NAME}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n");
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{form}", form.len()).as_bytes()).await.unwrap();
    let heard = Heard::of(stream).await;
    let cookie = heard.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-zelo=") && cookie.ends_with("; Secure"), "{cookie}");
}

#[tokio::test]
async fn who_says_nothing_is_hung_up_on() {
    let folder = tempfile::tempdir().unwrap();
    renew(folder.path());
    let door = Door::new(settings_with(load(folder.path()))).await;
    let silent = TcpStream::connect(door.address).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(10), Heard::of(silent)).await.unwrap();
    assert_eq!(heard.status, 0);
}

#[tokio::test]
async fn a_changed_certificate_is_served_to_new_connections() {
    let folder = tempfile::tempdir().unwrap();
    let first = renew(folder.path());
    let door = Door::new(settings_with(load(folder.path()))).await;
    let mut old = connect(&door, &first, &BOTH, &[]).await.unwrap();
    let second = renew(folder.path());
    let served = async {
        while connect(&door, &second, &BOTH, &[]).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), served).await.unwrap();
    assert!(connect(&door, &first, &BOTH, &[]).await.is_err());
    ask(&mut old, "connection: close\r\n").await;
    assert_eq!(Heard::of(old).await.status, 200, "who is connected already stays so");
}

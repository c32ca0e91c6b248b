//! Who is let in, and by which way: TLS, plain HTTP that somebody has to answer for, lists of addresses.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::house::{House, within};

const NAME: &str = "hooks.example.com";

/// With `server` under `[server]` of its zelo.toml.
fn house(server: &str, more: &str) -> House {
    let house = House::new(more);
    edit(&house, "[server]\n", &format!("[server]\n{server}"));
    house
}

fn edit(house: &House, from: &str, to: &str) {
    let config = fs::read_to_string(house.path("zelo.toml")).unwrap();
    assert!(config.contains(from), "{config}");
    fs::write(house.path("zelo.toml"), config.replacen(from, to, 1)).unwrap();
}

/// Why it does not start.
fn refusal(house: &House) -> String {
    let output = house.zelo(&["serve"]);
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_is_about_people_does_not_come_in_plain_http_unless_somebody_says_why() {
    let house = house("", "");
    edit(&house, "127.0.0.1", "0.0.0.0");
    let why = refusal(&house);
    assert!(why.contains("clinicarx") && why.contains("plain HTTP") && why.contains("[server.tls]") && why.contains("plain_http"), "{why}");

    edit(&house, "[server]\n", "[server]\nplain_http = \"inside the tunnel of the clinic\"\n");
    let server = house.serve();
    let printed = server.stop().join("\n");
    assert!(printed.contains("ATTENTION") && printed.contains("inside the tunnel of the clinic"), "{printed}");
    assert!(house.log().contains("inside the tunnel of the clinic"), "{}", house.log());

    edit(&house, "plain_http = \"inside the tunnel of the clinic\"", "trusted_proxies = [\"10.0.0.0/8\"]");
    let printed = house.serve().stop().join("\n");
    assert!(!printed.contains("ATTENTION"), "{printed}");
}

#[test]
fn what_is_about_nobody_may() {
    let house = house("", "");
    edit(&house, "127.0.0.1", "0.0.0.0");
    edit(&house, "[paths]\n", "[paths]\nrules = \"public\"\n");
    fs::create_dir_all(house.path("public/sources")).unwrap();
    let source = "id = \"weather\"\ntitle = \"Weather\"\n[receive]\nformat = \"json\"\n\
                  verify = { any = [{ kind = \"token\", header = \"x-zelo-token\" }] }\n\
                  [[events]]\nmatch = { path = \"now\" }\ntype = \"weather.changed\"\nclass = \"public\"\n[classes]\npublic = [\"$.at\"]\n";
    fs::write(house.path("public/sources/weather.toml"), source).unwrap();
    house.serve().stop();
    fs::write(house.path("public/sources/weather.toml"), source.replace("class = \"public\"\n", "")).unwrap();
    assert!(refusal(&house).contains("weather"), "what nobody classified is sensitive");
}

/// Makes a certificate where the server looks for it.
fn renew(house: &House) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([NAME.to_owned()]).unwrap();
    fs::write(house.path("cert.pem"), cert.pem()).unwrap();
    fs::write(house.path("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

/// What a client hears that trusts this certificate alone.
fn ask(port: u16, trusted: &CertificateDer<'static>, path: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let client = ClientConnection::new(config, ServerName::try_from(NAME).unwrap()).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(client, TcpStream::connect(("127.0.0.1", port))?);
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {NAME}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut heard = String::new();
    stream.read_to_string(&mut heard)?;
    Ok(heard)
}

#[test]
fn tls_is_served_and_its_certificate_changes_while_it_runs() {
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut house = house(&format!("metrics = \"{metrics}\"\ntls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\n"), "");
    edit(&house, "127.0.0.1", "0.0.0.0");
    let missing = refusal(&house);
    assert!(missing.contains("[server.tls]") && missing.contains("cert.pem"), "{missing}");

    let first = renew(&house);
    // Its figures have an address of their own, in plain HTTP.
    let port = std::mem::replace(&mut house.port, metrics.port());
    let server = house.serve();
    let heard = ask(port, &first, "/sign-in").unwrap();
    assert!(heard.starts_with("HTTP/1.1 200") && heard.to_lowercase().contains("strict-transport-security: max-age="), "{heard}");

    fs::write(house.path("cert.pem"), "half of a certi").unwrap();
    within("it says that it is none", Duration::from_secs(30), || house.log().contains("the changed certificate cannot be served"));
    assert!(ask(port, &first, "/sign-in").unwrap().starts_with("HTTP/1.1 200"), "the one before it stays");

    let second = renew(&house);
    within("the other one is served", Duration::from_secs(30), || ask(port, &second, "/sign-in").is_ok());
    assert!(ask(port, &first, "/sign-in").is_err());
    let output = house.zelo(&["send", "clinicarx", "appointment.created"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("speaks TLS"));
    let printed = server.stop().join("\n");
    assert!(printed.contains("https://"), "{printed}");
}

#[test]
fn lists_of_addresses_and_lock_outs_are_as_configured() {
    let house = house(
        "trusted_proxies = [\"127.0.0.1\"]\nadmin_allow = [\"10.0.0.0/8\"]\n",
        "[server.rates]\nconnection = { per_second = 1000, burst = 1000 }\n",
    );
    let server = house.serve();
    assert_eq!(server.get_plain("/").0, 403, "nobody stands behind this: the machine itself is not on the list");
    assert_eq!(server.get_plain("/healthz").0, 200);
    let forged = || server.deliver_with("clinicarx/clinic/new", "{}", &"00".repeat(32)).0;
    let answers: Vec<u16> = (0..12).map(|_| forged()).collect();
    assert_eq!(answers, [vec![401; 10], vec![429; 2]].concat());
    let body = fs::read_to_string(house.path("examples/events/new-clinic.json")).unwrap();
    assert_eq!(server.deliver("clinicarx/clinic/new", &body).0, 202, "a good signature ends it");
    assert_eq!(forged(), 401);
    assert!(house.log().contains("an address is locked out here"), "{}", house.log());
}

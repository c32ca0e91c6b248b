//! Who is let in, over real sockets: the tests are a trusted proxy that asks for others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use zelo_core::SignedDuration;
use zelo_server::{Allow, Network, ProxyHeader, Rate, Rates, Settings, serve};

use crate::house::{House, SECRET, patient};

/// A server whose clock is set. It stops when this is dropped.
pub(crate) struct Door {
    pub(crate) house: House,
    pub(crate) address: SocketAddr,
    _stop: watch::Sender<bool>,
}

impl Door {
    pub(crate) async fn new(settings: Settings) -> Self {
        let house = House::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve(listener, house.runtime.clone(), settings, stopped));
        Self { house, address, _stop: stop }
    }

    /// One that believes us when we say for whom we ask.
    async fn behind_us(settings: Settings) -> Self {
        Self::new(Settings { trusted_proxies: networks(&["127.0.0.1"]), ..settings }).await
    }

    /// Asks for somebody else, in a connection of its own.
    async fn ask(&self, client: &str, request: &str, headers: &[(&str, &str)], body: &str) -> Heard {
        let mut head = format!("{request} HTTP/1.1\r\nhost: zelo.test\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !client.is_empty() {
            head.push_str(&format!("x-forwarded-for: {client}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        Heard::of(stream).await
    }

    /// A delivery about patient `id`, with this token.
    async fn token(&self, client: &str, connection: &str, token: &str, id: &str) -> Heard {
        let headers = [("content-type", "application/json"), ("x-zelo-token", token)];
        self.ask(client, &format!("POST /hooks/{connection}/patient/new"), &headers, &patient(id, "Ana").to_string()).await
    }

    /// The same, signed with this secret.
    async fn signed(&self, client: &str, secret: &str, id: &str) -> Heard {
        let body = patient(id, "Ana").to_string();
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = HEXLOWER.encode(&mac.finalize().into_bytes());
        self.ask(client, "POST /hooks/acme/patient/new", &[("content-type", "application/json"), ("x-signature", &signature)], &body).await
    }

    /// Fails ten times.
    async fn lock(&self, client: &str) {
        for _ in 0..10 {
            assert_eq!(self.token(client, "acme", "guess", "1").await.status, 401);
        }
    }

    /// The line of a figure.
    fn figure(&self, labelled: &str) -> String {
        let told = self.house.runtime.told(None);
        let line = told.lines().find_map(|line| line.strip_prefix(labelled)).unwrap_or_else(|| panic!("{labelled} in {told}"));
        line.trim().to_owned()
    }
}

/// An answer.
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Heard {
    pub(crate) async fn of(mut stream: impl AsyncReadExt + Unpin) -> Self {
        let mut text = Vec::new();
        // A peer that hangs up without saying so has been heard too.
        let _ = stream.read_to_end(&mut text).await;
        let text = String::from_utf8(text).unwrap();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, text }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.text
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    }

    fn is_problem(&self, status: u16, code: &str) -> &Self {
        assert!(self.status == status && self.text.contains(&format!("urn:zelo:problem:{code}\"")), "{}", self.text);
        self
    }
}

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn rate(per_second: u32, burst: u32) -> Rate {
    Rate { per_second: per_second.try_into().unwrap(), burst: burst.try_into().unwrap() }
}

const FORGER: &str = "203.0.113.66";
const PROVIDER: &str = "198.51.100.7";

#[tokio::test]
async fn who_guesses_is_locked_out_and_nobody_else() {
    let door = Door::behind_us(Settings::default()).await;
    door.lock(FORGER).await;
    let locked = door.token(FORGER, "acme", SECRET, "1").await;
    assert_eq!(locked.is_problem(429, "locked").header("retry-after"), Some("30"), "what is right is not looked at either");
    assert_eq!(door.token(PROVIDER, "acme", SECRET, "1").await.status, 202);
    assert_eq!(door.token(FORGER, "open", SECRET, "2").await.status, 202, "another connection is another matter");
    assert_eq!(door.figure("zelo_deliveries_refused_total{connection=\"acme\",reason=\"locked\"}"), "1");

    door.house.advance(SignedDuration::from_secs(29));
    assert_eq!(door.token(FORGER, "acme", "guess", "1").await.is_problem(429, "locked").header("retry-after"), Some("1"));
    door.house.advance(SignedDuration::from_secs(1));
    assert_eq!(door.token(FORGER, "acme", "guess", "1").await.status, 401);
    let longer = door.token(FORGER, "acme", "guess", "1").await;
    assert_eq!(longer.is_problem(429, "locked").header("retry-after"), Some("60"), "twice as long");
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_place() {
    let door = Door::behind_us(Settings::default()).await;
    for number in 0..10 {
        assert_eq!(door.token(&format!("2001:db8:1:2::{number}"), "acme", "guess", "1").await.status, 401);
    }
    door.token("2001:db8:1:2:ffff::1", "acme", SECRET, "1").await.is_problem(429, "locked");
    assert_eq!(door.token("2001:db8:1:3::1", "acme", SECRET, "1").await.status, 202);
}

#[tokio::test]
async fn who_was_verified_is_never_locked_out_by_others_at_the_same_address() {
    let door = Door::behind_us(Settings::default()).await;
    assert_eq!(door.token(PROVIDER, "acme", SECRET, "1").await.status, 202);
    for _ in 0..30 {
        assert_eq!(door.token(PROVIDER, "acme", "guess", "2").await.status, 401);
    }
    assert_eq!(door.token(PROVIDER, "acme", SECRET, "2").await.status, 202);
}

#[tokio::test]
async fn a_good_signature_is_let_in_from_an_address_that_is_locked_out() {
    let door = Door::behind_us(Settings::default()).await;
    door.lock(FORGER).await;
    let forged = door.signed(FORGER, "another secret", "1").await;
    assert_eq!(forged.is_problem(429, "locked").header("retry-after"), Some("30"), "and a bad one is told no more than that");
    assert_eq!(door.signed(FORGER, SECRET, "1").await.status, 202);
    assert_eq!(door.token(FORGER, "acme", SECRET, "2").await.status, 202, "which ends it");
}

#[tokio::test]
async fn who_has_begun_before_the_lock_out_gets_no_guess_by_it() {
    let door = Door::behind_us(Settings::default()).await;
    let body = patient("1", "Ana").to_string();
    let head = format!("POST /hooks/acme/patient/new HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-forwarded-for: {FORGER}\r\n");
    let head = format!("{head}content-type: application/json\r\nx-zelo-token: {SECRET}\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut begun = TcpStream::connect(door.address).await.unwrap();
    // The head is answered with 100 once the body is waited for: it has been let in.
    begun.write_all(head.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n").as_bytes()).await.unwrap();
    let mut some = [0; 25];
    begun.read_exact(&mut some).await.unwrap();
    assert!(some.starts_with(b"HTTP/1.1 100"));
    door.lock(FORGER).await;
    begun.write_all(body.as_bytes()).await.unwrap();
    Heard::of(begun).await.is_problem(429, "locked");
}

#[tokio::test]
async fn junk_is_a_failure_and_a_broken_payload_of_the_provider_is_none() {
    let door = Door::behind_us(Settings::default()).await;
    let long = "x".repeat(3000);
    for _ in 0..10 {
        assert_eq!(door.ask(FORGER, "POST /hooks/acme/patient/new", &[], &long).await.status, 413);
    }
    door.token(FORGER, "acme", SECRET, "1").await.is_problem(429, "locked");
    for _ in 0..12 {
        let headers = [("x-zelo-token", SECRET), ("content-type", "application/json")];
        assert_eq!(door.ask(PROVIDER, "POST /hooks/acme/patient/new", &headers, "{").await.status, 400);
    }
    assert_eq!(door.token(PROVIDER, "acme", SECRET, "1").await.status, 202);
}

#[tokio::test]
async fn strangers_spend_nothing_of_the_providers_limit() {
    let rates = Rates { each: rate(1, 3), ..Rates::default() };
    let door = Door::behind_us(Settings { rates, ..Settings::default() }).await;
    assert_eq!(door.token(PROVIDER, "acme", SECRET, "1").await.status, 202);
    // From ever another address, so none of them is locked out.
    let mut limited = 0;
    for number in 0..10 {
        let heard = door.token(&format!("203.0.113.{number}"), "acme", "guess", "1").await;
        if heard.status == 429 {
            assert_eq!(heard.is_problem(429, "limited").header("retry-after"), Some("1"));
            limited += 1;
        }
    }
    assert_eq!(limited, 8, "two more, for the first delivery of the provider was a stranger's");
    for id in ["2", "3", "4"] {
        assert_eq!(door.token(PROVIDER, "acme", SECRET, id).await.status, 202);
    }
    door.token(PROVIDER, "acme", SECRET, "5").await.is_problem(429, "limited");
    assert_eq!(door.token(FORGER, "open", SECRET, "5").await.status, 202, "of each connection");
    assert_eq!(door.figure("zelo_deliveries_refused_total{connection=\"acme\",reason=\"limited\"}"), "9");
    door.house.advance(SignedDuration::from_secs(1));
    assert_eq!(door.token(PROVIDER, "acme", SECRET, "5").await.status, 202);
    door.house.advance(SignedDuration::from_hours(-1));
    door.token(PROVIDER, "acme", SECRET, "6").await.is_problem(429, "limited");
    door.house.advance(SignedDuration::from_secs(1));
    assert_eq!(door.token(PROVIDER, "acme", SECRET, "6").await.status, 202, "a clock that is set back shuts nobody out");
}

#[tokio::test]
async fn pages_and_api_have_a_limit_and_health_has_none() {
    let rates = Rates { all: rate(1, 2), ..Rates::default() };
    let door = Door::behind_us(Settings { rates, ..Settings::default() }).await;
    assert_eq!(door.ask(FORGER, "GET /sign-in", &[], "").await.status, 200);
    assert_eq!(door.ask(FORGER, "GET /nothing", &[], "").await.status, 404);
    door.ask(FORGER, "GET /api/v1/events", &[], "").await.is_problem(429, "limited");
    assert_eq!(door.ask(FORGER, "GET /healthz", &[], "").await.status, 200);
    assert_eq!(door.token(PROVIDER, "acme", SECRET, "1").await.status, 202, "deliveries have their own");
    assert_eq!(door.figure("zelo_turned_away_total{reason=\"limited\"}"), "1");
}

#[tokio::test]
async fn a_connection_takes_deliveries_from_its_networks_alone() {
    let allow = Allow { connections: [("acme".to_owned(), networks(&["198.51.100.0/24", "2001:db8::/32"]))].into(), ..Allow::default() };
    let door = Door::behind_us(Settings { allow: allow.clone(), ..Settings::default() }).await;
    assert_eq!(door.token(PROVIDER, "acme", SECRET, "1").await.status, 202);
    assert_eq!(door.token("2001:db8::7", "acme", SECRET, "2").await.status, 202);
    door.token(FORGER, "acme", SECRET, "3").await.is_problem(403, "address");
    door.token(&format!("{PROVIDER}, {FORGER}"), "acme", SECRET, "3").await.is_problem(403, "address");
    door.token("unknown", "acme", SECRET, "3").await.is_problem(403, "address");
    door.token("", "acme", SECRET, "3").await.is_problem(403, "address");
    assert_eq!(door.token(FORGER, "open", SECRET, "4").await.status, 202);
    assert_eq!(door.figure("zelo_deliveries_refused_total{connection=\"acme\",reason=\"address\"}"), "4");

    let trusting_nobody = Door::new(Settings { allow, ..Settings::default() }).await;
    trusting_nobody.token(PROVIDER, "acme", SECRET, "1").await.is_problem(403, "address");
}

#[tokio::test]
async fn pages_and_api_are_for_their_networks_alone() {
    let allow = Allow { admin: networks(&["10.0.0.0/8"]), ..Allow::default() };
    let door = Door::behind_us(Settings { allow, ..Settings::default() }).await;
    let token = format!("Bearer {}", door.house.token().await);
    for path in ["/", "/sign-in", "/api/v1/events", "/metrics", "/style.css", "/nothing", "//hooks/acme/x", "/hooks"] {
        door.ask(FORGER, &format!("GET {path}"), &[("authorization", &token)], "").await.is_problem(403, "address");
    }
    door.ask(FORGER, "POST /sign-in", &[("content-type", "application/x-www-form-urlencoded")], "code=x").await.is_problem(403, "address");
    assert_eq!(door.ask("10.1.2.3", "GET /api/v1/events", &[("authorization", &token)], "").await.status, 200);
    assert_eq!(door.ask(FORGER, "GET /healthz", &[], "").await.status, 200);
    assert_eq!(door.token(FORGER, "acme", SECRET, "1").await.status, 202, "deliveries come from elsewhere");
}

#[tokio::test]
async fn forwarded_is_believed_where_it_is_the_header_of_the_proxy() {
    let allow = Allow { connections: [("acme".to_owned(), networks(&["198.51.100.0/24"]))].into(), ..Allow::default() };
    let headers = |forwarded: &'static str| [("x-zelo-token", SECRET), ("content-type", "application/json"), ("forwarded", forwarded)];
    let path = "POST /hooks/acme/patient/new";
    let body = patient("1", "Ana").to_string();
    let settings = Settings { allow, proxy_header: ProxyHeader::Forwarded, ..Settings::default() };
    let door = Door::behind_us(settings.clone()).await;
    assert_eq!(door.ask(FORGER, path, &headers("for=\"198.51.100.7:99\";proto=https"), &body).await.status, 202);
    door.ask(PROVIDER, path, &headers("for=198.51.100.7, for=203.0.113.66"), &body).await.is_problem(403, "address");
    let other = Door::behind_us(Settings { proxy_header: ProxyHeader::XForwardedFor, ..settings }).await;
    other.ask(FORGER, path, &headers("for=198.51.100.7"), &body).await.is_problem(403, "address");
}

#[tokio::test]
async fn one_address_has_so_many_connections() {
    let door = Door::new(Settings { connections_each_max: 2, ..Settings::default() }).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: zelo.test\r\n\r\n").await.unwrap();
        let mut some = [0; 12];
        stream.read_exact(&mut some).await.unwrap();
        open.push(stream);
    }
    let refused = TcpStream::connect(door.address).await.unwrap();
    assert_eq!(Heard::of(refused).await.status, 0);
    assert_eq!(door.figure("zelo_turned_away_total{reason=\"connections\"}"), "1");
    drop(open);
    let again = async {
        while door.ask("", "GET /healthz", &[], "").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.unwrap();

    let behind_us = Door::behind_us(Settings { connections_each_max: 0, ..Settings::default() }).await;
    assert_eq!(behind_us.ask("", "GET /healthz", &[], "").await.status, 200, "a proxy asks for others");
}

#[tokio::test]
async fn heads_have_limits() {
    let door = Door::new(Settings { head_max: 8192, headers_max: 10, ..Settings::default() }).await;
    assert_eq!(door.ask("", "GET /healthz", &[("a", &"x".repeat(4000))], "").await.status, 200);
    assert_eq!(door.ask("", "GET /healthz", &[("a", &"x".repeat(10_000))], "").await.status, 431);
    assert_eq!(door.ask("", "GET /healthz", &[("a", "x"); 20], "").await.status, 431);
}

#[tokio::test]
async fn who_is_slow_is_not_waited_for() {
    let door = Door::new(Settings { request_timeout: Duration::from_millis(100), ..Settings::default() }).await;
    let begin = async |head: String| {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    // A head by drops: each of them is in time, all of them are not.
    let mut drops = begin("GET /healthz HTTP/1.1\r\n".to_owned()).await;
    let trickle = async {
        while drops.write_all(b"a: b\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), trickle).await.unwrap();
    // A body by drops is answered.
    let head = format!("POST /hooks/acme/patient/new HTTP/1.1\r\nhost: a\r\nx-zelo-token: {SECRET}\r\ncontent-length: 1000\r\n\r\n");
    let (read, mut write) = begin(head).await.into_split();
    let trickle = async {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let heard = async {
        tokio::select! {
            heard = Heard::of(read) => heard,
            () = trickle => panic!("it hung up without an answer"),
        }
    };
    tokio::time::timeout(Duration::from_secs(10), heard).await.unwrap().is_problem(408, "slow");
    // Nor is who asked once and keeps the connection.
    let idle = begin("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()).await;
    let heard = tokio::time::timeout(Duration::from_secs(10), Heard::of(idle)).await.unwrap();
    assert_eq!(heard.status, 200);
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_browsers_careful() {
    let plain = Door::new(Settings::default()).await;
    let secure = Door::new(Settings { public_url: Some("https://hooks.example.com".into()), ..Settings::default() }).await;
    for path in ["/sign-in", "/api/v1/events", "/nothing", "/healthz", "/style.css"] {
        let heard = plain.ask("", &format!("GET {path}"), &[], "").await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(heard.header(name), Some(value), "{path}");
        }
        let policy = heard.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(heard.header("permissions-policy").unwrap().contains("camera=()"), "{path}");
        assert_eq!(heard.header("strict-transport-security"), None, "{path}: it is plain HTTP");
        let heard = secure.ask("", &format!("GET {path}"), &[], "").await;
        assert_eq!(heard.header("strict-transport-security"), Some("max-age=31536000"), "{path}");
    }
}

/// Kept for the tests of TLS too.
pub(crate) fn settings_with(tls: Arc<zelo_server::Certificates>) -> Settings {
    Settings {
        tls: Some(tls),
        request_timeout: Duration::from_millis(300),
        certificates_every: Duration::from_millis(20),
        ..Settings::default()
    }
}

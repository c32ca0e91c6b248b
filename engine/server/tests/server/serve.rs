//! Over a real socket.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zelo_server::{Settings, serve};

use crate::house::{House, SECRET, patient};

async fn start(settings: Settings) -> (SocketAddr, watch::Sender<bool>, JoinHandle<std::io::Result<()>>) {
    let house = House::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    (address, stop, tokio::spawn(serve(listener, house.runtime.clone(), settings, stopped)))
}

fn head(length: usize) -> String {
    format!(
        "POST /hooks/acme/patient/new HTTP/1.1\r\nhost: zelo.test\r\nx-zelo-token: {SECRET}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

async fn read_all(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_stop_lets_what_was_begun_finish() {
    let (address, stop, server) = start(Settings::default()).await;
    let body = patient("1", "Ana").to_string();
    let mut begun = TcpStream::connect(address).await.unwrap();
    begun.write_all(head(body.len()).as_bytes()).await.unwrap();
    begun.write_all(&body.as_bytes()[..10]).await.unwrap();
    // A second connection that was answered shows that the first has been accepted.
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: zelo.test\r\n\r\n").await.unwrap();
    let mut some = [0; 12];
    idle.read_exact(&mut some).await.unwrap();
    assert_eq!(&some, b"HTTP/1.1 200");

    stop.send_replace(true);
    read_all(idle).await;
    begun.write_all(&body.as_bytes()[10..]).await.unwrap();
    let answer = read_all(begun).await;
    assert!(answer.starts_with("HTTP/1.1 202 ") && answer.contains("\"accepted\""), "{answer}");
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nothing new is taken");
}

#[tokio::test]
async fn a_sender_of_too_much_reads_why() {
    let (address, _stop, _server) = start(Settings::default()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = vec![b'x'; 500_000];
    stream.write_all(head(body.len()).as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_head_that_never_ends_is_hung_up_on() {
    let settings = Settings { request_timeout: Duration::from_millis(30), ..Settings::default() };
    let (address, _stop, _server) = start(settings).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST /hooks/acme HTTP/1.1\r\nhost: ").await.unwrap();
    // Ends because the server closes it.
    read_all(stream).await;
}

async fn get(address: SocketAddr, path: &str, header: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: zelo.test\r\n{header}connection: close\r\n\r\n").as_bytes()).await.unwrap();
    read_all(stream).await
}

#[tokio::test]
async fn figures_are_told_to_the_machine_itself() {
    let (address, _stop, _server) = start(Settings::default()).await;
    let answer = get(address, "/metrics", "").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("zelo_store_up 1"), "{answer}");
    assert!(get(address, "/metrics", "x-forwarded-for: 203.0.113.9\r\n").await.starts_with("HTTP/1.1 401"));
    let public = Settings { public_url: Some("https://hooks.example.com".into()), ..Settings::default() };
    let (address, _stop, _server) = start(public).await;
    assert!(get(address, "/metrics", "").await.starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn an_address_of_their_own_has_figures_and_nothing_else() {
    let house = House::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let (end, ended) = watch::channel(false);
    let server = tokio::spawn(zelo_server::serve_metrics(listener, house.runtime.clone(), stopped, ended));
    assert!(get(address, "/metrics", "x-forwarded-for: 203.0.113.9\r\n").await.starts_with("HTTP/1.1 200"));
    for path in ["/", "/api/v1/status", "/hooks/acme/x", "/sign-in"] {
        assert!(get(address, path, "").await.starts_with("HTTP/1.1 404"), "{path}");
    }
    assert!(get(address, "/readyz", "").await.starts_with("HTTP/1.1 200"));
    stop.send_replace(true);
    let answer = get(address, "/readyz", "").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("urn:zelo:problem:stopping"), "{answer}");
    assert!(get(address, "/healthz", "").await.starts_with("HTTP/1.1 200"), "it lives until it has stopped");
    assert!(get(address, "/metrics", "").await.starts_with("HTTP/1.1 200"));
    end.send_replace(true);
    server.await.unwrap().unwrap();
}

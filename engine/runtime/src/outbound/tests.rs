use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use zelo_core::SignedDuration;
use zelo_core::http::{Body, Header, HeaderValue, HttpGrant, Request};

use super::*;

/// Answers in turn, and remembers what was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Exchange>>,
    asked: Mutex<Vec<Asked>>,
}

#[derive(Clone, Debug)]
struct Asked {
    method: Method,
    url: String,
    headers: BTreeMap<String, String>,
    body: Option<Vec<u8>>,
}

#[async_trait]
impl Outbound for Script {
    async fn exchange(&self, hop: &Hop<'_>) -> Exchange {
        let headers: BTreeMap<_, _> = hop.headers.iter().cloned().collect();
        assert_eq!(headers.len(), hop.headers.len(), "no header comes twice");
        let asked = Asked { method: hop.method, url: hop.url.as_str().to_owned(), headers, body: hop.body.map(<[u8]>::to_vec) };
        self.asked.lock().unwrap().push(asked);
        let next = self.answers.lock().unwrap().pop_front();
        match next.expect("an answer is left") {
            Exchange::Lost(never) if never == "never" => std::future::pending().await,
            answer => answer,
        }
    }

    fn longest(&self) -> Duration {
        Duration::from_secs(20)
    }
}

fn answer(status: u16, headers: &[(&str, &str)]) -> Exchange {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Exchange::Answered(Response { status, headers, body: Body(b"echo s3cr3t-marker".to_vec()) })
}

fn grants() -> Vec<HttpGrant> {
    let grant = |request: &str, key: Option<&str>| HttpGrant {
        request: request.parse().unwrap(),
        idempotency_key: key.map(str::to_owned),
        secrets: ["crm".to_owned(), "other".to_owned(), "none".to_owned()].into(),
    };
    vec![
        grant("GET https://api.example.com/v1/*", None),
        grant("POST https://api.example.com/v1/*", None),
        grant("POST https://api.example.com/keyed/*", Some("X-Idempotency-Key")),
        grant("GET https://files.example.com/*", None),
        grant("POST https://files.example.com/*", None),
    ]
}

fn secrets() -> Secrets {
    let secret = |value: &str, host: &str| {
        let hosts = vec![Bound { host: host.to_owned(), plain: false }];
        Secret { value: format!("Bearer {value}"), forms: vec![value.to_owned()], hosts }
    };
    Secrets::Known(
        [("crm".to_owned(), secret("s3cr3t-marker", "api.example.com")), ("other".to_owned(), secret("x", "files.example.com"))].into(),
    )
}

fn request(method: Method, url: &str, headers: Vec<(&str, HeaderValue)>) -> Request {
    let headers = headers.into_iter().map(|(name, value)| Header { name: name.to_owned(), value });
    let body = (!method.is_safe()).then(|| Body(b"body".to_vec()));
    Request { method, url: Target::parse(url).unwrap(), headers: headers.collect(), body }
}

fn text(text: &str) -> HeaderValue {
    HeaderValue::Text(text.to_owned())
}

fn secret(name: &str) -> HeaderValue {
    HeaderValue::Secret(name.to_owned())
}

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Sends `request` to a script of `answers`: what it comes to, and what was asked.
async fn sent(request: &Request, answers: Vec<Exchange>) -> (Sent, Vec<Asked>) {
    let (sent, _, asked) = sent_and_heard(request, answers).await;
    (sent, asked)
}

/// The same, and what was heard of the destination.
async fn sent_and_heard(request: &Request, answers: Vec<Exchange>) -> (Sent, Word, Vec<Asked>) {
    let script = Script { answers: Mutex::new(answers.into()), ..Script::default() };
    let (grants, secrets) = (grants(), secrets());
    let ways = Ways { grants: &grants, secrets: &secrets };
    let sending = Sending::granted(request, ways).unwrap();
    let now = "2026-03-05T13:00:00Z".parse().unwrap();
    let trace = Some(TRACEPARENT.parse().unwrap());
    let (sent, heard) = sending.send(&script, Marks { key: "job_1-1", trace }, now).await;
    assert!(script.answers.lock().unwrap().is_empty(), "every answer was asked for");
    (sent, heard, script.asked.into_inner().unwrap())
}

fn status(sent: &Sent) -> u16 {
    match sent {
        Sent::Answered(response) => response.status,
        other => panic!("no answer: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_carries_its_secret_and_its_key() {
    let post =
        request(Method::Post, "https://api.example.com/v1/contacts", vec![("authorization", secret("crm")), ("accept", text("*/*"))]);
    let (sent, asked) = sent(&post, vec![answer(201, &[("x-echo", "s3cr3t-marker")])]).await;
    let Sent::Answered(response) = sent else { panic!("it was answered") };
    assert_eq!((response.status, response.body.0.as_slice()), (201, &b"echo [secret]"[..]));
    assert_eq!(response.headers[0].1, "[secret]", "the plugin never sees it");
    assert_eq!(asked[0].headers["authorization"], "Bearer s3cr3t-marker");
    assert_eq!((asked[0].headers["idempotency-key"].as_str(), asked[0].headers["accept"].as_str()), ("job_1-1", "*/*"));
    assert_eq!(asked[0].body.as_deref(), Some(&b"body"[..]));
}

#[tokio::test]
async fn the_key_stands_in_the_header_that_the_destination_heeds() {
    let forged = vec![("x-idempotency-key", text("mine"))];
    let (_, asked) = sent(&request(Method::Post, "https://api.example.com/keyed/1", forged), vec![answer(200, &[])]).await;
    assert_eq!(asked[0].headers["x-idempotency-key"], "job_1-1");
    let (_, asked) = sent(&request(Method::Get, "https://api.example.com/v1/1", vec![]), vec![answer(200, &[])]).await;
    assert!(!asked[0].headers.contains_key("idempotency-key"), "asking needs no key: {asked:?}");
}

#[tokio::test]
async fn a_request_says_where_in_which_trace_it_is_made() {
    let url = "https://api.example.com/v1/1";
    for method in [Method::Get, Method::Post] {
        let (_, asked) = sent(&request(method, url, vec![]), vec![answer(200, &[])]).await;
        assert_eq!(asked[0].headers["traceparent"], TRACEPARENT);
    }
    let own = vec![("traceparent", text("00-11111111111111111111111111111111-2222222222222222-00"))];
    let (_, asked) = sent(&request(Method::Get, url, own), vec![answer(200, &[])]).await;
    assert_eq!(asked[0].headers["traceparent"], "00-11111111111111111111111111111111-2222222222222222-00", "what the plugin says stands");
    let redirected = vec![answer(302, &[("location", "https://files.example.com/1")]), answer(200, &[])];
    let (_, asked) = sent(&request(Method::Get, url, vec![]), redirected).await;
    assert_eq!(asked[1].headers["traceparent"], TRACEPARENT);
}

#[test]
fn what_is_not_granted_is_told() {
    let (grants, secrets) = (grants(), secrets());
    let ways = Ways { grants: &grants, secrets: &secrets };
    let why = |request: &Request| Sending::granted(request, ways).err().unwrap();
    let url = "https://api.example.com/v1/1";
    assert!(why(&request(Method::Delete, url, vec![])).contains("DELETE to this address of https://api.example.com is not granted"));
    assert!(!why(&request(Method::Get, "https://api.example.com/v2/ana?cpf=1", vec![])).contains("ana"), "a path may hold anything");
    assert!(why(&request(Method::Get, url, vec![("a", secret("stranger"))])).contains("`stranger` is not granted"));
    assert!(why(&request(Method::Get, url, vec![("a", secret("none"))])).contains("no secret `none` is configured"));
    assert!(why(&request(Method::Get, url, vec![("a", secret("other"))])).contains("not bound to api.example.com"));
    let nothing = Ways { grants: &[], secrets: &secrets };
    assert!(Sending::granted(&request(Method::Get, url, vec![]), nothing).is_err());
}

#[tokio::test]
async fn what_an_answer_means() {
    let get = request(Method::Get, "https://api.example.com/v1/1", vec![]);
    for final_one in [200, 204, 304, 400, 401, 404, 409, 422] {
        assert_eq!(status(&sent(&get, vec![answer(final_one, &[])]).await.0), final_one);
    }
    for passing in [408, 425, 429, 501, 503, 505] {
        let (came, _) = sent(&get, vec![answer(passing, &[])]).await;
        assert!(matches!(&came, Sent::NotYet { reason, after: None } if reason.contains(&passing.to_string())), "{passing}: {came:?}");
    }
    for silent in [500, 502, 504, 507, 524, 599] {
        let (came, _) = sent(&get, vec![answer(silent, &[("retry-after", "7")])]).await;
        assert!(matches!(&came, Sent::Lost { after: Some(after), .. } if after.as_secs() == 7), "{silent}: {came:?}");
    }
    let after = async |value: &str| match sent(&get, vec![answer(429, &[("retry-after", value)])]).await.0 {
        Sent::NotYet { after, .. } => after.map(|after| after.as_secs()),
        other => panic!("{other:?}"),
    };
    assert_eq!(after("120").await, Some(120));
    assert_eq!(after("Thu, 05 Mar 2026 13:05:00 GMT").await, Some(300));
    assert_eq!(after("Thu, 05 Mar 2026 12:00:00 GMT").await, Some(0), "that is over");
    assert_eq!(after("soon").await, None);
    let post = request(Method::Post, "https://api.example.com/v1/1", vec![]);
    let cut = |status: u16, why: Cut| match answer(status, &[]) {
        Exchange::Answered(head) => vec![Exchange::Headed { head, why }],
        other => vec![other],
    };
    let broken = || Cut::BrokenOff("cut".into());
    assert!(matches!(sent(&get, cut(200, Cut::TooLarge(9))).await.0, Sent::Unusable(why) if why.contains("more than 9 bytes")));
    assert!(matches!(sent(&get, cut(429, Cut::TooLarge(9))).await.0, Sent::NotYet { .. }), "the status says enough");
    assert!(matches!(sent(&post, cut(503, broken())).await.0, Sent::NotYet { .. }));
    assert!(matches!(sent(&post, cut(500, broken())).await.0, Sent::Lost { .. }));
    assert!(matches!(sent(&post, cut(201, broken())).await.0, Sent::Unusable(why) if why.contains("201")), "it was carried out");
    assert!(matches!(sent(&get, cut(200, broken())).await.0, Sent::NotYet { .. }));
    assert!(matches!(sent(&get, vec![Exchange::Inside("i".into())]).await.0, Sent::Refused(_)));
    assert!(matches!(sent(&get, vec![Exchange::Unsent("u".into())]).await.0, Sent::NotYet { .. }));
    assert!(matches!(sent(&get, vec![Exchange::Lost("l".into())]).await.0, Sent::Lost { .. }));
}

#[tokio::test]
async fn what_an_answer_says_about_who_gave_it() {
    let get = request(Method::Get, "https://api.example.com/v1/1", vec![]);
    let heard = async |answers: Vec<Exchange>| sent_and_heard(&get, answers).await.1;
    for works in [200, 204, 304, 400, 401, 403, 404, 408, 409, 422, 451] {
        assert_eq!(heard(vec![answer(works, &[("retry-after", "7")])]).await, Word::Working, "{works}");
    }
    for fails in [500, 501, 502, 503, 504, 599] {
        assert_eq!(heard(vec![answer(fails, &[])]).await, Word::Failed, "{fails}");
        let asks = if fails == 503 { Word::Asked(SignedDuration::from_secs(7)) } else { Word::Failed };
        assert_eq!(heard(vec![answer(fails, &[("retry-after", "7")])]).await, asks, "{fails}");
        assert_eq!(heard(vec![answer(fails, &[("retry-after", "0")])]).await, Word::Failed, "{fails}: at once is no time");
    }
    assert_eq!(heard(vec![answer(429, &[("retry-after", "7")])]).await, Word::Enough(Some(SignedDuration::from_secs(7))));
    for soon in [&[][..], &[("retry-after", "0")]] {
        assert_eq!(heard(vec![answer(429, soon)]).await, Word::Enough(None));
    }
    let head = |why: Cut| match answer(200, &[]) {
        Exchange::Answered(head) => vec![Exchange::Headed { head, why }],
        other => vec![other],
    };
    assert_eq!(heard(head(Cut::TooLarge(9))).await, Word::Working);
    assert_eq!(heard(head(Cut::BrokenOff("cut".into()))).await, Word::Failed);
    assert_eq!(heard(vec![Exchange::Unsent("u".into())]).await, Word::Unreached);
    assert_eq!(heard(vec![Exchange::Lost("l".into())]).await, Word::Failed);
    assert_eq!(heard(vec![Exchange::Inside("i".into())]).await, Word::Nothing);
    let to = |location: &str| answer(302, &[("location", location)]);
    assert_eq!(heard(vec![to("https://files.example.com/f"), answer(500, &[])]).await, Word::Working, "somebody else failed");
    assert_eq!(heard(vec![to("/v1/2"), answer(500, &[])]).await, Word::Failed);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_in_time_failed_and_nobody_else() {
    let get = request(Method::Get, "https://api.example.com/v1/1", vec![]);
    let never = || Exchange::Lost("never".into());
    assert_eq!(sent_and_heard(&get, vec![never()]).await.1, Word::Failed);
    let away = answer(302, &[("location", "https://files.example.com/f")]);
    assert_eq!(sent_and_heard(&get, vec![away, never()]).await.1, Word::Working);
}

#[tokio::test]
async fn a_redirect_goes_only_where_the_rule_lets_it() {
    let headers = || vec![("authorization", secret("crm")), ("cookie", text("c")), ("accept", text("*/*"))];
    let get = request(Method::Get, "https://api.example.com/v1/1", headers());
    let to = |location: &str| answer(302, &[("location", location)]);
    let (came, asked) = sent(&get, vec![to("/v1/2"), to("https://files.example.com/f?sig=1"), answer(200, &[])]).await;
    assert_eq!(status(&came), 200);
    assert_eq!(asked[1].url, "https://api.example.com/v1/2");
    assert_eq!(asked[1].headers.len(), 4, "the same origin");
    assert_eq!(asked[2].headers.keys().collect::<Vec<_>>(), ["accept", "traceparent"], "nothing that lets somebody in goes elsewhere");
    for (elsewhere, why) in [
        ("https://evil.example/x", "https://evil.example, which is not granted"),
        ("http://api.example.com/v1/2", "http://api.example.com, which is not granted"),
        ("/v2/1", "not granted"),
        ("http://169.254.169.254/latest", "not granted"),
        ("file:///etc/passwd", "`file:`"),
    ] {
        let (came, asked) = sent(&get, vec![to(elsewhere)]).await;
        assert!(matches!(&came, Sent::Unusable(told) if told.contains(why)), "{elsewhere}: {came:?}");
        assert_eq!(asked.len(), 1, "nothing was sent there");
    }
    let inside = sent(&get, vec![to("/v1/2"), Exchange::Inside("it is inside".into())]).await.0;
    assert!(matches!(&inside, Sent::Unusable(why) if why.contains("redirects, and it is inside")), "something was sent: {inside:?}");
    assert!(matches!(sent(&get, vec![to("/v1/1"); 6]).await.0, Sent::Unusable(why) if why.contains("more than 5 times")));
    assert_eq!(status(&sent(&get, vec![answer(302, &[])]).await.0), 302, "it leads nowhere");
}

#[tokio::test]
async fn only_what_keeps_method_and_body_is_followed_with_a_body() {
    let post = request(Method::Post, "https://api.example.com/v1/1", vec![("authorization", secret("crm"))]);
    for handed_on in [301, 302, 303] {
        let (came, asked) = sent(&post, vec![answer(handed_on, &[("location", "/v1/2")])]).await;
        assert_eq!((status(&came), asked.len()), (handed_on, 1));
    }
    for kept in [307, 308] {
        let (came, asked) = sent(&post, vec![answer(kept, &[("location", "/v1/2")]), answer(200, &[])]).await;
        assert_eq!((status(&came), asked[1].method, asked[1].body.as_deref()), (200, Method::Post, Some(&b"body"[..])));
        assert_eq!(asked[0].headers, asked[1].headers);
        let (came, asked) = sent(&post, vec![answer(kept, &[("location", "https://files.example.com/x")])]).await;
        assert!(matches!(came, Sent::Unusable(_)), "another grant may say something else about repeating it");
        assert_eq!(asked.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn all_of_a_request_takes_no_longer_than_one_may() {
    let get = request(Method::Get, "https://api.example.com/v1/1", vec![]);
    let (came, asked) = sent(&get, vec![answer(302, &[("location", "/v1/2")]), Exchange::Lost("never".into())]).await;
    assert!(matches!(came, Sent::Lost { reason, .. } if reason.contains("in time")));
    assert_eq!(asked.len(), 2);
}

#[test]
fn of_several_grants_one_that_has_the_secrets_and_may_be_repeated() {
    let grant = |request: &str, key: Option<&str>, secrets: &[&str]| HttpGrant {
        request: request.parse().unwrap(),
        idempotency_key: key.map(str::to_owned),
        secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(),
    };
    let grants = [
        grant("POST https://api.example.com/*", None, &[]),
        grant("POST https://api.example.com/v1/*", None, &["crm"]),
        grant("POST https://api.example.com/v1/orders", Some("idempotency-key"), &["crm"]),
    ];
    let secrets = secrets();
    let ways = Ways { grants: &grants, secrets: &secrets };
    let of = |url: &str, headers| {
        Sending::granted(&request(Method::Post, url, headers), ways).map(|sending| sending.grant().request.to_string())
    };
    let with = || vec![("authorization", secret("crm"))];
    assert_eq!(of("https://api.example.com/v1/orders", with()).unwrap(), "POST https://api.example.com/v1/orders");
    assert_eq!(of("https://api.example.com/v1/notes", with()).unwrap(), "POST https://api.example.com/v1/*");
    assert!(of("https://api.example.com/v2", with()).unwrap_err().contains("`crm` is not granted"));
    assert_eq!(of("https://api.example.com/v2", vec![]).unwrap(), "POST https://api.example.com/*");
}

/// A server on the loopback that answers by the path: see `reply`.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = Vec::new();
                while !read.windows(4).any(|end| end == b"\r\n\r\n") {
                    let mut part = [0; 1024];
                    match stream.read(&mut part).await {
                        Ok(count) if count > 0 => read.extend_from_slice(&part[..count]),
                        _ => return,
                    }
                }
                let head = String::from_utf8_lossy(&read).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default();
                for part in reply(path, &head) {
                    let _ = stream.write_all(&part).await;
                }
                if path == "/slow" {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    address
}

fn reply(path: &str, head: &str) -> Vec<Vec<u8>> {
    let with = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{body}", body.len() - 2).into_bytes()
    };
    match path {
        "/echo" => vec![with("200 OK", &format!("\r\n{head}"))],
        "/large" => vec![b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n".to_vec()],
        "/endless" => {
            let chunk = [b"400\r\n".to_vec(), vec![b'x'; 0x400], b"\r\n".to_vec()].concat();
            vec![b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(), chunk.clone(), chunk]
        }
        "/hangup" => Vec::new(),
        "/half" => vec![b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf".to_vec()],
        "/slow" => Vec::new(),
        _ => vec![with("404 Not Found", "\r\n")],
    }
}

fn internet(inside: &[&str]) -> Internet {
    internet_with(inside, Duration::from_secs(60))
}

fn internet_with(inside: &[&str], timeout: Duration) -> Internet {
    let inside = inside.iter().map(|text| text.parse().unwrap()).collect();
    Internet::new(InternetConfig { inside, timeout, response_max: 1000 }).unwrap()
}

async fn get(internet: &Internet, url: &str) -> Exchange {
    let url = Target::parse(url).unwrap();
    internet.exchange(&Hop { method: Method::Get, url: &url, headers: vec![("x-a".into(), "b".into())], body: None }).await
}

#[tokio::test]
async fn what_is_inside_is_not_reached_however_it_is_written() {
    let port = server().await.port();
    let closed = internet(&[]);
    for host in ["127.0.0.1", "localhost", "localhost.", "[::1]", "[::ffff:127.0.0.1]", "0x7f000001", "2130706433", "127.1", "0.0.0.0"] {
        let came = get(&closed, &format!("http://{host}:{port}/echo")).await;
        assert!(matches!(&came, Exchange::Inside(why) if why.contains("inside of the operator's network")), "{host}: {came:?}");
    }
    for named in ["localhost", "127.0.0.1", "127.0.0.0/8"] {
        let came = get(&internet(&[named]), &format!("http://localhost:{port}/echo")).await;
        assert!(matches!(&came, Exchange::Answered(response) if response.status == 200), "{named}: {came:?}");
    }
    let by_name_only = get(&internet(&["localhost"]), &format!("http://127.0.0.1:{port}/echo")).await;
    assert!(matches!(by_name_only, Exchange::Inside(_)), "another name for it was not named");
}

#[tokio::test]
async fn an_answer_is_read_within_its_bounds() {
    let base = format!("http://{}", server().await);
    let open = internet(&["127.0.0.1"]);
    let Exchange::Answered(echo) = get(&open, &format!("{base}/echo")).await else { panic!("it was answered") };
    let head = String::from_utf8(echo.body.0).unwrap();
    assert!(head.starts_with("GET /echo HTTP/1.1\r\n") && head.contains("x-a: b") && head.contains("user-agent: zelo/"), "{head}");
    assert!(!head.contains("accept-encoding"), "nothing is unpacked: {head}");
    for path in ["large", "endless"] {
        let came = get(&open, &format!("{base}/{path}")).await;
        assert!(matches!(&came, Exchange::Headed { head, why: Cut::TooLarge(1000) } if head.status == 200), "{path}: {came:?}");
    }
    let half = get(&open, &format!("{base}/half")).await;
    assert!(matches!(&half, Exchange::Headed { head, why: Cut::BrokenOff(_) } if head.status == 200), "{half:?}");
    let none = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(matches!(get(&open, &format!("http://{none}/")).await, Exchange::Unsent(_)), "nobody listens there any more");
    let impatient = internet_with(&["127.0.0.1"], Duration::from_millis(100));
    for (internet, path) in [(&open, "hangup"), (&impatient, "slow")] {
        let came = get(internet, &format!("{base}/{path}")).await;
        assert!(matches!(&came, Exchange::Lost(why) if !why.contains("127.0.0.1")), "{path}: {came:?}");
    }
}

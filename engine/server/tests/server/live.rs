//! Pages that show by themselves what came.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::Map;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use zelo_core::decide::OnKnown;
use zelo_core::{Clock, RecordRef, RecordWrite, SignedDuration};
use zelo_server::{Settings, serve};
use zelo_store::Import;

use crate::deaf::Stop;
use crate::house::{House, MARKER};

fn quick() -> Settings {
    Settings { look_every: Duration::from_millis(2), ..Settings::default() }
}

/// The digest that the first page shows.
async fn seen(house: &House, cookie: &str) -> String {
    let page = house.get("/", &[("cookie", cookie)]).await.text;
    let (_, rest) = page.split_once(" data-seen=\"").unwrap_or_else(|| panic!("{page}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The digest of the next event, and the event.
async fn next(body: &mut Body) -> (String, String) {
    let frame = tokio::time::timeout(Duration::from_secs(10), body.frame()).await.expect("no event").unwrap().unwrap();
    let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_else(|| panic!("{text}"));
    (data.to_owned(), text)
}

/// Asserts that who sends `headers` may not listen.
async fn refused(house: &House, headers: &[(&str, &str)], status: u16, code: &str) {
    // The head first: what is not refused has no end to wait for.
    assert_eq!(house.open("/changes", headers).await.status(), status);
    house.get("/changes", headers).await.is_problem(status, code);
}

#[tokio::test]
async fn an_open_page_is_told_when_something_came() {
    let house = House::with(quick()).await;
    let cookie = house.sign_in().await;
    let before = seen(&house, &cookie).await;
    let answer = house.open(&format!("/changes?since={before}"), &[("cookie", &cookie)]).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let mut body = answer.into_body();
    house.deliver("1", MARKER).await;
    let (digest, text) = next(&mut body).await;
    assert!(text.starts_with("event: change\n") && text.contains(&format!("id: {digest}\n")) && !text.contains(MARKER), "{text}");
    // The first that it hears is what came: until then there was nothing to tell.
    assert_eq!(digest, seen(&house, &cookie).await);
    assert_ne!(digest, before);
    house.finish_with_document("recibo.pdf", "application/pdf").await;
    let now = seen(&house, &cookie).await;
    // That the job began may be news of its own.
    while next(&mut body).await.0 != now {}
}

/// What was read before a change and what was read after it are no state that ever was.
#[tokio::test]
async fn what_comes_in_the_midst_of_a_look_is_told_whole() {
    let (house, stop) = House::halting(quick()).await;
    let cookie = house.sign_in().await;
    let before = seen(&house, &cookie).await;
    let gate = Arc::new(Stop::default());
    *stop.lock().unwrap() = Some(gate.clone());
    let mut body = house.open(&format!("/changes?since={before}"), &[("cookie", &cookie)]).await.into_body();
    tokio::time::timeout(Duration::from_secs(10), gate.there.notified()).await.expect("nobody looks");
    house.deliver("1", MARKER).await;
    gate.on.notify_one();
    assert_eq!(next(&mut body).await.0, seen(&house, &cookie).await);
}

#[tokio::test]
async fn who_comes_late_is_told_at_once() {
    let house = House::with(quick()).await;
    let cookie = house.sign_in().await;
    let before = seen(&house, &cookie).await;
    house.deliver("1", MARKER).await;
    let now = seen(&house, &cookie).await;
    // What its browser heard last counts, not what the address says.
    for (path, heard) in
        [(format!("/changes?since={before}"), None), (format!("/changes?since={now}"), Some(&before)), ("/changes".into(), None)]
    {
        let mut headers = vec![("cookie", &*cookie)];
        headers.extend(heard.map(|heard| ("last-event-id", heard.as_str())));
        let mut body = house.open(&path, &headers).await.into_body();
        assert_eq!(next(&mut body).await.0, now);
    }
}

#[tokio::test]
async fn whatever_the_page_shows_is_a_change() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let mut all = vec![seen(&house, &cookie).await];
    house.deliver("1", "Ana").await;
    all.push(seen(&house, &cookie).await);
    house.wait_for_contact().await;
    all.push(seen(&house, &cookie).await);
    house.deliver("2", "Ana").await;
    all.push(seen(&house, &cookie).await);
    let (job, _) = house.claim().await;
    all.push(seen(&house, &cookie).await);
    house.give_up_on(&job).await;
    all.push(seen(&house, &cookie).await);
    let index = house.store().indexer();
    let record = RecordWrite {
        key: RecordRef { kind: "contact".into(), hash: index.record("acme", "contact", "7") },
        id: "7".into(),
        fields: Map::new(),
        subject: None,
        clinic: None,
    };
    let timetable = house.runtime.rules.current().in_force.clone();
    let import = Import { connection: "acme".into(), records: vec![record], on_known: OnKnown::Keep, timetable, entry: None };
    house.store().import(import, house.clock.now()).await.unwrap();
    all.push(seen(&house, &cookie).await);
    house.runtime.rules.refuse(&zelo_runtime::rulebook::Error::Automations("there is no rule `gone`".into()));
    all.push(seen(&house, &cookie).await);
    assert_eq!(Some(&seen(&house, &cookie).await), all.last(), "nothing has changed");
    let different: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len(), "{all:?}");
}

#[tokio::test]
async fn a_job_that_is_older_than_those_shown_is_a_change_too() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    house.deliver("0", "Ana").await;
    house.wait_for_contact().await;
    for id in 1..27 {
        house.deliver(&id.to_string(), "Ana").await;
        house.finish_with(vec![]).await;
    }
    let before = seen(&house, &cookie).await;
    house.advance(SignedDuration::from_hours(2));
    assert_eq!(seen(&house, &cookie).await, before, "time alone changes nothing");
    house.give_up().await;
    assert_ne!(seen(&house, &cookie).await, before);
}

#[tokio::test]
async fn who_is_not_signed_in_hears_nothing() {
    let house = House::with(quick()).await;
    house.deliver("1", MARKER).await;
    let link = format!("Bearer {}", house.link().await);
    for headers in [&[][..], &[("cookie", "zelo=x")], &[("authorization", &*link)]] {
        refused(&house, headers, 401, "credential").await;
    }
    let cookie = house.sign_in().await;
    house.post("/sign-out", &[("cookie", &cookie)], String::new()).await;
    refused(&house, &[("cookie", &cookie)], 401, "credential").await;
}

#[tokio::test]
async fn not_everybody_can_listen_at_once() {
    let house = House::with(Settings { listeners_max: 1, ..quick() }).await;
    let cookie = house.sign_in().await;
    let mut first = house.open("/changes", &[("cookie", &cookie)]).await.into_body();
    next(&mut first).await;
    refused(&house, &[("cookie", &cookie)], 503, "busy").await;
    drop(first);
    let mut third = house.open("/changes", &[("cookie", &cookie)]).await.into_body();
    next(&mut third).await;
}

#[tokio::test]
async fn nobody_looks_when_nobody_listens() {
    let house = House::with(quick()).await;
    let cookie = house.sign_in().await;
    let mut body = house.open("/changes", &[("cookie", &cookie)]).await.into_body();
    next(&mut body).await;
    let clock = house.clock.clone();
    drop((body, house));
    // Who looks holds the runtime, and with it the clock.
    let alone = async {
        while Arc::strong_count(&clock) > 1 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), alone).await.expect("somebody still looks");
}

#[tokio::test]
async fn a_listener_does_not_hold_up_a_stop() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let settings = Settings { stop_timeout: Duration::from_secs(60), ..quick() };
    let server = tokio::spawn(serve(listener, house.runtime.clone(), settings, stopped));
    let mut page = TcpStream::connect(address).await.unwrap();
    page.write_all(format!("GET /changes HTTP/1.1\r\nhost: zelo.test\r\ncookie: {cookie}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.contains("event: change") {
        let mut some = [0; 1024];
        let read = page.read(&mut some).await.unwrap();
        assert_ne!(read, 0, "{answer}");
        answer.push_str(std::str::from_utf8(&some[..read]).unwrap());
    }
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    stop.send_replace(true);
    tokio::time::timeout(Duration::from_secs(10), server).await.expect("the stop waits for who listens").unwrap().unwrap();
    let mut rest = String::new();
    page.read_to_string(&mut rest).await.unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "it came to its end: {rest}");
}

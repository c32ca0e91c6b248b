//! A connection that falls silent, and refusals that rise: what is told of them, where, and how often.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use zelo_core::{Clock, SignedDuration};
use zelo_server::Settings;

use crate::house::{House, SECRET, delivery};

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn count(&self, text: &str) -> usize {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().filter(|line| line.contains(text)).count()
    }
}

impl House {
    /// A delivery that is acknowledged, and not stored.
    async fn speak(&self) {
        let answer = self.send(delivery("/hooks/acme/nothing/known", &[("x-zelo-token", SECRET)], "{}".into())).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }

    async fn forge(&self, times: usize) {
        for _ in 0..times {
            self.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", "forged")], "{}".into())).await;
        }
    }

    /// One an hour for nine days.
    async fn speak_for_long(&self) {
        for _ in 0..9 * 24 {
            self.speak().await;
            self.later(60);
        }
    }

    fn later(&self, minutes: i64) {
        self.advance(SignedDuration::from_mins(minutes));
    }

    async fn note(&self) {
        self.runtime.note_heard(self.clock.now()).await;
    }

    /// Whether `connection` is told as silent, and with rising refusals: by figures, API and page alike.
    async fn stands(&self, connection: &str) -> (bool, bool) {
        let token = format!("Bearer {}", self.token().await);
        let figures = self.get("/metrics", &[("authorization", &token)]).await.text;
        let figure = |name: &str| {
            let sample = format!("{name}{{connection=\"{connection}\"}} ");
            let value = figures.lines().find_map(|line| line.strip_prefix(&sample)).unwrap_or_else(|| panic!("{sample}: {figures}"));
            value.parse::<f64>().unwrap() == 1.0
        };
        let told = (figure("zelo_connection_silent"), figure("zelo_connection_refusals_rising"));
        let status = self.connection(connection).await;
        assert_eq!((status["silent"].as_bool(), status["refusals_rising"].as_bool()), (Some(told.0), Some(told.1)));
        let cookie = self.sign_in().await;
        let page = self.get("/", &[("cookie", &cookie)]).await.text;
        let alarm = |id: &str| {
            let alarm = page.split(&format!("data-key=\"alarm {id}\"")).nth(1).and_then(|rest| rest.split("</section>").next());
            alarm.is_some_and(|alarm| alarm.contains(&format!("<code>{connection}</code>")))
        };
        assert_eq!((alarm("silent"), alarm("rising")), told, "{page}");
        let page = self.get("/failures", &[("cookie", &cookie)]).await.text;
        let alarm = |id: &str, named: &str| {
            let alarm = page.split(&format!("data-key=\"alarm {id}\"")).nth(1).and_then(|rest| rest.split("</section>").next());
            alarm.is_some_and(|alarm| alarm.contains(named))
        };
        let named = (format!("<strong>{connection}</strong>"), format!("href=\"/refused?connection={connection}\""));
        assert_eq!((alarm("silent", &named.0), alarm("rising", &named.1)), told, "{page}");
        let page = self.get("/sources", &[("cookie", &cookie)]).await.text;
        let card = page.split(&format!("data-key=\"connection {connection}\"")).nth(1).and_then(|rest| rest.split("</article>").next());
        let says = |words: &str| card.is_some_and(|card| card.contains(words));
        assert_eq!((says("em silêncio há tempo demais"), says("recusas em alta")), told, "{page}");
        told
    }

    async fn connection(&self, name: &str) -> Value {
        let status = self.api("status").await.json();
        status["connections"].as_array().unwrap().iter().find(|connection| connection["name"] == name).unwrap().clone()
    }
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_told_until_it_speaks() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_env_filter("info").with_ansi(false).with_writer(move || writer.clone()).finish();
    // See `no_log_holds_a_value_of_anybodys`.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let house = House::new().await;
    let seen = async |house: &House| {
        let cookie = house.sign_in().await;
        let page = house.get("/", &[("cookie", &cookie)]).await.text;
        page.split("data-seen=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    assert_eq!(house.connection("acme").await["last_heard"], Value::Null);
    house.speak_for_long().await;
    let last = house.clock.now() - SignedDuration::from_hours(1);
    house.later(60);
    house.note().await;
    assert_eq!(house.stands("acme").await, (false, false), "two hours are no silence");
    let before = seen(&house).await;
    house.later(1);
    house.note().await;
    house.note().await;
    assert_eq!(house.stands("acme").await, (true, false));
    assert_eq!(house.stands("open").await, (false, false), "which never spoke");
    assert_ne!(seen(&house).await, before, "open pages hear of it");
    assert_eq!(house.connection("acme").await["last_heard"], last.to_string());
    house.forge(1).await;
    assert!(house.stands("acme").await.0, "who is refused has not spoken");
    let told = |lines: &Lines| (lines.count("nothing comes any more"), lines.count("something comes again"));
    assert_eq!(told(&lines), (1, 0), "once");
    house.speak().await;
    house.note().await;
    assert_eq!(house.stands("acme").await, (false, false));
    house.note().await;
    assert_eq!(told(&lines), (1, 1), "once");
}

#[tokio::test]
async fn refusals_that_rise_are_told_until_they_are_over() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_env_filter("info").with_ansi(false).with_writer(move || writer.clone()).finish();
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let house = House::new().await;
    let rise = async |house: &House| {
        house.note().await;
        house.stands("acme").await.1
    };
    house.speak().await;
    house.forge(10).await;
    // What is this server's own fault says nothing of who sends.
    (0..50).for_each(|_| house.runtime.count_refused(Some("acme"), "busy"));
    assert!(!rise(&house).await);
    house.forge(1).await;
    assert!(rise(&house).await && rise(&house).await);
    house.later(60);
    assert!(rise(&house).await, "for the hour after it");
    house.later(60);
    assert!(!rise(&house).await);
    assert_eq!((lines.count(": more is refused than usual"), lines.count(": no more is refused than usual")), (1, 1), "once each");
}

#[tokio::test]
async fn what_was_heard_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let open = async || House::built(Settings::default(), false, Some(folder.path().join("zelo.db"))).await;
    let house = open().await;
    house.speak_for_long().await;
    house.note().await;
    house.store().close().await.unwrap();
    let now = house.clock.now();
    drop(house);

    let house = open().await;
    house.clock.set(now);
    house.speak().await;
    house.note().await;
    house.note().await;
    let hours = house.store().heard().await.unwrap();
    assert_eq!((hours.len(), hours.iter().map(|hour| hour.came.accepted).sum::<u64>()), (9 * 24 + 1, 9 * 24 + 1), "each once");
    assert!(!house.stands("acme").await.0);
    house.later(121);
    assert!(house.stands("acme").await.0, "it is known how it speaks");
}

#[tokio::test]
async fn what_could_not_be_written_is_written_later() {
    let (house, deaf) = House::hard_of_hearing().await;
    house.speak().await;
    deaf.store(true, Ordering::SeqCst);
    house.note().await;
    deaf.store(false, Ordering::SeqCst);
    house.speak().await;
    assert_eq!(house.store().heard().await.unwrap(), []);
    house.note().await;
    assert_eq!(house.store().heard().await.unwrap().iter().map(|hour| hour.came.accepted).collect::<Vec<_>>(), [2]);
}

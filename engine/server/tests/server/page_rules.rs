//! The pages of rules.

use std::fs;
use std::sync::Arc;

use tempfile::TempDir;
use zelo_core::AutomationId;
use zelo_runtime::rulebook::{self, Edition};
use zelo_runtime::{Catalog, rulebook::Error};
use zelo_server::Settings;
use zelo_server::access::Role;
use zelo_store::AutomationRow;

use crate::gates::only;
use crate::house::{Answer, Greeter, House, MARKER, RULE, SOURCE};

const TESTS: &str = r#"
[when]
all = [{ path = "$.data.name", exists = true }, { path = "$.data.clinic", equals = "9" }]

[[test]]
name = "a patient of clinic 9 is greeted"
event = { type = "patient.created", data = { timestamp = "2026-03-02T11:00:00Z", data = { id = "1", clinic = "9", name = "Ana", phone = "+5511987654321" } } }
now = "2026-03-02T11:00:00Z"
expect = { fires = true }

[[test]]
name = "one of clinic 8 is greeted as well"
event = { type = "patient.created", data = { timestamp = "2026-03-02T11:00:00Z", data = { id = "1", clinic = "8", name = "Ana", phone = "+5511987654321" } } }
now = "2026-03-02T11:00:00Z"
expect = { fires = true }
"#;

/// The rule with tests and a condition: its tables stand behind its own keys.
pub(crate) fn rule() -> String {
    let (head, tail) = RULE.split_once("[[then]]").unwrap();
    let (when, tests) = TESTS.split_once("[[test]]").unwrap();
    format!("{head}{when}\n[[then]]{tail}\n[[test]]{tests}")
}

/// A house whose rules stand in a folder, as `greeting` has them, and are switched on.
pub(crate) async fn house(greeting: &str) -> (House, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sources")).unwrap();
    fs::write(folder.path().join("sources/acme.toml"), SOURCE).unwrap();
    fs::write(folder.path().join("greeting.toml"), greeting).unwrap();
    let house = House::with(Settings { rules: Some(folder.path().to_owned()), ..Settings::default() }).await;
    let row = AutomationRow {
        id: AutomationId::new("greeting", "acme", None),
        rule: "greeting".into(),
        connection: "acme".into(),
        clinic: None,
        settings: Default::default(),
        enabled: true,
        origin: "people".into(),
        changed: zelo_core::Clock::now(house.clock.as_ref()),
    };
    house.store().put_automation(row, zelo_core::Actor::command()).await.unwrap();
    reload(&house, &folder).await;
    (house, folder)
}

/// Reads the files again, as the server does when they change.
pub(crate) async fn reload(house: &House, folder: &TempDir) {
    let files = rulebook::read_files(folder.path()).unwrap();
    let loaded = zelo_rules::load(&files, &Greeter);
    match loaded.set {
        Some(set) => {
            let next = move |_: &Edition, rows: &[AutomationRow]| Edition::new(Arc::new(set), Arc::new(Catalog::default()), rows);
            house.runtime.rules.exchange(house.store(), next).await.unwrap();
        }
        None => {
            let rendered = zelo_rules::render(&loaded.diagnostics, &files);
            house.runtime.rules.refuse(&Error::Refused { diagnostics: loaded.diagnostics, rendered });
        }
    }
}

async fn page(house: &House, path: &str) -> Answer {
    let cookie = house.sign_in().await;
    house.get(path, &[("cookie", &cookie)]).await
}

async fn english(house: &House, path: &str) -> String {
    let cookie = house.sign_in().await;
    house.get(path, &[("cookie", &cookie), ("accept-language", "en")]).await.text
}

#[tokio::test]
async fn rules_are_found_and_told_in_words() {
    let (house, _folder) = house(&rule()).await;
    let all = page(&house, "/rules").await.text;
    for part in ["<html lang=\"pt-BR\"", "Saudação", "href=\"/rules/greeting\"", "ligada", "1 regra", "patient.created"] {
        assert!(all.contains(part), "{part} in {all}");
    }
    for (query, found) in [
        ("q=SAUDA", true),
        ("q=nothing", false),
        ("source=acme", true),
        ("source=open", false),
        ("type=patient", true),
        ("type=invoice", false),
        ("after=greeting", false),
    ] {
        assert_eq!(page(&house, &format!("/rules?{query}")).await.text.contains("href=\"/rules/greeting\""), found, "{query}");
    }
    assert!(page(&house, "/rules?q=nothing").await.text.contains("Nenhuma regra com esses filtros."));

    let one = page(&house, "/rules/greeting").await.text;
    for part in [
        "<h1 data-key=\"title\">Saudação</h1>",
        "o nome",
        "$.data.phone",
        "lgpd:11.II.f",
        "greeting.toml",
        "id = &quot;greeting&quot;",
        "id=\"L2\"",
    ] {
        assert!(one.contains(part), "{part} in {one}");
    }
    assert!(english(&house, "/rules/greeting").await.contains("What it reads and what it may do"));
    assert_eq!(page(&house, "/rules/nothing").await.status, 404);
}

#[tokio::test]
async fn what_is_wrong_stands_where_it_is_wrong_in_the_file() {
    let (house, folder) = house(&rule()).await;
    let wrong = rule().replace("source = \"acme\"", "source = \"acmee\" # <b>&");
    fs::write(folder.path().join("greeting.toml"), &wrong).unwrap();
    fs::write(folder.path().join("torn.toml"), "id = \"torn\n").unwrap();
    reload(&house, &folder).await;

    let all = page(&house, "/rules").await.text;
    assert!(all.contains("/rules/files?name=greeting.toml") && all.contains("/rules/files?name=torn.toml"), "{all}");
    let file = page(&house, "/rules/files?name=greeting.toml").await.text;
    let line = wrong.lines().position(|line| line.starts_with("source")).unwrap() + 1;
    let at = file.find(&format!("<li id=\"L{line}\" class=\"wrong\">")).unwrap_or_else(|| panic!("{file}"));
    let told = &file[at..at + file[at..].find("</li>").unwrap()];
    assert!(told.contains("<mark>&quot;acmee&quot;</mark>") && told.contains("Seria <code>acme</code>"), "{told}");
    assert!(told.contains("# &lt;b&gt;&amp;") && !file.contains("<b>&"), "{told}");
    assert!(file.contains("ainda não está em vigor"), "{file}");
    let torn = page(&house, "/rules/files?name=torn.toml").await;
    assert!(torn.status == 200 && torn.text.contains("class=\"problem\""), "a file that does not parse has a page: {}", torn.text);
    // The rule that is in force says that its file is ahead of it.
    assert!(page(&house, "/rules/greeting").await.text.contains("ainda não está em vigor"));

    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("outside.toml"), "secret").unwrap();
    let beside = elsewhere.path().file_name().unwrap().to_string_lossy().into_owned();
    let absolute = elsewhere.path().join("outside.toml").display().to_string();
    for outside in [&format!("../{beside}/outside.toml"), &absolute, &format!("sources/../../{beside}/outside.toml"), "nothing.toml"] {
        assert_eq!(page(&house, &format!("/rules/files?name={outside}")).await.status, 404, "{outside}");
    }

    fs::remove_file(folder.path().join("torn.toml")).unwrap();
    fs::write(folder.path().join("greeting.toml"), rule()).unwrap();
    reload(&house, &folder).await;
    assert!(!page(&house, "/rules").await.text.contains("data-key=\"problems\""));
}

#[tokio::test]
async fn a_stored_event_explains_why_the_rule_fires_or_not() {
    let (house, _folder) = house(&rule()).await;
    let empty = page(&house, "/rules/greeting/explain").await.text;
    assert!(empty.contains("Entre os últimos eventos não há nenhum"), "{empty}");
    let event = house.deliver("1", MARKER).await.json()["event_id"].as_str().unwrap().to_owned();

    let offered = page(&house, "/rules/greeting/explain").await.text;
    assert!(offered.contains(&format!("<option value=\"{event}\"")), "{offered}");
    let told = page(&house, &format!("/rules/greeting/explain?event={event}")).await.text;
    for part in ["dispara", "Todas estas:", "$.data.clinic", "encontrado", "oculto", &format!("/activity/events/{event}")] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(!told.contains(MARKER), "what is personal is not shown unless asked for");
    let revealed = page(&house, &format!("/rules/greeting/explain?event={event}&reveal=personal")).await.text;
    assert!(revealed.contains(MARKER), "{revealed}");
    assert!(english(&house, &format!("/rules/greeting/explain?event={event}")).await.contains("All of these:"));
    let viewed = house.store().audit(&zelo_store::AuditPage::default()).await.unwrap();
    assert!(viewed.iter().any(|row| row.entry.detail()["what"] == "explanation" && row.entry.detail()["ids"].to_string().contains(&event)));

    let unknown = page(&house, "/rules/greeting/explain?id=%3Cb%3E").await;
    assert_eq!(unknown.status, 422);
    assert!(unknown.text.contains("aria-invalid=\"true\"") && unknown.text.contains("value=\"&lt;b&gt;\""), "{}", unknown.text);
}

#[tokio::test]
async fn tests_run_when_they_are_asked_for_and_say_what_came_otherwise() {
    let (house, _folder) = house(&rule()).await;
    let named = page(&house, "/rules/greeting/tests").await.text;
    assert!(named.contains("a patient of clinic 9 is greeted") && !named.contains("passou"), "{named}");
    let cookie = house.sign_in().await;
    let ran = house.post("/rules/greeting/tests", &[("cookie", &cookie)], String::new()).await;
    assert_eq!(ran.status, 200, "{}", ran.text);
    for part in ["1 passaram, 1 falharam", "Esperado", "<code>fires</code>", "<code>true</code>", "<code>false</code>"] {
        assert!(ran.text.contains(part), "{part} in {}", ran.text);
    }
    assert!(!ran.text.contains("data-seen"), "an answer to a form is not fetched again");
}

/// The page of a trial when it has ended.
async fn ended(house: &House, cookie: &str) -> String {
    for _ in 0..2_000 {
        let text = house.get("/rules/greeting/backtest", &[("cookie", cookie)]).await.text;
        if !text.contains("data-runs") {
            return text;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it does not end");
}

#[tokio::test]
async fn a_backtest_says_what_the_rule_would_have_done() {
    let (house, _folder) = house(&rule()).await;
    let event = house.deliver("1", MARKER).await.json()["event_id"].as_str().unwrap().to_owned();
    let cookie = house.sign_in().await;
    let form = page(&house, "/rules/greeting/backtest").await.text;
    assert!(form.contains("value=\"2026-01-31\"") && form.contains("value=\"2026-03-02\"") && !form.contains("data-runs"), "{form}");

    let post = async |cookie: &str, form: &str| house.post("/rules/greeting/backtest", &[("cookie", cookie)], form.to_owned()).await;
    for wrong in [
        "what=start&since=2026-03-02&until=2026-03-01",
        "what=start&since=x&until=",
        "what=start&since=2026-03-01&until=2026-03-02&connection=nothing",
    ] {
        let answer = post(&cookie, wrong).await;
        assert!(answer.status == 422 && answer.text.contains("id=\"wrong\""), "{wrong}: {}", answer.text);
    }
    assert!(post(&cookie, "what=start&since=%3Cb%3E&until=").await.text.contains("value=\"&lt;b&gt;\""));
    assert_eq!(post(&cookie, "what=start&since=2026-03-01&until=2026-03-03").await.status, 303);
    let told = ended(&house, &cookie).await;
    for part in ["Eventos no período: 1", "teria disparado: 1", &format!("/activity/events/{event}"), "disparos"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(!told.contains(MARKER) && !told.contains("http-equiv"));

    // Each has their own.
    let other = format!("Bearer {}", house.token_of(Role::Integrator).await);
    assert!(!house.get("/rules/greeting/backtest", &[("authorization", &other)]).await.text.contains("id=\"trial\""));
    assert_eq!(post(&cookie, "what=start&since=2025-03-01&until=2025-03-03").await.status, 303);
    assert!(ended(&house, &cookie).await.contains("Não há eventos guardados"), "the one before has made way");
    post(&cookie, "what=else").await.is_problem(400, "malformed");
}

#[tokio::test]
async fn only_who_writes_rules_begins_something_and_only_who_sees_all_looks() {
    let (house, _folder) = house(&rule()).await;
    let viewer = format!("Bearer {}", house.token_of(Role::Viewer).await);
    let limited = format!("Bearer {}", house.token_for(Role::Admin, only("acme/9")).await);
    for path in ["/rules/greeting/tests", "/rules/greeting/backtest"] {
        house.post(path, &[("authorization", &viewer)], "what=start".into()).await.is_problem(403, "role");
        house.post(path, &[("authorization", &limited)], "what=start".into()).await.is_problem(403, "clinics");
        let seen = house.get(path, &[("authorization", &viewer)]).await;
        assert!(seen.status == 200 && !seen.text.contains(&format!("action=\"{path}\"")), "{path}: {}", seen.text);
    }
    for path in ["/rules", "/rules/greeting", "/rules/files", "/rules/greeting/explain"] {
        house.get(path, &[("authorization", &limited)]).await.is_problem(403, "clinics");
    }
}

#[tokio::test]
async fn a_house_without_files_says_so() {
    let house = House::new().await;
    assert!(page(&house, "/rules/greeting").await.text.contains("não tem os arquivos de regras"));
    assert!(page(&house, "/rules/files").await.text.contains("não tem os arquivos de regras"));
    assert!(page(&house, "/rules/greeting/tests").await.text.contains("Esta regra não tem testes."));
}

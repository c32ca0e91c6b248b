//! The first page.

use crate::house::{House, MARKER};

const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

#[tokio::test]
async fn who_is_not_signed_in_learns_how_to_get_in_and_nothing_else() {
    let house = House::new().await;
    house.deliver("1", MARKER).await;
    let page = house.get("/", &[]).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains("zelo token link") && !page.text.contains(MARKER) && !page.text.contains("<table"), "{}", page.text);
    assert_eq!(page.header("content-security-policy"), POLICY);
}

#[tokio::test]
async fn the_first_page_lists_what_came_and_what_was_done() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let empty = house.get("/", &[("cookie", &cookie)]).await.text;
    assert!(empty.contains("Nada ainda.") && !empty.contains("<table"));

    house.deliver("1", MARKER).await;
    let job = house.finish_with_message(&format!("Oi {MARKER}, até já")).await;
    let page = house.get("/", &[("cookie", &cookie)]).await;
    assert_eq!(page.header("content-security-policy"), POLICY);
    assert_eq!(page.header("cache-control"), "no-store");
    for part in [
        "<html lang=\"pt-BR\"",
        "patient.created",
        "patient 1",
        "greeting · greet",
        &format!("/api/v1/jobs/{}", job.id),
        &format!("Oi {MARKER}, até já"),
        "+5511987654321",
        "visit.ics",
        "concluída",
        "<time datetime=\"2026-03-02T11:00:00Z\">2026-03-02 11:00</time>",
        "<caption>",
        "Sair",
    ] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(!page.text.contains("id=\"attention\""));
}

#[tokio::test]
async fn the_page_speaks_the_language_of_its_reader() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let page = house.get("/", &[("cookie", &cookie), ("accept-language", "en-GB,en;q=0.8,pt;q=0.5")]).await;
    assert!(page.text.contains("<html lang=\"en\"") && page.text.contains("Nothing yet."), "{}", page.text);
    assert!(page.header("vary").contains("Accept-Language"));
}

#[tokio::test]
async fn values_are_shown_as_text() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let nasty = "<script>alert('1')</script>\"'><img src=x onerror=alert(1)>";
    house.deliver(nasty, nasty).await;
    house.finish_with_message(nasty).await;
    let page = house.get("/", &[("cookie", &cookie)]).await.text;
    assert!(page.contains("&lt;script&gt;alert"), "{page}");
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>"), "{page}");
    let code = house.get("/sign-in?code=%22%3E%3Cscript%3E", &[]).await.text;
    assert!(!code.contains("<script"), "{code}");
}

#[tokio::test]
async fn what_needs_a_person_stands_on_top() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    house.deliver("1", "Ana").await;
    house.wait_for_contact().await;
    let files = zelo_rules::Files {
        sources: vec![],
        rules: vec![zelo_rules::FileText { name: "broken.toml".into(), text: "id = \"broken\"\nwhom = 1\n".into() }],
    };
    let Err(refused) = zelo_runtime::rulebook::check(&files, &zelo_runtime::Catalog::default()) else { panic!("not refused") };
    house.runtime.rules.refuse(&refused);
    let page = house.get("/", &[("cookie", &cookie), ("accept-language", "en")]).await.text;
    let place = |part: &str| page.find(part).unwrap_or_else(|| panic!("{part} in {page}"));
    assert!(place("The rule files have mistakes") < place("broken.toml:"));
    assert!(place("broken.toml:") < place("Needs attention"));
    assert!(place("Needs attention") < place("patient $.phone is missing"));
    assert!(place("patient $.phone is missing") < place("<section id=\"events\""));
    assert!(!house.api("rules").await.json()["problems"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_without_a_mistake_in_a_file_is_shown_too() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let calm = house.get("/", &[("cookie", &cookie)]).await.text;
    assert!(!calm.contains("id=\"problems\""), "{calm}");
    house.runtime.rules.refuse(&zelo_runtime::rulebook::Error::Automations("there is no rule <gone>".into()));
    let page = house.get("/", &[("cookie", &cookie)]).await.text;
    assert!(page.contains("Os arquivos em disco não estão em vigor") && page.contains("there is no rule &lt;gone&gt;"), "{page}");
}

#[tokio::test]
async fn what_the_plugin_said_stands_beside_the_reason() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    house.deliver("1", "Ana").await;
    house.give_up().await;
    let said = "<p class=\"said\">greeted &lt;b&gt;somebody&lt;/b&gt;</p>";
    let page = house.get("/", &[("cookie", &cookie), ("accept-language", "en")]).await.text;
    assert!(page.contains(&format!("<td>the plugin says that it cannot be done{said}</td>")), "{page}");
    // The words of the language first; the whole reason, which is in English, below.
    let page = house.get("/", &[("cookie", &cookie)]).await.text;
    let told = "<td>O plugin não conseguiu concluir<small lang=\"en\">the plugin says that it cannot be done</small>";
    assert!(page.contains(&format!("{told}{said}</td>")), "{page}");
}

#[tokio::test]
async fn the_page_says_when_more_needs_a_person_than_it_shows() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    for id in 0..26 {
        let page = house.get("/", &[("cookie", &cookie)]).await.text;
        assert!(!page.contains("Há mais:"), "{id}: {page}");
        house.deliver(&id.to_string(), "Ana").await;
        house.wait_for_contact().await;
    }
    let page = house.get("/", &[("cookie", &cookie)]).await.text;
    assert!(page.contains("Há mais: <a href=\"/api/v1/jobs?attention=true\">"), "{page}");
    assert_eq!(page.matches("Precisa de atenção").count(), 1, "no caption that says it again");
}

#[tokio::test]
async fn the_style_is_fetched_once() {
    let house = House::new().await;
    let style = house.get("/style.css", &[]).await;
    assert_eq!((style.status.as_u16(), style.header("content-type")), (200, "text/css; charset=utf-8"));
    let again = house.get("/style.css", &[("if-none-match", style.header("etag"))]).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
}

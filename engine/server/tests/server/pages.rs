//! What holds for the first page and for what all pages are made of.

use crate::house::{House, MARKER};

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const LIVE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

#[tokio::test]
async fn the_first_page_is_todays_alone() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let page = house.get("/", &[("cookie", &cookie)]).await;
    assert_eq!((page.header("content-security-policy"), page.header("cache-control")), (LIVE_POLICY, "no-store"));
    assert_eq!(page.text.matches("<script").count(), 1, "{}", page.text);
    let code = house.get("/sign-in?code=%22%3E%3Cscript%3E", &[]).await.text;
    assert!(!code.contains("<script"), "{code}");
}

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
async fn the_page_speaks_the_language_of_its_reader() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let page = house.get("/", &[("cookie", &cookie), ("accept-language", "en-GB,en;q=0.8,pt;q=0.5")]).await;
    assert!(page.text.contains("<html lang=\"en\"") && page.text.contains("Nothing has come in this period yet."), "{}", page.text);
    assert!(page.header("vary").contains("Accept-Language"));
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
async fn style_and_script_are_fetched_once() {
    let house = House::new().await;
    for (path, media_type) in [("/style.css", "text/css; charset=utf-8"), ("/zelo.js", "text/javascript; charset=utf-8")] {
        let first = house.get(path, &[]).await;
        assert_eq!((first.status.as_u16(), first.header("content-type")), (200, media_type));
        let again = house.get(path, &[("if-none-match", first.header("etag"))]).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    }
}

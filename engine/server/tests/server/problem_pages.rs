//! Refusals as a browser is shown them.

use zelo_server::access::Role;

use crate::house::{House, cookie};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

#[tokio::test]
async fn who_is_not_signed_in_signs_in_and_comes_back() {
    let house = House::new().await;
    let page = house.get("/start?connection=acme", &[BROWSER]).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (401, "text/html; charset=utf-8"));
    for part in
        ["Entre para ver esta página", "name=\"password\"", "name=\"next\" value=\"/start?connection=acme\"", "<html lang=\"pt-BR\""]
    {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(page.header("content-security-policy").contains("style-src 'self'") && page.header("www-authenticate") == "Bearer");
    let code = house.link().await;
    let there = house.post("/sign-in", &[], format!("code={code}&next=%2Fstart%3Fconnection%3Dacme")).await;
    assert_eq!((there.status.as_u16(), there.header("location")), (303, "/start?connection=acme"));
    assert_eq!(house.get("/start?connection=acme", &[BROWSER, ("cookie", &cookie(&there))]).await.status, 200);
    let code = house.link().await;
    let away = house.post("/sign-in", &[], format!("code={code}&next=%2F%2Fevil.example")).await;
    assert_eq!(away.header("location"), "/", "nowhere but here");
}

#[tokio::test]
async fn a_wrong_password_does_not_lose_the_way() {
    let house = House::new().await;
    let again = house.post("/sign-in", &[], "name=ana&password=wrong&next=%2Fstart".to_owned()).await;
    assert!(again.status == 401 && again.text.contains("name=\"next\" value=\"/start\""), "{}", again.text);
    let nasty = house.get("/%22%3E%3Cscript%3E?%22%3E", &[BROWSER]).await;
    assert!(nasty.status == 404 && !nasty.text.contains("<script"), "{}", nasty.text);
}

#[tokio::test]
async fn a_refusal_says_what_to_do_in_the_language_of_its_reader() {
    let house = House::new().await;
    let authorization = format!("Bearer {}", house.token_of(Role::Viewer).await);
    let page = house.get("/start", &[BROWSER, ("authorization", &authorization)]).await;
    assert_eq!(page.status, 403);
    assert!(page.text.contains("Seu acesso não permite isto") && page.text.contains("href=\"/\""), "{}", page.text);
    let english = house.get("/nothing", &[BROWSER, ("accept-language", "en")]).await;
    assert!(english.status == 404 && english.text.contains("We cannot find this"), "{}", english.text);
    let post = house.get("/halts", &[BROWSER]).await;
    assert!(post.status == 405 && post.text.contains("Isto não se abre assim") && !post.header("allow").is_empty(), "{}", post.text);
}

#[tokio::test]
async fn programs_get_the_document() {
    let house = House::new().await;
    house.get("/start", &[]).await.is_problem(401, "credential");
    house.get("/start", &[("accept", "application/json")]).await.is_problem(401, "credential");
    house.get("/api/v1/jobs", &[BROWSER]).await.is_problem(401, "credential");
    house.get("/api/v1/nothing", &[BROWSER]).await.is_problem(401, "credential");
    house.get("/hooks/nothing/x", &[BROWSER]).await.is_problem(404, "connection");
}

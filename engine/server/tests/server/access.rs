//! Links, sessions and tokens.

use zelo_core::SignedDuration;
use zelo_server::Settings;

use crate::house::{House, cookie, request};

#[tokio::test]
async fn a_link_lets_in_once() {
    let house = House::new().await;
    let code = house.link().await;
    // Looking at it does not use it up.
    for _ in 0..2 {
        let page = house.get(&format!("/sign-in?code={code}"), &[]).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains(&code) && page.text.contains("<button"), "{}", page.text);
    }
    let entered = house.post("/sign-in", &[("sec-fetch-site", "same-origin"), ("origin", "null")], format!("code={code}")).await;
    assert_eq!((entered.status.as_u16(), entered.header("location")), (303, "/"));
    let set = entered.header("set-cookie");
    assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{set}");
    assert!(!set.contains(&code));
    let session = cookie(&entered);
    assert!(house.get("/", &[("cookie", &session)]).await.text.contains("<section id=\"numbers\""));
    assert_eq!(house.get("/api/v1/events", &[("cookie", &session)]).await.status, 200);

    let again = house.post("/sign-in", &[], format!("code={code}")).await;
    assert_eq!(again.status, 401);
    assert!(again.text.contains("zelo token link") && again.header("set-cookie").is_empty());
}

#[tokio::test]
async fn a_link_lasts_fifteen_minutes() {
    let house = House::new().await;
    let (in_time, late) = (house.link().await, house.link().await);
    house.advance(SignedDuration::from_secs(15 * 60 - 1));
    assert_eq!(house.post("/sign-in", &[], format!("code={in_time}")).await.status, 303);
    house.advance(SignedDuration::from_secs(1));
    assert_eq!(house.post("/sign-in", &[], format!("code={late}")).await.status, 401);
}

#[tokio::test]
async fn a_session_lasts_half_a_day_or_until_signed_out() {
    let house = House::new().await;
    let (one, other) = (house.sign_in().await, house.sign_in().await);
    let out = house.post("/sign-out", &[("cookie", &one)], String::new()).await;
    assert_eq!((out.status.as_u16(), out.header("location")), (303, "/"));
    assert!(out.header("set-cookie").starts_with("zelo=; Path=/; Max-Age=0"), "{}", out.header("set-cookie"));
    house.get("/api/v1/events", &[("cookie", &one)]).await.is_problem(401, "credential");
    house.advance(SignedDuration::from_secs(12 * 3600 - 1));
    assert_eq!(house.get("/api/v1/events", &[("cookie", &other)]).await.status, 200);
    house.advance(SignedDuration::from_secs(1));
    house.get("/api/v1/events", &[("cookie", &other)]).await.is_problem(401, "credential");
}

#[tokio::test]
async fn a_token_is_for_programs_only() {
    let house = House::new().await;
    let token = house.token().await;
    assert!(token.starts_with("zelo_") && token.len() == 57, "{token}");
    assert_eq!(house.post("/sign-in", &[], format!("code={token}")).await.status, 401);
    house.get("/api/v1/events", &[("cookie", &format!("zelo={token}"))]).await.is_problem(401, "credential");
    // Trying it there has not used it up.
    assert_eq!(house.get("/api/v1/events", &[("authorization", &format!("bearer {token}"))]).await.status, 200);
}

#[tokio::test]
async fn another_site_signs_nobody_in_or_out() {
    let house = House::new().await;
    let code = house.link().await;
    for headers in [[("sec-fetch-site", "cross-site")], [("sec-fetch-site", "same-site")], [("origin", "https://evil.example")]] {
        house.post("/sign-in", &headers, format!("code={code}")).await.is_problem(403, "cross-site");
        house.post("/sign-out", &headers, String::new()).await.is_problem(403, "cross-site");
    }
    assert_eq!(house.post("/sign-in", &[("origin", "http://zelo.test")], format!("code={code}")).await.status, 303);
}

#[tokio::test]
async fn over_https_the_cookie_stays_on_https() {
    let house = House::with(Settings { public_url: Some("https://hooks.example.com/".into()), ..Settings::default() }).await;
    let code = house.link().await;
    let entered = house.post("/sign-in", &[("origin", "https://hooks.example.com")], format!("code={code}")).await;
    let set = entered.header("set-cookie");
    assert!(set.starts_with("__Host-zelo=") && set.ends_with("SameSite=Strict; Secure"), "{set}");
    assert_eq!(house.get("/api/v1/events", &[("cookie", &cookie(&entered))]).await.status, 200);
}

#[tokio::test]
async fn a_form_is_small_and_a_form() {
    let house = House::new().await;
    house.post("/sign-in", &[], "code=".to_owned() + &"x".repeat(5000)).await.is_problem(400, "malformed");
    let text = request("POST", "/sign-in", &[("content-type", "text/plain")], "code=x".into());
    house.send(text).await.is_problem(400, "malformed");
    house.get("/sign-out", &[]).await.is_problem(405, "method");
}

//! The pages of people, tokens and secrets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zelo_core::{Clinics, SignedDuration};
use zelo_server::access::Role;
use zelo_server::{Sealed, Settings, codes};

use crate::gates::{PASSWORD, add_person, only};
use crate::house::{Answer, House, cookie};

/// An admin at a browser.
struct Admin<'h> {
    house: &'h House,
    cookie: String,
}

impl<'h> Admin<'h> {
    async fn of(house: &'h House) -> Self {
        Self { house, cookie: house.sign_in().await }
    }

    async fn get(&self, path: &str) -> Answer {
        self.house.get(path, &[("cookie", &self.cookie)]).await
    }

    async fn post(&self, path: &str, form: &str) -> Answer {
        self.house.post(path, &[("cookie", &self.cookie)], form.to_owned()).await
    }
}

/// What an answer shows once.
fn shown(answer: &Answer) -> Vec<String> {
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"), "{}", answer.text);
    assert!(!answer.text.contains("data-seen"), "it is not fetched again");
    let once = answer.text.split("data-key=\"once\"").nth(1).unwrap().split("</div>").next().unwrap();
    once.split("<code>").skip(1).map(|part| part.split("</code>").next().unwrap().replace("&amp;", "&")).collect()
}

async fn enter(house: &House, name: &str, password: &str, digits: &str) -> Answer {
    house.post("/sign-in", &[], format!("name={name}&password={}&digits={digits}", password.replace(' ', "+"))).await
}

#[tokio::test]
async fn an_admin_adds_somebody_whose_password_is_shown_once() {
    let house = House::new().await;
    let admin = Admin::of(&house).await;
    let empty = admin.get("/people").await.text;
    assert!(empty.contains("Ninguém entra com senha ainda.") && empty.contains("<html lang=\"pt-BR\""), "{empty}");

    let added = admin.post("/people", "name=Ana&role=operator&clinics=acme/9%0Aacme/8&password=").await;
    let password = shown(&added).remove(0);
    assert_eq!(enter(&house, "ana", &password, "").await.status, 303);
    let person = house.store().person("ana").await.unwrap().unwrap();
    assert_eq!((person.role.as_str(), &person.clinics), ("operator", &Clinics::of(["acme/9".parse().unwrap(), "acme/8".parse().unwrap()])));
    let list = admin.get("/people").await.text;
    assert!(list.contains("href=\"/people/ana\"") && list.contains("acme/8, acme/9") && !list.contains(&password), "{list}");
    assert!(house.get("/people", &[("cookie", &admin.cookie), ("accept-language", "en")]).await.text.contains("People and tokens"));

    let own = admin.post("/people", &format!("name=bia&role=viewer&password={}", PASSWORD.replace(' ', "+"))).await;
    assert_eq!((own.status.as_u16(), own.header("location")), (303, "/people"));
    assert_eq!(enter(&house, "bia", PASSWORD, "").await.status, 303);
}

#[tokio::test]
async fn a_form_that_is_filled_in_wrong_says_where_and_keeps_what_was_written() {
    let house = House::new().await;
    let admin = Admin::of(&house).await;
    add_person(&house, "ana", Role::Viewer, Clinics::All).await;
    for (form, status, at) in [
        ("name=ana+maria&role=viewer", 422, "name-wrong"),
        ("name=ana&role=viewer", 409, "name-wrong"),
        ("name=bia&role=viewer&clinics=acme", 422, "clinics-wrong"),
        ("name=bia&role=viewer&password=short", 422, "password-wrong"),
    ] {
        let answer = admin.post("/people", form).await;
        assert_eq!(answer.status, status, "{form}: {}", answer.text);
        assert!(
            answer.text.contains(&format!("id=\"{at}\"")) && answer.text.contains(&format!("aria-describedby=\"{at}\"")),
            "{form}: {}",
            answer.text
        );
        assert!(!answer.text.contains("short"), "a password is not said again");
    }
    let escaped = admin.post("/people", "name=%3Cb%3E&role=viewer&clinics=%3Cb%3E").await.text;
    assert!(escaped.contains("value=\"&lt;b&gt;\"") && escaped.contains("&lt;b&gt;</textarea>") && !escaped.contains("<b>"), "{escaped}");
    assert!(house.store().person("bia").await.unwrap().is_none());
    admin.post("/people/nobody", "what=password").await.is_problem(404, "not-found");
    admin.post("/people/ana", "what=else").await.is_problem(400, "malformed");
}

#[tokio::test]
async fn a_person_is_changed_and_signed_out_by_it() {
    let house = House::new().await;
    let admin = Admin::of(&house).await;
    add_person(&house, "ana", Role::Viewer, Clinics::All).await;
    let session = cookie(&enter(&house, "ana", PASSWORD, "").await);
    assert_eq!(admin.post("/people/ana", "what=place&role=operator&clinics=acme/9").await.status, 303);
    house.get("/api/v1/events", &[("cookie", &session)]).await.is_problem(401, "credential");
    assert_eq!(house.store().person("ana").await.unwrap().unwrap().clinics, only("acme/9"));

    let password = shown(&admin.post("/people/ana", "what=password&password=").await).remove(0);
    assert_eq!(enter(&house, "ana", PASSWORD, "").await.status, 401);
    assert_eq!(enter(&house, "ana", &password, "").await.status, 303);

    let told = shown(&admin.post("/people/ana", "what=codes").await);
    assert!(told[1].starts_with("otpauth://totp/zelo:ana?secret=") && told[1].contains(&told[0]), "{told:?}");
    let page = admin.get("/people/ana").await.text;
    assert!(page.contains("com código") && !page.contains(&told[0]), "{page}");
    assert_eq!(enter(&house, "ana", &password, "").await.status, 401, "the code is asked for");
    let secret = house.store().person("ana").await.unwrap().unwrap().secret.unwrap();
    let digits = codes::shown(&secret, zelo_core::Clock::now(house.clock.as_ref())).unwrap();
    assert_eq!(enter(&house, "ana", &password, &digits).await.status, 303);
    assert_eq!(admin.post("/people/ana", "what=no-codes").await.status, 303);
    assert_eq!(enter(&house, "ana", &password, "").await.status, 303);

    let unsure = admin.post("/people/ana", "what=remove").await;
    assert!(unsure.status == 422 && unsure.text.contains("id=\"remove-wrong\""), "{}", unsure.text);
    assert_eq!(admin.post("/people/ana", "what=remove&sure=yes").await.header("location"), "/people");
    assert_eq!(enter(&house, "ana", &password, "").await.status, 401);
    let audit = house.store().audit(&zelo_store::AuditPage::default()).await.unwrap();
    assert!(audit.iter().filter(|row| row.entry.actor.as_str() == "session:link").count() >= 5, "who did it is written down");
}

#[tokio::test]
async fn the_last_admin_stays() {
    let house = House::new().await;
    let admin = Admin::of(&house).await;
    add_person(&house, "ana", Role::Admin, Clinics::All).await;
    // One who sees some clinics only sees to nobody.
    add_person(&house, "bia", Role::Admin, only("acme/9")).await;
    for form in ["what=remove&sure=yes", "what=place&role=viewer&clinics=", "what=place&role=admin&clinics=acme/9"] {
        let answer = admin.post("/people/ana", form).await;
        assert!(answer.status == 409 && answer.text.contains("única pessoa que administra"), "{form}: {}", answer.text);
    }
    assert_eq!(house.store().person("ana").await.unwrap().unwrap().role, "admin");
    assert_eq!(admin.post("/people/bia", "what=place&role=admin&clinics=").await.status, 303);
    assert_eq!(admin.post("/people/ana", "what=remove&sure=yes").await.status, 303);
}

#[tokio::test]
async fn a_token_is_shown_once_and_revoked() {
    let house = House::new().await;
    let admin = Admin::of(&house).await;
    let token = shown(&admin.post("/tokens", "what=new&name=caixa&role=viewer&days=2&clinics=").await).remove(0);
    let authorization = format!("Bearer {token}");
    assert_eq!(house.get("/api/v1/events", &[("authorization", &authorization)]).await.status, 200);
    let list = admin.get("/tokens").await.text;
    assert!(list.contains("caixa") && !list.contains(&token), "{list}");
    for (form, at) in [
        ("what=new&name=&role=viewer", "name-wrong"),
        ("what=new&name=x&role=viewer&days=0", "days-wrong"),
        ("what=new&name=x&role=viewer&clinics=acme", "clinics-wrong"),
    ] {
        let answer = admin.post("/tokens", form).await;
        assert!(answer.status == 422 && answer.text.contains(&format!("id=\"{at}\"")), "{form}: {}", answer.text);
    }
    let row = list.split("data-key=\"credential ").find(|row| row.contains("caixa")).unwrap();
    let id = row.split('"').next().unwrap();
    assert_eq!(admin.post("/tokens", &format!("what=revoke&id={id}")).await.status, 303);
    house.get("/api/v1/events", &[("authorization", &authorization)]).await.is_problem(401, "credential");
    admin.post("/tokens", &format!("what=revoke&id={id}")).await.is_problem(404, "not-found");

    let brief = shown(&admin.post("/tokens", "what=new&name=breve&role=viewer&days=1").await).remove(0);
    house.advance(SignedDuration::from_hours(11));
    assert_eq!(house.get("/api/v1/events", &[("authorization", &format!("Bearer {brief}"))]).await.status, 200);
    house.advance(SignedDuration::from_hours(14));
    house.get("/api/v1/events", &[("authorization", &format!("Bearer {brief}"))]).await.is_problem(401, "credential");
}

#[tokio::test]
async fn a_link_lets_its_reader_in_once() {
    let house = House::new().await;
    let admin = Admin::of(&house).await;
    let link = shown(&admin.post("/tokens", "what=link").await).remove(0);
    let code = link.strip_prefix("http://zelo.test/sign-in?code=").unwrap();
    assert_eq!(house.post("/sign-in", &[], format!("code={code}")).await.status, 303);
    assert_eq!(house.post("/sign-in", &[], format!("code={code}")).await.status, 401);
}

#[tokio::test]
async fn secrets_are_kept_and_never_told() {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let sealed = Sealed::new(["named".to_owned()], move |_| {
        let before = count.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { if before == 0 { Ok(()) } else { Err("it cannot be used".to_owned()) } })
    });
    let house = House::with(Settings { sealed, ..Settings::default() }).await;
    let admin = Admin::of(&house).await;
    assert!(admin.get("/secrets").await.text.contains("Nenhum segredo guardado."));
    assert_eq!(admin.post("/secrets", "what=set&name=other&value=hush-hush").await.status, 303);
    assert_eq!(taken.load(Ordering::SeqCst), 0, "nobody names it");
    assert_eq!(admin.post("/secrets", "what=set&name=named&value=hush-hush%0A").await.status, 303);
    assert_eq!(taken.load(Ordering::SeqCst), 1);
    assert_eq!(house.store().secret("named".into()).await.unwrap().unwrap().bytes(), b"hush-hush");
    let list = admin.get("/secrets").await.text;
    assert!(list.contains("other") && list.contains("usado por zelo.toml") && !list.contains("hush"), "{list}");
    let untaken = admin.post("/secrets", "what=set&name=named&value=another").await;
    assert!(untaken.status == 409 && untaken.text.contains("it cannot be used") && !untaken.text.contains("another"), "{}", untaken.text);

    for (form, at) in [("what=set&name=Ops&value=x", "name-wrong"), ("what=set&name=ops&value=", "value-wrong")] {
        let answer = admin.post("/secrets", form).await;
        assert!(answer.status == 422 && answer.text.contains(&format!("id=\"{at}\"")), "{form}: {}", answer.text);
    }
    let named = admin.post("/secrets", "what=remove&name=named").await;
    assert!(named.status == 409 && named.text.contains("tire-o de lá antes"), "{}", named.text);
    assert_eq!(admin.post("/secrets", "what=remove&name=other").await.status, 303);
    assert!(house.store().secret("other".into()).await.unwrap().is_none());
    assert!(house.store().secret("named".into()).await.unwrap().is_some());
}

#[tokio::test]
async fn only_admins_of_everything_see_to_people() {
    let house = House::new().await;
    let lower = format!("Bearer {}", house.token_of(Role::Approver).await);
    let limited = format!("Bearer {}", house.token_for(Role::Admin, only("acme/9")).await);
    for path in ["/people", "/people/x", "/tokens", "/secrets"] {
        house.get(path, &[("authorization", &lower)]).await.is_problem(403, "role");
        house.get(path, &[("authorization", &limited)]).await.is_problem(403, "clinics");
        house.post(path, &[("authorization", &lower)], "what=new&name=x&role=admin".into()).await.is_problem(403, "role");
        house.post(path, &[("authorization", &limited)], "what=new&name=x&role=admin".into()).await.is_problem(403, "clinics");
    }
    let admin = Admin::of(&house).await;
    let cross = house.post("/tokens", &[("cookie", &admin.cookie), ("sec-fetch-site", "cross-site")], "what=link".into()).await;
    cross.is_problem(403, "cross-site");
}

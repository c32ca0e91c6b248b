//! Coming in with a name and a password.

use serde_json::{Value, json};
use zelo_core::{Actor, AuditKind, Clinics, SignedDuration};
use zelo_server::access::Role;
use zelo_server::{Settings, codes, password};
use zelo_store::{AuditPage, PersonRow};

use crate::gates::{PASSWORD, add_person};
use crate::house::{Answer, House, cookie};

/// Sends the form of the sign-in page.
async fn enter(house: &House, name: &str, password: &str, digits: &str) -> Answer {
    let form = format!("name={name}&password={}&digits={digits}", password.replace(' ', "+"));
    house.post("/sign-in", &[("sec-fetch-site", "same-origin")], form).await
}

/// Has `change` made of somebody.
async fn change(house: &House, name: &str, change: impl FnOnce(PersonRow) -> PersonRow) {
    let person = house.store().person(name).await.unwrap().unwrap();
    house.store().put_person(change(person), Actor::command(), house.runtime.clock.now()).await.unwrap();
}

/// What the audit log says of who came in, oldest first.
async fn came(house: &House) -> Vec<(String, Value)> {
    let mut rows = house.store().audit(&AuditPage { kind: Some(AuditKind::SignedIn), ..AuditPage::default() }).await.unwrap();
    rows.reverse();
    rows.into_iter().map(|row| (row.entry.actor.as_str().to_owned(), row.entry.detail()["what"].clone())).collect()
}

#[tokio::test]
async fn a_password_lets_its_person_in_as_what_they_are() {
    let house = House::new().await;
    add_person(&house, "ana", Role::Operator, Clinics::All).await;
    let entered = enter(&house, "%20Ana", PASSWORD, "").await;
    assert_eq!((entered.status.as_u16(), entered.header("location")), (303, "/"));
    assert!(entered.header("set-cookie").ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"));
    let session = cookie(&entered);
    assert_eq!(house.get("/api/v1/events", &[("cookie", &session)]).await.status, 200);
    house.get("/api/v1/subjects/x/disclosures", &[("cookie", &session)]).await.is_problem(403, "role");

    let wrong = enter(&house, "ana", "incorrect horse", "").await;
    let nobody = enter(&house, "bia", PASSWORD, "").await;
    assert_eq!((wrong.status.as_u16(), nobody.status.as_u16()), (401, 401));
    assert_eq!(wrong.text, nobody.text, "whether there is such a person is not told");
    assert!(wrong.header("set-cookie").is_empty() && wrong.text.contains("role=\"alert\""));
    let cross = house.post("/sign-in", &[("sec-fetch-site", "cross-site")], format!("name=ana&password={PASSWORD}")).await;
    cross.is_problem(403, "cross-site");
    let told = came(&house).await;
    assert_eq!(told[0], ("password:ana".to_owned(), json!("signed in")));
    assert_eq!(told[1], ("password:unknown".to_owned(), json!("password refused")));
}

#[tokio::test]
async fn a_new_session_takes_the_place_of_the_old_one() {
    let house = House::new().await;
    add_person(&house, "ana", Role::Viewer, Clinics::All).await;
    let old = cookie(&enter(&house, "ana", PASSWORD, "").await);
    let form = format!("name=ana&password={}", PASSWORD.replace(' ', "+"));
    let new = cookie(&house.post("/sign-in", &[("cookie", &old)], form).await);
    assert_ne!(old, new);
    house.get("/api/v1/events", &[("cookie", &old)]).await.is_problem(401, "credential");
    assert_eq!(house.get("/api/v1/events", &[("cookie", &new)]).await.status, 200);
}

#[tokio::test]
async fn who_is_changed_or_removed_is_signed_out() {
    let house = House::new().await;
    add_person(&house, "ana", Role::Admin, Clinics::All).await;
    let session = cookie(&enter(&house, "ana", PASSWORD, "").await);
    let hash = password::hash("another horse battery", house.runtime.entropy.as_ref()).unwrap();
    change(&house, "ana", |person| PersonRow { password: hash, ..person }).await;
    house.get("/api/v1/events", &[("cookie", &session)]).await.is_problem(401, "credential");
    assert_eq!(enter(&house, "ana", PASSWORD, "").await.status, 401, "the old one");
    let session = cookie(&enter(&house, "ana", "another horse battery", "").await);
    change(&house, "ana", |person| PersonRow { role: "viewer".into(), ..person }).await;
    house.get("/api/v1/events", &[("cookie", &session)]).await.is_problem(401, "credential");
    let session = cookie(&enter(&house, "ana", "another horse battery", "").await);
    assert!(house.store().remove_person("ana", Actor::command(), house.runtime.clock.now()).await.unwrap());
    house.get("/api/v1/events", &[("cookie", &session)]).await.is_problem(401, "credential");
    assert_eq!(enter(&house, "ana", "another horse battery", "").await.status, 401);
}

#[tokio::test]
async fn a_code_is_needed_where_there_is_a_secret_and_is_good_once() {
    let house = House::new().await;
    add_person(&house, "ana", Role::Viewer, Clinics::All).await;
    let secret = codes::new_secret(house.runtime.entropy.as_ref());
    let digits = |house: &House| codes::shown(&secret, house.runtime.clock.now()).unwrap();
    change(&house, "ana", |person| PersonRow { secret: Some(secret.clone()), ..person }).await;
    assert_eq!(enter(&house, "ana", PASSWORD, "").await.status, 401);
    assert_eq!(enter(&house, "ana", PASSWORD, "000000").await.status, 401);
    let shown = digits(&house);
    assert_eq!(enter(&house, "ana", "incorrect horse", &shown).await.status, 401, "a wrong password does not use it up");
    assert_eq!(enter(&house, "ana", PASSWORD, &shown).await.status, 303);
    assert_eq!(enter(&house, "ana", PASSWORD, &shown).await.status, 401, "somebody looked over her shoulder");
    house.advance(SignedDuration::from_secs(30));
    assert_eq!(enter(&house, "ana", PASSWORD, &digits(&house)).await.status, 303);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_ends_with_waiting() {
    let house = House::with(Settings::default()).await;
    add_person(&house, "ana", Role::Viewer, Clinics::All).await;
    for _ in 0..5 {
        assert_eq!(enter(&house, "ana", "incorrect horse", "").await.status, 401);
    }
    let wait = enter(&house, "ana", PASSWORD, "").await;
    assert_eq!((wait.status.as_u16(), wait.header("retry-after")), (429, "2"), "the right one, too: nobody learns it here");
    assert!(wait.header("set-cookie").is_empty());
    house.advance(SignedDuration::from_secs(2));
    assert_eq!(enter(&house, "ana", PASSWORD, "").await.status, 303);
    for _ in 0..4 {
        assert_eq!(enter(&house, "ana", "incorrect horse", "").await.status, 401, "and begins anew");
    }
}

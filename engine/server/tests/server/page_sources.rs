//! The pages of sources.

use zelo_server::access::Role;
use zelo_server::{Allow, Settings};

use crate::gates::only;
use crate::house::{House, SECRET, delivery};

#[tokio::test]
async fn a_connection_says_its_address_and_how_it_is_verified_and_no_secret() {
    let allow = Allow { connections: [("acme".to_owned(), vec!["203.0.113.0/24".parse().unwrap()])].into(), ..Allow::default() };
    let house = House::with(Settings { allow, ..Settings::default() }).await;
    let cookie = house.sign_in().await;
    let page = async |path: &str| house.get(path, &[("cookie", &cookie)]).await.text;
    let all = page("/sources").await;
    for part in ["<html lang=\"pt-BR\"", "http://zelo.test/hooks/acme/", "href=\"/sources/acme\"", "segredo definido", "nenhuma ainda"] {
        assert!(all.contains(part), "{part} in {all}");
    }
    let one = page("/sources/acme").await;
    for part in [
        "http://zelo.test/hooks/acme/",
        "uma assinatura HMAC-SHA-256 no cabeçalho `x-signature`",
        "o próprio segredo no cabeçalho `x-zelo-token`",
        "patient.created",
        "um paciente é cadastrado",
        "<code>patient/new</code>",
        "203.0.113.0/24",
        "3 kB",
        "Nada chegou nas últimas 24 horas",
    ] {
        assert!(one.contains(part), "{part} in {one}");
    }
    assert!(!one.contains(SECRET) && !one.contains("<svg") && !one.contains("ATENÇÃO"));
    let english = house.get("/sources/acme", &[("cookie", &cookie), ("accept-language", "en")]).await.text;
    assert!(english.contains("an HMAC-SHA-256 signature in the header `x-signature`"), "{english}");
    assert_eq!(house.get("/sources/nothing", &[("cookie", &cookie)]).await.status, 404);
}

#[tokio::test]
async fn what_comes_and_what_is_refused_is_counted_by_the_hour() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    house.deliver("1", "Ana").await;
    house.deliver("2", "Bia").await;
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", "forged")], "{}".to_owned())).await;
    let page = house.get("/sources/acme", &[("cookie", &cookie)]).await.text;
    for part in
        ["<dt>Aceitas em 24 horas</dt><dd>2</dd>", "<dt>Recusadas em 24 horas</dt><dd>1 · <a href=\"/failures\">", "<svg", "role=\"img\""]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(page.matches("class=\"came\"").count(), 24);
    assert!(!page.contains("style="), "no style of its own");
    house.advance(zelo_core::SignedDuration::from_hours(25));
    let later = house.sign_in().await;
    let page = house.get("/sources/acme", &[("cookie", &later)]).await.text;
    assert!(page.contains("<dt>Aceitas em 24 horas</dt><dd>0</dd>"), "{page}");
}

#[tokio::test]
async fn what_is_insecure_is_said_aloud() {
    let house = House::built(Settings::default(), true, None).await;
    let cookie = house.sign_in().await;
    let all = house.get("/sources", &[("cookie", &cookie)]).await.text;
    assert!(all.contains("Sem verificação"), "{all}");
    let one = house.get("/sources/open", &[("cookie", &cookie)]).await.text;
    assert!(one.contains("ATENÇÃO: esta conexão aceita entregas que ninguém assinou"), "{one}");
}

#[tokio::test]
async fn who_is_of_some_clinics_sees_no_sources() {
    let house = House::new().await;
    let limited = format!("Bearer {}", house.token_for(Role::Admin, only("acme/9")).await);
    for path in ["/sources", "/sources/acme"] {
        house.get(path, &[("authorization", &limited)]).await.is_problem(403, "clinics");
    }
}

//! Today, in numbers.

use zelo_core::SignedDuration;
use zelo_server::access::Role;

use crate::gates::only;
use crate::house::{Answer, House, MARKER, SECRET, delivery, patient};

async fn today(house: &House, cookie: &str, query: &str, language: &str) -> Answer {
    house.get(&format!("/{query}"), &[("cookie", cookie), ("accept-language", language)]).await
}

/// A delivery of a clinic.
async fn deliver(house: &House, clinic: &str, id: &str) {
    let mut body = patient(id, MARKER);
    body["data"]["clinic"] = clinic.into();
    let sent = house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
}

/// The number that stands before these words.
fn figure(page: &str, title: &str) -> String {
    let before = page.split(&format!("</strong> <span>{title}</span>")).next().filter(|before| before.len() < page.len());
    let before = before.unwrap_or_else(|| panic!("{title} in {page}"));
    before.rsplit("<strong>").next().unwrap().to_owned()
}

#[tokio::test]
async fn what_came_and_what_was_done_is_counted() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let empty = today(&house, &cookie, "", "pt-BR").await.text;
    assert_eq!(figure(&empty, "Recebidos"), "0");
    assert!(
        empty.contains("Ainda não chegou nada neste período") && empty.contains("Nada está agendado") && !empty.contains("<svg"),
        "{empty}"
    );

    deliver(&house, "9", "1").await;
    house.finish_with_message("Oi").await;
    house.advance(SignedDuration::from_secs(60));
    deliver(&house, "9", "2").await;
    house.give_up().await;
    let page = today(&house, &cookie, "", "pt-BR").await;
    for (title, count) in [("Recebidos", "2"), ("Feitas", "1"), ("Falharam", "1"), ("Mensagens", "1"), ("Documentos", "0"), ("Falhas", "1")]
    {
        assert_eq!(figure(&page.text, title), count, "{title}");
    }
    for part in [
        "href=\"/failures\"",
        "href=\"/attention\"",
        "href=\"/scheduled\"",
        "<svg class=\"bars\" role=\"img\" aria-label=\"Recebidos: 0, 0, 0, 0, 0, 0, 2\"",
        "segunda-feira",
    ] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(!page.text.contains(MARKER) && !page.text.contains("style="), "numbers, and nobody's name");
    let english = today(&house, &cookie, "?days=14", "en").await.text;
    assert_eq!((figure(&english, "Came in").as_str(), english.matches("<tr>").count() > 14), ("2", true));

    // The next day it is yesterday's.
    house.advance(SignedDuration::from_hours(24));
    let cookie = house.sign_in().await;
    let page = today(&house, &cookie, "", "pt-BR").await.text;
    assert_eq!((figure(&page, "Recebidos").as_str(), page.contains("Recebidos: 0, 0, 0, 0, 0, 2, 0")), ("0", true), "{page}");
}

#[tokio::test]
async fn each_sees_the_numbers_of_their_clinics() {
    let house = House::new().await;
    for (clinic, id) in [("9", "1"), ("9", "2"), ("8", "3")] {
        deliver(&house, clinic, id).await;
    }
    let authorization = format!("Bearer {}", house.token_for(Role::Viewer, only("acme/8")).await);
    let of_eight = async |query: &str| {
        let page = house.get(&format!("/{query}"), &[("authorization", &authorization), ("accept-language", "pt-BR")]).await.text;
        assert!(!page.contains("acme/9") && !page.contains("action=\"/halts\""), "{page}");
        figure(&page, "Recebidos")
    };
    assert_eq!(of_eight("").await, "1");
    assert_eq!(of_eight("?clinic=acme%2F9").await, "0", "by URL too");
    assert_eq!(of_eight("?clinic=acme").await, "1");
    let cookie = house.sign_in().await;
    let page = today(&house, &cookie, "", "pt-BR").await.text;
    assert!(page.contains("<option value=\"acme/8\">") && page.contains("Hoje, por clínica"), "{page}");
    assert_eq!(figure(&page, "Recebidos"), "3");
    assert_eq!(figure(&today(&house, &cookie, "?clinic=acme%2F9", "pt-BR").await.text, "Recebidos"), "2");
    let nasty = today(&house, &cookie, "?clinic=%22%3E%3Cscript%3Ex", "pt-BR").await.text;
    assert!(!nasty.contains("<script>") && figure(&nasty, "Recebidos") == "0", "{nasty}");
}

#[tokio::test]
async fn what_is_wrong_says_what_to_do() {
    let house = House::built(zelo_server::Settings::default(), true, None).await;
    let cookie = house.sign_in().await;
    let page = today(&house, &cookie, "", "pt-BR").await.text;
    let alarm = &page[page.find("id=\"insecure\"").unwrap_or_else(|| panic!("{page}"))..];
    assert!(alarm.contains("<code>open</code>") && alarm.contains("O que fazer:") && alarm.contains("href=\"/sources\""), "{page}");
    assert!(page.contains("action=\"/halts\"") && !page.contains("data-key=\"first-steps\""), "{page}");
}

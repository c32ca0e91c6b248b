//! The pages of people: found without a word in an address, told what is held, put on hold, erased.

use serde_json::json;
use zelo_core::AuditKind;
use zelo_server::access::Role;
use zelo_store::{AuditPage, Who};

use crate::gates::only;
use crate::house::{Answer, House, MARKER, SECRET, delivery, document, message, patient};

async fn bearer(house: &House, clinic: Option<&str>) -> String {
    format!("Bearer {}", house.token_for(Role::Admin, clinic.map(only).unwrap_or_default()).await)
}

async fn seen(house: &House, path: &str, clinic: Option<&str>, lang: &str) -> Answer {
    let authorization = bearer(house, clinic).await;
    house.get(path, &[("authorization", &authorization), ("accept-language", lang)]).await
}

async fn said(house: &House, path: &str, clinic: Option<&str>, form: &str) -> Answer {
    let authorization = bearer(house, clinic).await;
    house.post(path, &[("authorization", &authorization), ("accept-language", "en")], form.into()).await
}

/// Somebody of clinic 9, with a message and a document; their page.
async fn somebody(house: &House) -> String {
    let mut body = patient("p-77", MARKER);
    body["data"]["cpf"] = json!("529.982.247-25");
    body["data"]["email"] = json!("ana@example.com");
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    house.finish_with(vec![message("Olá", vec![]), document("recibo.pdf", "application/pdf")]).await;
    let who = Who::Id { connection: None, id: "p-77".into() };
    format!("/subjects/{}", house.store().find_subjects(who).await.unwrap()[0].pseudonym)
}

#[tokio::test]
async fn somebody_is_found_by_whatever_they_are_known_by() {
    let house = House::new().await;
    let page = somebody(&house).await;
    for (by, value) in [("cpf", "52998224725"), ("phone", "(11)+98765-4321"), ("email", "ANA%40example.com"), ("id", "p-77")] {
        let answer = said(&house, "/subjects", None, &format!("by={by}&value={value}")).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, page.as_str()), "{by}: {}", answer.text);
    }
    // Of two, both.
    let mut body = patient("p-78", "Zeca");
    body["data"]["cpf"] = json!("52998224725");
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    let answer = said(&house, "/subjects", None, "by=cpf&value=52998224725").await;
    let found = answer.header("location");
    assert!(found.starts_with("/subjects?found=sub_") && found.contains(",sub_") && !found.contains("529"), "{found}");
    let list = seen(&house, found, None, "en").await.text;
    assert_eq!(list.matches("data-key=\"subject sub_").count(), 2, "{list}");
    assert!(list.contains("CPF") && !list.contains(MARKER) && !list.contains("52998224725"));
}

#[tokio::test]
async fn what_nobody_can_be_found_by_is_said_beside_the_field() {
    let house = House::new().await;
    somebody(&house).await;
    for (form, status, told) in [
        ("by=cpf&value=11111111112", 422, "This is no CPF"),
        ("by=phone&value=12", 422, "This is no phone number"),
        ("by=email&value=ana", 422, "This is no e-mail address"),
        ("by=id&value=+", 422, "Write the id."),
        ("by=name&value=Ana", 422, "Choose one of the ways"),
        ("by=id&value=p-99", 404, "Nobody was found."),
    ] {
        let answer = said(&house, "/subjects", None, form).await;
        assert_eq!(answer.status, status, "{form}: {}", answer.text);
        assert!(answer.text.contains(told) && answer.text.contains("aria-invalid=\"true\""), "{form}: {}", answer.text);
    }
    let kept = said(&house, "/subjects", None, "by=email&value=%22%3Eana").await.text;
    assert!(kept.contains("value=\"&quot;&gt;ana\"") && kept.contains("<option value=\"email\" selected>"), "{kept}");
    said(&house, "/subjects", None, "by=cpf").await.is_problem(400, "malformed");
}

#[tokio::test]
async fn a_person_is_told_in_numbers_with_who_saw() {
    let house = House::new().await;
    let page = somebody(&house).await;
    for (lang, held, sent, saw) in [
        ("pt-BR", "O que está guardado", "<dt>Mensagens</dt><dd>1</dd>", "Mostrou ao plugin"),
        ("en", "What is held", "<dt>Messages</dt><dd>1</dd>", "Showed the plugin"),
    ] {
        let text = seen(&house, &page, None, lang).await.text;
        assert!(text.contains(held) && text.contains(sent) && text.contains(saw), "{text}");
        assert!(text.contains("/export?format=html") && text.contains("/export?format=json"));
        assert!(!text.contains(MARKER), "numbers, and no values");
    }
    let views = house.store().audit(&AuditPage { kind: Some(AuditKind::Viewed), ..AuditPage::default() }).await.unwrap();
    assert!(views.iter().any(|view| view.entry.detail()["what"] == "subject"), "who looked is written down");
}

#[tokio::test]
async fn somebody_of_another_clinic_is_nobody() {
    let house = House::new().await;
    let page = somebody(&house).await;
    seen(&house, &page, Some("acme/8"), "en").await.is_problem(404, "not-found");
    seen(&house, "/subjects/x", None, "en").await.is_problem(404, "not-found");
    assert_eq!(said(&house, "/subjects", Some("acme/8"), "by=id&value=p-77").await.status, 404);
    let found = page.replace("/subjects/", "/subjects?found=");
    assert!(!seen(&house, &found, Some("acme/8"), "en").await.text.contains("data-key=\"subject sub_"));
    // Of their clinic, they see, and do not decide.
    let text = seen(&house, &page, Some("acme/9"), "en").await.text;
    assert!(text.contains("What is held") && !text.contains("/erase") && !text.contains("/hold"), "{text}");
    for (rest, form) in [("hold", "reason=x"), ("release", ""), ("erase", "word=erase")] {
        said(&house, &format!("{page}/{rest}"), Some("acme/9"), form).await.is_problem(403, "clinics");
    }
    let operator = format!("Bearer {}", house.token_of(Role::Approver).await);
    house.get("/subjects", &[("authorization", &operator)]).await.is_problem(403, "role");
}

#[tokio::test]
async fn what_is_on_hold_is_not_erased_until_it_is_let_go() {
    let house = House::new().await;
    let page = somebody(&house).await;
    let without = said(&house, &format!("{page}/hold"), None, "reason=+").await;
    assert!(without.status == 422 && without.text.contains("Say why"), "{}", without.text);
    assert_eq!(said(&house, &format!("{page}/hold"), None, "reason=a+lawsuit").await.header("location"), page);
    let text = seen(&house, &page, None, "en").await.text;
    assert!(
        text.contains("on hold: cannot be erased") && text.contains("/release") && !text.contains(&format!("href=\"{page}/erase\"")),
        "{text}"
    );
    for answer in
        [said(&house, &format!("{page}/erase"), None, "word=erase").await, seen(&house, &format!("{page}/erase"), None, "en").await]
    {
        assert_eq!(answer.status, 409);
        assert!(answer.text.contains("cannot be erased. Let them go first.") && !answer.text.contains("name=\"word\""), "{}", answer.text);
    }
    assert_eq!(said(&house, &format!("{page}/release"), None, "").await.header("location"), page);
    assert!(seen(&house, &page, None, "en").await.text.contains("kept as usual"));
}

#[tokio::test]
async fn somebody_is_erased_by_a_word_and_the_page_says_what_went() {
    let house = House::new().await;
    let page = somebody(&house).await;
    let erase = format!("{page}/erase");
    let ask = seen(&house, &erase, None, "pt-BR").await.text;
    assert!(ask.contains("O que some") && ask.contains("<dt>Documentos</dt><dd>1</dd>") && ask.contains("O que fica"), "{ask}");
    assert!(ask.contains("Nenhuma lei está configurada") && ask.contains("name=\"word\""), "{ask}");
    for word in ["", "word=yes"] {
        let answer = said(&house, &erase, None, word).await;
        assert!(answer.status == 422 && answer.text.contains("Nothing was erased."), "{}", answer.text);
    }
    assert!(seen(&house, &page, None, "en").await.text.contains("kept as usual"));
    assert_eq!(said(&house, &erase, None, "word=+Erase").await.header("location"), page);
    let text = seen(&house, &page, None, "en").await.text;
    assert!(text.contains("The data of this person were erased.") && text.contains("documents: 1"), "{text}");
    assert!(text.contains("<dt>Messages</dt><dd>0</dd>") && !text.contains("name=\"reason\""), "{text}");
    assert_eq!(seen(&house, &erase, None, "en").await.header("location"), page, "once is enough");
    said(&house, &erase, None, "word=erase").await.is_problem(404, "not-found");
}

#[tokio::test]
async fn the_page_to_take_along_tells_times_of_the_clinic() {
    let house = crate::page_scheduled::house().await;
    crate::page_scheduled::book(&house, "p1", "9", "Ana", "2026-03-04T14:00:00Z", None).await;
    let who = zelo_store::Who::Id { connection: None, id: "p1".into() };
    let person = house.store().find_subjects(who).await.unwrap().remove(0).pseudonym;
    let reader = crate::page_scheduled::Reader::new(&house, zelo_server::access::Role::Admin, zelo_core::Clinics::All).await;
    let page = reader.get(&format!("/api/v1/subjects/{person}/export?format=html")).await.text;
    for told in ["Horários de São Paulo.", ">02/03/2026 08:00</time>", "Paciente p1", "dar as boas-vindas"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let json = reader.get(&format!("/api/v1/subjects/{person}/export?format=json")).await.text;
    assert!(json.contains("\"2026-03-02T11:00:00Z\""), "for programs it stays as it is: {json}");
}

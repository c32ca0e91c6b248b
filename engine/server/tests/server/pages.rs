//! The first page.

use serde_json::json;
use zelo_core::effect::{Attachment, File, Message};
use zelo_core::{Cause, Effect, JobId};

use crate::house::{House, MARKER, contact, document, message};

const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const LIVE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// The one script there is.
const SCRIPT: &str = "<script src=\"/zelo.js\" defer></script>";

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
    assert_eq!(page.header("content-security-policy"), LIVE_POLICY);
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
async fn an_automation_is_told_in_words() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let page = house.get("/", &[("cookie", &cookie)]).await.text;
    let sentence = "Quando um paciente é cadastrado, envia uma mensagem ao valor em “$.data.phone” pela caixa de saída. Não é feito para quem retirou o consentimento para “messages”.";
    assert!(page.contains("<strong>Saudação · acme</strong>") && page.contains(&format!("<p class=\"said\">{sentence}</p>")), "{page}");
    for part in
        ["<strong>greet</strong> · pessoal<br>Saudar o paciente<br>Base legal: lgpd:11.II.f (tutela da saúde)", "<li>o nome · pessoal</li>"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    let english = house.get("/", &[("cookie", &cookie), ("accept-language", "en")]).await.text;
    assert!(english.contains("<p class=\"said\">When a patient is registered, sends a message"), "{english}");
}

#[tokio::test]
async fn values_are_shown_as_text() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    let nasty = "<script>alert('1')</script>\"'><img src=x onerror=alert(1)>";
    house.deliver(nasty, nasty).await;
    let file = Attachment::File(File { name: nasty.into(), media_type: nasty.into(), content: vec![] });
    let attachments = vec![file, Attachment::Document { id: nasty.into() }];
    let notes = json!({ "name": nasty, "phone": nasty, "stage": nasty, "last_contact": nasty });
    let Effect::Message(to_nobody) = message(nasty, attachments) else { panic!("a message") };
    let message = Effect::Message(Message { to: nasty.into(), ..to_nobody });
    house.finish_with(vec![message, document(nasty, nasty), contact(nasty, notes, nasty)]).await;
    let page = house.get("/", &[("cookie", &cookie)]).await.text;
    assert!(page.matches("&lt;script&gt;alert").count() > 10, "{page}");
    assert_eq!(page.matches(SCRIPT).count(), 1);
    let page = page.replace(SCRIPT, "");
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
        samples: vec![],
    };
    let Err(refused) = zelo_runtime::rulebook::check(&files, &zelo_runtime::Catalog::default()) else { panic!("not refused") };
    house.runtime.rules.refuse(&refused);
    let page = house.get("/", &[("cookie", &cookie), ("accept-language", "en")]).await.text;
    let place = |part: &str| page.find(part).unwrap_or_else(|| panic!("{part} in {page}"));
    assert!(place("The rule files have mistakes") < place("broken.toml:"));
    assert!(place("broken.toml:") < place("Needs attention</h2>"));
    assert!(place("Needs attention</h2>") < place("patient $.phone is missing"));
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
    assert_eq!(page.matches("Precisa de atenção</h2>").count(), 1, "no caption that says it again");
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

#[tokio::test]
async fn documents_and_contacts_are_shown_in_the_language_of_the_reader() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    house.deliver("1", "Ana").await;
    let job = house.finish_with_document("recibo-000001.pdf", "application/pdf").await;
    let id = format!("{}/1", job.id);
    house.deliver("2", "Ana").await;
    let whole = json!({ "stage": "attended", "name": "Ana Lima", "phone": "+5511987654321", "last_contact": "2026-03-02T09:30:00Z" });
    house
        .finish_with(vec![
            message("Segue o recibo", vec![Attachment::Document { id: id.clone() }]),
            contact("7", whole, "pagou em dinheiro"),
            contact("8", json!({ "stage": "returned" }), "voltou"),
        ])
        .await;
    let link = format!("<a href=\"/api/v1/documents/{id}\">recibo-000001.pdf</a>");
    for (language, words) in [
        (
            "pt-BR",
            [
                "Documentos",
                "O que diz",
                "20 B",
                "Contatos",
                "Atendidos <span class=\"count\">1</span>",
                "Último contato:",
                "Novos contatos",
            ],
        ),
        ("en", ["Documents", "What it says", "20 B", "Contacts", "Attended <span class=\"count\">1</span>", "Last contact:", "Leads"]),
    ] {
        let page = house.get("/", &[("cookie", &cookie), ("accept-language", language)]).await.text;
        for part in words.iter().chain(&[
            "Recibo\nR$ 10,00",
            "<strong>Ana Lima</strong>",
            "+5511987654321",
            "2026-03-02 09:30",
            "pagou em dinheiro",
        ]) {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert_eq!(page.matches(&link).count(), 2, "among the documents, and with the message: {page}");
        let board = &page[page.find("id=\"contacts\"").unwrap()..page.find("id=\"documents\"").unwrap()];
        let place = |part: &str| board.find(part).unwrap_or_else(|| panic!("{part} in {board}"));
        assert!(place(words[6]) < place(words[4]) && place(words[4]) < place("Ana Lima"), "{board}");
        assert!(place("Ana Lima") < place("returned <span class=\"count\">1</span>"), "unknown stages come last: {board}");
    }
}

#[tokio::test]
async fn what_a_person_has_to_do_stands_first_in_the_words_of_the_plugin() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    house.deliver("1", "Ana").await;
    house.wait_for_contact().await;
    let page = house.get("/", &[("cookie", &cookie)]).await.text;
    let todo = "<p class=\"todo\">greeted &lt;b&gt;somebody&lt;/b&gt;</p><p class=\"said\">Falta um dado necessário<small lang=\"en\">patient $.phone is missing";
    assert!(page.contains(todo), "{page}");
}

#[tokio::test]
async fn a_job_says_which_step_comes_before_it() {
    let house = House::new().await;
    let cookie = house.sign_in().await;
    house.emit(Cause { job: JobId::from_bytes([0; 16]), lineage: vec![] }).await;
    for (language, told) in [("pt-BR", "Vem depois de <code>issue</code>"), ("en", "Comes after <code>issue</code>")] {
        let page = house.get("/", &[("cookie", &cookie), ("accept-language", language)]).await.text;
        assert_eq!(page.matches(told).count(), 1, "{page}");
    }
}

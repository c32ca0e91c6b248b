//! The pages of documents: a list, and each in its frame.

use zelo_core::SignedDuration;
use zelo_server::access::Role;

use crate::gates::only;
use crate::house::{Answer, House, SECRET, delivery, document, patient};

async fn seen(house: &House, path: &str, role: Role, clinic: Option<&str>, lang: &str) -> Answer {
    let authorization = format!("Bearer {}", house.token_for(role, clinic.map(only).unwrap_or_default()).await);
    house.get(path, &[("authorization", &authorization), ("accept-language", lang)]).await
}

async fn make(house: &House, id: &str, clinic: &str, name: &str, media_type: &str) -> String {
    house.advance(SignedDuration::from_secs(60));
    let mut body = patient(id, "Ana");
    body["data"]["clinic"] = clinic.into();
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    house.finish_with(vec![document(name, media_type)]).await.id.to_string()
}

#[tokio::test]
async fn a_document_stands_in_a_frame_and_as_text() {
    let house = House::new().await;
    let job = make(&house, "1", "9", "recibo <1>.pdf", "application/pdf").await;
    for (lang, save, text) in [("pt-BR", "Salvar o arquivo", "O que diz, em texto"), ("en", "Save the file", "What it says, as text")] {
        let list = seen(&house, "/documents", Role::Viewer, None, lang).await.text;
        assert!(list.contains(&format!("<a href=\"/documents/{job}/1\">recibo &lt;1&gt;.pdf</a>")), "{list}");
        assert!(!list.contains("/subjects/sub_"), "who is no admin has nothing to do there");
        let page = seen(&house, &format!("/documents/{job}/1"), Role::Viewer, None, lang).await;
        let file = format!("/api/v1/documents/{job}/1");
        assert!(page.text.contains(&format!("<iframe class=\"document\" src=\"{file}\" title=\"recibo &lt;1&gt;.pdf\"")), "{}", page.text);
        assert!(page.text.contains(&format!("href=\"{file}\" download=\"recibo &lt;1&gt;.pdf\"")), "{}", page.text);
        assert!(page.text.contains(save) && page.text.contains(text) && page.text.contains("Recibo\nR$ 10,00"));
        assert!(page.text.contains(&format!("/activity/jobs/{job}")));
        assert!(page.header("content-security-policy").contains("frame-src 'self'"));
    }
    let list = seen(&house, "/documents", Role::Admin, None, "en").await.text;
    assert!(list.contains("href=\"/subjects/sub_"), "{list}");
}

#[tokio::test]
async fn only_a_pdf_may_be_framed_and_only_by_us() {
    let house = House::new().await;
    for (id, media_type, framed) in
        [("1", "application/pdf", true), ("2", "text/html", false), ("3", "image/svg+xml", false), ("4", "image/png", false)]
    {
        let job = make(&house, id, "9", "a-file", media_type).await;
        let file = seen(&house, &format!("/api/v1/documents/{job}/1"), Role::Viewer, None, "en").await;
        let policy = file.header("content-security-policy");
        let wanted = if framed { ("SAMEORIGIN", "frame-ancestors 'self'") } else { ("DENY", "frame-ancestors 'none'") };
        assert_eq!((file.header("x-frame-options"), policy.contains(wanted.1)), (wanted.0, true), "{media_type}: {policy}");
        assert!(!policy.contains("script-src") && policy.starts_with("default-src 'none'"), "{policy}");
        let page = seen(&house, &format!("/documents/{job}/1"), Role::Viewer, None, "en").await;
        assert_eq!(page.text.contains("<iframe"), framed, "{media_type}: {}", page.text);
        assert_eq!(page.text.contains("Files of this type are not shown here"), !framed);
        assert_eq!(page.header("x-frame-options"), "DENY", "a page is framed by nobody");
    }
}

#[tokio::test]
async fn documents_of_another_clinic_are_not_there() {
    let house = House::new().await;
    let nine = make(&house, "1", "9", "nine.pdf", "application/pdf").await;
    let eight = make(&house, "2", "8", "eight.pdf", "application/pdf").await;
    let list = seen(&house, "/documents", Role::Admin, Some("acme/8"), "en").await.text;
    assert!(list.contains("eight.pdf") && !list.contains("nine.pdf"), "{list}");
    assert!(seen(&house, &format!("/documents/{eight}/1"), Role::Viewer, Some("acme/8"), "en").await.text.contains("eight.pdf"));
    for path in [format!("/documents/{nine}/1"), format!("/documents/{eight}/9"), "/documents/x/1".to_owned()] {
        seen(&house, &path, Role::Viewer, Some("acme/8"), "en").await.is_problem(404, "not-found");
    }
    let filtered = seen(&house, "/documents?place=acme%2F9", Role::Viewer, None, "en").await.text;
    assert!(filtered.contains("nine.pdf") && !filtered.contains("eight.pdf"), "{filtered}");
}

#[tokio::test]
async fn documents_have_a_pager_and_an_empty_page_teaches() {
    let house = House::new().await;
    let page = seen(&house, "/documents", Role::Viewer, None, "pt-BR").await.text;
    assert!(page.contains("Nenhum documento ainda") && page.contains("/automations"), "{page}");
    for number in 0..32 {
        make(&house, &number.to_string(), "9", &format!("doc-{number}."), "application/pdf").await;
    }
    let first = seen(&house, "/documents", Role::Viewer, None, "en").await.text;
    assert!(first.contains("doc-31.") && first.contains("doc-2.") && !first.contains("doc-1."));
    let older = first.split("href=\"").find(|link| link.starts_with("/documents?before=")).unwrap().split('"').next().unwrap();
    let last = seen(&house, older, Role::Viewer, None, "en").await.text;
    assert!(last.contains("doc-1.") && last.contains("doc-0.") && !last.contains("doc-2."), "{last}");
}

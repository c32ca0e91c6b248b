//! The page of the audit log: in words, filtered, checked, taken away.

use serde_json::{Value, json};
use zelo_core::{AuditKind, SignedDuration};
use zelo_server::access::Role;
use zelo_store::AuditPage;

use crate::gates::only;
use crate::house::{Answer, House, SECRET, delivery, message, patient};

async fn bearer(house: &House, role: Role, clinic: Option<&str>) -> String {
    format!("Bearer {}", house.token_for(role, clinic.map(only).unwrap_or_default()).await)
}

async fn seen(house: &House, path: &str, role: Role, clinic: Option<&str>, lang: &str) -> Answer {
    let authorization = bearer(house, role, clinic).await;
    house.get(path, &[("authorization", &authorization), ("accept-language", lang)]).await
}

async fn saved(house: &House, role: Role, clinic: Option<&str>, form: &str) -> Answer {
    let authorization = bearer(house, role, clinic).await;
    house.post("/audit/export", &[("authorization", &authorization)], form.into()).await
}

async fn happen(house: &House, id: &str, clinic: &str) -> String {
    let mut body = patient(id, "Ana");
    body["data"]["clinic"] = clinic.into();
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    house.finish_with(vec![message("Olá", vec![])]).await.id.to_string()
}

#[tokio::test]
async fn entries_are_told_in_words_of_the_readers_language() {
    let house = House::new().await;
    let job = happen(&house, "1", "9").await;
    for (lang, shown, done) in
        [("pt-BR", "Mostrou ao plugin", "mensagem (caixa de saída)"), ("en", "Showed the plugin", "a message (outbox)")]
    {
        let text = seen(&house, "/audit", Role::Viewer, None, lang).await.text;
        assert!(text.contains(shown) && text.contains(done) && text.contains(&format!("/activity/jobs/{job}")), "{text}");
        assert!(!text.contains("/subjects/sub_") && text.contains("/audit/verify") && !text.contains("/audit/export"), "{text}");
    }
    let text = seen(&house, "/audit", Role::Admin, None, "en").await.text;
    assert!(text.contains("/subjects/sub_") && text.contains("action=\"/audit/export\""), "{text}");
}

#[tokio::test]
async fn entries_are_filtered_and_read_in_pages() {
    let house = House::new().await;
    for id in 0..25 {
        happen(&house, &id.to_string(), "9").await;
    }
    let text = seen(&house, "/audit?kind=done", Role::Viewer, None, "en").await.text;
    let (rows, shown) = (|text: &str| text.matches("data-key=\"entry ").count(), "Showed the plugin");
    assert!(rows(&text) == 25 && !text.contains(shown), "{text}");
    let text = seen(&house, "/audit?actor=engine&kind=disclosed", Role::Viewer, None, "en").await.text;
    assert!(rows(&text) == 25 && text.contains(shown));
    assert_eq!(rows(&seen(&house, "/audit?actor=somebody", Role::Viewer, None, "en").await.text), 0);
    // Days are the clinic's, both ends included: it is 11:00 in UTC.
    for (asked, found) in [("since=2026-03-02", true), ("since=2026-03-03", false), ("until=2026-03-02", true), ("until=2026-03-01", false)]
    {
        let text = seen(&house, &format!("/audit?{asked}"), Role::Viewer, None, "en").await.text;
        assert_eq!(rows(&text) > 0, found, "{asked}: {text}");
        assert_eq!(text.contains("No entry with this filter."), !found);
    }
    let first = seen(&house, "/audit?actor=engine", Role::Viewer, None, "en").await.text;
    let older = first.split("href=\"").find(|link| link.contains("before=")).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    assert!(rows(&first) == 40 && older.contains("actor=engine"), "{older}");
    assert_eq!(rows(&seen(&house, &older, Role::Viewer, None, "en").await.text), 10);
    let wrong = seen(&house, "/audit?since=tomorrow", Role::Viewer, None, "en").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("This is no date.") && wrong.text.contains("value=\"tomorrow\""), "{}", wrong.text);
}

#[tokio::test]
async fn entries_of_another_clinic_are_not_told() {
    let house = House::new().await;
    let (nine, eight) = (happen(&house, "1", "9").await, happen(&house, "2", "8").await);
    for path in ["/audit", "/audit?place=acme%2F9", "/audit?place=acme"] {
        let text = seen(&house, path, Role::Admin, Some("acme/8"), "en").await.text;
        assert!(!text.contains(&nine) && !text.contains("/audit/verify"), "{path}: {text}");
    }
    assert!(seen(&house, "/audit", Role::Viewer, Some("acme/8"), "en").await.text.contains(&eight));
    let file = saved(&house, Role::Admin, Some("acme/8"), "").await.text;
    assert!(file.contains(&eight) && !file.contains(&nine), "{file}");
    seen(&house, "/audit/verify", Role::Viewer, Some("acme/8"), "en").await.is_problem(403, "clinics");
}

#[tokio::test]
async fn the_log_is_checked_on_the_page() {
    let house = House::new().await;
    happen(&house, "1", "9").await;
    house.store().sign_audit(house.runtime.clock.now()).await.unwrap();
    for (lang, told) in [("pt-BR", "A auditoria está inteira"), ("en", "The audit log is whole")] {
        let text = seen(&house, "/audit/verify", Role::Viewer, None, lang).await.text;
        assert!(text.contains(told) && text.contains("class=\"done\"") && !text.contains("class=\"error\""), "{text}");
    }
}

#[tokio::test]
async fn a_copy_is_for_admins_and_is_written_down() {
    let house = House::new().await;
    happen(&house, "1", "9").await;
    house.advance(SignedDuration::from_hours(48));
    saved(&house, Role::Approver, None, "").await.is_problem(403, "role");
    saved(&house, Role::Admin, None, "since=x").await.is_problem(400, "malformed");
    let file = saved(&house, Role::Admin, None, "kind=disclosed").await;
    assert_eq!((file.status.as_u16(), file.header("content-type")), (200, "application/jsonl"));
    assert!(file.header("content-disposition").starts_with("attachment"));
    let lines: Vec<Value> = file.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["kind"]), (1, &json!("disclosed")), "{}", file.text);
    let told = house.store().audit(&AuditPage { kind: Some(AuditKind::Exported), ..AuditPage::default() }).await.unwrap();
    assert_eq!((told.len(), &told[0].entry.detail()["what"]), (1, &json!("audit")));
}

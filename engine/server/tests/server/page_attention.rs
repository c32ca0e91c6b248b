//! What waits for a person: they fill it in, and the job goes on.

use serde_json::json;
use zelo_core::{AuditKind, Clinics, JobId, JobState, SignedDuration};
use zelo_server::access::Role;
use zelo_store::AuditPage;

use crate::gates::only;
use crate::house::{House, SECRET, contact, delivery, patient};
use crate::page_scheduled::{Reader, book, house};

/// A job that waits for a phone.
async fn waiting(house: &House, id: &str, clinic: &str) -> JobId {
    let job = book(house, id, clinic, "Ana <b>", "2026-03-03T12:00:00Z", None).await;
    house.advance(SignedDuration::from_hours(2));
    let waits = house.attempt().await;
    assert_eq!((waits.id, waits.attention.unwrap().code.as_str()), (job, "missing"));
    job
}

async fn phone(house: &House, id: &str) -> serde_json::Value {
    let hash = house.store().indexer().record("acme", "patient", id);
    house.store().record_at(hash).await.unwrap().unwrap().document["phone"].clone()
}

#[tokio::test]
async fn a_missing_phone_is_filled_in_and_the_job_goes_on() {
    let house = house().await;
    let mut reader = Reader::new(&house, Role::Operator, Clinics::All).await;
    let empty = reader.get("/attention").await.text;
    assert!(empty.contains("Tudo em ordem") && !empty.contains("<form class=\"fill\""), "{empty}");
    let job = waiting(&house, "p1", "9").await;
    for (language, words) in [
        (
            "pt-BR",
            [
                "Falta um dado</h2>",
                "Telefone · Paciente Ana &lt;b&gt;",
                "Com DDD, por exemplo (11) 98765-4321",
                "Salvar e continuar",
                "Lembrete de consulta",
            ],
        ),
        (
            "en",
            [
                "Something is missing</h2>",
                "Phone · Patient Ana &lt;b&gt;",
                "With its area code",
                "Save and go on",
                "Reminder of an appointment",
            ],
        ),
    ] {
        reader.language = language;
        let page = reader.get("/attention").await.text;
        for part in words.iter().chain(&["type=\"tel\""]) {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(!page.contains("Tudo em ordem"));
    }
    reader.language = "pt-BR";
    let path = format!("/attention/jobs/{job}");
    let form = |value: &str| format!("what=fill&record=patient&id=p1&field=phone&value={value}");
    let bad = reader.post(&path, &form("98765")).await;
    assert_eq!(bad.status, 422);
    assert!(bad.text.contains("Isto não é um telefone com DDD") && bad.text.contains("value=\"98765\""), "{}", bad.text);
    assert_eq!(phone(&house, "p1").await, json!(null));
    // Only what is missing can be written.
    for other in ["what=fill&record=patient&id=p1&field=name&value=Bia", "what=fill&record=patient&id=p2&field=phone&value=11987654321"] {
        let refused = reader.post(&path, other).await;
        assert!(refused.status == 409 && refused.text.contains("este dado já não falta"), "{}", refused.text);
    }
    let filled = reader.post(&path, &form("(11)+98765-4321")).await;
    assert_eq!((filled.status.as_u16(), filled.header("location")), (303, "/attention?done=fill"), "{}", filled.text);
    assert_eq!(phone(&house, "p1").await, "+5511987654321");
    let page = reader.get("/attention?done=fill").await.text;
    assert!(page.contains("Salvo. A tarefa continua.") && page.contains("Tudo em ordem"), "{page}");
    // Its plugin is not there: that is as far as it can go here.
    let went_on = house.attempt().await;
    assert_eq!((went_on.id, went_on.state, went_on.reason.unwrap().code.as_str()), (job, JobState::Dead, "no_plugin"));
    let again = reader.post(&path, &form("11987654322")).await;
    assert_eq!(again.status, 409, "it waits no more");

    let audit = house.store().audit(&AuditPage { kind: Some(AuditKind::Amended), ..AuditPage::default() }).await.unwrap();
    let told: Vec<&str> = audit.iter().map(|view| &*view.entry.detail).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("patient") && told[0].contains("phone") && !told[0].contains("98765"), "{told:?}");
    assert_eq!((audit[0].entry.actor.as_str(), audit[0].entry.about.len()), ("token:tests", 1));

    // An event from before does not know better; one from after does.
    for (at, kept) in [("2026-03-02T11:30:00Z", "+5511987654321"), ("2026-03-02T14:00:00Z", "+5521900000000")] {
        let mut body = patient("p1", "Ana");
        (body["timestamp"], body["data"]["phone"]) = (at.into(), "+5521900000000".into());
        let sent = house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        assert_eq!(phone(&house, "p1").await, kept, "{at}");
    }
}

#[tokio::test]
async fn who_has_no_name_is_told_by_type_and_id_or_by_another_record() {
    let house = house().await;
    let reader = Reader::new(&house, Role::Integrator, Clinics::All).await;
    let job = book(&house, "p1", "9", "", "2026-03-03T12:00:00Z", None).await;
    house.advance(SignedDuration::from_hours(2));
    assert_eq!(house.attempt().await.id, job);
    let page = reader.get("/attention").await.text;
    assert!(page.contains("sobre Paciente p1</h3>") && page.contains("Telefone · Paciente p1"), "{page}");
    // The exact text is for those who write rules.
    assert!(page.contains("<code>missing: ") && page.contains("Falta um dado necessário"), "{page}");
    let page = Reader::new(&house, Role::Operator, Clinics::All).await.get("/attention").await.text;
    assert!(!page.contains("missing"), "{page}");
    book(&house, "2", "9", "Bia", "2026-03-03T11:00:00Z", Some("+5511987654321")).await;
    house.advance(SignedDuration::from_mins(1));
    house.finish_with(vec![contact("p1", json!({ "name": "Carla" }), "ligou")]).await;
    let page = reader.get("/attention").await.text;
    assert!(page.contains("sobre Carla</h3>") && page.contains("Telefone · Paciente Carla"), "{page}");
}

#[tokio::test]
async fn what_nobody_knows_is_decided_and_what_failed_is_counted() {
    let house = house().await;
    let reader = Reader::new(&house, Role::Operator, Clinics::All).await;
    book(&house, "1", "9", "Ana", "2026-03-03T11:00:00Z", Some("+5511987654321")).await;
    house.advance(SignedDuration::from_mins(1));
    let unknown = house.lose().await.id;
    book(&house, "2", "9", "Bia", "2026-03-03T11:00:00Z", Some("+5511987654321")).await;
    house.give_up().await;
    let page = reader.get("/attention").await.text;
    for part in ["Foi feito?</h2>", "Não foi: fazer agora", "<strong>1</strong> tarefa falhou", "href=\"/failures\""] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let path = format!("/attention/jobs/{unknown}");
    for wrong in ["what=retry", "what=perhaps", "value=1"] {
        reader.post(&path, wrong).await.is_problem(400, "malformed");
    }
    assert_eq!(reader.post(&path, "what=done").await.header("location"), "/attention?done=decide");
    assert_eq!(house.store().job(unknown).await.unwrap().unwrap().job.state, JobState::Done);
    let over = reader.post(&path, "what=run").await;
    assert!(over.status == 409 && over.text.contains("Não foi possível:"), "{}", over.text);
}

#[tokio::test]
async fn who_only_looks_or_is_of_another_clinic_fills_nothing_in() {
    let house = house().await;
    let job = waiting(&house, "p1", "9").await;
    let (path, form) = (format!("/attention/jobs/{job}"), "what=fill&record=patient&id=p1&field=phone&value=11987654321");
    let viewer = Reader::new(&house, Role::Viewer, Clinics::All).await;
    let page = viewer.get("/attention").await.text;
    assert!(page.contains("Falta um dado") && !page.contains("action=\"/attention"), "{page}");
    viewer.post(&path, form).await.is_problem(403, "role");
    let theirs = Reader::new(&house, Role::Operator, only("acme/8")).await;
    let page = theirs.get("/attention").await.text;
    assert!(page.contains("Tudo em ordem") && !page.contains(&job.to_string()), "{page}");
    for form in [form, "what=cancel", "what=done"] {
        theirs.post(&path, form).await.is_problem(404, "not-found");
    }
    assert_eq!(phone(&house, "p1").await, json!(null));
    let own = Reader::new(&house, Role::Operator, only("acme/9")).await;
    assert_eq!(own.post(&path, form).await.status, 303);
}

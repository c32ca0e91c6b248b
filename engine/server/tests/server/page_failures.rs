//! What went wrong, with what to do; and what was refused.

use serde_json::json;
use zelo_core::{Clinics, JobState, SignedDuration};
use zelo_server::Settings;
use zelo_server::access::Role;

use crate::gates::only;
use crate::house::{House, MARKER, delivery, patient};
use crate::page_scheduled::{REMINDER, Reader, book};

/// A job that its plugin gave up.
async fn dead(house: &House, id: &str, clinic: &str) -> zelo_core::JobId {
    book(house, id, clinic, "Ana", "2026-03-03T11:00:00Z", Some("+5511987654321")).await;
    house.give_up().await.id
}

async fn house() -> House {
    let house =
        House::ruled_in_brazil(Settings { keep_refused: ["acme".to_owned()].into_iter().collect(), ..Settings::default() }, REMINDER).await;
    house.advance(SignedDuration::from_mins(1));
    house
}

#[tokio::test]
async fn jobs_that_failed_stand_by_their_reason_with_what_to_do() {
    let house = house().await;
    let mut reader = Reader::new(&house, Role::Operator, Clinics::All).await;
    let empty = reader.get("/failures").await.text;
    assert!(empty.contains("Nenhuma falha") && empty.contains("Nenhuma entrega recusada"), "{empty}");
    let jobs = [dead(&house, "1", "9").await, dead(&house, "2", "9").await];
    for (language, words) in [
        ("pt-BR", ["Falhas</h1>", "O outro lado não aceitou", "O que fazer:", "Lembrete de consulta", "Tentar todas de novo"]),
        ("en", ["Failures</h1>", "The other side did not take it", "What to do:", "Reminder of an appointment", "Try all again"]),
    ] {
        reader.language = language;
        let page = reader.get("/failures").await.text;
        for part in words.iter().chain(&["<span class=\"amount\">2</span>", &*format!("/activity/jobs/{}", jobs[1])]) {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
    assert!(!reader.get("/failures").await.text.contains("<code>plugin</code>"));
    let integrator = Reader::new(&house, Role::Integrator, Clinics::All).await;
    assert!(integrator.get("/failures").await.text.contains("<code>plugin</code>"), "a code is for who writes rules");
    let viewer = Reader::new(&house, Role::Viewer, Clinics::All).await;
    let page = viewer.get("/failures").await.text;
    assert!(page.contains("O outro lado não aceitou") && !page.contains("action=\"/failures"), "{page}");
    viewer.post("/failures/retry", "code=plugin&per_minute=6&step=go").await.is_problem(403, "role");
    viewer.post(&format!("/failures/jobs/{}", jobs[0]), "").await.is_problem(403, "role");
}

#[tokio::test]
async fn all_of_a_reason_are_tried_again_after_it_was_said_what_becomes_of_them() {
    let house = house().await;
    let reader = Reader::new(&house, Role::Operator, Clinics::All).await;
    let jobs = [dead(&house, "1", "9").await, dead(&house, "2", "9").await];
    let state = async |job| house.store().job(job).await.unwrap().unwrap().job.state;
    for rate in ["0", "", "many", "1001"] {
        let wrong = reader.post("/failures/retry", &format!("code=plugin&per_minute={rate}&step=ask")).await;
        assert_eq!(wrong.status, 422);
        assert!(
            wrong.text.contains("Escreva um número de 1 a 1000.") && wrong.text.contains(&format!("value=\"{rate}\"")),
            "{}",
            wrong.text
        );
    }
    let would = reader.post("/failures/retry", "code=plugin&per_minute=6&step=ask").await;
    assert_eq!(would.status, 200);
    assert!(
        would.text.contains("Podem ser tentadas de novo:</strong> 2") || would.text.contains("Podem ser tentadas de novo: 2"),
        "{}",
        would.text
    );
    assert_eq!([state(jobs[0]).await, state(jobs[1]).await], [JobState::Dead; 2], "nothing has changed");
    let done = reader.post("/failures/retry", "code=plugin&per_minute=6&step=go").await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/failures?done=2"));
    let runs = async |job| house.store().job(job).await.unwrap().unwrap().job.run_at;
    assert_eq!(runs(jobs[1]).await.duration_since(runs(jobs[0]).await), SignedDuration::from_secs(10), "at that rate");
    assert!(reader.get("/failures?done=2").await.text.contains("Tarefas a caminho: 2"));
    let again = reader.post(&format!("/failures/jobs/{}", jobs[0]), "").await;
    assert!(again.status == 409 && again.text.contains("Não foi possível:"), "{}", again.text);
    reader.post("/failures/retry", "code=plugin&per_minute=6&step=maybe").await.is_problem(400, "malformed");
}

#[tokio::test]
async fn nobody_sees_or_tries_again_what_failed_in_another_clinic() {
    let house = house().await;
    let (his, hers) = (dead(&house, "1", "9").await, dead(&house, "2", "8").await);
    let reader = Reader::new(&house, Role::Operator, only("acme/8")).await;
    let page = reader.get("/failures").await.text;
    assert!(page.contains(&hers.to_string()) && !page.contains(&his.to_string()) && page.contains("amount\">1<"), "{page}");
    assert!(!page.contains("Entregas recusadas"), "of whose clinic they are, nobody knows");
    reader.get("/refused").await.is_problem(403, "clinics");
    reader.post(&format!("/failures/jobs/{his}"), "").await.is_problem(404, "not-found");
    assert_eq!(reader.post("/failures/retry", "code=plugin&per_minute=6&step=go").await.header("location"), "/failures?done=1");
    let state = house.store().job(his).await.unwrap().unwrap().job.state;
    assert_eq!(state, JobState::Dead);
}

#[tokio::test]
async fn refused_deliveries_come_with_their_reason_and_integrators_open_them() {
    let house = house().await;
    let mut body = patient("1", MARKER);
    body["extra"] = json!("<script>");
    house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", "wrong")], body.to_string())).await.is_problem(401, "unverified");
    let mut viewer = Reader::new(&house, Role::Viewer, Clinics::All).await;
    let page = viewer.get("/refused").await.text;
    assert!(page.contains("Não veio com a senha ou a assinatura certa") && page.contains("Compare o segredo nos dois lados"), "{page}");
    assert!(!page.contains(MARKER) && !page.contains("href=\"/refused/"), "{page}");
    assert!(viewer.get("/failures").await.text.contains("Não veio com a senha"));
    viewer.language = "en";
    assert!(viewer.get("/refused").await.text.contains("Compare the secret on both sides"));
    assert!(viewer.get("/refused?connection=open").await.text.contains("No refused deliveries"));
    let integrator = Reader::new(&house, Role::Integrator, Clinics::All).await;
    let page = integrator.get("/refused").await.text;
    let at = page.find("href=\"/refused/").unwrap() + 6;
    let path = page[at..].split('"').next().unwrap();
    viewer.get(path).await.is_problem(403, "role");
    let one = integrator.get(path).await.text;
    assert!(one.contains(MARKER) && one.contains("&lt;script&gt;") && !one.contains("wrong"), "{one}");
    assert!(one.contains("(não guardado: pode ser segredo)") && one.contains("patient/new"), "{one}");
    integrator.get("/refused/0123").await.is_problem(404, "not-found");
}

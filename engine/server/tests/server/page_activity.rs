//! The pages of activity: lists, the search, an event as a timeline, a job, a replay.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use zelo_core::effect::Emitted;
use zelo_core::{AutomationId, Cause, Clinics, Effect, Job, JobId, JobState, SignedDuration};
use zelo_rules::{Automation, InForce};
use zelo_runtime::rulebook::Edition;
use zelo_server::access::Role;
use zelo_store::AutomationRow;

use crate::gates::only;
use crate::house::{Answer, House, MARKER, SECRET, contact, delivery, document, message, patient};

/// Gets a page as `role` of `clinics`, in a language.
async fn page_as(house: &House, role: Role, clinics: Clinics, lang: &str, path: &str) -> Answer {
    let authorization = format!("Bearer {}", house.token_for(role, clinics).await);
    house.get(path, &[("authorization", &authorization), ("accept-language", lang)]).await
}

/// The same for an admin of everything, where it must be there.
async fn page(house: &House, path: &str) -> String {
    let told = page_as(house, Role::Admin, Clinics::All, "pt-BR", path).await;
    assert_eq!(told.status, 200, "{}", told.text);
    told.text
}

async fn english(house: &House, path: &str) -> String {
    page_as(house, Role::Admin, Clinics::All, "en", path).await.text
}

/// Sends a form as `role` of `clinics`.
async fn send(house: &House, role: Role, clinics: Clinics, path: &str, form: &str) -> Answer {
    let authorization = format!("Bearer {}", house.token_for(role, clinics).await);
    house.post(path, &[("authorization", &authorization)], form.to_owned()).await
}

/// What the search leads an admin to.
async fn sought(house: &House, q: &str) -> Answer {
    send(house, Role::Admin, Clinics::All, "/activity", &format!("q={q}")).await
}

/// A delivery about a patient of `clinic`; the id of its event.
async fn deliver(house: &House, id: &str, name: &str, clinic: &str) -> String {
    house.advance(SignedDuration::from_secs(60));
    let mut body = patient(id, name);
    body["data"]["clinic"] = clinic.into();
    let sent = house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    sent.json()["event_id"].as_str().unwrap().to_owned()
}

fn has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part} in {page}");
    }
}

fn has_not(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(!page.contains(part), "{part} in {page}");
    }
}

async fn state(house: &House, job: JobId) -> JobState {
    house.store().job(job).await.unwrap().unwrap().job.state
}

/// Switches the one automation on or off.
async fn switch(house: &House, on: bool) {
    let next = move |current: &Edition, _: &[AutomationRow]| {
        let automation = Automation {
            id: AutomationId::new("greeting", "acme", None),
            rule: "greeting".into(),
            connection: "acme".into(),
            clinic: None,
            settings: serde_json::Map::new(),
            enabled: true,
        };
        let automations = on.then_some(automation).into_iter().collect();
        let rules = current.rules.clone();
        Ok(Edition { in_force: Arc::new(InForce::new(rules.clone(), automations)), rules, catalog: current.catalog.clone() })
    };
    house.runtime.rules.exchange(house.store(), next).await.unwrap();
}

#[tokio::test]
async fn an_empty_list_says_what_will_stand_there() {
    let house = House::new().await;
    has(
        &page(&house, "/activity").await,
        &["Nenhum evento chegou ainda.", "cadastre lá o endereço que está em Fontes", "aria-current=\"page\">Atividade"],
    );
    has(&page(&house, "/activity?show=jobs").await, &["Nenhuma tarefa foi criada ainda."]);
    has(&english(&house, "/activity").await, &["No event has arrived yet."]);
    let told = page(&house, "/activity?type=patient.created").await;
    has(&told, &["Nada é assim.", "Mostrar tudo"]);
    has_not(&told, &["Nenhum evento chegou ainda."]);
}

#[tokio::test]
async fn the_lists_show_what_the_filters_say() {
    let house = House::new().await;
    let one = deliver(&house, "11", "Ana", "9").await;
    house.finish_with_message("Oi").await;
    let two = deliver(&house, "22", "Bia", "8").await;
    let url = |id: &str| format!("/activity/events/{id}");
    let all = page(&house, "/activity").await;
    has(&all, &[&url(&one), &url(&two), "Um paciente é cadastrado", "Paciente 11", "aceito", "acme · <span title=\"9\">Clínica 9</span>"]);
    assert!(all.find(&url(&two)).unwrap() < all.find(&url(&one)).unwrap(), "newest first");
    has(&english(&house, "/activity").await, &["A patient is registered", "accepted"]);
    for (query, shown) in [
        ("clinic=9", [true, false]),
        ("connection=acme&clinic=8", [false, true]),
        ("connection=open", [false, false]),
        ("type=patient.created", [true, true]),
        ("type=patient.deleted", [false, false]),
        ("status=accepted", [true, true]),
        ("status=quarantined", [false, false]),
        ("from=2026-03-02&to=2026-03-02", [true, true]),
        ("to=2026-03-01", [false, false]),
    ] {
        let told = page(&house, &format!("/activity?{query}")).await;
        assert_eq!([told.contains(&url(&one)), told.contains(&url(&two))], shown, "{query}");
    }
    let jobs = page(&house, "/activity?show=jobs").await;
    assert_eq!(jobs.matches("/activity/jobs/job_").count(), 2, "{jobs}");
    has(&jobs, &["Saudação", "concluída", "pronta"]);
    for (query, count) in
        [("state=done", 1), ("state=dead", 0), ("rule=greeting", 2), ("rule=other", 0), ("clinic=8", 1), ("to=2026-03-01", 0)]
    {
        let told = page(&house, &format!("/activity?show=jobs&{query}")).await;
        assert_eq!(told.matches("/activity/jobs/job_").count(), count, "{query}");
    }
}

#[tokio::test]
async fn a_day_that_is_none_is_said_at_its_field() {
    let house = House::new().await;
    deliver(&house, "11", "Ana", "9").await;
    for (query, id, why) in
        [("from=soon", "from-wrong", "Isto não é uma data."), ("from=2026-03-02&to=2026-03-01", "to-wrong", "Vem antes do primeiro dia.")]
    {
        let told = page_as(&house, Role::Viewer, Clinics::All, "pt-BR", &format!("/activity?{query}")).await;
        assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
        has(&told.text, &[&format!("aria-describedby=\"{id}\""), &format!("id=\"{id}\">{why}")]);
        has_not(&told.text, &["/activity/events/"]);
    }
}

#[tokio::test]
async fn a_long_list_goes_on_page_by_page() {
    let house = House::new().await;
    for id in 0..41 {
        deliver(&house, &format!("p{id}"), "Ana", "9").await;
    }
    let first = page(&house, "/activity?clinic=9").await;
    assert_eq!(first.matches("href=\"/activity/events/").count(), 40);
    has_not(&first, &["rel=\"prev\"", "Paciente p0<"]);
    let older =
        first.split("<a href=\"").find_map(|part| part.split_once('"').filter(|(_, rest)| rest.starts_with(" rel=\"next\""))).unwrap().0;
    let second = page(&house, &older.replace("&amp;", "&")).await;
    has(&second, &["Paciente p0<", "rel=\"prev\""]);
    assert_eq!(second.matches("href=\"/activity/events/").count(), 1);
    has_not(&second, &["rel=\"next\""]);
}

#[tokio::test]
async fn what_is_looked_for_is_found_and_no_person_stands_in_an_address() {
    let house = House::new().await;
    let one = deliver(&house, "11", "Ana", "9").await;
    let two = deliver(&house, "22", "Bia", "8").await;
    let job = house.store().jobs(&zelo_store::Page::default(), None).await.unwrap().pop().unwrap().job.id;
    assert_eq!(sought(&house, &one).await.header("location"), format!("/activity/events/{one}"));
    assert_eq!(sought(&house, &job.to_string()).await.header("location"), format!("/activity/jobs/{job}"));
    // A thing by its type and id leads to a keyed hash.
    for q in ["patient+11", "patient%2F11", "paciente+11", "PACIENTE%3A+11"] {
        let found = sought(&house, q).await;
        let to = found.header("location");
        assert!(found.status == 303 && to.starts_with("/activity?things=") && !to.contains("11&"), "{to}");
        let list = page(&house, to).await;
        has(&list, &[&one, "Só o que trata do que foi procurado."]);
        has_not(&list, &[&two]);
    }
    // The number alone is a patient as a thing, and as a person.
    let which = sought(&house, "11").await;
    assert_eq!(which.status, 200);
    has(&which.text, &["Este número é de mais de uma coisa.", "/activity?things=", "/activity?about=sub_"]);
    // A viewer may look for things, and not for people.
    let viewer = send(&house, Role::Operator, Clinics::All, "/activity", "q=11").await;
    assert!(viewer.header("location").starts_with("/activity?things="), "{}", viewer.text);
    for q in ["nobody", "evt_00000000000000000000000000000000", ""] {
        let nothing = sought(&house, q).await;
        assert_eq!(nothing.status.as_u16(), if q.is_empty() { 303 } else { 422 }, "{q}");
        if !q.is_empty() {
            has(&nothing.text, &["Nada foi encontrado.", &format!("value=\"{q}\"")]);
        }
    }
}

#[tokio::test]
async fn only_admins_find_a_person_by_phone() {
    let house = House::new().await;
    let one = deliver(&house, "11", "Ana", "9").await;
    let phone = "%2B5511987654321";
    let found = sought(&house, phone).await;
    let to = found.header("location").to_owned();
    assert!(to.starts_with("/activity?about=sub_") && !to.contains("98765"), "{to}");
    has(&page(&house, &to).await, &[&one]);
    has(&page(&house, &format!("{to}&show=jobs")).await, &["/activity/jobs/job_"]);
    let refused = send(&house, Role::Approver, Clinics::All, "/activity", &format!("q={phone}")).await;
    assert_eq!(refused.status, 422);
    has(&refused.text, &["só administradores podem procurar uma pessoa assim"]);
    page_as(&house, Role::Approver, Clinics::All, "pt-BR", &to).await.is_problem(403, "role");
    // Of a person of another clinic not even that they are there.
    let nobody = send(&house, Role::Admin, only("acme/8"), "/activity", &format!("q={phone}")).await;
    assert_eq!(nobody.status, 422);
}

#[tokio::test]
async fn an_event_tells_how_it_came_why_rules_acted_and_what_was_done() {
    let house = House::new().await;
    let event = deliver(&house, "11", MARKER, "9").await;
    let job = house
        .finish_with(vec![
            message("Oi, até já", vec![]),
            document("recibo.pdf", "application/pdf"),
            contact("11", json!({ "stage": "lead" }), "chegou"),
            Effect::Event(Emitted { kind: "greeting.sent".into(), data: json!({}) }),
        ])
        .await;
    let url = format!("/activity/events/{event}");
    let told = page(&house, &url).await;
    has(
        &told,
        &[
            "<h1 data-key=\"title\">Um paciente é cadastrado</h1>",
            "conferida ao chegar, por assinatura ou segredo",
            "Paciente 11",
            "Acme",
            MARKER,
            "O nome",
            "Como chegou (JSON)",
            "Saudação",
            "<span aria-hidden=\"true\">✓</span> age",
            "Oi, até já",
            "+5511987654321",
            &format!("/api/v1/documents/{}/2", job.id),
            "recibo.pdf",
            "Alterou o registro <strong>Contato 11</strong>",
            "Emitiu o evento <code>greeting.sent</code>",
            "Dados mostrados",
            "pessoal: telefone",
            "greeted &lt;b&gt;somebody&lt;/b&gt;",
            &format!("/activity/jobs/{}", job.id),
            "concluída",
            "Repetir para uma automação",
        ],
    );
    has(
        &english(&house, &url).await,
        &["A patient is registered", "verified on arrival, by a signature or a secret", "Data shown", "Message to"],
    );
    // The payload as it came is for those who write rules.
    let viewer = page_as(&house, Role::Operator, Clinics::All, "pt-BR", &url).await.text;
    has(&viewer, &[MARKER, "Oi, até já"]);
    has_not(&viewer, &["Como chegou (JSON)", "Repetir para uma automação"]);
    for id in ["evt_00000000000000000000000000000000", "x"] {
        page_as(&house, Role::Viewer, Clinics::All, "pt-BR", &format!("/activity/events/{id}")).await.is_problem(404, "not-found");
    }
}

#[tokio::test]
async fn what_plugins_emitted_leads_to_its_cause_and_back() {
    let house = House::new().await;
    deliver(&house, "11", "Ana", "9").await;
    let job = house.finish_with_message("Oi").await;
    house.emit(Cause { job: job.id, lineage: vec![] }).await;
    let emitted = house.store().events(&zelo_store::Page::default()).await.unwrap().remove(0).event.id;
    let told = page(&house, &format!("/activity/events/{emitted}")).await;
    has(&told, &["emitido aqui, por uma automação", &format!("emitido pela tarefa <a href=\"/activity/jobs/{}\">Saudação</a>", job.id)]);
    // Its steps name each other.
    let steps = house.store().jobs(&zelo_store::Page::default(), None).await.unwrap();
    let after = steps.iter().find(|view| view.job.action == "send").unwrap().job.id;
    has(&page(&house, &format!("/activity/jobs/{after}")).await, &["Vem depois de", ">emitir</a> (ainda não)"]);
}

#[tokio::test]
async fn only_who_writes_rules_reads_codes() {
    let house = House::new().await;
    let event = deliver(&house, "11", "Ana", "9").await;
    let job = house.give_up().await;
    let codes = ["greeting/greet", "plugin: ", "the plugin", "patient.created"];
    for path in
        ["/activity".to_owned(), "/activity?show=jobs".into(), format!("/activity/events/{event}"), format!("/activity/jobs/{}", job.id)]
    {
        let told = page_as(&house, Role::Operator, Clinics::All, "pt-BR", &path).await.text;
        // What a form sends is no text.
        has_not(&told.replace("value=\"patient.created\"", ""), &codes);
    }
    has(
        &page(&house, "/activity?show=jobs").await,
        &["Dar as boas-vindas", "<code>greeting/greet</code>", "O plugin não conseguiu concluir"],
    );
    has(&page(&house, &format!("/activity/jobs/{}", job.id)).await, &["<code>plugin: "]);
}

#[tokio::test]
async fn the_choice_of_places_offers_what_is_in_use_and_what_is_chosen() {
    let house = House::new().await;
    deliver(&house, "11", "Ana", "9").await;
    let told = page(&house, "/activity").await;
    has_not(&told, &["value=\"open\"", "id=\"clinic\""]);
    let told = page(&house, "/activity?connection=open").await;
    has(&told, &["name=\"place\"", "<option value=\"open\" selected", "<option value=\"acme\""]);
    let told = page(&house, "/activity?place=acme%2F498124ed-53d5-46eb-89c9-2b1e6a6191a5").await;
    has(&told, &["<option value=\"acme/498124ed-53d5-46eb-89c9-2b1e6a6191a5\" selected>Clínica 498124ed…</option>"]);
    let own = page_as(&house, Role::Viewer, crate::gates::only("acme/9"), "pt-BR", "/activity?place=acme%2F9").await.text;
    has(&own, &["Paciente 11"]);
    // Something was turned away there: somebody may want to see it.
    house.send(delivery("/hooks/open/patient/new", &[], "{}".to_owned())).await;
    house.send(delivery("/hooks/open/patient/new", &[("x-zelo-token", SECRET)], patient("5", "Bia").to_string())).await;
    has(&page(&house, "/activity").await, &["<option value=\"open\""]);
}

#[tokio::test]
async fn a_value_is_told_as_people_write_it() {
    let source = crate::house::SOURCE.replace(
        "[words]",
        "[words]\n\"$.data.cpf\" = { pt-BR = \"o CPF\", en = \"the CPF\" }\n\"$.data.price\" = { pt-BR = \"o preço\", en = \"the price\" }",
    );
    let house = House::reading(&source, &[]).await;
    let mut body = patient("11", "Ana");
    (body["data"]["cpf"], body["data"]["price"]) = ("52998224725".into(), 1234.5.into());
    let sent = house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], body.to_string())).await;
    let told = page(&house, &format!("/activity/events/{}", sent.json()["event_id"].as_str().unwrap())).await;
    has(&told, &["<dt>O CPF</dt><dd>529.982.247-25</dd>", "<dt>O preço</dt><dd>R$ 1.234,50</dd>"]);
}

#[tokio::test]
async fn a_job_tells_how_it_stands_and_what_people_decided() {
    let house = House::new().await;
    let event = deliver(&house, "11", "Ana", "9").await;
    let job = house.give_up().await;
    let url = format!("/activity/jobs/{}", job.id);
    let told = page(&house, &url).await;
    has(
        &told,
        &[
            "<h1 data-key=\"title\">Saudação</h1>",
            "falhou",
            "O plugin não conseguiu concluir",
            &format!("<a href=\"/activity/events/{event}\">Um paciente é cadastrado</a>"),
            "greeted &lt;b&gt;somebody&lt;/b&gt;",
            "Tentar de novo",
            "one line",
        ],
    );
    let viewer = page_as(&house, Role::Viewer, Clinics::All, "pt-BR", &url).await.text;
    has_not(&viewer, &["Tentar de novo", "<form method=\"post\" action=\"/jobs/"]);
    // The button leads back, and says what was done.
    let form = format!("verdict=retry&back={}", url.replace('/', "%2F"));
    let done = send(&house, Role::Operator, Clinics::All, &format!("/jobs/{}", job.id), &form).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, format!("{url}?did=retry").as_str()));
    let told = page(&house, done.header("location")).await;
    has(&told, &["Será tentada de novo.", "O que pessoas decidiram", "mandou tentar de novo", "tests (programa)", "estava falhou"]);
    has(&english(&house, &url).await, &["had it tried again", "What people decided"]);
    // What cannot be leads back as well.
    let conflict = send(&house, Role::Operator, Clinics::All, &format!("/jobs/{}", job.id), &form).await;
    assert_eq!(conflict.status, 409);
    has(&conflict.text, &["A tarefa continua como estava", &format!("<a href=\"{url}\">Voltar</a>")]);
    let away =
        send(&house, Role::Operator, Clinics::All, &format!("/jobs/{}", job.id), "verdict=cancel&back=https%3A%2F%2Fevil.example").await;
    assert_eq!((away.status.as_u16(), away.header("location")), (303, "/"));
    assert_eq!(state(&house, job.id).await, JobState::Cancelled);
}

#[tokio::test]
async fn nobody_sees_what_is_of_another_clinic() {
    let house = House::new().await;
    let his = deliver(&house, "p9", MARKER, "9").await;
    let his_job: Job = house.finish_with_message(&format!("Oi {MARKER}")).await;
    let hers = deliver(&house, "p8", "Bia", "8").await;
    let her_job = house.finish_with_message("Oi").await;
    let mine = || only("acme/8");
    for role in [Role::Viewer, Role::Admin] {
        for path in ["/activity", "/activity?show=jobs", "/activity?clinic=9", "/activity?place=acme%2F9"] {
            let told = page_as(&house, role, mine(), "pt-BR", path).await;
            has_not(&told.text, &[MARKER, "p9", &his, &his_job.id.to_string()]);
        }
        has(&page_as(&house, role, mine(), "pt-BR", "/activity").await.text, &[&hers]);
        for path in [format!("/activity/events/{his}"), format!("/activity/jobs/{}", his_job.id)] {
            page_as(&house, role, mine(), "pt-BR", &path).await.is_problem(404, "not-found");
        }
        for path in [format!("/activity/events/{hers}"), format!("/activity/jobs/{}", her_job.id)] {
            let told = page_as(&house, role, mine(), "pt-BR", &path).await;
            assert_eq!(told.status, 200, "{}", told.text);
            has_not(&told.text, &["Repetir para uma automação", MARKER]);
        }
        if role == Role::Admin {
            for q in ["patient+p9", "p9", &his, &his_job.id.to_string()] {
                let told = send(&house, role, mine(), "/activity", &format!("q={q}")).await;
                assert_eq!(told.status, 422, "{q}: {}", told.text);
            }
        }
    }
    send(&house, Role::Integrator, mine(), &format!("/activity/events/{his}/replay"), "rule=greeting").await.is_problem(403, "clinics");
}

#[tokio::test]
async fn values_are_shown_as_text() {
    let house = House::new().await;
    let nasty = "<script>alert('1')</script>\"'><img src=x onerror=alert(1)>";
    let event = deliver(&house, nasty, nasty, "9").await;
    let job =
        house.finish_with(vec![message(nasty, vec![]), document(nasty, nasty), contact(nasty, json!({ "name": nasty }), nasty)]).await;
    for path in ["/activity".to_owned(), format!("/activity/events/{event}"), format!("/activity/jobs/{}", job.id)] {
        let told = page(&house, &path).await.replace("<script src=\"/zelo.js\" defer></script>", "");
        has_not(&told, &["<script", "<img"]);
    }
    let searched = sought(&house, "%22%3E%3Cscript%3E").await.text.replace("<script src=\"/zelo.js\" defer></script>", "");
    has_not(&searched, &["<script"]);
}

#[tokio::test]
async fn an_event_is_replayed_only_after_it_was_said_what_would_be() {
    let house = House::new().await;
    let event = deliver(&house, "11", "Ana", "9").await;
    let path = format!("/activity/events/{event}/replay");
    let ask = async |role, form: &str| send(&house, role, Clinics::All, &path, form).await;
    ask(Role::Operator, "rule=greeting").await.is_problem(403, "role");
    // It has just arrived, so the range is not over.
    let soon = ask(Role::Integrator, "rule=greeting").await;
    assert_eq!(soon.status, 409);
    has(&soon.text, &["O evento acabou de chegar."]);
    house.advance(SignedDuration::from_secs(1));
    let known = ask(Role::Integrator, "rule=greeting").await;
    assert_eq!(known.status, 200, "{}", known.text);
    has(
        &known.text,
        &["Isto é um ensaio", "já existe", "Esta automação já agiu por este evento", ">Abrir a tarefa</a>", "/activity/jobs/job_"],
    );
    has_not(&known.text, &["Fazer agora", "data-seen"]);
    let none = ask(Role::Integrator, "rule=nothing").await;
    assert_eq!(none.status, 409);
    has(&none.text, &["Esta automação já não existe."]);
}

#[tokio::test]
async fn a_replay_makes_what_it_said_it_would() {
    let house = House::new().await;
    switch(&house, false).await;
    let id = deliver(&house, "11", "Ana", "9").await;
    let off = page(&house, &format!("/activity/events/{id}")).await;
    has(&off, &["não está ligada para esta conexão", "Nada foi feito por causa deste evento."]);
    has_not(&off, &["Repetir para uma automação"]);
    switch(&house, true).await;
    house.advance(SignedDuration::from_secs(1));
    let path = format!("/activity/events/{id}/replay");
    let would = send(&house, Role::Integrator, Clinics::All, &path, "rule=greeting").await;
    has(&would.text, &["<strong>seria criada</strong>", "Fazer agora"]);
    assert!(house.store().jobs(&zelo_store::Page::default(), None).await.unwrap().is_empty(), "nothing was made");
    let done = send(&house, Role::Integrator, Clinics::All, &path, "rule=greeting&what=now").await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, format!("/activity/events/{id}?did=replayed").as_str()));
    let told = page(&house, done.header("location")).await;
    has(&told, &["O evento foi repetido.", "/activity/jobs/job_", "criou ao repetir o evento"]);
}

#[tokio::test]
async fn who_saw_an_event_is_written_down() {
    let house = House::new().await;
    let event = deliver(&house, "11", "Ana", "9").await;
    page(&house, &format!("/activity/events/{event}")).await;
    let wanted = zelo_store::AuditPage { kind: Some(zelo_core::AuditKind::Viewed), ..Default::default() };
    let audit = house.store().audit(&wanted).await.unwrap();
    assert_eq!(audit[0].entry.detail()["what"], "event");
    assert_eq!(audit[0].entry.about.len(), 1);
}

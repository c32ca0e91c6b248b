//! The files that plugins made: who may have them, and what a browser does with them.

use serde_json::json;

use crate::house::{FILE, House, START};

#[tokio::test]
async fn a_document_is_listed_and_opened() {
    let house = House::new().await;
    house.deliver("1", "Ana").await;
    let job = house.finish_with_document("recibo-000001.pdf", "application/pdf").await;
    let (id, path) = (format!("{}/1", job.id), format!("/api/v1/documents/{}/1", job.id));
    let listed = house.api("documents").await.json();
    assert_eq!(
        listed,
        json!({ "next": null, "items": [{
            "id": id, "job": job.id, "at": START, "connection": "acme", "clinic": "9", "name": "recibo-000001.pdf",
            "media_type": "application/pdf", "size": FILE.len(), "text": "Recibo\nR$ 10,00", "url": path,
        }] })
    );
    // A browser that is signed in, and a program with a token.
    let cookie = house.sign_in().await;
    let file = house.get(&path, &[("cookie", &cookie)]).await;
    assert_eq!((file.status.as_u16(), file.text.as_str(), file.header("content-type")), (200, FILE, "application/pdf"));
    assert_eq!(file.header("content-disposition"), "inline; filename*=UTF-8''recibo-000001.pdf");
    assert_eq!(file.header("cache-control"), "private, no-store");
    assert!(
        file.header("content-security-policy").contains("object-src 'self'") && !file.header("content-security-policy").contains("script")
    );
    assert_eq!(house.api(&format!("documents/{id}")).await.text, FILE);
}

#[tokio::test]
async fn documents_are_read_in_pages() {
    let house = House::new().await;
    for id in ["1", "2", "3"] {
        house.deliver(id, "Ana").await;
        house.finish_with_document(&format!("{id}.pdf"), "application/pdf").await;
    }
    let names = |answer: &serde_json::Value| -> Vec<String> {
        answer["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = house.api("documents?limit=2&connection=acme&clinic=9").await.json();
    let last = house.api(&format!("documents?limit=2&before={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!((names(&first), names(&last)), (vec!["3.pdf".into(), "2.pdf".into()], vec!["1.pdf".into()]));
    for nobody in ["documents?connection=open", "documents?clinic=8"] {
        assert_eq!(house.api(nobody).await.json()["items"], json!([]));
    }
}

#[tokio::test]
async fn who_is_not_signed_in_gets_no_document() {
    let house = House::new().await;
    house.deliver("1", "Ana").await;
    let job = house.finish_with_document("recibo.pdf", "application/pdf").await;
    for path in [format!("/api/v1/documents/{}/1", job.id), format!("/api/v1/documents/{}/2", job.id), "/api/v1/documents".to_owned()] {
        for headers in [&[][..], &[("cookie", "zelo=x")], &[("authorization", "Bearer zelo_x")]] {
            house.get(&path, headers).await.is_problem(401, "credential");
        }
    }
}

#[tokio::test]
async fn what_is_no_document_is_not_found() {
    let house = House::new().await;
    house.deliver("1", "Ana").await;
    let job = house.finish_with_document("recibo.pdf", "application/pdf").await.id;
    for path in [
        &format!("documents/{job}/0"),
        &format!("documents/{job}/2"),
        &format!("documents/{job}/-1"),
        &format!("documents/{job}/+1"),
        &format!("documents/{job}/99999999999"),
        &format!("documents/{job}"),
        &format!("documents/{job}/1/2"),
        "documents/job_00000000000000000000000000000000/1",
        "documents/Zacarias-Marker/1",
        "documents/..%2f..%2fetc/1",
    ] {
        house.api(path).await.is_problem(404, "not-found");
    }
    house.api(&format!("documents/{job}/1?x=1")).await.is_problem(400, "query");
}

#[tokio::test]
async fn a_name_cannot_break_out_of_its_header() {
    let house = House::new().await;
    house.deliver("1", "Ana").await;
    let job = house.finish_with_document("../\"a\r\nset-cookie: zelo=1\r\n\r\n<b>ção.pdf", "application/pdf\r\nx: y").await;
    let file = house.api(&format!("documents/{}/1", job.id)).await;
    let named = "attachment; filename*=UTF-8''__a__set-cookie_%20zelo%3D1_____b_%C3%A7%C3%A3o.pdf";
    assert_eq!(file.header("content-disposition"), named);
    assert!(file.header("set-cookie").is_empty() && file.header("x").is_empty());
    assert_eq!(file.header("content-type"), "application/octet-stream");
}

#[tokio::test]
async fn what_could_run_is_for_saving_only() {
    let house = House::new().await;
    for (id, media_type) in
        ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript", "x"].into_iter().enumerate()
    {
        house.deliver(&id.to_string(), "Ana").await;
        let job = house.finish_with_document("page", media_type).await;
        let file = house.api(&format!("documents/{}/1", job.id)).await;
        assert_eq!((file.status.as_u16(), file.header("content-type")), (200, "application/octet-stream"), "{media_type}");
        assert_eq!(file.header("content-disposition"), "attachment; filename*=UTF-8''page");
        assert_eq!(file.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
    }
    house.deliver("6", "Ana").await;
    let job = house.finish_with_document("note.txt", "text/plain; charset=utf-7").await;
    let file = house.api(&format!("documents/{}/1", job.id)).await;
    assert_eq!(file.header("content-type"), "text/plain; charset=utf-8", "no charset but ours");
    assert!(file.header("content-disposition").starts_with("inline;"));
}

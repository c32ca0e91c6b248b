//! What the plugin makes of its inputs, and in which order it does what.

#![allow(clippy::unwrap_used, reason = "in tests")]

use serde_json::{Value, json};
use zelo_plugin::testing::{Run, Setup, context};
use zelo_plugin::{Context, Failure};

fn input() -> Value {
    json!({
        "patient": "Marina Teste da Silva",
        "clinic": "Centro",
        "services": [
            { "id": "5b91", "service_name": "Vacina Hexavalente", "service_code": "1004" },
            { "service_name": "Teste Rápido Influenza A/B", "service_code": 123 },
        ],
        "prices": [
            { "code": "1004", "name": "Vacina", "price": 189.9, "active": true },
            { "code": "123", "name": "Teste", "price": 65.5 },
        ],
        "date": "02/03/2026",
        "cpf": 52998224725_u64,
        "cnpj": "11222333000181",
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Run {
    let mut input = input();
    change(&mut input);
    Run::of(receipt::run, input)
}

/// Of a run that must have done nothing.
fn failed(run: &Run) -> &Failure {
    assert!(run.counters.is_empty() && run.documents.is_empty() && run.events.is_empty(), "no number was taken");
    run.failure()
}

fn permanent(change: impl FnOnce(&mut Value)) -> String {
    match failed(&with(change)) {
        Failure::Permanent { reason } => reason.clone(),
        other => panic!("{other:?}"),
    }
}

fn missing(change: impl FnOnce(&mut Value)) -> String {
    match failed(&with(change)) {
        Failure::Missing { reason } => reason.clone(),
        other => panic!("{other:?}"),
    }
}

/// The total that prices as these texts of JSON come to.
fn total(prices: &[&str]) -> String {
    let services = vec![r#"{"service_code":"1","service_name":"a"}"#; prices.len()].join(",");
    let prices: Vec<_> = prices.iter().map(|price| format!(r#"{{"price":{price}}}"#)).collect();
    let text = format!(r#"{{"patient":"a","clinic":"b","date":"c","services":[{services}],"prices":[{}]}}"#, prices.join(","));
    let input: Box<serde_json::value::RawValue> = serde_json::from_str(&text).unwrap();
    Run::of(receipt::run, input).events[0].data["total"].as_str().unwrap().to_owned()
}

#[test]
fn a_receipt_is_issued() {
    let run = Setup { counters: [("receipts".to_owned(), 41)].into(), ..Setup::new() }.run(receipt::run, input());
    let outcome = run.outcome();
    assert_eq!((outcome.code.as_str(), outcome.summary.as_str()), ("issued", "Recibo nº 42 de R$ 255,40"));
    let output: Value = serde_json::from_str(outcome.output.as_deref().unwrap()).unwrap();
    assert_eq!(output, json!({ "document": "doc_1", "number": 42, "total": "255.40", "total_text": "R$ 255,40" }));
    assert_eq!(run.counters["receipts"], 42);

    let [document] = &run.documents[..] else { panic!("one document") };
    assert_eq!((document.name.as_str(), document.media_type.as_str()), ("recibo-000042.pdf", "application/pdf"));
    assert!(document.content.starts_with(b"%PDF-") && document.content.len() < 32 << 10, "{} bytes", document.content.len());
    assert_eq!(
        document.text,
        "RECIBO\nNº 000042\nR$ 255,40\nCentro\nCNPJ 11.222.333/0001-81\n\
         Recebemos de Marina Teste da Silva, CPF 529.982.247-25, a importância de R$ 255,40 \
         (duzentos e cinquenta e cinco reais e quarenta centavos), referente aos serviços abaixo.\n\
         Código · Descrição · Valor\n1004 · Vacina Hexavalente · R$ 189,90\n123 · Teste Rápido Influenza A/B · R$ 65,50\n\
         Total · R$ 255,40\n02/03/2026\nCentro"
    );

    let [event] = &run.events[..] else { panic!("one event") };
    assert_eq!((event.kind.as_str(), &event.data), ("receipt.issued", &json!({ "number": 42, "total": "255.40", "document": "doc_1" })));
    assert!(run.messages.is_empty() && run.records.is_empty());
}

#[test]
fn money_never_passes_through_a_float() {
    assert_eq!(total(&["\"1.234,50\"", "0.1", "0.20"]), "1234.80");
    assert_eq!(total(&["189.9", "65.5"]), "255.40");
    assert_eq!(total(&["1234567890.12", "\"0.88\""]), "1234567891.00");
    // As a float this is 9007199254.74 at best.
    assert_eq!(total(&["9007199254.745e1", "0"]), "90071992547.45");
    assert_eq!(total(&["900719925474.99", "0.01"]), "900719925475.00");
}

#[test]
fn a_price_of_zero_is_a_price() {
    let run = with(|input| input["prices"][1]["price"] = json!(0));
    assert_eq!(run.outcome().summary, "Recibo nº 1 de R$ 189,90");
    assert!(run.documents[0].text.contains("123 · Teste Rápido Influenza A/B · R$ 0,00"));
}

#[test]
fn a_price_that_is_missing_is_waited_for() {
    assert_eq!(missing(|input| input["prices"][0] = json!(null)), "Falta o preço de: 1004 Vacina Hexavalente");
    assert_eq!(missing(|input| input["prices"][0]["price"] = json!(null)), "Falta o preço de: 1004 Vacina Hexavalente");
    assert_eq!(missing(|input| input["prices"][0]["price"] = json!("")), "Falta o preço de: 1004 Vacina Hexavalente");
    assert_eq!(missing(|input| input["prices"][0] = json!({ "code": "1004" })), "Falta o preço de: 1004 Vacina Hexavalente");
    assert_eq!(
        missing(|input| input["prices"] = json!([null, null])),
        "Falta o preço de: 1004 Vacina Hexavalente; 123 Teste Rápido Influenza A/B"
    );
    let english = Setup { context: Context { locale: "en-US".into(), ..context() }, ..Setup::new() };
    let mut input = input();
    input["prices"][0] = json!(null);
    assert_eq!(english.run(receipt::run, input).failure().to_string(), "No price for: 1004 Vacina Hexavalente");
}

#[test]
fn what_makes_no_receipt_ends_for_good() {
    assert!(permanent(|input| (input["services"], input["prices"]) = (json!([]), json!([]))).contains("não há serviços"));
    assert!(permanent(|input| input["prices"] = json!([{ "price": 1 }])).contains("2 serviços e 1 preços"));
    assert!(permanent(|input| input["prices"][1]["code"] = json!("1004")).contains("é do serviço 1004"));
    assert!(permanent(|input| input["prices"][0]["price"] = json!(1.005)).contains("1004 Vacina Hexavalente tem mais de duas casas"));
    assert!(permanent(|input| input["prices"][0]["price"] = json!(-1)).contains("negativo"));
    assert!(permanent(|input| input["prices"][0]["price"] = json!("grátis")).contains("não é um valor"));
    assert!(permanent(|input| input["prices"][0]["price"] = json!([1])).contains("não é um valor"));
    assert!(permanent(|input| input["prices"][0]["price"] = json!(true)).contains("não é um valor"));
    assert!(permanent(|input| input["prices"][0]["price"] = json!(1_000_000_000_001_u64)).contains("maior"));
    assert!(permanent(|input| input["prices"] = json!([{ "price": 1e12 }, { "price": 1 }])).contains("total é maior"));
    assert!(permanent(|input| input["patient"] = json!(" \n")).contains("`patient`"));
    assert!(permanent(|input| input["date"] = json!("")).contains("`date`"));
    assert_eq!(permanent(|input| input["clinic"] = json!("é".repeat(201))), "`clinic` tem 201 caracteres; o máximo é 200");
    assert!(permanent(|input| input["services"][0]["service_name"] = json!("x".repeat(501))).contains("`service_name` tem 501"));
    assert!(permanent(|input| input["services"][0]["service_code"] = json!("x".repeat(65))).contains("`service_code` tem 65"));
    assert!(permanent(|input| input["address"] = json!("x".repeat(401))).contains("`address` tem 401 caracteres"));
    assert!(permanent(|input| input["address"] = json!("x\n".repeat(7))).contains("`address` tem 7 linhas"));
    let long = json!(vec![json!({ "service_code": "1", "service_name": "é".repeat(500), "price": 1 }); 40]);
    assert!(permanent(|input| (input["services"], input["prices"]) = (long.clone(), long)).contains("bytes"));
    assert!(permanent(|input| input["tip"] = json!(1)).contains("unknown field `tip`"));
    let many = json!(vec![json!({ "service_code": "1", "service_name": "a", "price": 1 }); 201]);
    assert!(permanent(|input| (input["services"], input["prices"]) = (many.clone(), many)).contains("201 serviços"));
}

#[test]
fn what_is_not_known_is_left_out() {
    let run = with(|input| {
        input.as_object_mut().unwrap().remove("cpf");
        input["cnpj"] = json!("00000000000000");
        input["address"] = json!(null);
        input["services"][0]["service_name"] = json!(null);
    });
    let text = &run.documents[0].text;
    assert!(!text.contains("CPF") && !text.contains("CNPJ") && !text.contains("CEP"), "{text}");
    assert!(text.contains("1004 · Vacina · R$ 189,90"), "the record knows the name: {text}");

    let run = with(|input| input["cpf"] = json!("123"));
    assert!(!run.documents[0].text.contains("CPF"));
    assert_eq!(run.log[0].1, "the CPF has 3 digits: the receipt is issued without it");
}

#[test]
fn the_receipt_is_portuguese_whatever_the_locale() {
    let english = Setup { context: Context { locale: "en-US".into(), ..context() }, ..Setup::new() };
    let run = english.run(receipt::run, input());
    assert_eq!(run.outcome().summary, "Receipt no. 1 of R$ 255,40");
    assert!(run.documents[0].text.contains("Recebemos de Marina Teste da Silva"));
}

#[test]
fn a_code_that_was_a_number_is_the_same_code() {
    let run = with(|input| {
        input["services"][0]["service_code"] = json!("01004");
        input["prices"][0]["code"] = json!(1004);
    });
    assert!(run.documents[0].text.contains("01004 · Vacina Hexavalente"));
}

#[test]
fn the_same_receipt_is_the_same_bytes() {
    let (one, other) = (Run::of(receipt::run, input()), Run::of(receipt::run, input()));
    assert!(one.documents == other.documents);
}

//! What stands on the paper, read back by somebody else's reader (poppler).

#![allow(clippy::unwrap_used, reason = "in tests")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use zelo_plugin::Document;
use zelo_plugin::testing::Run;

/// 2 cm, and the size of A4.
const MARGIN: f64 = 56.0;
const PAGE: (f64, f64) = (595.28, 841.89);

fn issue(change: impl FnOnce(&mut Value)) -> Document {
    let mut input = json!({
        "patient": "João Antônio da Conceição Müller",
        "clinic": "Clínica Saúde & Ação – Unidade “Centro”",
        "services": [
            { "service_code": "1004", "service_name": "Vacina Hexavalente" },
            { "service_code": "123", "service_name": "Teste Rápido Influenza A/B" },
        ],
        "prices": [{ "code": "1004", "price": 189.9 }, { "code": "123", "price": 65.5 }],
        "date": "02/03/2026",
        "cpf": 52998224725_u64,
        "cnpj": 11222333000181_u64,
        "address": [{ "street": "Rua Álvaro Moreira Filogônio", "number": 20, "complement": "Loja 03", "neighbourhood": "Alto Caiçaras",
                      "city": "Belo Horizonte", "state": "MG", "zip_code": 30750500 }],
    });
    change(&mut input);
    let run = Run::of(receipt::run, input);
    run.outcome();
    run.documents[0].clone()
}

fn many(input: &mut Value, count: usize) {
    input["services"] = (0..count)
        .map(|n| json!({ "service_code": n, "service_name": format!("Avaliação nº {n} de acompanhamento à distância, com laudo e orientação à família") }))
        .collect();
    input["prices"] = (0..count).map(|n| json!({ "price": format!("{n}.05") })).collect();
}

/// What a program of poppler says about the file.
fn poppler(program: &str, arguments: &[&str], content: &[u8]) -> String {
    let child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| {
        panic!("`{program}` does not start ({error}): this test reads PDFs with it; `plugins/poppler` installs it, or says how")
    });
    let mut pipe = child.stdin.take().unwrap();
    // It reads all of it before it writes anything.
    pipe.write_all(content).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{program} complains: {complaints}");
    String::from_utf8(output.stdout).unwrap()
}

fn layout(document: &Document) -> String {
    poppler("pdftotext", &["-layout", "-enc", "UTF-8", "-", "-"], &document.content)
}

/// Words in the order in which they were drawn.
fn words(document: &Document) -> Vec<String> {
    let raw = poppler("pdftotext", &["-raw", "-enc", "UTF-8", "-", "-"], &document.content);
    raw.split_whitespace().map(str::to_owned).collect()
}

/// Checks that all words of all pages are inside the margins, and gives the number of pages.
fn pages_within_margins(document: &Document) -> usize {
    let boxes = poppler("pdftotext", &["-bbox", "-", "-"], &document.content);
    let number = |line: &str, name: &str| -> f64 {
        let rest = &line[line.find(&format!("{name}=\"")).unwrap() + name.len() + 2..];
        rest[..rest.find('"').unwrap()].parse().unwrap()
    };
    for line in boxes.lines().filter(|line| line.contains("<word ")) {
        assert!(number(line, "xMin") >= MARGIN && number(line, "xMax") <= PAGE.0 - MARGIN, "beside the margin: {line}");
        assert!(number(line, "yMin") >= MARGIN - 4.0 && number(line, "yMax") <= PAGE.1 - MARGIN + 4.0, "above or below: {line}");
    }
    boxes.matches("<page ").count()
}

#[test]
fn the_paper_says_what_the_text_says() {
    let document = issue(|_| {});
    let expected: Vec<_> = document.text.split_whitespace().filter(|word| *word != "·").map(str::to_owned).collect();
    assert_eq!(words(&document), expected);
    assert_eq!(pages_within_margins(&document), 1);
}

#[test]
fn a_person_finds_everything_in_its_place() {
    let document = issue(|_| {});
    let layout = layout(&document);
    let line = |with: &str| -> String {
        let line = layout.lines().find(|line| line.contains(with)).unwrap_or_else(|| panic!("`{with}` is not in {layout}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(line("RECIBO").ends_with("RECIBO"));
    assert!(line("Nº 000001").ends_with("Nº 000001"));
    line("Clínica Saúde & Ação – Unidade “Centro”");
    line("CNPJ 11.222.333/0001-81");
    line("Rua Álvaro Moreira Filogônio, 20, Loja 03");
    line("Alto Caiçaras, Belo Horizonte – MG, CEP 30750-500");
    line("João Antônio da Conceição Müller, CPF 529.982.247-25");
    assert_eq!(line("1004"), "1004 Vacina Hexavalente R$ 189,90");
    assert_eq!(line("123 "), "123 Teste Rápido Influenza A/B R$ 65,50");
    assert_eq!(line("Total"), "Total R$ 255,40");
    assert_eq!(line("02/03/2026"), "Belo Horizonte, 02/03/2026");
    let joined = layout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.contains("(duzentos e cinquenta e cinco reais e quarenta centavos), referente aos serviços abaixo."), "{joined}");
    assert!(!joined.contains("página"), "one page needs no number");
}

#[test]
fn amounts_end_below_each_other() {
    let boxes = poppler("pdftotext", &["-bbox", "-", "-"], &issue(|_| {}).content);
    let right = |word: &str| -> f64 {
        let line = boxes.lines().rfind(|line| line.contains(&format!(">{word}<"))).unwrap();
        line.split("xMax=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    assert!((right("189,90") - right("65,50")).abs() < 0.01 && (right("65,50") - right("255,40")).abs() < 0.01);
}

/// The boxes of all words, of the file as it is and without the widths that it says its fonts have: a reader then takes
/// its own.
fn boxes_with_and_without_widths(document: &Document) -> [Vec<String>; 2] {
    let mut without = document.content.clone();
    let at: Vec<_> = (0..without.len()).filter(|at| without[*at..].starts_with(b"/Widths")).collect();
    assert_eq!(at.len(), 2, "one for each font");
    // A name of the same length keeps all offsets.
    at.iter().for_each(|at| without[at + 1] = b'X');
    [&document.content, &without].map(|content| {
        let boxes = poppler("pdftotext", &["-bbox", "-", "-"], content);
        boxes.lines().filter(|line| line.contains("<word ")).map(str::to_owned).collect()
    })
}

#[test]
fn widths_are_those_that_readers_have() {
    let latin = ('!'..='~').chain('\u{a1}'..='ÿ').filter(|letter| *letter != '\u{ad}');
    let letters: Vec<char> = latin.chain("€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ".chars()).collect();
    // One word for each letter, between two others: what comes after it shows its width.
    let words = |letters: &[char]| letters.iter().map(|letter| format!("H{letter}H")).collect::<Vec<_>>().join(" ");
    let mut documents: Vec<_> = letters.chunks(40).map(|some| issue(|input| input["patient"] = json!(words(some)))).collect();
    documents.push(issue(|input| {
        input["services"] = letters.chunks(20).map(|some| json!({ "service_name": words(some) })).collect();
        input["prices"] = letters.chunks(20).map(|_| json!({ "price": 1 })).collect();
    }));
    for document in documents {
        let [with, without] = boxes_with_and_without_widths(&document);
        assert!(with.len() > 50 && with.len() == without.len());
        let other = with.iter().zip(&without).find(|(with, without)| with != without);
        assert_eq!(other, None);
    }
}

#[test]
fn many_lines_take_many_pages() {
    let document = issue(|input| many(input, 60));
    let count = pages_within_margins(&document);
    assert!(count > 1, "{count}");
    let layout = layout(&document);
    let pages: Vec<_> = layout.split('\x0c').filter(|page| !page.trim().is_empty()).collect();
    assert_eq!(pages.len(), count);
    for (index, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("página {} de {count}", index + 1)) && page.contains("Nº 000001"), "{page}");
    }
    assert!(pages.last().unwrap().contains("Total"));
    let words = words(&document);
    for n in 0..60 {
        assert_eq!(words.iter().filter(|word| **word == format!("{n},05")).count(), 1, "line {n} is there once");
    }
    assert!(document.content.len() < 256 << 10, "{} bytes", document.content.len());
}

#[test]
fn every_number_of_lines_ends_well() {
    for count in 1..45 {
        let document = issue(|input| many(input, count));
        pages_within_margins(&document);
        let layout = layout(&document);
        let last = layout.split('\x0c').rfind(|page| !page.trim().is_empty()).unwrap();
        assert!(last.contains("Total") && last.contains("02/03/2026"), "{count} lines: the sum and what follows are on one page");
    }
}

#[test]
fn long_names_are_wrapped() {
    let document = issue(|input| {
        input["patient"] = json!("Maria das Dores do Nascimento e Albuquerque ".repeat(4));
        input["clinic"] = json!("Associação Beneficente de Assistência à Saúde e ao Bem-Estar ".repeat(3));
        input["services"][0] = json!({ "service_code": "CODIGO-MUITO-LONGO-SEM-ESPACOS-1004", "service_name": "X".repeat(180) });
        input["prices"] = json!([{ "price": "999999999999,99" }, { "price": 0.01 }]);
    });
    assert_eq!(pages_within_margins(&document), 1);
    let all = words(&document).concat();
    assert!(all.contains("R$1.000.000.000.000,00") && all.matches('X').count() == 180);
    assert!(all.contains(&"MariadasDoresdoNascimentoeAlbuquerque".repeat(4)));
}

#[test]
fn the_longest_of_everything_stays_on_the_paper() {
    let document = issue(|input| {
        for name in ["patient", "clinic", "date"] {
            input[name] = json!("W".repeat(200));
        }
        input["address"] = json!(["W".repeat(66).as_str(); 6].join("\n"));
        input["services"] = json!(vec![json!({ "service_code": "W".repeat(64), "service_name": "W".repeat(500) }); 5]);
        input["prices"] = json!(vec![json!({ "price": "187.654.321.987,99" }); 5]);
    });
    assert!(pages_within_margins(&document) > 1);
    let all = words(&document).concat();
    assert_eq!(all.matches('W').count(), 4 * 200 + 6 * 66 + 5 * 564, "patient and date once, the clinic twice");
}

#[test]
fn other_letters_are_readable() {
    let document = issue(|input| input["patient"] = json!("Lech Wałęsa Nguyễn 東京"));
    assert!(layout(&document).contains("Lech Walesa Nguyen ??"));
    assert!(document.text.contains("Lech Wałęsa Nguyễn 東京"), "the text has what the font has not");
}

#[test]
fn the_file_says_what_it_is() {
    let info = poppler("pdfinfo", &["-"], &issue(|_| {}).content);
    let value = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap_or_else(|| panic!("{name} is not in {info}"));
        line[name.len() + 1..].trim().to_owned()
    };
    assert_eq!((value("Title").as_str(), value("Page size").as_str()), ("Recibo Nº 000001", "595.28 x 841.89 pts (A4)"));
    assert_eq!((value("Encrypted").as_str(), value("JavaScript").as_str()), ("no", "no"));
    assert!(!info.contains("CreationDate"), "no date but what the input gives");
    assert!(issue(|_| {}).content.windows(13).any(|bytes| bytes == b"/Lang (pt-BR)"));
}

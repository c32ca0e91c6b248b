//! What is told of a running server: one trace from a delivery to what came of it, and figures.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;

use crate::house::{Server, within};
use crate::requests::{self, INSIDE, Other, header};

/// The head of a request, and its body.
type Told = (String, Vec<u8>);

/// Somebody who collects traces.
struct Collector {
    port: u16,
    /// All that it was told.
    told: Arc<Mutex<Vec<Told>>>,
}

impl Collector {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let collector = Self { port: listener.local_addr().unwrap().port(), told: Arc::default() };
        let told = collector.told.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let told = told.clone();
                std::thread::spawn(move || collect(stream, &told));
            }
        });
        collector
    }

    fn spans(&self) -> Vec<Span> {
        let told = self.told.lock().unwrap();
        let exports = told.iter().map(|(_, body)| ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
        exports.flat_map(|export| export.resource_spans).flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect()
    }
}

fn collect(stream: TcpStream, told: &Mutex<Vec<(String, Vec<u8>)>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(given) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = given.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        told.lock().unwrap().push((head, body));
        if reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const CALLER: (&str, &str) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");

#[test]
fn one_delivery_is_one_trace_from_the_webhook_to_the_effect() {
    let (other, collector) = (Other::new(true), Collector::new());
    let house = requests::house(&other, "POST", "", INSIDE);
    let endpoint = format!("http://127.0.0.1:{}", collector.port);
    let server = house.serve_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of-the-collector"),
        ("OTEL_SERVICE_NAME", "zelo-of-the-test"),
    ]);
    let body = json!({ "data": { "id": "patient-marker", "name": "Íris Modelo" }, "timestamp": "2026-01-01 12:00:00" }).to_string();
    let traceparent = format!("00-{}-{}-01", CALLER.0, CALLER.1);
    let (status, receipt) = server.deliver_within(&traceparent, "clinicarx/patient/new", &body);
    assert_eq!(status, 202, "{receipt}");
    let trace = receipt["trace_id"].as_str().unwrap().to_owned();
    assert_eq!(receipt["event_id"], format!("evt_{trace}"));
    let job = requests::ended(&house, &server);
    assert_eq!(job["state"], "done", "{job}");
    server.stop();

    let all = collector.spans();
    let spans: BTreeMap<&str, &Span> =
        all.iter().filter(|span| hex(&span.trace_id) == trace).map(|span| (span.name.as_str(), span)).collect();
    let names: Vec<&str> = spans.keys().copied().collect();
    assert_eq!(names, ["attempt", "call", "effect http", "match", "prepare", "receive", "record", "settle", "verify"], "{all:#?}");
    for (child, parent) in [
        ("verify", "receive"),
        ("match", "receive"),
        ("record", "receive"),
        ("attempt", "receive"),
        ("prepare", "attempt"),
        ("call", "attempt"),
        ("effect http", "call"),
        ("settle", "attempt"),
    ] {
        assert_eq!(spans[child].parent_span_id, spans[parent].span_id, "{child} in {parent}");
        assert!(spans[child].end_time_unix_nano >= spans[child].start_time_unix_nano);
    }
    // Who called is pointed to, and not believed.
    assert!(spans["receive"].parent_span_id.is_empty());
    let links: Vec<_> = spans["receive"].links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect();
    assert_eq!(links, [(CALLER.0.to_owned(), CALLER.1.to_owned())]);
    // The other system was told where it stands.
    let asked = other.asked();
    assert_eq!(header(&asked[0], "traceparent").unwrap(), format!("00-{trace}-{}-01", hex(&spans["effect http"].span_id)));

    let told = collector.told.lock().unwrap();
    for (head, body) in told.iter() {
        assert!(head.starts_with("POST /v1/traces ") && head.contains("application/x-protobuf"), "{head}");
        assert_eq!(header(head, "x-key").as_deref(), Some("of-the-collector"));
        let text = String::from_utf8_lossy(body);
        assert!(text.contains("zelo-of-the-test"));
        for value in ["patient-marker", "Íris", "s3cr3t-marker", "contacts/", "c-7"] {
            assert!(!text.contains(value), "`{value}` left with a span");
        }
    }
    let log = house.log();
    for line in ["received", "settled"] {
        assert!(log.lines().any(|found| found.contains(line) && found.contains(&trace)), "`{line}` with its trace: {log}");
    }
    assert!(log.contains(job["id"].as_str().unwrap()));
}

#[test]
fn a_collector_that_is_not_there_is_no_trouble() {
    let other = Other::new(true);
    let house = requests::house(&other, "POST", "", INSIDE);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = house.serve_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{nobody}")), ("OTEL_BSP_SCHEDULE_DELAY", "20")]);
    for number in 0..30 {
        requests::patient(&server, &format!("p-{number}"));
    }
    within("every request is made", Duration::from_secs(60), || other.asked().len() == 30);
    let said = || house.log().lines().filter(|line| line.contains("collector")).count();
    within("it is said", Duration::from_secs(20), || said() == 1);
    let begun = Instant::now();
    server.stop();
    assert!(begun.elapsed() < Duration::from_secs(15), "it is not waited for");
    assert_eq!(said(), 1, "and not said again: {}", house.log());
}

/// The value of a sample.
fn figure(server: &Server, sample: &str) -> f64 {
    let (status, text) = server.get_plain("/metrics");
    assert_eq!(status, 200, "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{sample} in {text}")).parse().unwrap()
}

#[test]
fn figures_tell_what_plugins_did() {
    let other = Other::new(true);
    let house = requests::house(&other, "POST", "", INSIDE);
    let server = house.serve();
    requests::patient(&server, "p-marker");
    assert_eq!(requests::ended(&house, &server)["state"], "done");
    for sample in [
        r#"zelo_deliveries_total{connection="clinicarx",status="accepted"}"#,
        r#"zelo_rules_fired_total{rule="tell"}"#,
        r#"zelo_attempts_total{rule="tell",plugin="request",state="done"}"#,
        r#"zelo_jobs_ended_total{rule="tell",plugin="request",state="done"}"#,
        r#"zelo_plugin_call_seconds_count{plugin="request",end="outcome"}"#,
        r#"zelo_outbound_request_seconds_count{host="127.0.0.1",outcome="answered"}"#,
        "zelo_job_done_seconds_count",
    ] {
        assert_eq!(figure(&server, sample), 1.0, "{sample}");
    }
    assert!(figure(&server, r#"zelo_plugin_cpu_seconds_total{plugin="request"}"#) > 0.0);
    assert!(figure(&server, r#"zelo_store_bytes{part="file"}"#) > 0.0 && figure(&server, "zelo_store_disk_free_bytes") > 0.0);
    assert!(!server.get_plain("/metrics").1.contains("p-marker"));
}

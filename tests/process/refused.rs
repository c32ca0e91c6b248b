//! Deliveries that were refused.

use serde_json::Value;

use crate::house::House;

const MARKER: &str = "Zoraide-Marcador";

#[test]
fn who_wonders_why_nothing_comes_is_told() {
    let house = House::new(
        "[connections.centro]\nsource = \"clinicarx\"\nsecrets = [{ file = \"secrets/clinicarx\" }]\nkeep_refused_body = true\n",
    );
    let server = house.serve();
    let body = format!("{{\"data\": {{\"name\": \"{MARKER}\"}}}}");
    assert_eq!(server.deliver_with("centro/patient/new", &body, "guessed-by-somebody").0, 401);
    let list = house.ok(&["refused"]);
    assert!(list.contains("centro") && list.contains("unverified") && list.contains("127.0.0.1"), "{list}");
    let rows: Value = serde_json::from_str(&house.ok(&["refused", "--connection", "centro", "--format", "json"])).unwrap();
    let trace = rows[0]["trace_id"].as_str().unwrap();
    assert!(house.log().contains(trace), "it is in the log, too");
    let whole = house.ok(&["refused", trace]);
    assert!(whole.contains("path: patient/new") && whole.contains("authorization: (withheld)") && whole.contains(MARKER), "{whole}");
    assert!(!whole.contains("guessed-by-somebody"));
    assert!(!house.log().contains(MARKER) && !list.contains(MARKER));
    let complaint = house.zelo(&["refused", &"0".repeat(32)]);
    assert_eq!(complaint.status.code(), Some(2));
    let token = house.ok(&["token", "new"]).trim().to_owned();
    assert!(server.get("/api/v1/audit?kind=viewed", &token).to_string().contains(trace), "who looked is written down");
    drop(server.stop());
    assert!(house.ok(&["refused"]).contains("unverified"), "without a server, too");
    assert_eq!(house.ok(&["refused", "--connection", "nobody"]).trim(), "no refused delivery is kept");
}

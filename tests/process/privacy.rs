//! What a person may ask of a clinic, and what nobody else may learn: through the whole program.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::house::{House, Server, copy, within};
use crate::serve::AT_ANY_HOUR;

const NAME: &str = "Zulmira Marcadora";
const CPF: &str = "390.533.447-05";
const PHONE: &str = "(11) 97531-8642";
const EMAIL: &str = "zulmira.marcadora@example.org";
const ID: &str = "patient-marker-7411";
const NOTE: &str = "prefere ser chamada de Zuzu-XK";
const HEALTH: &str = "Vacina Marcador-QW";

/// Whatever form they come in, these must be found nowhere.
const MARKERS: [&str; 12] = [
    "Zulmira",
    "Marcadora",
    CPF,
    "39053344705",
    PHONE,
    "11975318642",
    "97531-8642",
    EMAIL,
    "zulmira.marcadora",
    ID,
    "Zuzu-XK",
    "Marcador-QW",
];

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_second(since.as_secs() as i64).unwrap()
}

fn clinicarx(instant: Timestamp) -> String {
    instant.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A house whose server writes its log for programs.
fn house(more: &str) -> House {
    let house = House::new(more);
    let config = fs::read_to_string(house.path("zelo.toml")).unwrap();
    fs::write(house.path("zelo.toml"), config.replacen("[server]\n", "[server]\nlog = \"json\"\n", 1)).unwrap();
    house
}

fn deliver(server: &Server, path: &str, data: &Value) {
    let body = json!({ "data": data, "api_version": "1.1.9", "timestamp": clinicarx(now()) });
    let (status, answer) = server.deliver(&format!("clinicarx/{path}"), &body.to_string());
    assert_eq!((status, &answer["status"]), (202, &json!("accepted")), "{path}: {answer}");
}

fn patient(id: &str, name: &str, cpf: &str, phone: &str, email: &str) -> Value {
    json!({ "id": id, "name": name, "document": cpf, "email": email, "birthday": "1976-05-13", "phones": [{ "phone": phone }], "observation": NOTE })
}

/// A clinic, a patient, an appointment that she is reminded of at once, and an attendance with its receipt.
fn a_day(server: &Server) {
    let clinic = json!({ "id": "77", "name": "Clínica Aurora", "timezone": "America/Sao_Paulo", "active": true, "cnpj": "11222333000181" });
    deliver(server, "clinic/new", &clinic);
    deliver(server, "service/new", &json!({ "id": "service-4", "code": "4", "name": "Vacina", "price": 90.5, "active": true }));
    deliver(server, "patient/new", &patient(ID, NAME, CPF, PHONE, EMAIL));
    let start = clinicarx(now() + SignedDuration::from_hours(3));
    let of = json!({ "id": ID, "name": NAME, "document": CPF });
    let appointment =
        json!({ "id": "apt-7", "event_status": "scheduled", "scheduled_start_at": start, "title": null, "patient": of, "clinic": clinic });
    deliver(server, "appointment/new", &appointment);
    let services = json!([{ "service_code": "4", "service_name": HEALTH }]);
    let attendance = json!({ "id": "att-7", "closed_time": clinicarx(now()), "services": services, "patient": of, "clinic": clinic });
    deliver(server, "attendance/finished", &attendance);
}

/// What lies open of a person in `bytes`.
fn open(bytes: &[u8]) -> Vec<&'static str> {
    let found = |marker: &&str| bytes.windows(marker.len()).any(|window| window == marker.as_bytes());
    MARKERS.into_iter().filter(found).collect()
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).filter(|path| path.is_file()).collect()
}

fn nothing_lies_open(folder: &Path) {
    let all = files(folder);
    assert!(all.iter().any(|path| path.ends_with("zelo.db")), "{all:?}");
    for path in all {
        assert_eq!(open(&fs::read(&path).unwrap()), [""; 0], "{}", path.display());
    }
}

/// A command that is spoken to.
fn told(house: &House, arguments: &[&str], said: &str) -> Output {
    let mut child = house.start(arguments);
    child.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json_of(house: &House, arguments: &[&str]) -> Value {
    serde_json::from_str(&house.ok(arguments)).unwrap()
}

#[test]
fn a_person_is_found_told_and_erased_and_lies_open_nowhere() {
    let house = house(&format!("{AT_ANY_HOUR}[[automations]]\nrule = \"attendance-receipt\"\n"));
    let server = house.serve_with(&[("RUST_LOG", "debug")]);
    let token = house.ok(&["token", "new"]).trim().to_owned();
    a_day(&server);
    within("reminder and receipt went", Duration::from_secs(60), || server.list("/api/v1/messages", &token).len() == 2);
    assert_eq!(server.list("/api/v1/documents", &token).len(), 1);
    assert!(open(server.get("/api/v1/messages", &token).to_string().as_bytes()).contains(&"Zulmira"), "the search can find");

    // On the disk, in a copy of it, and in what is said.
    nothing_lies_open(&house.path("data"));
    copy(&house.path("data"), &house.path("copy"));
    nothing_lies_open(&house.path("copy"));

    // By all that she is known by.
    let by = [["--cpf", "39053344705"], ["--phone", "+55 11 97531 8642"], ["--email", "ZULMIRA.marcadora@example.org"], ["--id", ID]];
    let mut names = by.map(|[by, value]| {
        let found = json_of(&house, &["subject", "find", by, value, "--format", "json"]);
        assert_eq!(found.as_array().unwrap().len(), 1, "{by}: {found}");
        found[0]["pseudonym"].as_str().unwrap().to_owned()
    });
    names.sort();
    let name = names[0].clone();
    assert_eq!(names, [name.as_str(); 4]);
    let found = house.ok(&["subject", "find", "--id", ID, "--connection", "clinicarx"]);
    assert!(found.contains("known by CPF, phone, e-mail address") || found.contains("known by CPF, e-mail address, phone"), "{found}");

    // All that is kept of her, and the search of above finds it there.
    let exported = house.ok(&["subject", "export", "--pseudonym", &name]);
    let open_in_export = open(exported.as_bytes());
    for marker in ["Zulmira", CPF, PHONE, EMAIL, ID, "Zuzu-XK", "Marcador-QW"] {
        assert!(open_in_export.contains(&marker), "{marker} is not in the export");
    }
    let all: Value = serde_json::from_str(&exported).unwrap();
    let count = |part: &str| all[part].as_array().unwrap().len();
    // Three that came, and the one that says that there is a receipt.
    assert_eq!(["events", "messages", "documents", "jobs"].map(count), [4, 2, 1, 3]);
    assert!(all["documents"][0]["content"].as_str().unwrap().starts_with("JVBERi"), "the file itself: a PDF");
    assert_eq!(all["records"][0]["document"]["name"], NAME);
    house.ok(&["subject", "export", "--pseudonym", &name, "--format", "html", "--out", "page.html"]);
    assert!(fs::read_to_string(house.path("page.html")).unwrap().contains(NAME));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(house.path("page.html")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // Who was shown what, and why.
    let seen = json_of(&house, &["subject", "who-saw", "--pseudonym", &name, "--format", "json"]);
    let reminder = seen[0]["disclosures"].as_array().unwrap().iter().find(|shown| shown["plugin"] == "reminder").unwrap();
    assert_eq!(reminder["fields"]["phone"], "personal", "{reminder}");
    assert!(reminder["fields"]["patient"].is_string() && reminder["purpose"].is_string() && reminder["basis"].is_string(), "{reminder}");
    assert_eq!(reminder["went"], json!(["message by outbox"]));
    let views = seen[0]["views"].as_array().unwrap();
    assert!(views.iter().any(|view| view["kind"] == "exported" && view["actor"] == "command"), "{views:?}");
    let table = house.ok(&["subject", "who-saw", "--cpf", CPF]);
    assert!(table.contains("phone (personal)") && table.contains("message by outbox") && open(table.as_bytes()).is_empty(), "{table}");

    // What is said of all this to others.
    let audit = |server: &Server| json!(server.list("/api/v1/audit", &token)).to_string();
    for (what, text) in [
        ("the audit log over HTTP", audit(&server)),
        ("the audit log as lines", house.ok(&["audit", "export"])),
        ("its heads", house.ok(&["audit", "heads", "--format", "json"])),
        ("metrics", server.get_plain("/metrics").1),
        ("the log", house.log()),
    ] {
        assert_eq!(open(text.as_bytes()), [""; 0], "{what}");
    }
    assert!(audit(&server).contains(&name), "the audit log says something");
    let log = house.log();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()) && log.contains(&name), "so does the log: {log}");

    // Gone, with a proof.
    let refused = told(&house, &["subject", "erase", "--cpf", "-"], &format!("{CPF}\nyes\n"));
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let erased = told(&house, &["subject", "erase", "--cpf", "-", "--proof", "proof.json"], &format!("{CPF}\n{name}\n"));
    let said = String::from_utf8_lossy(&erased.stdout).into_owned();
    assert!(erased.status.success() && said.contains("was erased") && said.contains("erasures.jsonl"), "{said}{}", stderr(&erased));
    assert!(said.contains("message by outbox"), "what plugins had sent: {said}");
    let proof: Value = serde_json::from_str(&fs::read_to_string(house.path("proof.json")).unwrap()).unwrap();
    assert!(proof["pseudonym"] == name.as_str() && proof["keys"].as_u64() > Some(0) && proof["head"].is_object(), "{proof}");
    for [by, value] in by {
        let output = house.zelo(&["subject", "find", by, value]);
        assert!(output.status.code() == Some(1) && output.stdout.is_empty() && stderr(&output).contains("nobody"), "{}", stderr(&output));
    }
    for list in ["messages", "documents", "events", "records", "jobs"] {
        let rows = json!(server.list(&format!("/api/v1/{list}"), &token)).to_string();
        assert_eq!(open(rows.as_bytes()), [""; 0], "{list}");
    }
    assert!(house.ok(&["audit", "verify"]).contains("the log is whole"));
    assert!(house.ok(&["audit", "export"]).contains(&name), "what was done stays");
    server.stop();
    nothing_lies_open(&house.path("data"));
    assert_eq!(open(house.log().as_bytes()), [""; 0]);
    assert!(house.ok(&["audit", "verify"]).contains("the log is whole"), "without a server, too");
}

#[test]
fn whom_a_phone_does_not_tell_apart_nobody_erases_by_mistake() {
    let house = house("");
    let server = house.serve();
    deliver(&server, "patient/new", &patient("p-1", NAME, CPF, PHONE, EMAIL));
    deliver(&server, "patient/new", &patient("p-2", "Beto Exemplo", "111.444.777-35", PHONE, "beto@example.org"));
    server.stop();
    let one = json_of(&house, &["subject", "find", "--id", "p-1", "--format", "json"])[0].clone();
    let text = house.ok(&["subject", "find", "--id", "p-1"]);
    let other = one["linked"][0]["pseudonym"].as_str().unwrap();
    assert!(text.contains(&format!("{other}  same phone: perhaps a family")), "{text}");
    let name = one["pseudonym"].as_str().unwrap();

    for arguments in [&["subject", "erase", "--yes", "--phone", PHONE][..], &["subject", "hold", "--reason", "x", "--phone", PHONE]] {
        let refused = house.zelo(arguments);
        let said = stderr(&refused);
        assert!(refused.status.code() == Some(2) && said.contains(name) && said.contains(other) && !said.contains("97531"), "{said}");
    }
    let both = json_of(&house, &["subject", "export", "--phone", PHONE]);
    assert_eq!(both.as_array().unwrap().len(), 2);
    assert_eq!(house.zelo(&["subject", "export", "--phone", PHONE, "--format", "html"]).status.code(), Some(2));
    house.ok(&["subject", "export", "--phone", PHONE, "--format", "html", "--out", "pages"]);
    assert_eq!(files(&house.path("pages")).len(), 2);

    // On hold, nobody erases; let go, they do.
    house.ok(&["subject", "hold", "--cpf", CPF, "--reason", "a lawsuit"]);
    let refused = house.zelo(&["subject", "erase", "--yes", "--id", "p-1"]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("zelo subject release"), "{}", stderr(&refused));
    house.ok(&["subject", "release", "--pseudonym", name]);
    let said = house.ok(&["subject", "consent", "--id", "p-2", "--topic", "marketing", "--withdrawn"]);
    assert!(said.contains("marketing: withdrawn"), "{said}");
    let consents = json_of(&house, &["subject", "export", "--id", "p-2"])["consents"].clone();
    assert_eq!((&consents[0]["topic"], &consents[0]["given"]), (&json!("marketing"), &json!(false)));
    house.ok(&["subject", "erase", "--yes", "--all", "--phone", PHONE, "--format", "json"]);
    assert_eq!(house.zelo(&["subject", "find", "--phone", PHONE]).status.code(), Some(1));

    // What is no CPF is not repeated.
    for (by, wrong) in
        [("--cpf", "390.533.447-06"), ("--phone", "77x"), ("--email", "zulmira"), ("--pseudonym", "sub_77"), ("--connection", "x")]
    {
        let output = house.zelo(&["subject", "find", by, wrong]);
        assert!(output.status.code() == Some(2), "{by}");
        assert!(by == "--connection" || !stderr(&output).contains(wrong), "{}", stderr(&output));
    }
    let output = house.zelo(&["subject", "find", "--id", "x", "--connection", "clinicar"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("clinicarx"), "{}", stderr(&output));
}

/// Does something to the database behind zelo's back.
fn tamper(house: &House, sql: &'static str) {
    use sqlx::{ConnectOptions, Connection};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(house.path("data/zelo.db"));
    let done = async {
        let mut conn = options.connect().await.unwrap();
        assert!(sqlx::raw_sql(sql).execute(&mut conn).await.unwrap().rows_affected() > 0, "{sql}");
        conn.close().await.unwrap();
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(done);
}

#[test]
fn what_is_done_to_the_audit_log_is_named() {
    let house = house("");
    assert_eq!(house.zelo(&["audit", "key"]).status.code(), Some(2), "there is no store yet");
    let server = house.serve();
    deliver(&server, "patient/new", &patient("p-1", NAME, CPF, PHONE, EMAIL));
    for _ in 0..5 {
        house.ok(&["subject", "find", "--id", "p-1"]);
    }
    let head: Value = json_of(&house, &["audit", "sign"]);
    let key = house.ok(&["audit", "key"]);
    assert_eq!((head["key"].as_str().unwrap(), key.trim().len()), (key.trim(), 64));
    assert!(house.ok(&["audit", "heads"]).contains(head["hash"].as_str().unwrap()));
    fs::write(house.path("heads.jsonl"), format!("{head}\n")).unwrap();
    let seqs = |arguments: &[&str]| -> Vec<u64> {
        let lines = house.ok(arguments);
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap()).collect()
    };
    let all = seqs(&["audit", "export"]);
    let last = *all.last().unwrap();
    assert!(all.len() >= 5 && all.windows(2).all(|two| two[0] + 1 == two[1]), "{all:?}");
    assert_eq!(seqs(&["audit", "export", "--since", &last.to_string(), "--format", "json"]), [last]);
    assert_eq!(head["seq"], last);
    server.stop();
    let checked = json_of(&house, &["audit", "verify", "--heads", "heads.jsonl", "--format", "json"]);
    assert_eq!((&checked["findings"], &checked["entries"]), (&json!([]), &json!(last)));

    let verify = |more: &[&str]| {
        let output = house.zelo(&[&["audit", "verify"], more].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    copy(&house.path("data"), &house.path("whole"));
    let back = || {
        fs::remove_dir_all(house.path("data")).unwrap();
        copy(&house.path("whole"), &house.path("data"));
    };
    tamper(&house, "UPDATE audit_log SET actor = 'nobody' WHERE seq = 2");
    let (code, said) = verify(&[]);
    assert!(code == Some(1) && said.contains("entry 2 was changed"), "{said}");
    back();
    tamper(&house, "DELETE FROM audit_log WHERE seq = 3");
    assert!(verify(&[]).1.contains("entry 3 is missing"));
    back();
    // Who cuts off the end takes the heads along; one that was kept elsewhere tells.
    tamper(&house, "DELETE FROM audit_heads; DELETE FROM audit_log WHERE seq > 3");
    assert_eq!(verify(&[]).0, Some(0));
    let (code, said) = verify(&["--heads", "heads.jsonl"]);
    assert!(code == Some(1) && said.contains("cut off: it ends with entry 3"), "{said}");
    back();
    fs::write(house.path("forged.jsonl"), format!("{}\n", json!({ "seq": head["seq"], "hash": head["hash"], "at": "2020-01-01T00:00:00Z", "key": head["key"], "signature": head["signature"] }))).unwrap();
    assert!(verify(&["--heads", "forged.jsonl"]).1.contains("signature"));
    fs::write(house.path("forged.jsonl"), "{}\n").unwrap();
    assert_eq!(verify(&["--heads", "forged.jsonl"]).0, Some(2), "a line that is no head is not passed over");

    // Cut off as it is allowed to be: behind a head that is signed.
    assert!(house.ok(&["audit", "prune", "--before", "2999-01-01"]).contains("nothing was cut off"), "nobody else holds a head");
    let pruned = json_of(&house, &["audit", "prune", "--before", "2999-01-01", "--unexported", "--format", "json"]);
    assert_eq!(pruned["seq"], last);
    assert_eq!(seqs(&["audit", "export"]), [last + 1], "the entry of the cut itself");
    assert_eq!(verify(&["--heads", "heads.jsonl"]).0, Some(0));
}

#[test]
fn the_master_key_changes_between_two_runs() {
    let house = house("");
    let server = house.serve();
    deliver(&server, "patient/new", &patient("p-1", NAME, CPF, PHONE, EMAIL));
    let refused = house.zelo(&["key", "rotate"]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("stop it first"), "{}", stderr(&refused));
    server.stop();
    let [key, new, old] = ["keys/master.key", "keys/master.key.new", "keys/master.key.old"].map(|name| house.path(name));
    let first = fs::read(&key).unwrap();
    let reads = || assert!(house.ok(&["subject", "export", "--cpf", CPF]).contains(NAME));

    let said = house.ok(&["key", "rotate"]);
    assert!(said.contains("backups") && said.contains("master.key.old"), "{said}");
    let second = fs::read(&key).unwrap();
    assert!(fs::read(&old).unwrap() == first && second != first && !new.exists());
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&key).unwrap().permissions()) & 0o777, 0o600);
    reads();
    assert!(house.ok(&["audit", "verify"]).contains("the log is whole"));
    let refused = house.zelo(&["key", "rotate"]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("is not overwritten"), "{}", stderr(&refused));

    // As a crash leaves it: before the old key was moved, and after.
    fs::rename(&old, house.path("first")).unwrap();
    for moved in [false, true] {
        fs::rename(&key, &new).unwrap();
        fs::copy(house.path("first"), if moved { &old } else { &key }).unwrap();
        let failed = house.zelo(&["serve"]);
        let said = stderr(&failed);
        assert!(failed.status.code() == Some(2) && said.contains("master.key.new") && said.contains("zelo key rotate"), "{said}");
        assert!(house.ok(&["key", "rotate"]).contains("is finished"));
        assert!(fs::read(&key).unwrap() == second && fs::read(&old).unwrap() == first && !new.exists());
        reads();
        fs::remove_file(&old).unwrap();
    }
    // And before anything was changed: the key that was made is used.
    fs::write(&new, "7".repeat(64)).unwrap();
    house.ok(&["key", "rotate"]);
    assert_eq!((fs::read(&key).unwrap(), fs::read(&old).unwrap()), ("7".repeat(64).into_bytes(), second));
    reads();

    // A copy from before wants the old key, and is told so.
    fs::write(&key, &first).unwrap();
    let said = stderr(&house.zelo(&["serve"]));
    assert!(said.contains("master.key.old"), "{said}");
    fs::write(&key, "7".repeat(64)).unwrap();

    // One in a file of somebody's own.
    let said = house.ok(&["key", "rotate", "--new", "other.key"]);
    assert!(said.contains("store.master_key = { file = \"other.key\" }"), "{said}");
    let config = fs::read_to_string(house.path("zelo.toml")).unwrap();
    fs::write(house.path("zelo.toml"), format!("{config}[store]\nmaster_key = {{ file = \"other.key\" }}\n")).unwrap();
    reads();
    assert_eq!(house.zelo(&["key", "rotate", "--new", "data/x.key"]).status.code(), Some(2), "never beside the data");
    // And one in the environment, which only its owner can change.
    fs::write(house.path("zelo.toml"), format!("{config}[store]\nmaster_key = {{ env = \"ZELO_NO_SUCH_KEY\" }}\n")).unwrap();
    let said = stderr(&house.zelo(&["key", "rotate"]));
    assert!(said.contains("--new FILE") && said.contains("ZELO_NO_SUCH_KEY"), "{said}");
}

#[test]
fn what_was_kept_long_enough_goes_when_it_is_told_to() {
    let house = house("");
    let server = house.serve();
    deliver(&server, "patient/new", &patient("p-1", NAME, CPF, PHONE, EMAIL));
    assert!(house.ok(&["retain"]).contains("kept for ever"));
    let config = fs::read_to_string(house.path("zelo.toml")).unwrap();
    fs::write(house.path("zelo.toml"), format!("{config}[retention]\nevents = \"1d\"\n")).unwrap();
    assert!(house.ok(&["retain"]).contains("nothing was kept for long enough"));
    server.stop();
    tamper(&house, "UPDATE events SET received = received - 172800000");
    let would = json_of(&house, &["retain", "--dry-run", "--format", "json"]);
    assert_eq!(would["deleted"], json!({ "events": 1 }));
    assert!(house.ok(&["retain", "--dry-run"]).contains("nothing was deleted"));
    let told = json_of(&house, &["retain", "--format", "json"]);
    assert_eq!(told["deleted"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>(), 1, "{told}");
    assert!(house.ok(&["retain"]).contains("nothing was kept for long enough"), "all of it at once");

    // By class: an event of a patient's is sensitive as a whole, one of a user's is personal, one of a service says nothing of anybody.
    fs::write(house.path("zelo.toml"), format!("{config}[retention]\nsensitive = \"1d\"\npersonal = \"3d\"\n")).unwrap();
    let server = house.serve();
    deliver(&server, "patient/new", &patient("p-2", NAME, CPF, PHONE, EMAIL));
    deliver(&server, "user/new", &json!({ "id": "u-1", "first_name": "Bea", "email": "bea@example.org" }));
    deliver(&server, "service/new", &json!({ "id": "service-4", "code": "4", "name": "Vacina", "price": 90.5, "active": true }));
    server.stop();
    tamper(&house, "UPDATE events SET received = received - 172800000");
    assert_eq!(json_of(&house, &["retain", "--format", "json"])["deleted"], json!({ "events (sensitive)": 1 }));
    tamper(&house, "UPDATE events SET received = received - 172800000");
    assert_eq!(json_of(&house, &["retain", "--format", "json"])["deleted"], json!({ "events (personal)": 1 }));
}

#[test]
fn who_answers_sair_is_reminded_of_nothing_more_wherever_the_phone_is_known() {
    let house = house(&format!("{AT_ANY_HOUR}[connections.plotado]\nsource = \"plotado\"\ninsecure = true\n"));
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let clinic = json!({ "id": "77", "name": "Clínica Aurora", "timezone": "America/Sao_Paulo", "active": true, "cnpj": "11222333000181" });
    deliver(&server, "clinic/new", &clinic);
    let others = "(11) 98888-0001";
    for (id, phone) in [(ID, PHONE), ("p-2", others)] {
        deliver(&server, "patient/new", &patient(id, NAME, "", phone, ""));
        let start = clinicarx(now() + SignedDuration::from_hours(72));
        let of = json!({ "id": id, "name": NAME });
        let appointment =
            json!({ "id": format!("apt-{id}"), "event_status": "scheduled", "scheduled_start_at": start, "patient": of, "clinic": clinic });
        deliver(&server, "appointment/new", &appointment);
    }
    let states = || {
        let jobs = server.list("/api/v1/jobs", &token);
        let mut states: Vec<String> = jobs.iter().map(|job| job["state"].as_str().unwrap().to_owned()).collect();
        states.sort();
        states
    };
    assert_eq!(states(), ["scheduled", "scheduled"]);
    let says = |text: &str| {
        let body = json!({ "nome": "Z", "telefone": "5511975318642", "mensagem": text });
        let (status, answer) = server.deliver("plotado/message/received", &body.to_string());
        assert_eq!(status, 202, "{answer}");
    };
    says("sair da cidade amanhã");
    assert_eq!(states(), ["scheduled", "scheduled"], "a word among others is no withdrawal");
    says(" Sair! ");
    assert_eq!(states(), ["cancelled", "scheduled"]);
    let jobs = server.list("/api/v1/jobs", &token);
    let cancelled = jobs.iter().find(|job| job["state"] == "cancelled").unwrap();
    assert_eq!(cancelled["reason"]["code"], "consent_withdrawn", "{cancelled}");
    let audit = server.list("/api/v1/audit", &token);
    let in_force = audit.iter().find(|entry| entry["detail"]["what"] == "rules in force").unwrap();
    assert_eq!((&in_force["kind"], in_force["detail"]["digest"].as_str().unwrap().len()), (&json!("configured"), 64));
    let said = audit.iter().find(|entry| entry["kind"] == "consent").unwrap();
    assert_eq!(
        (&said["detail"]["topic"], &said["detail"]["given"], &said["detail"]["cancelled"]),
        (&json!("messages"), &json!(false), &json!(1))
    );

    // What is booked later is not sent either; and who is told so by hand is heard as well.
    let start = clinicarx(now() + SignedDuration::from_hours(1));
    let of = json!({ "id": ID, "name": NAME });
    deliver(
        &server,
        "appointment/new",
        &json!({ "id": "apt-soon", "event_status": "scheduled", "scheduled_start_at": start, "patient": of, "clinic": clinic }),
    );
    house.ok(&["subject", "consent", "--id", "p-2", "--topic", "messages", "--withdrawn"]);
    within("nothing is pending", Duration::from_secs(60), || states() == ["cancelled"; 3]);
    assert_eq!(server.list("/api/v1/messages", &token), [] as [Value; 0]);
}

/// Writes to who attended, at the address in their record.
const ATTENDED: &str = r#"
id     = "attended"
title  = "Who attended"
source = "clinicarx"
on     = "attendance.finished"

[lookup.pharmacist]
record = "user"
key    = "$.data.pharmacist.id"

[[then]]
name    = "tell"
plugin  = "reminder"
purpose = "Tell the pharmacist"
basis   = "lgpd:11.II.f"
expires = "1d"

[then.allow]
who = { record = "pharmacist", path = "$.email" }

[then.with]
to   = "{{ who }}"
text = "done"

[then.grant]
messages = { channels = ["outbox"], to = ["{{ who }}"] }
"#;

#[test]
fn whose_record_a_rule_looks_up_is_told_who_saw_it() {
    let house = house("[[automations]]\nrule = \"attended\"\n");
    fs::write(house.path("rules/automations/attended.toml"), ATTENDED).unwrap();
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    deliver(&server, "user/new", &json!({ "id": "u-1", "first_name": "Bea", "email": "bea@example.org", "document": "52998224725" }));
    deliver(&server, "patient/new", &patient(ID, NAME, CPF, PHONE, EMAIL));
    let attendance =
        json!({ "id": "att-9", "closed_time": clinicarx(now()), "services": [], "patient": { "id": ID }, "pharmacist": { "id": "u-1" } });
    deliver(&server, "attendance/finished", &attendance);
    within("she was told", Duration::from_secs(60), || server.list("/api/v1/messages", &token).len() == 1);
    for by in [["--cpf", "52998224725"], ["--cpf", CPF]] {
        let seen = json_of(&house, &["subject", "who-saw", by[0], by[1], "--format", "json"]);
        let disclosure = &seen[0]["disclosures"][0];
        assert_eq!((&disclosure["rule"], &disclosure["fields"]["who"]), (&json!("attended"), &json!("personal")), "{by:?} {seen}");
        assert_eq!(disclosure["went"], json!(["message by outbox"]));
    }
    let found = json_of(&house, &["subject", "find", "--cpf", "52998224725", "--format", "json"]);
    let name = found[0]["pseudonym"].as_str().unwrap();
    let erased = told(&house, &["subject", "erase", "--cpf", "-"], &format!("52998224725\n{name}\n"));
    assert!(erased.status.success(), "{}", stderr(&erased));
    assert_eq!(server.list("/api/v1/messages", &token), Vec::<Value>::new(), "her address stood in it");
    assert_eq!(json_of(&house, &["subject", "find", "--cpf", CPF, "--format", "json"]).as_array().unwrap().len(), 1, "Zulmira stays");
}

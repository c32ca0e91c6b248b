//! Two networks behind one server, with the same ids: nothing of one is reached from the other.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::days::Day;
use crate::house::{House, within};
use crate::serve::AT_ANY_HOUR;

#[test]
fn what_one_network_knows_of_a_patient_the_other_does_not() {
    let both = "[connections.norte]\nsource = \"clinicarx\"\nsecrets = [{ file = \"secrets/clinicarx\" }]\n\
                [connections.sul]\nsource = \"clinicarx\"\nsecrets = [{ file = \"secrets/clinicarx\" }]\n";
    let house = House::new(&format!("{both}{AT_ANY_HOUR}"));
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let now = Timestamp::from_second(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64).unwrap();
    let start = (now + SignedDuration::from_hours(3)).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let soon = now.to_string();
    let send = |connection: &str, day: Day| {
        for line in &day.lines {
            let (status, receipt) = server.deliver(&format!("{connection}/{}", line["path"].as_str().unwrap()), &line["body"].to_string());
            // The same bytes came through the other connection: that makes them no duplicate here.
            assert_eq!((status, &receipt["status"]), (202, &"accepted".into()), "{connection}: {receipt}");
        }
    };
    let day = || Day::new("America/Sao_Paulo").clinic(&soon);
    send("norte", day().patient(&soon, "Ana Exemplo", Some("11900000019")).appointment(&soon, &soon, "appointment/new", &start));
    let sent = || server.list("/api/v1/messages", &token).len();
    within("the reminder of the north goes out", Duration::from_secs(20), || sent() == 1);

    // The same patient, the same appointment; but here nobody has told the phone.
    send("sul", day().appointment(&soon, &soon, "appointment/new", &start));
    let waiting = || server.get("/api/v1/jobs?attention=true", &token)["items"].as_array().unwrap().clone();
    within("the reminder of the south waits for a phone", Duration::from_secs(20), || waiting().len() == 1);
    assert_eq!((&waiting()[0]["connection"], sent()), (&"sul".into(), 1), "the phone of the north is none of its business");
    let records = |connection: &str| {
        server.get(&format!("/api/v1/records?connection={connection}&type=patient"), &token)["items"].as_array().unwrap().len()
    };
    assert_eq!((records("norte"), records("sul")), (1, 0));
    // What is called off there is not called off here.
    let later = (now + SignedDuration::from_secs(5)).to_string();
    send("sul", Day::new("America/Sao_Paulo").appointment(&later, &later, "appointment/cancel", &start));
    assert_eq!((waiting().len(), sent()), (0, 1));
    let jobs = server.list("/api/v1/jobs", &token);
    assert!(jobs.iter().any(|job| job["connection"] == "norte" && job["state"] == "done"), "{jobs:?}");
}

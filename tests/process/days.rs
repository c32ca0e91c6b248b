//! Days to play: the one that ships, and others made from it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::house::root;

pub(crate) const SHIPPED: &str = "examples/day/day.jsonl";

/// The day that ships.
pub(crate) fn shipped() -> Vec<Value> {
    let text = std::fs::read_to_string(root().join(SHIPPED)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A day as a file.
pub(crate) fn text(day: &[Value]) -> String {
    day.iter().map(|line| format!("{line}\n")).collect()
}

/// Shifts every time in `day`, in whatever form it stands.
pub(crate) fn shifted(day: &[Value], by: SignedDuration) -> Vec<Value> {
    day.iter().map(|line| shift(line, by)).collect()
}

fn shift(value: &Value, by: SignedDuration) -> Value {
    match value {
        Value::String(text) => Value::String(shift_text(text, by)),
        Value::Array(items) => items.iter().map(|item| shift(item, by)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shift(value, by))).collect(),
        other => other.clone(),
    }
}

fn shift_text(text: &str, by: SignedDuration) -> String {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return instant.checked_add(by).unwrap().to_string();
    }
    match jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text) {
        Ok(local) => local.checked_add(by).unwrap().strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// One appointment's day, in parts that can be put in any order.
pub(crate) struct Day {
    pub(crate) zone: &'static str,
    pub(crate) clinic: &'static str,
    pub(crate) patient: &'static str,
    pub(crate) appointment: &'static str,
    pub(crate) lines: Vec<Value>,
}

impl Day {
    pub(crate) fn new(zone: &'static str) -> Self {
        Self { zone, clinic: "77", patient: "p-19", appointment: "apt-3", lines: Vec::new() }
    }

    fn line(mut self, at: &str, told: &str, path: &str, data: Value) -> Self {
        let timestamp = told.parse::<Timestamp>().unwrap().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let body = json!({ "data": data, "api_version": "1.1.9", "timestamp": timestamp });
        self.lines.push(json!({ "at": at, "source": "clinicarx", "path": path, "body": body }));
        self
    }

    pub(crate) fn clinic(self, at: &str) -> Self {
        let data = json!({ "id": self.clinic, "name": "Clínica Aurora", "timezone": self.zone, "active": true });
        self.line(at, at, "clinic/new", data)
    }

    pub(crate) fn patient(self, at: &str, name: &str, phone: Option<&str>) -> Self {
        let phones: Vec<Value> = phone.iter().map(|phone| json!({ "phone": phone })).collect();
        let data = json!({ "id": self.patient, "name": name, "phones": phones });
        self.line(at, at, "patient/new", data)
    }

    /// An appointment that starts at `start` (UTC), told about at `told`, arriving at `at`.
    pub(crate) fn appointment(self, at: &str, told: &str, path: &str, start: &str) -> Self {
        let status = if path.ends_with("cancel") { "canceled" } else { "scheduled" };
        let data = json!({
            "id": self.appointment, "event_status": status, "scheduled_start_at": start, "title": null,
            "patient": { "id": self.patient, "name": "Íris Modelo" }, "clinic": { "id": self.clinic, "name": "Clínica Aurora" },
        });
        self.line(at, told, path, data)
    }

    /// An attendance that is over, with services by code and name.
    pub(crate) fn attendance(self, at: &str, services: &[(&str, &str)]) -> Self {
        let services: Vec<Value> = services.iter().map(|(code, name)| json!({ "service_code": code, "service_name": name })).collect();
        let closed = at.parse::<Timestamp>().unwrap().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let data = json!({
            "id": "att-5", "closed_time": closed, "services": services,
            "patient": { "id": self.patient, "name": "Íris Modelo", "document": "52998224725" },
            "clinic": { "id": self.clinic, "name": "Clínica Aurora", "cnpj": "11222333000181" },
        });
        self.line(at, at, "attendance/finished", data)
    }
}

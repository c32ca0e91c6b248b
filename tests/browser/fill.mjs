// What a clinic has after some days: somebody was reminded, somebody has a receipt, something waits for a person, something was refused.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./zelo.mjs";

/** The automations that ship. */
export const ALL = ["appointment-reminder", "attendance-receipt", "contact-board", "cancellation-notice", "lead-welcome", "lead-follow-up"];

/** The deliveries of the day that ships. */
export async function day() {
  const text = await readFile(join(ROOT, "examples/day/day.jsonl"), "utf8");
  return text.trim().split("\n").map((line) => JSON.parse(line));
}

/** As Clinicarx writes a time: in UTC, without saying so. */
export function written(date) {
  return date.toISOString().slice(0, 19).replace("T", " ");
}

/** Where it is about noon now, so that whatever goes out by day goes out now. */
export function noon(now = new Date()) {
  // The zones of the database are named as POSIX does: the other way round.
  const hours = 12 - now.getUTCHours();
  return hours === 0 ? "Etc/GMT" : `Etc/GMT${hours > 0 ? "-" : "+"}${Math.abs(hours)}`;
}

let number = 0;
/** An id like `id`, for things that stand beside those of the day. */
export function another(id) {
  number += 1;
  return `${id.slice(0, -4)}9${String(number).padStart(3, "0")}`;
}

/** A clinic, somebody who comes to it, and what they come for, made from the day. */
export async function made({ name = "Clínica das Flores", patient = "Clara Teste Moreira", phone = "(11) 92345-6789", zone = noon() } = {}) {
  const lines = await day();
  const first = (path) => structuredClone(lines.find((line) => line.path === path));
  const now = written(new Date());
  const [clinicLine, patientLine, appointmentLine, attendanceLine] = ["clinic/new", "patient/new", "appointment/new", "attendance/finished"].map(first);
  const clinic = { id: another(clinicLine.body.data.id), name };
  const person = { id: another(patientLine.body.data.id), name: patient };
  const say = (line, data) => ({ path: line.path, body: { ...line.body, data: { ...line.body.data, ...data }, timestamp: now } });
  const at = (data) => ({ clinic: { ...data.clinic, ...clinic, timezone: zone }, patient: { ...data.patient, ...person } });
  return {
    clinic,
    person,
    /** The clinic and the patient become known. */
    known: [
      say(clinicLine, { ...clinic, timezone: zone, timezone_label: zone }),
      say(patientLine, { ...person, phones: phone ? [{ phone }] : [], email: `${person.id}@example.com`, document: "" }),
    ],
    /** An appointment that starts in so many minutes. */
    appointment(minutes) {
      const { data } = appointmentLine.body;
      const start = Date.now() + minutes * 60_000;
      return say(appointmentLine, {
        ...at(data), id: another(data.id), event_status: "scheduled",
        scheduled_start_at: written(new Date(start)), scheduled_end_at: written(new Date(start + 30 * 60_000)),
      });
    },
    /** An attendance that is over, with services of these codes. */
    attendance(codes) {
      const { data } = attendanceLine.body;
      const services = codes.map((code) => ({ id: another(data.services[0].id), service_name: `Serviço ${code}`, service_code: code }));
      return say(attendanceLine, { ...at(data), id: another(data.id), created_time: now, closed_time: now, services });
    },
  };
}

/** A service with its price. */
export async function service(code, price) {
  const line = (await day()).find(({ path }) => path === "service/new");
  return { path: line.path, body: { ...line.body, data: { ...line.body.data, id: another(line.body.data.id), code, price, name: `Serviço ${code}` }, timestamp: written(new Date()) } };
}

/** Fills the store of `zelo`, whose automations are on. Returns who came from a clinic of their own. */
export async function fill(zelo) {
  await zelo.run(["play", "examples/day/day.jsonl", "--demo", "--pace", "0"]);
  const flowers = await made();
  for (const letter of flowers.known) await zelo.deliver(letter);
  await zelo.deliver(flowers.appointment(3 * 24 * 60));
  await zelo.deliver(flowers.appointment(9 * 24 * 60));
  // So many messages to one person are a conversation with a page of its own.
  await zelo.deliver(await service("1004", 189.9));
  for (let count = 0; count < 5; count += 1) await zelo.deliver(flowers.attendance(["1004"]));
  // The price of one is not known: its receipt waits for somebody who knows.
  await zelo.deliver(flowers.attendance(["1004", "sem-preco"]));
  // The price of another is none: its receipt fails.
  await zelo.deliver(await service("a-combinar", "a combinar"));
  await zelo.deliver(flowers.attendance(["a-combinar"]));
  await zelo.run(["send", "clinicarx", "appointment.created", "--tamper"]);
  await zelo.run(["send", "--all"]);
  await zelo.person("recepcao", "uma frase longa que ninguem adivinha", "operator", [`clinicarx/${flowers.clinic.id}`]);
  await zelo.settled();
  return flowers;
}

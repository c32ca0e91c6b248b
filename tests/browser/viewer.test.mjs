// Somebody who is told of one clinic, and only looks: what is not theirs is not there, whatever address they type.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, signIn, signInAs } from "./browser.mjs";
import { crawl } from "./crawl.mjs";
import { ALL, made, service } from "./fill.mjs";
import { MENU } from "./pages.mjs";
import { LONG_MS, Zelo, until } from "./zelo.mjs";

const PASSWORD = "uma frase longa que ninguem adivinha";
/** Where somebody has to be told of everything, or be more than a viewer. */
const CLOSED = ["/start", "/subjects", "/rules", "/plugins", "/sources", "/people"];
/** What anybody may send: what is for the reader alone, and questions that are too private for an address or too long, which change nothing. */
const isOpen = (path) => ["/language", "/sign-out", "/sign-in", "/activity"].includes(path) || /^\/automations\/[^/]+\/preview$/.test(path);

let zelo;
let browser;
let admin;
let vera;
/** Vera's clinic and the other one. */
const clinics = {};
/** What each of them comes to by links. */
const found = {};

before(async () => {
  zelo = await Zelo.start({ on: ALL });
  browser = await launch();
  await zelo.deliver(await service("1004", 100));
  clinics.hers = await made({ name: "Clínica da Vera", patient: "Paciente Dela Teste", phone: "(11) 91111-1111" });
  clinics.theirs = await made({ name: "Outra Clínica", patient: "Paciente Alheio Teste", phone: "(11) 92222-2222" });
  const events = {};
  for (const clinic of Object.values(clinics)) {
    for (const letter of clinic.known) await zelo.deliver(letter);
    await zelo.deliver(clinic.appointment(3 * 24 * 60));
    await zelo.deliver(clinic.attendance(["1004"]));
    await zelo.deliver(clinic.attendance(["sem-preco"]));
  }
  await zelo.person("vera", PASSWORD, "viewer", [`clinicarx/${clinics.hers.clinic.id}`]);
  admin = await open(browser, zelo);
  const page = await signIn(admin, zelo);
  await until("receipt of each", async () => {
    await page.goto("/messages");
    const text = await page.locator("main").innerText();
    return text.includes("91111-1111") && text.includes("92222-2222");
  });
  vera = await open(browser, zelo);
  await signInAs(vera, "vera", PASSWORD);
  const all = MENU.map(({ path }) => path);
  found.admin = await crawl(admin, zelo.base, all);
  found.vera = await crawl(vera, zelo.base, all.filter((path) => !CLOSED.includes(path)));
}, { timeout: 8 * LONG_MS });

after(async () => {
  await browser?.close();
  await zelo?.stop();
});

/** Whether `text` is about somebody of this clinic. */
function about({ clinic, person }, text) {
  return [clinic.id, clinic.name, person.id, person.name].some((mark) => text.includes(mark));
}

test("the menu has what is for her", async () => {
  const page = await vera.newPage();
  await page.goto("/");
  const menu = await page.locator("nav a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  assert.deepEqual(menu, MENU.map(({ path }) => path).filter((path) => !CLOSED.includes(path)));
});

test("she comes to what is hers, and nothing that she is led to is closed", () => {
  assert.ok([...found.vera.values()].filter(({ text }) => about(clinics.hers, text)).length >= 5);
  assert.deepEqual([...found.vera].filter(([, { status }]) => status !== 200).map(([place, { status }]) => `${place} answers ${status}`), []);
});

test("what is for others is closed, by its address too", async () => {
  for (const path of CLOSED) {
    const answer = await vera.request.get(path);
    assert.ok([403, 404].includes(answer.status()), `${path} answers ${answer.status()}`);
  }
});

test("wherever an admin comes by links, she is told nothing of the other clinic", async () => {
  const theirs = [...found.admin].filter(([, { text }]) => about(clinics.theirs, text));
  assert.ok(theirs.length >= 5, "an admin sees the other clinic");
  const told = [];
  const closed = [];
  for (const place of found.admin.keys()) {
    const answer = await vera.request.get(place, { maxRedirects: 0 });
    if ([403, 404].includes(answer.status())) closed.push(place);
    else if (about(clinics.theirs, await answer.text())) told.push(place);
  }
  assert.deepEqual(told, []);
  const within = (place) => CLOSED.some((path) => place.startsWith(path));
  assert.ok(closed.filter((place) => !within(place)).length >= 3, "an event, a job and a document are of the other clinic alone");
});

test("she has no buttons for what she may not do, and may not do it without", async () => {
  const buttons = [...found.vera].flatMap(([place, { posts }]) => posts.filter((post) => !isOpen(post)).map((post) => `${place} has a button to ${post}`));
  assert.deepEqual(buttons, []);
  const posts = new Set([...found.admin.values()].flatMap((one) => one.posts).filter((post) => !isOpen(post)));
  assert.ok(posts.size > 0, "an admin has buttons");
  const page = await vera.newPage();
  await page.goto("/");
  const done = [];
  for (const post of posts) {
    const status = await page.evaluate(async (url) => (await fetch(url, { method: "POST", body: new URLSearchParams(), redirect: "manual" })).status, post);
    if (![403, 404].includes(status)) done.push(`${post} answers ${status}`);
  }
  assert.deepEqual(done, []);
});

// The board of contacts, without a mouse, with one, and without script.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Keys, launch, open, signIn, watch } from "./browser.mjs";
import { made } from "./fill.mjs";
import { Zelo, until } from "./zelo.mjs";

let zelo;
let browser;
let signedIn;
let person;

before(async () => {
  zelo = await Zelo.start({ on: ["contact-board"] });
  browser = await launch();
  const clinic = await made();
  ({ person } = clinic);
  for (const letter of clinic.known) await zelo.deliver(letter);
  const context = await open(browser, zelo);
  const page = await signIn(context, zelo);
  await until("card of the patient", async () => {
    await page.goto("/contacts");
    return (await page.locator(".contact").count()) > 0;
  });
  signedIn = await context.storageState();
  await context.close();
});

after(async () => {
  await browser?.close();
  await zelo?.stop();
});

const column = (page, stage) => page.locator(`[data-stage="${stage}"]`);
const card = (page, stage) => column(page, stage).locator(".contact", { hasText: person.name });

/** Opens the board; the card is in `stage`. */
async function board(options, stage, look) {
  const context = await open(browser, zelo, { storageState: signedIn, ...options });
  const page = await context.newPage();
  const faults = watch(page, zelo.base);
  await page.goto("/contacts");
  await card(page, stage).waitFor();
  await look(page, new Keys(page));
  assert.deepEqual(faults, []);
  await context.close();
}

test("a card is moved with the arrow keys, and keeps the focus", () => board({}, "registered", async (page, keys) => {
  await keys.to(card(page, "registered"));
  await page.keyboard.press("ArrowRight");
  await card(page, "scheduled").waitFor();
  await page.waitForFunction(() => document.activeElement?.matches("[data-stage=scheduled] .contact"));
}));

test("a card is moved with its form, with the keyboard", () => board({}, "scheduled", async (page, keys) => {
  await keys.to(card(page, "scheduled").locator("summary"));
  await page.keyboard.press("Enter");
  await keys.to(card(page, "scheduled").locator("select"));
  await page.keyboard.type("Atendido");
  await keys.to(card(page, "scheduled").locator("button"));
  await page.keyboard.press("Enter");
  await card(page, "attended").waitFor();
}));

test("a card is dragged", () => board({}, "attended", async (page) => {
  await card(page, "attended").dragTo(column(page, "registered"));
  await card(page, "registered").waitFor();
}));

test("a card is moved without script", () => board({ javaScriptEnabled: false }, "registered", async (page) => {
  await card(page, "registered").locator("summary").click();
  await card(page, "registered").locator("select").selectOption("canceled");
  await card(page, "registered").locator("button").click();
  await card(page, "canceled").waitFor();
}));

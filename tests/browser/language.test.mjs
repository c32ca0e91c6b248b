// The reader's language, and the way out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, signIn } from "./browser.mjs";
import { Zelo } from "./zelo.mjs";

let zelo;
let browser;

before(async () => {
  zelo = await Zelo.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await zelo?.stop();
});

test("the language changes, and the page stays", async () => {
  const context = await open(browser, zelo);
  const page = await signIn(context, zelo);
  await page.goto("/activity?type=appointment.created");
  const lang = () => page.locator("html").getAttribute("lang");
  assert.equal(await lang(), "pt-BR");
  const title = await page.locator("h1").innerText();
  await page.getByRole("button", { name: "English" }).click();
  await page.locator("html[lang=en]").waitFor({ state: "attached" });
  assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, "/activity?type=appointment.created");
  assert.notEqual(await page.locator("h1").innerText(), title);
  // It is kept.
  await page.goto("/messages");
  assert.equal(await lang(), "en");
  await page.getByRole("button", { name: "Português" }).click();
  await page.locator("html[lang=pt-BR]").waitFor({ state: "attached" });
  assert.equal(new URL(page.url()).pathname, "/messages");
  await context.close();
});

test("who signs out is out, with the way back closed", async () => {
  const context = await open(browser, zelo);
  const page = await signIn(context, zelo);
  await page.goto("/messages");
  await page.getByRole("button", { name: "Sair" }).click();
  await page.locator("main a[href='/sign-in']").waitFor();
  assert.equal(await page.locator("form[action='/sign-out']").count(), 0);
  for (const path of ["/messages", "/automations", "/people"]) {
    const answer = await page.goto(path);
    assert.equal(answer.status(), 401, path);
  }
  await context.close();
});

test("a link is for one use", async () => {
  const link = await zelo.link();
  for (const [time, status] of [[1, 200], [2, 401]]) {
    const context = await open(browser, zelo);
    const page = await context.newPage();
    await page.goto(link);
    const answered = page.waitForResponse((answer) => answer.request().isNavigationRequest() && ![302, 303].includes(answer.status()));
    await page.getByRole("button", { name: "Entrar" }).click();
    assert.equal((await answered).status(), status, `use ${time}`);
    await context.close();
  }
});

// A receipt: made while somebody looks on, read, and taken home.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launch, open, signIn, watch } from "./browser.mjs";
import { made, service } from "./fill.mjs";
import { Zelo } from "./zelo.mjs";

let zelo;
let browser;

before(async () => {
  zelo = await Zelo.start({ on: ["attendance-receipt"] });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await zelo?.stop();
});

test("the receipt of an attendance is there without a reload, is read, and is downloaded", async () => {
  const context = await open(browser, zelo, { acceptDownloads: true });
  const page = await signIn(context, zelo);
  const faults = watch(page, zelo.base);
  await page.goto("/documents");
  await page.locator("main .empty").waitFor();
  await page.evaluate(() => { window.sameAsBefore = true; });

  const clinic = await made();
  for (const letter of clinic.known) await zelo.deliver(letter);
  await zelo.deliver(await service("1004", 189.9));
  await zelo.deliver(await service("123", 1065.5));
  await zelo.deliver(clinic.attendance(["1004", "123"]));
  const link = page.locator("main a[href^='/documents/']").first();
  await link.waitFor();
  assert.equal(await page.evaluate(() => window.sameAsBefore), true, "the page was loaded again");

  const shown = page.waitForResponse((answer) => answer.url().includes("/api/v1/documents/"));
  await link.click();
  // The frame is loaded when it is come by.
  await page.locator("iframe").scrollIntoViewIfNeeded();
  assert.match((await shown).headers()["content-type"], /^application\/pdf/);
  const text = await page.locator("main").innerText();
  for (const words of ["RECIBO", clinic.person.name, clinic.clinic.name, "R$ 1.255,40"]) assert.ok(text.includes(words), words);

  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Salvar o arquivo" }).click()]);
  assert.match(download.suggestedFilename(), /^recibo.*\.pdf$/);
  const bytes = await readFile(await download.path());
  assert.equal(bytes.subarray(0, 4).toString("latin1"), "%PDF");
  assert.ok(bytes.length > 1000);
  assert.deepEqual(faults, []);
  await context.close();
});

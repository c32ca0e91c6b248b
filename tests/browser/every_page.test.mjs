// Every page: for everybody, on everything, in both languages, light and dark.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DESK, PHONE, launch, open, signIn, watch } from "./browser.mjs";
import { axe, forms, keyboard, sideways, skipLink } from "./checks.mjs";
import { crawl } from "./crawl.mjs";
import { ALL, fill } from "./fill.mjs";
import { FURTHER, MENU, OUTSIDE, resolve } from "./pages.mjs";
import { LONG_MS, Zelo } from "./zelo.mjs";

const LANGUAGES = ["pt-BR", "en"];
/** The narrowest window of which WCAG 2.2 (1.4.10) says that nothing may have to be scrolled sideways. */
const NARROW = { width: 320, height: 640 };

let zelo;
let browser;
/** Cookies of somebody who is signed in. */
let signedIn;
/** By name. */
let paths;

before(async () => {
  zelo = await Zelo.start({ on: ALL });
  browser = await launch();
  await fill(zelo);
  const context = await open(browser, zelo);
  const page = await signIn(context, zelo);
  paths = await resolve(page);
  signedIn = await context.storageState();
  await context.close();
}, { timeout: 5 * LONG_MS });

after(async () => {
  await browser?.close();
  await zelo?.stop();
});

/** Opens a page as `options` say, and has `look` say what is wrong with it. */
async function visit(path, options, look) {
  const context = await open(browser, zelo, options);
  try {
    const page = await context.newPage();
    const faults = watch(page, zelo.base);
    const answer = await page.goto(path);
    assert.equal(answer.status(), 200, path);
    return [...(await look(page)), ...faults];
  } finally {
    await context.close();
  }
}

/** In all its looks. */
async function looks(page) {
  const faults = [];
  const note = (look, found) => faults.push(...found.map((fault) => `${look}: ${fault}`));
  for (const [name, window] of [["desk", DESK], ["phone", PHONE]]) {
    await page.setViewportSize(window);
    await page.emulateMedia({ colorScheme: "light" });
    note(name, await sideways(page));
    note(`${name}, light`, await axe(page));
    await page.emulateMedia({ colorScheme: "dark" });
    note(`${name}, dark`, await axe(page, ["color-contrast", "link-in-text-block"]));
  }
  await page.setViewportSize(NARROW);
  note("narrow", await sideways(page));
  return faults;
}

function everything({ name, path }, state) {
  const at = () => path ?? paths.get(name);
  for (const lang of LANGUAGES) {
    test(`${name} in ${lang} can be seen and read by everybody`, async () => {
      const faults = await visit(at(), { locale: lang, storageState: state() }, async (page) => {
        assert.equal(await page.locator("html").getAttribute("lang"), lang);
        return looks(page);
      });
      assert.deepEqual(faults, []);
    });
  }
  test(`${name} is used with the keyboard`, async () => {
    const faults = [];
    for (const viewport of [DESK, PHONE]) {
      faults.push(...(await visit(at(), { viewport, storageState: state() }, async (page) => {
        const walked = await keyboard(page);
        if (!state()) return walked;
        await page.goto(at());
        return [...walked, ...(await skipLink(page))];
      })));
    }
    assert.deepEqual(faults, []);
  });
  test(`${name} works without script`, async () => {
    const seen = [];
    for (const javaScriptEnabled of [true, false]) {
      const faults = await visit(at(), { javaScriptEnabled, storageState: state() }, async (page) => {
        seen.push({ title: await page.title(), headings: await page.locator("h1").allInnerTexts(), forms: await forms(page) });
        return [];
      });
      assert.deepEqual(faults, []);
    }
    const [script, none] = seen;
    assert.equal(none.headings.length, 1);
    assert.deepEqual({ title: none.title, headings: none.headings }, { title: script.title, headings: script.headings });
    assert.deepEqual(script.forms.filter((form) => !none.forms.includes(form)), [], "forms that only script makes");
  });
}

test("the menu leads to every page, and the list here has them all", async () => {
  const context = await open(browser, zelo, { storageState: signedIn });
  const page = await context.newPage();
  await page.goto("/");
  const menu = await page.locator("nav a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  assert.deepEqual(menu, MENU.map(({ path }) => path));
  const missing = [];
  for (const path of menu) {
    const answer = await page.goto(path);
    if (answer.status() !== 200) missing.push(`${path} answers ${answer.status()}`);
    else assert.equal(await page.locator(".menu a[aria-current=page]").getAttribute("href"), path);
  }
  await context.close();
  assert.deepEqual(missing, []);
});

test("no link leads nowhere", async () => {
  const context = await open(browser, zelo, { storageState: signedIn });
  const found = await crawl(context, zelo.base, [...paths.values()]);
  await context.close();
  assert.ok(found.size > MENU.length);
  const wrong = [...found].filter(([, { status }]) => status !== 200);
  assert.deepEqual(wrong.map(([place, { status, from }]) => `${place} answers ${status}; ${from} leads there`), []);
});

describe("outside", () => {
  for (const page of OUTSIDE) everything(page, () => undefined);
});

describe("signed in", () => {
  for (const page of [...MENU, ...FURTHER]) everything(page, () => signedIn);
});

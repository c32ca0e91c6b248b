// The checks find what they are for: each is shown a page that is good but for one thing.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { DESK, PHONE, launch, open, watch } from "./browser.mjs";
import { axe, forms, keyboard, sideways, skipLink } from "./checks.mjs";

const POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'";
const STYLE = `
  body { margin: 0; background: #fff; color: #222; }
  .skip { position: absolute; left: -100rem; }
  .skip:focus { left: 0; top: 0; background: #fff; }
  .pale { color: #ddd; }
  .wide { width: 1000px; }
  .scroll { overflow-x: auto; }
  .cover { position: fixed; inset: 0; background: #fff; }
  .lost { position: absolute; left: -100rem; }
  .bare:focus { outline: none; }
  @media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } .dim { color: #333; } .skip:focus { background: #111; } a { color: #9cf; } }
`;
const GOOD = { skip: `<a class="skip" href="#main">Para o conteúdo</a>`, main: `<p>Olá</p><form method="get"><label>Nome <input name="name"></label><button>Ir</button></form>`, lang: "pt-BR" };

let server;
let base;
let browser;
/** What is served as the page. */
let html;

before(async () => {
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const parts = { "/style.css": ["text/css", STYLE], "/added.js": ["text/javascript", `document.getElementById("main").insertAdjacentHTML("beforeend", "<form method=post action=/x><button name=a>b</button></form>"); if (location.search) throw new Error("wrong");`] };
    const [type, body] = parts[pathname] ?? ["text/html; charset=utf-8", html];
    response.writeHead(200, { "content-type": type, "content-security-policy": POLICY });
    response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${server.address().port}`;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});

/** What `check` says of the good page with `changes`. */
async function said(check, changes = {}, options = {}, query = "") {
  const { skip, main, lang, head = "" } = { ...GOOD, ...changes };
  html = `<!doctype html><html lang="${lang}"><head><title>t</title><link rel="stylesheet" href="/style.css"><link rel="icon" href="/style.css">${head}</head>
    <body>${skip}<nav><a href="/a">A</a></nav><main id="main" tabindex="-1"><h1>T</h1>${main}</main></body></html>`;
  const context = await open(browser, { base }, options);
  try {
    const page = await context.newPage();
    const faults = watch(page, base);
    await page.goto(`/${query}`);
    return await check(page, faults);
  } finally {
    await context.close();
  }
}

/** The good page passes, and each of the others is told of, in these words. */
async function finds(check, bad, options) {
  assert.deepEqual(await said(check, {}, options), []);
  for (const [words, changes] of bad) assert.match((await said(check, changes, options)).join("\n"), words);
}

test("axe", () => finds((page) => axe(page), [
  [/label/, { main: `<input name="name">` }],
  [/html-has-lang|html-lang-valid/, { lang: "" }],
  [/color-contrast/, { main: `<p class="pale">Olá</p>` }],
]));

test("axe, in the dark", () => finds((page) => axe(page, ["color-contrast"]), [[/color-contrast/, { main: `<p class="dim">Olá</p>` }]], { colorScheme: "dark" }));

test("what scrolls sideways", async () => {
  await finds(sideways, [[/p\.wide "Olá"/, { main: `<p class="wide">Olá</p>` }]], { viewport: PHONE });
  assert.deepEqual(await said(sideways, { main: `<div class="scroll"><p class="wide">Olá</p></div>` }, { viewport: PHONE }), []);
  assert.deepEqual(await said(sideways, { main: `<p class="wide">Olá</p>` }, { viewport: DESK }), []);
});

test("what the keyboard cannot do", () => finds(keyboard, [
  [/out of sight: button/, { main: `<button class="lost">Ir</button>` }],
  [/behind div/, { main: `<button>Ir</button><div class="cover"></div>` }],
  [/does not show that it has the focus: a "B"/, { main: `<a class="bare" href="/b">B</a>` }],
  [/is not come by with Tab: a "Z"/, { main: `<div inert><a href="/z">Z</a></div>` }],
]));

test("what comes before the link past the menu", () => finds(skipLink, [
  [/not the link past the menu/, { skip: "" }],
  [/is not seen/, { skip: `<div class="lost">${GOOD.skip}</div>` }],
]));

test("errors, what the policy forbids, and others who are asked", async () => {
  const heard = async (page, faults) => {
    await page.waitForLoadState("load");
    return faults;
  };
  await finds(heard, [
    [/Content Security Policy/, { main: `<p style="color: red">Olá</p>` }],
    [/Content Security Policy/, { main: `<script>1</script>` }],
    [/a request to http:\/\/other\.invalid/, { main: `<img alt="" src="http://other.invalid/a.png">` }],
  ]);
  assert.match((await said(heard, { head: `<script src="/added.js" defer></script>` }, {}, "?wrong")).join(), /script: wrong/);
});

test("forms that only script makes", async () => {
  const head = `<script src="/added.js" defer></script>`;
  const [script, none] = [await said(forms, { head }), await said(forms, { head }, { javaScriptEnabled: false })];
  assert.deepEqual(none, ["get / name"]);
  assert.deepEqual(script, ["get / name", "post /x a"]);
});

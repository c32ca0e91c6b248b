// A browser, and somebody who sits before it.
import { LONG_MS } from "./zelo.mjs";
import { chromium } from "./tools.mjs";

export const PHONE = { width: 390, height: 844 };
export const DESK = { width: 1280, height: 900 };

/** Opens a browser. As root it has no sandbox. */
export function launch() {
  const args = ["--disable-gpu", "--disable-dev-shm-usage", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])];
  return chromium.launch({ executablePath: process.env.CHROMIUM, args, timeout: LONG_MS });
}

/** A window of somebody who is not signed in, as its options say; times are told in Brazil. */
export async function open(browser, zelo, options = {}) {
  const context = await browser.newContext({
    baseURL: zelo.base, viewport: DESK, locale: "pt-BR", timezoneId: "America/Sao_Paulo", reducedMotion: "reduce", ...options,
  });
  context.setDefaultTimeout(LONG_MS);
  return context;
}

/** Has `context` signed in, as an admin, by a link. */
export async function signIn(context, zelo) {
  const page = await context.newPage();
  await page.goto(await zelo.link());
  await page.locator("main button[type=submit]").click();
  await page.locator("form[action='/sign-out']").waitFor({ state: "attached" });
  return page;
}

/** Has `context` signed in with a name and a password. */
export async function signInAs(context, name, password) {
  const page = await context.newPage();
  await page.goto("/sign-in");
  await page.locator("#name").fill(name);
  await page.locator("#password").fill(password);
  await page.locator("#password").press("Enter");
  await page.locator("form[action='/sign-out']").waitFor({ state: "attached" });
  return page;
}

/** Writes down what goes wrong in `page` from now on: errors in its console, violations of its policy, requests to others. */
export function watch(page, base) {
  const faults = [];
  page.on("console", (message) => {
    // A browser asks for an icon by itself, whether there is one or not.
    if (message.type() === "error" && !message.location().url.endsWith("/favicon.ico")) faults.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("request", (request) => {
    // What the browser's own PDF viewer fetches from itself goes to nobody.
    const url = new URL(request.url());
    if (url.protocol !== "chrome-extension:" && url.protocol !== "chrome:" && url.origin !== base) faults.push(`a request to ${url.origin}`);
  });
  return faults;
}

/** More stops than this nobody makes for one thing. */
const STOPS_MAX = 400;

/** Somebody with a keyboard and nothing else. */
export class Keys {
  constructor(page) {
    this.page = page;
  }

  /** Goes to what `locator` finds, with the Tab key. */
  async to(locator) {
    const wanted = locator.first();
    await wanted.waitFor();
    for (let stops = 0; stops < STOPS_MAX; stops += 1) {
      await this.page.keyboard.press("Tab");
      if (await wanted.evaluate((one) => one === document.activeElement)) return;
    }
    throw new Error(`Tab does not come to ${locator}`);
  }

  /** Writes into a field, in place of what stands there. */
  async write(locator, text) {
    await this.to(locator);
    await this.page.keyboard.press("ControlOrMeta+a");
    await this.page.keyboard.type(text);
  }

  /** Presses a button or follows a link, and waits for the page that comes: the one on which `next` is. */
  async press(locator, next) {
    await this.to(locator);
    await this.page.keyboard.press("Enter");
    await next.first().waitFor();
  }
}

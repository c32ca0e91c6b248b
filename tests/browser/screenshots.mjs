// Pictures of every page, as `screenshots` says.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DESK, PHONE, launch, open, signIn } from "./browser.mjs";
import { ALL, fill } from "./fill.mjs";
import { OUTSIDE, resolve } from "./pages.mjs";
import { Zelo } from "./zelo.mjs";

const [folder] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const zelo = await Zelo.start({ on: ALL });
let browser;
try {
  browser = await launch();
  await fill(zelo);
  const context = await open(browser, zelo);
  const pages = [...(await resolve(await signIn(context, zelo)))].map(([name, path]) => ({ name, path }));
  const storageState = await context.storageState();
  for (const [list, state] of [[OUTSIDE, undefined], [pages, storageState]]) {
    for (const [window, viewport] of [["phone", PHONE], ["desktop", DESK]]) {
      const seen = await open(browser, zelo, { viewport, storageState: state });
      for (const { name, path } of list) {
        const page = await seen.newPage();
        const answer = await page.goto(path);
        if (answer.status() !== 200) throw new Error(`${path} answers ${answer.status()}`);
        await page.screenshot({ path: join(folder, `${name}-${window}.png`), fullPage: true });
        await page.close();
      }
      await seen.close();
    }
  }
  console.log(`${2 * (pages.length + OUTSIDE.length)} pictures in ${folder}`);
} finally {
  await browser?.close();
  await zelo.stop();
}

// What `with-tools` has installed.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const folder = process.env.ZELO_BROWSER_TOOLS;
if (!folder) throw new Error("run this with tests/browser/run");
const require = createRequire(`${folder}/package.json`);

export const { chromium } = require("playwright-core");
/** axe-core, as a script. */
export const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

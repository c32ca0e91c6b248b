// What must hold of any page. Each check returns what is wrong, in words; nothing, where nothing is.
import { AXE } from "./tools.mjs";

/** What axe-core finds that keeps people out: faults that it calls serious or critical. `rules`: these alone. */
export async function axe(page, rules) {
  const session = await page.context().newCDPSession(page);
  try {
    // A world of its own: what holds for the scripts of the page does not hold there.
    const { frameTree } = await session.send("Page.getFrameTree");
    const { executionContextId: contextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id, worldName: "axe" });
    const options = { iframes: false, resultTypes: ["violations"], ...(rules && { runOnly: { type: "rule", values: rules } }) };
    const script = `${AXE};axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => JSON.stringify(violations))`;
    const ran = await session.send("Runtime.evaluate", { expression: script, contextId, awaitPromise: true, returnByValue: true });
    if (ran.exceptionDetails) throw new Error(`axe: ${ran.exceptionDetails.exception?.description ?? ran.exceptionDetails.text}`);
    const found = JSON.parse(ran.result.value).filter(({ impact }) => impact === "serious" || impact === "critical");
    return found.flatMap(({ id, help, nodes }) => nodes.slice(0, 3).map(({ target, html, failureSummary }) => {
      const [, ...why] = (failureSummary ?? "").split("\n");
      return `axe ${id}: ${help}: ${target.join(" ")}: ${html.slice(0, 160)}: ${why.join(" ").trim().slice(0, 240)}`;
    }));
  } finally {
    await session.detach();
  }
}

/** What makes the page wider than the window. */
export function sideways(page) {
  return page.evaluate(() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const scrolls = (element) => element && element !== document.body && (getComputedStyle(element).overflowX !== "visible" || scrolls(element.parentElement));
    const wide = [...document.body.querySelectorAll("*")].filter((one) => one.getBoundingClientRect().right > clientWidth + 1 && !scrolls(one.parentElement));
    const named = wide.slice(0, 3).map((one) => `${one.tagName.toLowerCase()}.${one.className} "${one.textContent.trim().slice(0, 40)}"`);
    return [`scrolls sideways: ${scrollWidth} > ${clientWidth} px: ${named.join("; ")}`];
  });
}

/** More stops than this no page has. */
const STOPS_MAX = 800;

/** Goes through the page with the Tab key: everything that can be used is come by, can be seen there, and shows that it is chosen. */
export async function keyboard(page) {
  await page.evaluate(() => {
    const usable = "a[href], button:not([disabled]), input:not([type=hidden], [disabled]), select:not([disabled]), textarea:not([disabled]), summary, [tabindex='0']";
    const group = (one) => (one.type === "radio" ? [...document.querySelectorAll("input[type=radio]")].filter((other) => other.form === one.form && other.name === one.name) : [one]);
    const named = (one) => `${one.tagName.toLowerCase()}${one.id && `#${one.id}`} "${(one.innerText || one.name || one.value || one.href || "").trim().slice(0, 40)}"`;
    window.walk = {
      // Those that are there now; whatever of them comes or goes meanwhile is not held against the page.
      wanted: new Set([...document.querySelectorAll(usable)].filter((one) => one.checkVisibility({ visibilityProperty: true }) && one.tabIndex >= 0)),
      first: null,
      // Whether it was seen to have the focus. A field of a date is several stops, and its last one shows that by itself.
      shows: new Map(),
      // Where the focus is: what is wrong there, and whether it has been everywhere.
      step() {
        const one = document.activeElement;
        if (!one || one === document.body || one === this.first) return null;
        this.first ??= one;
        for (const other of group(one)) this.wanted.delete(other);
        if (one.tagName === "IFRAME") return [];
        const faults = [];
        const box = one.getBoundingClientRect();
        const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
        const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
        const seen = right > left && bottom > top;
        if (!seen) faults.push(`has the focus out of sight: ${named(one)}`);
        const above = seen && document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        if (above && !one.contains(above) && !above.contains(one) && ![...(one.labels ?? [])].some((label) => label.contains(above))) {
          faults.push(`has the focus behind ${named(above)}: ${named(one)}`);
        }
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
        const shows = (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none";
        this.shows.set(one, shows || this.shows.get(one) === true);
        return faults;
      },
      missed() {
        const blind = [...this.shows].filter(([, shows]) => !shows).map(([one]) => `does not show that it has the focus: ${named(one)}`);
        return [...blind, ...[...this.wanted].filter((one) => one.isConnected).map((one) => `is not come by with Tab: ${named(one)}`)];
      },
    };
    document.activeElement?.blur();
  });
  const faults = [];
  for (let stops = 0; stops < STOPS_MAX; stops += 1) {
    await page.keyboard.press("Tab");
    const step = await page.evaluate(() => window.walk.step());
    if (step === null) break;
    faults.push(...step);
  }
  return [...faults, ...(await page.evaluate(() => window.walk.missed()))];
}

/** The first stop is the link past the menu, and it leads there. The page must just have been loaded. */
export async function skipLink(page) {
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => document.activeElement?.matches("a[href='#main']"));
  if (!first) return ["the first stop is not the link past the menu"];
  const box = await page.locator("a[href='#main']:focus").boundingBox();
  if (!box || box.x < 0 || box.y < 0) return ["the link past the menu is not seen"];
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.id === "main");
  await page.keyboard.press("Tab");
  const left = await page.evaluate(() => {
    const main = document.getElementById("main");
    const one = document.activeElement;
    return one !== document.body && one !== main && !main.contains(one) && main.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING;
  });
  return left ? ["the link past the menu leads into the menu"] : [];
}

/** The forms that somebody sees: where they go, and what is sent. */
export function forms(page) {
  return page.evaluate(() => [...document.forms].filter((form) => form.checkVisibility()).map((form) => {
    const names = [...form.elements].map((field) => field.name).filter(Boolean);
    return `${form.method} ${new URL(form.action).pathname} ${[...new Set(names)].sort().join(",")}`;
  }).sort());
}

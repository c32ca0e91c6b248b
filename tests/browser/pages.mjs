// All pages: where they are, and what pictures of them are called. Everything that looks at every page goes by this list.

/** What the menu leads an admin to, in its order. */
export const MENU = [
  { name: "today", path: "/" },
  { name: "start", path: "/start" },
  { name: "automations", path: "/automations" },
  { name: "scheduled", path: "/scheduled" },
  { name: "attention", path: "/attention" },
  { name: "failures", path: "/failures" },
  { name: "activity", path: "/activity" },
  { name: "messages", path: "/messages" },
  { name: "documents", path: "/documents" },
  { name: "contacts", path: "/contacts" },
  { name: "subjects", path: "/subjects" },
  { name: "rules", path: "/rules" },
  { name: "plugins", path: "/plugins" },
  { name: "sources", path: "/sources" },
  { name: "people", path: "/people" },
  { name: "audit", path: "/audit" },
];

/** What those lead to: one of each kind, by the first link on `from` that matches. */
export const FURTHER = [];

/** What somebody sees who is not signed in. */
export const OUTSIDE = [
  { name: "outside", path: "/" },
  { name: "sign-in", path: "/sign-in" },
  { name: "sign-in-link", path: "/sign-in?code=abc" },
];

/** The pages of `list`, with the addresses of those that are found by a link. `page` is a tab of somebody who is signed in. */
export async function resolve(page, list) {
  const found = [];
  for (const one of list) {
    if (one.path) {
      found.push(one);
      continue;
    }
    await page.goto(one.from);
    const link = page.locator(one.link).first();
    if ((await link.count()) === 0) throw new Error(`${one.name}: there is no ${one.link} on ${one.from}`);
    found.push({ ...one, path: await link.getAttribute("href") });
  }
  return found;
}

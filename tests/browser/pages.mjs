// All pages: where they are, and what pictures of them are called. Everything that looks at every page goes by this list.
import { until } from "./zelo.mjs";

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

/** What those lead to: one of each kind, by its address, or by the first `link` on `from`: an address, or one that stands above it here. */
export const FURTHER = [
  { name: "start-on-the-way", path: "/start?connection=clinicarx" },
  { name: "automation", path: "/automations/appointment-reminder" },
  { name: "automation-of-clinic", from: "automation", link: "main a[href*='clinic=']" },
  { name: "automation-off", from: "automation", link: "main a[href*='/off?']" },
  { name: "jobs", path: "/activity?show=jobs" },
  { name: "document", from: "documents", link: "main a[href^='/documents/']" },
  { name: "job", from: "document", link: "main a[href^='/activity/jobs/']" },
  { name: "event", from: "job", link: "main a[href^='/activity/events/']" },
  { name: "job-that-failed", from: "failures", link: "main a[href^='/activity/jobs/']" },
  { name: "job-that-waits", from: "attention", link: "main a[href^='/activity/jobs/']" },
  { name: "refused", path: "/refused" },
  { name: "refused-delivery", from: "refused", link: "main a[href^='/refused/']" },
  { name: "conversation", from: "messages", link: "main a[href^='/messages/']" },
  { name: "subject", from: "document", link: "main a[href^='/subjects/']" },
  { name: "subject-erase", from: "subject", link: "main a[href$='/erase']" },
  { name: "rule", path: "/rules/attendance-receipt" },
  { name: "rule-explain", from: "rule", link: "main a[href$='/explain']" },
  { name: "rule-tests", from: "rule", link: "main a[href$='/tests']" },
  { name: "rule-backtest", from: "rule", link: "main a[href$='/backtest']" },
  { name: "rule-files", path: "/rules/files" },
  { name: "rule-file", from: "rule-files", link: "main a[href*='/rules/files?']" },
  { name: "plugin", path: "/plugins/receipt" },
  { name: "source", path: "/sources/clinicarx" },
  { name: "person", from: "people", link: "main a[href^='/people/']" },
  { name: "tokens", path: "/tokens" },
  { name: "secrets", path: "/secrets" },
  { name: "audit-verified", path: "/audit/verify" },
];

/** What somebody sees who is not signed in. */
export const OUTSIDE = [
  { name: "outside", path: "/" },
  { name: "sign-in", path: "/sign-in" },
  { name: "sign-in-link", path: "/sign-in?code=abc" },
];

/** All that stands above, with the addresses of what is found by a link. `page` is a tab of somebody who is signed in. */
export async function resolve(page) {
  const found = new Map();
  for (const { name, path, from, link } of [...MENU, ...FURTHER]) {
    if (path) {
      found.set(name, path);
      continue;
    }
    const first = page.locator(link).first();
    await until(`${link} on ${found.get(from)}, for ${name}`, async () => {
      await page.goto(found.get(from));
      return (await first.count()) > 0;
    });
    found.set(name, await first.getAttribute("href"));
  }
  return found;
}

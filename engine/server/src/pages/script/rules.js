// A backtest that runs: its section is fetched again every second until it has ended.
"use strict";
(() => {
  const EVERY_MS = 1000;
  const section = () => document.querySelector("[data-runs]");
  if (!section()) return;

  async function look() {
    const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin" });
    if (!answer.ok) throw new Error(`the page answers ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [old, next] = [section(), page.getElementById(section()?.id)];
    if (!old || !next) return;
    const focused = old.contains(document.activeElement);
    old.replaceWith(next);
    if (focused) (next.querySelector("button") ?? document.getElementById("main")).focus();
    if (!section()) document.getElementById("news").textContent = next.querySelector("[role=status]")?.textContent ?? "";
  }

  const again = () => setTimeout(() => look().catch(() => {}).finally(() => { if (section()) again(); }), EVERY_MS);
  again();
})();

// Shows by itself what came since the page was made.
//
// The server says on /changes that something is different; then the page is fetched again, and those of its sections
// that are different are exchanged. What the reader is at stays as it is: focus, open details, scroll positions.
// A section with a form that somebody is filling in stays as it is until it is sent, and so does one that another script has filled
// (`data-still`). A page that nobody looks at does not listen.
"use strict";
(() => {
  const main = document.querySelector("main[data-seen]");
  const news = document.getElementById("news");
  if (!main || !news || !window.EventSource) return;

  const RETRY_MS = 5000;
  const TOLD_MAX = 3;
  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

  let source = null;
  let retry = 0;
  let fetching = null;
  let again = false;

  const key = (element) => element.dataset.key;
  const find = (wanted) => [...main.querySelectorAll("[data-key]")].find((element) => key(element) === wanted);

  // Where the focus is, in words that hold when its element has been exchanged.
  function focus() {
    const element = document.activeElement;
    const home = element && main.contains(element) ? element.closest("[data-key]") : null;
    if (!home || home === main) return () => {};
    const [wanted, place] = [key(home), home === element ? -1 : [...home.querySelectorAll(FOCUSABLE)].indexOf(element)];
    return () => {
      if (document.activeElement === element) return;
      const home = find(wanted);
      const target = home && (place < 0 ? home : home.querySelectorAll(FOCUSABLE)[place]);
      if (target) target.focus({ preventScroll: true });
    };
  }

  // What is open, and what is scrolled sideways.
  function shape() {
    const open = [...main.querySelectorAll("details[data-key][open]")].map(key);
    const sideways = [...main.querySelectorAll(".scroll")].filter((one) => one.scrollLeft > 0).map((one) => [key(one), one.scrollLeft]);
    return () => {
      for (const wanted of open) find(wanted)?.setAttribute("open", "");
      for (const [wanted, left] of sideways) {
        const element = find(wanted);
        if (element) element.scrollLeft = left;
      }
    };
  }

  // The first thing in the window that `next` has too stays where it is. At the very top, what is new is to be seen.
  function scroll(next) {
    if (window.scrollY <= 0) return () => {};
    const staying = new Set([...next.querySelectorAll("[data-key]")].map(key));
    const visible = [...main.querySelectorAll("[data-key]")].find((element) => {
      const box = element.getBoundingClientRect();
      return box.top >= 0 && box.height > 0 && staying.has(key(element));
    });
    if (!visible) return () => {};
    const [wanted, top] = [key(visible), visible.getBoundingClientRect().top];
    return () => {
      const element = find(wanted);
      if (element) window.scrollBy({ top: element.getBoundingClientRect().top - top, behavior: "instant" });
    };
  }

  // Whether somebody has filled in something here that is not sent.
  function isTouched(section) {
    return [...section.querySelectorAll("input, select, textarea")].some((field) => {
      if (field.type === "hidden") return false;
      if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
      if (field.tagName === "SELECT") {
        const chosen = [...field.options].filter((option) => option.defaultSelected);
        return chosen.length > 0 ? chosen.some((option) => !option.selected) : field.selectedIndex > 0;
      }
      return field.value !== field.defaultValue;
    });
  }

  // Both have the same sections in the same order; some may be in one only.
  function exchange(next) {
    const old = new Map([...main.children].map((section) => [key(section), section]));
    let last = null;
    for (const section of [...next.children]) {
      const known = old.get(key(section));
      old.delete(key(section));
      if (known && (known.isEqualNode(section) || known.hasAttribute("data-still") || isTouched(known))) {
        last = known;
        continue;
      }
      if (known) known.replaceWith(section);
      else if (last) last.after(section);
      else main.prepend(section);
      last = section;
    }
    for (const gone of old.values()) gone.remove();
    main.dataset.seen = next.dataset.seen;
  }

  const told = () => [...main.querySelectorAll("[data-news]")];
  const naming = (element) => `${key(element)} ${element.dataset.news}`;

  function show(next) {
    const known = new Set(told().map(naming));
    const restore = [shape(), scroll(next), focus()];
    exchange(next);
    for (const step of restore) step();
    const fresh = told().filter((element) => !known.has(naming(element)));
    for (const element of fresh) element.classList.add("fresh");
    const texts = [...new Set(fresh.map((element) => element.dataset.news))];
    if (texts.length > 0) {
      news.textContent = `${news.dataset.new}: ${texts.slice(0, TOLD_MAX).join(", ")}${texts.length > TOLD_MAX ? " …" : ""}`;
    }
  }

  async function load() {
    do {
      again = false;
      const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin" });
      if (!answer.ok) throw new Error(`the page answers ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.querySelector("main[data-seen]");
      // Not signed in any more: the page says what to do.
      if (!next) return location.reload();
      if (next.dataset.seen !== main.dataset.seen) show(next);
    } while (again);
  }

  // One at a time; what changes meanwhile is fetched after it.
  function refresh() {
    again = true;
    fetching ??= load().finally(() => { fetching = null; });
    return fetching;
  }

  function later() {
    disconnect();
    retry = setTimeout(() => refresh().then(connect, later), RETRY_MS);
  }

  function connect() {
    if (source || document.hidden) return;
    source = new EventSource(`/changes?since=${encodeURIComponent(main.dataset.seen)}`);
    source.addEventListener("change", (event) => {
      if (event.data !== main.dataset.seen) refresh().catch(later);
    });
    // A connection that broke is made again by the browser; one that was refused is not.
    source.addEventListener("error", () => {
      if (source && source.readyState === EventSource.CLOSED) later();
    });
  }

  function disconnect() {
    clearTimeout(retry);
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  connect();
})();

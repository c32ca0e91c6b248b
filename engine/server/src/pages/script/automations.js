
// Shows what an automation would send while somebody changes its settings: the form is sent to its preview a moment after the last
// change, and the pane is exchanged. Without script the button does the same with a whole page.
"use strict";
(() => {
  const current = () => document.querySelector("form[data-preview]");
  const section = document.getElementById("preview");
  if (!current() || !section) return;

  const WAIT_MS = 700;
  let timer = 0;
  let latest = 0;

  async function show() {
    const number = ++latest;
    const form = current();
    const pane = document.getElementById("preview-pane");
    pane.classList.add("busy");
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.dataset.preview, { method: "POST", body, cache: "no-store", credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.getElementById("preview-pane");
      if (number !== latest || !next) return;
      document.getElementById("preview-pane").replaceChildren(...next.childNodes);
      document.getElementById("preview").setAttribute("data-still", "");
    } finally {
      if (number === latest) document.getElementById("preview-pane").classList.remove("busy");
    }
  }

  function soon(wait) {
    clearTimeout(timer);
    timer = setTimeout(() => show().catch(() => {}), wait);
  }

  // The form may be exchanged while the page renews itself.
  document.addEventListener("input", (event) => {
    if (event.target.closest("form[data-preview]")) soon(WAIT_MS);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-try]");
    if (!button) return;
    event.preventDefault();
    document.getElementById("preview").scrollIntoView({ block: "nearest" });
    soon(0);
  });
})();

// Moves the cards of the board: dragged to another column, or by the arrow keys. Either fills in and sends the form that the card has anyway.
"use strict";
(() => {
  const KEPT = "zelo-moved";
  const main = document.getElementById("main");
  const board = () => document.querySelector("[data-board]");
  if (!main || !board()) return;

  const card = (element) => (element instanceof Element ? element.closest(".contact[draggable]") : null);
  const column = (element) => (element instanceof Element ? element.closest("[data-board] .column") : null);
  let dragged = null;

  // Whether there was anything to do.
  function move(moved, target) {
    const form = moved.querySelector("form");
    const select = form?.elements.namedItem("stage");
    if (!form || !select || !target || target === column(moved)) return false;
    const stage = target.dataset.stage;
    if (![...select.options].some((option) => option.value === stage)) return false;
    select.value = stage;
    try { sessionStorage.setItem(KEPT, moved.dataset.key); } catch { /* Then the focus is lost, and nothing else. */ }
    form.requestSubmit();
    return true;
  }

  // The page may be exchanged in parts, so it is heard as a whole.
  main.addEventListener("dragstart", (event) => {
    dragged = card(event.target);
    if (!dragged) return;
    dragged.classList.add("dragged");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
  });
  main.addEventListener("dragend", () => {
    dragged?.classList.remove("dragged");
    dragged = null;
    for (const over of main.querySelectorAll(".column.over")) over.classList.remove("over");
  });
  main.addEventListener("dragover", (event) => {
    const target = column(event.target);
    if (!dragged || !target) return;
    event.preventDefault();
    for (const over of main.querySelectorAll(".column.over")) if (over !== target) over.classList.remove("over");
    if (target.dataset.stage) target.classList.add("over");
  });
  main.addEventListener("drop", (event) => {
    const target = column(event.target);
    if (!dragged || !target) return;
    event.preventDefault();
    move(dragged, target);
  });

  main.addEventListener("keydown", (event) => {
    const moved = event.target;
    if (moved !== card(moved) || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const columns = [...board().querySelectorAll(".column")].filter((one) => one.dataset.stage || one === column(moved));
    if (move(moved, columns[columns.indexOf(column(moved)) + step])) event.preventDefault();
  });

  // Who moved a card by hand finds it again.
  let kept = null;
  try {
    kept = sessionStorage.getItem(KEPT);
    sessionStorage.removeItem(KEPT);
  } catch { /* Nothing is kept then. */ }
  const found = kept && [...main.querySelectorAll(".contact")].find((one) => one.dataset.key === kept);
  if (found) found.focus();
})();

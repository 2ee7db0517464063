// The key "/" leads to the search box from everywhere; arrows go through what it found, Escape leaves it. What was
// found lies over the page: it goes when somebody goes elsewhere, and does not come when they have gone.

const box = document.getElementById("search");
const hits = document.getElementById("search-hits");

const writes = (element) => element?.matches("input, textarea, select, [contenteditable]");

function leave() {
  hits.replaceChildren();
  box.value = "";
  box.blur();
}

function go(event, step) {
  const stops = [box, ...hits.querySelectorAll("a")];
  const next = stops[stops.indexOf(document.activeElement) + step];
  if (!next || stops.length < 2) return;
  event.preventDefault();
  next.focus();
}

if (box && hits) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || writes(document.activeElement)) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
  box.form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
    if (event.key === "ArrowDown") go(event, 1);
    if (event.key === "ArrowUp") go(event, -1);
  });
  document.addEventListener("pointerdown", (event) => {
    if (!box.form.contains(event.target)) hits.replaceChildren();
  });
  box.form.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !box.form.contains(event.relatedTarget)) hits.replaceChildren();
  });
  hits.addEventListener("htmx:beforeSwap", (event) => {
    if (!box.form.contains(document.activeElement)) event.detail.shouldSwap = false;
  });
}

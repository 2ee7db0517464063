// A machine's page: its forms in the zone in which times are shown. Without it they say UTC.

import { mine, wall, zone } from "./times.js";

// The viewer's zone is offered, and that of the times is chosen where the link or an earlier try did not choose one.
function offerZone(select) {
  const here = zone();
  for (const each of [mine, here]) if (![...select.options].some((option) => option.value === each)) select.add(new Option(each, each), 0);
  for (const option of select.options) if (option.value === mine) option.text = `${mine}, your zone`;
  if ("fixed" in select.dataset) return;
  for (const field of select.form.querySelectorAll("input[type=datetime-local]")) {
    if (field.value) field.value = wall(new Date(`${field.value}Z`), here, field.step === "1");
  }
  select.value = here;
}

// The time of what is logged is now until somebody says otherwise.
function keepNow(news) {
  const field = document.querySelector("[data-log] [data-now]");
  if (field && document.activeElement !== field) field.value = wall(new Date(news.now * 1e3), field.form.elements.zone.value);
}

const prepare = (part) => part.querySelectorAll("[data-zones]").forEach(offerZone);

// Only what the span needs goes into the link.
function trimLink(form) {
  const own = form.querySelector(".own");
  form.addEventListener("submit", () => {
    own.disabled = form.elements.span.value !== "own";
  });
  addEventListener("pageshow", () => {
    own.disabled = false;
  });
}

function findSignals(form) {
  const find = form.querySelector("[data-find]");
  find?.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  find?.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase();
    const labels = [...form.querySelectorAll("[data-name]")];
    for (const label of labels) label.hidden = !label.dataset.name.includes(wanted);
    form.querySelector("[data-none]").hidden = labels.some((label) => !label.hidden);
  });
}

prepare(document);
for (const form of document.querySelectorAll("form[data-span]")) {
  trimLink(form);
  findSignals(form);
}
document.addEventListener("andon:beat", (event) => keepNow(event.detail));
for (const happens of ["input", "change"]) {
  document.addEventListener(happens, (event) => event.target.closest("[data-log]")?.querySelector("[data-now]")?.removeAttribute("data-now"));
}
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "history") prepare(event.target);
});
const wanted = document.getElementById(location.hash.slice(1));
if (wanted?.matches("details")) wanted.open = true;

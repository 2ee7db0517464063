// A machine's page in the viewer's zone: moments, the fields of an own span, the time of what is logged. Without it
// the page says UTC everywhere, and its forms too.

const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

// What a clock in ``zone`` shows, as a field of date and time writes it.
function wall(date, zone, seconds = false) {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  }).formatToParts(date);
  const of = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  return `${of.year}-${of.month}-${of.day}T${of.hour}:${of.minute}${seconds ? `:${of.second}` : ""}`;
}

function tellMoments(part) {
  for (const time of part.querySelectorAll("time[datetime]")) {
    if (!("moment" in time.dataset || time.closest("[data-moments]"))) continue;
    const date = new Date(time.dateTime);
    time.textContent = wall(date, here).replace("T", " ");
    time.title = `${wall(date, "UTC").replace("T", " ")} UTC`;
  }
  for (const there of part.querySelectorAll("[data-there]")) {
    const date = new Date(there.dataset.of);
    there.hidden = wall(date, there.dataset.there) === wall(date, here);
  }
}

function tellZone() {
  const note = document.querySelector("[data-zone-note]");
  if (note) note.textContent = note.textContent.replace("Times are UTC;", `Times are in your zone, ${here};`);
}

// The viewer's zone is offered, and chosen where the link or an earlier try did not choose one.
function offerZone(select) {
  if (![...select.options].some((option) => option.value === here)) select.add(new Option(here, here), 0);
  for (const option of select.options) if (option.value === here) option.text = `${here}, your zone`;
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

function prepare(part) {
  tellMoments(part);
  part.querySelectorAll("[data-zones]").forEach(offerZone);
}

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
tellZone();
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
  else tellMoments(event.target);
});
const wanted = document.getElementById(location.hash.slice(1));
if (wanted?.matches("details")) wanted.open = true;

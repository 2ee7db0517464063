// Times as a reader wants them: in their own zone, in that of the site a page is about, or UTC; chosen in the head of
// every page and remembered by the browser. The hub writes UTC, which stands where no script runs.
//
// "3 min ago" goes on by the hub's clock, as its beats tell it: the browser's clock may be wrong, and the hub's may
// run faster than real time. What processes did is told in real time, from the moment that the hub wrote beside it.

const KEPT = "andon-zone";
const AGAIN_MS = 10_000; // ages go on where no beat comes
const STEPS = [[172_800, 86_400, "d"], [7200, 3600, "h"], [120, 60, "min"], [2, 1, "s"]];

const clock = document.querySelector("[data-clock]");
const choice = document.querySelector("[data-zone-choice]");
const main = document.querySelector("main");
const note = document.querySelector("[data-zone-note]");
const noted = note?.textContent ?? "";

let chosen = remembered();
let hub = { now: Date.parse(clock?.dateTime ?? "") || Date.now(), at: performance.now() };

function remembered() {
  try {
    return localStorage.getItem(KEPT) ?? "mine";
  } catch {
    return "mine"; // a browser that keeps nothing
  }
}

const formats = new Map();

function format(zone) {
  if (!formats.has(zone)) {
    formats.set(zone, new Intl.DateTimeFormat("en-GB", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    }));
  }
  return formats.get(zone);
}

// ``zone``, if this browser knows it.
function known(zone) {
  try {
    if (zone) format(zone);
    return zone ?? "";
  } catch {
    return "";
  }
}

export const mine = known(Intl.DateTimeFormat().resolvedOptions().timeZone) || "UTC"; // some tell a zone that they do not know

// What a clock in ``zone`` shows, as a field of date and time writes it.
export function wall(date, zone, seconds = false) {
  const of = Object.fromEntries(format(zone).formatToParts(date).map(({ type, value }) => [type, value]));
  return `${of.year.padStart(4, "0")}-${of.month}-${of.day}T${of.hour}:${of.minute}${seconds ? `:${of.second}` : ""}`;
}

const siteOf = (element) => known(element?.closest("[data-zone]")?.dataset.zone);

// The zone in which what is at ``element`` is shown; a page of no site shows the reader's own for the site's.
export function zone(element = main) {
  if (chosen === "utc") return "UTC";
  return (chosen === "site" && siteOf(element)) || mine;
}

// A moment in seconds since 1970, as pages write it.
export const minute = (seconds) => wall(new Date(seconds * 1e3), zone()).replace("T", " ");

const now = () => hub.now + performance.now() - hub.at;

const came = new WeakMap(); // when each time of a process came here

function nowFor(time) {
  if (!time.dataset.real) return now();
  if (!came.has(time)) came.set(time, performance.now());
  return Date.parse(time.dataset.real) + performance.now() - came.get(time);
}

function duration(seconds) {
  const [, size, name] = STEPS.find(([least]) => seconds >= least) ?? STEPS.at(-1);
  return `${Math.round(seconds / size)}\u202f${name}`;
}

function age(time, date) {
  const seconds = (nowFor(time) - date) / 1e3;
  if (time.dataset.ago === "lasting") return duration(Math.max(seconds, 0));
  if (Math.abs(seconds) < 2) return "just now";
  return seconds > 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`;
}

// The same moment in the reader's zone, in UTC and where it happened, each once.
function everywhere(date, time) {
  const zones = [...new Set([zone(time), "UTC", siteOf(time)])].filter(Boolean);
  return zones.map((each) => `${wall(date, each).replace("T", " ")} ${each}`).join("\n");
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Show one ``<time datetime>`` anew.
export function show(time) {
  const date = new Date(time.dateTime);
  if (Number.isNaN(+date)) return;
  const shown = zone(time);
  if ("ago" in time.dataset) say(time, age(time, date));
  else say(time, `${wall(date, shown).replace("T", " ")}${"named" in time.dataset ? ` ${shown}` : ""}`);
  time.title = everywhere(date, time);
  if (!("ago" in time.dataset) && !("moment" in time.dataset)) tellThere(time, date, shown);
}

// On the page of something at a site, what its clocks showed stands beside the time; short where the day is the same.
function tellThere(time, date, shown) {
  const there = siteOf(main);
  if (!there || !main.contains(time)) return;
  let beside = time.nextElementSibling;
  if (!beside?.matches("[data-beside]")) {
    beside = document.createElement("span");
    beside.className = "there";
    beside.dataset.beside = "";
    time.after(beside);
  }
  const [here, local] = [wall(date, shown), wall(date, there)];
  beside.hidden = here === local;
  say(beside, ` ${(here.slice(0, 10) === local.slice(0, 10) ? local.slice(11) : local.slice(5)).replace("T", " ")} at ${main.dataset.site}`);
}

function showAll() {
  for (const time of document.querySelectorAll("time[datetime]")) if (time !== clock) show(time);
  for (const there of document.querySelectorAll("[data-there]")) {
    const date = new Date(there.dataset.of);
    there.hidden = wall(date, known(there.dataset.there) || "UTC") === wall(date, zone(there));
  }
  if (note) say(note, noted.replace("Times are UTC;", `Times are in ${zone() === mine ? "your zone," : "the zone"} ${zone()};`));
}

function showClock() {
  if (!clock) return;
  const date = new Date(now());
  say(clock, wall(date, zone()).replace("T", " "));
  clock.title = `The hub's clock\n${everywhere(date, main)}`;
}

function showAges() {
  showClock();
  for (const time of document.querySelectorAll("time[data-ago]")) show(time);
}

const city = (zone) => zone.split("/").at(-1).replaceAll("_", " "); // the whole name is in the tooltip of each time

function offer() {
  if (!choice) return;
  const site = siteOf(main);
  const names = { mine: `${city(mine)}, yours`, site: site ? `${city(site)}, at ${main.dataset.site}` : "the site's, where there is one", utc: "UTC" };
  for (const option of choice.options) option.text = names[option.value];
  choice.value = chosen;
  choice.hidden = false;
  document.querySelector("[data-zone-name]")?.remove(); // what is said without scripts
}

function choose(which) {
  chosen = which in { mine: 1, site: 1, utc: 1 } ? which : "mine";
  offer();
  showClock();
  showAll();
  document.dispatchEvent(new CustomEvent("andon:zone"));
}

choice?.addEventListener("change", () => {
  try {
    localStorage.setItem(KEPT, choice.value);
  } catch {
    // it holds for this page
  }
  choose(choice.value);
});
addEventListener("storage", (event) => {
  if (event.key === KEPT) choose(event.newValue ?? "mine");
});
document.addEventListener("andon:beat", (event) => {
  hub = { now: event.detail.now * 1e3, at: performance.now() };
  showAges();
});
document.addEventListener("htmx:afterSwap", showAll); // before anybody sees what came
setInterval(() => {
  if (!document.hidden && performance.now() - hub.at > AGAIN_MS) showAges();
}, AGAIN_MS);
choose(chosen);

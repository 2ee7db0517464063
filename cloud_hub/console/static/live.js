// Keeps a page current: hears what changed and asks for those parts again. The hub's clock is the only clock.
//
// In a living plant something changes every second, on every open page. A part asks at once, and then not again
// before its pace; it says what it shows already, so that the hub sends nothing where that is still so. A tab that
// nobody sees listens to nothing and asks nothing; when somebody looks at it again, it asks for all it shows.

import { bringBack, isFilled, keep } from "./holding.js";

const PACE_MS = 5000; // from one time that a part asks to the next, at least
const SPREAD_MS = 300; // pages hear of a change at the same moment, and do not ask at the same one
const FRESH_MS = 4000; // a page that listens so soon after it was asked for is told what changed since (live.py)
const SILENT_MS = 15_000; // beats come each second: after so long without one, nothing is heard any more
const AGAIN_MS = 5000; // until a page that was refused tries again; twice as long each time
const LONGEST_MS = 60_000;

const dot = document.querySelector("[data-pulse]");
const trouble = document.querySelector("[data-trouble]");

const old = new Set(); // parts that changed since they were asked for
const next = new Map(); // when a part may ask again
const failing = new Map(); // parts that the hub did not answer for, and what to say of it
let ended = ""; // what is wrong with this page for good
let away = ""; // why nothing is heard
let told = ""; // what the hub says is wrong with it
let events = null;
let listened = false;
let heard = 0; // when
let waits = AGAIN_MS;
let retry = null;

const parts = () => document.querySelectorAll("[data-live]");
const nameOf = (part) => part.id || part.getAttribute("hx-get");

// What somebody is using is left alone until they are done with it.
function busy(part) {
  const held = document.activeElement;
  if (held && part.contains(held) && held.matches("input, textarea, select, summary")) return true;
  if (part.querySelector("details[open] form") || [...part.querySelectorAll("form.filters")].some(isFilled)) return true;
  const selection = document.getSelection();
  return Boolean(selection && !selection.isCollapsed && selection.containsNode(part, true));
}

// What is the same is not said again: a screen reader would speak each time.
function say(sentence) {
  if (!trouble || trouble.textContent === sentence) return;
  trouble.hidden = !sentence;
  trouble.textContent = sentence;
}

const sayWhatIsWrong = () => say(ended || away || told || [...failing.values()][0] || "");

function askFor(part) {
  const name = nameOf(part);
  old.delete(name);
  next.set(name, performance.now() + PACE_MS + Math.random() * 3 * SPREAD_MS);
  setTimeout(() => {
    const there = [...parts()].find((each) => nameOf(each) === name);
    if (there && !busy(there)) there.dispatchEvent(new CustomEvent("andon:changed"));
    else old.add(name);
  }, Math.random() * SPREAD_MS);
}

function hear(news) {
  if (dot) dot.dataset.pulse = news.trouble ? "" : "on";
  [heard, waits, away, told] = [performance.now(), AGAIN_MS, "", news.trouble];
  sayWhatIsWrong();
  document.dispatchEvent(new CustomEvent("andon:beat", { detail: news }));
  for (const part of parts()) {
    const name = nameOf(part);
    if (part.dataset.live.split(" ").some((topic) => news.changed.includes(topic))) old.add(name);
    if (old.has(name) && performance.now() >= (next.get(name) ?? 0) && !busy(part)) askFor(part);
  }
}

// Nobody told this page what changed while it did not listen, nor before it first did, if that was long.
function listen() {
  if (events && events.readyState !== EventSource.CLOSED) return;
  clearTimeout(retry);
  heard = performance.now();
  events = new EventSource("/events");
  events.onopen = () => {
    if (listened || performance.now() > FRESH_MS) for (const part of parts()) old.add(nameOf(part));
    listened = true;
  };
  events.onmessage = (message) => hear(JSON.parse(message.data));
  events.onerror = () => {
    if (dot) dot.dataset.pulse = "";
    if (events?.readyState === EventSource.CLOSED) refused();
  };
}

// A browser comes back by itself to a hub that is away; not to one that refuses it, or a proxy that is there alone.
function refused() {
  away = "This page hears no changes: your session may have ended, or too many pages are open. It tries again by itself; to sign in, load it again.";
  sayWhatIsWrong();
  if (ended) return;
  retry = setTimeout(listen, waits);
  waits = Math.min(2 * waits, LONGEST_MS);
}

// A line can be cut without either end noticing: what is silent is given up, and asked for anew.
function check() {
  if (!events || events.readyState === EventSource.CLOSED || performance.now() - heard < SILENT_MS) return;
  away = "The hub does not answer; what you see may be old.";
  sayWhatIsWrong();
  leave();
  listen();
}

function leave() {
  clearTimeout(retry);
  events?.close();
  events = null;
  if (dot) dot.dataset.pulse = "";
}

// A click counts only where the pointer, or the space bar, comes up on what it went down on, so nothing under it is
// replaced between.
let pressed = null;
const letGo = () => setTimeout(() => { pressed = null; });
document.addEventListener("pointerdown", (event) => { pressed = event.target; }, true);
document.addEventListener("keydown", (event) => { if (event.key === " ") pressed = event.target; }, true);
for (const end of ["pointerup", "pointercancel", "contextmenu", "keyup"]) document.addEventListener(end, letGo, true);
addEventListener("blur", letGo);

let kept = null; // what a reader holds of the part that is being replaced
document.addEventListener("htmx:beforeSwap", (event) => {
  const { elt, xhr } = event.detail;
  if (!elt.matches("[data-live]")) return;
  if (xhr.status < 400 && failing.delete(nameOf(elt))) sayWhatIsWrong();
  if (!event.detail.shouldSwap) return;
  if (elt.contains(pressed) || busy(elt)) {
    event.detail.shouldSwap = false;
    old.add(nameOf(elt));
    next.delete(nameOf(elt)); // asked for again at once
    return;
  }
  kept = keep(elt);
});
document.addEventListener("htmx:afterSwap", () => {
  if (kept) bringBack(kept);
  kept = null;
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.matches("[data-live]")) event.preventDefault(); // asked for when it is seen
});
document.addEventListener("htmx:configRequest", (event) => {
  const { shown } = event.detail.elt.dataset;
  if (shown) event.detail.headers["X-Shown"] = shown;
});

const WHY = {
  401: "Your session has ended: load this page again to sign in.",
  403: "This page is of an earlier session: load it again.",
};
function failed(event) {
  const { elt, xhr } = event.detail;
  const sentence = "The hub did not answer as it should; what you see may be old.";
  if (WHY[xhr?.status]) ended = WHY[xhr.status];
  if (elt.matches("[data-live]")) {
    old.add(nameOf(elt)); // asked for again at its pace
    failing.set(nameOf(elt), sentence);
    sayWhatIsWrong();
  } else {
    say(ended || sentence);
  }
}
for (const fails of ["responseError", "sendError", "timeout"]) document.addEventListener(`htmx:${fails}`, failed);

document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => {
  if (event.persisted && !document.hidden) listen();
  sayWhatIsShown(event.persisted);
});
if (!document.hidden) listen();
setInterval(check, SILENT_MS / 5);

for (const form of document.querySelectorAll("form.toolbar")) {
  form.addEventListener("change", (event) => {
    if (event.target.name === "span") form.requestSubmit();
  });
}

// After "back" a browser fills in what was chosen there last, which is not what that page shows. Somebody may be quicker
// than a page that is still loading.
function sayWhatIsShown(again) {
  for (const form of document.querySelectorAll("form.filters")) if (again || !form.contains(document.activeElement)) form.reset();
  for (const input of document.querySelectorAll("form.toolbar :is([type=radio], [type=checkbox])")) input.checked = input.defaultChecked;
}

// Keeps a page current: hears what changed and asks for those parts again. The hub's clock is the only clock.
//
// In a living plant something changes every second, on every open page. A part asks at once, and then not again
// before its pace; it says what it shows already, so that the hub sends nothing where that is still so. A tab that
// nobody sees listens to nothing and asks nothing; when somebody looks at it again, it asks for all it shows.

const PACE_MS = 5000; // from one time that a part asks to the next, at least
const SPREAD_MS = 300; // pages hear of a change at the same moment, and do not ask at the same one

const dot = document.querySelector("[data-pulse]");
const trouble = document.querySelector("[data-trouble]");

const old = new Set(); // parts that changed since they were asked for
const next = new Map(); // when a part may ask again
let ended = ""; // what is wrong with this page for good
let events = null;
let listened = false;

const parts = () => document.querySelectorAll("[data-live]");
const nameOf = (part) => part.id || part.getAttribute("hx-get");

// What somebody is using is left alone until they are done with it.
function busy(part) {
  const held = document.activeElement;
  if (held && part.contains(held) && held.matches("input, textarea, select, summary")) return true;
  if (part.querySelector("details[open] form")) return true;
  const selection = document.getSelection();
  return Boolean(selection && !selection.isCollapsed && part.contains(selection.anchorNode));
}

function say(sentence) {
  if (!trouble) return;
  trouble.hidden = !sentence;
  trouble.textContent = sentence;
}

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
  say(news.trouble || ended);
  document.dispatchEvent(new CustomEvent("andon:beat", { detail: news }));
  for (const part of parts()) {
    const name = nameOf(part);
    if (part.dataset.live.split(" ").some((topic) => news.changed.includes(topic))) old.add(name);
    if (old.has(name) && performance.now() >= (next.get(name) ?? 0) && !busy(part)) askFor(part);
  }
}

// Nobody told this page what changed while it did not listen.
function listen() {
  if (events && events.readyState !== EventSource.CLOSED) return;
  events = new EventSource("/events");
  events.onopen = () => {
    if (listened) for (const part of parts()) old.add(nameOf(part));
    listened = true;
  };
  events.onmessage = (message) => hear(JSON.parse(message.data));
  events.onerror = () => {
    if (dot) dot.dataset.pulse = "";
    if (events?.readyState === EventSource.CLOSED) say("This page hears no changes any more: your session may have ended, or too many pages are open. Load it again.");
  };
}

function leave() {
  events?.close();
  events = null;
  if (dot) dot.dataset.pulse = "";
}

// A click counts only where the pointer comes up on what it went down on, so nothing under it is replaced between.
let pressed = null;
document.addEventListener("pointerdown", (event) => { pressed = event.target; }, true);
for (const end of ["pointerup", "pointercancel", "contextmenu"]) {
  document.addEventListener(end, () => setTimeout(() => { pressed = null; }), true);
}

// What a reader opened stays open when its part is replaced.
let opened = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  const { elt } = event.detail;
  if (elt.matches("[data-live]") && elt.contains(pressed)) {
    event.detail.shouldSwap = false;
    old.add(nameOf(elt));
    next.delete(nameOf(elt)); // asked for again at once
    return;
  }
  opened = [...event.target.querySelectorAll("details[open][id]")].map((each) => each.id);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  opened = [];
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
  if (elt.matches("[data-live]")) old.add(nameOf(elt)); // asked for again at its pace
  if (WHY[xhr?.status]) ended = WHY[xhr.status];
  say(ended || "The hub did not answer as it should; what you see may be old.");
}
document.addEventListener("htmx:responseError", failed);
document.addEventListener("htmx:sendError", failed);

document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => {
  if (event.persisted && !document.hidden) listen();
  sayWhatIsShown();
});
if (!document.hidden) listen();

for (const form of document.querySelectorAll("form.toolbar")) {
  form.addEventListener("change", (event) => {
    if (event.target.name === "span") form.requestSubmit();
  });
}

// After "back" a browser fills in what was chosen there last, which is not what that page shows.
function sayWhatIsShown() {
  for (const form of document.querySelectorAll("form.filters")) form.reset();
  for (const input of document.querySelectorAll("form.toolbar :is([type=radio], [type=checkbox])")) input.checked = input.defaultChecked;
}

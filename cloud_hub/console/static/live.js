// Keeps a page current: hears what changed and asks for those parts again. The hub's clock is the only clock.

const clock = document.querySelector("[data-clock]");
const dot = document.querySelector("[data-pulse]");
const trouble = document.querySelector("[data-trouble]");

// What somebody is using is left alone until the next change.
function busy(part) {
  const held = document.activeElement;
  if (held && part.contains(held) && held.matches("input, textarea, select, summary")) return true;
  if (part.querySelector("details[open] form")) return true;
  const selection = document.getSelection();
  return Boolean(selection && !selection.isCollapsed && part.contains(selection.anchorNode));
}

function say(sentence) {
  if (!trouble) return;
  trouble.hidden = false;
  trouble.textContent = sentence;
}

function hear(news) {
  if (clock) clock.textContent = news.clock;
  if (dot) dot.dataset.pulse = news.trouble ? "" : "on";
  if (trouble) {
    trouble.hidden = !news.trouble;
    trouble.textContent = news.trouble;
  }
  document.dispatchEvent(new CustomEvent("andon:beat", { detail: news }));
  if (document.hidden) return;
  for (const part of document.querySelectorAll("[data-live]")) {
    const concerned = part.dataset.live.split(" ").some((topic) => news.changed.includes(topic));
    if (concerned && !busy(part)) part.dispatchEvent(new CustomEvent("andon:changed"));
  }
}

// What a reader opened stays open when its part is replaced.
let opened = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  opened = [...event.target.querySelectorAll("details[open][id]")].map((each) => each.id);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  opened = [];
});

const events = new EventSource("/events");
events.onmessage = (message) => hear(JSON.parse(message.data));
events.onerror = () => {
  if (dot) dot.dataset.pulse = "";
  if (events.readyState === EventSource.CLOSED) say("This page hears no changes any more: your session may have ended. Load it again.");
};
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) say("Your session has ended: load this page again to sign in.");
  if (event.detail.xhr.status === 403) say("This page is of an earlier session: load it again.");
});
addEventListener("pagehide", () => events.close());

for (const form of document.querySelectorAll("form.toolbar")) {
  form.addEventListener("change", (event) => {
    if (event.target.name === "span") form.requestSubmit();
  });
}

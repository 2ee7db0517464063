// What a reader holds of a part stays theirs when the part is replaced: what they opened, where the keyboard is, how
// far a list is scrolled. Whether they have begun to fill in a form.

const STOPS = "a[href], button, [tabindex]";
const SCROLLS = ".panel, .scrolls, .drawn, pre";

// Two elements are alike if they lead to the same, or are called the same.
function meaning(each) {
  const says = each.getAttribute("href") ?? each.getAttribute("aria-labelledby") ?? each.getAttribute("aria-label");
  return `${each.localName} ${each.className} ${says ?? each.textContent}`;
}

function alike(part, kind, wanted) {
  return [...part.querySelectorAll(kind)].filter((each) => meaning(each) === wanted);
}

// By what ``find`` finds the like of ``element`` in the part that comes.
function mark(part, kind, element) {
  const wanted = meaning(element);
  return { kind, wanted, at: alike(part, kind, wanted).indexOf(element) };
}

function find(part, { kind, wanted, at }) {
  const found = alike(part, kind, wanted);
  return found[at] ?? found[0];
}

// What is held of ``part``, for ``bringBack``.
export function keep(part) {
  const held = document.activeElement;
  const scrolled = [...part.querySelectorAll(SCROLLS)].filter((each) => each.scrollTop || each.scrollLeft);
  return {
    id: part.id,
    opened: [...part.querySelectorAll("details[open][id]")].map((each) => each.id),
    held: held?.matches(STOPS) && part.contains(held) ? mark(part, STOPS, held) : null,
    scrolled: scrolled.map((each) => ({ place: mark(part, SCROLLS, each), top: each.scrollTop, left: each.scrollLeft })),
  };
}

export function bringBack({ id, opened, held, scrolled }) {
  for (const each of opened) document.getElementById(each)?.setAttribute("open", "");
  const part = document.getElementById(id);
  if (!part) return;
  for (const { place, top, left } of scrolled) find(part, place)?.scrollTo({ top, left, behavior: "instant" });
  // what has an id has the focus again already: htmx sees to that
  if (held && document.activeElement === document.body) find(part, held)?.focus({ preventScroll: true });
}

// Whether ``form`` holds another thing than the page was sent with.
export function isFilled(form) {
  const sent = form.cloneNode(true);
  sent.reset();
  const [here, there] = [form, sent].map((each) => new URLSearchParams(new FormData(each)).toString());
  return here !== there;
}

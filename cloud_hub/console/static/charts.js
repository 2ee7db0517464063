// Draws what /api/v1 tells, in the zone in which the page shows times. A live span asks at each beat of the hub for the newest points alone,
// and for the whole of it as often as a point of its width goes by, one request at a time.

import { css, faded, options, setMarks, told } from "./chart_drawing.js";
import { show } from "./times.js";

const POINTS = 2000; // of a chart, as the hub tells them
const PATIENCE_S = 5; // until a chart that failed asks again by itself; twice as long each time
const LONGEST_S = 60;
const ANSWER_MS = 60_000; // a line can be cut without either end noticing

// A chart is as wide as its place, however the page changes.
const fit = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    if (target.plot && target.clientWidth && target.clientWidth !== target.plot.width) {
      target.plot.setSize({ width: target.clientWidth, height: target.plot.height });
    }
  }
});

function redraw(uPlot, place, height, make, data) {
  const { series, extra } = make();
  place.plot?.destroy();
  place.replaceChildren();
  if (place.getAttribute("role") === "group") place.setAttribute("role", "img");
  place.plot = new uPlot(options(uPlot, place, height, series, extra), data, place);
  fit.observe(place);
  place.again = () => redraw(uPlot, place, height, make, place.plot.data);
}

function update(uPlot, place, height, make, data) {
  if (place.plot && place.plot.data.length === data.length) place.plot.setData(data);
  else redraw(uPlot, place, height, make, data);
}

function nothing(place, text) {
  place.plot?.destroy();
  place.plot = null;
  const said = document.createElement("p");
  said.className = "empty";
  said.textContent = text;
  place.replaceChildren(said);
  if (place.getAttribute("role") === "img") place.setAttribute("role", "group"); // words are for everybody
}

// Why there is no chart, in its place, and a way to ask again. What was drawn before stays: it is old, not wrong.
function failed(place, text, again) {
  place.waits = Math.min((place.waits ?? PATIENCE_S / 2) * 2, LONGEST_S);
  place.retry = performance.now() + place.waits * 1e3;
  if (place.drawn) return;
  nothing(place, text);
  place.firstElementChild.setAttribute("role", "status");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Try again";
  button.addEventListener("click", again);
  place.firstElementChild.append(document.createElement("br"), button);
}

// Remaining life with its interval, or the anomaly where a release tells no life.
const FIGURES = {
  life: {
    values: (told) => [told.upper, told.lower, told.remaining_life],
    look(data) {
      const edge = { stroke: faded(data, 45), width: 1, points: { show: false } };
      const series = [{ ...edge, label: "upper" }, { ...edge, label: "lower" }, { label: "remaining life", stroke: data, width: 2, points: { show: false } }];
      return { series, bands: [{ series: [1, 2], fill: faded(data, 16) }] };
    },
    name: (d, at, unit) => `${told(d[3][at])} ${unit} (${told(d[2][at])} to ${told(d[1][at])})`,
  },
  anomaly: {
    values: (told) => [told.anomaly],
    look: (data) => ({ series: [{ label: "anomaly", stroke: data, width: 2, points: { show: false } }] }),
    name: (d, at) => `anomaly ${told(d[1][at])}`,
  },
};

function drawLife(uPlot, place, answer) {
  place.span = [answer.start, answer.end];
  place.gaps = answer.gaps;
  setMarks(answer.marks);
  for (const other of plots()) if (other !== place) other.plot?.redraw(false);
  if (!answer.times.length) {
    nothing(place, "No prediction in this span.");
    return;
  }
  const figure = FIGURES[place.dataset.figure];
  const make = () => {
    const { series, bands } = figure.look(css("--data"));
    const extra = {
      bands,
      scales: { y: { range: (_, low, high) => [Math.min(0, low), high * 1.05 || 1] } },
      threshold: Number.parseFloat(place.dataset.threshold),
      output: document.getElementById("pointed-life"),
      name: (d, at) => figure.name(d, at, place.dataset.unit),
    };
    return { series, extra };
  };
  update(uPlot, place, 260, make, [answer.times, ...figure.values(answer)]);
}

function boxFor(place, signal) {
  const found = [...place.children].find((child) => child.dataset.signal === signal);
  if (found) return found;
  const box = document.createElement("div");
  const title = document.createElement("h3");
  const output = document.createElement("output");
  const plot = document.createElement("div");
  box.className = "chart";
  box.dataset.signal = signal;
  title.textContent = signal;
  output.className = "pointed";
  output.setAttribute("aria-live", "off"); // it changes all the time
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", `${signal} over time; latest values are in the table below.`);
  title.append(output);
  box.append(title, plot);
  place.append(box);
  return box;
}

function drawSeries(uPlot, place, answer) {
  place.querySelector(":scope > .empty")?.remove();
  const boxes = answer.series.map((each) => boxFor(place, each.signal)); // all of them first: they share the width
  answer.series.forEach((each, n) =>
    drawOne(uPlot, boxes[n].lastElementChild, boxes[n].querySelector("output"), answer, each),
  );
}

function drawOne(uPlot, place, output, answer, each) {
  place.span = [answer.start, answer.end];
  place.gaps = answer.gaps;
  if (!each.times.length) {
    const why = [...new Set(answer.gaps.map((gap) => gap.reason))].join(", ");
    nothing(place, why ? `No sample in this span: ${why}.` : "No sample in this span.");
    return;
  }
  const stretched = Boolean(each.high);
  const make = () => {
    const data = css("--data");
    const line = { stroke: data, width: 1.4, points: { show: false } };
    const name = (d, at) => `${told(d[d.length - 1][at])}${stretched ? ` to ${told(d[1][at])}` : ""} ${each.unit_label}`;
    return stretched
      ? { series: [{ ...line, label: "highest" }, { ...line, label: "lowest" }], extra: { output, name, bands: [{ series: [1, 2], fill: faded(data, 30) }] } }
      : { series: [{ ...line, label: each.signal }], extra: { output, name } };
  };
  update(uPlot, place, 120, make, stretched ? [each.times, each.high, each.low] : [each.times, each.low]);
}

const DRAW = { life: drawLife, series: drawSeries };
const plots = () => [...document.querySelectorAll(".chart, .chart > div")].filter((place) => place.plot);

async function ask(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(ANSWER_MS) });
  if (answer.status === 401) return { error: "Your session has ended: load this page again to sign in." };
  const body = await answer.json().catch(() => null); // cut off in the middle, or a proxy's page
  if (answer.ok && body) return body;
  if (answer.ok) return { error: "The chart could not be loaded: the hub's answer was cut off." };
  return { error: body?.error ?? `The chart could not be loaded: the hub answered ${answer.status}.` };
}

async function refresh(uPlot, place) {
  if (place.asking) return;
  place.asking = true;
  let body;
  try {
    body = await ask(place.dataset.url);
  } catch {
    body = { error: "The hub does not answer." };
  }
  place.asking = false;
  if (body.error) {
    failed(place, body.error, () => refresh(uPlot, place));
    return;
  }
  DRAW[place.dataset.chart](uPlot, place, body);
  place.drawn = body;
  place.waits = place.retry = undefined;
}

// The span goes on to ``now``, with one more point where there is a newer one.
function grow(place, now, time, values) {
  const length = place.span[1] - place.span[0];
  place.span = [now - length, now];
  const data = place.plot.data;
  if (!(time > data[0].at(-1))) place.plot.setData(data);
  else place.plot.setData([[...data[0], time], ...data.slice(1).map((known, n) => [...known, values[n]])]);
}

function growAll(body) {
  for (const place of plots()) {
    const signal = place.closest("[data-signal]")?.dataset.signal;
    const figure = FIGURES[place.dataset.figure];
    const point = figure ? body.prediction : body.signals[signal];
    const values = point && (figure ? figure.values(point) : place.plot.series.slice(1).map(() => point.value));
    grow(place, body.now, point?.time, values);
  }
  for (const [signal, point] of Object.entries(body.signals)) {
    const row = document.querySelector(`[data-latest="${CSS.escape(signal)}"]`);
    if (!row) continue;
    row.querySelector("[data-value]").textContent = told(point.value);
    const time = row.querySelector("time");
    if (!time) continue;
    time.dateTime = new Date(point.time * 1e3).toISOString();
    show(time);
  }
}

// Whether a chart of ``place`` says that there is nothing, and there is something now.
function isEmpty(place, body) {
  const since = place.drawn?.start ?? 0;
  if (place.dataset.chart === "life") return !place.plot && body.prediction?.time > since;
  return [...place.children].some((box) => !box.lastElementChild.plot && body.signals[box.dataset.signal]?.time > since);
}

let asking = false;

async function follow(uPlot, places, news) {
  const live = places.filter((place) => place.dataset.newest);
  const due = places.filter((place) => {
    if (performance.now() < place.retry) return false;
    if (!place.drawn) return true;
    const { start, end } = place.drawn;
    if (place.dataset.chart === "life" && news.changed.includes("alarms")) return true;
    return live.includes(place) && news.now - end >= Math.max((end - start) / POINTS, 1);
  });
  await Promise.all(due.map((place) => refresh(uPlot, place)));
  if (asking || !live.some((place) => !due.includes(place))) return;
  asking = true;
  try {
    const body = await ask(live[0].dataset.newest);
    if (body.error) return;
    growAll(body);
    for (const place of live) if (isEmpty(place, body)) place.drawn = null; // asked for as a whole at the next beat
  } catch {
    // the next beat asks again, and the page's head says that the hub does not answer
  } finally {
    asking = false;
  }
}

async function start() {
  const places = [...document.querySelectorAll("[data-chart]")];
  let uPlot;
  try {
    ({ default: uPlot } = await import("./vendor/uPlot.esm.js"));
  } catch {
    for (const place of places) nothing(place, "Charts need the console's scripts: run python -m cloud_hub.console.vendor");
    return;
  }
  for (const place of places) nothing(place, "Loading…");
  await Promise.all(places.map((place) => refresh(uPlot, place)));
  document.addEventListener("andon:beat", (event) => {
    if (!document.hidden) follow(uPlot, places, event.detail);
  });
  const again = () => plots().forEach((place) => place.again?.());
  document.addEventListener("andon:zone", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}

start();

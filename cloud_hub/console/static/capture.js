// Draws one raw window and its spectrum, beside another of the same signal where a link asks for that. What somebody
// looks at closer goes into the link, and into the page's other links.

import { css, faded, told } from "./chart_drawing.js";

const APART = 46; // pixels between two labels of lines
const DRAWN = 3; // harmonics; more would hide the spectrum
const FAINTEST = 1e-5; // of the highest amplitude: what is fainter is not drawn on a logarithmic scale

const DRAWINGS = {
  waveform: {
    zoom: "ms",
    unit: "ms",
    height: 200,
    x: (one) => one.values.map((_, n) => (n * 1e3) / one.rate_hz),
    y: (one) => one.values,
  },
  spectrum: {
    zoom: "hz",
    unit: "Hz",
    height: 300,
    x: (one) => one.amplitudes.map((_, n) => n * one.step_hz),
    y: (one) => one.amplitudes,
  },
};

const isOfShaft = (line) => line.short.endsWith("shaft");

// The lines that have names, and as many of these as there is room for: those of a bearing first, without factors.
const order = (line) => 2 * line.number + (isOfShaft(line) ? 1 : 0);

function drawLines(u, lines) {
  const { ctx, bbox } = u;
  const [low, high] = [u.scales.x.min, u.scales.x.max];
  const told = [];
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  for (const line of lines.filter((each) => each.number <= DRAWN).sort((a, b) => order(a) - order(b) || a.hz - b.hz)) {
    if (line.hz < low || line.hz > high) continue;
    const x = Math.round(u.valToPos(line.hz, "x", true)) + 0.5;
    ctx.strokeStyle = css(isOfShaft(line) ? "--faint" : "--warn");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash((isOfShaft(line) ? [2, 3] : [5, 4]).map((length) => length * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (told.some((other) => Math.abs(x - other) < APART * devicePixelRatio)) continue;
    ctx.fillStyle = ctx.strokeStyle;
    ctx.fillText(line.short, x, bbox.top - 4 * devicePixelRatio);
    told.push(x);
  }
  ctx.restore();
}

function nearest(lines, u) {
  const at = u.cursor.left;
  const near = lines.filter((line) => Math.abs(u.valToPos(line.hz, "x") - at) < 5);
  return near.length ? `  ·  ${near.map((line) => `${line.short}: ${line.name}`).join(", ")}` : "";
}

function tell(u, output, drawing, body, lines) {
  const at = u.cursor.idx;
  if (at == null || u.cursor.left < 0) {
    output.textContent = "";
    return;
  }
  const values = u.data.slice(1).map((column) => column[at]).reverse(); // this capture is drawn last, and told first
  const said = values.filter((value) => value != null).map(told).join(" and ");
  output.textContent = `${said} ${body.unit_label} at ${told(u.data[0][at])} ${drawing.unit}${nearest(lines, u)}`;
}

// Link and links of the page go where somebody looks.
function keep(name, text) {
  const here = new URL(location.href);
  if (text) here.searchParams.set(name, text);
  else here.searchParams.delete(name);
  history.replaceState(null, "", here);
  for (const link of document.querySelectorAll(".keeps a")) {
    const url = new URL(link.href);
    if (text) url.searchParams.set(name, text);
    else url.searchParams.delete(name);
    link.href = url;
  }
  for (const form of document.querySelectorAll("form.keeps")) {
    let field = form.querySelector(`input[name="${name}"]`);
    if (!field) {
      field = Object.assign(document.createElement("input"), { type: "hidden", name });
      form.append(field);
    }
    field.value = text;
    field.disabled = !text;
  }
}

function zoomed(name) {
  const [low, high] = (new URLSearchParams(location.search).get(name) ?? "").split("-").map(Number.parseFloat);
  return low >= 0 && high > low ? { min: low, max: high } : null;
}

const short = (value) => String(Number(value.toPrecision(5)));

function table(uPlot, drawing, body, floor) {
  const columns = (one) => [drawing.x(one), drawing.y(one).map((value) => (value < floor ? null : value))];
  return body.other ? uPlot.join([columns(body.other), columns(body)]) : columns(body);
}

function look(place, drawing, body, log) {
  const lines = drawing.zoom === "hz" ? body.lines : [];
  const output = document.getElementById(`pointed-${place.dataset.drawing}`);
  const grid = { stroke: css("--soft"), width: 1 };
  const axis = { stroke: css("--faint"), grid, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const line = { width: 1.2, spanGaps: true, points: { show: false } };
  const series = [{ ...line, label: "this", stroke: css("--data") }];
  if (body.other) series.unshift({ ...line, label: "the other", stroke: faded(css("--warn"), 75) });
  const report = (u) => tell(u, output, drawing, body, lines);
  return {
    width: Math.max(place.clientWidth, 200),
    height: drawing.height,
    padding: [lines.length ? 20 : 8, 24, 0, 0],
    scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
    axes: [{ ...axis, size: 30, values: (_, splits) => splits.map((each) => `${short(each)} ${drawing.unit}`) }, { ...axis, size: 58, space: 26, values: (_, splits) => splits.map((each) => (each == null ? "" : short(each))) }],
    series: [{}, ...series],
    hooks: {
      setCursor: [report],
      draw: [(u) => drawLines(u, lines)],
      setScale: [
        (u, key) => {
          if (key !== "x" || !u.full) return;
          const { min, max } = u.scales.x;
          const all = min <= u.full[0] && max >= u.full[1];
          keep(drawing.zoom, all ? "" : `${short(Math.max(min, 0))}-${short(max)}`);
        },
      ],
    },
    cursor: { drag: { x: true, y: false, setScale: true }, points: { size: 6 } },
    legend: { show: false },
  };
}

function draw(uPlot, place, body) {
  const drawing = DRAWINGS[place.dataset.drawing];
  const log = drawing.zoom === "hz" && document.getElementById("drawings").dataset.scale === "log";
  const highest = drawing.y(body).reduce((most, value) => Math.max(most, value), 1e-12);
  const floor = log ? highest * FAINTEST : -Infinity;
  const data = table(uPlot, drawing, body, floor);
  const wanted = zoomed(drawing.zoom);
  place.plot?.destroy();
  place.replaceChildren();
  place.plot = new uPlot(look(place, drawing, body, log), data, place);
  if (wanted) place.plot.setScale("x", wanted);
  place.plot.full = [data[0][0], data[0].at(-1)];
}

function nothing(places, text) {
  for (const place of places) {
    const said = Object.assign(document.createElement("p"), { className: "empty", textContent: text });
    place.replaceChildren(said);
  }
}

const fit = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    if (target.plot && target.clientWidth && target.clientWidth !== target.plot.width) {
      target.plot.setSize({ width: target.clientWidth, height: target.plot.height });
    }
  }
});

async function start() {
  const places = [...document.querySelectorAll("[data-drawing]")];
  nothing(places, "Loading…");
  let uPlot;
  try {
    ({ default: uPlot } = await import("./vendor/uPlot.esm.js"));
  } catch {
    nothing(places, "Drawing needs the console's scripts: run python -m cloud_hub.console.vendor");
    return;
  }
  try {
    const answer = await fetch(document.getElementById("drawings").dataset.url, { headers: { Accept: "application/json" } });
    const body = await answer.json();
    if (!answer.ok) {
      nothing(places, body.error ?? "The capture could not be loaded.");
      return;
    }
    const all = () => places.forEach((place) => draw(uPlot, place, body));
    all();
    places.forEach((place) => fit.observe(place));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  } catch {
    nothing(places, "The hub does not answer: load this page again.");
  }
}

start();

// Draws what /api/v1 tells. Follows the hub's time by asking again at each beat, one request at a time.

const MARKS = {
  alarm: { colour: "--warn", dash: [5, 4] },
  failure: { colour: "--bad", dash: [] },
  maintenance: { colour: "--ok", dash: [] },
  release: { colour: "--faint", dash: [2, 3] },
};

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const faded = (colour, share) => `color-mix(in srgb, ${colour} ${share}%, transparent)`;
const told = (value) => (value == null ? "–" : Number(value.toPrecision(4)).toString());

const stamp = (seconds) => new Date(seconds * 1e3).toISOString();
const minute = (seconds) => stamp(seconds).slice(0, 16).replace("T", " ");

// A day at its midnight, else the time of day; ISO order, UTC, as everywhere.
function ticks(_, splits) {
  return splits.map((seconds) => (seconds % 86400 ? stamp(seconds).slice(11, 16) : stamp(seconds).slice(5, 10)));
}

function axes() {
  const grid = { stroke: css("--soft"), width: 1 };
  const common = { stroke: css("--faint"), grid, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  return [{ ...common, values: ticks, size: 30 }, { ...common, size: 52, space: 26 }];
}

const holeAt = (gaps, time) => gaps.find((gap) => gap.start <= time && time < gap.end);

// The values under the pointer, else the last ones, told beside the title; of a hole, why there are none. Some gaps
// say only from when to when something may be missing: what is stored in them is told with its gap.
function tell(u, output, name, gaps) {
  const at = u.cursor.idx ?? u.data[1].findLastIndex((value) => value != null);
  const value = u.data[1][at] == null ? "" : `${name(at)}  ·  ${minute(u.data[0][at])}`;
  const hole = u.cursor.left >= 0 && holeAt(gaps, u.posToVal(u.cursor.left, "x"));
  if (!hole) output.textContent = value;
  else if (value && holeAt([hole], u.data[0][at])) output.textContent = `${value}  ·  in a gap: ${hole.reason}`;
  else output.textContent = `missing: ${hole.reason}  ·  ${minute(hole.start)} to ${minute(hole.end)}`;
}

function vertical(u, time, colour, dash) {
  const x = Math.round(u.valToPos(time, "x", true)) + 0.5;
  if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
  u.ctx.save();
  u.ctx.strokeStyle = colour;
  u.ctx.lineWidth = 1.5 * devicePixelRatio;
  u.ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
  u.ctx.beginPath();
  u.ctx.moveTo(x, u.bbox.top);
  u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
  u.ctx.stroke();
  u.ctx.restore();
}

function shade(u, gaps) {
  u.ctx.save();
  u.ctx.fillStyle = faded(css("--warn"), 14);
  for (const gap of gaps) {
    const left = Math.max(u.valToPos(gap.start, "x", true), u.bbox.left);
    const right = Math.min(u.valToPos(gap.end, "x", true), u.bbox.left + u.bbox.width);
    if (right > left) u.ctx.fillRect(left, u.bbox.top, Math.max(right - left, devicePixelRatio), u.bbox.height);
  }
  u.ctx.restore();
}

function horizontal(u, value, colour) {
  const y = Math.round(u.valToPos(value, "y", true)) + 0.5;
  if (!(y > u.bbox.top && y < u.bbox.top + u.bbox.height)) return;
  u.ctx.save();
  u.ctx.strokeStyle = colour;
  u.ctx.lineWidth = devicePixelRatio;
  u.ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
  u.ctx.beginPath();
  u.ctx.moveTo(u.bbox.left, y);
  u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
  u.ctx.stroke();
  u.ctx.restore();
}

function options(uPlot, place, height, series, extra) {
  const report = (u) => tell(u, extra.output, (at) => extra.name(u.data, at), place.gaps ?? []);
  return {
    width: Math.max(place.clientWidth, 200),
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
    scales: { x: { time: true, range: () => place.span }, ...extra.scales },
    axes: axes(),
    series: [{}, ...series],
    bands: extra.bands ?? [],
    hooks: {
      setCursor: [report],
      setData: [report],
      ready: [report],
      drawClear: [(u) => shade(u, place.gaps ?? [])],
      ...extra.hooks,
    },
    cursor: { sync: { key: "machine" }, drag: { x: false, y: false }, points: { size: 6 } },
    legend: { show: false },
  };
}

// A chart is as wide as its place, however the page changes.
const fit = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    if (target.plot && target.clientWidth && target.clientWidth !== target.plot.width) {
      target.plot.setSize({ width: target.clientWidth, height: target.plot.height });
    }
  }
});

function redraw(uPlot, place, height, series, data, extra = {}) {
  place.plot?.destroy();
  place.replaceChildren();
  place.plot = new uPlot(options(uPlot, place, height, series, extra), data, place);
  fit.observe(place);
  place.again = () => redraw(uPlot, place, height, series, data, extra);
}

function update(uPlot, place, height, make, data) {
  const shape = data.length;
  if (place.plot && place.shape === shape) {
    place.plot.setData(data);
    return;
  }
  place.shape = shape;
  const { series, extra } = make();
  redraw(uPlot, place, height, series, data, extra);
}

function nothing(place, text) {
  place.plot?.destroy();
  place.plot = null;
  const said = document.createElement("p");
  said.className = "empty";
  said.textContent = text;
  place.replaceChildren(said);
}

function drawLife(uPlot, place, answer) {
  place.span = [answer.start, answer.end];
  place.marks = answer.marks;
  if (!answer.times.length) {
    nothing(place, "No prediction in this span.");
    return;
  }
  const threshold = Number.parseFloat(place.dataset.threshold);
  const unit = place.dataset.unit;
  const make = () => {
    const data = css("--data");
    return {
      series: [
        { label: "upper", stroke: faded(data, 45), width: 1, points: { show: false } },
        { label: "lower", stroke: faded(data, 45), width: 1, points: { show: false } },
        { label: "remaining life", stroke: data, width: 2, points: { show: false } },
      ],
      extra: {
        scales: { y: { range: (_, low, high) => [Math.min(0, low), high * 1.05 || 1] } },
        bands: [{ series: [1, 2], fill: faded(data, 16) }],
        output: document.getElementById("pointed-life"),
        name: (d, at) => `${told(d[3][at])} ${unit} (${told(d[2][at])} to ${told(d[1][at])})`,
        hooks: {
          draw: [
            (u) => {
              horizontal(u, threshold, css("--warn"));
              for (const mark of place.marks) {
                const look = MARKS[mark.kind];
                if (look) vertical(u, mark.time, css(look.colour), look.dash);
              }
            },
          ],
        },
      },
    };
  };
  update(uPlot, place, 260, make, [answer.times, answer.upper, answer.lower, answer.remaining_life]);
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
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", `${signal} over time; latest values are in the table below.`);
  title.append(output);
  box.append(title, plot);
  place.append(box);
  return box;
}

function drawSeries(uPlot, place, answer) {
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

async function refresh(uPlot, place) {
  if (place.asking) return;
  place.asking = true;
  try {
    const answer = await fetch(place.dataset.url, { headers: { Accept: "application/json" } });
    const body = await answer.json();
    if (answer.ok) DRAW[place.dataset.chart](uPlot, place, body);
    else nothing(place, body.error ?? "The chart could not be loaded.");
  } catch {
    if (!place.plot && !place.childElementCount) nothing(place, "The hub does not answer.");
  } finally {
    place.asking = false;
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
  await Promise.all(places.map((place) => refresh(uPlot, place)));
  document.addEventListener("andon:beat", () => {
    if (!document.hidden) for (const place of places) refresh(uPlot, place);
  });
  const plots = () => document.querySelectorAll(".chart, .chart > div");
  const again = () => plots().forEach((place) => place.plot && place.again?.());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}

start();

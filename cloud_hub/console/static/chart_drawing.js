// How a chart looks and what it tells under the pointer: axes of time, gaps shaded, what happened marked.

import { minute, wall, zone } from "./times.js";

const NEAR = 6; // pixels from a mark at which it is told
const SHORTEST_S = 10; // of a span

const MARKS = {
  alarm: { colour: "--warn", dash: [5, 4] },
  failure: { colour: "--bad", dash: [] },
  maintenance: { colour: "--ok", dash: [] },
  release: { colour: "--faint", dash: [2, 3] },
};

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const faded = (colour, share) => `color-mix(in srgb, ${colour} ${share}%, transparent)`;
export const told = (value) => (value == null ? "–" : Number(value.toPrecision(4)).toString());

// A day at its midnight, else the time of day, with seconds where a span is that short; in ISO order.
function ticks(_, splits) {
  const short = splits.length > 1 && splits[1] - splits[0] < 60;
  return splits.map((seconds) => {
    const [day, time] = wall(new Date(seconds * 1e3), zone(), true).split("T");
    if (short) return time;
    return time.startsWith("00:00") ? day.slice(5) : time.slice(0, 5);
  });
}

let marks = []; // what happened in the span, as the predictions come with it

export function setMarks(happened) {
  marks = happened;
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
  const near = (mark) => u.cursor.left >= 0 && Math.abs(u.valToPos(mark.time, "x") - u.cursor.left) < NEAR;
  const happened = marks.filter(near).map((mark) => `${mark.kind}: ${mark.text}  ·  ${minute(mark.time)}`);
  if (happened.length) {
    output.textContent = happened.join(";  ");
    return;
  }
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

function drawMarks(u) {
  for (const mark of marks) {
    const look = MARKS[mark.kind];
    if (look) vertical(u, mark.time, css(look.colour), look.dash);
  }
}

// What was dragged over, as the page's span: a link like any other.
function lookCloser(u) {
  const { left, width } = u.select;
  if (width < NEAR) return;
  const [start, end] = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
  const link = new URL(location.href);
  const second = (seconds) => new Date(seconds * 1e3).toISOString().slice(0, 19);
  link.searchParams.set("span", "own");
  link.searchParams.set("from", second(start));
  link.searchParams.set("to", second(Math.max(end, start + SHORTEST_S + 1)));
  link.searchParams.set("zone", "UTC");
  location.assign(link);
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

export function options(uPlot, place, height, series, extra) {
  const report = (u) => tell(u, extra.output, (at) => extra.name(u.data, at), place.gaps ?? []);
  return {
    width: Math.max(place.clientWidth, 200),
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), zone()),
    scales: { x: { time: true, range: () => place.span }, ...extra.scales },
    axes: axes(),
    series: [{}, ...series],
    bands: extra.bands ?? [],
    hooks: {
      setCursor: [report],
      setData: [report],
      ready: [report],
      drawClear: [(u) => shade(u, place.gaps ?? [])],
      draw: [(u) => horizontal(u, extra.threshold, css("--warn")), drawMarks],
      setSelect: [lookCloser],
    },
    cursor: { sync: { key: "machine" }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
    legend: { show: false },
  };
}


// A lineage as a graph: things in columns from the rows to what came of them, in rows where those do not fit; each
// leads to its page. The table below says the same, and is what a keyboard and a screen reader go by.

import { css } from "./chart_drawing.js";
import { draw, words } from "./drawing.js";
import { minute } from "./times.js";

const HEIGHT = 58; // of a box
const WIDE = { least: 104, most: 176, across: 22, down: 14 };
const NARROW = { box: 150, across: 10, down: 28 };

// The layers that something lies in, in order, each with its things.
function layers(things) {
  const numbers = [...new Set(things.map((thing) => thing.layer))].sort((one, other) => one - other);
  return numbers.map((number) => things.filter((thing) => thing.layer === number));
}

// Where the middle of each thing lies, how wide boxes are, and how large the whole is.
function arrange(things, width) {
  const columns = layers(things);
  const fits = columns.length * (WIDE.least + WIDE.across) - WIDE.across <= width - 4;
  return fits ? inColumns(columns, width) : inRows(columns, width);
}

function inColumns(columns, width) {
  const room = (width - 4 - (columns.length - 1) * WIDE.across) / columns.length;
  const box = Math.min(room, WIDE.most);
  const across = columns.length > 1 ? (width - box - 4) / (columns.length - 1) : 0;
  const most = Math.max(...columns.map((column) => column.length));
  const height = most * (HEIGHT + WIDE.down) + 4;
  const spots = new Map();
  columns.forEach((column, layer) =>
    column.forEach((thing, at) => {
      const y = height / 2 + (at - (column.length - 1) / 2) * (HEIGHT + WIDE.down);
      spots.set(thing.id, { x: 2 + box / 2 + layer * across, y });
    }),
  );
  return { spots, box, down: false, width, height };
}

function inRows(columns, width) {
  const fit = Math.max(1, Math.floor((width + NARROW.across) / (NARROW.box + NARROW.across)));
  const spots = new Map();
  let y = 2 + HEIGHT / 2;
  for (const column of columns) {
    for (let from = 0; from < column.length; from += fit) {
      const row = column.slice(from, from + fit);
      row.forEach((thing, at) => {
        spots.set(thing.id, { x: width / 2 + (at - (row.length - 1) / 2) * (NARROW.box + NARROW.across), y });
      });
      y += HEIGHT + NARROW.down;
    }
  }
  return { spots, box: NARROW.box, down: true, width, height: y - HEIGHT / 2 - NARROW.down + 4 };
}

function line(text, y, style, layout) {
  return { type: "text", x: 10, y, silent: true, style: { text, width: layout.box - 18, overflow: "truncate", fontFamily: css("--sans"), ...style } };
}

// What else there is to say of a thing; its time as its reader's clock shows it.
const more = (thing) => [thing.detail, thing.time && minute(Date.parse(thing.time) / 1e3)].filter(Boolean).join(", ");

// A box with its kind, title and what else there is to say of it.
function box(thing, layout) {
  const { x, y } = layout.spots.get(thing.id);
  const frame = { x: 0, y: 0, width: layout.box, height: HEIGHT, r: 6 };
  const style = {
    fill: css(thing.here ? "--busy-soft" : "--soft"),
    stroke: css(thing.here ? "--link" : "--line"),
    lineWidth: thing.here ? 2 : 1,
  };
  return {
    type: "group",
    x: x - layout.box / 2,
    y: y - HEIGHT / 2,
    children: [
      { type: "rect", shape: frame, style, cursor: thing.url ? "pointer" : "default" },
      line(thing.kind, 8, { fill: css("--faint"), fontSize: 11 }, layout),
      line(thing.title, 22, { fill: css(thing.url ? "--link" : "--ink"), fontSize: 12, fontWeight: 600 }, layout),
      line(more(thing), 39, { fill: css("--faint"), fontSize: 11 }, layout),
    ],
  };
}

// An arrow from what a thing is made of: from edge to edge, along the way that the layers go.
function arrow(from, to, layout) {
  const [one, other] = [layout.spots.get(from), layout.spots.get(to)];
  const tip = 7;
  const [a, b] = layout.down
    ? [{ x: one.x, y: one.y + HEIGHT / 2 }, { x: other.x, y: other.y - HEIGHT / 2 }]
    : [{ x: one.x + layout.box / 2, y: one.y }, { x: other.x - layout.box / 2, y: other.y }];
  const end = layout.down ? { x: b.x, y: b.y - tip } : { x: b.x - tip, y: b.y };
  const middle = layout.down ? (a.y + end.y) / 2 : (a.x + end.x) / 2;
  const bend = layout.down
    ? { cpx1: a.x, cpy1: middle, cpx2: end.x, cpy2: middle }
    : { cpx1: middle, cpy1: a.y, cpx2: middle, cpy2: end.y };
  const points = layout.down
    ? [[b.x, b.y], [b.x - 4, end.y], [b.x + 4, end.y]]
    : [[b.x, b.y], [end.x, b.y - 4], [end.x, b.y + 4]];
  return {
    type: "group",
    silent: true,
    children: [
      { type: "bezierCurve", silent: true, shape: { x1: a.x, y1: a.y, x2: end.x, y2: end.y, ...bend }, style: { fill: "none", stroke: css("--faint"), lineWidth: 1.2 } },
      { type: "polygon", silent: true, shape: { points }, style: { fill: css("--faint") } },
    ],
  };
}

function options(things, layout) {
  const links = things.flatMap((thing) => thing.made_of.map((from) => [from, thing.id]));
  const series = { type: "custom", coordinateSystem: "none" };
  return {
    aria: { enabled: false },
    textStyle: words(),
    tooltip: {
      renderMode: "richText",
      confine: true,
      backgroundColor: css("--panel"),
      borderColor: css("--line"),
      textStyle: words(),
      formatter: ({ dataIndex }) => [`${things[dataIndex].kind}: ${things[dataIndex].title}`, more(things[dataIndex])].filter(Boolean).join("\n"),
    },
    series: [
      { ...series, silent: true, tooltip: { show: false }, data: links.map((_, at) => at), renderItem: ({ dataIndex }) => arrow(...links[dataIndex], layout) },
      { ...series, name: "things", data: things.map((_, at) => at), renderItem: ({ dataIndex }) => box(things[dataIndex], layout) },
    ],
  };
}

async function show(place) {
  const things = JSON.parse(place.dataset.lineage);
  const inner = document.createElement("div");
  const fitted = () => {
    const layout = arrange(things, place.clientWidth);
    inner.style.width = `${layout.width}px`;
    inner.style.height = `${layout.height}px`;
    return layout;
  };
  const empty = place.firstElementChild;
  place.append(inner);
  fitted();
  const chart = await draw(inner, () => options(things, fitted()));
  if (!chart) {
    inner.remove();
    return;
  }
  empty?.remove();
  chart.on("click", ({ seriesName, dataIndex }) => {
    if (seriesName === "things" && things[dataIndex].url) location.assign(things[dataIndex].url);
  });
  document.addEventListener("andon:zone", () => chart.setOption({ animation: false, ...options(things, fitted()) }, true));
  new ResizeObserver(fitted).observe(place); // the chart follows the size that this gives it
}

for (const place of document.querySelectorAll("[data-lineage]")) show(place);

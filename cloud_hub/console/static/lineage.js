// A lineage as a graph: things in columns from the rows to what came of them, on narrow screens in rows; each
// leads to its page. The table below says the same, and is what a keyboard and a screen reader go by.

import { css, draw, words } from "./drawing.js";

const BOX = { width: 148, height: 58 };
const GAP = { across: 26, down: 16 };
const NARROW = 800; // pixels, below which columns become rows
const LETTERS = 21; // of a title that fits

const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

// The layers that something lies in, in order, each with its things.
function layers(things) {
  const numbers = [...new Set(things.map((thing) => thing.layer))].sort((one, other) => one - other);
  return numbers.map((number) => things.filter((thing) => thing.layer === number));
}

// Where each thing lies, and how large the whole is.
function arrange(things, width) {
  const columns = layers(things);
  const narrow = width < NARROW;
  const most = Math.max(...columns.map((column) => column.length));
  const down = BOX.height + GAP.down;
  if (!narrow) {
    const across = Math.max((width - BOX.width - 8) / Math.max(columns.length - 1, 1), BOX.width + GAP.across);
    const height = most * down + 12;
    const place = (layer, at, count) => ({ x: 4 + BOX.width / 2 + layer * across, y: height / 2 + (at - (count - 1) / 2) * down });
    return { spots: spots(columns, place), width: Math.max(width, across * (columns.length - 1) + BOX.width + 8), height };
  }
  const fit = Math.max(1, Math.floor(width / (BOX.width + 8)));
  const spotted = new Map();
  let y = 8 + BOX.height / 2;
  for (const column of columns) {
    for (let from = 0; from < column.length; from += fit) {
      const row = column.slice(from, from + fit);
      row.forEach((thing, at) => spotted.set(thing.id, { x: width / 2 + (at - (row.length - 1) / 2) * (BOX.width + 8), y }));
      y += BOX.height + 26;
    }
  }
  return { spots: spotted, width, height: y - BOX.height / 2 };
}

function spots(columns, place) {
  const found = new Map();
  columns.forEach((column, layer) => column.forEach((thing, at) => found.set(thing.id, place(layer, at, column.length))));
  return found;
}

// Where the middles of all boxes lie, so that the chart draws them as far apart as they were placed.
function frame(middles) {
  const [left, right] = [Math.min(...middles.map(({ x }) => x)), Math.max(...middles.map(({ x }) => x))];
  const [top, bottom] = [Math.min(...middles.map(({ y }) => y)), Math.max(...middles.map(({ y }) => y))];
  const [wide, high] = [right > left ? 0 : 1, bottom > top ? 0 : 1]; // what has no extent is given some
  return { left: left - wide, top: top - high, width: right - left + 2 * wide, height: bottom - top + 2 * high };
}

function box(thing, spot) {
  return {
    id: thing.id,
    name: thing.id,
    x: spot.x,
    y: spot.y,
    thing,
    cursor: thing.url ? "pointer" : "default",
    itemStyle: { color: thing.here ? css("--busy-soft") : css("--soft"), borderColor: thing.here ? css("--link") : css("--line"), borderWidth: thing.here ? 2 : 1 },
    label: {
      show: true,
      formatter: [`{kind|${thing.kind}}`, `{title|${plain(short(thing.title, LETTERS))}}`, thing.detail ? `{more|${plain(short(thing.detail, 25))}}` : ""].filter(Boolean).join("\n"),
    },
  };
}

// Braces and bars mean something in a label: what people and devices wrote must not.
const plain = (text) => text.replaceAll(/[{}|]/g, " ");

function options(things, layout) {
  const rich = {
    kind: { color: css("--faint"), fontSize: 11, lineHeight: 15, align: "left", width: BOX.width - 18 },
    title: { color: css("--ink"), fontSize: 12, fontWeight: 600, lineHeight: 16, align: "left", width: BOX.width - 18 },
    more: { color: css("--faint"), fontSize: 11, lineHeight: 15, align: "left", width: BOX.width - 18 },
  };
  return {
    aria: { enabled: false },
    textStyle: words(),
    tooltip: {
      renderMode: "richText",
      confine: true,
      backgroundColor: css("--panel"),
      borderColor: css("--line"),
      textStyle: words(),
      formatter: ({ dataType, data }) => (dataType === "node" ? `${data.thing.kind}: ${data.thing.title}\n${data.thing.detail}` : ""),
    },
    series: [
      {
        type: "graph",
        layout: "none",
        ...frame([...layout.spots.values()]),
        coordinateSystem: null,
        symbol: "roundRect",
        symbolSize: [BOX.width, BOX.height],
        edgeSymbol: ["none", "arrow"],
        edgeSymbolSize: 7,
        label: { position: "inside", fontFamily: css("--sans"), rich },
        lineStyle: { color: css("--faint"), width: 1.2, curveness: 0.06 },
        emphasis: { disabled: true },
        silent: false,
        data: things.map((thing) => box(thing, layout.spots.get(thing.id))),
        links: things.flatMap((thing) => thing.made_of.map((source) => ({ source, target: thing.id }))),
      },
    ],
  };
}

async function start() {
  for (const place of document.querySelectorAll("[data-lineage]")) {
    const things = JSON.parse(place.dataset.lineage);
    const inner = document.createElement("div");
    const size = () => {
      const layout = arrange(things, place.clientWidth);
      inner.setAttribute("data-size", `${Math.round(layout.width)}x${Math.round(layout.height)}`);
      inner.style.width = `${layout.width}px`;
      inner.style.height = `${layout.height}px`;
      return layout;
    };
    const empty = place.firstElementChild;
    place.append(inner);
    size();
    const chart = await draw(inner, () => options(things, size()));
    if (!chart) {
      inner.remove();
      continue;
    }
    empty?.remove();
    chart.on("click", ({ dataType, data }) => {
      if (dataType === "node" && data.thing.url) location.assign(data.thing.url);
    });
    new ResizeObserver(() => {
      const before = inner.dataset.size;
      size();
      if (before !== inner.dataset.size) {
        chart.resize();
        chart.setOption({ animation: false, ...options(things, size()) }, true);
      }
    }).observe(place);
  }
}

start();

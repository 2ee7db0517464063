// How the values of one feature lie, drawn large; of another dataset, too, where one is compared. The table beside it
// tells the same in figures.

import { css, faded, told } from "./chart_drawing.js";
import { draw } from "./drawing.js";

const place = document.querySelector("[data-lies]");

// Counts become shares of all values, so that datasets of different sizes compare; a bar spans from edge to edge.
function bars({ low, high, counts, below, above }) {
  const total = counts.reduce((sum, count) => sum + count, below + above);
  const width = (high - low || Math.abs(low) * 0.01 || 1) / counts.length;
  const left = high > low ? low : low - width / 2;
  return counts.map((count, number) => [left + number * width, left + (number + 1) * width, count / total / width, count / total]);
}

function series(name, lies, colour, filled) {
  return {
    name, type: "custom", data: bars(lies), encode: { x: [0, 1], y: 2 },
    renderItem: (params, api) => {
      const [x, y] = api.coord([api.value(0), api.value(2)]);
      const [end, ground] = api.coord([api.value(1), 0]);
      return {
        type: "rect",
        shape: { x, y, width: Math.max(end - x - 1, 1), height: ground - y },
        style: filled ? { fill: faded(colour, 70) } : { fill: "none", stroke: colour, lineWidth: 1.5 },
      };
    },
    itemStyle: { color: colour },
  };
}

const { unit, here, there, hereName, thereName } = place ? JSON.parse(place.dataset.lies) : {};

function options() {
  const text = { color: css("--faint"), fontSize: 12 };
  const line = { lineStyle: { color: css("--line") } };
  return {
    grid: { left: 8, right: 16, top: there ? 34 : 12, bottom: 28, containLabel: true },
    legend: there ? { show: true, top: 0, left: 0, textStyle: text } : { show: false },
    tooltip: {
      trigger: "item", renderMode: "richText",
      formatter: ({ seriesName, data }) => `${seriesName}: ${told(data[0])} to ${told(data[1])} ${unit}: ${(data[3] * 100).toPrecision(3)} %`,
    },
    xAxis: { type: "value", scale: true, name: unit, nameTextStyle: text, axisLabel: text, axisLine: line, splitLine: { show: false } },
    yAxis: { type: "value", axisLabel: { show: false }, axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: css("--soft") } } },
    series: [series(hereName, here, css("--data"), true), ...(there ? [series(thereName, there, css("--warn"), false)] : [])],
  };
}

if (place) draw(place, options);

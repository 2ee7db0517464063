// The figure of each version beside what a guess has, as a chart; a click on a version leads to its page.

import { css } from "./chart_drawing.js";
import { draw, words } from "./drawing.js";

const told = (value) => (value == null ? "–" : Number(value.toPrecision(3)).toString());

function options(place, rows) {
  const unit = place.dataset.unit ? ` ${place.dataset.unit}` : "";
  const axis = { axisLine: { lineStyle: { color: css("--line") } }, axisLabel: { color: css("--faint") }, axisTick: { show: false } };
  const champion = rows.findIndex((row) => row.state.includes("champion"));
  const point = (row, at) => ({
    value: row.value,
    itemStyle: row.state.startsWith("refused") ? { color: css("--panel"), borderColor: css("--bad"), borderWidth: 2 } : { color: css("--data") },
    symbol: at === champion ? "diamond" : "circle",
    symbolSize: at === champion ? 14 : 9,
    label: at === champion ? { show: true, position: "bottom", formatter: "champion", ...words() } : undefined,
  });
  return {
    aria: { enabled: false },
    textStyle: words(),
    grid: { left: 56, right: 16, top: 28, bottom: 46 },
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      backgroundColor: css("--panel"),
      borderColor: css("--line"),
      textStyle: words(),
      formatter: ([{ dataIndex }]) => {
        const row = rows[dataIndex];
        return `version ${row.version}: ${row.state}\n${row.name} ${told(row.value)}${unit}\na guess ${told(row.baseline)}${unit}`;
      },
    },
    legend: { bottom: 0, left: 0, textStyle: { ...words(), color: css("--faint") }, itemWidth: 16, itemHeight: 3, icon: "rect", selectedMode: false },
    xAxis: { ...axis, type: "category", data: rows.map((row) => `${row.version}`), name: "", boundaryGap: true },
    yAxis: { ...axis, type: "value", min: 0, splitLine: { lineStyle: { color: css("--soft") } } },
    series: [
      { name: `${rows.at(-1).name}${unit ? `,${unit}` : ""}`, type: "line", data: rows.map(point), lineStyle: { color: css("--data"), width: 1.5 }, itemStyle: { color: css("--data") } },
      { name: "best trivial guess", type: "line", data: rows.map((row) => row.baseline), lineStyle: { color: css("--faint"), type: "dashed", width: 1.5 }, itemStyle: { color: css("--faint") }, symbol: "none" },
    ],
  };
}

async function drawAll() {
  for (const place of document.querySelectorAll("[data-figures]")) {
    if (place.dataset.drawn) continue;
    place.dataset.drawn = "yes";
    const rows = JSON.parse(place.dataset.figures);
    const chart = await draw(place, () => options(place, rows));
    chart?.on("click", ({ dataIndex }) => location.assign(`${place.dataset.useCase}/${rows[dataIndex].version}`));
  }
}

drawAll();
document.addEventListener("htmx:afterSettle", drawAll);

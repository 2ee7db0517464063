// ECharts, brought in only by pages that draw with it; drawn as SVG, in the page's colours, light or dark.

import { css } from "./chart_drawing.js";

let library;

// Draws ``make()`` in ``place``; again when its width or the colours change. Null where the library is not there.
export async function draw(place, make) {
  library ??= import("./vendor/echarts.esm.js");
  let echarts;
  try {
    echarts = await library;
  } catch {
    return null;
  }
  if (!place.isConnected) return null;
  place.replaceChildren();
  const chart = echarts.init(place, null, { renderer: "svg" });
  const show = () => chart.setOption({ animation: false, ...make() }, true);
  show();
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", show);
  let width = place.clientWidth;
  const fit = new ResizeObserver(() => {
    if (!place.isConnected) {
      fit.disconnect();
      scheme.removeEventListener("change", show);
      chart.dispose();
    } else if (place.clientWidth !== width) {
      width = place.clientWidth;
      chart.resize();
      show();
    }
  });
  fit.observe(place);
  return chart;
}

export const words = () => ({ color: css("--ink"), fontFamily: css("--sans"), fontSize: 12 });

import { el, svg } from "./dom.js";
import { extent, linear } from "./scales.js";

// A small drawing for each series: values by epoch, the best marked.
export function curves(series) {
  return el("div", { class: "curves" }, series.map(({ name, values }, position) => {
    const repeat = series.slice(0, position).filter((other) => other.name === name).length;
    const x = linear([1, Math.max(2, values.length)], [4, 196]), y = linear(extent(values, 0.1), [60, 6]);
    const best = values.indexOf(Math.max(...values));
    const path = values.map((value, i) => `${i ? "L" : "M"}${x(i + 1).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    return el("figure", {},
      svg("svg", { viewBox: "0 0 200 66", role: "img", "aria-label": `${name} by epoch: ${values.join(", ")}` },
        svg("path", { class: "curve", d: path }), svg("circle", { class: "record", cx: x(best + 1), cy: y(values[best]), r: 3.5 })),
      el("figcaption", {}, repeat ? `${name}, again` : name, el("span", {}, `${values[best].toFixed(4)} at epoch ${best + 1} of ${values.length}`)));
  }));
}

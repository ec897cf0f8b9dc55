import { drawing, frame } from "./axes.js";
import { el, number, plural, pointed, signed, svg } from "./dom.js";
import { choice, mark } from "./figures.js";
import { extent, linear, shade } from "./scales.js";

const EFFECT = 24, SHOWN = 14; // height of a line; lines

// What went with better programs; no proof of a cause.
export function importance(run) {
  const kinds = { operators: "mean gain with it, less that without", metrics: "rank correlation with the fitness" };
  const names = Object.keys(kinds).filter((kind) => run.importance[kind].length);
  if (!names.length) return [el("p", { class: "empty" }, "Too few programs have a score to say.")];
  const holder = el("div");
  const draw = (kind) => holder.replaceChildren(bars(run.importance[kind], kinds[kind]));
  return [choice("Of", names, draw, "buttons"), holder];
}

function bars(all, words) {
  const entries = all.length > SHOWN ? [...all].sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect)).slice(0, SHOWN).sort((a, b) => b.effect - a.effect) : all;
  const box = { width: 560, height: entries.length * EFFECT + 54, left: 172, right: 16, top: 6, bottom: 44 };
  const ends = entries.flatMap((entry) => [entry.effect - (entry.error ?? 0), entry.effect + (entry.error ?? 0), 0]);
  const x = linear(extent(ends), [box.left, box.width - box.right]), y = linear([0, 1], [0, 0]);
  y.domain = [0, -1]; // lines need no scale
  return drawing(words, box, frame(x, y, { x: words, y: "" }, box), svg("line", { class: "zero", x1: x(0), x2: x(0), y1: box.top, y2: box.height - box.bottom }),
    entries.map((entry, i) => {
      const at = box.top + i * EFFECT + EFFECT / 2;
      const about = () => [entry.name, entry.error === null ? signed(entry.effect, 2) : `${signed(entry.effect)} ± ${entry.error.toFixed(4)}`, plural(entry.n, "program")];
      return svg("g", { tabindex: 0, role: "img", "aria-label": about().join(", "), class: "effect", on: pointed(about) },
        svg("rect", { class: "hit", x: 0, y: at - EFFECT / 2, width: box.width, height: EFFECT }),
        svg("text", { class: "name", x: box.left - 10, y: at + 4, "text-anchor": "end" }, entry.name.length > 25 ? `${entry.name.slice(0, 24)}…` : entry.name),
        svg("line", { class: "shrink", x1: x(0), x2: x(entry.effect), y1: at, y2: at }),
        entry.error === null ? null : svg("line", { class: "error", x1: x(entry.effect - entry.error), x2: x(entry.effect + entry.error), y1: at, y2: at }),
        svg("circle", { class: entry.effect > 0 ? "point" : "claimed", cx: x(entry.effect), cy: at, r: 4.5 }));
    }));
}

const STRANDS = 250;

// Every program a line through its metrics, the better the darker; the best stands out.
export function parallel(run) {
  const sizes = [run.tie_break, ...run.axes.map((axis) => axis.name)].filter(Boolean);
  const wanted = [...new Set([...sizes, "seconds", ...Object.keys(run.parts), run.metric])];
  const value = (row, name) => (name === "seconds" ? row.seconds : name === run.metric ? row.fitness : row.metrics[name]);
  const names = wanted.filter((name) => new Set(run.scored.map((row) => value(row, name))).size > 1).slice(-9);
  if (names.length < 3) return null;
  const rows = run.ranking.slice(0, STRANDS).map(run.at).filter((row) => names.every((name) => Number.isFinite(value(row, name)))).reverse();
  const box = { width: 1176, height: 330, left: 64, right: 64, top: 40, bottom: 28 };
  const across = (i) => box.left + (i / (names.length - 1)) * (box.width - box.left - box.right);
  const scales = names.map((name) => linear(extent(rows.map((row) => value(row, name)), 0.02), [box.height - box.bottom, box.top]));
  const tone = shade(rows.map((row) => row.fitness));
  const lines = rows.map((row) => {
    const best = row.iteration === run.ranking[0];
    return mark(run, row, { class: `strand ${best ? "top" : tone(row.fitness)}`, d: names.map((name, i) => `${i ? "L" : "M"}${across(i).toFixed(1)} ${scales[i](value(row, name)).toFixed(1)}`).join(""), tabindex: best ? 0 : -1 }, "path");
  });
  const axes = names.map((name, i) => svg("g", { "aria-hidden": "true" },
    svg("line", { class: "floor", x1: across(i), x2: across(i), y1: box.top, y2: box.height - box.bottom }),
    svg("text", { class: "name", x: across(i), y: 14, "text-anchor": "middle" }, name.length > 20 ? `${name.slice(0, 19)}…` : name),
    svg("text", { x: across(i), y: 31, "text-anchor": "middle" }, number(Math.max(...rows.map((row) => value(row, name))), 3)),
    svg("text", { x: across(i), y: box.height - 10, "text-anchor": "middle" }, number(Math.min(...rows.map((row) => value(row, name))), 3))));
  return [el("div", { class: "scroll wide" }, drawing("Programs through their metrics", box, svg("g", {}, lines), axes)),
    rows.length < run.scored.length ? el("p", { class: "note" }, `The best ${rows.length.toLocaleString("en-US")}.`) : null];
}

import { drawing, frame } from "./axes.js";
import { duration, el } from "./dom.js";
import { lines, mark } from "./figures.js";
import { linear, shade } from "./scales.js";

const BARS = 1500; // bars

// When each evaluation ran, in as many lanes as ran at once.
export function timeline(run) {
  const end = run.cost.elapsed_seconds;
  const evaluations = run.programs
    .filter((row) => row.began_at !== null && (row.measured_at ?? end) >= row.began_at)
    .map((row) => ({ row, from: row.began_at, to: row.measured_at ?? end, look: null }));
  const looks = run.looks.map((found) => ({ ...found, look: found.unit, row: run.at(found.iteration) })); // measured afresh
  const bars = [...evaluations, ...looks].sort((a, b) => a.from - b.from);
  if (!bars.length) return [el("p", { class: "empty" }, "Nothing has been evaluated yet.")];
  const lanes = [];
  for (const bar of bars) {
    let lane = lanes.findIndex((free) => free <= bar.from + 1e-6);
    if (lane < 0) lane = lanes.push(0) - 1;
    lanes[lane] = bar.to;
    bar.lane = lane;
  }
  const busy = bars.reduce((sum, bar) => sum + bar.to - bar.from, 0);
  const drawn = bars.slice(-BARS), start = drawn.length < bars.length ? drawn[0].from : 0;
  const high = Math.min(30, Math.max(8, 220 / lanes.length));
  const box = { width: 1176, height: lanes.length * high + 46, left: 8, right: 8, top: 6, bottom: 40 };
  const unit = end - start > 7200 ? ["hours", 3600] : end - start > 300 ? ["minutes", 60] : ["seconds", 1];
  const x = linear([start / unit[1], Math.max(end, start + 1e-6) / unit[1]], [box.left, box.width - box.right]);
  const y = linear([0, 1], [0, 0]);
  y.domain = [0, -1]; // lanes need no scale
  const tone = shade(run.scored.map((row) => row.fitness));
  const marks = drawn.map(({ row, from, to, lane, look }) => {
    const at = x(from / unit[1]);
    const kind = look ? "span look" : row.fitness === null ? `span ${row.status}` : `span ${tone(row.fitness)}${row.iteration === run.ranking[0] ? " top" : ""}`;
    const found = mark(run, row, { class: kind, x: at, y: box.top + lane * high + 2, width: Math.max(1.2, x(to / unit[1]) - at - 1), height: high - 4, rx: 2, tabindex: 0 }, "rect");
    found.addEventListener("mouseenter", (event) => run.tip(event, [...lines(row), look ? `${look}, measured afresh` : "", duration(to - from)]));
    return found;
  });
  const share = end > start ? busy / (end * lanes.length) : 0;
  const words = `${lanes.length === 1 ? "One lane" : `${lanes.length} lanes`}, busy for ${(100 * share).toFixed(0)}% of the time.`;
  return [
    el("div", { class: "scroll wide" }, drawing("Evaluations over time", box, frame(x, y, { x: unit[0], y: "" }, box), marks)),
    el("p", { class: "note" }, drawn.length < bars.length ? `${words} The latest ${BARS.toLocaleString("en-US")} are drawn.` : words),
  ];
}

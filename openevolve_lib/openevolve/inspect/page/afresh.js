import { drawing, frame } from "./axes.js";
import { el, number, plural, signed, spread, svg } from "./dom.js";
import { mark, short } from "./figures.js";
import { extent, linear } from "./scales.js";

const ROW = 30;

// The figure that a program is told by: found afresh, else with luck taken back, else as it was measured.
export function finding(row) {
  if (row.final) return { value: row.final.score, error: row.final.error, kind: "measured afresh" };
  if (row.estimate !== null) return { value: row.estimate, error: row.estimate_error, kind: "with selected luck taken back" };
  return { value: row.fitness, error: row.error, kind: "as measured" };
}

// What became of the claims of the search once its best were measured afresh: the winner's curse, seen.
export function finalists(run) {
  const rows = run.scored.filter((row) => row.final).sort((a, b) => run.rank(a) - run.rank(b) || b.final.score - a.final.score);
  const { final } = run.status;
  const words = final.over ? `Over, after ${plural(final.measured, "fresh measurement")}.` : final.outdated ? "The search has gone on since." : `${plural(final.measured, "fresh measurement")} so far.`;
  if (!rows.length) return [el("p", { class: "empty" }, "Nobody has been measured on everything yet.")];
  const lines = rows.map((row) => ({
    row, claimed: row.final.claimed, estimated: row.final.estimated, found: row.final.score, low: row.final.score - (row.final.error ?? 0), high: row.final.score + (row.final.error ?? 0),
    words: `${row.iteration} · ${short(row.changes || "the initial program", 46)}`, strong: row.final.won,
    tip: [`${row.iteration} · ${spread(row.final.score, row.final.error)} afresh`, `claimed ${number(row.final.claimed)}, estimated ${number(row.final.estimated)}`, `${row.final.measurements} measurements`],
  }));
  return [key("claimed by the search", "with luck taken back", "measured afresh, ± standard error"), el("div", { class: "scroll wide" }, dumbbells(run, lines, run.metric)), el("p", { class: "note" }, words)];
}

// Gains on data that no search has seen.
export function confirmed(run) {
  const { programs, trainings, looks, beside } = run.confirmation;
  const lines = programs.map((entry) => {
    const row = run.byId.get(entry.id), answer = entry.answers.at(-1);
    return {
      row, claimed: entry.claimed, estimated: entry.validated, found: entry.gain, low: answer?.low ?? null, high: answer?.high ?? null, strong: (answer?.p_value ?? 1) < 0.05,
      words: `${row ? row.iteration : entry.id.slice(0, 8)} · ${entry.answers.length ? entry.answers.map((each) => `${each.question} p = ${each.p_value.toPrecision(2)}`).join(", ") : entry.screen}`,
      tip: [row ? `${row.iteration} · ${short(row.changes, 80)}` : entry.id, `claimed ${signed(entry.claimed)}`, entry.gain === null ? entry.screen : `found ${signed(entry.gain)}`],
    };
  });
  return [key("claimed by the search", "fresh seeds, validation", "held-out data, 95% interval"), el("div", { class: "scroll wide" }, dumbbells(run, lines, "gain over the initial program", 0)),
    el("p", { class: "note" }, `${plural(trainings, "training")} of each from seeds that the search did not use; p-values by Holm over programs; the held-out data were looked at ${looks === 1 ? "once" : `${looks} times`}.`),
    beside.length ? networks(beside) : null];
}

// What was tested and what others have published on the same data, the best first.
function networks(rows) {
  const heads = ["network", "parameters", "mean on held-out data", "source"];
  return el("div", { class: "scroll" }, el("table", { class: "numbers" },
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, el("td", {}, row.name), el("td", {}, row.parameters === null ? "?" : row.parameters.toLocaleString("en")), el("td", {}, number(row.value)), el("td", {}, row.source))))));
}

function key(...words) {
  const marks = ["claimed", "estimated", "found"];
  return el("div", { class: "legend" }, words.map((text, i) => el("span", {}, el("i", { class: `key ${marks[i]}`, "aria-hidden": "true" }), text)));
}

function dumbbells(run, lines, name, zero = null) {
  const box = { width: 1176, height: lines.length * ROW + 58, left: 400, right: 24, top: 8, bottom: 44 };
  const every = lines.flatMap((line) => [line.claimed, line.estimated, line.found, line.low, line.high]).filter((value) => value !== null && value !== undefined);
  const x = linear(extent(zero === null ? every : [...every, zero]), [box.left, box.width - box.right]), y = linear([0, 1], [0, 0]);
  y.domain = [0, -1]; // lines need no scale
  const marks = lines.map((line, i) => {
    const at = box.top + i * ROW + ROW / 2, dot = (value, kind, r) => (value === null || value === undefined ? null : svg("circle", { class: kind, cx: x(value), cy: at, r }));
    const found = line.found ?? line.estimated;
    return [
      svg("text", { class: line.strong ? "label way" : "label", x: 0, y: at + 4 }, line.words),
      line.claimed !== null && found !== null ? svg("line", { class: "shrink", x1: x(line.claimed), x2: x(found), y1: at, y2: at }) : null,
      line.low !== null && line.low !== undefined ? svg("line", { class: "interval", x1: x(line.low), x2: x(line.high), y1: at, y2: at }) : null,
      dot(line.claimed, "claimed", 4.5), dot(line.estimated, "estimated", 3.5), dot(line.found, "record", 5.5),
      line.row ? hit(run, line, { x: 0, y: at - ROW / 2, width: box.width, height: ROW }) : null];
  });
  return drawing(name, box, frame(x, y, { x: name, y: "" }, box), zero === null ? null : svg("line", { class: "zero", x1: x(zero), x2: x(zero), y1: box.top, y2: box.height - box.bottom }), marks);
}

function hit(run, line, place) {
  const found = mark(run, line.row, { ...place, class: "hit", tabindex: 0 }, "rect");
  found.addEventListener("mouseenter", (event) => run.tip(event, line.tip));
  found.addEventListener("keydown", (event) => event.key === "Enter" && run.open(line.row.iteration));
  return found;
}

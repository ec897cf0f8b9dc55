import { el, number } from "./dom.js";
import { opens, short } from "./figures.js";
import { shade } from "./scales.js";

const ROWS = 18;

// Programs by the parts of their fitness. What was not measured is empty; what failed is crossed out.
export function heatMap(run) {
  const parts = Object.entries(run.parts);
  const unranked = run.programs.filter((row) => ["rejected", "failed", "measuring"].includes(row.status));
  const rows = [...run.ranking.map(run.at), ...unranked];
  const tones = new Map(parts.map(([metric]) => [metric, shade(run.scored.map((row) => row.metrics[metric]).filter((value) => value !== undefined))]));
  const body = el("tbody");
  let all = false;
  const more = el("button", { type: "button", class: "more", on: { click: () => ((all = true), fill()) } });
  const fill = () => {
    const visible = all ? rows.slice(0, 1000) : opening(run, rows);
    body.replaceChildren(...visible.map((row) => heatRow(run, row, parts, tones)));
    more.hidden = all || visible.length === rows.length;
    more.textContent = `Show ${rows.length > 1000 ? "the first 1,000" : "all"} of ${rows.length.toLocaleString("en-US")}`;
  };
  fill();
  const heads = ["program", "mean", ...parts.map(([, name]) => name)];
  return [
    legend(),
    el("div", { class: "scroll" }, el("table", { class: "heat" }, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), body)),
    more,
  ];
}

// The best, the initial program, and the latest of those without a score: each kind is seen at a glance.
function opening(run, rows) {
  if (rows.length <= ROWS) return rows;
  const others = rows.filter((row) => row.fitness === null).slice(-6);
  const best = rows.filter((row) => row.fitness !== null).slice(0, ROWS - others.length - 1);
  const initial = run.at(0);
  return [...best, ...(initial && !best.includes(initial) && initial.fitness !== null ? [initial] : []), ...others];
}

function heatRow(run, row, parts, tones) {
  const lower = row.status === "rejected";
  return el("tr", { "data-iteration": row.iteration, tabindex: 0, on: opens(run, row.iteration) },
    el("th", { scope: "row" }, el("span", { class: "count" }, String(row.iteration)), " ", short(row.changes || (row.iteration ? "a program" : "the initial program"), 54)),
    el("td", { class: "mean" }, row.fitness === null ? row.status : number(row.fitness)),
    parts.map(([metric]) => {
      const value = row.metrics[metric];
      if (value === undefined) return row.status === "failed" ? el("td", { class: "crossed", "aria-label": "failed" }, "×") : el("td", { class: "unmeasured", "aria-label": "not measured" });
      return lower ? el("td", { class: "lower" }, number(value)) : el("td", { class: tones.get(metric)(value) }, number(value));
    }));
}

function legend() {
  const key = (kind, mark, words) => el("span", {}, el("i", { class: kind, "aria-hidden": "true" }, mark), words);
  return el("div", { class: "legend" }, key("s5", "", "the stronger the shade, the better in its column"), key("lower", "", "on a lower rung only"), key("unmeasured", "", "not measured"), key("crossed", "×", "failed"));
}

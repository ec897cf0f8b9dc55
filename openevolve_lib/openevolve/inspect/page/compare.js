import { el, number, signed } from "./dom.js";

const FLIPS = 14; // parts; of more, all ways to turn their signs are too many to go through

// The first program less the second: as `openevolve compare` tells it.
export function comparison(run, first, second) {
  if (second.fitness === null) return el("p", { class: "message" }, `Iteration ${second.iteration} has no score.`);
  const lines = [["Difference", told(first.fitness - second.fitness, both(first.error, second.error), "errors taken as independent")]];
  if (first.estimate !== null && second.estimate !== null) lines.push(["With luck taken back", signed(first.estimate - second.estimate)]);
  const parts = Object.entries(run.parts).filter(([metric]) => metric in first.metrics && metric in second.metrics);
  const gaps = parts.map(([metric]) => first.metrics[metric] - second.metrics[metric]);
  const paired = signFlips(gaps);
  if (paired) lines.push(["Paired, part by part", `p = ${paired.p.toPrecision(2)} (n = ${gaps.length}, all flips of signs; never below ${paired.smallest.toPrecision(2)})`]);
  if (first.final && second.final) lines.push(["Measured afresh", `${told(first.final.score - second.final.score, both(first.final.error, second.final.error), "")} (n = ${first.final.measurements} and ${second.final.measurements})`]);
  return [
    el("dl", { class: "facts" }, lines.map(([name, words]) => [el("dt", {}, name), el("dd", {}, words)])),
    parts.length ? el("div", { class: "scroll" }, el("table", { class: "numbers" },
      el("thead", {}, el("tr", {}, ["part", String(first.iteration), String(second.iteration), "difference"].map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, parts.map(([metric, name], i) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, number(first.metrics[metric])), el("td", {}, number(second.metrics[metric])), el("td", {}, signed(gaps[i]))))))) : null,
  ];
}

function both(one, two) {
  return one === null || two === null ? null : Math.hypot(one, two);
}

function told(difference, error, note) {
  if (error === null) return `${signed(difference)}; without errors there is no p-value`;
  return `${signed(difference)} ± ${error.toFixed(4)}, p = ${twoSided(difference, error).toPrecision(2)}${note ? ` (${note})` : ""}`;
}

export function twoSided(difference, error) {
  if (error === 0) return difference ? 0 : 1;
  return erfc(Math.abs(difference) / error / Math.SQRT2);
}

// Chebyshev fit (Press et al., Numerical Recipes), to 1.2e-7 of the value.
function erfc(x) {
  const t = 1 / (1 + x / 2);
  const terms = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
  return t * Math.exp(-x * x + terms.reduceRight((sum, term) => sum * t + term, 0));
}

// Fisher's randomization test (1935), two-sided and exact.
export function signFlips(gaps) {
  if (gaps.length < 2 || gaps.length > FLIPS) return null;
  const ways = 2 ** gaps.length, slack = 1e-12 * gaps.reduce((sum, gap) => sum + Math.abs(gap), 0);
  const found = Math.abs(gaps.reduce((sum, gap) => sum + gap, 0));
  let asFar = 0;
  for (let way = 0; way < ways; way++) {
    const sum = gaps.reduce((total, gap, i) => total + ((way >> i) & 1 ? -gap : gap), 0);
    if (Math.abs(sum) >= found - slack) asFar++;
  }
  return { p: asFar / ways, smallest: 2 / ways };
}

// Another program to hold it against: its parent, the best, the initial one, or any by its number.
export function versus(run, row) {
  const others = new Map();
  const parent = run.byId.get(row.parents[0]), best = run.at(run.ranking[0]), initial = run.at(0);
  for (const [name, other] of [["the best", best], ["its parent", parent], ["the initial program", initial]]) if (other && other !== row && other.fitness !== null && ![...others.values()].includes(other)) others.set(name, other);
  const place = el("div", { "aria-live": "polite" });
  const show = (other) => place.replaceChildren(...[comparison(run, row, other)].flat(Infinity).filter(Boolean));
  const buttons = [...others].map(([name, other]) => el("button", { type: "button", on: { click: () => show(other) } }, `${name} (${other.iteration})`));
  const any = el("input", { type: "number", min: 0, "aria-label": "Iteration", placeholder: "iteration", on: { input: () => {
    const other = any.value === "" ? null : run.at(Number(any.value));
    if (other) show(other);
    else place.replaceChildren(el("p", { class: "empty" }, "No program of that number."));
  } } });
  const [first] = others.values();
  if (first) show(first);
  return [el("div", { class: "choice versus", role: "group", "aria-label": "Compare with" }, "With ", buttons, any), place];
}

import { finding } from "./afresh.js";
import { duration, el, spread } from "./dom.js";
import { fetched } from "./sources.js";

// The list of all runs of a folder, and two of them compared.
export async function runsPage() {
  document.title = "Runs · OpenEvolve";
  const content = document.getElementById("content"), chosen = new Set();
  const found = await fetched("/runs"), compared = el("section", { class: "block", "aria-live": "polite" });
  const choose = (name, on) => {
    if (on) chosen.add(name);
    else chosen.delete(name);
    if (chosen.size === 2) compare([...chosen], compared);
    else compared.replaceChildren();
  };
  const rows = found.map((run) => el("tr", {},
    el("td", {}, run.problem ? null : el("input", { type: "checkbox", "aria-label": `Compare ${run.name}`, on: { change: (event) => choose(run.name, event.target.checked) } })),
    el("th", { scope: "row" }, run.problem ? run.name : el("a", { class: "link", href: `/view/${encodeURIComponent(run.name)}` }, run.name)),
    run.problem ? el("td", { class: "words problem", colspan: 4 }, run.problem) : [
      el("td", {}, run.best ? worth(finding(run.best)) : "–"), el("td", {}, `${run.done} of ${run.asked}`),
      el("td", {}, duration(run.hours * 3600)), el("td", { class: "words" }, el("span", { class: run.running ? "state running" : "state" }, run.standing))]));
  const heads = ["", "run", "best", "programs", "time", "standing"];
  content.replaceChildren(
    el("h1", {}, "Runs"), el("p", { class: "asked" }, found.length ? "Choose two to compare them." : "No run in this folder yet."),
    el("section", { class: "block" }, el("div", { class: "scroll" }, el("table", { class: "runs" },
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", class: ["run", "standing"].includes(head) ? "words" : "" }, head)))), el("tbody", {}, rows)))),
    compared);
}

function worth({ value, error, kind }) {
  return [spread(value, error), el("small", { class: "kind" }, kind)];
}

async function compare([first, second], place) {
  try {
    const answer = await fetched(`/runs/${encodeURIComponent(first)}/compare/${encodeURIComponent(second)}`);
    const error = answer.error === null ? "" : ` ± ${answer.error.toFixed(4)}, p = ${answer.p_value.toPrecision(2)}`;
    place.replaceChildren(...[
      el("h2", {}, `${(answer.difference < 0 ? "−" : "+") + Math.abs(answer.difference).toFixed(4)}${error}`),
      el("p", { class: "lead" }, `The best of ${first} less the best of ${second}; errors are taken as independent. Each was selected, and so is lucky: only what was measured afresh is not.`),
      answer.paired ? el("p", {}, `Part by part, paired: ${answer.paired.mean.toFixed(4)} over n = ${answer.paired.count}, p = ${answer.paired.p_value.toPrecision(2)} (never below ${answer.paired.smallest_possible.toPrecision(2)}).`) : null,
      answer.afresh ? el("p", {}, `Measured afresh: ${answer.afresh.difference.toFixed(4)}${answer.afresh.error === null ? "" : ` ± ${answer.afresh.error.toFixed(4)}, p = ${answer.afresh.p_value.toPrecision(2)}`} (n = ${answer.afresh.n.join(" and ")}).`) : null,
      el("div", { class: "scroll" }, el("table", { class: "compared" },
        el("thead", {}, el("tr", {}, ["setting that differs", first, second].map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", {}, answer.settings.map((row) => el("tr", {}, el("th", { scope: "row" }, row.name), [row.first, row.second].map((value) => el("td", {}, JSON.stringify(value) ?? "–")))))))].filter(Boolean));
  } catch (problem) {
    place.replaceChildren(el("p", { class: "message" }, problem.message));
  }
}

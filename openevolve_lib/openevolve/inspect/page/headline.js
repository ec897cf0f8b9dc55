import { finding } from "./afresh.js";
import { duration, el, plural, signed, spread } from "./dom.js";

// What was asked, what was found, and whether it is real.
export function headline(run) {
  const { status } = run, best = run.at(run.ranking[0]);
  return el("header", { class: "masthead" },
    el("div", { class: "bar" }, document.body.classList.contains("served") ? el("a", { class: "link", href: "/" }, "All runs") : null, el("div", { class: "name" }, run.name), el("span", { class: status.running ? "state running" : "state" }, status.standing), controls(run)),
    el("h1", {}, best ? title(run, finding(best)) : "No program has a score yet"),
    el("p", { class: "asked" }, asked(run)),
    best ? el("div", { class: "cards" }, found(run, best), real(run), reached(run)) : null,
    run.left_out ? el("p", { class: "note" }, run.left_out) : null);
}

// The best of many is the luckiest of many: what it is likely worth stands first.
function title(run, { value, error, kind }) {
  return ["Best ", el("em", {}, value.toFixed(4)), el("small", {}, error === null ? "" : ` ± ${error.toFixed(4)}`), ` ${run.metric}`, el("small", { class: "kind" }, kind)];
}

// Of a run that is running and served: what it can be asked.
function controls(run) {
  if (!run.ask || !run.status.running) return null;
  const said = el("span", { role: "status" });
  const button = (words, what) => el("button", { type: "button", class: "link", on: { click: async () => {
    said.textContent = "asked…";
    said.textContent = await run.ask(what).catch((problem) => problem.message);
  } } }, words);
  return el("span", { class: "controls" }, run.status.standing.includes("paused") ? button("Go on", "resume") : button("Pause", "pause"), button("Stop", "stop"), said);
}

function asked(run) {
  const { status } = run;
  const failed = Object.values(status.failures).reduce((sum, count) => sum + count, 0);
  const parts = [`${plural(status.asked, "program")} asked for`, `${status.done} done`, failed ? `${failed} failed` : "", status.rejected ? `${status.rejected} stopped early` : ""].filter(Boolean);
  return `${parts.join(", ")}, in ${duration(run.cost.elapsed_seconds)}${status.spent.cost ? ` and for $${status.spent.cost.toFixed(2)}` : ""}.`;
}

function card(title, ...content) {
  return el("section", { class: "card" }, el("h2", {}, title), ...content);
}

function found(run, best) {
  const tie = run.tie_break && run.tie_break in best.metrics ? ` ${run.tie_break}: ${best.metrics[run.tie_break].toLocaleString("en-US")}.` : "";
  return card("What was found",
    el("p", { class: "figure" }, `iteration ${best.iteration}`),
    el("p", {}, `${best.changes || "A program"}.${tie}`),
    best.estimate !== null || best.final ? el("p", {}, `The search measured ${spread(best.fitness, best.error)}${best.estimate === null ? "" : `; ${spread(best.estimate, best.estimate_error)} with selected luck taken back`}${best.final ? `; ${spread(best.final.score, best.final.error)} afresh` : ""}.`) : null,
    el("p", {}, el("button", { type: "button", class: "link", on: { click: () => run.open(best.iteration) } }, "Read it"), " ",
      best.iteration ? `It is ${plural(run.way(best.iteration).length - 1, "step")} away from the initial program.` : "It is the initial program itself."));
}

function real(run) {
  const verdict = run.verdict;
  if (!verdict) return card("Is it real?", el("p", {}, "There is nothing to compare yet."));
  if (verdict.luck === undefined && verdict.afresh_gain === undefined) {
    return card("Is it real?", el("p", { class: "figure" }, signed(verdict.gain)),
      el("p", {}, "Over the initial program. Nothing is known of the noise, so this run cannot tell the gain from luck."));
  }
  if (verdict.afresh_gain !== undefined) return afresh(verdict);
  const clear = verdict.shrunk_gain > verdict.luck + 2 * verdict.gain_error;
  return card("Is it real?",
    el("p", { class: "figure" }, signed(verdict.gain), el("small", {}, ` ± ${verdict.gain_error.toFixed(4)}`)),
    el("p", {}, `Over the initial program; ${signed(verdict.shrunk_gain)} with selected luck taken back. The luckiest of ${plural(verdict.count, "equal program")} would seem ${signed(verdict.luck)} better.`),
    el("p", {}, clear ? "More than luck explains" : "Luck can explain it", ". ",
      verdict.alike ? `${plural(verdict.alike, "other program")} cannot be told from the best.` : "No other program is as good.", " Only data that no search has seen confirms it."));
}

// After a final the search's own claim is beside the point.
function afresh(verdict) {
  const { afresh_gain: gain, afresh_error: error } = verdict;
  const words = error === null ? "Nothing is known of its error." : gain > 2 * error ? "It is more than twice its error." : "It is within twice its error: chance can explain it.";
  return card("Is it real?",
    el("p", { class: "figure" }, signed(gain), el("small", {}, error === null ? "" : ` ± ${error.toFixed(4)}`)),
    el("p", {}, `Over the initial program, by measurements that chose nothing; the search claimed ${signed(verdict.gain)}.`),
    el("p", {}, words, " Only data that no search has seen confirms it."));
}

function reached(run) {
  const { status } = run, share = status.asked ? Math.min(1, status.done / status.asked) : 1;
  const bar = el("div", { class: "meter", role: "img", "aria-label": `${status.done} of ${status.asked}` }, el("span"));
  bar.firstChild.style.setProperty("--share", share.toFixed(4));
  return card("How far it went",
    el("p", { class: "figure" }, `${status.done}`, el("small", {}, ` of ${status.asked}`)), bar,
    el("p", {}, `${plural(status.scored, "program")} with a score, ${status.cells.held} of ${plural(status.cells.of, "cell")} held. `,
      status.under_way.length ? `Under way: ${status.under_way.slice(0, 8).map((row) => `${row.iteration} (${row.status})`).join(", ")}.` : ""));
}


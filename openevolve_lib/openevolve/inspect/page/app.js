import { confirmed, finalists } from "./afresh.js";
import { decisions } from "./decisions.js";
import { el, tip } from "./dom.js";
import { against, archiveMap, bestSoFar } from "./figures.js";
import { headline } from "./headline.js";
import { heatMap } from "./heat.js";
import { importance, parallel } from "./importance.js";
import { panel } from "./panel.js";
import { runsPage } from "./runs.js";
import { embedded, served } from "./sources.js";
import { endings, environment, ideas, leaderboard, operators, spend } from "./tables.js";
import { timeline } from "./timeline.js";
import { genealogy } from "./tree.js";

// The description with what the figures ask of it.
function model(source) {
  const { told } = source;
  const byIteration = new Map(told.programs.map((row) => [row.iteration, row]));
  const byId = new Map(told.programs.map((row) => [row.id, row]));
  const children = new Map();
  for (const row of told.programs) {
    for (const parent of row.parents) {
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(row);
    }
  }
  const ranks = new Map(told.ranking.map((iteration, rank) => [iteration, rank]));
  const scored = told.programs.filter((row) => row.status === "scored");
  const run = {
    ...told, byId, scored,
    name: told.status.run.split("/").slice(-2).join("/"),
    metric: told.status.fitness_metric,
    metrics: [...new Set(scored.flatMap((row) => Object.keys(row.metrics)))],
    at: (iteration) => byIteration.get(iteration),
    rank: (row) => ranks.get(row.iteration),
    detailed: source.details,
    search: source.search,
    ask: source.ask,
    childrenOf: (row) => children.get(row.id) ?? [],
    way(iteration) {
      const found = [];
      for (let row = byIteration.get(iteration); row; row = byId.get(row.parents[0])) found.unshift(row.iteration);
      return found;
    },
    tip: (event, lines) => tip.show(event, lines),
  };
  run.frontAxes = monotone(run);
  return run;
}

// Metrics in which the front goes one way throughout, and which way is better: -1 is less.
function monotone(run) {
  const front = run.pareto.map(run.at), found = new Map();
  for (const name of run.metrics) {
    const values = front.map((row) => row.metrics[name]);
    const steps = values.slice(1).map((value, i) => Math.sign(value - values[i])); // the best in fitness comes first
    if (steps.length && steps[0] && steps.every((step) => step === steps[0])) found.set(name, steps[0]);
  }
  return found;
}

function section(id, title, note, content) {
  return el("section", { id, class: "block" }, el("h2", {}, title), note ? el("p", { class: "lead" }, note) : null, content);
}

function draw(run) {
  document.title = `${run.name} · OpenEvolve`;
  const scored = run.scored.length;
  document.getElementById("content").replaceChildren(...[
    headline(run),
    scored ? el("div", { class: "pair" },
      section("progress", "Best so far", "Each dot is a program. The line is the best measured by then; the broken line what it is likely worth, the ring what was found afresh.", bestSoFar(run)),
      section("front", "Trade-offs", "The line joins programs that none beats in both; bars are standard errors.", against(run))) : null,
    run.status.final ? section("final", "The final", "The best of the search, measured afresh: what they claimed, what of that was luck, what was found.", finalists(run)) : null,
    run.confirmation ? section("confirmation", "Confirmation", "Gains of the best on data that no search has seen.", confirmed(run)) : null,
    section("tree", "Genealogy", "From the initial program on the left. The way to the best is marked; open any program to read it. Arrow keys walk along the branches.", genealogy(run)),
    scored ? el("div", { class: "pair" },
      section("archive", "Archive", "The best program of each cell; the stronger the shade, the better.", archiveMap(run)),
      section("endings", "How they ended", "Of the failures the latest of each kind.", endings(run))) : section("endings", "How they ended", "", endings(run)),
    scored ? section("leaderboard", "Leaderboard", "", leaderboard(run)) : null,
    scored && Object.keys(run.parts).length ? section("parts", "Part by part", "Programs by what their fitness is the mean of.", heatMap(run)) : null,
    scored && parallel(run) ? section("parallel", "Programs through their metrics", "A line a program, the better the darker; the best stands out.", parallel(run)) : null,
    section("timeline", "Timeline", "Every evaluation, when it ran and how it ended; hollow: measured afresh.", timeline(run)),
    section("decisions", "Decisions", "Whatever shaped the population, with its reason, the latest first.", decisions(run)),
    run.ideas.length ? section("ideas", "Ideas", "In the order in which they are tried.", ideas(run)) : null,
    el("div", { class: "pair" },
      el("div", {}, section("operators", "Who proposed", "A gain is a program's score less its parent's.", operators(run)),
        scored ? section("importance", "What went with gains", "In this run; no proof of a cause.", importance(run)) : null),
      el("div", {}, section("spend", "Spent", "", spend(run)), section("environment", "Environment", "", environment(run)))),
    ...run.extra.map(({ title, text }, i) => section(`extra-${i}`, title, "", el("pre", { class: "reply" }, text))),
    section("again", "To reproduce", "", again(run)),
    el("footer", {}, `Written ${run.written}. ${run.confirmation ? "Of a test split only the confirmation is on this page." : "Nothing of a test split is on this page."}`),
  ].filter(Boolean));
  contents();
}

function again(run) {
  const command = run.environment.command;
  const lines = [
    run.environment.git_sha ? `git checkout ${run.environment.git_sha}` : "",
    "uv sync",
    command === undefined ? "" : `uv run python ${run.environment.entry ?? "run_evolution.py"} ${command}`,
    `uv run openevolve show ${run.ranking[0] ?? 0} ${run.status.run}`,
  ].filter(Boolean);
  const note = run.environment.git_dirty === "True" ? el("p", { class: "note" }, "The checkout had changes that no commit holds.") : null;
  return [note, el("pre", { class: "reply" }, lines.join("\n"))];
}

// Links to the parts of the page, as many as there are.
function contents() {
  const sections = [...document.querySelectorAll("#content .block:not(#progress, #front)")]; // those are in sight
  const links = sections.map((found) => el("a", { href: `#${found.id}` }, found.querySelector("h2").textContent));
  document.querySelector(".bar").after(el("nav", { "aria-label": "Parts of the page" }, links));
}

// A large tree is longer than its box: the best is brought into it.
function showBest() {
  const best = document.querySelector(".node.top"), box = best?.closest(".scroll");
  if (!box || Number(best.getAttribute("cy")) < box.clientHeight) return;
  box.scrollTop = Number(best.getAttribute("cy")) - box.clientHeight / 2;
}

// What a reader has scrolled and where the focus is stays where it was when the page is drawn again.
function redraw(run) {
  const places = [...document.querySelectorAll("#content .block")].map((block) => [block.id, [...block.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop])]);
  const focused = document.activeElement.closest?.("#content .block"), marks = "button, select, input, a, [tabindex]";
  const position = focused ? [...focused.querySelectorAll(marks)].indexOf(document.activeElement) : -1;
  draw(run);
  for (const [id, boxes] of places) {
    const found = [...(document.getElementById(id)?.querySelectorAll(".scroll") ?? [])];
    boxes.forEach(([left, top], i) => found[i]?.scrollTo(left, top));
  }
  if (position >= 0) document.getElementById(focused.id)?.querySelectorAll(marks)[position]?.focus({ preventScroll: true });
}

// Two in a row are at least a second and ten times the work apart: a large run leaves time to read.
function follow(source, state) {
  let busy = false, again = false;
  const advance = async () => {
    if (busy) return void (again = true);
    busy = true;
    do {
      again = false;
      const begun = performance.now();
      try {
        await source.next();
        state.run = prepared(source, state);
        redraw(state.run);
      } catch (problem) {
        document.querySelector(".state")?.replaceChildren(`not followed any more: ${problem.message}`);
        source.changes.close();
      }
      await new Promise((done) => setTimeout(done, Math.max(1000, 10 * (performance.now() - begun))));
    } while (again);
    busy = false;
  };
  source.changes.addEventListener("message", (event) => Number(event.data) > source.bytes && advance());
}

function prepared(source, state) {
  const run = model(source);
  run.open = (iteration) => {
    tip.hide();
    return state.panel.open(iteration);
  };
  return run;
}

function select(iteration) {
  document.querySelectorAll(".selected").forEach((mark) => mark.classList.remove("selected"));
  if (iteration !== null) document.querySelectorAll(`[data-iteration="${iteration}"]`).forEach((mark) => mark.classList.add("selected"));
  history.replaceState(null, "", iteration === null ? location.pathname + location.search : `#${iteration}`);
}

async function runPage(source) {
  const state = { run: null, panel: null };
  state.run = prepared(source, state);
  state.panel = panel(() => state.run, select);
  draw(state.run);
  showBest();
  if (source.changes) follow(source, state);
  document.body.classList.add("ready");
  if (/^#\d+$/.test(location.hash)) await state.run.open(Number(location.hash.slice(1)));
}

const { run: name } = document.body.dataset;
try {
  if (!document.body.classList.contains("served")) await runPage(await embedded());
  else if (name) await runPage(await served(name));
  else await runsPage();
} catch (problem) {
  document.getElementById("content").replaceChildren(el("p", { class: "message" }, problem.message));
}
document.body.classList.add("ready");

import { duration, el, number, spread } from "./dom.js";
import { opens, short } from "./figures.js";

const FIRST = 15;
const board = { wanted: "", all: false, by: "", turned: false }; // what the reader asked of it

export function leaderboard(run) {
  const tie = run.tie_break && run.tie_break !== run.metric ? run.tie_break : null;
  const columns = [
    ["#", (row, rank) => String(rank + 1)],
    ["iteration", (row) => String(row.iteration), (row) => -row.iteration],
    [run.metric, (row) => spread(row.fitness, row.error), (row) => row.fitness],
    ...(run.scored.some((row) => row.estimate !== null) ? [["shrunk", (row) => spread(row.estimate, row.estimate_error), (row) => row.estimate]] : []),
    ...(run.status.final ? [["afresh", (row) => (row.final ? spread(row.final.score, row.final.error) : "–"), (row) => row.final?.score]] : []),
    ...(tie ? [[tie, (row) => number(row.metrics[tie]), (row) => -row.metrics[tie]]] : []),
    ["seconds", (row) => number(row.seconds, 1), (row) => -row.seconds],
    ["change", (row) => row.changes || "–"],
    ["by", (row) => [row.proposer, row.model].filter(Boolean).join(" · ")],
  ];
  let rows = run.ranking.map(run.at), matches = null;
  const body = el("tbody"), more = el("button", { type: "button", class: "more", on: { click: () => ((board.all = true), fill()) } });
  const fill = () => {
    const { wanted } = board;
    const found = rows.filter((row) => !wanted || matches?.has(row.iteration) || `${row.iteration} ${row.id} ${row.changes} ${row.proposer} ${row.model}`.toLowerCase().includes(wanted));
    const visible = board.all ? found : found.slice(0, FIRST);
    body.replaceChildren(...visible.map((row) => el("tr", { tabindex: 0, "data-iteration": row.iteration, class: row.iteration === run.ranking[0] ? "top" : "", on: opens(run, row.iteration) }, columns.map(([name, show], i) => el("td", { class: i > columns.length - 3 ? "words" : "" }, show(row, run.rank(row)))))));
    more.hidden = visible.length === found.length;
    more.textContent = `Show all ${found.length.toLocaleString("en-US")}`;
  };
  const sorted = () => {
    const key = columns.find(([name]) => name === board.by)?.[2];
    rows = run.ranking.map(run.at);
    if (key) rows.sort((a, b) => (board.turned ? -1 : 1) * ((key(b) ?? -Infinity) - (key(a) ?? -Infinity)));
    fill();
  };
  const sort = (name) => {
    board.turned = board.by === name && !board.turned;
    board.by = name;
    sorted();
  };
  const look = async (text) => {
    board.wanted = text;
    matches = null;
    fill();
    if (!text) return;
    const found = await run.search(text); // in the code
    if (board.wanted === text) matches = found;
    fill();
  };
  const heads = columns.map(([name, , key], i) => el("th", { scope: "col", class: i > columns.length - 3 ? "words" : "" }, key ? el("button", { type: "button", on: { click: () => sort(name) } }, name) : name));
  const search = el("input", { type: "search", placeholder: "Search changes, code, models", "aria-label": "Search programs", value: board.wanted, on: { input: () => look(search.value.trim().toLowerCase()) } });
  sorted();
  if (board.wanted) look(board.wanted);
  return [el("div", { class: "choice" }, search), el("div", { class: "scroll" }, el("table", { class: "board" }, el("thead", {}, el("tr", {}, heads)), body)), more];
}

// How all proposals ended, and what went wrong.
export function endings(run) {
  const counts = new Map();
  for (const row of run.programs) counts.set(row.status, (counts.get(row.status) ?? 0) + 1);
  const kinds = [["scored", "with a score"], ["rejected", "stopped on a lower rung"], ["failed", "failed"], ["duplicate", "copies"], ["measuring", "being measured"], ["proposed", "waiting"]].filter(([kind]) => counts.get(kind));
  const shares = kinds.map(([kind]) => {
    const part = el("span", { class: `ended ${kind}` });
    part.style.setProperty("--share", (counts.get(kind) / run.programs.length).toFixed(4));
    return part;
  });
  const keys = kinds.map(([kind, words]) => el("span", {}, el("i", { class: `ended ${kind}`, "aria-hidden": "true" }), `${counts.get(kind).toLocaleString("en-US")} ${words}`));
  const groups = run.failures.map((group) => el("button", { type: "button", class: "failure", on: { click: () => run.open(group.example.iteration) } },
    el("span", { class: "count" }, String(group.count)), el("span", { class: "kind" }, group.kind.replaceAll("_", " ")), el("span", { class: "why" }, short(group.example.message, 180))));
  const refused = Object.entries(run.status.refused).map(([gate, count]) => `${count.toLocaleString("en-US")} by ${gate}`);
  return [
    el("div", { class: "endings", "aria-hidden": "true" }, shares), el("div", { class: "legend" }, keys),
    groups.length ? el("div", {}, groups) : el("p", { class: "note" }, "Nothing failed."),
    refused.length ? el("p", { class: "note" }, `Refused before they were measured: ${refused.join(", ")}.`) : null,
  ];
}

export function ideas(run) {
  return [el("div", { class: "scroll" }, el("table", { class: "decided" }, el("tbody", {}, run.ideas.slice(0, 200).map((idea) => el("tr", idea.iteration === null ? {} : { tabindex: 0, "data-iteration": idea.iteration, on: opens(run, idea.iteration) },
    el("td", {}, idea.iteration === null ? "" : String(idea.iteration)), el("td", { class: "words" }, el("span", { class: `verdict ${idea.status}` }, idea.status)),
    el("td", { class: "words" }, `${idea.source} · ${idea.priority.toFixed(2)}`), el("td", { class: "why" }, short(idea.description, 400)))))))];
}

export function operators(run) {
  if (!run.operators.length) return [el("p", { class: "empty" }, "Nothing has been proposed yet.")];
  const paid = run.operators.some((entry) => entry.tokens);
  const widest = Math.max(...run.operators.map((entry) => Math.abs(entry.mean_gain ?? 0)), 1e-12);
  const heads = ["who", "tries", "better", "mean gain", "", ...(paid ? ["tokens", "dollars"] : [])];
  return [el("div", { class: "scroll" }, el("table", { class: "numbers" },
    el("thead", {}, el("tr", {}, heads.map((head, i) => el("th", { scope: "col", class: i ? "right" : "" }, head)))),
    el("tbody", {}, run.operators.map((entry) => el("tr", {},
      el("th", { scope: "row" }, entry.name), el("td", {}, String(entry.tries)), el("td", {}, String(entry.successes)),
      el("td", {}, signedOrDash(entry.mean_gain)), el("td", { class: "bars" }, gauge((entry.mean_gain ?? 0) / widest)),
      ...(paid ? [el("td", {}, number(entry.tokens)), el("td", {}, entry.dollars.toFixed(4))] : []))))))];
}

function signedOrDash(value) {
  return value === null ? "–" : (value < 0 ? "−" : "+") + Math.abs(value).toFixed(4);
}

function gauge(share) {
  const bar = el("span", { class: share < 0 ? "gauge below" : "gauge" });
  bar.style.setProperty("--share", Math.abs(share).toFixed(3));
  return bar;
}

export function spend(run) {
  const { cost } = run;
  const rows = cost.by.map((entry) => [`${entry.purpose} · ${entry.model || "no model"}`, `${number(entry.calls)} calls, ${number(entry.usage.prompt_tokens + entry.usage.completion_tokens)} tokens, $${entry.usage.cost.toFixed(4)}`]);
  return [pairs([["Models", cost.in_words], ["Evaluation", duration(cost.evaluation_seconds)], ["Wall clock", duration(cost.elapsed_seconds)],
    ["Busy at once", cost.elapsed_seconds ? `${(cost.evaluation_seconds / cost.elapsed_seconds).toFixed(2)} evaluations on average` : "–"], ...rows,
    ...(cost.outages ? [["Outages", String(cost.outages)]] : [])])];
}

export function environment(run) {
  const rows = Object.entries({ isolation: run.status.isolation, ...run.environment });
  return [pairs(rows), el("details", {}, el("summary", {}, "All settings"), el("pre", { class: "code" }, JSON.stringify(run.settings, null, 2))), origins(run)];
}

function origins(run) {
  const rows = Object.entries(run.sources).map(([place, names]) => [place, names.join(", ")]);
  return rows.length ? el("details", {}, el("summary", {}, "Where settings come from"), pairs(rows)) : null;
}

export function pairs(rows) {
  return el("dl", { class: "facts" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

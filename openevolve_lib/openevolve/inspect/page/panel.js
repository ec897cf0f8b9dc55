import { versus } from "./compare.js";
import { curves } from "./curves.js";
import { difference } from "./diff.js";
import { duration, el, number, signed, spread } from "./dom.js";

// One program, in a panel beside the page; on a phone in the place of it.
// ``current`` gives the run as it is by then.
export function panel(current, select) {
  const box = document.getElementById("panel");
  let opener = null, tab = "Overview", wanted = null;

  async function open(iteration) {
    const run = current(), row = run.at(iteration);
    if (!row) return;
    if (box.hidden) opener = document.activeElement;
    wanted = iteration;
    const parent = run.byId.get(row.parents[0]);
    const found = await run.detailed(row);
    if (wanted !== iteration) return; // another one has been asked for since
    const views = { Overview: () => overview(run, row, found), ...sections(run, row, found, parent) };
    if (!(tab in views)) tab = "Overview";
    const view = el("div", { class: "view", id: "view", role: "tabpanel", tabindex: 0 });
    const tabs = Object.keys(views).map((name) => el("button", { type: "button", role: "tab", "aria-controls": "view", on: { click: () => turn(name) } }, name));
    const turn = async (name) => {
      tab = name;
      tabs.forEach((button) => {
        const chosen = button.textContent === name;
        button.setAttribute("aria-selected", String(chosen));
        button.setAttribute("tabindex", chosen ? 0 : -1);
      });
      const content = await views[name]();
      if (tab !== name) return; // turned again since
      view.replaceChildren(...[content].flat());
      view.scrollTop = 0;
    };
    const strip = el("div", { class: "tabs", role: "tablist", on: { keydown: (event) => along(event, tabs, turn) } }, tabs);
    const leave = el("button", { type: "button", class: "close", "aria-label": "Close", on: { click: close } }, "×");
    box.replaceChildren(
      el("header", {},
        el("div", { class: "which" }, el("span", { class: `badge ${row.status}` }, row.status), ` iteration ${row.iteration} · `, el("code", {}, row.id.slice(0, 8))),
        el("h2", {}, row.changes || (row.iteration ? "A program" : "The initial program")), leave),
      strip, view);
    await turn(tab);
    box.hidden = false;
    document.body.classList.add("opened");
    select(iteration);
    leave.focus();
  }

  function close() {
    wanted = null;
    box.hidden = true;
    document.body.classList.remove("opened");
    select(null);
    opener?.focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !box.hidden) close();
  });
  return { open, close };
}

function along(event, tabs, turn) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
  turn(next.textContent);
  next.focus();
}

function sections(run, row, found, parent) {
  const views = {};
  if (found.code && parent) views.Diff = async () => [caption(`From iteration ${parent.iteration} to ${row.iteration}`), difference((await run.detailed(parent)).code, found.code)];
  if (found.code) views.Code = () => text(found.code);
  if (row.fitness !== null && run.scored.length > 1) views.Compare = () => versus(run, row);
  if (found.conversation.length) views.Conversation = () => found.conversation.flatMap(call);
  if (Object.keys(found.artifacts).length || found.output) {
    views.Output = () => [
      ...Object.entries(found.artifacts).flatMap(([name, content]) => [caption(name), text(content)]),
      ...(found.output ? [caption("last output"), text(found.output)] : []),
    ];
  }
  return views;
}

function call(reply) {
  const cost = reply.tokens ? `${number(reply.tokens)} tokens${reply.dollars ? `, $${reply.dollars.toFixed(4)}` : ""}` : "";
  return [
    ...reply.messages.flatMap((message) => [caption(`${reply.purpose}: ${message.role}`), text(message.content)]),
    caption([`${reply.model || "no model"} answered`, cost].filter(Boolean).join(" · ")), text(reply.text ?? reply.problem, "reply"),
  ];
}

function overview(run, row, found) {
  const parent = run.byId.get(row.parents[0]);
  const gain = parent && row.fitness !== null && parent.fitness !== null ? row.fitness - parent.fitness : null;
  const facts = [
    ["Fitness", row.fitness === null ? null : spread(row.fitness, row.error)],
    ["Estimate, shrunk", row.estimate === null ? null : spread(row.estimate, row.estimate_error)],
    ["Measured afresh", row.final ? `${spread(row.final.score, row.final.error)}, n = ${row.final.measurements}${row.final.won ? "; it won the final" : ""}` : null],
    ["Asked for again", row.again.length ? row.again.map(([unit, value]) => `${unit} ${number(value)}`).join(", ") : null],
    ["Gain over parent", gain === null ? null : signed(gain)],
    ["Archive", found.archive ? `${found.archive}${row.holds_cell ? "; it holds it now" : ""}` : null],
    ["Proposed by", [row.proposer, row.model].filter(Boolean).join(" · ") || null],
    ["Parent drawn by", found.choice ? `${found.choice.strategy}: ${found.choice.rule}${found.choice.draw === null || found.choice.draw === undefined ? "" : `, draw ${found.choice.draw.toFixed(3)}`}` : null],
    ["Copy of", row.duplicate_of === null ? null : `iteration ${row.duplicate_of}`],
    ["Evaluated in", row.seconds ? duration(row.seconds) : null],
    ["Spent", row.tokens ? `${number(row.tokens)} tokens, $${row.dollars.toFixed(4)}` : null],
  ].filter(([, value]) => value !== null);
  return [
    row.message ? el("div", { class: "message" }, row.failure ? el("strong", {}, `${row.failure}: `) : null, row.message) : null,
    el("dl", { class: "facts" }, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    family(run, row, parent),
    found.decisions.length ? [caption("Decisions"), el("ul", {}, found.decisions.map((made) => el("li", {}, `rung ${made.rung}: ${made.verdict}. ${made.why}`)))] : null,
    found.refusals.length ? [caption("Refused before"), el("ul", {}, found.refusals.map((refused) => el("li", {}, `${refused.gate}: ${refused.reason}`)))] : null,
    found.curves.length ? [caption("By epoch"), curves(found.curves)] : null,
    found.review ? [caption("Review"), text(found.review, "reply")] : null,
    Object.keys(row.metrics).length ? [caption("Measurements"), el("div", { class: "scroll" }, measurements(run, row, parent))] : null,
  ].flat(2).filter(Boolean);
}

function family(run, row, parent) {
  const link = (other) => el("button", { type: "button", class: "link", on: { click: () => run.open(other.iteration) } }, `${other.iteration} · ${other.fitness === null ? other.status : other.fitness.toFixed(4)}`);
  const parents = row.parents.map((id) => run.byId.get(id)).filter(Boolean), children = run.childrenOf(row);
  return el("div", { class: "family" },
    parents.length ? el("div", {}, el("span", {}, parents.length > 1 ? "Parents" : "Parent"), parents.map(link)) : null,
    children.length ? el("div", {}, el("span", {}, "Children"), children.map(link)) : null);
}

function measurements(run, row, parent) {
  const names = Object.keys(row.metrics).filter((name) => !name.endsWith("_se"));
  return el("table", { class: "numbers" },
    el("thead", {}, el("tr", {}, ["metric", "value", "parent", "difference"].map((head, i) => el("th", { scope: "col", class: i ? "right" : "" }, head)))),
    el("tbody", {}, names.map((name) => {
      const value = row.metrics[name], error = row.metrics[`${name}_se`], before = parent?.metrics[name];
      return el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, error === undefined ? number(value) : spread(value, error)),
        el("td", {}, number(before)), el("td", {}, before === undefined || Number.isInteger(value) ? "–" : signed(value - before)));
    })));
}

function caption(words) {
  return el("h3", {}, words);
}

function text(content, kind = "code") {
  return el("pre", { class: kind }, content ?? "");
}

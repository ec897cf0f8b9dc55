import { el, svg } from "./dom.js";
import { ends, mark, short } from "./figures.js";
import { extent, linear, shade, ticks, tickText } from "./scales.js";

const MOST = 1500; // marks; of larger runs the best and their ancestors are drawn
const PLOT = [860, 1126]; // the scores beside the names
const LABELLED = 120; // programs, a line each; larger runs are drawn as marks alone

export function genealogy(run) {
  const drawn = chosen(run), inside = new Set(drawn.map((row) => row.iteration));
  const children = new Map(drawn.map((row) => [row.iteration, []]));
  const roots = [];
  for (const row of drawn) {
    const parent = run.byId.get(row.parents[0]);
    if (parent && inside.has(parent.iteration)) children.get(parent.iteration).push(row);
    else roots.push(row);
  }
  const labelled = drawn.length <= LABELLED;
  const { places, count, depth } = laidOut(roots, children, labelled);
  const step = labelled ? 23 : Math.max(3, Math.min(11, 716 / count)); // without labels most of it is in sight
  const reach = labelled ? Math.max(14, Math.min(30, 420 / depth)) : Math.max(6, Math.min(120, 1080 / depth));
  const top = labelled ? 34 : 14;
  const width = labelled ? PLOT[1] + 14 : 70 + depth * reach, height = count * step + top + 10;
  const x = (row) => 18 + places.get(row.iteration).depth * reach, y = (row) => top + places.get(row.iteration).row * step;
  const way = new Set(run.way(run.ranking[0]));
  const tone = shade(run.scored.map((row) => row.fitness));
  const links = svg("g", { "aria-hidden": "true" }), nodes = svg("g", {});
  for (const row of drawn) {
    for (const child of children.get(row.iteration)) {
      const middle = x(row) + reach * 0.5, turn = Math.min(9, reach / 2);
      const curve = `M${x(row)} ${y(row)}C${middle} ${y(row)} ${middle} ${y(child)} ${x(child)} ${y(child)}`;
      const elbow = `M${x(row)} ${y(row)}V${y(child) - turn}q0 ${turn} ${turn} ${turn}H${x(child)}`;
      links.append(svg("path", {
        class: way.has(child.iteration) ? "link way" : "link",
        d: labelled ? elbow : curve,
      }));
    }
  }
  for (const row of drawn) {
    const best = row.iteration === run.ranking[0];
    const kind = row.fitness === null ? `unscored ${row.status}` : `${tone(row.fitness)}${best ? " top" : ""}`;
    nodes.append(mark(run, row, { class: `node ${kind}${labelled ? "" : " small"}`, cx: x(row), cy: y(row), r: best ? 7 : labelled ? 5.5 : Math.max(2.3, Math.min(3.4, step * 0.6)), tabindex: row === drawn[0] ? 0 : -1 }));
    if (labelled) nodes.append(label(run, row, x(row) + 13, y(row) + 4, way.has(row.iteration)));
  }
  const picture = svg("svg", { class: "tree", width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Genealogy", on: { keydown: (event) => walk(event, run, children, drawn, places) } }, labelled ? scores(drawn, y, height, way) : null, links, nodes);
  const note = drawn.length < run.programs.length ? el("p", { class: "note" }, `The best ${drawn.length.toLocaleString("en-US")} of ${run.programs.length.toLocaleString("en-US")} programs and their ancestors.`) : null;
  return [note, el("div", { class: "scroll", tabindex: -1 }, picture)];
}

// Beside the names: the scores with their errors, on one scale.
function scores(drawn, y, height, way) {
  const rows = drawn.filter((row) => row.fitness !== null);
  if (!rows.length) return null;
  const x = linear(extent(ends(rows)), PLOT);
  const lines = ticks(x.domain, 4).map((tick) => [
    svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: 20, y2: height - 8 }),
    svg("text", { x: x(tick), y: 13, "text-anchor": "middle" }, tickText(tick))]);
  const points = rows.map((row) => [
    row.error === null ? null : svg("line", { class: "error", x1: x(row.fitness - row.error), x2: x(row.fitness + row.error), y1: y(row), y2: y(row) }),
    svg("circle", { class: way.has(row.iteration) ? "record" : "point", cx: x(row.fitness), cy: y(row), r: 3.6 })]);
  return svg("g", { "aria-hidden": "true" }, lines, points);
}

function chosen(run) {
  if (run.programs.length <= MOST) return run.programs;
  const kept = new Set();
  for (const iteration of run.ranking) {
    if (kept.size >= MOST) break;
    for (const ancestor of run.way(iteration)) kept.add(ancestor);
  }
  return run.programs.filter((row) => kept.has(row.iteration));
}

// With labels every program has a row of its own, below its parent. Else leaves get rows in turn and a parent
// stands in the middle of its children. Without recursion: runs are deep.
function laidOut(roots, children, labelled) {
  const places = new Map();
  const stack = [...roots].reverse().map((row) => ({ row, depth: 0, done: false }));
  let count = 0, deepest = 1;
  while (stack.length) {
    const top = stack[stack.length - 1], below = children.get(top.row.iteration);
    if (!top.done) {
      top.done = true;
      if (labelled) places.set(top.row.iteration, { row: count++, depth: top.depth });
      deepest = Math.max(deepest, top.depth + 1);
      for (let i = below.length - 1; i >= 0; i--) stack.push({ row: below[i], depth: top.depth + 1, done: false });
      if (below.length) continue;
    }
    stack.pop();
    if (labelled) continue;
    const row = below.length ? (places.get(below[0].iteration).row + places.get(below[below.length - 1].iteration).row) / 2 : count++;
    places.set(top.row.iteration, { row, depth: top.depth });
  }
  return { places, count, depth: deepest };
}

function label(run, row, x, y, onWay) {
  const score = row.fitness === null ? row.failure ?? row.status : row.fitness.toFixed(4);
  return svg("text", { class: onWay ? "label way" : "label", x, y, on: { click: () => run.open(row.iteration) } },
    svg("tspan", { class: "count" }, String(row.iteration).padStart(2, "\u2007")),
    svg("tspan", { class: "score", dx: 8 }, score), svg("tspan", { dx: 10 }, short(row.changes, Math.floor((PLOT[0] - x - 100) / (onWay ? 7 : 6.1)))));
}

function walk(event, run, children, drawn, places) {
  const here = run.at(Number(event.target.dataset.iteration));
  if (!here) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    run.open(here.iteration);
    return;
  }
  const nextRow = (step) => {
    const order = [...drawn].sort((a, b) => places.get(a.iteration).row - places.get(b.iteration).row);
    return order[order.indexOf(here) + step];
  };
  const next = {
    ArrowLeft: () => run.byId.get(here.parents[0]),
    ArrowRight: () => children.get(here.iteration)[0],
    ArrowUp: () => nextRow(-1),
    ArrowDown: () => nextRow(1),
  }[event.key];
  if (!next) return;
  event.preventDefault();
  const target = next() && event.currentTarget.querySelector(`[data-iteration="${next().iteration}"]`);
  if (!target) return;
  event.target.setAttribute("tabindex", -1);
  target.setAttribute("tabindex", 0);
  target.focus();
}


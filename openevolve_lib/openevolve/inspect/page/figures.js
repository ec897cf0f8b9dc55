import { BOX, drawing, frame } from "./axes.js";
import { duration, el, pointed, spread, svg } from "./dom.js";
import { extent, linear, shade } from "./scales.js";

export function lines(row) {
  const score = row.fitness === null ? row.failure ?? row.status : spread(row.fitness, row.error);
  return [`${row.iteration} · ${score}`, short(row.changes, 90), row.estimate === null ? "" : `shrunk ${spread(row.estimate, row.estimate_error)}`, row.final ? `afresh ${spread(row.final.score, row.final.error)}` : ""];
}

export function short(text, width) {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

export function mark(run, row, settings, shape = "circle") {
  return svg(shape, {
    ...settings, "data-iteration": row.iteration, role: "button", tabindex: settings.tabindex ?? -1,
    "aria-label": lines(row).filter(Boolean).join(", "),
    on: { ...pointed(() => lines(row)), click: () => run.open(row.iteration) },
  });
}

// What opens a program from a line of a table. The key goes no further: it would press what is focused next.
export function opens(run, iteration) {
  const keydown = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    run.open(iteration);
  };
  return { click: () => run.open(iteration), keydown };
}

const CLOUD = 2000; // points; more of them are drawn as one shape, which cannot be pointed at one by one

function cloud(run, points, radius) {
  if (points.length <= CLOUD) return points.map(({ row, x, y }) => mark(run, row, { class: "dot", cx: x, cy: y, r: radius }));
  const places = new Set(points.map(({ x, y }) => `M${Math.round(x)} ${Math.round(y)}h0`)); // one on top of another is not seen
  return svg("path", { class: "cloud", "stroke-width": 2 * radius, d: [...places].join("") });
}

const CLOCKS = {
  programs: (row, position) => position,
  hours: (row) => (row.measured_at ?? 0) / 3600,
  dollars: (row, position, spent) => spent,
};

export function bestSoFar(run) {
  const done = run.programs.filter((row) => row.measured_at !== null).sort((a, b) => a.measured_at - b.measured_at);
  const costs = done.some((row) => row.dollars);
  const holder = el("div");
  const draw = (clock) => holder.replaceChildren(progress(run, done, clock));
  return [choice("Over", ["programs", "hours", ...(costs ? ["dollars"] : [])], draw), holder];
}

function progress(run, done, clock) {
  let spent = 0, best = null;
  const winner = run.scored.find((row) => row.final?.won);
  const points = [], steps = [];
  done.forEach((row, position) => {
    spent += row.dollars ?? 0;
    const at = CLOCKS[clock](row, position, spent);
    if (row.status !== "scored") return;
    points.push({ at, row });
    if (!best || row.fitness > best.fitness) steps.push({ at, row: (best = row) });
  });
  const x = linear([0, Math.max(...points.map((point) => point.at), 1e-9)], [BOX.left, BOX.width - BOX.right]);
  const y = linear(extent([...points.map((point) => point.row.fitness), ...ends(steps.map((step) => step.row)), ...(winner ? endsOf(winner.final) : [])]), [BOX.height - BOX.bottom, BOX.top]);
  const path = steps.map(({ at, row }, i) => (i ? `H${x(at)}V${y(row.fitness)}` : `M${x(at)} ${y(row.fitness)}`)).join("");
  return drawing("Best so far", BOX,
    frame(x, y, { x: clock === "programs" ? "programs evaluated" : clock, y: run.metric }),
    cloud(run, points.map(({ at, row }) => ({ row, x: x(at), y: y(row.fitness) })), 2.6),
    steps.length ? svg("path", { class: "best", d: `${path}H${x(x.domain[1])}` }) : null,
    likely(steps, x, y),
    steps.map(({ at, row }) => bar(x(at), row, y)),
    winner ? [svg("line", { class: "interval", x1: x(x.domain[1]), x2: x(x.domain[1]), y1: y(endsOf(winner.final)[0]), y2: y(endsOf(winner.final)[1]) }),
      mark(run, winner, { class: "afresh", cx: x(x.domain[1]), cy: y(winner.final.score), r: 5, tabindex: 0 })] : null,
    steps.map(({ at, row }) => mark(run, row, { class: "record", cx: x(at), cy: y(row.fitness), r: 4, tabindex: 0 })),
  );
}

// The estimates of those that seemed the best: what selected luck leaves of them.
function likely(steps, x, y) {
  if (!steps.length || steps.some(({ row }) => row.estimate === null)) return null;
  const path = steps.map(({ at, row }, i) => (i ? `H${x(at)}V${y(row.estimate)}` : `M${x(at)} ${y(row.estimate)}`)).join("");
  return svg("path", { class: "likely", d: `${path}H${x(x.domain[1])}` });
}

function endsOf({ score, error }) {
  return [score - (error ?? 0), score + (error ?? 0)];
}

export function ends(rows) {
  return rows.flatMap((row) => (row.error === null ? [row.fitness] : [row.fitness - row.error, row.fitness + row.error]));
}

function bar(at, row, y) {
  return row.error === null ? null : svg("line", { class: "error", x1: at, x2: at, y1: y(row.fitness - row.error), y2: y(row.fitness + row.error) });
}

export function against(run) {
  const names = run.metrics.filter((name) => name !== run.metric && !name.endsWith("_se") && name !== "combined_score");
  const first = run.axes.map((axis) => axis.name).find((name) => names.includes(name)) ?? names[0];
  const holder = el("div");
  const draw = (name) => holder.replaceChildren(scatter(run, name));
  if (!first) return [el("p", { class: "empty" }, "The evaluator gives no other metric.")];
  return [choice("Against", [first, ...names.filter((name) => name !== first)], draw, "select"), holder];
}

function scatter(run, name) {
  const rows = run.scored.filter((row) => name in row.metrics);
  const x = linear(extent(rows.map((row) => row.metrics[name])), [BOX.left, BOX.width - BOX.right]);
  const barred = rows.length <= 200 ? rows : [];
  const y = linear(extent([...rows.map((row) => row.fitness), ...ends(barred)]), [BOX.height - BOX.bottom, BOX.top]);
  const front = new Set(run.pareto);
  const onFront = run.frontAxes.has(name) ? rows.filter((row) => front.has(row.iteration)) : [];
  onFront.sort((a, b) => a.metrics[name] - b.metrics[name]);
  const joined = new Set(onFront);
  const path = onFront.map((row, i) => {
    const across = x(row.metrics[name]), up = y(row.fitness);
    if (!i) return `M${across} ${up}`;
    return run.frontAxes.get(name) < 0 ? `H${across}V${up}` : `V${up}H${across}`;
  }).join("");
  return drawing(`${run.metric} against ${name}`, BOX,
    frame(x, y, { x: name, y: run.metric }),
    onFront.length > 1 ? svg("path", { class: "front", d: path }) : null,
    barred.map((row) => bar(x(row.metrics[name]), row, y)),
    cloud(run, rows.filter((row) => !joined.has(row) && row.iteration).map((row) => ({ row, x: x(row.metrics[name]), y: y(row.fitness) })), 3.2),
    rows.filter((row) => joined.has(row) || !row.iteration).map((row) => mark(run, row, { cx: x(row.metrics[name]), cy: y(row.fitness), class: row.iteration ? "record" : "initial", r: 4.5, tabindex: 0 })),
  );
}

export function archiveMap(run) {
  if (!run.cells.length) return [el("p", { class: "empty" }, "No cell is occupied yet.")];
  const [across, up] = [run.axes[0], run.axes[1] ?? { name: "", edges: [] }];
  const best = new Map(); // of further axes the best cell is shown
  for (const cell of run.cells) {
    const key = `${cell.cell[0]},${cell.cell[1] ?? 0}`;
    if (!best.has(key) || best.get(key).fitness < cell.fitness) best.set(key, cell);
  }
  const columns = across.edges.length + 1, rows = up.edges.length + 1;
  const box = { ...BOX, height: rows === 1 ? 130 : BOX.height };
  const width = (box.width - box.left - box.right) / columns, height = (box.height - box.top - box.bottom) / rows;
  const tone = shade(run.cells.map((cell) => cell.fitness));
  const group = svg("g", {});
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) {
      const place = { x: box.left + column * width + 1, y: box.top + (rows - 1 - row) * height + 1, width: Math.max(1, width - 2), height: Math.max(1, height - 2), rx: 2 };
      const cell = best.get(`${column},${row}`);
      if (!cell) group.append(svg("rect", { ...place, class: "vacant" }));
      else {
        const program = run.at(cell.iteration), top = cell.iteration === run.ranking[0];
        const found = mark(run, program, { ...place, class: `cell ${tone(cell.fitness)}${top ? " top" : ""}`, tabindex: 0 }, "rect");
        found.addEventListener("mouseenter", (event) => run.tip(event, [...lines(program), `since ${duration(cell.since)}`]));
        group.append(found);
      }
    }
  }
  const edge = (axis, size, place) => axis.edges.map((value, i) => [value, place(i + 1, size)]);
  const every = (list, most) => list.filter((_, i) => i % Math.ceil(list.length / most) === 0);
  const floor = box.height - box.bottom;
  group.append(
    ...every(edge(across, width, (i, size) => box.left + i * size), 7).map(([value, at]) => svg("text", { x: at, y: floor + 16, "text-anchor": "middle" }, String(Number(value.toPrecision(3))))),
    ...every(edge(up, height, (i, size) => floor - i * size), 6).map(([value, at]) => svg("text", { x: box.left - 8, y: at + 4, "text-anchor": "end" }, String(Number(value.toPrecision(3))))),
    svg("text", { class: "name", x: (box.left + box.width - box.right) / 2, y: box.height - 6, "text-anchor": "middle" }, across.name),
    svg("text", { class: "name", transform: `translate(14 ${(box.top + floor) / 2}) rotate(-90)`, "text-anchor": "middle" }, up.name),
  );
  return [drawing("The archive", box, svg("g", { class: "axes" }, group))];
}

const picked = new Map(); // by label, for as long as the page is open: also when it is drawn again

export function choice(label, names, draw, kind = names.length > 4 ? "select" : "buttons") {
  const first = names.includes(picked.get(label)) ? picked.get(label) : names[0];
  const pick = (name) => {
    picked.set(label, name);
    draw(name);
  };
  draw(first);
  if (names.length < 2) return null;
  if (kind === "select") {
    const select = el("select", { "aria-label": label, on: { change: () => pick(select.value) } }, names.map((name) => el("option", { value: name, selected: name === first }, name)));
    return el("label", { class: "choice" }, `${label} `, select);
  }
  const buttons = names.map((name) => el("button", { type: "button", "aria-pressed": String(name === first), on: { click: () => press(name) } }, name));
  const press = (name) => {
    names.forEach((other, i) => buttons[i].setAttribute("aria-pressed", String(other === name)));
    pick(name);
  };
  return el("div", { class: "choice", role: "group", "aria-label": label }, buttons);
}

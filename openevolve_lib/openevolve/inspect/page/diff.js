import { el } from "./dom.js";

// The shortest edit script (Myers, 1986), by lines.
export function edits(before, after) {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  const middle = shortest(before.slice(start, before.length - end), after.slice(start, after.length - end));
  const same = (line) => ["same", line];
  return [...before.slice(0, start).map(same), ...middle, ...before.slice(before.length - end).map(same)];
}

function shortest(a, b) {
  const most = a.length + b.length;
  if (a.length * b.length > 4e6) return [...a.map((line) => ["less", line]), ...b.map((line) => ["more", line])];
  let reach = new Map([[1, 0]]);
  const trace = [];
  for (let d = 0; d <= most; d++) {
    trace.push(new Map(reach));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && reach.get(k - 1) < reach.get(k + 1));
      let x = down ? reach.get(k + 1) : reach.get(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      reach.set(k, x);
      if (x >= a.length && x - k >= b.length) return back(a, b, trace, d);
    }
  }
  return [];
}

function back(a, b, trace, last) {
  const script = [];
  let x = a.length, y = b.length;
  for (let d = last; d > 0; d--) {
    const reach = trace[d], k = x - y;
    const down = k === -d || (k !== d && reach.get(k - 1) < reach.get(k + 1));
    const from = down ? k + 1 : k - 1, fromX = reach.get(from), fromY = fromX - from;
    for (; x > fromX && y > fromY; y--) script.push(["same", a[--x]]);
    script.push(down ? ["more", b[--y]] : ["less", a[--x]]);
  }
  for (; x > 0 && y > 0; y--) script.push(["same", a[--x]]);
  return script.reverse();
}

// Both sides beside each other, or on a phone below; equal stretches are folded to their ends.
export function difference(before, after) {
  const narrow = matchMedia("(max-width: 860px)").matches;
  const rows = (narrow ? below : beside)(edits(before.split("\n"), after.split("\n")));
  const near = rows.map((row, i) => rows.slice(Math.max(0, i - 3), i + 4).some((other) => other.changed));
  if (!near.includes(true)) return el("p", { class: "empty" }, "No difference.");
  const kinds = narrow ? ["line", "side"] : ["line", "side", "line", "side"];
  const body = el("tbody");
  for (let i = 0; i < rows.length; ) {
    const start = i;
    while (i < rows.length && !near[i]) i++;
    if (i > start) body.append(fold(i - start, kinds.length));
    else body.append(el("tr", {}, rows[i++].cells.map(([kind, words]) => el("td", { class: kind }, String(words)))));
  }
  return el("div", { class: "scroll" }, el("table", { class: "diff" }, el("colgroup", {}, kinds.map((kind) => el("col", { class: kind }))), body));
}

function below(script) {
  let left = 0, right = 0;
  return script.map(([kind, words]) => {
    if (kind !== "more") left++;
    if (kind !== "less") right++;
    return { changed: kind !== "same", cells: [["line", kind === "less" ? left : right], [kind, words]] };
  });
}

function beside(script) {
  const rows = [];
  let left = 0, right = 0;
  for (let i = 0; i < script.length; ) {
    if (script[i][0] === "same") {
      const words = script[i++][1];
      rows.push({ changed: false, cells: [["line", ++left], ["same", words], ["line", ++right], ["same", words]] });
      continue;
    }
    const less = [], more = [];
    for (; i < script.length && script[i][0] !== "same"; i++) (script[i][0] === "less" ? less : more).push(script[i][1]);
    for (let j = 0; j < Math.max(less.length, more.length); j++) {
      const before = j < less.length ? [["line", ++left], ["less", less[j]]] : [["line", ""], ["", ""]];
      const after = j < more.length ? [["line", ++right], ["more", more[j]]] : [["line", ""], ["", ""]];
      rows.push({ changed: true, cells: [...before, ...after] });
    }
  }
  return rows;
}

function fold(count, columns) {
  return el("tr", { class: "fold" }, el("td", { colspan: columns }, `${count} equal line${count === 1 ? "" : "s"}`));
}

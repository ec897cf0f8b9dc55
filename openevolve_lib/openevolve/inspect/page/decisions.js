import { el } from "./dom.js";
import { choice, opens, short } from "./figures.js";

const DECIDED = 12;

// What was decided and why, the latest first.
export function decisions(run) {
  const kinds = [...new Set(run.decisions.map((made) => made.kind))];
  const latest = [...run.decisions].reverse();
  const body = el("tbody"), more = el("button", { type: "button", class: "more", on: { click: () => ((count += 200), fill()) } });
  let kind = "all", count = DECIDED;
  const fill = () => {
    const found = kind === "all" ? latest : latest.filter((made) => made.kind === kind);
    body.replaceChildren(...found.slice(0, count).map((made) => el("tr", { tabindex: 0, "data-iteration": made.iteration, on: opens(run, made.iteration) },
      el("td", {}, String(made.iteration)), el("td", { class: "words" }, el("span", { class: `verdict ${made.kind.replace(" ", "-")}` }, made.kind)), el("td", { class: "why" }, short(made.why, 400)))));
    more.hidden = found.length <= count;
    more.textContent = `Show more of ${found.length.toLocaleString("en-US")}`;
  };
  if (!latest.length) return [el("p", { class: "empty" }, "Nothing has been decided yet.")];
  const pick = choice("Decisions", ["all", ...kinds], (name) => ((kind = name), (count = DECIDED), fill()), "buttons");
  return [pick, el("div", { class: "scroll" }, el("table", { class: "decided" }, body)), more];
}

import { svg } from "./dom.js";
import { ticks, tickText } from "./scales.js";

export const BOX = { width: 560, height: 320, left: 58, right: 16, top: 14, bottom: 44 };

export function frame(x, y, labels, box = BOX) {
  const group = svg("g", { class: "axes", "aria-hidden": "true" });
  const floor = box.height - box.bottom;
  for (const tick of ticks(y.domain, 5)) {
    const at = y(tick);
    group.append(
      svg("line", { class: "grid", x1: box.left, x2: box.width - box.right, y1: at, y2: at }),
      svg("text", { x: box.left - 8, y: at + 4, "text-anchor": "end" }, tickText(tick)),
    );
  }
  for (const tick of ticks(x.domain, 6)) {
    const at = x(tick);
    group.append(
      svg("line", { class: "tick", x1: at, x2: at, y1: floor, y2: floor + 4 }),
      svg("text", { x: at, y: floor + 18, "text-anchor": "middle" }, tickText(tick)),
    );
  }
  group.append(
    svg("line", { class: "floor", x1: box.left, x2: box.width - box.right, y1: floor, y2: floor }),
    svg("text", { class: "name", x: (box.left + box.width - box.right) / 2, y: box.height - 6, "text-anchor": "middle" }, labels.x),
    svg("text", { class: "name", transform: `translate(14 ${(box.top + floor) / 2}) rotate(-90)`, "text-anchor": "middle" }, labels.y),
  );
  return group;
}

export function drawing(label, box, ...children) {
  return svg("svg", { viewBox: `0 0 ${box.width} ${box.height}`, role: "group", "aria-label": label }, ...children);
}

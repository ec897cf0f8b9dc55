// Elements from plain calls. Texts go in as text nodes alone: nothing that a program wrote becomes markup.

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, settings = {}, ...children) {
  return filled(document.createElement(tag), settings, children);
}

export function svg(tag, settings = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), settings, children);
}

function filled(element, settings, children) {
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size >= 1e6 || (size < 1e-3 && size > 0)) return value.toPrecision(3);
  return value.toFixed(size >= 100 ? 1 : digits);
}

export function spread(value, error, digits = 4) {
  if (value === null || value === undefined) return "–";
  return error === null || error === undefined ? value.toFixed(digits) : `${value.toFixed(digits)} ± ${error.toFixed(digits)}`;
}

export function signed(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  return (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 100) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 6000) return `${(seconds / 60).toFixed(0)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}

export const tip = {
  show(event, lines) {
    const box = document.getElementById("tip");
    box.replaceChildren(...lines.filter(Boolean).map((line, i) => el("div", { class: i ? "" : "first" }, line)));
    box.hidden = false;
    const place = event.currentTarget.getBoundingClientRect();
    const left = Math.min(place.right + 10, innerWidth - box.offsetWidth - 8);
    const below = place.bottom + 8 + box.offsetHeight < innerHeight;
    box.style.left = `${Math.max(8, left)}px`;
    box.style.top = `${below ? place.bottom + 8 : Math.max(8, place.top - box.offsetHeight - 8)}px`;
  },
  hide() {
    document.getElementById("tip").hidden = true;
  },
};

export function pointed(lines) {
  return {
    mouseenter: (event) => tip.show(event, lines()),
    mouseleave: tip.hide,
    focus: (event) => tip.show(event, lines()),
    blur: tip.hide,
  };
}

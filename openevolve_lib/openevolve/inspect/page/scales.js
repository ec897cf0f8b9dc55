// Numbers to places and colours.

export function linear([low, high], [from, to]) {
  const span = high - low || 1;
  const scale = (value) => from + ((value - low) / span) * (to - from);
  scale.domain = [low, high];
  return scale;
}

export function extent(values, margin = 0.05) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  const room = (high - low) * margin || Math.abs(high) * margin || 1;
  return [low - room, high + room];
}

export function ticks([low, high], count) {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? 10 * power;
  const found = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) found.push(Number(tick.toPrecision(12)));
  return found;
}

export function tickText(value) {
  const size = Math.abs(value);
  if (size >= 1e4) return new Intl.NumberFormat("en-US", { notation: "compact" }).format(value);
  return String(Number(value.toPrecision(6)));
}

// Lightness alone carries the order, so that it reads with every colour vision and in grey print.
const STEPS = 7;

export function shade(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const low = at(0.05), high = at(1);
  return (value) => {
    const share = high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 1;
    return `s${Math.round(share * (STEPS - 1))}`;
  };
}

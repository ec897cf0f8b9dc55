// Where a run comes from: out of the page itself, or from the server that sent it, as it grows.

export async function embedded() {
  const packed = Uint8Array.from(atob(document.getElementById("data").textContent.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const told = await new Response(stream).json();
  const unfolded = (value) => {
    if (Array.isArray(value)) return value.map(unfolded);
    if (value === null || typeof value !== "object") return value;
    if (Object.keys(value).length === 1 && Number.isInteger(value.text)) return told.texts[value.text];
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, unfolded(inner)]));
  };
  const details = async (row) => unfolded(row.details);
  const search = async (text) => new Set(told.programs.filter((row) => (told.texts[row.details.code.text] ?? row.details.code).toLowerCase().includes(text)).map((row) => row.iteration));
  return { told, details, search };
}

export async function fetched(path) {
  const response = await fetch(path);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  return answer;
}

export async function wanted(name, what) {
  const response = await fetch(`/runs/${encodeURIComponent(name)}/ask`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ what }) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? response.statusText);
  return answer.answer;
}

// A source whose ``told`` is brought up to date by ``next``: only what changed is sent.
export async function served(name) {
  const base = `/live/${encodeURIComponent(name)}`;
  const rows = new Map();
  const source = {
    told: null,
    details: (row) => fetched(`${base}/program/${row.iteration}`),
    search: async (text) => new Set((await fetched(`/search?run=${encodeURIComponent(name)}&text=${encodeURIComponent(text)}`)).map((row) => row.iteration)),
    ask: (what) => wanted(name, what),
    changes: new EventSource(`${base}/events`),
    at: -1,
    bytes: 0,
    async next() {
      const found = await fetched(`${base}?since=${source.at}`);
      for (const row of found.programs) rows.set(row.iteration, row);
      for (const [iteration, estimate, error] of found.estimates) Object.assign(rows.get(iteration), { estimate, estimate_error: error });
      source.at = found.at;
      source.bytes = found.bytes;
      source.told = { ...found.overview, programs: [...rows.values()].sort((a, b) => a.iteration - b.iteration) };
    },
  };
  await source.next();
  return source;
}

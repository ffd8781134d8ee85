"use strict";
// The page works without this file; with it, the numbers are those of the last second.
const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const show = (value) => (typeof value === "number" ? number.format(value) : String(value ?? "-"));
const LONGEST = 120;
const rates = [];
let paused = false;

function time(seconds) {
  if (seconds === null) return "-";
  if (seconds < 0.001) return number.format(seconds * 1e6) + " µs";
  return seconds < 1 ? number.format(seconds * 1e3) + " ms" : number.format(seconds) + " s";
}

function fill(table, rows) {
  const made = rows.map((cells) => {
    const row = document.createElement("tr");
    cells.forEach((value, at) => {
      const cell = document.createElement(at ? "td" : "th");
      if (!at) cell.scope = "row";
      cell.textContent = show(value);
      row.append(cell);
    });
    return row;
  });
  byId(table).tBodies[0].replaceChildren(...made);
}

function draw(rate) {
  rates.push(rate);
  if (rates.length > LONGEST) rates.shift();
  const highest = Math.max(1, ...rates);
  const points = rates.map((each, at) => `${(at * 480) / (LONGEST - 1)},${98 - (each * 96) / highest}`);
  byId("line").setAttribute("points", points.join(" "));
  byId("highest").textContent = show(highest);
}

function update(seen) {
  const waiting = seen.queues.reduce((sum, each) => sum + each.waiting, 0);
  const limit = seen.queues.reduce((sum, each) => sum + each.limit, 0);
  const tiles = {
    rate: show(seen.rate), connections: show(seen.connections), queue: `${show(waiting)} / ${show(limit)}`,
    p50: time(seen.p50), p90: time(seen.p90), p99: time(seen.p99),
  };
  for (const tile of document.querySelectorAll("[data-tile]")) tile.textContent = tiles[tile.dataset.tile];
  for (const cell of document.querySelectorAll("[data-field]")) cell.textContent = show(seen[cell.dataset.field]);
  fill("queues", seen.queues.map((q) => [`${q.protocol} ${q.address}:${q.port}`, q.waiting, q.limit, q.drops]));
  fill("errors", Object.entries(seen.errors));
  fill("workers", seen.workers.map((w) => [w.number, w.rate, w.requests, w.connections, w.restarts]));
  draw(seen.rate);
}

// Only told when it changes: a screen reader reads it out.
function say(text, away) {
  const status = byId("status");
  if (status.textContent !== text) status.textContent = text;
  status.classList.toggle("away", away);
}

for (const id of ["tiles", "chart", "pause"]) byId(id).hidden = false;
byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", paused);
  say(paused ? "Paused" : "Live", false);
});
const events = new EventSource("/events");
events.onmessage = (event) => {
  if (paused) return;
  const seen = JSON.parse(event.data);
  update(seen);
  say(seen.ready ? "Live" : "Draining: no new connections", !seen.ready);
};
events.onerror = () => say("No connection to ktcp; trying again", true);

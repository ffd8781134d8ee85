// Draws a trace.  What it says is put into the page as text, never as markup.
"use strict";

const data = JSON.parse(document.getElementById("trace").textContent);
const $ = id => document.getElementById(id);

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children.filter(each => each !== null && each !== ""));
  return element;
}

function span(ns) {
  if (ns === null) return "not seen";
  return ns < 1e6 ? `${(ns / 1e3).toFixed(1)} \u00b5s`
    : ns < 1e9 ? `${(ns / 1e6).toFixed(1)} ms` : `${(ns / 1e9).toFixed(2)} s`;
}

// Layers, by their id; a function that the table does not know has none.
const layerNames = new Map(data.layers.map(each => [each.id, each.name]));
const colourOf = layer => `of-${layerNames.has(layer) ? layer : "none"}`;
const nameOf = layer => layerNames.get(layer) || "layer not known";
// The layers of a frame's bytes in the colours of the kernel's: who puts them there.
const FRAME_LAYERS = {Ethernet: "device", VLAN: "device", ARP: "arp", IPv4: "ip", IPv6: "ip",
  ICMP: "ip", ICMPv6: "ip", UDP: "tcp", TCP: "tcp", data: "syscall"};
const UNITS = {Ethernet: "frame", IPv4: "datagram", IPv6: "datagram", TCP: "segment"};
const symbolsOf = stack => data.stacks[stack].map(each => data.symbols[each]);
// Where the kernel turns from sending to receiving.
const turnOf = symbols => symbols.findIndex(([, layer]) => layer === "softirq");
const narrow = matchMedia("(max-width: 61.99rem)");

// Keys move among items, of which one is in the tab order.
function rove(items, index) {
  if (!items[index]) return;
  for (const each of items) each.tabIndex = -1;
  items[index].tabIndex = 0;
  items[index].focus();
}

// ---- The lanes.

let rows = [];

function showConnection(connection) {
  const lanes = $("lanes");
  rows = connection.rows.map(row => [row, rowOf(row)]);
  lanes.replaceChildren(make("li", {class: "midline", "aria-hidden": "true"}),
    ...rows.map(([, button]) => make("li", null, button)));
  if (rows.length) rows[0][1].tabIndex = 0;
  $("left").hidden = !connection.left;
  $("left").textContent = `and ${connection.left} more, which are not drawn`;
  showAlerts();
  showHandshake(connection.handshake);
  $("synDwell").textContent = span(connection.synQueue);
  $("acceptDwell").textContent = span(connection.acceptQueue);
  showWay(connection.way);
  $("details").replaceChildren();
  if (!narrow.matches) {
    const first = rows.find(([row]) => row.trouble) || rows.find(([row]) => row.kind === "frame") || rows[0];
    if (first) select(...first);
  }
}

function rowOf(row) {
  const kind = row.trouble ? "row trouble" : "row";
  const button = make("button", {class: kind, tabindex: "-1", "data-kind": row.kind},
    make("span", {class: "when"}, row.time < 1e8 ? (row.time / 1e3).toFixed(1) : span(row.time)),
    ...(row.kind === "frame" ? arrow(row) : box(row)));
  button.addEventListener("click", () => select(row, button));
  return button;
}

function box(row) {
  const borrowed = row.lane === "softirq";
  const by = ["client", "server"].includes(row.lender) ? row.lender : "other";
  const label = make("span", {class: `box in-${row.lane} by-${borrowed ? by : row.lane}`}, row.title,
    row.text ? `: ${row.text}` : "",
    row.states.length ? make("small", null, `${row.side}: ${row.states.join(" \u2192 ")}`) : "",
    borrowed ? make("small", null, by === "other" ? row.who.replace(" in ", ", in ") : `runs in the ${by}`) : "");
  return borrowed && by !== "other" ? [make("span", {class: `loan by-${by}`}), label] : [label];
}

function arrow(row) {
  const to = row.from === "client" ? "server" : "client";
  const fate = row.trouble ? ", dropped" : "";
  return [make("span", {class: `arrow to-${to}`,
    title: `${row.from} to ${to}, sent in ${row.lane}${fate}`},
    make("i", {class: `at-${row.lane}`}), make("span", null, row.title + fate))];
}

function select(row, button) {
  for (const [, each] of rows) {
    each.removeAttribute("aria-current");
    each.tabIndex = -1;
  }
  button.setAttribute("aria-current", "true");
  button.tabIndex = 0;
  const close = make("button", {class: "close"}, "Close");
  close.addEventListener("click", () => closeDetails());
  $("details").replaceChildren(close, ...(row.kind === "frame" ? frameDetails(row) : stepDetails(row)),
    ...stackDetails(row));
  $("details").scrollTop = 0;
  if (narrow.matches) button.scrollIntoView({block: "start"});
}

function closeDetails() {
  const current = rows.find(([, button]) => button.hasAttribute("aria-current"));
  if (narrow.matches) $("details").replaceChildren();
  if (current) current[1].focus();
}

function laneKeys(event) {
  const buttons = rows.map(([, button]) => button);
  const at = buttons.indexOf(event.target.closest(".row"));
  const frame = step => {
    for (let i = at + step; rows[i]; i += step) if (rows[i][0].kind === "frame") return i;
    return at;
  };
  const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1,
    ArrowRight: frame(1), ArrowLeft: frame(-1)}[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  rove(buttons, Math.max(0, Math.min(rows.length - 1, to)));
}

function showHandshake(handshake) {
  const {steps, borrowed, call, first} = handshake;
  $("handshake").hidden = !steps;
  if (!steps) return;
  const where = call ? `, inside its ${call}(2)` : "";
  // Without the step accept() in the trace, who was first seen is no evidence.
  const then = first === "accept()" ? ` The server's program came in only at accept().` : "";
  $("handshake").textContent = borrowed
    ? `Who ran the server's half of the handshake? ${borrowed} of its ${steps} recorded steps ran in the`
      + ` client's process${where}: on one machine what is sent is received at once, in a softirq, by whoever is`
      + ` running.${then} So a server that is busy, or stopped, still \u201caccepts\u201d, until its queue is full.`
    : `The ${steps} recorded steps of the server's half of the handshake ran in softirqs, not in the server's`
      + ` program.${then} So a server that is busy, or stopped, still \u201caccepts\u201d, until its queue is full.`;
}

// What was dropped, by whom: before all else.
function showAlerts() {
  $("alerts").replaceChildren(...rows.filter(([row]) => row.step === "drop").map(([row, button]) => {
    const where = row.evidence.split(" < ")[1];
    const alert = make("button", {class: "alert"}, make("b", null, "A segment was dropped "),
      `${span(row.time)} after the start: ${row.text || "no reason given"}`,
      where ? `, in ${where}()` : "", `; ${row.who}.`);
    alert.addEventListener("click", () => {
      select(row, button);
      button.focus();
    });
    return alert;
  }));
}

// ---- The details of a row.

function stepDetails(row) {
  const facts = [["who", `${row.who}, task ${row.task}`], ["at", span(row.time)],
    ["state", row.states.length ? `${row.side}: ${row.states.join(" \u2192 ")}` : ""],
    ["evidence", row.evidence]];
  return [make("h3", null, row.title, row.text ? `: ${row.text}` : ""),
    make("p", null, data.lessons[row.step] || ""), list(facts)];
}

function frameDetails(row) {
  const title = make("h3", null, row.trouble ? `${row.title}, dropped` : row.title);
  const arrived = row.arrived === null ? "not seen" : `${span(row.arrived - row.time)} later`;
  const top = [title, make("p", null, row.summary), list([["sent", `${span(row.time)}, in ${row.lane}`
    + (row.lane === "softirq" && row.lender ? `, borrowed from the ${row.lender}` : "")],
    ["received", arrived]])];
  if (row.frame === null) return [...top, make("p", {class: "small"}, "Its bytes are not in this page.")];
  const frame = data.frames[row.frame];
  return [...top, hexDump(frame), ...frame.layers.map(fieldsOf)];
}

function list(pairs) {
  return make("dl", null, ...pairs.filter(([, text]) => text)
    .flatMap(([name, text]) => [make("dt", null, name), make("dd", null, text)]));
}

function hexDump(frame) {
  const count = frame.bytes.length / 2, width = $("details").clientWidth < 560 ? 8 : 16;
  const dump = make("pre", {class: "hex", tabindex: "0", "aria-label": "Bytes in hexadecimal"});
  for (let start = 0; start < count; start += width) {
    const end = Math.min(start + width, count);
    dump.append(make("span", {class: "offset"}, start.toString(16).padStart(4, "0")), "  ",
      ...runs(frame, start, end, i => frame.bytes.slice(2 * i, 2 * i + 2) + " "),
      "   ".repeat(width - (end - start)), " ", ...runs(frame, start, end, i => printable(frame, i)), "\n");
  }
  if (count < frame.length) dump.append(`\u2026 ${frame.length - count} of ${frame.length} bytes more`);
  return dump;
}

// The bytes of a line, those of a layer together.
function runs(frame, start, end, text) {
  const made = [];
  for (let i = start; i < end;) {
    const layer = frame.layers.find(([, at, length]) => at <= i && i < at + length);
    const until = layer ? Math.min(end, layer[1] + layer[2]) : i + 1;
    let shown = "";
    for (; i < until; i++) shown += text(i);
    made.push(make("b", {class: colourOf(layer && FRAME_LAYERS[layer[0]])}, shown));
  }
  return made;
}

function printable(frame, i) {
  const code = parseInt(frame.bytes.slice(2 * i, 2 * i + 2), 16);
  return code > 31 && code < 127 ? String.fromCharCode(code) : ".";
}

function fieldsOf([name, start, length, fields, note]) {
  const unit = UNITS[name] ? ` ${UNITS[name]} header` : name === "data" ? " from the program" : "";
  return make("details", {class: `fields ${colourOf(FRAME_LAYERS[name])}`, ...(name === "TCP" && {open: ""})},
    make("summary", null, `${name}${unit}, ${length} bytes at ${start}`), list(fields),
    note ? make("p", {class: "alert"}, note) : "");
}

function stackDetails(row) {
  if (row.stack === null) return [make("p", {class: "small"}, "No stack was recorded for this.")];
  const symbols = symbolsOf(row.stack), turn = turnOf(symbols);
  const items = symbols.flatMap(([name, layer, text], i) => [
    ...(i === turn && i ? [make("li", {class: "turn"}, `from here on softirq: the kernel receives${
      row.lender ? `, in the time of the ${row.lender}` : ""}`)] : []),
    make("li", {class: colourOf(layer), title: nameOf(layer)}, make("code", null, name),
      text ? make("small", null, text) : "")]);
  return [make("h3", null, "Stack, from the outermost function in"), make("ol", {class: "stack"}, ...items)];
}

// ---- The queues.

function showQueues() {
  const all = data.queues, last = all.length ? all[all.length - 1] : [0, 0, 0, null];
  const end = data.connections.reduce((high, each) => each.rows.reduce(
    (later, row) => Math.max(later, each.start + row.time), high), Math.max(last[0], 1));
  const most = i => all.reduce((high, each) => Math.max(high, each[i]), 0);
  const limit = last[3];
  $("limit").textContent = (limit === null ? "The limit was not asked for in this trace. "
    : `In this trace the limit was ${limit}. `)
    + `At most ${most(1)} stood in the accept queue, and ${most(2)} in the SYN queue.`
    + (limit !== null && most(1) > limit ? " It was full: whoever came then had to try again." : "");
  $("bars").replaceChildren(...[["SYN queue", 2, "syn", null], ["accept queue", 1, "accept", limit]]
    .map(([name, i, kind, bound]) => bars(name, all.map(each => [each[0], each[i]]), kind, bound, most(i), end)));
  const waits = data.connections.filter(each => each.acceptQueue !== null || each.synQueue !== null)
    .sort((a, b) => b.acceptQueue - a.acceptQueue).slice(0, 12);
  const longest = Math.max(1, ...waits.map(each => each.synQueue + each.acceptQueue));
  $("dwells").replaceChildren(...(waits.length ? [make("h3", null, "Time in the queues, longest in the accept queue first")]
    : []), ...waits.map(each => dwell(each, longest)));
}

function bars(name, points, kind, limit, most, end) {
  // A limit far above what was seen would press the bars flat: it is told in words.
  const high = Math.max(1, most, limit !== null && limit <= 4 * most ? limit : 0);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS(svg.namespaceURI, "path");
  const x = time => (1000 * time / end).toFixed(2), y = value => (100 - 95 * value / high).toFixed(2);
  let line = "M0 100";
  for (const [time, value] of points) line += `H${x(time)}V${y(value)}`;
  path.setAttribute("d", `${line}H1000V100Z`);
  for (const [key, value] of [["viewBox", "0 0 1000 100"], ["preserveAspectRatio", "none"], ["role", "img"],
    ["aria-label", `${name} over time, at most ${most}`]]) svg.setAttribute(key, value);
  svg.append(path);
  if (limit !== null && limit <= high) {
    const rule = document.createElementNS(svg.namespaceURI, "line");
    for (const [key, value] of [["x1", 0], ["x2", 1000], ["y1", y(limit)], ["y2", y(limit)]])
      rule.setAttribute(key, value);
    svg.append(rule);
  }
  return make("figure", {class: kind}, make("figcaption", null, make("b", null, name),
    make("span", null, `height: ${high}${limit !== null && limit <= high ? `, dashed: the limit ${limit}` : ""}`)), svg,
    make("div", {class: "axis"}, make("span", null, "0"), make("span", null, span(end / 2)),
      make("span", null, span(end))));
}

function dwell(connection, longest) {
  const part = (kind, value) => {
    const bar = make("div", {class: kind, title: `${kind === "syn" ? "SYN" : "accept"} queue ${span(value)}`});
    bar.style.width = `${100 * value / longest}%`;
    return bar;
  };
  return make("div", {class: "dwell"}, make("span", {title: connection.name}, connection.name),
    make("div", {class: "bar"}, part("syn", connection.synQueue), part("accept", connection.acceptQueue)),
    make("span", null, span(connection.synQueue + connection.acceptQueue)));
}

// ---- The layers.

function showWay(stack) {
  if (stack === null) {
    $("wayNote").textContent = "This trace has no stack of data on their way.";
    $("layers").replaceChildren();
    return;
  }
  const symbols = symbolsOf(stack), turn = turnOf(symbols);
  const ways = {down: new Map(), up: new Map()};
  let layer = "syscall";
  symbols.forEach(([name, own, text], i) => {
    layer = own || layer;
    const way = ways[turn >= 0 && i >= turn ? "up" : "down"];
    way.set(layer, [...(way.get(layer) || []), [name, text]]);
  });
  $("wayNote").textContent = turn > 0 ? "The same processor received, so that one stack has both ways."
    : "Another processor or another machine had the other way: this stack has only one.";
  const cell = found => make("td", null, found ? make("ul", null, ...found.map(([name, text]) =>
    make("li", null, make("code", null, name), text ? make("small", null, text) : ""))) : make("small", null, "not in this stack"));
  const body = data.layers.map(({id, name}) => {
    const absent = !ways.down.has(id) && !ways.up.has(id);
    return make("tr", {class: colourOf(id) + (absent ? " absent" : "")},
      make("th", {scope: "row"}, name), cell(ways.down.get(id)), cell(ways.up.get(id)));
  });
  $("layers").replaceChildren(make("table", {class: "ways"}, make("thead", null, make("tr", null,
    make("th", {scope: "col"}, "layer"), make("th", {scope: "col"}, "\u2193 sent"),
    make("th", {scope: "col"}, "\u2191 received"))), make("tbody", null, ...body)));
}

// ---- The flame graph.

const root = {name: "all", layer: "", text: "", count: 0, children: new Map(), parent: null};
let shown = root, boxes = new Map();

function growFlame() {
  for (const [role, stack, count] of data.flame) {
    let node = root;
    node.count += count;
    for (const [name, layer, text] of [[`${role}'s process`, "", "Who was running."], ...symbolsOf(stack)]) {
      if (!node.children.has(name))
        node.children.set(name, {name, layer, text, count: 0, children: new Map(), parent: node});
      node = node.children.get(name);
      node.count += count;
    }
  }
}

const inOrder = node => [...node.children.values()].sort((a, b) => b.count - a.count);

function drawFlame() {
  const placed = [], above = [];
  for (let node = shown; node; node = node.parent) above.unshift(node);
  above.forEach((node, depth) => placed.push([node, depth, 0, 1]));
  const lay = (node, depth, left, width) => {
    for (const child of inOrder(node)) {
      const own = width * child.count / node.count;
      // Narrower is less than a pixel; and no trace of ours has so many boxes.
      if (own < 0.001 || placed.length > 5000) continue;
      placed.push([child, depth, left, own]);
      lay(child, depth + 1, left, own);
      left += own;
    }
  };
  lay(shown, above.length, 0, 1);
  boxes = new Map(placed.map(each => [each[0], flameBox(...each)]));
  $("flame").style.height = `${1.3 * (1 + Math.max(...placed.map(each => each[1])))}rem`;
  $("flame").replaceChildren(...boxes.values());
  boxes.get(shown).tabIndex = 0;
}

function flameBox(node, depth, left, width) {
  const button = make("button", {class: colourOf(node.layer), tabindex: "-1", title: `${node.name}: ${share(node)}`},
    node.name);
  Object.assign(button.style, {left: `${100 * left}%`, width: `${100 * width}%`, top: `${1.3 * depth}rem`});
  button.addEventListener("click", () => enlarge(node));
  button.addEventListener("focus", () => tell(node));
  return button;
}

const share = node => `${node.count} of ${root.count} events, ${(100 * node.count / root.count || 0).toFixed(1)} %`;

function tell(node) {
  $("told").replaceChildren(make("b", null, node.name), ` \u2013 ${share(node)}`
    + (node.layer ? `; ${nameOf(node.layer)}. ` : ". ") + node.text);
}

function enlarge(node) {
  shown = node;
  drawFlame();
  boxes.get(node).focus();
}

function flameKeys(event) {
  const found = [...boxes].find(([, button]) => button === event.target);
  if (!found) return;
  const node = found[0], siblings = node.parent ? inOrder(node.parent) : [node], at = siblings.indexOf(node);
  const to = {ArrowDown: inOrder(node)[0], ArrowUp: node.parent, ArrowLeft: siblings[at - 1],
    ArrowRight: siblings[at + 1], Home: root}[event.key];
  if (event.key === "Escape") enlarge(root);
  else if (!(event.key.startsWith("Arrow") || event.key === "Home")) return;
  event.preventDefault();
  const items = [...boxes.values()];
  if (to && boxes.has(to)) rove(items, items.indexOf(boxes.get(to)));
}

// ---- All of it.

function start() {
  document.title = `ktcp trace: ${data.title}`;
  $("title").textContent = data.title;
  $("facts").append(...list(data.facts).childNodes);
  $("notes").hidden = !data.notes.length;
  $("notes").append(...data.notes.map(each => make("li", null, each)));
  const pick = $("connections");
  pick.append(...data.connections.map((each, i) => make("option", {value: i}, each.name)));
  pick.addEventListener("change", () => showConnection(data.connections[pick.value]));
  $("pick").hidden = data.connections.length < 2;
  $("lanes").addEventListener("keydown", laneKeys);
  $("flame").addEventListener("keydown", flameKeys);
  document.addEventListener("keydown", event => {
    if (event.key === "Escape" && !event.target.closest("#flame")) closeDetails();
  });
  if (data.connections.length) showConnection(data.connections[0]);
  else $("handshake").replaceWith(make("p", {class: "alert"}, "No connection was seen in this trace."));
  showQueues();
  $("legend").append(...data.layers.map(({id, name}) => make("li", {class: colourOf(id)}, name)));
  growFlame();
  drawFlame();
  tell(root);
}

start();

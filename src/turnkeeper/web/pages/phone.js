"use strict";
// The page keeps what it could not hand over yet and repeats it under the same id: a killed server loses nothing.
// Every text comes from people and goes into the page as text, never as HTML.

const { root, number, problem } = document.body.dataset;
const base = `${root}/phone/${encodeURIComponent(number)}`;
const shelf = `turnkeeper.unsent.${location.host}${root}.${number}.`;
const FIRST_WAIT_MS = 250, LONGEST_WAIT_MS = 4000, PATIENCE_MS = 1500, NEAR_END_PX = 80, RECENT_LINES = 40;

const find = (id) => document.getElementById(id);
const thread = find("thread"), text = find("text"), newer = find("newer");
let lines = [];        // what is committed, as the server told it last
let inFlight = 0;      // messages and work that the server has not finished
let unsent = new Map(); // id -> {id, text, kind, at, refused, tried}: typed here, not known to be durable

// --- What was typed and not delivered: one entry each in the browser's storage, so that tabs do not overwrite theirs ---

function remember(message) {
  unsent.set(message.id, message);
  try { localStorage.setItem(shelf + message.id, JSON.stringify(message)); } catch { /* kept in this tab only */ }
}

function forget(id) {
  unsent.delete(id);
  try { localStorage.removeItem(shelf + id); } catch { /* it was never there */ }
}

function recall() {
  try {
    for (const key of Object.keys(localStorage).filter((each) => each.startsWith(shelf))) {
      const message = JSON.parse(localStorage.getItem(key));
      if (message && !unsent.has(message.id)) unsent.set(message.id, message);
    }
  } catch { /* no storage, or not ours */ }
  unsent = new Map([...unsent].sort(([, one], [, other]) => one.at - other.at));
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

// --- To the server ---

let isSending = false;
let wake = () => {};

async function sendAll() {
  if (isSending) return;
  isSending = true;
  let wait = FIRST_WAIT_MS;
  for (;;) {
    const message = [...unsent.values()].find((one) => !one.refused);
    if (!message) break;
    if (await send(message)) {
      wait = FIRST_WAIT_MS;
    } else {
      message.tried = true;
      draw();
      await new Promise((done) => { wake = done; setTimeout(done, wait); });
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }
  isSending = false;
}

async function send({ id, text: words, kind }) {
  try {
    const answer = await fetch(`${base}/messages`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ text: words, id, kind }),
    });
    if (answer.status >= 500) return false;
    if (answer.status === 202) {
      await read(); // first, so that the bubble never vanishes in between
      forget(id);
    } else {
      const { error } = await answer.json();
      const message = unsent.get(id);
      forget(id);
      unsent.set(id, { ...message, refused: error || `refused (${answer.status})` });
    }
    draw();
    return true;
  } catch {
    return false;
  }
}

function say(said, kind = "text") {
  const words = said.toWellFormed?.() ?? said; // half an emoji cannot be sent
  remember({ id: newId(), text: words, kind, at: Date.now() });
  draw();
  thread.scrollTop = thread.scrollHeight;
  sendAll();
}

// --- From the server ---

let reading = null, isStale = false, hasRead = false;

function read() {
  isStale = true;
  reading ??= (async () => {
    try {
      while (isStale) {
        isStale = false;
        await readOnce();
      }
    } finally {
      reading = null;
    }
  })();
  return reading;
}

async function readOnce() {
  const full = find("kept").open ? "?full=1" : "";
  const [thread_, state] = await Promise.all([fetch(`${base}/messages`), fetch(`${base}/state${full}`)]);
  if (!thread_.ok || !state.ok) throw new Error("the server could not answer");
  lines = await thread_.json();
  hasRead = true;
  const { conversations, suggestions } = await state.json();
  for (const line of lines) if (line.direction === "in" && unsent.has(line.id)) forget(line.id);
  const sum = (name) => conversations.reduce((total, one) => total + one[name], 0);
  inFlight = sum("waiting") + sum("unsent");
  find("status").textContent = conversations.map((one) => one.status).filter(Boolean).join(" · ") || "–";
  find("version").textContent = conversations.map((one) => one.version).join(" · ") || "–";
  const parts = [["message", sum("waiting")], ["job or reply", sum("unsent")]].filter(([, count]) => count);
  find("flight").textContent = parts.map(([name, count]) => `${count} × ${name}`).join(", ") || "nothing";
  if (full) find("state").textContent = conversations.map(stateText).join("\n\n") || "nothing yet";
  suggest(suggestions);
  draw();
}

function stateText({ conversation, state }) {
  const { _: engines, ...own } = state || {}; // people look for their own fields; the engine's go last
  return `${conversation}\n${JSON.stringify(state ? { ...own, _: engines } : null, null, 2)}`;
}

function listen() {
  const source = new EventSource(`${base}/events`);
  const stop = () => { source.close(); document.removeEventListener("visibilitychange", rest); };
  // A browser opens six connections to a server at most; tabs that nobody sees leave theirs to the others.
  const rest = () => { if (document.hidden) { stop(); document.addEventListener("visibilitychange", listen, { once: true }); } };
  document.addEventListener("visibilitychange", rest);
  source.addEventListener("changed", () => { link("open"); read().catch(() => {}); });
  source.addEventListener("trouble", (event) => link("down", JSON.parse(event.data)));
  source.onopen = () => { link("open"); wake(); sendAll(); };
  source.onerror = () => {
    // A stream ends now and then by design; only what does not come back at once is a lost connection.
    silence ||= setTimeout(() => link("down"), PATIENCE_MS);
    if (source.readyState === EventSource.CLOSED) { stop(); setTimeout(listen, 1000); }
  };
}

let silence = 0;

function link(state, reason = "Reconnecting…") {
  clearTimeout(silence);
  silence = 0;
  if (state === "open" && find("graph").classList.contains("missing")) drawGraph();
  const texts = { open: "Connected", down: reason };
  if (find("link").textContent === texts[state]) return;
  find("link").dataset.link = state;
  find("link").textContent = texts[state];
}

// --- The page ---

function isAtEnd() {
  return thread.scrollHeight - thread.scrollTop - thread.clientHeight < NEAR_END_PX;
}

function draw() {
  const wasAtEnd = isAtEnd();
  const wanted = items();
  const old = new Map([...thread.children].map((node) => [node.dataset.key, node]));
  let hasNews = false;
  wanted.forEach((item, index) => {
    const look = JSON.stringify(item);
    let node = old.get(item.key);
    if (!node) {
      node = bubble(item);
      hasNews ||= item.kind === "out";
    } else if (node.look !== look) {
      const fresh = bubble(item);
      node.dataset.state = item.state;
      // Only what changed is exchanged: a screen reader reads the words of a bubble once.
      while (node.childNodes.length > 1) node.lastChild.remove();
      node.append(...[...fresh.childNodes].slice(1));
    }
    node.look = look;
    old.delete(item.key);
    if (thread.children[index] !== node) thread.insertBefore(node, thread.children[index] || null);
  });
  old.forEach((node) => node.remove());
  if (wasAtEnd) thread.scrollTop = thread.scrollHeight;
  else if (hasNews) newer.hidden = false;
}

function items() {
  const known = new Set(lines.map((line) => line.id));
  const said = lines.map((line, index) => ({
    key: `${line.direction}:${line.id}`, kind: line.direction, text: line.text, at: line.at, state: "delivered",
    buttons: index === lines.length - 1 ? line.buttons : undefined, isLast: isLastOfMinute(line, lines[index + 1]),
  }));
  const open = [...unsent.values()].filter((message) => !known.has(message.id)).map((message) => ({
    key: `in:${message.id}`, kind: "in", text: message.text, state: message.refused ? "refused" : "waiting",
    note: message.refused || (message.tried ? "not delivered yet, trying again…" : "sending…"),
  }));
  const all = [];
  let day = "";
  for (const item of said) {
    const next = new Date(item.at).toDateString();
    if (next !== day) all.push({ key: `day:${next}`, kind: "day", text: dayName(item.at) });
    day = next;
    all.push(item);
  }
  all.push(...open);
  if (!all.length && hasRead) all.push({ key: "none", kind: "none", text: `No messages yet. Say ${example}.` });
  if (inFlight && !open.length) all.push({ key: "working", kind: "working" });
  return all;
}

function isLastOfMinute(line, next) {
  return !next || next.direction !== line.direction || time(next.at) !== time(line.at);
}

function dayName(at) {
  return new Date(at).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
}

function bubble({ key, kind, text: words, at, state, note, buttons, isLast }) {
  const node = document.createElement("li");
  node.dataset.key = key;
  node.className = kind;
  if (kind === "working") {
    node.setAttribute("aria-hidden", "true");
    node.append(...[0, 1, 2].map(() => document.createElement("i")));
    return node;
  }
  node.textContent = words;
  node.dir = "auto"; // Arabic and Hebrew begin at the right
  if (state) node.dataset.state = state;
  if (isLast || note) node.append(small(note || time(at), at));
  for (const each of buttons || []) node.append(button(each.text, () => say(each.data, "action")));
  if (state === "refused") node.append(button("Discard", () => { forget(key.slice(3)); draw(); }));
  return node;
}

function small(words, at) {
  const node = document.createElement(at ? "time" : "span");
  const wrap = document.createElement("small");
  node.textContent = words;
  node.dir = "ltr"; // "3:59 AM" also below an Arabic text
  if (at) node.dateTime = at;
  wrap.append(node);
  return wrap;
}

function time(at) {
  return new Date(at).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
}

function button(words, click) {
  const node = document.createElement("button");
  node.type = "button";
  node.textContent = words;
  node.addEventListener("click", click);
  return node;
}

let suggested = "", example = "something";

function suggest(all) {
  // An example that was said needs no saying again; often it cannot even be done again.
  const said = new Set(lines.slice(-RECENT_LINES).filter((line) => line.direction === "in").map((line) => line.text.trim().toLowerCase()));
  const suggestions = all.filter((one) => !one.example || !said.has(one.say));
  if (suggested === JSON.stringify(suggestions)) return;
  suggested = JSON.stringify(suggestions);
  if (suggestions.length) example = `“${suggestions[0].say}”`;
  find("says").replaceChildren(...suggestions.map(({ say: words, help }) => {
    const item = document.createElement("li");
    const chip = button(words, () => { say(words); text.focus(); });
    chip.title = help;
    item.append(chip);
    return item;
  }));
}

function drawGraph() {
  find("graph").classList.remove("missing");
  find("graph").src = `${find("graph").dataset.src}?${Date.now()}`;
}

function fit() {
  const wasAtEnd = isAtEnd();
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
  if (wasAtEnd) thread.scrollTop = thread.scrollHeight; // the last message stays above the text that grows
}

find("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = text.value;
  if (!words.trim()) return;
  text.value = "";
  fit();
  say(words);
});

text.addEventListener("input", fit);
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    find("compose").requestSubmit();
  }
});

find("switch").addEventListener("submit", (event) => {
  event.preventDefault();
  location.href = `${root}/phone/${encodeURIComponent(find("other").value.trim())}`;
});

newer.addEventListener("click", () => { thread.scrollTop = thread.scrollHeight; newer.hidden = true; });
thread.addEventListener("scroll", () => {
  if (isAtEnd()) newer.hidden = true;
});
find("kept").addEventListener("toggle", () => { read().catch(() => {}); });
find("drawn").addEventListener("toggle", drawGraph);
find("graph").addEventListener("error", () => find("graph").classList.add("missing"));
addEventListener("storage", ({ key, newValue }) => { // another tab of this number
  if (!key?.startsWith(shelf)) return;
  if (newValue === null) unsent.delete(key.slice(shelf.length));
  else recall();
  draw();
  sendAll();
});

if (problem) {
  link("down", "Not connected");
  thread.append(Object.assign(document.createElement("li"), { className: "none bad", textContent: problem }));
  for (const field of find("compose").elements) field.disabled = true;
  find("mistake").textContent = problem; // on a narrow screen the thread is out of sight from here
  find("mistake").hidden = false;
  for (const id of ["says", "kept"]) find(id).closest("section").hidden = true; // nothing to say, nothing held
  find("other").value = number;
  find("other").focus();
  find("other").select();
  find("mistake").scrollIntoView({ block: "nearest" });
} else {
  recall();
  draw();
  listen();
  sendAll();
}

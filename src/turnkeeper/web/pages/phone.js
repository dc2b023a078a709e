"use strict";
// The page keeps what it could not hand over yet and repeats it under the same id: a killed server loses nothing.

const root = document.body.dataset.root;
const fromPath = decodeURIComponent(location.pathname.slice(root.length).split("/")[2] || "");
const number = fromPath || document.body.dataset.number;
const base = `${root}/phone/${encodeURIComponent(number)}`;
const store = `turnkeeper.unsent.${number}`;
const find = (id) => document.getElementById(id);
let lines = [];
let unsent = JSON.parse(localStorage.getItem(store) || "[]");
let isSending = false;

find("number").textContent = number;

function draw() {
  const thread = find("thread");
  const isAtEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 60;
  const known = new Set(lines.filter((line) => line.direction === "in").map((line) => line.id));
  const open = unsent.filter((message) => !known.has(message.id));
  const items = [...lines.map((line) => bubble(line.direction, line.text, line.at)),
                 ...open.map((message) => bubble(message.refused ? "in refused" : "in waiting", message.text, null,
                                                 message.refused || "not delivered yet, trying again…"))];
  if (!items.length) {
    const none = document.createElement("li");
    none.className = "none";
    none.textContent = "Say something, for example “plan”.";
    items.push(none);
  }
  thread.replaceChildren(...items);
  if (isAtEnd) thread.scrollTop = thread.scrollHeight;
}

function bubble(kind, text, at, note) {
  const item = document.createElement("li");
  item.className = kind;
  item.textContent = text;
  const time = document.createElement("time");
  time.textContent = note || new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (at) time.dateTime = at;
  item.append(time);
  return item;
}

function keep() {
  localStorage.setItem(store, JSON.stringify(unsent.filter((message) => !message.refused)));
  draw();
}

async function sendAll() {
  if (isSending) return;
  isSending = true;
  let wait = 250;
  for (;;) {
    const message = unsent.find((one) => !one.refused);
    if (!message) break;
    try {
      const answer = await fetch(`${base}/messages`, {
        method: "POST", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ text: message.text, id: message.id }),
      });
      if (answer.status === 202) {
        await read();
        unsent = unsent.filter((one) => one !== message);
        wait = 250;
      } else if (answer.status < 500) {
        message.refused = (await answer.json()).error || `refused (${answer.status})`;
      } else throw new Error(String(answer.status));
      keep();
    } catch {
      await new Promise((done) => setTimeout(done, wait));
      wait = Math.min(wait * 2, 4000);
    }
  }
  isSending = false;
}

async function read() {
  const answer = await fetch(`${base}/messages`);
  if (!answer.ok) return;
  lines = await answer.json();
  draw();
  const state = await fetch(`${base}/state`);
  if (!state.ok) return;
  const conversations = await state.json();
  const [first] = conversations;
  find("status").textContent = conversations.map((one) => one.status || "–").join(" · ") || "–";
  find("version").textContent = first ? first.version : "–";
  const waiting = conversations.reduce((sum, one) => sum + one.waiting, 0);
  const open = conversations.reduce((sum, one) => sum + one.unsent, 0);
  find("flight").textContent = waiting + open ? `${waiting} waiting, ${open} under way` : "nothing";
  find("state").textContent = JSON.stringify(conversations.map((one) => one.state), null, 2);
}

function say(text) {
  unsent.push({ id: `web-${crypto.randomUUID()}`, text });
  keep();
  find("thread").scrollTop = find("thread").scrollHeight;
  sendAll();
}

find("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = find("text").value;
  find("text").value = "";
  if (text.trim()) say(text);
});

find("switch").addEventListener("submit", (event) => {
  event.preventDefault();
  const other = find("other").value.replace(/[^+\d]/g, "");
  if (other) location.href = `${root}/phone/${encodeURIComponent(other)}`;
});

for (const text of ["plan", "swap salmon for chicken", "skip monday and weds", "how much is it?", "oops", "yes", "recipes now", "help"]) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", () => say(text));
  find("tries").append(button);
}

find("graph").closest("details").addEventListener("toggle", () => { find("graph").src = find("graph").dataset.src; });

function listen() {
  const source = new EventSource(`${base}/events`);
  source.addEventListener("changed", () => { read().catch(() => {}); });
  source.onopen = () => { find("link").textContent = "connected"; find("link").className = ""; sendAll(); };
  source.onerror = () => {
    find("link").textContent = "no connection, trying again…";
    find("link").className = "down";
    if (source.readyState === EventSource.CLOSED) { source.close(); setTimeout(listen, 1000); }
  };
}

draw();
read().catch(() => {});
listen();

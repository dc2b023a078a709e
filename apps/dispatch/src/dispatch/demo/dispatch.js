// The chats, looked at again and again. A message is drawn anew only when its version changes.
"use strict";

const LOOK_MS = 300;
const TOAST_MS = 2500;
const byId = (id) => document.getElementById(id);
const drawn = new Map(); // chat and message id -> [version, element]
const asked = new Map(); // queries of our clicks whose answer has not been shown -> the button that was pressed

async function post(path, body = {}) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return answer.json();
}

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function drawMessage(chat, message) {
  const item = element("li");
  item.dataset.message = message.message_id;
  item.append(element("p", message.text));
  const row = element("div", "", "row");
  for (const button of message.buttons) {
    const made = element("button", button.text);
    made.addEventListener("click", async () => {
      made.classList.add("turning");
      const answer = await post("click", { chat: chat.id, message: message.message_id, data: button.data, user: byId("user").value });
      asked.set(answer.query, made);
    });
    row.append(made);
  }
  item.append(row);
  const at = new Date(message.date * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  item.append(element("time", at));
  return item;
}

function drawChat(chat) {
  let section = byId(`chat${chat.id}`);
  if (!section) {
    section = element("section");
    section.id = `chat${chat.id}`;
    section.append(element("h2", chat.name), element("ol"));
    section.lastChild.append(element("li", "Nothing yet.", "empty"));
    byId("chats").append(section);
  }
  const list = section.lastChild;
  for (const message of chat.messages) {
    const key = `${chat.id}/${message.message_id}`;
    const [version, old] = drawn.get(key) ?? [0, null];
    if (version === message.version) continue;
    const fresh = drawMessage(chat, message);
    if (old) old.replaceWith(fresh);
    else {
      list.querySelector(".empty")?.remove();
      list.append(fresh);
      list.scrollTop = list.scrollHeight;
    }
    drawn.set(key, [message.version, fresh]);
  }
}

let toastTimer = 0;
function toast(text) {
  const shown = byId("toast");
  shown.textContent = text;
  shown.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { shown.hidden = true; }, TOAST_MS);
}

async function look() {
  try {
    const facts = await (await fetch("chats")).json();
    facts.chats.forEach(drawChat);
    const waiting = facts.waiting ? ` · ${facts.waiting} on their way` : "";
    byId("bot").textContent = (facts.bot === "running" ? "the bot is running" : "the bot is dead, a new one is coming") + waiting;
    byId("bot").classList.toggle("away", facts.bot !== "running");
    for (const [query, pressed] of asked) {
      if (query in facts.toasts) {
        asked.delete(query);
        pressed.classList.remove("turning");
        toast(facts.toasts[query]);
      }
    }
  } catch {
    byId("bot").textContent = "this page's server is gone";
    byId("bot").classList.add("away");
  }
  setTimeout(look, LOOK_MS);
}

byId("order").addEventListener("click", () => post("order"));
byId("kill").addEventListener("click", () => post("kill"));
look();

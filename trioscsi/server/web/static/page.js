// The live page: the feed comes in here, and what has changed is drawn now and then.

import { byId, bytes, count, soon } from "./dom.js";
import { Details } from "./details.js";
import { Feed } from "./feed.js";
import { Ladder } from "./ladder.js";
import { View } from "./machines.js";
import { Model } from "./model.js";
import { Plots } from "./plots.js";
import { Sessions } from "./sessions.js";
import { drawKeys, drawTasks } from "./tables.js";

const model = new Model();
let shown = null; // the number of the connection that is looked at
let latest = null; // and of the one that was opened last
let views = [];
let feed = null;
let now = 0; // the server's time

const details = new Details();
const plots = new Plots();
const sessions = new Sessions((number) => {
  byId("follow").checked = false;
  look(number);
});
const ladder = new Ladder(async (line, connection) => {
  if (line.type === "transition") for (const view of views) view.point(line);
  await details.show(line, connection);
  ladder.bringIntoSight();
});

const drawSessions = soon(() => sessions.draw(model, shown));
const drawLadder = soon(() => ladder.draw());
const drawTables = soon(() => {
  const connection = model.connections.get(shown);
  drawTasks(connection, now);
  drawKeys(connection);
});
const drawRates = soon(() => plots.draw(model.rates));
const lookAtNewest = soon(() => {
  if (!byId("follow").checked && model.connections.has(shown)) return;
  look(latest);
  // What it has come to since it began was not said yet: nobody looked at it.
  const move = model.connections.get(latest)?.moves.get("connection")?.at(-1);
  if (move) speak(move);
});

function look(number) {
  shown = number;
  const connection = model.connections.get(number) ?? null;
  for (const view of views) view.show(connection, model);
  ladder.show(connection);
  drawSessions();
  drawTables();
}

const OF_SESSIONS = new Set(["hello", "connection", "session", "transition", "closed"]);

function take(message) {
  now = message.at ?? now;
  const connection = model.take(message);
  switch (message.type) {
    case "hello":
      byId("where").textContent =
        `${model.program} · ${model.portals.map((each) => each.address).join(", ")}`;
      look(model.connections.has(shown) ? shown : newest());
      break;
    case "connection":
      latest = message.connection;
      lookAtNewest();
      break;
    case "rates": drawRates(); break;
    case "dropped": noteDropped(); break;
    case "transition":
      if (connection && belongs(message, connection)) {
        for (const view of views) view.moved(message);
        speak(message);
      }
      break;
    default:
  }
  if (OF_SESSIONS.has(message.type)) drawSessions();
  if (connection?.number === shown) {
    drawLadder();
    drawTables();
  }
}

/** Whether a transition is of the connection that is looked at, or of its session. */
function belongs(message, connection) {
  if (connection.number === shown) return true;
  const looked = model.connections.get(shown);
  return message.machine === "session" && looked && looked.session === connection.session;
}

function newest() {
  const open = [...model.connections.values()].filter((each) => !each.closed);
  return open.at(-1)?.number ?? [...model.connections.keys()].at(-1) ?? null;
}

function noteDropped() {
  const { bytes: missed, messages } = model.dropped;
  const parts = [];
  if (missed) parts.push(`${bytes(missed)} were not looked at one by one, to keep the target fast`);
  if (messages) parts.push(`${count(messages)} messages did not reach this page in time`);
  byId("dropped").textContent = `Detail was left out: ${parts.join("; ")}. ` +
    "States and totals are complete.";
  byId("dropped").hidden = false;
}

/** Says aloud, to those who listen, what becomes of the connection; not more than one a second. */
let said = 0;
let unsaid = null;
function speak(move) {
  if (move.machine !== "connection") return;
  clearTimeout(unsaid);
  const say = () => {
    said = performance.now();
    byId("spoken").textContent = `Connection ${move.connection}: ${move.to}. ${move.sentence}`;
  };
  unsaid = setTimeout(say, Math.max(said + 1000 - performance.now(), 0));
}

function changed() {
  const how = feed.how === "lost" ? "lost" : feed.paused ? "paused" : "live";
  const held = feed.held.length + feed.overflowed;
  const text = {
    live: "live",
    paused: held ? `paused, ${count(held)} to show` : "paused",
    lost: "the server does not answer; trying again",
  }[how];
  const status = byId("feed");
  if (status.textContent !== text) status.textContent = text;
  status.dataset.how = how;
  byId("pause").setAttribute("aria-pressed", String(feed.paused));
  byId("step").disabled = !feed.paused || !feed.held.length;
}

function pause() {
  feed.pause(!feed.paused);
  if (feed.paused) ladder.catchUp();
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

byId("pause").addEventListener("click", pause);
byId("step").addEventListener("click", () => feed.step());
byId("follow").addEventListener("change", (event) => {
  if (event.target.checked) look(newest());
});
byId("theme").addEventListener("change", (event) => {
  localStorage.setItem("theme", event.target.value);
  setTheme(event.target.value);
});
byId("theme").value = localStorage.getItem("theme") ?? "";
setTheme(byId("theme").value);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape" && !byId("details").hidden) details.close();
  if (event.target.closest("input, select, textarea")) return;
  if (event.key === "p") pause();
  if (event.key === "s" && !byId("step").disabled) feed.step();
  if (event.key === "/") {
    event.preventDefault();
    byId("filter").focus();
  }
});

// Commands that are under way grow.
setInterval(() => {
  now = Math.max(now, Date.now() / 1000);
  if (model.connections.get(shown)?.tasks.size) drawTables();
}, 1000);

const machines = new Map(
  (await (await fetch("/api/machines")).json()).map((each) => [each.name, each]));
views = [...document.querySelectorAll(".view")].map((each) =>
  new View(each, machines, each.dataset.view));
plots.draw([]);
feed = new Feed(take, () => feed && changed());
changed();

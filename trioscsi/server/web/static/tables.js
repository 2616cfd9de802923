// SCSI commands on their time line, and the keys that were negotiated.

import { byId, bytes, make, seconds } from "./dom.js";
import { over } from "./model.js";

const SHOWN = 40;

const tone = (task) => {
  if (task.state === "ABORTED" || (task.status && task.status !== "GOOD")) return "bad";
  if (task.writes) return "second";
  return task.reads ? "first" : "other";
};

const outcome = (task) => {
  if (!over(task)) return "";
  return task.status === "GOOD" ? "answer" : "bad";
};

export function drawTasks(connection, now) {
  const tasks = [...(connection?.tasks.values() ?? [])].slice(-SHOWN);
  const starts = tasks.map((task) => task.began).filter((at) => at !== null);
  const first = Math.min(...starts);
  const last = Math.max(...tasks.map((task) => task.ended ?? (over(task) ? first : now)), first);
  const whole = Math.max(last - first, 1e-6);
  byId("axis").textContent = starts.length ? `within ${seconds(whole)}` : "when";
  byId("idle").hidden = tasks.length > 0;
  byId("idle").textContent = connection?.missed
    ? "Not all that came was looked at: commands may be missing here." : "No command seen yet.";
  byId("tasks").replaceChildren(...tasks.reverse().map((task) => row(task, first, whole, now)));
}

function row(task, first, whole, now) {
  const end = task.ended ?? (over(task) ? null : now);
  const track = make("span", { class: "track" });
  if (task.began !== null && end !== null) {
    const bar = make("span", { class: `bar-of ${tone(task)}${over(task) ? "" : " open"}` });
    const left = Math.min((task.began - first) / whole * 100, 99.5);
    bar.style.left = `${left}%`;
    bar.style.width = `${Math.min((end - task.began) / whole * 100, 100 - left)}%`;
    track.append(bar);
  }
  const took = task.ended !== null && task.began !== null ? seconds(task.ended - task.began) : "";
  const moved = task.writes || task.reads;
  return make("tr", {},
    make("td", {}, task.name),
    make("td", { class: "number" }, task.lun === null ? "" : String(task.lun)),
    make("td", { class: "code" }, task.itt.replace(/^0x0+(?=.)/, "0x")),
    make("td", { class: "number" }, moved ? `${bytes(moved)} ${task.writes ? "out" : "in"}` : ""),
    make("td", { class: `state ${outcome(task)}` }, task.status ?? task.state),
    make("td", { class: "number" }, took),
    make("td", { class: "span" }, track));
}

export function drawKeys(connection) {
  const rows = [...(connection?.keys.values() ?? [])];
  byId("unsettled").hidden = rows.length > 0;
  byId("keys").replaceChildren(...rows.map((key) => make("tr", {},
    make("td", {}, key.key, make("span", { class: "rule" }, key.rule)),
    make("td", {}, key.by),
    make("td", { class: "code" }, key.offered),
    make("td", { class: "code" }, key.answered ?? ""),
    make("td", { class: key.result.startsWith("wrong") ? "code wrong" : "code" }, key.result),
    make("td", {}, key.section))));
}

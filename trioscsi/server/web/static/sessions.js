// Who is connected.

import { byId, count, make } from "./dom.js";

const MOST = 80; // connections in the list

export class Sessions {
  /** `chosen` is called with the number of a connection that somebody wants to see. */
  constructor(chosen) {
    this.list = byId("sessions");
    this.list.addEventListener("click", (event) => {
      const button = event.target.closest(".connection");
      if (button) chosen(Number(button.dataset.connection));
    });
  }

  draw(model, shown) {
    const groups = new Map();
    const all = [...model.connections.values()].reverse();
    const listed = all.filter((each, place) => place < MOST || each.number === shown);
    for (const connection of listed) {
      const number = connection.session;
      if (!groups.has(number)) groups.set(number, []);
      groups.get(number).push(connection);
    }
    byId("nobody").hidden = groups.size > 0;
    const focused = document.activeElement?.closest?.(".connection")?.dataset.connection;
    this.list.replaceChildren(...[...groups].map(([number, connections]) =>
      group(model.sessions.get(number), connections, model, shown)));
    if (all.length > listed.length) {
      const more = `and ${count(all.length - listed.length)} older connections`;
      this.list.append(make("p", { class: "soft" }, more));
    }
    if (focused) this.list.querySelector(`[data-connection="${focused}"]`)?.focus();
  }
}

function group(session, connections, model, shown) {
  const parts = [];
  if (session) {
    const where = session.kind === "Discovery" ? "discovery" : session.target;
    parts.push(make("h3", {}, session.initiator || "somebody"),
      make("p", { class: "soft" }, `${where} · TSIH ${session.tsih} · ${session.state}`));
  } else {
    parts.push(make("h3", {}, "not logged in"));
  }
  parts.push(make("ul", {}, ...connections.map((each) => make("li", {}, button(each, model, shown)))));
  return make("section", { class: "session" }, ...parts);
}

function button(connection, model, shown) {
  const state = model.stateOf(connection, "connection") ?? "FREE";
  return make("button", {
    type: "button",
    class: connection.closed ? "connection closed" : "connection",
    data: { connection: String(connection.number) },
    "aria-current": String(connection.number === shown),
  },
  make("span", { class: "number" }, `#${connection.number}`),
  make("span", { class: "peer" }, connection.peer),
  make("span", { class: "state" }, connection.closed ? `${state}, ${connection.how || "gone"}` : state));
}

// All about one line of the ladder.

import { byId, clock, make, title } from "./dom.js";

export class Details {
  constructor() {
    this.element = byId("details");
    this.request = 0;
  }

  async show(line, connection) {
    const request = this.request += 1;
    if (line.type !== "pdu") {
      this.put(heading(line), about(line));
      return;
    }
    const name = `${line.title}, PDU ${line.number} of connection ${connection.number}`;
    try {
      const answer = await fetch(`/api/connections/${connection.number}/pdus/${line.number}`);
      const found = await answer.json();
      if (request !== this.request) return;
      if (answer.ok) this.put(name, pdu(found));
      else this.put(name, [make("p", {}, line.summary), make("p", { class: "soft" }, found.error)]);
    } catch {
      if (request === this.request) this.put(name, [make("p", {}, "The server does not answer.")]);
    }
  }

  put(name, parts) {
    const close = make("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
    close.addEventListener("click", () => this.close());
    this.element.replaceChildren(
      make("div", { class: "head" }, make("h3", {}, name), close), ...parts);
    this.element.hidden = false;
    this.element.scrollTop = 0;
    this.element.focus({ preventScroll: true });
  }

  close() {
    this.element.hidden = true;
    byId("ladder").focus();
  }
}

function heading(line) {
  switch (line.type) {
    case "transition": return `${title(line.machine)} ${line.label}`;
    case "closed": return "The end of the connection";
    case "dropped": return "Left out";
    default: return line.refused ? "A refusal" : "A remark";
  }
}

function about(line) {
  if (line.type !== "transition") {
    return [make("p", {}, line.text ?? line.how ?? line.why),
      make("p", { class: "soft" }, clock(line.at))];
  }
  const parts = [
    make("p", { class: "code" }, `${line.from} → ${line.to} upon ${line.cause}`),
    make("p", {}, line.sentence, " ",
      make("span", { class: "soft" }, `RFC 7143 section ${line.section}`)),
  ];
  if (line.effects.length) {
    parts.push(make("ul", {}, ...line.effects.map((effect) => make("li", {}, effect))));
  }
  return parts;
}

function pdu(found) {
  const parts = [make("p", { class: "soft" }, `RFC 7143 section ${found.section}`)];
  if (found.wrong.length) {
    parts.push(make("ul", { class: "wrongs" }, ...found.wrong.map((each) => make("li", {}, each))));
  }
  parts.push(layout(found.fields));
  parts.push(table(["byte", "field", "value", "meaning"], found.fields.map((field) => [
    field.bit ? `${field.byte}.${field.bit}` : String(field.byte), field.title, field.value,
    field.meaning])));
  for (const content of found.contents) {
    parts.push(make("p", {}, make("strong", {}, content.title)));
    const [head, ...rows] = content.rows;
    if (head) parts.push(table(head, rows));
  }
  return parts;
}

function table(head, rows) {
  return make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((each) => make("th", { scope: "col" }, each)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {},
      ...row.map((cell, place) => make("td", place === 2 ? { class: "code" } : {}, cell))))));
}

/** The header as the RFC draws it: a row of 32 bits after the other. The table says the same. */
function layout(fields) {
  const cells = [];
  let at = 0;
  const put = (width, text) => {
    while (width > 0) {
      const room = Math.min(width, 32 - (at % 32));
      const cell = make("span", text ? { title: text } : { class: "free" }, text);
      cell.style.gridColumnEnd = `span ${room}`;
      cells.push(cell);
      at += room;
      width -= room;
    }
  };
  for (const field of fields) {
    const first = field.byte * 8 + field.bit;
    if (first > at) put(first - at, "");
    put(field.width - Math.max(at - first, 0), field.title);
  }
  put(Math.max(48 * 8 - at, 0), "");
  return make("div", { class: "octets", "aria-hidden": "true" }, ...cells);
}

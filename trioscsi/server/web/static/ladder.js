// PDUs from side to side and what they led to in between, the newest at the end.

import { byId, clock, count, make, title } from "./dom.js";

const KINDS = {
  LoginRequest: "login", LoginResponse: "login", TextRequest: "login", TextResponse: "login",
  ScsiCommand: "command", ScsiResponse: "answer", DataIn: "data", DataOut: "data",
  ReadyToTransfer: "data", LogoutRequest: "login", LogoutResponse: "login",
  TaskManagementRequest: "bad", TaskManagementResponse: "bad", Reject: "bad", AsyncMessage: "bad",
};

const MOST_ROWS = 400; // lines in the list
const MOST_AT_ONCE = 40; // and new ones at a time: nobody reads more

export class Ladder {
  /** `chosen` is called with the line that somebody wants to see more of. */
  constructor(chosen) {
    this.chosen = chosen;
    this.list = byId("ladder");
    this.latest = byId("latest");
    this.filter = byId("filter");
    this.connection = null;
    this.drawn = 0; // how many lines of the connection have been looked at
    this.followed = true; // whether the newest line is to be in sight
    this.passed = false; // whether lines went by that are not in the list
    this.active = null;
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest(".line-of");
      if (row?.line) this.select(row, true);
    });
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.latest.addEventListener("click", () => {
      this.followed = true;
      this.end();
      this.list.focus();
    });
    this.filter.addEventListener("input", () => this.show(this.connection));
  }

  show(connection) {
    this.connection = connection;
    this.passed = false;
    this.list.replaceChildren();
    this.list.removeAttribute("aria-activedescendant");
    this.active = null;
    this.drawn = connection?.first ?? 0;
    this.followed = true;
    this.draw();
  }

  draw() {
    const connection = this.connection;
    if (connection) {
      const wanted = this.filter.value.trim().toLowerCase();
      const first = this.drawn === connection.first && !this.list.children.length;
      let fresh = connection.lines.slice(Math.max(this.drawn - connection.first, 0));
      this.drawn = connection.first + connection.lines.length;
      if (wanted) fresh = fresh.filter((line) => words(line).includes(wanted));
      const most = first ? MOST_ROWS : MOST_AT_ONCE;
      if (fresh.length > most) {
        this.passed = true;
        this.list.append(gap(fresh.length - most));
        fresh = fresh.slice(-most);
      }
      this.list.append(...fresh.map(row));
      let gone = this.list.children.length - MOST_ROWS;
      while (gone-- > 0) {
        if (this.list.firstElementChild === this.active) this.active = null;
        this.list.firstElementChild.remove();
      }
    }
    this.end();
  }

  /** Puts lines into the list that went by too fast for it. */
  catchUp() {
    if (this.passed) this.show(this.connection);
  }

  end() {
    if (this.followed) this.list.scrollTop = this.list.scrollHeight;
    this.latest.hidden = this.followed;
  }

  scrolled() {
    const left = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight;
    this.followed = left < 40;
    this.latest.hidden = this.followed;
  }

  select(row, open) {
    this.active?.setAttribute("aria-selected", "false");
    this.active = row;
    row.setAttribute("aria-selected", "true");
    this.list.setAttribute("aria-activedescendant", row.id);
    row.scrollIntoView({ block: "nearest" });
    if (open && row.line) {
      this.followed = false;
      this.latest.hidden = false;
      this.chosen(row.line, this.connection);
    }
  }

  /** Brings the chosen line into sight again, when there is less room than before. */
  bringIntoSight() {
    this.active?.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const rows = this.list.children;
    if (!rows.length) return;
    const at = this.active;
    const page = Math.max(Math.floor(this.list.clientHeight / 36), 1);
    let row;
    switch (event.key) {
      case "ArrowDown": row = at ? at.nextElementSibling : rows[0]; break;
      case "ArrowUp": row = at ? at.previousElementSibling : rows[rows.length - 1]; break;
      case "PageDown": case "PageUp": {
        const place = at ? [...rows].indexOf(at) : 0;
        const next = place + (event.key === "PageDown" ? page : -page);
        row = rows[Math.min(Math.max(next, 0), rows.length - 1)];
        break;
      }
      case "Home": row = rows[0]; break;
      case "End": row = rows[rows.length - 1]; break;
      case "Enter": case " ":
        event.preventDefault();
        if (at) this.select(at, true);
        return;
      default: return;
    }
    event.preventDefault();
    if (row) this.select(row, false);
  }
}

function kind(line) {
  const refused = line.name === "ScsiResponse" && !line.summary.includes(", GOOD");
  return refused ? "bad" : KINDS[line.name] ?? "other";
}

let lines = 0;

/** What the filter looks through. */
function words(line) {
  return [line.summary, line.machine && title(line.machine), line.label, line.from, line.to,
    line.text, line.how, line.why, line.sender].filter(Boolean).join(" ").toLowerCase();
}

/** In place of lines that went by. */
function gap(many) {
  lines += 1;
  return make("div", { class: "line-of transition", role: "option", id: `line-${lines}`,
    "aria-selected": "false" },
  make("span", { class: "what" }, `${count(many)} lines went by; pause to look at the last ones`));
}

function row(line) {
  lines += 1;
  const kinds = ["line-of", line.type];
  const when = make("span", { class: "when" }, clock(line.at));
  let what;
  if (line.type === "pdu") {
    kinds.push(kind(line), line.sender === "initiator" ? "to-target" : "to-initiator");
    if (line.wrong.length) kinds.push("wrong");
    const [head, ...rest] = line.summary.split(/(?=, ITT )/);
    what = make("span", { class: "what", title: line.summary }, head,
      make("span", { class: "rest" }, rest.join("")));
    what.prepend(make("span", { class: "unseen" },
      line.sender === "initiator" ? "initiator says " : "target says "));
  } else if (line.type === "transition") {
    what = make("span", { class: "what" }, `${title(line.machine)} `, make("b", {}, line.label),
      ` ${line.from} → ${line.to}`);
    when.hidden = true;
  } else if (line.type === "closed") {
    kinds.push("transition");
    what = make("span", { class: "what" }, `the connection is ${line.how}`);
    when.hidden = true;
  } else if (line.type === "dropped") {
    what = make("span", { class: "what" }, line.bytes === undefined
      ? `left out: ${line.why}` : `${count(line.bytes)} bytes were not looked at: ${line.why}`);
  } else {
    what = make("span", { class: "what" }, line.refused ? `refused: ${line.text}` : line.text);
  }
  const element = make("div", { class: kinds.join(" "), role: "option", id: `line-${lines}`,
    "aria-selected": "false" }, when, what);
  element.line = line;
  return element;
}

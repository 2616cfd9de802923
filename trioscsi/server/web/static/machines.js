// A machine, drawn: the state it is in is lit, the way it took is marked, the last step is shown.

import { make, makeSvg, still, title } from "./dom.js";

const PACE = 420; // milliseconds that a step may be looked at before the next one
const LAG = 2500; // milliseconds that the picture may be late
const LEGIBLE = 0.66; // of the size that a picture is drawn for; below it, it is moved about
const FLASH = { duration: 1600, easing: "ease-out" };

export class View {
  constructor(element, machines, machine) {
    this.element = element;
    this.machines = machines;
    this.connection = null;
    this.waiting = [];
    this.timer = null;
    const id = `view-${element.dataset.view}`;
    this.tabs = new Map();
    const list = make("div", { class: "tabs", role: "tablist", "aria-label": "Machine" });
    for (const each of machines.values()) {
      const tab = make("button", {
        type: "button", role: "tab", id: `${id}-${each.name}`, "aria-controls": id,
        title: each.sentence, data: { machine: each.name },
      }, title(each.name));
      tab.addEventListener("click", () => this.choose(each.name));
      this.tabs.set(each.name, tab);
      list.append(tab);
    }
    list.addEventListener("keydown", (event) => this.key(event));
    this.figure = make("div", { class: "figure", role: "tabpanel", id, tabindex: "0" });
    this.last = make("div", { class: "last" });
    element.append(list, this.figure, this.last);
    this.choose(machine);
  }

  key(event) {
    const names = [...this.tabs.keys()];
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    let place = names.indexOf(this.machine);
    if (step) place = (place + step + names.length) % names.length;
    else if (event.key === "Home") place = 0;
    else if (event.key === "End") place = names.length - 1;
    else return;
    event.preventDefault();
    this.choose(names[place]);
    this.tabs.get(names[place]).focus();
  }

  choose(name) {
    this.machine = name;
    for (const [each, tab] of this.tabs) {
      tab.setAttribute("aria-selected", each === name);
      tab.tabIndex = each === name ? 0 : -1;
    }
    this.figure.setAttribute("aria-labelledby", this.tabs.get(name).id);
    const text = this.machines.get(name).figure;
    const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    this.svg = document.importNode(svg, true);
    const width = this.svg.viewBox.baseVal.width;
    this.svg.style.maxWidth = `${width}px`;
    this.svg.style.minWidth = `${width * LEGIBLE}px`;
    this.figure.replaceChildren(this.svg);
    this.show(this.connection, this.model);
  }

  /** Shows a connection from its present state on, with the way that it took. */
  show(connection, model) {
    this.connection = connection;
    this.model = model;
    this.waiting = [];
    clearTimeout(this.timer);
    this.timer = null;
    for (const each of this.svg.querySelectorAll(".now, .been, .taken, .chosen")) {
      each.classList.remove("now", "been", "taken", "chosen");
    }
    const moves = connection?.moves.get(this.machine) ?? [];
    for (const move of moves) this.mark(move);
    this.rest();
    this.say(moves.at(-1));
  }

  /** Lights the state in which the machine is, where it has one. */
  rest() {
    const connection = this.connection;
    const moved = connection?.moves.has(this.machine);
    this.light(connection ? this.model.stateOf(connection, this.machine) : undefined, moved);
  }

  /** A transition of the connection that is shown. */
  moved(move) {
    if (move.machine !== this.machine) {
      this.call(this.tabs.get(move.machine));
      if (this.timer === null) this.rest();
      return;
    }
    this.waiting.push(move);
    if (this.timer === null) this.play();
  }

  /** Lets a tab be seen, because its machine has moved. */
  call(tab) {
    if (still.matches) return;
    tab?.animate([{ backgroundColor: "var(--now)", color: "var(--now-ink)" }, {}], FLASH);
  }

  play() {
    const move = this.waiting.shift();
    if (!move) {
      this.timer = null;
      return;
    }
    this.mark(move);
    this.light(move.to, true);
    this.say(move);
    this.run(move);
    const pace = still.matches ? 0 : Math.min(PACE, LAG / (this.waiting.length + 1));
    this.timer = setTimeout(() => this.play(), pace);
  }

  arrows(move) {
    return [...this.svg.querySelectorAll(`[data-to="${move.to}"]`)].filter((each) =>
      each.dataset.from.split(" ").includes(move.from) &&
      each.dataset.on.split(" ").includes(move.cause));
  }

  boxes(state) {
    return [...this.svg.querySelectorAll(`.state[data-state="${state}"]`)];
  }

  mark(move) {
    for (const each of this.arrows(move)) each.classList.add("taken");
    const [box] = this.boxes(move.from);
    box?.classList.add("been");
  }

  /** Lights a state; one that is drawn twice is at its second place once something has happened. */
  light(state, later) {
    for (const each of this.svg.querySelectorAll(".now")) each.classList.remove("now");
    const machine = this.machines.get(this.machine);
    const name = state ?? (this.begun() ? machine.initial : undefined);
    const boxes = name === undefined ? [] : this.boxes(name);
    const box = later ? boxes.at(-1) : boxes[0];
    box?.classList.add("now");
    if (box) this.bringIntoSight(box);
    const where = name === undefined ? "" : `: it is in ${name}`;
    this.svg.setAttribute("aria-label", `The states of ${title(machine.name)}${where}`);
  }

  bringIntoSight(box) {
    const figure = this.figure;
    if (figure.scrollWidth <= figure.clientWidth) return;
    const around = figure.getBoundingClientRect();
    const { left, width } = box.getBoundingClientRect();
    const way = left + width / 2 - around.left - around.width / 2;
    figure.scrollBy({ left: way, behavior: still.matches ? "instant" : "smooth" });
  }

  /** Whether the machine is in its first state: that of a cleanup begins when a connection ends. */
  begun() {
    if (!this.connection) return false;
    const ended = this.connection.states.get("connection") === "CLEANUP_WAIT";
    return this.machine !== "cleanup" || ended;
  }

  say(move) {
    const machine = this.machines.get(this.machine);
    const said = [];
    const known = this.connection && this.model.stateOf(this.connection, this.machine);
    const name = move?.to ?? known ?? (this.begun() ? machine.initial : undefined);
    const state = machine.states.find((each) => each.name === name);
    if (state) {
      said.push(make("p", {}, make("strong", {}, `${state.name} (${state.symbol})`),
        ` ${state.sentence}`));
    } else {
      said.push(make("p", { class: "soft" }, machine.sentence));
    }
    if (move) {
      said.push(make("p", {}, make("strong", {}, move.label), " ",
        make("span", { class: "where" }, `${move.from} → ${move.to}`),
        ` ${move.sentence} `, make("span", { class: "soft" }, `RFC 7143 section ${move.section}`)));
      if (move.effects.length) {
        said.push(make("p", { class: "soft" }, `Then: ${move.effects.join(" ")}`));
      }
    }
    this.last.replaceChildren(...said);
  }

  /** Lets a spark run along the arrow of a transition. */
  run(move) {
    for (const each of this.svg.querySelectorAll(".run")) each.remove();
    if (still.matches) return;
    for (const arrow of this.arrows(move)) {
      const label = arrow.querySelector(".label");
      label?.animate([{ fill: "var(--now)", fontSize: "16px" }, {}], FLASH);
      const line = arrow.querySelector(".line");
      if (!line) continue;
      const spark = makeSvg("path", { class: "run", d: line.getAttribute("d"), pathLength: "1" });
      spark.addEventListener("animationend", () => spark.remove());
      arrow.append(spark);
    }
  }

  /** Shows where a transition of the past is in the picture. */
  point(move) {
    if (this.machine !== move.machine) return;
    for (const each of this.svg.querySelectorAll(".chosen")) each.classList.remove("chosen");
    for (const each of this.arrows(move)) each.classList.add("chosen");
    this.run(move);
    this.say(move);
  }
}

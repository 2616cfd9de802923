// Making elements, and saying numbers.

export const byId = (id) => document.getElementById(id);

/** An element with properties, `data` and `aria` attributes, and children. */
export function make(name, about = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(about)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") element.className = value;
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function makeSvg(name, about = {}) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(about)) element.setAttribute(key, value);
  return element;
}

const PAUSE = 150; // milliseconds between two drawings
let asked = new Set();
let timer = null;
let next = 0;

/** Draws all that was asked for, in one go: a browser lays out and paints once for all of it. */
function drawAll() {
  timer = null;
  const begun = performance.now();
  const drawn = asked;
  asked = new Set();
  for (const draw of drawn) draw();
  requestAnimationFrame(() => setTimeout(() => {
    // What drawing has taken, painting included, is left to the user four times over.
    next = Math.max(next, performance.now() + 4 * (performance.now() - begun));
  }));
  next = begun + PAUSE;
}

/** Puts a function off until the next drawing, however often it is asked for meanwhile. */
export const soon = (draw) => () => {
  asked.add(draw);
  timer ??= setTimeout(drawAll, Math.max(next - performance.now(), 0));
};

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count) {
  let unit = 0;
  while (count >= 1024 && unit < UNITS.length - 1) { count /= 1024; unit += 1; }
  return `${unit && count < 100 ? count.toFixed(1) : Math.round(count)} ${UNITS[unit]}`;
}

export function count(number) {
  return Math.round(number).toLocaleString("en");
}

export function seconds(time) {
  if (time === null || time === undefined) return "";
  if (time < 0.001) return `${Math.round(time * 1e6)} µs`;
  if (time < 1) return `${(time * 1e3).toFixed(time < 0.01 ? 2 : 1)} ms`;
  return `${time.toFixed(2)} s`;
}

export function clock(at) {
  const time = new Date(at * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.` +
    String(time.getMilliseconds()).padStart(3, "0");
}

/** A machine as it is called: its name without the underscores of the code. */
export const title = (machine) => machine.replaceAll("_", " ");

export const still = matchMedia("(prefers-reduced-motion: reduce)");

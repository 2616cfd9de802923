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

/** Puts a function off until the next frame, however often it is asked for. */
export function soon(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    // Frames stop where nobody looks; a page in the background is drawn now and then.
    const go = () => { if (asked) { asked = false; draw(); } };
    if (document.hidden) setTimeout(go, 500);
    else requestAnimationFrame(go);
  };
}

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

// How much is done, second by second.

import { byId, bytes, count, make, makeSvg, seconds } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 40;

const PLOTS = [
  { title: "throughput", names: ["read", "written"], unit: (value) => `${bytes(value)}/s`,
    values: (each) => [each.bytes_out / each.seconds, each.bytes_in / each.seconds] },
  { title: "commands", names: ["done"], unit: (value) => `${count(value)}/s`,
    values: (each) => [each.operations / each.seconds] },
  { title: "latency", names: ["median", "99 of 100"], unit: seconds,
    values: (each) => [each.latency.median, each.latency.p99] },
];
const TONES = ["first", "second"];

export class Plots {
  constructor() {
    this.drawn = PLOTS.map((plot) => {
      const svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
        preserveAspectRatio: "none" });
      const lines = plot.names.map((_, place) => makeSvg("polyline", { class: TONES[place] }));
      svg.append(...lines);
      const shown = make("span", { class: "values" });
      byId("plots").append(make("figure", { class: "plot" },
        make("figcaption", {}, make("span", {}, plot.title), shown), svg));
      return { ...plot, svg, lines, shown };
    });
  }

  draw(rates) {
    for (const plot of this.drawn) {
      const rows = rates.map(plot.values);
      const most = Math.max(...rows.flat().filter((value) => value !== null), 1e-9);
      const said = [];
      plot.names.forEach((name, place) => {
        const points = [];
        rows.forEach((row, second) => {
          if (row[place] === null) return;
          const x = WIDTH - rows.length + second + 1;
          points.push(`${x},${(HEIGHT - 2 - row[place] / most * (HEIGHT - 5)).toFixed(2)}`);
        });
        plot.lines[place].setAttribute("points", points.join(" "));
        const last = rows.at(-1)?.[place];
        const text = last === null || last === undefined ? "–" : plot.unit(last);
        said.push(make("span", { class: TONES[place] }, `${name} ${text}`));
      });
      plot.shown.replaceChildren(...said);
      const words = said.map((each) => each.textContent).join(", ");
      plot.svg.setAttribute("aria-label", rows.length
        ? `${plot.title}: ${words}; at most ${plot.unit(most)}` : `${plot.title}: nothing yet`);
    }
  }
}

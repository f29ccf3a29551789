/** @import {Sums} from "./figures.js" */
import { h } from "../../ui/dom.js";
import { scaleTo, shortDay } from "./figures.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 760, HEIGHT = 220, LEFT = 40, BELOW = 26, ABOVE = 10;

/**
 * @param {string} name
 * @param {Record<string, string | number>} values
 * @param {...(Node | string)} children
 */
function draw(name, values, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(values)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/**
 * @typedef {{field: "opened" | "closed" | "missed", name: string}} Series
 */

/**
 * Bars of several series for each day.
 * @param {number[]} days
 * @param {Map<number, Sums>} sums
 * @param {Series[]} series
 * @param {string} title
 */
export function chart(days, sums, series, title) {
  const value = (/** @type {number} */ day, /** @type {Series} */ { field }) => sums.get(day)?.[field] ?? 0;
  const top = scaleTo(Math.max(1, ...days.flatMap((day) => series.map((each) => value(day, each)))));
  const step = (WIDTH - LEFT) / days.length;
  const wide = Math.min(18, (step * 0.72) / series.length);
  const y = (/** @type {number} */ count) => ABOVE + (HEIGHT - ABOVE - BELOW) * (1 - count / top);
  const lines = [0, 0.25, 0.5, 0.75, 1].flatMap((part) => [
    draw("line", { x1: LEFT, x2: WIDTH, y1: y(top * part), y2: y(top * part), class: "chart-line" }),
    draw("text", { x: LEFT - 8, y: y(top * part) + 4, class: "chart-text", "text-anchor": "end" }, String(top * part)),
  ]);
  const every = Math.ceil(days.length / 10);
  const bars = days.flatMap((day, at) => {
    const middle = LEFT + step * (at + 0.5);
    const label = draw("text", { x: middle, y: HEIGHT - 8, class: "chart-text", "text-anchor": "middle" }, at % every ? "" : shortDay(day));
    const drawn = series.map((each, place) => {
      const count = value(day, each);
      const x = middle + (place - series.length / 2) * wide;
      const bar = draw("rect", { x: x + 0.5, y: y(count), width: wide - 1, height: y(0) - y(count), rx: Math.min(3, wide / 3), class: `chart-${each.field}` });
      bar.append(draw("title", {}, `${shortDay(day)} · ${each.name}: ${count}`));
      return bar;
    });
    return [label, ...drawn];
  });
  const picture = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, class: "chart" }, ...lines, ...bars);
  const legend = series.map(({ field, name }) => h("span", { class: "chart-key" }, h("i", { class: `chart-${field}` }), name));
  return h("figure", { class: "chart-frame" }, h("figcaption", null, ...legend), picture);
}

// How a grade, probabilities and an entity look. Each grade has a word and a sign beside its colour, and its part of a bar has a
// pattern and a fixed place, so that nothing depends on telling colours apart.

import { el } from "./dom.js";

/** The grades, from the lowest to the highest. */
export const GRADES = ["irrelevant", "partial", "relevant"];
const SIGNS = ["○", "◐", "●"];

/** A grade as a chip with its sign and its word. */
export function chip(grade) {
  return el("span", { class: `chip ${GRADES[grade]}` }, el("span", { "aria-hidden": "true" }, SIGNS[grade]), ` ${GRADES[grade]}`);
}

/** A grade as its sign alone, for places with many of them; the word is its name for those who cannot see it. */
export function sign(grade) {
  return el("span", { role: "img", "aria-label": GRADES[grade], title: GRADES[grade] }, SIGNS[grade]);
}

/** A probability as percent, which is never rounded to none or all. */
export function percent(probability) {
  const value = probability * 100;
  if (value < 0.05) return "< 0.1 %";
  if (value > 99.95) return "> 99.9 %";
  return `${value.toFixed(value < 1 || value > 99 ? 1 : 0)} %`;
}

/** A bar whose three parts are as wide as the probabilities, and the numbers below it. */
export function bar(probabilities) {
  const parts = GRADES.map((grade) => {
    const part = el("span", { class: `part ${grade}` });
    // The policy of the page forbids styles in attributes, but not those that its own script sets.
    part.style.width = `${probabilities[grade] * 100}%`;
    return part;
  });
  const numbers = GRADES.map((grade) => el("span", { title: grade }, percent(probabilities[grade])));
  const spoken = GRADES.map((grade) => `${grade} ${percent(probabilities[grade])}`).join(", ");
  return el(
    "div",
    { class: "probabilities" },
    el("div", { class: "bar", role: "img", "aria-label": spoken }, parts),
    el("div", { class: "numbers", "aria-hidden": "true" }, numbers),
  );
}

/** Which pattern and which sign stand for which grade. */
export function legend() {
  const sample = (grade) => el("span", { class: `part sample ${grade}`, "aria-hidden": "true" });
  const items = GRADES.map((grade, i) => el("li", {}, sample(grade), chip(i)));
  return el("ul", { class: "legend", "aria-label": "Parts of the bars" }, items);
}

/** A score, between 0 and 1. */
export function scoreText(score) {
  return score.toFixed(3);
}

// A text that fills the screen would hide the ranking.
const shortened = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

function title(text) {
  if (!text.trim()) return el("div", { class: "title blank" }, "(blank)");
  const short = shortened(text, 160);
  if (short === text) return el("div", { class: "title" }, text);
  return el("details", { class: "title" }, el("summary", {}, short), el("div", {}, text));
}

function attributesText(attributes) {
  const pairs = Array.isArray(attributes) ? attributes : Object.entries(attributes || {});
  return pairs
    .map((pair) => (Array.isArray(pair) ? pair : [pair?.name, pair?.value]))
    .map(([name, value]) => `${name}: ${value}`)
    .join(", ");
}

/** An entity: a text, or a product's title with what else is known of it in smaller letters. */
export function entity(value) {
  if (typeof value === "string") return title(value);
  const { title: name, brand, description, attributes, type_path: path } = value;
  const known = [brand, Array.isArray(path) ? path.join(" › ") : undefined, attributesText(attributes), description];
  const small = known.filter(Boolean).map((text) => el("span", {}, shortened(String(text), 120)));
  return el("div", {}, title(name), small.length > 0 && el("div", { class: "known" }, small));
}

/** What an answer says beside its grade: what was cut, whether it is from the cache, how many tokens were read. */
export function remarks(answer, words) {
  const found = [];
  const { cut } = answer;
  if (cut && (cut.left > 0 || cut.right > 0)) {
    const sides = [
      [cut.left, words.left],
      [cut.right, words.right],
    ].filter(([tokens]) => tokens > 0);
    const said = sides.map(([tokens, side]) => `${tokens} ${tokens === 1 ? "token" : "tokens"} of the ${side}`).join(", ");
    found.push(el("span", { class: "remark cut" }, `✂ cut: ${said}`));
  }
  if (answer.cached) found.push(el("span", { class: "remark" }, "from the cache"));
  return found;
}

/** An error of a single row. */
export function rowError({ code, message }) {
  return el("div", { class: "row-error" }, el("strong", {}, code), ` ${message}`);
}

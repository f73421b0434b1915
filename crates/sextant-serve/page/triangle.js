// The triangle view: three entities, the grades of their three pairs, and whether these contradict one another.

import { el, stated, svg } from "./dom.js";
import { bar, chip, entity, GRADES, legend, remarks, rowError, scoreText } from "./grades.js";
import { words } from "./tasks.js";

// Where the corners lie in the drawing, and which two corners each pair of an answer joins.
const CORNERS = { query: [130, 24], product: [42, 134], third: [218, 134] };
const EDGES = {
  "query-product-type": [
    ["query", "product"],
    ["query", "third"],
    ["product", "third"],
  ],
  "query-query-product": [
    ["query", "third"],
    ["query", "product"],
    ["third", "product"],
  ],
};

function edge([from, to], pair, odd) {
  const [x1, y1] = CORNERS[from];
  const [x2, y2] = CORNERS[to];
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const text = `${odd ? "✕ " : ""}${pair.label}`;
  return [
    svg("line", { x1, y1, x2, y2, class: `edge ${GRADES[pair.grade]}${odd ? " odd" : ""}` }),
    svg("rect", { x: x - 36, y: y - 9, width: 72, height: 18, rx: 4, class: "behind" }),
    svg("text", { x, y: y + 4, "text-anchor": "middle", class: odd ? "odd" : undefined }, text),
  ];
}

function drawing(answer) {
  const third = answer.kind === "query-product-type" ? "type" : "other query";
  const names = { query: "query", product: "product", third };
  const corners = Object.entries(CORNERS).map(([corner, [x, y]]) => [
    svg("circle", { cx: x, cy: y, r: 5, class: "corner" }),
    svg("text", { x, y: corner === "query" ? y - 10 : y + 19, "text-anchor": "middle", class: "corner-name" }, names[corner]),
  ]);
  const edges = EDGES[answer.kind].map((corners, i) => edge(corners, answer.pairs[i], answer.odd === i));
  const spoken = answer.pairs.map((pair) => `${pair.task} ${pair.label}`).join(", ");
  return svg("svg", { viewBox: "0 0 260 160", class: "triangle", role: "img", "aria-label": spoken }, edges.flat(), corners.flat());
}

function verdict(answer) {
  if (!answer.contradictory) return el("p", { class: "verdict" }, "= no contradiction");
  const others = answer.pairs.filter((_, i) => i !== answer.odd).map((pair) => pair.task);
  const text = `${others.join(" and ")} are relevant, but ${answer.pairs[answer.odd].task} is irrelevant.`;
  return el("p", { class: "verdict" }, el("strong", { class: "differs" }, "≠ contradiction"), ` ${text}`);
}

function pairRow(pair, odd) {
  return el(
    "tr",
    { class: odd ? "apart" : undefined },
    el("th", { scope: "row" }, odd && el("span", { class: "differs", title: "contradicts the two others" }, "✕ "), pair.task),
    el("td", { class: "grade" }, chip(pair.grade)),
    el("td", { class: "answer" }, bar(pair.probabilities), remarks(pair, words(pair.task))),
    el("td", { class: "score" }, scoreText(pair.score)),
  );
}

function card(row, outcome) {
  const { asked } = row;
  const entities = asked && el(
    "dl",
    {},
    [
      ["query", asked.query],
      ["product", asked.product],
      ["product type", asked.type],
      ["other query", asked.other_query],
    ]
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [el("dt", {}, name), el("dd", {}, entity(value))]),
  );
  const subject = entities || el("div", { class: "title" }, row.text);
  if (outcome.error) return el("article", { class: "card", "data-line": row.line }, subject, rowError(outcome.error));
  const heads = ["Pair", "Grade", "Probabilities", "Score"].map((head) => el("th", { scope: "col" }, head));
  return el(
    "article",
    { class: outcome.contradictory ? "card apart" : "card", "data-line": row.line },
    verdict(outcome),
    el("div", { class: "sides" }, subject, drawing(outcome)),
    stated(
      el(
        "table",
        { class: "pairs" },
        el("thead", {}, el("tr", {}, heads)),
        el("tbody", {}, outcome.pairs.map((pair, i) => pairRow(pair, outcome.odd === i))),
      ),
    ),
  );
}

/** Draws triples, the contradictory ones first and those without an answer last. */
export function drawTriangles(place, rows, outcomes) {
  const rank = ({ error, contradictory }) => (error ? 2 : contradictory ? 0 : 1);
  const numbers = rows.map((_, number) => number).sort((a, b) => rank(outcomes[a]) - rank(outcomes[b]) || a - b);
  place.replaceChildren(
    el("div", { class: "controls" }, legend()),
    el("div", { class: "cards" }, numbers.map((number) => card(rows[number], outcomes[number]))),
  );
}

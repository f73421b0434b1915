// The ranking: one row for each pair, by one model or by two side by side.

import { el, stated } from "./dom.js";
import { bar, chip, entity, GRADES, legend, remarks, rowError, scoreText, sign } from "./grades.js";
import { common, differ, ordered } from "./order.js";
import { capital, counted, words } from "./tasks.js";

// More rows than anybody reads make a browser slow. The others are a button away.
const AT_FIRST = 200;

function votes(answer) {
  if (!answer.votes) return null;
  const items = answer.votes.map((vote) => el("li", {}, `${vote.member} `, sign(vote.grade), ` ${scoreText(vote.score)}`));
  return el("ul", { class: "votes", "aria-label": "Votes of the members" }, items);
}

// What the data set says of the row, if the list came from one.
function given(row, outcomes) {
  if (row.given === undefined) return null;
  const wrong = outcomes.some((outcome) => outcome && !outcome.error && outcome.grade !== row.given);
  const text = `${wrong ? "≠ " : "= "}grade in the list: ${GRADES[row.given]}`;
  return el("span", { class: wrong ? "remark differs" : "remark" }, text);
}

function subject(row, outcomes, defaults) {
  const task = row.task || defaults.task;
  const answered = outcomes.find((outcome) => outcome && !outcome.error);
  const notes = [
    row.task && row.task !== defaults.task && el("span", { class: "remark" }, row.task),
    row.id !== undefined && el("span", { class: "remark" }, `id ${row.id}`),
    given(row, outcomes),
    answered ? remarks(answered, words(task)) : [],
  ].flat().filter(Boolean);
  return el(
    "td",
    { class: "subject" },
    row.left !== undefined && el("div", { class: "own-left" }, `${capital(words(task).left)}: `, entity(row.left)),
    row.problem === undefined ? entity(row.right) : el("div", { class: "title" }, row.text),
    notes.length > 0 && el("div", { class: "remarks" }, notes),
    answered && outcomes.length === 1 && votes(answered),
  );
}

function oneModel(outcome) {
  if (outcome.error) return [el("td", { class: "answer", colspan: 3 }, rowError(outcome.error))];
  return [
    el("td", { class: "grade" }, chip(outcome.grade)),
    el("td", { class: "answer" }, bar(outcome.probabilities)),
    el("td", { class: "score" }, scoreText(outcome.score)),
  ];
}

function ofTwo(outcome, column, row) {
  const label = { class: "answer", "data-label": column.model };
  if (outcome.error) return el("td", label, rowError(outcome.error));
  const head = el(
    "div",
    { class: "head" },
    chip(outcome.grade),
    el("span", { class: "score" }, scoreText(outcome.score)),
    el("span", { class: "rank-of" }, `rank ${column.ranks.get(row)}`),
  );
  return el("td", label, head, bar(outcome.probabilities), votes(outcome));
}

function difference(outcomes) {
  const [first, second] = outcomes;
  if (first.error || second.error) return el("td", { class: "difference" }, "–");
  const by = second.score - first.score;
  const mark = differ(first, second) ? el("strong", { class: "differs" }, "≠ disagree") : el("span", { class: "agrees" }, "= agree");
  return el("td", { class: "difference" }, mark, el("div", { class: "by" }, `${by < 0 ? "−" : "+"}${Math.abs(by).toFixed(3)}`));
}

function tableRow(number, shown) {
  const { rows, columns, defaults } = shown;
  const row = rows[number];
  const outcomes = columns.map((column) => column.outcomes[number]);
  const apart = outcomes.length === 2 && differ(...outcomes);
  const rank = columns[0].ranks.get(number);
  let cells;
  // A line that could not be read was asked of no model.
  if (row.problem !== undefined) cells = el("td", { class: "answer", colspan: 3 }, rowError(outcomes[0].error));
  else if (outcomes.length === 1) cells = oneModel(outcomes[0]);
  else cells = [...outcomes.map((outcome, i) => ofTwo(outcome, columns[i], number)), difference(outcomes)];
  return el(
    "tr",
    { class: apart ? "apart" : undefined, "data-line": row.line },
    el("th", { scope: "row", class: "rank" }, rank === undefined ? "–" : String(rank)),
    subject(row, outcomes, defaults),
    cells,
  );
}

function header(shown) {
  const subjectName = capital(words(shown.defaults.task).right);
  const heads = shown.columns.length === 1
    ? ["Rank", subjectName, "Grade", "Probabilities", "Score"]
    : ["Rank", subjectName, ...shown.columns.map((column) => column.model), "Difference"];
  return el("thead", {}, el("tr", {}, heads.map((head, i) => el("th", { scope: "col", class: i === 0 ? "rank" : undefined }, head))));
}

/** What two models have in common, in a sentence. */
function comparison(columns) {
  const [first, second] = columns;
  const both = first.outcomes.filter((outcome, row) => !outcome.error && !second.outcomes[row].error).length;
  const apart = first.outcomes.filter((outcome, row) => differ(outcome, second.outcomes[row])).length;
  const top = Math.min(10, both);
  return `Grades differ in ${apart} of ${counted(both, "row")}. Of the first ${top}, ${common(first, second, top)} are the same in both rankings.`;
}

function agreement(shown) {
  const graded = shown.rows.map((row, number) => ({ row, number })).filter(({ row }) => row.given !== undefined);
  if (graded.length === 0) return null;
  const parts = shown.columns.map((column) => {
    const right = graded.filter(({ row, number }) => column.outcomes[number].grade === row.given).length;
    return `“${column.model}” gives the grade of the list in ${right} of ${counted(graded.length, "row")}`;
  });
  return el("p", { class: "summary" }, `${parts.join("; ")}.`);
}

function controls(shown, change) {
  const { columns, order, differing } = shown;
  const two = columns.length === 2;
  const orders = [
    ["score", two ? `score of ${columns[0].model}` : "score"],
    two && ["second", `score of ${columns[1].model}`],
    two && ["difference", "difference of the scores"],
    ["given", "as in the list"],
  ].filter(Boolean);
  const select = el("select", { id: "order" }, orders.map(([value, text]) => el("option", { value, selected: value === order }, text)));
  select.addEventListener("change", () => change({ order: select.value }));
  const box = el("input", { type: "checkbox", id: "differing", checked: differing });
  box.addEventListener("change", () => change({ differing: box.checked }));
  return el(
    "div",
    { class: "controls" },
    el("label", { class: "inline" }, "Order by ", select),
    two && el("label", { class: "check" }, box, " Disagreements only"),
    legend(),
  );
}

/**
 * Draws a ranking. `shown` has the `rows`, a column for each model (`model`, `outcomes` in the order of the rows, `ranks`), the `order`, whether
 * only disagreements are wanted, and the `defaults` of rows that name no task. `change` is told what the reader wants to see otherwise.
 */
export function drawRanking(place, shown, change) {
  const { columns, order, differing } = shown;
  const two = columns.length === 2;
  const all = ordered(order, columns);
  const wanted = two && differing ? all.filter((row) => differ(columns[0].outcomes[row], columns[1].outcomes[row])) : all;
  const body = el("tbody");
  const add = (numbers) => body.append(...numbers.map((number) => tableRow(number, shown)));
  add(wanted.slice(0, AT_FIRST));
  const table = el("table", { class: two ? "ranking two" : "ranking one" }, header(shown), body);
  const rest = wanted.slice(AT_FIRST);
  const more = el("button", { type: "button" }, `Show the other ${counted(rest.length, "row")}`);
  more.addEventListener("click", () => {
    add(rest);
    stated(table);
    more.remove();
  });
  place.replaceChildren(
    ...[
      two && el("p", { class: "summary", id: "comparison" }, comparison(columns)),
      agreement(shown),
      controls(shown, change),
      stated(table),
      two && differing && wanted.length === 0 && el("p", { class: "note" }, "The two models give every row the same grade."),
      rest.length > 0 && more,
    ].filter(Boolean),
  );
}

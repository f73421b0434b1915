// The view as requests, and the answers as outcomes of its rows.

import { readEntity, readPairs, readTriples } from "./rows.js";

const unreadable = (row) => ({ error: { code: `line ${row.line}`, message: row.problem } });

// A box that cannot be read spoils every row that would need it, so that it is told once, before anything is sent.
function box(name, text) {
  try {
    return readEntity(text);
  } catch (error) {
    throw new Error(`${name}: ${error.message}`);
  }
}

/** What a view asks: the address, the rows of the list, which of them are sent, and the body for a model. */
export function plan(view, labels) {
  return view.view === "ranking" ? planPairs(view, labels) : planTriples(view, labels);
}

function planPairs(view, labels) {
  const left = box(labels.left, view.left);
  const rows = readPairs(view.list);
  const sent = rows.filter((row) => row.problem === undefined);
  const pairs = sent.map((row) => ({
    // Absent keys are left out of the JSON.
    task: row.task === view.task ? undefined : row.task,
    left: row.left ?? left,
    right: row.right,
    id: row.id,
  }));
  const body = (model) => ({ model: model || undefined, task: view.task, pairs, votes: view.votes ? true : undefined });
  return { path: "v1/relevance", items: "pairs", rows, sent, body };
}

function planTriples(view, labels) {
  const kind = view["third-kind"];
  const query = box("Query", view.left);
  const third = box(labels.third, view.third);
  const rows = readTriples(view.list);
  const sent = rows.filter((row) => row.problem === undefined);
  for (const row of sent) {
    const stated = ["type", "other_query"].find((name) => row[name] !== undefined);
    row.asked = { query: row.query ?? query, product: row.product, [stated ?? kind]: stated ? row[stated] : third };
  }
  const triples = sent.map((row) => ({ ...row.asked, id: row.id }));
  return { path: "v1/consistency", items: "triples", rows, sent, body: (model) => ({ model: model || undefined, triples }) };
}

/** The outcome of each row: the server's, or what is wrong with the line. */
export function outcomes(planned, answer) {
  const found = new Map(planned.sent.map((row, i) => [row, answer.results[i]]));
  return planned.rows.map((row) => found.get(row) ?? unreadable(row));
}

/** The line of the list that a message of the server speaks of, which names it by its place in the request. */
export function lineOf(planned, message) {
  const place = new RegExp(`${planned.items}\\[(\\d+)\\]`).exec(message);
  return place ? planned.sent[Number(place[1])]?.line : undefined;
}

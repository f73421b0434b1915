// What stands in the boxes, read as entities, pairs and triples. A line that cannot be read has a `problem` and keeps its
// place, so that the mistake is shown in its row and does not spoil the others.

import { TASKS } from "./tasks.js";

const FIELDS = ["title", "brand", "description", "attributes", "type_path"];
const GRADES = ["irrelevant", "partial", "relevant"];

// The same rule as in files of rows: what opens like a JSON object with a key must be a whole one, and any other text
// that starts with a brace is a text.
const OPENS_OBJECT = /^\{\s*["}]/;

function parseObject(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`this opens like a JSON object but is none: ${error.message}`);
  }
}

// The server refuses a whole request for one such product. Here it is told in its row.
function checkProduct(product) {
  const unknown = Object.keys(product).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) {
    throw new Error(`a product has no field “${unknown}”; it has ${FIELDS.join(", ")}`);
  }
  if (typeof product.title !== "string") throw new Error("a product needs a “title”, which is a text");
  return product;
}

function checkEntity(value, name) {
  if (typeof value === "string") return value;
  if (value && typeof value === "object" && !Array.isArray(value)) return checkProduct(value);
  throw new Error(`“${name}” is neither a text nor a product`);
}

/** The entity that a box holds: a text, or a structured product written as a JSON object. */
export function readEntity(text) {
  const trimmed = text.trim();
  return OPENS_OBJECT.test(trimmed) ? checkProduct(parseObject(trimmed)) : trimmed;
}

function readGrade(value) {
  if (value === undefined || value === null || value === "") return undefined;
  const grade = GRADES.includes(value) ? GRADES.indexOf(value) : Number(value);
  if (![0, 1, 2].includes(grade)) throw new Error("“grade” is none of 0, 1, 2, irrelevant, partial and relevant");
  return grade;
}

function lines(text, read) {
  const rows = [];
  text.split(/\r\n|\r|\n/).forEach((line, number) => {
    if (!line.trim()) return;
    const place = { line: number + 1, text: line.trim() };
    try {
      rows.push({ ...place, ...read(place.text) });
    } catch (error) {
      rows.push({ ...place, problem: error.message });
    }
  });
  return rows;
}

function named(object) {
  return object.id === undefined || object.id === null ? undefined : String(object.id);
}

/**
 * The pairs of a list. A line is a text, a product as JSON, a JSON text in quotes, or a row of a data file with `right` and, if it has
 * them, `left`, `task`, `id` and `grade`; the row's other columns mean nothing here.
 */
export function readPairs(text) {
  return lines(text, (line) => {
    if (/^".*"$/.test(line)) {
      try {
        return { right: JSON.parse(line) };
      } catch {
        return { right: line };
      }
    }
    if (!OPENS_OBJECT.test(line)) return { right: line };
    const object = parseObject(line);
    if (!("right" in object)) return { right: checkProduct(object) };
    const row = { right: checkEntity(object.right, "right"), id: named(object), given: readGrade(object.grade) };
    if (object.left !== undefined && object.left !== null) row.left = checkEntity(object.left, "left");
    if (object.task !== undefined && object.task !== null) {
      row.task = String(object.task).trim();
      if (!TASKS.includes(row.task)) throw new Error(`“task” is none of ${TASKS.join(", ")}`);
    }
    return row;
  });
}

/** The triples of a list. A line is a product, or a JSON object with `product` and, if it has them, `query`, `type` or `other_query`. */
export function readTriples(text) {
  return lines(text, (line) => {
    if (!OPENS_OBJECT.test(line)) return { product: line };
    const object = parseObject(line);
    if (!("product" in object)) return { product: checkProduct(object) };
    const row = { id: named(object) };
    for (const name of ["query", "product", "type", "other_query"]) {
      if (object[name] !== undefined && object[name] !== null) row[name] = checkEntity(object[name], name);
    }
    return row;
  });
}

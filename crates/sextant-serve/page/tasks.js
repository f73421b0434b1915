// The six tasks and the kinds of their two sides.

export const TASKS = ["query-product", "query-type", "query-query", "product-product", "product-type", "type-type"];

const ONE = { query: "query", product: "product", type: "product type" };
const MANY = { query: "queries", product: "products", type: "product types" };

/** The kinds of a task's left and right side: `query`, `product` or `type`. */
export function kinds(task) {
  const [left, right] = task.split("-");
  return { left, right };
}

/** The words for the two sides of a task. Where both are of one kind, the right one is called the other. */
export function words(task) {
  const { left, right } = kinds(task);
  const other = left === right ? "other " : "";
  return { left: ONE[left], right: other + ONE[right], rights: other + MANY[right] };
}

/** A word with a capital letter. */
export function capital(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** A number with a noun, such as `1 pair` or `1,200 pairs`. */
export function counted(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

const PRODUCTS = [
  "Cordless drill 18V with two batteries",
  '{"title": "Hammer drill 850 W", "brand": "Acme", "attributes": [["chuck", "13 mm"]], "type_path": ["Tools", "Power tools", "Drills"]}',
  "Drill bit set, 20 pieces",
  "Battery charger 18V",
  "Garden hose 20 m",
  "Work gloves, size L",
];
const TYPES = ["Drills", "Power tools", "Drill bits", "Batteries and chargers", "Garden hoses"];
const QUERIES = ["cordless drill", "drill 18 volt battery", "drill bits", "garden hose"];

/** Texts to try a task with: a left side and a list. */
export function example(task) {
  const { left, right } = kinds(task);
  const one = { query: "18v drill", product: PRODUCTS[0], type: "Power drills" }[left];
  const list = { query: QUERIES, product: PRODUCTS, type: TYPES }[right];
  return { left: one, list: list.filter((entry) => entry !== one).join("\n") };
}

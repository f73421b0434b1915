// The form: its controls as a view (names and texts, as the link has them), and back. Labels follow the task.

import { byId, el } from "./dom.js";
import { capital, counted, kinds, TASKS, words } from "./tasks.js";

const BOXES = ["task", "model", "against", "left", "list", "third"];

const radio = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

/** What the form holds. */
export function readForm() {
  const view = Object.fromEntries(BOXES.map((id) => [id, byId(id).value]));
  return { ...view, view: radio("view"), "third-kind": radio("third-kind"), votes: byId("votes").checked ? "1" : "" };
}

// A link may name a model or a task that is not there. The choice is kept, so that the server's answer tells what is wrong with it.
function choose(select, value) {
  if (value && ![...select.options].some((option) => option.value === value)) {
    select.append(el("option", { value }, `${value} (not on this server)`));
  }
  if (value) select.value = value;
  else select.selectedIndex = 0;
}

/** Fills the form. */
export function fillForm(view) {
  for (const id of ["task", "model", "against"]) choose(byId(id), view[id]);
  for (const id of ["left", "list", "third"]) byId(id).value = view[id];
  for (const name of ["view", "third-kind"]) {
    const wanted = [...document.querySelectorAll(`input[name="${name}"]`)].find((input) => input.value === view[name]);
    if (wanted) wanted.checked = true;
  }
  byId("votes").checked = view.votes === "1";
}

function about(model) {
  if (!model) return "";
  const hash = model.sha256 ? `hash ${model.sha256.slice(0, 12)}` : "";
  const routings = [...new Set(model.members.map((member) => member.routing))].join(", ");
  const members = model.rule ? `${counted(model.members.length, "member")}, ${model.rule} vote` : "";
  const state = model.state === "closed" ? "opened at its first request" : model.state === "failed" ? "cannot be opened" : "";
  return [state, members, routings, model.precision, hash, model.problem].filter(Boolean).join(" · ");
}

/** Fits labels and notes to what is chosen. */
export function labelForm(models) {
  const view = readForm();
  const ranking = view.view === "ranking";
  for (const element of document.querySelectorAll("[data-view]")) element.hidden = element.dataset.view !== view.view;
  const { left, rights } = words(view.task);
  byId("left-label").textContent = ranking ? capital(left) : "Query";
  byId("list-label").textContent = `${capital(ranking ? rights : "products")}, one a line`;
  byId("third-label").textContent = view["third-kind"] === "type" ? "Product type" : "Other query";
  const productJson = "A line may be a product as JSON";
  byId("list-note").textContent = ranking
    ? `${kinds(view.task).right === "product" ? productJson : "A line may be JSON"}, or a row of a data file with “right”, and “left”, “task”, “id” or “grade”.`
    : `${productJson}, or a triple: {"query", "product", "type"}.`;
  const named = (id) => models.find((model) => model.id === byId(id).value);
  byId("model-note").textContent = about(named("model"));
  byId("against-note").textContent = about(named("against"));
  for (const option of byId("task").options) {
    const model = named("model");
    const lacking = model && model.tasks.length > 0 && !model.tasks.includes(option.value);
    option.textContent = lacking ? `${option.value} (not of this model)` : option.value;
  }
  const several = ["model", "against"].some((id) => (named(id)?.members.length ?? 0) > 1);
  byId("votes-box").hidden = !(ranking && (several || view.votes));
  byId("file-label").hidden = !ranking;
}

/** Puts tasks into their list. */
export function listTasks() {
  byId("task").replaceChildren(...TASKS.map((task) => el("option", { value: task }, task)));
}

/** Puts the server's models into their lists. */
export function listModels(models) {
  const options = () => models.map((model) => el("option", { value: model.id }, model.id));
  byId("model").replaceChildren(...options());
  byId("against").replaceChildren(el("option", { value: "" }, "no other model"), ...options());
}

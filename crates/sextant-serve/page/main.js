// The page's course: a view is read from the link or the form, sent to the server, and drawn.

import { address, ask, key, models as fetchModels, ServerError, setKey } from "./api.js";
import { byId, el } from "./dom.js";
import { readFile } from "./file.js";
import { fillForm, labelForm, listModels, listTasks, readForm } from "./form.js";
import { fromFragment, toFragment } from "./link.js";
import { ranks } from "./order.js";
import { drawRanking } from "./ranking.js";
import { lineOf, outcomes, plan } from "./request.js";
import { curl, python } from "./snippet.js";
import { capital, counted, example, kinds, words } from "./tasks.js";
import { drawTriangles } from "./triangle.js";

let models = [];
// How the ranking is looked at, which belongs to the link but not to the request.
let look = { order: "score", differing: false };
// The request that is under way, which a new one replaces.
let underWay = null;
// How often the models were asked for, so that a late answer to an old key is passed over.
let asked = 0;

const labels = (view) => ({
  left: capital(words(view.task).left),
  third: view["third-kind"] === "type" ? "Product type" : "Other query",
});

const currentView = () => ({ ...readForm(), order: look.order, differing: look.differing ? "1" : "" });

function say(text) {
  byId("status").textContent = text;
}

function clearProblem() {
  byId("problem").replaceChildren();
}

function showProblem(error, planned) {
  if (!(error instanceof ServerError)) {
    byId("problem").replaceChildren(el("p", {}, error.message));
    return;
  }
  const line = planned && lineOf(planned, error.message);
  const more = [
    line !== undefined && `This is line ${line} of the list.`,
    error.retryAfter && `The server asks to wait ${counted(Number(error.retryAfter), "second")}.`,
    error.id && `Request ${error.id}`,
  ].filter(Boolean);
  byId("problem").replaceChildren(
    el("p", {}, el("strong", {}, [error.status || "", error.code].filter(Boolean).join(" ")), ` ${error.message}`),
    ...more.map((text) => el("p", { class: "note" }, text)),
  );
  if (error.status === 401) {
    byId("key-box").open = true;
    byId("key").focus();
  }
}

// The address of the page follows what is shown, so that reloading and bookmarks keep it.
function showInAddress(view) {
  const fragment = toFragment(view);
  history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
}

function tookText({ answer, waited }) {
  const { timing, usage } = answer;
  const parts = [
    `${timing.total_ms.toFixed(1)} ms in the server`,
    `${timing.queue_ms.toFixed(1)} ms of them in the queue`,
    `${waited.toFixed(0)} ms as seen from here`,
    counted(usage.tokens, "token"),
    usage.cut > 0 && `${usage.cut} cut`,
    usage.cached > 0 && `${usage.cached} from the cache`,
  ];
  return `“${answer.model}”: ${parts.filter(Boolean).join(", ")}`;
}

function summary(planned, answers, all) {
  const failed = planned.rows.filter((_, row) => all.some((found) => found[row].error)).length;
  const noun = planned.items === "pairs" ? "pair" : "triple";
  const first = [
    counted(planned.rows.length, noun),
    failed > 0 && `${failed} without an answer`,
    planned.items === "triples" && counted(answers[0].answer.contradictory, "contradiction"),
  ].filter(Boolean);
  return `${first.join(", ")}. ${answers.map(tookText).join(". ")}.`;
}

function drawAnswers(view, planned, answers) {
  const place = byId("shown");
  const all = answers.map(({ answer }) => outcomes(planned, answer));
  say(summary(planned, answers, all));
  if (planned.items === "triples") {
    drawTriangles(place, planned.rows, all[0]);
    return;
  }
  const columns = answers.map(({ answer }, i) => ({ model: answer.model, outcomes: all[i], ranks: ranks(all[i]) }));
  const draw = () => {
    const shown = { rows: planned.rows, columns, defaults: { task: view.task }, ...look };
    drawRanking(place, shown, (changed) => {
      const focused = document.activeElement?.id;
      look = { ...look, ...changed };
      draw();
      showInAddress({ ...view, order: look.order, differing: look.differing ? "1" : "" });
      // The control was drawn anew, and the keyboard would lose its place.
      if (focused) byId(focused)?.focus();
    });
  };
  draw();
}

function busy(on) {
  byId("stop").hidden = !on;
  byId("results").setAttribute("aria-busy", String(on));
}

async function run() {
  // A new request replaces the one before it.
  underWay?.abort();
  const control = new AbortController();
  underWay = control;
  clearProblem();
  byId("hint").hidden = true;
  const view = currentView();
  showInAddress(view);
  let planned;
  try {
    planned = plan(view, labels(view));
    if (planned.rows.length === 0) throw new Error(`${byId("list-label").textContent}: the list is empty.`);
    busy(true);
    say("The server is asked.");
    const answers = [];
    const names = view.view === "ranking" && view.against ? [view.model, view.against] : [view.model];
    // One after the other, so that the two times can be compared.
    for (const name of names) {
      if (planned.sent.length > 0) answers.push(await ask(planned.path, planned.body(name), control.signal));
      else answers.push({ answer: nothingAsked(name), waited: 0 });
    }
    drawAnswers(view, planned, answers);
    // What was opened for this request has more to tell now.
    if (models.some((model) => model.state === "closed" && names.includes(model.id))) loadModels();
    // On a phone the results lie below the form.
    const results = byId("results");
    if (results.getBoundingClientRect().top > innerHeight * 0.8) results.scrollIntoView();
  } catch (error) {
    if (error.name === "AbortError") {
      // A newer request says for itself how it goes.
      if (underWay === control) say("Stopped.");
      return;
    }
    // What was shown belongs to another request.
    byId("shown").replaceChildren();
    say("");
    showProblem(error, planned);
  } finally {
    if (underWay === control) {
      underWay = null;
      busy(false);
    }
  }
}

// Where no line of the list can be read, the rows say so, and there is nothing to ask.
function nothingAsked(model) {
  return { model, results: [], contradictory: 0, usage: { tokens: 0, cut: 0, cached: 0 }, timing: { total_ms: 0, queue_ms: 0 } };
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    byId("copied").textContent = `Copied ${what}.`;
  } catch {
    // Browsers let pages copy only over TLS or on the machine itself.
    byId("by-hand-text").value = text;
    byId("by-hand").showModal();
    byId("by-hand-text").select();
    byId("by-hand-text").scrollTop = 0;
  }
}

function copyLink() {
  const fragment = toFragment(currentView());
  if (fragment === null) byId("copied").textContent = "The list is too long for a link.";
  else copy(`${address("")}#${fragment}`, "the link");
}

function copyRequest(write, what) {
  clearProblem();
  const view = currentView();
  try {
    const planned = plan(view, labels(view));
    copy(write(address(planned.path), planned.body(view.model), Boolean(key())), what);
  } catch (error) {
    showProblem(error);
  }
}

async function loadModels() {
  asked += 1;
  const mine = asked;
  const { model, against } = readForm();
  try {
    const found = await fetchModels();
    if (mine !== asked) return false;
    models = found;
    clearProblem();
    listModels(models);
    fillForm({ ...readForm(), model, against });
  } catch (error) {
    if (mine === asked) showProblem(error);
    return false;
  } finally {
    labelForm(models);
  }
  return true;
}

function showLink() {
  const view = fromFragment(location.hash);
  look = { order: view.order, differing: view.differing === "1" };
  fillForm(view);
  labelForm(models);
  return view.list.trim() !== "";
}

function listen() {
  const form = byId("ask");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  form.addEventListener("change", () => labelForm(models));
  addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run();
    }
  });
  byId("stop").addEventListener("click", () => underWay?.abort());
  byId("example").addEventListener("click", () => {
    const { task, view } = readForm();
    const texts = example(view === "ranking" ? task : "query-product");
    byId("left").value = texts.left;
    byId("list").value = texts.list;
    byId("third").value = readForm()["third-kind"] === "type" ? "Drills" : "drill 18 volt battery";
  });
  byId("file").addEventListener("change", async () => {
    const [file] = byId("file").files;
    if (!file) return;
    clearProblem();
    try {
      const { right } = kinds(readForm().task);
      byId("list").value = await readFile(file, [right]);
      byId("copied").textContent = `${file.name} is in the list.`;
    } catch (error) {
      showProblem(new Error(`${file.name}: ${error.message}`));
    }
    // The same file, mended, can be chosen again.
    byId("file").value = "";
  });
  byId("key-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    byId("key-box").open = false;
    setKey(byId("key").value.trim());
    if ((await loadModels()) && fromFragment(location.hash).list.trim() !== "") run();
  });
  byId("copy-link").addEventListener("click", copyLink);
  byId("copy-curl").addEventListener("click", () => copyRequest(curl, "the command"));
  byId("copy-python").addEventListener("click", () => copyRequest(python, "the program"));
  addEventListener("hashchange", () => {
    if (showLink()) run();
    // What was shown is not what the link says.
    else byId("shown").replaceChildren();
  });
}

listTasks();
listen();
byId("key").value = key();
const asks = showLink();
if ((await loadModels()) && asks) run();

// The view as a link. Everything stands in the fragment, which browsers do not send to servers, so that no pasted text
// reaches a log. The API key is no part of the view.

const DEFAULTS = {
  view: "ranking",
  task: "query-product",
  model: "",
  against: "",
  left: "",
  list: "",
  third: "",
  "third-kind": "type",
  votes: "",
  order: "score",
  differing: "",
};

// Chat programs and browsers cut links that are longer, and a cut link would show another view than the one that was meant.
const LONGEST = 30_000;

/** The fragment of a view, without what is as usual; `null` if it is too long for a link. */
export function toFragment(view) {
  const parameters = new URLSearchParams();
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    if (view[name] !== undefined && view[name] !== usual) parameters.set(name, view[name]);
  }
  const text = parameters.toString();
  return text.length > LONGEST ? null : text;
}

/** The view of a fragment. Names that mean nothing here are passed over. */
export function fromFragment(fragment) {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ""));
  return Object.fromEntries(Object.entries(DEFAULTS).map(([name, usual]) => [name, parameters.get(name) ?? usual]));
}

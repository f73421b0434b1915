// Requests to the server that the page came from, and nowhere else.

const KEY = "sextant-api-key";

// The key lives in the storage of this tab only, and in this variable where a browser forbids storage.
let keyOfThisPage = "";

/** The API key, or an empty text. */
export function key() {
  try {
    return sessionStorage.getItem(KEY) || "";
  } catch {
    return keyOfThisPage;
  }
}

/** Keeps an API key, or forgets it if the text is empty. */
export function setKey(text) {
  keyOfThisPage = text;
  try {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch {
    // The variable has it.
  }
}

/** The whole address of a path of the server. */
export function address(path) {
  return new URL(path, document.baseURI.replace(/[?#].*$/, "")).href;
}

/** An answer that is no good one, with the server's own words. */
export class ServerError extends Error {
  constructor(status, code, message, { id, retryAfter } = {}) {
    super(message);
    Object.assign(this, { status, code, id, retryAfter });
  }
}

async function refusal(response) {
  const text = await response.text();
  const headers = { id: response.headers.get("x-request-id"), retryAfter: response.headers.get("retry-after") };
  try {
    const { code, message } = JSON.parse(text).error;
    return new ServerError(response.status, code, message, headers);
  } catch {
    // A proxy in front of the server may answer with anything.
    return new ServerError(response.status, response.statusText, text.slice(0, 500) || "an answer without a text", headers);
  }
}

async function send(path, options) {
  const headers = { ...options.headers };
  if (key()) headers.authorization = `Bearer ${key()}`;
  const begun = performance.now();
  let response;
  try {
    response = await fetch(address(path), { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, "no answer", `the server cannot be reached: ${error.message}`);
  }
  if (!response.ok) throw await refusal(response);
  const answer = await response.json();
  // What the reader waits for, with the way to the server and back.
  return { answer, waited: performance.now() - begun };
}

/** The models of the server. */
export async function models() {
  return (await send("v1/models", {})).answer.data;
}

/** Sends a body as JSON; gives the answer and how many milliseconds it took from here. */
export function ask(path, body, signal) {
  return send(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });
}

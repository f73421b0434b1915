// The request of the page as a command and as a program. The key is named by a variable of the environment, because
// commands are pasted into tickets and chats.

const VARIABLE = "SEXTANT_API_KEY";

/** The request for `curl`, in a POSIX shell. */
export function curl(url, body, withKey) {
  // Inside single quotes a shell reads nothing but the closing quote.
  const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const parts = [`curl -sS ${quoted(url)}`, "-H 'content-type: application/json'"];
  if (withKey) parts.push(`-H "authorization: Bearer $${VARIABLE}"`);
  parts.push(`--data-raw ${quoted(JSON.stringify(body, null, 1))}`);
  return parts.join(" \\\n  ");
}

function literal(value, indent) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  // A JSON text is a Python text, too: the escapes are the same.
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}    `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const entries = Array.isArray(value)
    ? value.map((entry) => literal(entry, inner))
    : Object.entries(value)
        .filter(([, entry]) => entry !== undefined)
        .map(([name, entry]) => `${JSON.stringify(name)}: ${literal(entry, inner)}`);
  if (entries.length === 0) return open + close;
  return `${open}\n${entries.map((entry) => `${inner}${entry},\n`).join("")}${indent}${close}`;
}

/** The request as a program for Python's standard library. */
export function python(url, body, withKey) {
  const headers = ['"Content-Type": "application/json"'];
  if (withKey) headers.push(`"Authorization": "Bearer " + os.environ["${VARIABLE}"]`);
  return `import json
${withKey ? "import os\n" : ""}import urllib.request

body = ${literal(body, "")}
request = urllib.request.Request(
    ${JSON.stringify(url)},
    data=json.dumps(body).encode(),
    headers={${headers.join(", ")}},
)
with urllib.request.urlopen(request) as response:
    answer = json.load(response)
for result in answer["results"]:
    print(json.dumps(result, ensure_ascii=False))
`;
}

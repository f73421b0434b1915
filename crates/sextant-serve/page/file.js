// Files that the reader chooses become lines of the list, so that what is asked, what is shown and what the link holds
// have one source. The file itself never leaves the browser.

/** Splits a table into rows of cells by RFC 4180: quoted cells may hold separators and line ends, quotes inside are doubled. */
export function cells(text, separator) {
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const sign = text[i];
    if (quoted) {
      if (sign !== '"') cell += sign;
      else if (text[i + 1] === '"') {
        cell += '"';
        i += 1;
      } else quoted = false;
    } else if (sign === '"' && cell === "") quoted = true;
    else if (sign === separator) {
      row.push(cell);
      cell = "";
    } else if (sign === "\n" || sign === "\r") {
      if (sign === "\r" && text[i + 1] === "\n") i += 1;
      rows.push([...row, cell]);
      row = [];
      cell = "";
    } else cell += sign;
  }
  if (quoted) throw new Error("a quote in the file is never closed");
  if (cell !== "" || row.length > 0) rows.push([...row, cell]);
  return rows.filter((found) => found.some((value) => value.trim() !== ""));
}

function separatorOf(name, header) {
  if (/\.(tsv|tab)$/i.test(name)) return "\t";
  const count = (sign) => header.split(sign).length;
  return [",", ";", "\t"].reduce((best, sign) => (count(sign) > count(best) ? sign : best));
}

// A cell that holds a product as JSON stays one.
function entity(text) {
  if (!/^\{\s*"/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function product(row) {
  const found = { title: row.title };
  if (row.brand) found.brand = row.brand;
  if (row.description) found.description = row.description;
  return found;
}

function tableLines(name, text, wanted) {
  const first = text.split(/\r\n|\r|\n/, 1)[0];
  const stated = /^sep=(.)$/.exec(first);
  const separator = stated ? stated[1] : separatorOf(name, first);
  const [header, ...rows] = cells(stated ? text.slice(first.length) : text, separator);
  const columns = (header || []).map((column) => column.trim().toLowerCase());
  const right = ["right", ...wanted, "title"].find((column) => columns.includes(column));
  if (right === undefined) {
    throw new Error(`the first line of the file names no column “right”, “${wanted.join("” or “")}” or “title”`);
  }
  return rows.map((values) => {
    const row = Object.fromEntries(columns.map((column, i) => [column, (values[i] || "").trim()]));
    const one = right === "title" ? product(row) : entity(row[right]);
    const line = { right: one };
    if (row.left) line.left = entity(row.left);
    for (const column of ["task", "id", "grade"]) if (row[column]) line[column] = row[column];
    // A line with nothing but a short text is written as such, because that is what people read best.
    const plain = Object.keys(line).length === 1 && typeof one === "string" && !/^[{"]|[\r\n]/.test(one);
    if (plain) return one;
    return JSON.stringify(Object.keys(line).length === 1 && typeof one === "object" ? one : line);
  });
}

/** Reads a file as lines of the list. `wanted` has the names of columns that may hold the right side, beside `right` and `title`. */
export async function readFile(file, wanted) {
  const text = (await file.text()).replace(/^\uFEFF/, "");
  return /\.(csv|tsv|tab)$/i.test(file.name) ? tableLines(file.name, text, wanted).join("\n") : text.trimEnd();
}

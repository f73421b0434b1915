// Elements from data. Everything that a person pasted or a server answered becomes a text node here, so that no text can
// become markup; the server's Content-Security-Policy also forbids it.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** An element of HTML with attributes and children; strings become text nodes, and absent children are left out. */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An element of SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

const ROLES = { table: "table", "thead, tbody": "rowgroup", tr: "row", td: "cell", "th[scope=col]": "columnheader", "th[scope=row]": "rowheader" };

/** States the roles of a table's parts, which some browsers forget where a phone shows rows as blocks. */
export function stated(table) {
  for (const [selector, role] of Object.entries(ROLES)) {
    for (const part of [table, ...table.querySelectorAll(selector)]) if (part.matches(selector)) part.setAttribute("role", role);
  }
  return table;
}

/** The element with an id. */
export function byId(id) {
  return document.getElementById(id);
}

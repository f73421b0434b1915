// Looks at the page as a reader would, and tells the page around it what is wrong.
const errors = [];
addEventListener("error", (event) => errors.push(String(event.message)));

function describe(element) {
  const text = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
  const id = element.closest("[id]");
  return `<${element.tagName.toLowerCase()}> "${text}"` + (id ? ` in #${id.id}` : "");
}

function parse(colour) {
  const parts = colour.match(/[\d.]+/g).map(Number);
  return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
}

// What lies behind an element: the backgrounds of all that it is in, one over the other.
function behind(element) {
  const layers = [];
  for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
  let under = [255, 255, 255];
  for (const layer of layers.reverse()) {
    under = under.map((x, i) => x + (layer.rgb[i] - x) * layer.alpha);
  }
  return under;
}

// WCAG 2: relative luminance and contrast.
function luminance(rgb) {
  const [r, g, b] = rgb.map((x) => {
    x /= 255;
    return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

function look() {
  const wrong = [];
  document.querySelectorAll("details").forEach((e) => (e.open = true));
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    wrong.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${width}`);
  }
  for (const e of document.querySelectorAll("body *")) {
    const box = e.getBoundingClientRect();
    // What scrolls in a container of its own may be wider than the page.
    const scrolls = e.parentElement.closest(".scroll, pre, svg");
    if (!scrolls && box.width > 0 && (box.right > width + 1 || box.left < -1)) {
      wrong.push(`${describe(e)} reaches past the page's edge`);
    }
    const style = getComputedStyle(e);
    if (style.overflowX === "hidden" && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0) {
      wrong.push(`${describe(e)} is cut off`);
    }
  }
  for (const e of document.querySelectorAll("h1, h2, table, figcaption, svg, td, th")) {
    const box = e.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) wrong.push(`${describe(e)} has no size`);
  }
  // A table that is wider than its frame scrolls within it, and its first column stays where it is.
  let scrolled = 0;
  for (const frame of document.querySelectorAll(".scroll")) {
    if (frame.scrollWidth <= frame.clientWidth + 1) continue;
    frame.scrollLeft = frame.scrollWidth;
    const left = frame.getBoundingClientRect().left;
    for (const row of frame.querySelectorAll("tr")) {
      const first = row.children[0];
      const box = first.getBoundingClientRect();
      if (Math.abs(box.left - left) > 1) wrong.push(`${describe(first)} scrolls away`);
      if (box.width > 0.6 * frame.clientWidth) wrong.push(`${describe(first)} fills its frame`);
      const alpha = parse(getComputedStyle(first).backgroundColor).alpha;
      if (alpha < 1) wrong.push(`${describe(first)} lets other columns shine through`);
    }
    frame.scrollLeft = 0;
    scrolled += 1;
  }
  for (const svg of document.querySelectorAll("svg")) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].filter((t) => t.textContent.trim());
    const boxes = texts.map((t) => t.getBoundingClientRect());
    if (svg.querySelectorAll("path, line, polyline, polygon, rect, circle").length === 0) {
      wrong.push(`${describe(svg.parentElement)} draws nothing`);
    }
    boxes.forEach((box, i) => {
      const inside =
        box.left >= frame.left - 1 && box.right <= frame.right + 1 && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
      if (!inside) wrong.push(`the label ${describe(texts[i])} leaves its plot`);
      boxes.slice(0, i).forEach((other, j) => {
        const across = Math.min(box.right, other.right) - Math.max(box.left, other.left);
        const down = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
        if (across > 2 && down > 2) {
          wrong.push(`the labels ${describe(texts[i])} and ${describe(texts[j])} lie on each other`);
        }
      });
    });
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || e.closest("script, style")) continue;
    texts += 1;
    const style = getComputedStyle(e);
    const colour = parse(e.closest("svg") ? style.fill : style.color);
    const ground = behind(e);
    const ink = ground.map((x, i) => x + (colour.rgb[i] - x) * colour.alpha);
    const found = contrast(ink, ground);
    if (found < 4.5) wrong.push(`${describe(e)} has a contrast of ${found.toFixed(2)}`);
  }
  for (const e of document.querySelectorAll("[src], [srcset], link, object, embed, iframe")) {
    wrong.push(`the page asked for ${e.getAttribute("src") || e.getAttribute("href") || e.tagName}`);
  }
  for (const entry of performance.getEntriesByType("resource")) wrong.push(`the page asked for ${entry.name}`);
  return {
    width,
    height: document.documentElement.scrollHeight,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    sections: document.querySelectorAll("section").length,
    plots: document.querySelectorAll("svg").length,
    tables: document.querySelectorAll("table").length,
    texts,
    scrolled,
    wrong: wrong.concat(errors),
  };
}

addEventListener("load", () => parent.postMessage(JSON.stringify(look()), "*"));

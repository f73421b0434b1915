// Ranks, orders and disagreements of answered rows, without any element of the page.

/** The rank of each answered row by falling score, from 1; rows of equal score keep the order of the list. */
export function ranks(outcomes) {
  const answered = outcomes.map((outcome, row) => ({ outcome, row })).filter(({ outcome }) => outcome && !outcome.error);
  answered.sort((a, b) => b.outcome.score - a.outcome.score || a.row - b.row);
  return new Map(answered.map(({ row }, place) => [row, place + 1]));
}

/** Whether two outcomes are answers with different grades. */
export function differ(first, second) {
  return Boolean(first && second && !first.error && !second.error && first.grade !== second.grade);
}

function gap(first, second) {
  return first && second && !first.error && !second.error ? Math.abs(first.score - second.score) : -1;
}

/**
 * The numbers of rows in an order: `score` of the first model, `second`, `difference` of the two scores, or `given`. Rows without an answer
 * come last, where their errors stand together.
 */
export function ordered(order, columns) {
  const rows = columns[0].outcomes.map((_, row) => row);
  if (order === "given") return rows;
  const [first, second] = columns;
  if (order === "difference" && second) {
    const gaps = rows.map((row) => gap(first.outcomes[row], second.outcomes[row]));
    return rows.sort((a, b) => gaps[b] - gaps[a] || a - b);
  }
  const by = order === "second" && second ? second.ranks : first.ranks;
  const place = (row) => by.get(row) ?? Infinity;
  return rows.sort((a, b) => (place(a) === place(b) ? a - b : place(a) - place(b)));
}

/** How many of the first `count` rows two rankings have in common. */
export function common(first, second, count) {
  return [...first.ranks].filter(([row, rank]) => rank <= count && (second.ranks.get(row) ?? Infinity) <= count).length;
}

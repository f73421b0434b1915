//! Which rows share a pack.

use std::ops::Range;

/// Fills packs with rows in the given order: each pack takes rows until the next one would exceed
/// `budget` tokens.
///
/// `lengths` are the numbers of tokens of the rows. Returns the range of rows of each pack. Every row is in
/// exactly one range, the ranges follow one another, and no row is split. A row longer than the budget gets
/// a pack of its own.
pub fn fill(lengths: &[usize], budget: usize) -> Vec<Range<usize>> {
    let mut packs = Vec::new();
    let (mut start, mut tokens) = (0, 0_usize);
    for (row, &length) in lengths.iter().enumerate() {
        if row > start && tokens.saturating_add(length) > budget {
            packs.push(start..row);
            (start, tokens) = (row, 0);
        }
        tokens = tokens.saturating_add(length);
    }
    if start < lengths.len() {
        packs.push(start..lengths.len());
    }
    packs
}

/// Plans packs for scoring, where rows may have any order: rows are sorted by length, longest first,
/// inside windows of `window` rows, and packs are filled in that order. The rows of a pack then have
/// nearly equal lengths, and the pack with the longest rows of a window comes first, so that memory
/// peaks early.
///
/// Returns for each pack the indices of its rows. Every row is in exactly one pack. A pack never
/// spans two windows, so that a stream can be scored window by window. A `window` of 0 means that all
/// rows are in one window.
pub fn plan_sorted(lengths: &[usize], token_budget: usize, window: usize) -> Vec<Vec<usize>> {
    let window = if window == 0 { lengths.len().max(1) } else { window };
    let mut packs = Vec::new();
    for start in (0..lengths.len()).step_by(window) {
        let mut order: Vec<usize> =
            (start..lengths.len().min(start.saturating_add(window))).collect();
        order.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));
        let sorted: Vec<usize> = order.iter().map(|&row| lengths[row]).collect();
        packs.extend(fill(&sorted, token_budget).into_iter().map(|range| order[range].to_vec()));
    }
    packs
}

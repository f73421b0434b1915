//! Leading tokens that rows have in common: a causal model needs to compute their vectors only once.

use crate::{Pack, RowView, TokenRow};
use sextant_core::Task;
use std::ops::Range;

/// The tokens of a pack as prefix trees, one for each task: rows of a task that begin with the same tokens
/// share these tokens.
///
/// In a causal model the vector of a token depends only on the token itself and the tokens before it in its
/// row. So the rows of a task form a tree: each *node* is a token together with all tokens before it, and
/// stands for that token in every row that begins with them. With `T` tokens in the pack and `N` nodes,
/// `N ≤ T`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixTree {
    /// The node of each token of the pack, `[T]`.
    pub nodes: Vec<i32>,
    /// For each node the index of the first token of the pack that it stands for, `[N]`.
    pub tokens: Vec<i32>,
    /// The range of nodes of each task, indexed like [`Pack::task_tokens`].
    pub task_nodes: [Range<usize>; Task::COUNT],
}

impl PrefixTree {
    /// The tree of a pack. Each row is compared only with the row before it. This finds every shared prefix
    /// if the rows are sorted as [`plan_shared`] sorts them.
    pub fn new(pack: &Pack) -> Self {
        let mut tree = Self {
            nodes: Vec::with_capacity(pack.token_count()),
            tokens: Vec::new(),
            task_nodes: std::array::from_fn(|_| 0..0),
        };
        for task in Task::ALL {
            let first = tree.tokens.len();
            let mut before = 0..0;
            for row in pack.task_rows[task.index()].clone() {
                let row = pack.cu_seqlens[row] as usize..pack.cu_seqlens[row + 1] as usize;
                let token = |at: usize| (pack.ids[at], pack.segments[at]);
                let pairs = before.clone().zip(row.clone());
                let common = pairs.take_while(|&(a, b)| token(a) == token(b)).count();
                tree.nodes.extend_from_within(before.start..before.start + common);
                for at in row.start + common..row.end {
                    tree.nodes.push(tree.tokens.len() as i32);
                    tree.tokens.push(at as i32);
                }
                before = row;
            }
            tree.task_nodes[task.index()] = first..tree.tokens.len();
        }
        tree
    }

    /// Whether any node stands for more than one token.
    pub fn shares(&self) -> bool {
        self.tokens.len() < self.nodes.len()
    }
}

/// A pack may have this many times `token_budget` tokens in all, with those that rows share counted in each
/// row, because attention still runs over whole rows.
const REPEATED: usize = 4;

/// Plans packs for scoring with a causal model: rows are sorted by task and then by tokens, so that rows with
/// a common prefix are neighbours, and packs are filled in that order up to `token_budget` distinct tokens.
///
/// Returns for each pack the indices of its rows, in the sorted order. Every row is in exactly one pack.
pub fn plan_shared<R: TokenRow>(rows: &[R], token_budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (rows[a].view(), rows[b].view());
        let key = |row: &RowView<'_>| row.task.index();
        key(&a)
            .cmp(&key(&b))
            .then_with(|| a.ids.cmp(b.ids))
            .then_with(|| a.segments.cmp(b.segments))
    });
    let mut packs: Vec<Vec<usize>> = Vec::new();
    let (mut distinct, mut whole) = (0_usize, 0_usize);
    for index in order {
        let row = rows[index].view();
        let last = packs.last().and_then(|pack| pack.last()).map(|&last| rows[last].view());
        let new = row.len() - last.map_or(0, |last| common(&last, &row));
        let fits = distinct + new <= token_budget
            && whole + row.len() <= token_budget.saturating_mul(REPEATED);
        if let Some(pack) = packs.last_mut().filter(|_| fits) {
            pack.push(index);
            distinct += new;
            whole += row.len();
        } else {
            packs.push(vec![index]);
            (distinct, whole) = (row.len(), row.len());
        }
    }
    packs
}

/// How many leading tokens two rows of one task have in common.
fn common(a: &RowView<'_>, b: &RowView<'_>) -> usize {
    if a.task != b.task {
        return 0;
    }
    let (a, b) = (a.ids.iter().zip(a.segments), b.ids.iter().zip(b.segments));
    a.zip(b).take_while(|(a, b)| a == b).count()
}

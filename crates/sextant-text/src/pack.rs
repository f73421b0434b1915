//! A model's input: rows laid end to end without padding.

use crate::{RowView, TokenRow};
use sextant_core::{Grade, Task};
use std::ops::Range;

/// A batch of rows laid end to end, sorted by task.
///
/// With `R` rows and `T` tokens: `ids`, `segments` and `positions` have `T` elements, `cu_seqlens`
/// has `R + 1`, `rows`, `weights` and `grades` have `R`. Integers are `i32`, as in the tensors of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// Token ids of all rows.
    pub ids: Vec<i32>,
    /// Segment of each token: 0 or 1.
    pub segments: Vec<i32>,
    /// Position of each token within its row, from 0.
    pub positions: Vec<i32>,
    /// Where rows start and end: row `r` holds the tokens `cu_seqlens[r]..cu_seqlens[r + 1]`. The first
    /// element is 0, the last one the number of tokens.
    pub cu_seqlens: Vec<i32>,
    /// The rows of each task, indexed by [`Task::index`]; the range is empty for a task without rows. The
    /// ranges follow one another and cover all rows.
    pub task_rows: [Range<usize>; Task::COUNT],
    /// The tokens of each task, indexed by [`Task::index`] like `task_rows`.
    pub task_tokens: [Range<usize>; Task::COUNT],
    /// For each row, the index that the caller gave it, by which the caller finds the row that a result
    /// belongs to.
    pub rows: Vec<usize>,
    /// The grade of each row, if [`Pack::with_targets`] has set the grades.
    pub grades: Option<Vec<Grade>>,
    /// The weight of each row's loss; 1 unless [`Pack::with_targets`] has set another.
    pub weights: Vec<f32>,
}

impl Pack {
    /// Packs rows, each given with the index that the caller has for it. Rows are ordered by task; the rows
    /// of one task keep their order.
    pub fn new<R: TokenRow>(rows: &[(usize, R)]) -> Self {
        let mut order: Vec<_> = rows.iter().map(|(index, row)| (*index, row.view())).collect();
        order.sort_by_key(|(_, row)| row.task.index());
        let tokens = order.iter().map(|(_, row)| row.len()).sum();
        let mut pack = Self {
            ids: Vec::with_capacity(tokens),
            segments: Vec::with_capacity(tokens),
            positions: Vec::with_capacity(tokens),
            cu_seqlens: Vec::with_capacity(order.len() + 1),
            task_rows: std::array::from_fn(|_| 0..0),
            task_tokens: std::array::from_fn(|_| 0..0),
            rows: order.iter().map(|&(index, _)| index).collect(),
            grades: None,
            weights: vec![1.0; order.len()],
        };
        pack.cu_seqlens.push(0);
        let mut next = 0;
        for task in Task::ALL {
            let (first_row, first_token) = (next, pack.ids.len());
            while let Some((_, row)) = order.get(next).filter(|(_, row)| row.task == task) {
                pack.push(row);
                next += 1;
            }
            pack.task_rows[task.index()] = first_row..next;
            pack.task_tokens[task.index()] = first_token..pack.ids.len();
        }
        pack
    }

    fn push(&mut self, row: &RowView<'_>) {
        self.ids.extend(row.ids.iter().map(|&id| id as i32));
        self.segments.extend(row.segments.iter().map(|&segment| i32::from(segment)));
        self.positions.extend(0..row.len() as i32);
        self.cu_seqlens.push(self.ids.len() as i32);
    }

    /// Adds the targets that training needs: `target` takes the caller's index of a row, and gives the row's
    /// grade and the weight of its loss.
    #[must_use]
    pub fn with_targets(mut self, target: impl Fn(usize) -> (Grade, f32)) -> Self {
        let (grades, weights) = self.rows.iter().map(|&row| target(row)).unzip();
        self.grades = Some(grades);
        self.weights = weights;
        self
    }

    /// How many rows there are.
    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// How many tokens there are.
    pub fn token_count(&self) -> usize {
        self.ids.len()
    }

    /// The number of tokens of the longest row; 0 if there are no rows.
    pub fn longest_row(&self) -> usize {
        self.cu_seqlens.windows(2).map(|w| (w[1] - w[0]) as usize).max().unwrap_or(0)
    }

    /// The tasks that have rows in this pack, in the order of [`Task::ALL`].
    pub fn tasks(&self) -> impl Iterator<Item = Task> + '_ {
        Task::ALL.into_iter().filter(|task| !self.task_rows[task.index()].is_empty())
    }
}

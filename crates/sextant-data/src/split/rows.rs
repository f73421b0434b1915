//! Assigns splits to rows that have none.
//!
//! The rows of a group stay in one split, and so do all rows with the same pair. Rows without a group stay
//! together if they have the same query or product on the left side. Rows that share any other entity are
//! put into one component as long as it stays small: first those that share a query or a product, then those
//! that share a type, since types recur by nature. Without the bound on the size, a few popular products or
//! types would connect nearly all rows into one component.

use super::{Grouping, Shares};
use crate::check::key::entity_key;
use crate::table::{percent, table};
use crate::{Dataset, PairKey, check};
use sextant_core::{EntityKind, Example, Grade, Split, Task};
use std::fmt::{Display, Formatter};

/// How to split rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitOptions {
    /// The seed of all random choices.
    pub seed: u64,
    /// The share of the rows of each task and grade that each split gets.
    pub shares: Shares,
    /// The share of the rows of a task and grade up to which components grow by shared entities.
    pub max_component: f64,
}

/// The result of splitting rows.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitReport {
    /// The number of components that were given a split.
    pub components: usize,
    /// The largest share of the rows of one task and grade that one component holds.
    pub largest: f64,
    /// The number of rows of each task, by split and then by grade.
    pub rows: Vec<(Task, [[usize; Grade::COUNT]; 3])>,
}

/// Gives every row a split, which replaces the split that the row may already have.
///
/// The split of a component depends only on the seed and on the contents of the rows, not on their order.
pub fn split_rows(examples: Vec<Example>, options: &SplitOptions) -> (Dataset, SplitReport) {
    let mut grouping = Grouping::default();
    for example in &examples {
        let anchor = anchor(example);
        grouping.add(&anchor, (example.pair.task, example.grade));
        grouping.bind(&anchor, &pair_name(example));
        if example.group.is_none() {
            let (left, right) = example.pair.task.kinds();
            for (kind, entity) in [(left, &example.pair.left), (right, &example.pair.right)] {
                let strength = if kind == EntityKind::Type { 1 } else { 2 };
                grouping.prefer(&anchor, &entity_name(kind, &entity_key(entity)), strength);
            }
        }
    }
    let assignment = grouping.assign(options.seed, options.shares, options.max_component);
    let mut dataset = Dataset::default();
    for mut example in examples {
        // Every anchor was added to `grouping` above, so it has a split.
        let split = assignment.split(&anchor(&example)).unwrap_or(Split::Train);
        example.split = Some(split);
        dataset.part_mut(split).push(example);
    }
    let rows = Task::ALL.into_iter().filter_map(|task| {
        let counts = Split::ALL.map(|split| {
            let mut counts = [0; Grade::COUNT];
            for row in dataset.part(split).iter().filter(|row| row.pair.task == task) {
                counts[row.grade.index()] += 1;
            }
            counts
        });
        (counts.as_flattened().iter().sum::<usize>() > 0).then_some((task, counts))
    });
    let report = SplitReport {
        components: assignment.groups,
        largest: assignment.largest_group_share,
        rows: rows.collect(),
    };
    debug_assert!(check(&dataset).is_sound(), "groups and pairs were bound");
    (dataset, report)
}

/// The name of the entity or group that a row must stay with: its group, its left query or product, or the
/// pair.
fn anchor(example: &Example) -> String {
    match (&example.group, example.pair.task.kinds().0) {
        (Some(group), _) => format!("group:{}", group.trim()),
        (None, EntityKind::Type) => pair_name(example),
        (None, kind) => entity_name(kind, &entity_key(&example.pair.left)),
    }
}

fn entity_name(kind: EntityKind, key: &str) -> String {
    format!("{kind}:{key}")
}

fn pair_name(example: &Example) -> String {
    let PairKey { task, left, right } = PairKey::of(&example.pair);
    format!("pair:{task}\u{1e}{left}\u{1e}{right}")
}

impl Display for SplitReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let mut lines = Vec::new();
        for (task, splits) in &self.rows {
            let all: usize = splits.as_flattened().iter().sum();
            for (split, grades) in Split::ALL.into_iter().zip(splits) {
                let rows: usize = grades.iter().sum();
                let mut line = vec![task.to_string(), split.to_string(), rows.to_string()];
                line.push(percent(rows as f64 / all as f64));
                line.extend(grades.map(|count| count.to_string()));
                lines.push(line);
            }
        }
        let [zero, one, two] = Grade::ALL.map(Grade::as_str);
        let header = ["task", "split", "rows", "share", zero, one, two];
        write!(f, "{}", table(&header, 2, &lines))?;
        write!(
            f,
            "\n{} components, the largest with {} of the rows of a task and grade",
            self.components,
            percent(self.largest)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHARES: Shares = Shares { train: 0.7, dev: 0.1, test: 0.2 };

    fn options(seed: u64) -> SplitOptions {
        SplitOptions { seed, shares: SHARES, max_component: 0.05 }
    }

    fn example(task: usize, left: u8, right: u8, grade: usize, group: Option<u8>) -> Example {
        let texts = (format!("left  {left}"), format!("Right {right}"));
        let mut example = Example::new(Task::ALL[task], texts.0, texts.1, Grade::ALL[grade]);
        example.group = group.map(|group| format!("g{group}"));
        example
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn nothing_leaks_and_nothing_is_lost_in_any_order(
            rows in prop::collection::vec(
                (0_usize..6, 0_u8..20, 0_u8..20, 0_usize..3, prop::option::of(0_u8..10)), 0..80),
            seed in any::<u64>(),
        ) {
            let rows: Vec<_> = rows.into_iter().map(|(t, l, r, g, group)| example(t, l, r, g, group)).collect();
            let (dataset, report) = split_rows(rows.clone(), &options(seed));
            prop_assert!(check(&dataset).is_sound());
            prop_assert_eq!(dataset.len(), rows.len());
            let counted: usize = report.rows.iter().flat_map(|(_, counts)| counts.as_flattened()).sum();
            prop_assert_eq!(counted, rows.len());
            let mut reversed = rows;
            reversed.reverse();
            let (again, _) = split_rows(reversed, &options(seed));
            for split in Split::ALL {
                let sorted = |dataset: &Dataset| {
                    let mut rows: Vec<_> =
                        dataset.part(split).iter().map(|row| format!("{row:?}")).collect();
                    rows.sort();
                    rows
                };
                prop_assert_eq!(sorted(&dataset), sorted(&again));
            }
        }
    }

    #[test]
    fn shares_hold_for_every_task_and_grade_though_one_product_is_everywhere() {
        let mut rows = Vec::new();
        for i in 0..3000_usize {
            let right = if i % 3 == 0 { "the popular product".to_owned() } else { format!("p{i}") };
            let task = [Task::QueryProduct, Task::QueryType][usize::from(i % 5 == 0)];
            rows.push(Example::new(task, format!("query {}", i / 4), right, Grade::ALL[i % 3]));
        }
        let (dataset, report) = split_rows(rows, &options(3));
        assert!(report.largest <= 0.05 + 1e-9, "{}", report.largest);
        for (task, splits) in &report.rows {
            for grade in 0..Grade::COUNT {
                let all: usize = splits.iter().map(|counts| counts[grade]).sum();
                for (split, counts) in Split::ALL.into_iter().zip(splits) {
                    let share = counts[grade] as f64 / all as f64;
                    assert!(
                        (share - SHARES.of(split)).abs() < 0.05,
                        "{task} {grade} {split} {share}"
                    );
                }
            }
        }
        // The same query is in one split only.
        let mut splits = std::collections::BTreeMap::new();
        for split in Split::ALL {
            for row in dataset.part(split) {
                assert_eq!(*splits.entry(row.pair.left.text().to_owned()).or_insert(split), split);
            }
        }
        assert!(report.to_string().contains("| query-product | train"), "{report}");
    }
}

//! Selects the rows of one task from a pool of candidates, without duplicates and by quotas.

use crate::PairKey;
use crate::split::{Shares, seeded_hash};
use sextant_core::{Example, Grade, Split};
use std::collections::BTreeMap;

/// How many candidates of a pool were dropped and kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Selection {
    /// The number of candidates that the rules gave.
    pub candidates: usize,
    /// Candidates that were dropped because another candidate had the same pair and the same grade.
    pub duplicates: usize,
    /// Candidates that were dropped because the same pair occurred with different grades. All candidates with
    /// such a pair are dropped.
    pub contradictions: usize,
    /// The number of rows that were kept.
    pub kept: usize,
}

/// Removes duplicates and contradictions, gives each row its id, and takes at most `rows` rows. Each split
/// gets its share of them, each grade its share of the split, and each source an equal number as long as it
/// has rows. Without `grades`, rows are taken without regard to their grades.
pub(crate) fn select(
    pool: Vec<Example>,
    seed: u64,
    rows: usize,
    shares: Shares,
    grades: Option<[f64; Grade::COUNT]>,
) -> (Vec<Example>, Selection) {
    let mut selection = Selection { candidates: pool.len(), ..Selection::default() };
    let mut by_pair: BTreeMap<PairKey, Vec<Example>> = BTreeMap::new();
    for example in pool {
        by_pair.entry(PairKey::of(&example.pair)).or_default().push(example);
    }
    // The rows with their seeded hashes, by split and grade, and then by source.
    let mut cells: BTreeMap<(Split, Option<Grade>), BySource> = BTreeMap::new();
    for (key, mut twins) in by_pair {
        if twins.iter().any(|twin| twin.grade != twins[0].grade) {
            selection.contradictions += twins.len();
            continue;
        }
        selection.duplicates += twins.len() - 1;
        twins.sort_by(|a, b| (&a.source, &a.pair, &a.group).cmp(&(&b.source, &b.pair, &b.group)));
        let mut example = twins.swap_remove(0);
        let hash = seeded_hash(seed, &format!("{}\u{1e}{}\u{1e}{}", key.task, key.left, key.right));
        let digits =
            u64::from_be_bytes(std::array::from_fn(|i| if i < 2 { 0 } else { hash[i - 2] }));
        example.id = Some(format!("{}-{digits:012x}", example.pair.task));
        let split = example.split.unwrap_or(Split::Train);
        let grade = grades.map(|_| example.grade);
        let source = example.source.clone().unwrap_or_default();
        cells.entry((split, grade)).or_default().entry(source).or_default().push((hash, example));
    }
    let mut kept = Vec::new();
    for ((split, grade), sources) in cells {
        let share = grade.zip(grades).map_or(1.0, |(grade, shares)| shares[grade.index()]);
        let quota = (rows as f64 * shares.of(split) * share).round() as usize;
        kept.extend(take_evenly(sources, quota));
    }
    kept.sort_by_key(|(hash, _)| *hash);
    selection.kept = kept.len();
    (kept.into_iter().map(|(_, example)| example).collect(), selection)
}

type BySource = BTreeMap<String, Vec<([u8; 32], Example)>>;

/// Takes up to `quota` rows, an equal number from each source as long as it has rows.
fn take_evenly(mut sources: BySource, quota: usize) -> Vec<([u8; 32], Example)> {
    for rows in sources.values_mut() {
        rows.sort_by_key(|(hash, _)| *hash);
    }
    // The smallest source comes first, so that larger sources make up for the rows that it lacks.
    let mut sources: Vec<_> = sources.into_values().collect();
    sources.sort_by_key(Vec::len);
    let mut taken = Vec::new();
    let count = sources.len();
    for (index, rows) in sources.into_iter().enumerate() {
        let fair = (quota - taken.len()).div_ceil(count - index);
        taken.extend(rows.into_iter().take(fair.min(quota - taken.len())));
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sextant_core::Task;

    const SHARES: Shares = Shares { train: 0.7, dev: 0.1, test: 0.2 };

    fn row(left: &str, right: &str, grade: usize, source: &str) -> Example {
        let grade = Grade::from_index(grade).unwrap();
        let mut example = Example::new(Task::QueryQuery, left, right, grade);
        example.source = Some(source.to_owned());
        example.split = Some(Split::Train);
        example
    }

    #[test]
    fn duplicates_collapse_and_contradictions_go() {
        let pool = vec![
            row("red lamp", "lamp", 2, "a"),
            row("Lamp", "red  lamp", 2, "a"),
            row("hose", "pipe", 1, "a"),
            row("pipe", "hose", 0, "a"),
        ];
        let (kept, selection) = select(pool, 1, 100, SHARES, None);
        assert_eq!(kept.len(), 1);
        assert_eq!((selection.duplicates, selection.contradictions), (1, 2));
    }

    proptest! {
        #[test]
        fn quotas_hold_and_order_does_not_matter(
            rows in prop::collection::vec((0_u8..30, 0_u8..30, 0_usize..3, 0_u8..3), 0..120),
            cap in 1_usize..60,
        ) {
            let pool: Vec<Example> = rows
                .iter()
                .map(|(a, b, grade, source)| row(&format!("l{a}"), &format!("r{b}"), *grade, &format!("s{source}")))
                .collect();
            let mut reversed = pool.clone();
            reversed.reverse();
            let shares = [0.3, 0.3, 0.4];
            let grades = Some(shares);
            let (kept, selection) = select(pool, 9, cap, SHARES, grades);
            for grade in Grade::ALL {
                let quota = (cap as f64 * 0.7 * shares[grade.index()]).round() as usize;
                prop_assert!(kept.iter().filter(|row| row.grade == grade).count() <= quota);
            }
            let ids: std::collections::BTreeSet<_> = kept.iter().map(|row| row.id.clone()).collect();
            prop_assert_eq!(ids.len(), kept.len());
            prop_assert_eq!(selection.kept, kept.len());
            let keys = |rows: &[Example]| rows.iter().map(|row| PairKey::of(&row.pair)).collect::<Vec<_>>();
            let (again, _) = select(reversed, 9, cap, SHARES, grades);
            prop_assert_eq!(keys(&kept), keys(&again));
        }
    }

    #[test]
    fn sources_share_the_quota() {
        let mut pool: Vec<Example> =
            (0..100).map(|i| row(&format!("a{i}"), "x", 2, "large")).collect();
        pool.extend((0..10).map(|i| row(&format!("b{i}"), "x", 2, "small")));
        let (kept, _) = select(pool, 1, 100, SHARES, Some([0.0, 0.0, 1.0]));
        let small = kept.iter().filter(|row| row.source.as_deref() == Some("small")).count();
        assert_eq!((kept.len(), small), (70, 10));
    }
}

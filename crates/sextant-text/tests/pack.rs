//! Invariants of packs and of the plans that fill them.

use proptest::prelude::*;
use sextant_core::{Grade, Task};
use sextant_text::{Cut, EncodedRow, Pack, PrefixTree, fill, plan_shared, plan_sorted};

fn row() -> impl Strategy<Value = EncodedRow> {
    (0..Task::COUNT, proptest::collection::vec((0_u32..30_000, 0_u8..2), 1..12)).prop_map(
        |(task, tokens)| {
            let (ids, segments) = tokens.into_iter().unzip();
            EncodedRow { task: Task::ALL[task], ids, segments, cut: Cut::default() }
        },
    )
}

fn rows() -> impl Strategy<Value = Vec<EncodedRow>> {
    proptest::collection::vec(row(), 0..20)
}

fn token_range(pack: &Pack, row: usize) -> std::ops::Range<usize> {
    pack.cu_seqlens[row] as usize..pack.cu_seqlens[row + 1] as usize
}

proptest! {
    #[test]
    fn packs_hold_every_row_once_and_lead_back_to_it(rows in rows()) {
        // The caller's indices need not start at 0 or be dense.
        let listed: Vec<_> = rows.iter().enumerate().map(|(i, row)| (3 * i + 1, row)).collect();
        let pack = Pack::new(&listed);

        let tokens: usize = rows.iter().map(EncodedRow::len).sum();
        prop_assert_eq!(pack.token_count(), tokens);
        prop_assert_eq!(pack.segments.len(), tokens);
        prop_assert_eq!(pack.positions.len(), tokens);
        prop_assert_eq!(pack.cu_seqlens.len(), rows.len() + 1);
        prop_assert_eq!(pack.cu_seqlens[0], 0);
        prop_assert_eq!(pack.cu_seqlens[rows.len()] as usize, tokens);
        prop_assert!(pack.cu_seqlens.is_sorted());
        prop_assert_eq!(pack.longest_row(), rows.iter().map(EncodedRow::len).max().unwrap_or(0));

        let mut indices = pack.rows.clone();
        indices.sort_unstable();
        prop_assert_eq!(indices, listed.iter().map(|(i, _)| *i).collect::<Vec<_>>());
        for (place, &index) in pack.rows.iter().enumerate() {
            let row = &rows[(index - 1) / 3];
            let range = token_range(&pack, place);
            let ids: Vec<u32> = pack.ids[range.clone()].iter().map(|&id| id as u32).collect();
            prop_assert_eq!(&ids, &row.ids);
            let segments: Vec<u8> = pack.segments[range.clone()].iter().map(|&s| s as u8).collect();
            prop_assert_eq!(&segments, &row.segments);
            let positions: Vec<i32> = (0..row.len() as i32).collect();
            prop_assert_eq!(&pack.positions[range], &positions);
        }
    }

    #[test]
    fn task_ranges_partition_the_pack(rows in rows()) {
        let pack = Pack::new(&rows.iter().enumerate().collect::<Vec<_>>());
        let (mut next_row, mut next_token) = (0, 0);
        for task in Task::ALL {
            let (of_rows, of_tokens) =
                (&pack.task_rows[task.index()], &pack.task_tokens[task.index()]);
            prop_assert_eq!((of_rows.start, of_tokens.start), (next_row, next_token));
            (next_row, next_token) = (of_rows.end, of_tokens.end);
            prop_assert_eq!(of_tokens.start, pack.cu_seqlens[of_rows.start] as usize);
            prop_assert_eq!(of_tokens.end, pack.cu_seqlens[of_rows.end] as usize);
            let indices = &pack.rows[of_rows.clone()];
            prop_assert!(indices.iter().all(|&i| rows[i].task == task));
            prop_assert!(indices.is_sorted(), "rows of one task keep their order");
            prop_assert_eq!(pack.tasks().any(|present| present == task), !of_rows.is_empty());
        }
        prop_assert_eq!((next_row, next_token), (pack.row_count(), pack.token_count()));
    }

    #[test]
    fn targets_follow_their_rows(rows in rows()) {
        let pack = Pack::new(&rows.iter().enumerate().collect::<Vec<_>>());
        prop_assert_eq!(&pack.grades, &None);
        prop_assert!(pack.weights.iter().all(|&weight| weight == 1.0));
        let pack = pack.with_targets(|i| (Grade::ALL[i % 3], i as f32 + 0.5));
        let grades = pack.grades.as_ref().unwrap();
        prop_assert_eq!((grades.len(), pack.weights.len()), (rows.len(), rows.len()));
        for (place, &i) in pack.rows.iter().enumerate() {
            prop_assert_eq!((grades[place], pack.weights[place]), (Grade::ALL[i % 3], i as f32 + 0.5));
        }
    }

    #[test]
    fn filling_keeps_order_and_budget(
        lengths in proptest::collection::vec(0_usize..50, 0..60),
        budget in 0_usize..200,
    ) {
        let packs = fill(&lengths, budget);
        let mut next = 0;
        for (i, pack) in packs.iter().enumerate() {
            prop_assert_eq!(pack.start, next);
            prop_assert!(pack.end > pack.start);
            next = pack.end;
            let tokens: usize = lengths[pack.clone()].iter().sum();
            prop_assert!(tokens <= budget || pack.len() == 1, "over budget only alone");
            if i + 1 < packs.len() {
                prop_assert!(tokens + lengths[pack.end] > budget, "a pack is closed only when full");
            }
        }
        prop_assert_eq!(next, lengths.len());
    }

    #[test]
    fn sorted_plans_hold_every_row_once_within_its_window(
        lengths in proptest::collection::vec(1_usize..50, 0..60),
        budget in 1_usize..200,
        window in 0_usize..70,
    ) {
        let packs = plan_sorted(&lengths, budget, window);
        let mut seen: Vec<usize> = packs.concat();
        let window = if window == 0 { usize::MAX } else { window };
        let windows: Vec<usize> = seen.iter().map(|row| row / window).collect();
        prop_assert!(windows.is_sorted());
        for pack in &packs {
            prop_assert!(!pack.is_empty());
            prop_assert!(pack.iter().all(|row| row / window == pack[0] / window));
            prop_assert!(pack.iter().rev().is_sorted_by_key(|&row| lengths[row]), "longest first");
            let tokens: usize = pack.iter().map(|&row| lengths[row]).sum();
            prop_assert!(tokens <= budget || pack.len() == 1);
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
    }

    #[test]
    fn shared_plans_and_trees_lead_back_to_every_token(
        rows in prop::collection::vec((0..2_usize, prop::collection::vec(0_u32..3, 1..8)), 0..24),
        budget in 1_usize..60,
    ) {
        let rows: Vec<_> = rows.into_iter().map(|(task, ids)| EncodedRow {
            task: Task::ALL[task], segments: vec![0; ids.len()], ids, cut: Cut::default(),
        }).collect();
        let plan = plan_shared(&rows, budget);
        let mut seen = plan.concat();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..rows.len()).collect::<Vec<_>>());
        for indices in plan {
            let pack = Pack::new(&indices.iter().map(|&i| (i, &rows[i])).collect::<Vec<_>>());
            let tree = PrefixTree::new(&pack);
            prop_assert!(tree.tokens.len() <= budget || indices.len() == 1);
            // A node is a token together with all tokens before it in a row of its task.
            let mut begins = std::collections::BTreeSet::new();
            for (place, &index) in pack.rows.iter().enumerate() {
                let row = &rows[index];
                for (at, token) in token_range(&pack, place).enumerate() {
                    begins.insert((row.task.index(), row.ids[..=at].to_vec()));
                    let node = tree.nodes[token] as usize;
                    prop_assert!(tree.task_nodes[row.task.index()].contains(&node));
                    let stands = tree.tokens[node] as usize;
                    prop_assert_eq!(pack.positions[stands], at as i32);
                    let start = stands - at;
                    prop_assert_eq!(&pack.ids[start..=stands], &pack.ids[token - at..=token]);
                }
            }
            prop_assert_eq!(tree.tokens.len(), begins.len(), "all that is shared is found");
        }
    }
}

#[test]
fn a_row_over_budget_gets_its_own_pack() {
    assert_eq!(fill(&[3, 9, 3, 3], 6), [0..1, 1..2, 2..4]);
    assert_eq!(plan_sorted(&[3, 9, 3, 3], 6, 0), [vec![1], vec![0, 2], vec![3]]);
    assert_eq!(plan_sorted(&[3, 9, 3, 3], 6, 2), [vec![1], vec![0], vec![2, 3]]);
}

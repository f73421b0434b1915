//! The packs of a step may run in any order and on any thread: what comes out is the same, bit for bit.

use crate::common::prepared;
use sextant_core::Task;
use sextant_model::{RelevanceModel, dump};
use sextant_train::{
    AdamW, Gradients, OptimizerRecipe, PackLosses, Prepared, Reduced, Reduction, StepOptions,
    StepPass, StepPlan, SumBy, Target, plan_packs, run_pack,
};
use std::sync::mpsc;

/// A recipe with dropout, because a pack's masks must not depend on where it runs.
const SETTINGS: &[&str] = &["model.hidden_dropout=0.1", "model.attention_dropout=0.1"];

fn batch(prepared: &Prepared) -> Vec<Target<'_>> {
    (0..48).map(|row| prepared.train.learn(row * 5)).collect()
}

fn options(prepared: &Prepared, checkpointing: bool) -> StepOptions<'_> {
    StepOptions {
        precision: prepared.plan.computation.precision,
        loss: &prepared.plan.recipe.loss,
        distillation: None,
        behaviour: None,
        layers: None,
        pack_tokens: 100,
        key: [7, 3],
        checkpointing,
        divisor: None,
    }
}

/// The results of a pack, kept to be handed in later.
fn run(pass: &StepPass<'_>, plan: &StepPlan, pack: usize) -> (Vec<Gradients>, PackLosses) {
    let mut found = Vec::new();
    let losses = run_pack(pass, &plan.packs[pack], |part| found.push(part)).unwrap();
    (found, losses)
}

fn hand_in(reduction: &mut Reduction, pack: usize, found: Vec<Gradients>, losses: PackLosses) {
    for part in found {
        reduction.add(pack, part);
    }
    reduction.end_pack(pack, losses);
}

fn in_order(pass: &StepPass<'_>, plan: &StepPlan, order: &[usize]) -> Reduced {
    let mut reduction = Reduction::new(plan);
    for &pack in order {
        let (found, losses) = run(pass, plan, pack);
        hand_in(&mut reduction, pack, found, losses);
    }
    reduction.finish()
}

/// Runs even packs on one thread and odd ones on another, each from its last to its first; results are
/// handed in as they come.
fn on_two_threads(pass: &StepPass<'_>, plan: &StepPlan) -> Reduced {
    let mut reduction = Reduction::new(plan);
    std::thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for worker in 0..2 {
            let sender = sender.clone();
            scope.spawn(move || {
                for pack in (0..plan.packs.len()).rev().filter(|pack| pack % 2 == worker) {
                    sender.send((pack, run(pass, plan, pack))).unwrap();
                }
            });
        }
        drop(sender);
        for (pack, (found, losses)) in results {
            hand_in(&mut reduction, pack, found, losses);
        }
    });
    reduction.finish()
}

/// The weights that a step of the optimizer makes of each sum of gradients.
fn bits(model: &RelevanceModel, reduced: Reduced) -> Vec<Vec<u32>> {
    let weights = |gradients: Gradients| {
        let mut optimizer = AdamW::new(OptimizerRecipe::default(), model);
        let norm = gradients.norm();
        let after = dump(&optimizer.step(model.clone(), gradients, 1.0, 1.0 / norm));
        after.into_values().flat_map(|values| values.data).map(f32::to_bits).collect()
    };
    reduced.sums.into_iter().map(weights).collect()
}

#[test]
fn packs_give_the_same_bits_in_any_order_and_on_two_threads() {
    let prepared = prepared(SETTINGS);
    let (model, batch) = (&prepared.model, &batch(&prepared));
    for (by, checkpointing) in [(SumBy::Step, false), (SumBy::Step, true), (SumBy::Task, false)] {
        let options = options(&prepared, checkpointing);
        let plan = plan_packs(batch, &options, by);
        let packs = plan.packs.len();
        assert!(packs > 5, "too few packs to tell: {packs}");
        let pass = || StepPass::new(model, batch, options, &plan);
        let forward: Vec<usize> = (0..packs).collect();
        let expected = in_order(&pass(), &plan, &forward);
        let (losses, tokens) = (expected.task_losses, expected.tokens);
        let expected = bits(model, expected);
        let backward: Vec<usize> = forward.iter().rev().copied().collect();
        let middle_first = [&forward[packs / 2..], &forward[..packs / 2]].concat();
        for order in [backward, middle_first] {
            let other = in_order(&pass(), &plan, &order);
            assert_eq!((other.task_losses, other.tokens), (losses, tokens));
            assert!(bits(model, other) == expected, "{by:?}, {checkpointing}: {order:?}");
        }
        for _ in 0..5 {
            let other = on_two_threads(&pass(), &plan);
            assert_eq!((other.task_losses, other.tokens), (losses, tokens));
            assert!(bits(model, other) == expected, "{by:?}, {checkpointing}: on two threads");
        }
    }
}

#[test]
fn a_plan_has_every_row_once_and_a_dropout_key_for_each_pack() {
    let prepared = prepared(SETTINGS);
    let batch = batch(&prepared);
    let options = options(&prepared, false);
    for by in [SumBy::Step, SumBy::Task] {
        let plan = plan_packs(&batch, &options, by);
        let mut rows: Vec<usize> = plan.packs.iter().flat_map(|pack| pack.rows.clone()).collect();
        rows.sort_unstable();
        assert_eq!(rows, (0..batch.len()).collect::<Vec<_>>());
        let keys: std::collections::HashSet<_> = plan.packs.iter().map(|pack| pack.key).collect();
        assert_eq!(keys.len(), plan.packs.len());
        assert!(plan.packs.iter().all(|pack| pack.sum < plan.sums));
        // Losses are divided by the weight of the whole batch, even for those who run only some of its
        // packs.
        assert_eq!(plan.divisor, batch.len() as f64);
        let tasks_of = |rows: &[usize]| {
            let tasks = rows.iter().map(|&row| batch[row].row.task);
            tasks.collect::<std::collections::BTreeSet<Task>>()
        };
        let alone = plan.packs.iter().all(|pack| tasks_of(&pack.rows).len() == 1);
        assert_eq!(alone, by == SumBy::Task);
    }
}

#[test]
#[should_panic(expected = "after 0 of")]
fn sums_without_a_pack_are_refused() {
    let prepared = prepared(SETTINGS);
    let batch = batch(&prepared);
    let options = options(&prepared, false);
    let plan = plan_packs(&batch, &options, SumBy::Step);
    let pass = StepPass::new(&prepared.model, &batch, options, &plan);
    let mut reduction = Reduction::new(&plan);
    let (found, losses) = run(&pass, &plan, 1);
    hand_in(&mut reduction, 1, found, losses);
    let _ = reduction.finish();
}

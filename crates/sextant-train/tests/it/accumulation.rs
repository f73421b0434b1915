//! The size of packs affects only the memory that is used, not what is learned.

use crate::common::train;

#[test]
fn many_packs_give_the_weights_of_one() {
    let common = [
        "schedule.steps=3",
        "dev.every=3",
        "model.hidden_dropout=0.0",
        "model.attention_dropout=0.0",
        "model.head_dropout=0.0",
        "batch.rows=12",
        // A large `eps`, so that a tiny gradient, which rounding may change, does not move a weight by a
        // full step.
        "optimizer.eps=1e-3",
    ];
    let run = |pack_tokens| train(&[&common[..], &[pack_tokens]].concat());
    let (before, one, _) = run("batch.pack_tokens=100000");
    let (_, many, _) = run("batch.pack_tokens=50");
    let mut moved = 0.0_f32;
    for (name, values) in &one {
        for ((a, b), start) in values.data.iter().zip(&many[name].data).zip(&before[name].data) {
            assert!((a - b).abs() <= 1e-5, "{name}: {a} in one pack, {b} in many");
            moved = moved.max((a - start).abs());
        }
    }
    assert!(moved > 5e-4, "hardly moved: {moved}");
}

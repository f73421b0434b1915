//! A tiny model learns an easy task.

use crate::common::{Losses, dataset, folder, plan};
use sextant_core::{Example, Grade, Split, Task};
use sextant_files::Existing;
use sextant_model::Device;
use sextant_train::{Prepared, Start, Trainer};
use tempfile::TempDir;

/// The grade can be read from one word of the name of the type.
fn easy(rows: usize, split: Split) -> Vec<Example> {
    let words = ["sofa", "lamp", "drill"];
    (0..rows)
        .map(|i| {
            let grade = Grade::ALL[i % 3];
            let query = ["red", "blue", "green", "cheap"][i / 3 % 4];
            let name = words[i % 3];
            Example { split: Some(split), ..Example::new(Task::QueryType, query, name, grade) }
        })
        .collect()
}

#[test]
fn loss_falls_and_dev_accuracy_beats_the_majority() {
    for moments in ["f32", "bf16", "int8"] {
        learns(moments);
    }
}

fn learns(moments: &str) {
    let examples = [easy(96, Split::Train), easy(30, Split::Dev)].concat();
    let moments = format!("optimizer.moments=\"{moments}\"");
    let settings = [
        "tasks=[\"query-type\"]",
        "schedule.steps=60",
        "dev.every=20",
        "batch.rows=16",
        "optimizer.learning_rate=5e-3",
        "model.routing.private_layers=0",
        // So wide that the moments of every layer are stored in the format.
        "model.backbone={ vocab_size = 300, hidden_size = 64, layers = 2, attention_heads = 2, intermediate_size = 64 }",
        moments.as_str(),
    ];
    let prepared =
        Prepared::new(plan(&settings).unwrap(), &dataset(examples), &Device::cpu()).unwrap();
    let temporary = TempDir::new().unwrap();
    let mut losses = Losses::default();
    let summary = Trainer::new(prepared, folder(&temporary), Start::New, Existing::Refuse)
        .unwrap()
        .run(&mut losses)
        .unwrap();
    let mean = |steps: &[f64]| steps.iter().sum::<f64>() / steps.len() as f64;
    let (first, last) = (mean(&losses.steps[..5]), mean(&losses.steps[55..]));
    assert!(last < 0.5 * first, "{moments}: loss {first} to {last}");
    let (accuracy, _) = summary.best.unwrap();
    assert!(accuracy > 0.8, "{moments}: dev accuracy {accuracy}; the majority has 0.33");
    assert_eq!((summary.steps, summary.rows), (60, 960));
}

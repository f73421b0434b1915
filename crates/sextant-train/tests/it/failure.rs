//! What cannot work is an error with a message, never a panic.

use crate::common::{Silent, folder, market, plan, prepared};
use sextant_core::{Example, Grade, Split, Task};
use sextant_data::{Dataset, Format, ReadOptions};
use sextant_eval::Metric;
use sextant_files::Existing;
use sextant_model::Device;
use sextant_train::{
    ExampleSource, LoadedDataset, Prepared, Start, StoppableSource, TrainError, Trainer,
    open_source,
};
use std::ops::ControlFlow;
use tempfile::TempDir;

#[test]
fn all_mistakes_of_a_recipe_are_reported_at_once() {
    let error = plan(&[
        "name=a/b",
        "optimizer.learning_rate=0.0",
        "optimizer.layer_decay=1.5",
        "optimizer.beta2=1.0",
        "schedule.warmup=2.0",
        "batch.rows=0",
        "batch.sampling={temperature=0.0}",
        "dev.every=0",
        "model.backbone=\"elsewhere\"",
    ])
    .unwrap_err();
    let TrainError::Plan(mistakes) = &error else { panic!("{error}") };
    let keys = [
        "name",
        "optimizer.learning_rate",
        "optimizer.layer_decay",
        "optimizer.beta2",
        "schedule.warmup",
        "batch.rows",
        "batch.sampling.temperature",
        "dev.every",
        "model.backbone",
    ];
    for key in keys {
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(key)), "{key} in {error}");
    }
    assert_eq!(mistakes.len(), keys.len(), "{error}");
}

#[test]
fn shapes_that_cannot_be_built_are_mistakes_too() {
    for setting in [
        "model.routing.private_layers=5",
        "model.backbone.attention_heads=3",
        "model.head_dropout=1.5",
        "model.backbone.hidden_size=0",
        "text.max_tokens=0",
    ] {
        assert!(matches!(plan(&[setting]), Err(TrainError::Plan(_))), "{setting}");
    }
}

#[test]
fn tasks_without_rows_are_named() {
    let error = Prepared::new(plan(&[]).unwrap(), &Dataset::default(), &Device::cpu()).unwrap_err();
    let TrainError::Plan(mistakes) = &error else { panic!("{error}") };
    assert_eq!(mistakes.len(), 12, "{error}");
    assert!(error.to_string().contains("no dev rows of task `query-type`"), "{error}");
}

/// The message names the row by its place in the data set, even if a run uses only some of the rows.
#[test]
fn a_text_without_a_token_is_told_by_its_row() {
    let mut market = crate::common::market().clone();
    let row = market.train.iter().position(|example| example.pair.task == Task::QueryType).unwrap();
    market.train[row].pair.left = "\u{200b}".into();
    let limit = format!("data.train_rows={}", market.train.len() - 1);
    let mut refused = 0;
    for settings in [vec![], vec!["tasks=[\"query-type\"]"], vec![limit.as_str()]] {
        match Prepared::new(plan(&settings).unwrap(), &market, &Device::cpu()) {
            Err(error) => {
                let error = error.to_string();
                let place = format!("train row {}: the left text of the query-type pair", row + 1);
                assert!(error.starts_with(&place), "{error}");
                refused += 1;
            }
            Ok(prepared) => assert_eq!(prepared.train.len(), market.train.len() - 1),
        }
    }
    assert!(refused >= 2, "all rows, and the rows of one task, hold it");
}

/// The message names the row by its file and line, whichever rows a run chooses.
#[test]
fn a_text_without_a_token_is_told_by_its_line() {
    let temporary = TempDir::new().unwrap();
    let mut market = market().clone();
    market.train[40].pair.left = "\u{200b}".into();
    market.save(temporary.path(), Format::Jsonl, Existing::Refuse).unwrap();
    let path = temporary.path().join("train.jsonl");
    // An empty line is not a row, but counts as a line.
    std::fs::write(&path, format!("\n{}", std::fs::read_to_string(&path).unwrap())).unwrap();
    let of_run = |settings: &[&str]| {
        let source = open_source(temporary.path(), &ReadOptions::default()).unwrap();
        Prepared::new(plan(settings).unwrap(), source.as_ref(), &Device::cpu())
    };
    let task = format!("tasks=[\"{}\"]", market.train[40].pair.task);
    // All rows but one; with seed 1, the row that is left out is another one.
    let fewer = format!("data.train_rows={}", market.train.len() - 1);
    for settings in [vec![], vec![task.as_str()], vec![fewer.as_str()]] {
        let error = of_run(&settings).unwrap_err().to_string();
        let place = format!("{} line 42: the left text of", path.display());
        assert!(error.starts_with(&place), "{error}");
    }
    let loaded = LoadedDataset::load(temporary.path(), &ReadOptions::default()).unwrap();
    assert_eq!(loaded.dataset, market);
    assert_eq!(loaded.origin(Split::Train, 40), format!("{} line 42", path.display()));
}

/// Rows of a source that is left out are neither trained on nor looked at, and no others go with them; rows are
/// drawn from those that are left.
#[test]
fn a_source_is_left_out() {
    let mut market = market().clone();
    let mark = |examples: &mut [sextant_core::Example]| {
        for example in examples.iter_mut().step_by(2) {
            example.source = Some("elsewhere".into());
        }
        examples.iter().filter(|example| example.source.as_deref() != Some("elsewhere")).count()
    };
    let kept = [mark(&mut market.train), mark(&mut market.dev)];
    let of = |settings: &[&str]| Prepared::new(plan(settings).unwrap(), &market, &Device::cpu());
    let found = of(&["data.leave_out=[\"elsewhere\"]"]).unwrap();
    assert_eq!([found.train.len(), found.dev.len()], kept);
    let mut alone = market.clone();
    for examples in [&mut alone.train, &mut alone.dev] {
        examples.retain(|example| example.source.as_deref() != Some("elsewhere"));
    }
    let drawn = of(&["data.leave_out=[\"elsewhere\"]", "data.train_rows=30"]).unwrap();
    assert_eq!(drawn.train.len(), 30);
    // Without that source the same rows are drawn, and the run is the same but for its recipe.
    let expected = Prepared::new(plan(&["data.train_rows=30"]).unwrap(), &alone, &Device::cpu());
    assert_eq!(drawn.train.tasks(), expected.unwrap().train.tasks());
    let error = of(&["data.leave_out=[\"nowhere\"]"]).unwrap_err().to_string();
    assert!(error.contains("data.leave_out: no row has the source `nowhere`"), "{error}");
}

/// Reading rows from files in several passes gives the same run as rows in memory.
#[test]
fn files_read_in_passes_give_the_run_of_a_data_set_in_memory() {
    let temporary = TempDir::new().unwrap();
    market().save(temporary.path(), Format::Csv, Existing::Refuse).unwrap();
    let source = open_source(temporary.path(), &ReadOptions::default()).unwrap();
    for settings in [vec![], vec!["data.train_rows=100"]] {
        let of = |source: &dyn ExampleSource| {
            Prepared::new(plan(&settings).unwrap(), source, &Device::cpu()).unwrap().fingerprint()
        };
        assert_eq!(of(source.as_ref()), of(market()));
    }
}

/// A source of rows can be stopped.
#[test]
fn reading_rows_can_be_stopped() {
    let asked = std::cell::Cell::new(0);
    let ask = || {
        asked.set(asked.get() + 1);
        if asked.get() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let source = StoppableSource::new(market(), &ask);
    let error = Prepared::new(plan(&[]).unwrap(), &source, &Device::cpu()).unwrap_err();
    assert!(matches!(error, TrainError::Stopped), "{error}");
}

#[test]
fn freezing_what_does_not_exist_is_refused() {
    let plan = plan(&["model.freeze=[\"trunk.9\"]"]).unwrap();
    let error = Prepared::new(plan, crate::common::market(), &Device::cpu()).unwrap_err();
    assert!(error.to_string().contains("trunk.9"), "{error}");
}

#[test]
fn divergence_is_an_error() {
    let temporary = TempDir::new().unwrap();
    let prepared = prepared(&[
        "optimizer.learning_rate=1e30",
        "optimizer.weight_decay=0.0",
        "dev.every=100",
        "schedule.warmup=0.0",
    ]);
    let error = Trainer::new(prepared, folder(&temporary), Start::New, Existing::Refuse)
        .unwrap()
        .run(&mut Silent)
        .unwrap_err();
    assert!(matches!(error, TrainError::Diverged { step: 2.., .. }), "{error}");
}

/// A run whose dev metric has no value would never find better weights than its first.
#[test]
fn a_dev_metric_without_a_value_is_refused_before_training() {
    // Dev rows of all grades in every task.
    let mut graded = market().clone();
    let mut seen = [0; Task::COUNT];
    for example in &mut graded.dev {
        let count = &mut seen[example.pair.task.index()];
        example.grade = Grade::ALL[*count % 3];
        *count += 1;
    }
    let refused = |metric: &str, change: &dyn Fn(&mut Example)| {
        let mut dataset = graded.clone();
        dataset.dev.iter_mut().for_each(change);
        let plan = plan(&[&format!("dev.metric={metric}")]).unwrap();
        let error = Prepared::new(plan, &dataset, &Device::cpu()).unwrap_err();
        assert!(matches!(error, TrainError::Plan(_)), "{error}");
        error.to_string()
    };
    let error = refused("ndcg_at_10", &|example| example.group = None);
    for part in ["dev.metric = ndcg_at_10", "`group`", "accuracy", "quadratic_kappa"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert_eq!(error.matches("ndcg_at_10").count(), 1, "it is not among those to choose: {error}");
    for metric in ["quadratic_kappa", "cohen_kappa"] {
        let error = refused(metric, &|example| {
            if example.pair.task == Task::TypeType {
                example.grade = Grade::Partial;
            }
        });
        for part in [metric, "`type-type`", "`partial`", "log_loss"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
    for metric in Metric::ALL {
        let plan = plan(&[&format!("dev.metric={metric}")]).unwrap();
        assert!(Prepared::new(plan, &graded, &Device::cpu()).is_ok(), "{metric}");
    }
}

/// Weights that are finite, but whose products are not: the look at the dev set finds this, says what the
/// answer was, and saves nothing.
#[test]
fn divergence_between_looks_is_found_at_the_dev_rows() {
    let temporary = TempDir::new().unwrap();
    let mut dataset = market().clone();
    let row = dataset.dev.len() - 2;
    // A character that is in no training row, so that its token is the unknown token.
    let pair = &mut dataset.dev[row].pair;
    pair.left = "☃".into();
    let plan = plan(&["dev.every=1", "model.freeze=[\"embeddings\", \"trunk\"]"]).unwrap();
    let mut prepared = Prepared::new(plan, &dataset, &Device::cpu()).unwrap();
    let token = prepared.encoder.encode(&dataset.dev[row].pair).unwrap().ids[1];
    let model = prepared.model;
    prepared.model = sextant_model::load::<std::convert::Infallible>(model, |name, shape| {
        Ok((name == "embeddings.word").then(|| {
            let mut table = vec![0.01; shape[0] * shape[1]];
            table[token as usize * shape[1]] = f32::NAN;
            table
        }))
    })
    .unwrap_or_else(|never| match never {});
    let folder = folder(&temporary);
    let error = Trainer::new(prepared, folder.clone(), Start::New, Existing::Refuse)
        .unwrap()
        .run(&mut Silent)
        .unwrap_err();
    let TrainError::DivergedAtDev { step: 1, row: found, .. } = &error else { panic!("{error}") };
    assert_eq!(*found, format!("dev row {}", row + 1));
    let said = error.to_string();
    assert!(said.contains("NaN") && said.contains("optimizer.learning_rate"), "{said}");
    assert!(!folder.bundle().exists());
}

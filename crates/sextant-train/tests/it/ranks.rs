//! One training in several processes, which are threads here: the same results as in one process.

use crate::common::{Silent, checkpoint_values, folder, learning_from_layers, plan, prepared};
use crate::thread_ranks::on;
use sextant_files::Existing;
use sextant_model::{Device, dump};
use sextant_train::{
    Event, JsonLog, Observer, Observers, Prepared, RunFolder, Start, Summary, TrainError, Trainer,
};
use std::ops::ControlFlow;
use std::path::Path;
use tempfile::TempDir;

/// Packs of about three rows; dropout, because its masks must not depend on where a pack runs.
const SETTINGS: [&str; 4] = [
    "batch.pack_tokens=60",
    "model.hidden_dropout=0.1",
    "model.attention_dropout=0.1",
    "dev.every=3",
];

fn settings<'a>(extra: &[&'a str]) -> Vec<&'a str> {
    SETTINGS.into_iter().chain(extra.iter().copied()).collect()
}

/// Runs a training on so many ranks; returns what each of them returned.
fn run(
    place: &RunFolder,
    (count, start): (usize, Start),
    extra: &[&str],
    observer: impl Fn() -> Box<dyn Observer> + Sync,
) -> Vec<Result<Summary, TrainError>> {
    on(count, |reducer| {
        let leads = reducer.rank() == 0;
        let trainer = Trainer::spread(
            prepared(&settings(extra)),
            place.clone(),
            start,
            Existing::Refuse,
            reducer,
        )?;
        let mut observers = Observers(vec![observer()]);
        if leads {
            observers.0.push(Box::new(JsonLog::open(&trainer)?));
        }
        trainer.run(&mut observers)
    })
}

fn silent() -> Box<dyn Observer> {
    Box::new(Silent)
}

/// Breaks after a step, as if that process alone had been asked to stop.
struct StopAfter(u64);

impl Observer for StopAfter {
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Step(report) if report.step == self.0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

const FILES: [&str; 3] = [
    "checkpoint/model.safetensors",
    "checkpoint/optimizer.safetensors",
    "bundle/model.safetensors",
];

fn same(one: &Path, other: &Path) -> bool {
    FILES.iter().all(|file| {
        std::fs::read(one.join(file)).unwrap() == std::fs::read(other.join(file)).unwrap()
    })
}

/// A training on one rank, and the same on two and three.
fn spreads(extra: &[&str]) {
    spreads_with(extra, &[]);
}

/// The same, of which those on several ranks have further settings.
fn spreads_with(extra: &[&str], on_ranks: &[&str]) {
    let places = [TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap()];
    let folders = places.each_ref().map(folder);
    for (count, folder) in (1..).zip(&folders) {
        let further = if count > 1 { on_ranks } else { &[] };
        let all = [extra, further].concat();
        let summaries = run(folder, (count, Start::New), &all, silent);
        let all: Vec<_> = summaries.into_iter().map(Result::unwrap).collect();
        // All ranks know the same.
        let facts = |of: &Summary| (of.steps, of.rows, of.tokens, of.best);
        assert!(all.iter().all(|one| facts(one) == facts(&all[0])), "{extra:?}: {all:?}");
        if count > 1 {
            assert!(same(&folders[0].0, &folder.0), "{extra:?}: {count} ranks");
        }
    }
    // The losses, norms and rates of every step are those of one process, too.
    let log = |folder: &RunFolder| -> Vec<serde_json::Value> {
        let log = std::fs::read_to_string(folder.log()).unwrap();
        let lines =
            log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines
            .filter(|line| line["event"] != "started")
            .map(|mut line| {
                let fields = line.as_object_mut().unwrap();
                fields.remove("seconds");
                let exchanged = fields.remove("communication");
                assert!(exchanged.is_none_or(|found| {
                    let seconds = |name: &str| found[name].as_f64().unwrap();
                    found["bytes"].as_u64().unwrap() > 0
                        && seconds("seconds") > 0.0
                        && seconds("waited") >= 0.0
                }));
                line
            })
            .collect()
    };
    assert_eq!(log(&folders[0]), log(&folders[1]), "{extra:?}");
    assert_eq!(log(&folders[0]), log(&folders[2]), "{extra:?}");
}

#[test]
fn ranks_give_the_bits_of_one_process() {
    spreads(&[]);
}

#[test]
fn ranks_give_the_bits_of_one_process_in_bf16() {
    spreads(&["precision=\"bf16\""]);
}

#[test]
fn ranks_give_the_bits_of_one_process_whatever_is_trained() {
    // Shared heads and a prefix; a head for each task; mixtures, whose experts see some packs only.
    spreads(&["model.routing={ prefix = true, heads = \"shared\" }", "text.max_tokens=40"]);
    spreads(&[
        "model.routing={ prefix = false, heads = \"per_task\" }",
        "batch.mixing=\"single_task\"",
    ]);
    spreads(&[
        "model.routing={ prefix = false, heads = \"per_task\", mixture = { experts = 2, task_experts = 1 } }",
    ]);
}

#[test]
fn ranks_give_the_bits_of_one_process_with_adapters_and_recomputed_activations() {
    spreads(&[
        "model.lora={ rank = 2, dropout = 0.1, base = \"int8\" }",
        "model.routing.private=\"adapter\"",
    ]);
    spreads(&["model.gradient_checkpointing=true"]);
}

#[test]
fn ranks_give_the_bits_of_one_process_however_tasks_are_weighed() {
    for kind in ["equal", "uncertainty", "dynamic", "pcgrad"] {
        let kind = format!("task_weighting.kind=\"{kind}\"");
        spreads(&[&kind, "batch.mixing=\"mixed\""]);
    }
}

/// A parameter that no rank has a gradient for stays as it is; moments of other formats are rounded at random.
#[test]
fn ranks_give_the_bits_of_one_process_with_frozen_parts_and_stored_moments() {
    spreads(&["model.freeze=[\"embeddings\", \"trunk.0\"]"]);
    spreads(&[
        "optimizer.moments=\"bf16\"",
        "model.backbone={ vocab_size = 300, hidden_size = 64, layers = 2, attention_heads = 2, intermediate_size = 64 }",
    ]);
}

/// Every rank keeps a part of the moments: the results, and the checkpoint, are those of one process.
#[test]
fn a_sharded_optimizer_gives_the_bits_of_one_process() {
    let shard = ["distributed.shard_optimizer=true"];
    spreads_with(&[], &shard);
    spreads_with(
        &["model.routing={ prefix = false, heads = \"per_task\" }", "batch.mixing=\"single_task\""],
        &shard,
    );
    for format in ["bf16", "int8"] {
        let moments = format!("optimizer.moments=\"{format}\"");
        let wide = "model.backbone={ vocab_size = 300, hidden_size = 64, layers = 2, attention_heads = 2, intermediate_size = 64 }";
        spreads_with(&[&moments, wide], &shard);
    }
}

/// The matrix that leads from the student's width to the teacher's is learned by all ranks, also where moments are
/// shared out.
#[test]
fn ranks_give_the_bits_of_one_process_with_a_teacher_of_layers() {
    let temporary = TempDir::new().unwrap();
    let layers = learning_from_layers(temporary.path(), "");
    spreads(&[&layers]);
    spreads_with(&[&layers], &["distributed.shard_optimizer=true"]);
}

/// What others call gradient accumulation: four packs on one rank, two on each of two, one on each of four.
#[test]
fn four_packs_on_one_rank_are_one_pack_on_each_of_four() {
    let extra = ["batch.rows=12", "batch.pack_tokens=72", "data.train_rows=80"];
    let (one, four) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for (count, place) in [(1, &one), (4, &four)] {
        for summary in run(&folder(place), (count, Start::New), &extra, silent) {
            summary.unwrap();
        }
    }
    assert!(same(&folder(&one).0, &folder(&four).0));
}

#[test]
fn a_ring_repeats_its_bits_and_is_near_one_process() {
    let ring = ["distributed.reduction=\"ring\"", "optimizer.eps=1e-3"];
    let places = [TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap()];
    let [one, other, alone] = places.each_ref().map(folder);
    for (count, place) in [(3, &one), (3, &other), (1, &alone)] {
        for summary in run(place, (count, Start::New), &ring, silent) {
            summary.unwrap();
        }
    }
    assert!(same(&one.0, &other.0));
    let like = dump(&prepared(&settings(&ring)).model);
    let [found, expected] = [&one, &alone].map(|place| checkpoint_values(place, &like));
    let mut most = 0.0_f32;
    for (name, values) in &expected {
        for ((a, b), start) in values.data.iter().zip(&found[name].data).zip(&like[name].data) {
            assert!((a - b).abs() <= 1e-5, "{name}: {a} alone, {b} on three ranks");
            most = most.max((a - start).abs());
        }
    }
    assert!(most > 5e-4, "hardly moved: {most}");
}

/// One rank alone is asked to stop: all stop after the same step, and any number of ranks goes on.
#[test]
fn a_run_of_three_ranks_goes_on_with_two_and_with_one() {
    let (place, whole) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (folder, whole) = (folder(&place), folder(&whole));
    // Also from moments of all parameters to a part of them, and back.
    let shard: &[&str] = &["distributed.shard_optimizer=true"];
    for (count, start, step, extra) in [
        (3, Start::New, Some(2), &[][..]),
        (2, Start::Resume, Some(4), shard),
        (3, Start::Resume, Some(5), shard),
        (1, Start::Resume, None, &[]),
    ] {
        let stop = || -> Box<dyn Observer> {
            match step {
                Some(step) => Box::new(StopAfter(step)),
                None => silent(),
            }
        };
        for ended in run(&folder, (count, start), extra, stop) {
            match step {
                Some(expected) => assert!(
                    matches!(ended, Err(TrainError::Interrupted { step, .. }) if step == expected),
                    "{ended:?}"
                ),
                None => drop(ended.unwrap()),
            }
        }
    }
    run(&whole, (1, Start::New), &[], silent).pop().unwrap().unwrap();
    assert!(same(&folder.0, &whole.0));
}

#[test]
fn a_rank_with_other_data_is_refused_by_all() {
    let place = TempDir::new().unwrap();
    let errors = on(2, |reducer| {
        let seed = format!("seed={}", 1 + reducer.rank());
        let prepared = prepared(&settings(&[&seed]));
        Trainer::spread(prepared, folder(&place), Start::New, Existing::Refuse, reducer)
            .err()
            .unwrap()
    });
    for error in errors {
        assert!(error.to_string().contains("rank 1 has another recipe"), "{error}");
    }
    assert!(!folder(&place).checkpoint().exists());
}

/// Rank 0 finds that the folder is in use; the others must not wait for it.
#[test]
fn an_error_of_one_rank_ends_all() {
    let place = TempDir::new().unwrap();
    let _held = folder(&place).lock().unwrap();
    let errors = on(3, |reducer| {
        let prepared = prepared(&settings(&[]));
        let begun =
            Trainer::spread(prepared, folder(&place), Start::New, Existing::Refuse, reducer);
        begun.err().unwrap().to_string()
    });
    assert!(!errors[0].contains("rank 0"), "{errors:?}");
    assert!(errors[1..].iter().all(|error| error.starts_with("rank 0 has failed")), "{errors:?}");
}

/// Rows whose losses are infinite in one pack: all ranks say that training has diverged.
#[test]
fn all_ranks_see_that_training_has_diverged() {
    let place = TempDir::new().unwrap();
    let errors = run(
        &folder(&place),
        (2, Start::New),
        &["optimizer.learning_rate=1e30", "optimizer.clip_norm=0", "schedule.warmup=0.0"],
        silent,
    );
    let errors: Vec<String> =
        errors.into_iter().map(|error| error.unwrap_err().to_string()).collect();
    assert!(errors.iter().any(|error| error.contains("training has diverged")), "{errors:?}");
}

/// A folder that only rank 0 sees, as on machines that share no files.
#[test]
fn a_rank_that_does_not_see_the_checkpoint_is_refused() {
    let (shared, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    run(&folder(&shared), (2, Start::New), &[], || Box::new(StopAfter(2)));
    let errors = on(2, |reducer| {
        let place = if reducer.rank() == 0 { folder(&shared) } else { folder(&other) };
        let prepared = prepared(&settings(&[]));
        Trainer::spread(prepared, place, Start::Resume, Existing::Refuse, reducer).err().unwrap()
    });
    for error in errors {
        assert!(error.to_string().contains("does not see the checkpoint"), "{error}");
    }
}

/// More ranks than packs, and more ranks than dev rows: those without work take part all the same.
#[test]
fn ranks_without_work_take_part() {
    let few = || {
        let mut examples = crate::common::market().clone();
        let mut tasks = std::collections::BTreeSet::new();
        examples.dev.retain(|example| tasks.insert(example.pair.task));
        examples
    };
    let settings = settings(&["batch.pack_tokens=100000"]);
    let places = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    for (count, place) in [(1, &places[0]), (8, &places[1])] {
        let ended = on(count, |reducer| {
            let prepared = Prepared::new(plan(&settings).unwrap(), &few(), &Device::cpu()).unwrap();
            let trainer =
                Trainer::spread(prepared, folder(place), Start::New, Existing::Refuse, reducer);
            trainer.unwrap().run(&mut Silent)
        });
        for summary in ended {
            summary.unwrap();
        }
    }
    assert!(same(&folder(&places[0]).0, &folder(&places[1]).0));
}

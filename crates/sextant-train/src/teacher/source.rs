//! One teacher: a model that is asked, or a file with answers.

use super::cache::{Cache, PairHash, hash_of};
use crate::TrainError;
use serde::Deserialize;
use sextant_core::{Entity, Grade, Pair, PairRef, Task};
use sextant_infer::{EnsembleManifest, Scorer};
use sextant_kernels::ScorePrecision;
use sextant_model::Device;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// How far the probabilities of a row in a file may be from summing to 1.
const TOLERANCE: f32 = 1e-2;
/// How far they may be from it by the rounding of single numbers.
const ROUNDING: f32 = 1e-5;

/// What a teacher's file must be.
const KIND: &str = "a teacher's file is JSONL with task, left, right and probs, as `sextant score` writes it under a name that ends in .jsonl";

/// A teacher.
pub(super) enum Source {
    /// A bundle, an ensemble or a cascade, with the answers that are known of it.
    Model { scorer: Box<Scorer>, cache: Cache },
    /// The answers of a file.
    Answers(HashMap<PairHash, [f32; Grade::COUNT]>),
}

/// A row of a file with answers.
#[derive(Deserialize)]
struct Row {
    task: Task,
    left: Entity,
    right: Entity,
    probs: [f32; Grade::COUNT],
}

impl Source {
    /// Opens a teacher. A folder is a run, a bundle, an ensemble or that of a judge.
    pub(super) fn open(path: &Path, cache: &Path) -> Result<Self, TrainError> {
        let inner = path.join("bundle");
        let folder = if inner.join("bundle.json").exists() { inner } else { path.to_owned() };
        if folder.join("bundle.json").exists() || EnsembleManifest::is_at(&folder) {
            let scorer = Scorer::open(&folder, &Device::cpu(), ScorePrecision::F32)?;
            let cache = Cache::open(cache, scorer.manifest_sha256());
            return Ok(Self::Model { scorer: Box::new(scorer), cache });
        }
        let judged = folder.join("rows.jsonl");
        let file = if judged.exists() { judged } else { folder };
        Self::read(file).map(Self::Answers)
    }

    fn read(path: PathBuf) -> Result<HashMap<PairHash, [f32; Grade::COUNT]>, TrainError> {
        let refused = |problem: String| {
            TrainError::Plan(vec![format!("teacher.sources: {}: {problem}", path.display())])
        };
        if path.is_dir() {
            return Err(refused(
                "is a folder, but neither a run, a bundle, an ensemble nor that of a judge".into(),
            ));
        }
        let file = std::fs::File::open(&path).map_err(|error| refused(error.to_string()))?;
        let mut answers = HashMap::new();
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let at = |problem: String| refused(format!("line {}: {problem}", number + 1));
            let line = line.map_err(|error| at(format!("{error}; {KIND}")))?;
            if line.trim().is_empty() {
                continue;
            }
            let row: Row =
                serde_json::from_str(&line).map_err(|error| at(format!("{error}; {KIND}")))?;
            let sum: f32 = row.probs.iter().sum();
            if !row.probs.iter().all(|p| *p >= 0.0) || (sum - 1.0).abs() > TOLERANCE {
                return Err(at(format!(
                    "`probs` {:?} are not probabilities that sum to 1",
                    row.probs
                )));
            }
            let pair = Pair { task: row.task, left: row.left, right: row.right };
            // Probabilities that a model wrote are taken bit for bit.
            let scale = if (sum - 1.0).abs() > ROUNDING { sum } else { 1.0 };
            let probs = row.probs.map(|p| p / scale);
            if answers.insert(hash_of(&pair), probs).is_some_and(|before| before != probs) {
                return Err(at(
                    "the pair has other `probs` in a line before; keep one of them".into()
                ));
            }
        }
        Ok(answers)
    }

    /// The probabilities of pairs, as far as this teacher answers them.
    pub(super) fn answers(
        &mut self,
        pairs: &[Pair],
    ) -> Result<Vec<Option<[f32; Grade::COUNT]>>, TrainError> {
        let hashes: Vec<PairHash> = pairs.iter().map(hash_of).collect();
        let (scorer, cache) = match self {
            Self::Answers(known) => {
                return Ok(hashes.iter().map(|hash| known.get(hash).copied()).collect());
            }
            Self::Model { scorer, cache } => (scorer, cache),
        };
        let tasks = scorer.tasks();
        let mut answers: Vec<_> = hashes.iter().map(|hash| cache.get(hash)).collect();
        let unknown: Vec<usize> = (0..pairs.len())
            .filter(|&row| answers[row].is_none() && tasks.contains(&pairs[row].task))
            .collect();
        let asked: Vec<PairRef<'_>> = unknown.iter().map(|&row| (&pairs[row]).into()).collect();
        let encoded = scorer.encode_each(&asked);
        // A pair without a token for this teacher has no answer from it.
        let (rows, encoded): (Vec<usize>, Vec<_>) =
            unknown.into_iter().zip(encoded).filter_map(|(row, e)| Some((row, e.ok()?))).unzip();
        let found = scorer.answer(&encoded, |_| ControlFlow::Continue(()))?;
        for (row, answer) in rows.into_iter().zip(found) {
            let probs = answer
                .map_err(|fault| {
                    let pair = &pairs[row];
                    TrainError::Plan(vec![format!(
                        "teacher.sources: the answer to {pair}: {fault}"
                    )])
                })?
                .probs;
            cache.put(hashes[row], probs);
            answers[row] = Some(probs);
        }
        Ok(answers)
    }

    /// Keeps the answers of a model for other runs.
    pub(super) fn save(&mut self) -> Result<(), TrainError> {
        match self {
            Self::Model { cache, .. } => cache.save(),
            Self::Answers(_) => Ok(()),
        }
    }
}

//! Runs a grid: finished runs are kept, runs that were killed go on, missing runs are trained.

mod claim;
mod estimate;
mod finish;
mod flops;
mod kept;
mod predictions;
mod queue;
mod watch;

pub use flops::training_flops;
pub use predictions::Predictions;
use predictions::file_name;
pub use watch::{LabEvent, Watcher};

use crate::LabError;
use crate::cell::{Cell, Resolve, Role};
use crate::grid::Grid;
use crate::ledger::{Ledger, LedgerEntry};
use crate::share::Share;
use sextant_core::Split;
use sextant_data::{DataError, Dataset};
use sextant_files::{Existing, OwnFiles, hexadecimal, sha256};
use sextant_kernels::ScorePrecision;
use sextant_train::{Encoded, ExampleSource, LoadedDataset, Plan, Recipe, RunFolder, Summary};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The name of the file in a lab's folder that keeps the grid's recipe.
const RECIPE: &str = "lab.toml";

/// A grid with the folder of its runs.
#[derive(Debug)]
pub struct Lab {
    /// The grid, with steps settled.
    pub grid: Grid,
    /// The rows of the grid's data set.
    pub data: LoadedDataset,
    /// SHA-256 of the data set's files.
    pub data_sha256: String,
    /// The finished runs.
    pub ledger: Ledger,
    folder: PathBuf,
    resolve: Resolve,
    share: Share,
}

/// How far the run of a cell has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Trained and evaluated.
    Finished,
    /// Trained, but its predictions or its entry in the ledger are missing.
    Trained,
    /// Not trained to the end; there is a checkpoint to go on from.
    Begun,
    /// Not begun.
    Waiting,
}

impl RunState {
    /// The state's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Trained => "trained",
            Self::Begun => "begun",
            Self::Waiting => "waiting",
        }
    }
}

/// Why [`Lab::run`] returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every run is finished.
    Complete,
    /// The next run does not fit the time that is left.
    OutOfTime,
    /// The watcher asked to stop. Called again, [`Lab::run`] goes on where it was.
    Interrupted {
        /// The name of the run that was being trained, and the step that its checkpoint holds; `None` if
        /// no run was being trained.
        within: Option<(String, u64)>,
    },
}

impl Lab {
    /// Reads the data and the ledger. The folder keeps the recipe, so that reports need no other.
    ///
    /// # Errors
    /// Data that cannot be read, or a folder that belongs to a grid of another name.
    pub fn open(mut grid: Grid, folder: &Path, resolve: Resolve) -> Result<Self, LabError> {
        let (path, options) =
            grid.data()?.ok_or_else(|| LabError::Recipe(vec!["there are no runs".into()]))?;
        let data_sha256 = data_hash(&path)?;
        let data = LoadedDataset::load(&path, &options)?;
        grid.settle_steps(&data.dataset.train);
        std::fs::create_dir_all(folder.join("runs")).map_err(LabError::io("create", folder))?;
        let place = folder.join(RECIPE);
        if let Ok(text) = std::fs::read_to_string(&place) {
            let there = crate::LabRecipe::parse(&text, &place.display().to_string(), &[])?;
            if there.name != grid.recipe.name {
                return Err(LabError::Unusable {
                    path: folder.to_owned(),
                    problem: format!(
                        "holds the grid `{}`; choose another folder for `{}` with `--out`",
                        there.name, grid.recipe.name
                    ),
                });
            }
        }
        let ledger = Ledger::open(folder)?;
        Ok(Self {
            grid,
            data,
            data_sha256,
            ledger,
            folder: folder.to_owned(),
            resolve,
            share: Share::ALL,
        })
    }

    /// The same lab, of which [`Lab::run`] does only a part: for schedulers that start many processes with a
    /// number each. All of them may use one folder.
    #[must_use]
    pub fn with_share(self, share: Share) -> Self {
        Self { share, ..self }
    }

    /// Writes the recipe into the folder, for `lab status` and `lab report`, unless a recipe that says
    /// the same is there already: it may be one that the user wrote.
    fn keep_recipe(&self, existing: Existing) -> Result<(), LabError> {
        let place = self.folder.join(RECIPE);
        // Processes that start at the same time write the recipe one after the other.
        let _lock = self.ledger.lock()?;
        let there = crate::LabRecipe::read(&place, &[]);
        if there.is_ok_and(|there| there == self.grid.recipe) {
            return Ok(());
        }
        let text = toml::to_string(&self.grid.recipe)
            .map_err(|error| LabError::Recipe(vec![error.to_string()]))?;
        let mut file = OwnFiles::of(&self.folder)?.create(RECIPE, existing)?;
        file.write_all(text.as_bytes()).map_err(|error| DataError::write(&place, error))?;
        Ok(file.commit()?)
    }

    /// The lab's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a run.
    pub fn run_folder(&self, name: &str) -> RunFolder {
        RunFolder(self.folder.join("runs").join(name))
    }

    /// The ledger's entry of a cell, if the entry is of exactly this recipe and this data.
    pub fn entry(&self, cell: &Cell) -> Option<&LedgerEntry> {
        self.ledger.get(cell.name()).filter(|entry| {
            entry.recipe_sha256 == self.recipe_hash(cell) && entry.data_sha256 == self.data_sha256
        })
    }

    /// The hash of what a run is of: its recipe, and the precision of its answers unless that is `f32`.
    fn recipe_hash(&self, cell: &Cell) -> String {
        let recipe = recipe_hash(&cell.recipe);
        match self.grid.recipe.score_precision {
            ScorePrecision::F32 => recipe,
            precision => hexadecimal(&Sha256::digest(format!("{recipe} {precision}"))),
        }
    }

    /// How far a cell's run has come. A run of another recipe or other rows in its folder is an error,
    /// since it would have to be overwritten.
    pub fn state(&self, cell: &Cell) -> Result<RunState, LabError> {
        self.state_from(cell, &self.data)
    }

    /// How far a cell's run has come, with rows from a source that may stop.
    fn state_from(&self, cell: &Cell, source: &dyn ExampleSource) -> Result<RunState, LabError> {
        let folder = self.run_folder(cell.name());
        let path = folder.summary();
        let summary = match std::fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str::<Summary>(&text).map_err(|error| LabError::Unusable {
                    path: path.clone(),
                    problem: format!("is not a run's summary: {error}"),
                })?
            }
            Err(_) if folder.checkpoint().exists() => return Ok(RunState::Begun),
            Err(_) => return Ok(RunState::Waiting),
        };
        let known = self.entry(cell).filter(|entry| entry.fingerprint == summary.fingerprint);
        if known.is_none() {
            let plan = Plan::new(cell.recipe.clone(), self.resolve)?;
            let fingerprint = Encoded::new(plan, source)?.fingerprint();
            if summary.fingerprint != fingerprint {
                return Err(LabError::Unusable {
                    path: folder.0,
                    problem: "holds a run of another recipe or of other data; move it away, or choose another folder with `--out`".into(),
                });
            }
            return Ok(RunState::Trained);
        }
        let splits = predicted(cell);
        let kept = splits.iter().all(|&split| folder.0.join(file_name(split)).exists());
        Ok(if kept { RunState::Finished } else { RunState::Trained })
    }
}

/// The splits that a finished run answers. Trials of a search answer none: the dev value of their training decides,
/// and nobody should look at the test rows before.
fn predicted(cell: &Cell) -> &'static [Split] {
    match cell.role {
        Role::Trial { .. } => &[],
        _ => &[Split::Dev, Split::Test],
    }
}

/// SHA-256 of a recipe as JSON.
pub fn recipe_hash(recipe: &Recipe) -> String {
    hexadecimal(&Sha256::digest(recipe.identity()))
}

/// SHA-256 over the hashes of a data set's files, in the order of splits.
fn data_hash(path: &Path) -> Result<String, LabError> {
    let mut hasher = Sha256::new();
    for (_, file) in Dataset::files(path)? {
        hasher.update(sha256(&file)?);
    }
    Ok(hexadecimal(&hasher.finalize()))
}

/// The program's version, and its commit where the build knew it.
pub fn code_version() -> String {
    match option_env!("SEXTANT_COMMIT") {
        Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
        None => env!("CARGO_PKG_VERSION").to_owned(),
    }
}

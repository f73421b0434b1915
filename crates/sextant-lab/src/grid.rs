//! From a lab recipe to runs: every combination of the axes, each an ordinary checked recipe, in the
//! order of usefulness.

use crate::cell::{Cell, Resolve, Role};
use crate::recipe::{BackboneAxis, LabRecipe, Variant};
use crate::{LabError, search};
use sextant_core::{Example, Task};
use sextant_data::ReadOptions;
use sextant_model::Routing;
use sextant_train::{Sampler, candidates, steps, train_positions};
use std::collections::BTreeSet;

/// The routing of a single-task model: a shared head and no prefix, since there are no tasks to tell
/// apart.
const ALONE: Routing = Routing { prefix: false, ..Routing::TEXT_PREFIX };

/// A lab recipe that was checked, with its runs.
#[derive(Debug, Clone)]
pub struct Grid {
    /// The recipe of the grid.
    pub recipe: LabRecipe,
    /// The runs, most useful first: the first seed of every routing, then its baselines, then
    /// further seeds, then variants, models of equal steps and learning curves. Trials of the
    /// search are not among them: which ones run depends on results.
    pub cells: Vec<Cell>,
}

impl Grid {
    /// Lays out and checks every run.
    ///
    /// # Errors
    /// [`LabError::Recipe`] with every mistake of every run.
    pub fn new(recipe: LabRecipe, resolve: Resolve) -> Result<Self, LabError> {
        let mut layout = Layout { recipe: &recipe, cells: Vec::new(), mistakes: Vec::new() };
        layout.axes();
        layout.all();
        let Layout { cells, mut mistakes, .. } = layout;
        let mut names = BTreeSet::new();
        for cell in &cells {
            if !names.insert(cell.name()) {
                mistakes.push(format!("two runs are called `{}`; give one a label", cell.name()));
            }
            mistakes.extend(cell.mistake(resolve));
        }
        if let Some(first) = cells.first()
            && let Some(other) = cells.iter().find(|cell| {
                let [a, b] = [first, *cell].map(|cell| &cell.recipe.data);
                (&a.path, a.encoding, a.task) != (&b.path, b.encoding, b.task)
            })
        {
            mistakes.push(format!(
                "{}: data.path, encoding and task must be the same for all runs",
                other.name()
            ));
        }
        if let Some(reference) = &recipe.report.reference
            && !cells.iter().any(|cell| cell.label() == *reference)
        {
            mistakes.push(format!("report.reference = `{reference}`: no run has this label"));
        }
        for label in recipe.ensembles.mixed.iter().flatten() {
            if !cells.iter().any(|cell| cell.label() == *label) {
                mistakes.push(format!("ensembles.mixed: no run has the label `{label}`"));
            }
        }
        if mistakes.is_empty() {
            mistakes = search::mistakes(&recipe, resolve);
        }
        if mistakes.is_empty() {
            Ok(Self { recipe, cells })
        } else {
            Err(LabError::Recipe(mistakes))
        }
    }

    /// The same grid with only those runs that show which tasks help which, as `[affinity]` of the recipe states them.
    #[must_use]
    pub fn of_affinity(mut self) -> Self {
        let measured: BTreeSet<(String, u64)> = self
            .cells
            .iter()
            .filter(|cell| cell.role == Role::Gradients)
            .map(|cell| (cell.backbone.clone(), cell.recipe.seed))
            .collect();
        self.cells.retain(|cell| match cell.role {
            Role::Gradients | Role::Pair { .. } => true,
            Role::Single { .. } => measured.contains(&(cell.backbone.clone(), cell.recipe.seed)),
            _ => false,
        });
        self
    }

    /// Where the rows are and how to read them: the same for all runs, those of a search among them. `None` if there
    /// are no runs.
    ///
    /// # Errors
    /// A search of keys that are no keys of a training recipe.
    pub fn data(&self) -> Result<Option<(std::path::PathBuf, ReadOptions)>, LabError> {
        let search = search::Search::new(&self.recipe)?;
        let cells = self.cells.iter().chain(search.iter().flat_map(search::Search::cells));
        let mut data = cells.map(|cell| &cell.recipe.data);
        Ok(data.next().map(|data| (data.path.clone(), data.read_options())))
    }

    /// The tasks of the multi-task models.
    pub fn tasks(&self) -> Vec<Task> {
        // The first run is that of a multi-task model, unless only some of the runs are left.
        let has = |task: &Task| self.cells.iter().any(|cell| cell.recipe.tasks.contains(task));
        Task::ALL.into_iter().filter(has).collect()
    }

    /// Sets the number of steps of each equal-steps model to that of the multi-task model of the same
    /// seed on these training examples.
    pub fn settle_steps(&mut self, train: &[Example]) {
        let tasks = self.tasks();
        for cell in &mut self.cells {
            if !matches!(cell.role, Role::EqualSteps { .. }) {
                continue;
            }
            let recipe = &mut cell.recipe;
            let of = candidates(train, recipe);
            let chosen = train_positions(&of, recipe, &tasks);
            let rows: Vec<Task> = chosen.into_iter().filter_map(|row| of[row]).collect();
            let batch = &recipe.batch;
            let sampler =
                Sampler::new(&rows, batch.rows, batch.sampling, batch.mixing, recipe.seed);
            recipe.schedule.steps = Some(steps(recipe, sampler.batches_per_epoch() as f64));
        }
    }
}

/// The cells laid out so far, and the mistakes found on the way.
struct Layout<'a> {
    recipe: &'a LabRecipe,
    cells: Vec<Cell>,
    mistakes: Vec<String>,
}

impl Layout<'_> {
    /// Seeds that choose among the seeds of the grid must be some of them, or their runs would be left out in silence.
    fn named_seeds(&mut self) {
        let grid = &self.recipe.grid;
        let known: BTreeSet<u64> =
            grid.backbones.iter().flat_map(|axis| self.seeds(axis)).copied().collect();
        let variants = grid.variants.iter();
        let named = variants
            .map(|variant| (format!("grid.variants, `{}`: `seeds`", variant.label), &variant.seeds))
            .chain([("grid.single_task_steps_seeds".to_owned(), &grid.single_task_steps_seeds)]);
        for (place, seeds) in named {
            for seed in seeds.iter().flatten().filter(|seed| !known.contains(seed)) {
                self.mistakes.push(format!("{place} names {seed}, which is no seed of the grid"));
            }
        }
        let steps = grid.backbones.iter().map(|axis| axis.single_task_steps);
        if grid.single_task_steps_seeds.is_some()
            && steps.chain([grid.single_task_steps]).all(|steps| steps.is_none())
        {
            self.mistakes.push(
                "grid.single_task_steps_seeds is for models of `single_task_steps`, which is not stated".into(),
            );
        }
    }

    /// Checks the axes themselves.
    fn axes(&mut self) {
        let grid = &self.recipe.grid;
        // A lab may consist of a search, of variants or of an affinity alone, which state their routings themselves.
        let elsewhere = !grid.variants.is_empty()
            || self.recipe.affinity.as_ref().is_some_and(|affinity| affinity.routing.is_some())
            || self.recipe.search.as_ref().is_some_and(|search| search.routing.is_some())
            || grid
                .backbones
                .iter()
                .any(|axis| axis.routings.as_ref().is_some_and(|r| !r.is_empty()));
        for (key, empty) in [
            ("grid.backbones", grid.backbones.is_empty()),
            ("grid.routings", grid.routings.is_empty() && !elsewhere),
            ("grid.seeds", grid.seeds.is_empty()),
        ] {
            if empty {
                self.mistakes.push(format!("{key} is empty; name at least one"));
            }
        }
        let labels: BTreeSet<String> = grid.backbones.iter().map(BackboneAxis::label).collect();
        let curves = self.recipe.learning_curves.iter();
        let curves = curves.map(|c| ("learning_curves".to_owned(), c.backbones.as_ref()));
        let affinity = self.recipe.affinity.iter();
        let affinity = affinity.map(|a| ("affinity".to_owned(), a.backbones.as_ref()));
        let curves = curves.chain(affinity);
        let variants = grid.variants.iter();
        let variants =
            variants.map(|v| (format!("grid.variants, `{}`", v.label), v.backbones.as_ref()));
        for (place, named) in curves.chain(variants) {
            let Some(named) = named else { continue };
            if named.is_empty() {
                self.mistakes
                    .push(format!("{place}: `backbones` is empty; name one, or leave it out"));
            }
            for label in named.iter().filter(|&label| !labels.contains(label)) {
                self.mistakes.push(format!(
                    "{place}: `backbones` names `{label}`, but no backbone has this label"
                ));
            }
        }
        self.named_seeds();
        if let Some(curves) = &self.recipe.learning_curves {
            for &share in &curves.shares {
                if !(share > 0.0 && share <= 1.0) {
                    self.mistakes.push(format!("learning_curves.shares: {share} is not in (0, 1]"));
                }
            }
        }
        let report = &self.recipe.report;
        if report.replicates.min(report.test_replicates) < 2
            || !(report.alpha > 0.0 && report.alpha < 1.0)
        {
            self.mistakes.push(
                "report: `replicates` and `test_replicates` must be 2 or more, `alpha` in (0, 1)"
                    .into(),
            );
        }
        if !(0.0..1.0).contains(&report.margin) {
            self.mistakes.push(format!(
                "report.margin: {} is not in [0, 1); 0.01 is one percentage point",
                report.margin
            ));
        }
    }

    fn all(&mut self) {
        let grid = &self.recipe.grid;
        let most = grid.backbones.iter().map(|axis| self.seeds(axis).len()).max().unwrap_or(0);
        for turn in 0..most {
            for axis in &grid.backbones {
                let Some(&seed) = self.seeds(axis).get(turn) else { continue };
                for routing in axis.routings.as_ref().unwrap_or(&grid.routings) {
                    self.add(axis, &routing.label(), *routing, seed, Role::Routing, &[]);
                }
            }
            if grid.single_task {
                self.singles(turn, false);
            }
        }
        for turn in 0..most {
            for axis in &grid.backbones {
                let Some(&seed) = self.seeds(axis).get(turn) else { continue };
                let wanted = |variant: &&Variant| {
                    axis.is_named_in(variant.backbones.as_deref())
                        && variant.seeds.as_ref().is_none_or(|seeds| seeds.contains(&seed))
                };
                for variant in grid.variants.iter().filter(wanted) {
                    let set = [&variant.set];
                    self.add(axis, &variant.label, variant.routing, seed, Role::Variant, &set);
                }
            }
            self.singles(turn, true);
        }
        self.curves();
        self.affinity();
    }

    fn seeds<'s>(&'s self, axis: &'s BackboneAxis) -> &'s [u64] {
        axis.seeds.as_ref().unwrap_or(&self.recipe.grid.seeds)
    }

    fn base_tasks(&self) -> Vec<Task> {
        let stated = self.recipe.base.get("tasks").cloned();
        stated.and_then(|tasks| tasks.try_into().ok()).unwrap_or_else(|| Task::ALL.to_vec())
    }

    fn singles(&mut self, turn: usize, equal_steps: bool) {
        let grid = &self.recipe.grid;
        for axis in &grid.backbones {
            let Some(&seed) = self.seeds(axis).get(turn) else { continue };
            let all_steps = axis.single_task_steps.or(grid.single_task_steps).is_some()
                && grid.single_task_steps_seeds.as_ref().is_none_or(|seeds| seeds.contains(&seed));
            if equal_steps && !all_steps {
                continue;
            }
            for task in self.base_tasks() {
                let (label, role) = if equal_steps {
                    (format!("single-equal-steps-{task}"), Role::EqualSteps { task })
                } else {
                    (format!("single-{task}"), Role::Single { task })
                };
                self.add(axis, &label, ALONE, seed, role, &[&only(&[task])]);
            }
        }
    }

    fn curves(&mut self) {
        let grid = &self.recipe.grid;
        let Some(curves) = &self.recipe.learning_curves else { return };
        let Some(routing) = curves.routing.or_else(|| grid.routings.first().copied()) else {
            return;
        };
        let first = grid.seeds.first().copied().into_iter().collect();
        for &seed in curves.seeds.as_ref().unwrap_or(&first) {
            let wanted = |axis: &&BackboneAxis| axis.is_named_in(curves.backbones.as_deref());
            for axis in grid.backbones.iter().filter(wanted) {
                for &task in &curves.tasks {
                    for &share in curves.shares.iter().filter(|&&share| share < 1.0) {
                        let percent = share * 100.0;
                        let mut keep = toml::Table::new();
                        keep.insert(task.to_string(), share.into());
                        let mut data = toml::Table::new();
                        data.insert("task_shares".into(), keep.into());
                        let mut set = toml::Table::new();
                        set.insert("data".into(), data.into());
                        let label = format!("{}-{task}-{percent}pct", routing.label());
                        let role = Role::Curve { task, share, single: false };
                        self.add(axis, &label, routing, seed, role, &[&set]);
                        let label = format!("single-{task}-{percent}pct");
                        let role = Role::Curve { task, share, single: true };
                        self.add(axis, &label, ALONE, seed, role, &[&set, &only(&[task])]);
                    }
                }
            }
        }
    }

    /// The runs that show which tasks help which: each task alone, unless the grid has these runs already, all tasks
    /// together, and each pair of tasks.
    fn affinity(&mut self) {
        let grid = &self.recipe.grid;
        let Some(affinity) = &self.recipe.affinity else { return };
        let Some(routing) = affinity.routing.or_else(|| grid.routings.first().copied()) else {
            return;
        };
        let tasks = self.base_tasks();
        if tasks.len() < 2 {
            self.mistakes.push("affinity: there are no two tasks to compare".into());
        }
        let mut look = toml::Table::new();
        let every = i64::try_from(affinity.every).unwrap_or(i64::MAX);
        look.insert("every".into(), every.into());
        let mut looking = toml::Table::new();
        looking.insert("affinity".into(), look.into());
        let wanted = |axis: &&BackboneAxis| axis.is_named_in(affinity.backbones.as_deref());
        for axis in grid.backbones.iter().filter(wanted) {
            let seeds = affinity.seeds.clone().unwrap_or_else(|| self.seeds(axis).to_vec());
            for seed in seeds {
                for &task in &tasks {
                    if !(grid.single_task && self.seeds(axis).contains(&seed)) {
                        let (label, role) = (format!("single-{task}"), Role::Single { task });
                        self.add(axis, &label, ALONE, seed, role, &[&only(&[task])]);
                    }
                }
                let label = format!("{}-gradients", routing.label());
                self.add(axis, &label, routing, seed, Role::Gradients, &[&looking]);
                for (place, &one) in tasks.iter().enumerate() {
                    for &other in &tasks[place + 1..] {
                        let role = Role::Pair { tasks: [one, other] };
                        let label = format!("pair-{one}+{other}");
                        self.add(axis, &label, routing, seed, role, &[&only(&[one, other])]);
                    }
                }
            }
        }
    }

    fn add(
        &mut self,
        axis: &BackboneAxis,
        label: &str,
        routing: Routing,
        seed: u64,
        role: Role,
        set: &[&toml::Table],
    ) {
        match Cell::new(self.recipe, axis, label, routing, seed, role, set) {
            Ok(cell) => self.cells.push(cell),
            Err(mistake) => self.mistakes.push(mistake),
        }
    }
}

/// The keys of the training recipe that restrict a model to some tasks.
fn only(tasks: &[Task]) -> toml::Table {
    let mut set = toml::Table::new();
    let tasks = tasks.iter().map(|task| task.to_string().into()).collect();
    set.insert("tasks".into(), toml::Value::Array(tasks));
    set
}

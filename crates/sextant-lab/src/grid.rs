//! From a lab recipe to runs: every combination of the axes, each an ordinary checked recipe, in the
//! order of usefulness.

mod cell;
mod recipe;

pub(crate) use cell::file_safe;
pub use cell::{Cell, Role};
pub use recipe::{
    BackboneAxis, CurveRecipe, Draw, EnsembleRecipe, EqualSteps, GridRecipe, LabRecipe,
    ReportRecipe, Scheduler, SearchRecipe, Variant,
};

use crate::LabError;
use sextant_core::{Example, Task};
use sextant_data::ReadOptions;
use sextant_model::Routing;
use sextant_train::{Plan, Recipe, Sampler, steps, tasks_of, train_positions};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A backbone's name to its folder, as [`Plan::new`] wants it.
pub type Resolve = fn(&str) -> Result<PathBuf, String>;

/// The routing of a single-task model: it needs none.
const ALONE: Routing = Routing { prefix: false, ..Routing::TEXT_PREFIX };

/// A lab recipe that was checked, with its runs.
#[derive(Debug, Clone)]
pub struct Grid {
    /// What was asked for.
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
            if let Err(error) = Plan::new(cell.recipe.clone(), resolve) {
                mistakes.push(format!("{}: {error}", cell.name()));
            }
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
        let grid = Self { recipe, cells };
        if mistakes.is_empty() {
            mistakes = crate::search::mistakes(&grid, resolve);
        }
        if mistakes.is_empty() { Ok(grid) } else { Err(LabError::Recipe(mistakes)) }
    }

    /// Where the rows are and how to read them: the same for all runs.
    pub fn data(&self) -> Option<(&std::path::Path, ReadOptions)> {
        let data = &self.cells.first()?.recipe.data;
        Some((&data.path, data.read_options()))
    }

    /// The tasks of the multi-task models.
    pub fn tasks(&self) -> Vec<Task> {
        let tasks = self.cells.first().map(|cell| cell.recipe.tasks.clone());
        Task::ALL
            .into_iter()
            .filter(|task| tasks.as_ref().is_some_and(|t| t.contains(task)))
            .collect()
    }

    /// Gives models of equal steps the steps that the multi-task model of their seed runs on these
    /// training examples.
    pub fn settle_steps(&mut self, train: &[Example]) {
        let tasks = self.tasks();
        for cell in &mut self.cells {
            if !matches!(cell.role, Role::EqualSteps { .. }) {
                continue;
            }
            let recipe = &mut cell.recipe;
            let of = tasks_of(train);
            let rows: Vec<Task> =
                train_positions(&of, recipe, &tasks).into_iter().map(|row| of[row]).collect();
            let batch = &recipe.batch;
            let sampler =
                Sampler::new(&rows, batch.rows, batch.sampling, batch.mixing, recipe.seed);
            recipe.schedule.steps = Some(steps(recipe, sampler.batches_per_epoch() as f64));
        }
    }
}

/// Cells as they are laid out.
struct Layout<'a> {
    recipe: &'a LabRecipe,
    cells: Vec<Cell>,
    mistakes: Vec<String>,
}

impl Layout<'_> {
    /// Checks the axes themselves.
    fn axes(&mut self) {
        let grid = &self.recipe.grid;
        for (key, empty) in [
            ("grid.backbones", grid.backbones.is_empty()),
            ("grid.routings", grid.routings.is_empty()),
            ("grid.seeds", grid.seeds.is_empty()),
        ] {
            if empty {
                self.mistakes.push(format!("{key} is empty; name at least one"));
            }
        }
        let labels: BTreeSet<String> = grid.backbones.iter().map(BackboneAxis::label).collect();
        let curves = self.recipe.learning_curves.iter();
        let curves = curves.map(|c| ("learning_curves".to_owned(), c.backbones.as_ref()));
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
            if equal_steps && axis.single_task_steps.or(grid.single_task_steps).is_none() {
                continue;
            }
            for task in self.base_tasks() {
                let (label, role) = if equal_steps {
                    (format!("single-equal-steps-{task}"), Role::EqualSteps { task })
                } else {
                    (format!("single-{task}"), Role::Single { task })
                };
                self.add(axis, &label, ALONE, seed, role, &[&only(task)]);
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
                        self.add(axis, &label, ALONE, seed, role, &[&set, &only(task)]);
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
        match cell(self.recipe, axis, label, routing, seed, role, set) {
            Ok(cell) => self.cells.push(cell),
            Err(mistake) => self.mistakes.push(mistake),
        }
    }
}

/// Keys of a model of one task.
fn only(task: Task) -> toml::Table {
    let mut set = toml::Table::new();
    set.insert("tasks".into(), toml::Value::Array(vec![task.to_string().into()]));
    set
}

impl BackboneAxis {
    /// What names call it.
    pub(crate) fn label(&self) -> String {
        let plain = self.backbone.as_str().unwrap_or("scratch");
        self.label.clone().unwrap_or_else(|| plain.rsplit('/').next().unwrap_or(plain).to_owned())
    }

    /// Whether it is among these labels; without a list all are.
    pub(crate) fn is_named_in(&self, labels: Option<&[String]>) -> bool {
        labels.is_none_or(|labels| labels.contains(&self.label()))
    }
}

/// A run: the base recipe, changed by the backbone's keys, then by `set`.
pub(crate) fn cell(
    lab: &LabRecipe,
    axis: &BackboneAxis,
    label: &str,
    routing: Routing,
    seed: u64,
    role: Role,
    set: &[&toml::Table],
) -> Result<Cell, String> {
    let (backbone, label) = (file_safe(&axis.label()), file_safe(label));
    let name = match role {
        Role::Trial { .. } => label.clone(),
        _ => format!("{backbone}-{label}-s{seed}"),
    };
    let mut table = lab.base.clone();
    merge(&mut table, &axis.set);
    let seed_value =
        i64::try_from(seed).map_err(|_| format!("{name}: seed {seed} is too large"))?;
    table.insert("name".into(), name.clone().into());
    table.insert("seed".into(), seed_value.into());
    let routing = toml::Value::try_from(routing).map_err(|error| format!("{name}: {error}"))?;
    let model = table.entry("model").or_insert_with(|| toml::Table::new().into());
    let model = model.as_table_mut().ok_or_else(|| "base.model must be a table".to_owned())?;
    model.insert("backbone".into(), axis.backbone.clone());
    model.insert("routing".into(), routing);
    for keys in set {
        merge(&mut table, keys);
    }
    let recipe: Recipe =
        table.try_into().map_err(|error| format!("{name}: {}", error.to_string().trim()))?;
    Ok(Cell { backbone, routing: label, role, recipe })
}

/// Puts keys into a table: tables are merged, all else is replaced.
pub(crate) fn merge(table: &mut toml::Table, keys: &toml::Table) {
    for (key, value) in keys {
        match (table.get_mut(key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(keys)) => merge(inner, keys),
            _ => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
}

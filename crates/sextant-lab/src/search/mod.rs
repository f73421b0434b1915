//! Search for hyper-parameters: settings drawn at random (Bergstra & Bengio 2012), thinned by
//! successive halving (Jamieson & Talwalkar 2016) or by its asynchronous form (ASHA, Li et al. 2020).
//! The dev set decides; the test set plays no part.
//!
//! Each round trains its settings from the start with a schedule of its own length: a learning rate that
//! has decayed to 0 cannot be raised again. What runs next is a function of the finished trials and of
//! those that other processes work on, so that a search goes on from its ledger as if it had not been
//! stopped, and several processes share it.

mod schedule;

pub use schedule::Next;

use self::schedule::{Status, asha, halving, in_round};
use crate::cell::{Cell, Resolve, Role, merge};
use crate::recipe::{Draw, LabRecipe, Scheduler, SearchRecipe};
use crate::{LabError, LedgerEntry};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// A search over the keys of a grid's recipe.
#[derive(Debug, Clone)]
pub struct Search {
    recipe: SearchRecipe,
    /// `rounds[r][t]`: trial t in round r.
    rounds: Vec<Vec<Cell>>,
    settings: Vec<toml::Table>,
    higher_is_better: bool,
}

/// A trial, as reports show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialTrace {
    /// The number of its settings in the order of drawing, from 0.
    pub trial: usize,
    /// Its keys and values, as `--set` takes them.
    pub settings: Vec<String>,
    /// The dev value of each round that it reached.
    pub dev: Vec<f64>,
    /// Seconds of training, all rounds.
    pub seconds: f64,
    /// Whether the search chose this trial.
    pub best: bool,
}

impl Search {
    /// The search that a recipe asks for.
    ///
    /// # Errors
    /// Keys that are no keys of a training recipe.
    pub fn new(lab: &LabRecipe) -> Result<Option<Self>, LabError> {
        let Some(recipe) = lab.search.clone() else { return Ok(None) };
        let found =
            Self::lay_out(lab, recipe).map_err(|mistake| LabError::Recipe(vec![mistake]))?;
        Ok(Some(found))
    }

    fn lay_out(lab: &LabRecipe, recipe: SearchRecipe) -> Result<Self, String> {
        let axes = &lab.grid;
        let axis = match &recipe.backbone {
            None => axes.backbones.first(),
            Some(label) => axes.backbones.iter().find(|axis| axis.label() == *label),
        }
        .ok_or("search.backbone: no backbone of the grid has this label")?;
        let routing = recipe.routing.or_else(|| axes.routings.first().copied());
        let routing = routing.ok_or("search: the grid has no routing")?;
        let seed = axes.seeds.first().copied().unwrap_or(1);
        let settings: Vec<toml::Table> =
            (0..recipe.trials).map(|trial| draw(&recipe, trial)).collect::<Result<_, _>>()?;
        let eta = recipe.eta as f64;
        let mut rounds = Vec::new();
        for round in 0..recipe.rounds {
            let share = eta.powi(round as i32 - (recipe.rounds as i32 - 1));
            let mut cells = Vec::new();
            for (trial, settings) in settings.iter().enumerate() {
                let name = format!("search-{}-t{trial:02}-r{round}", axis.label());
                let role = Role::Trial { trial, round };
                let mut cell = Cell::new(lab, axis, &name, routing, seed, role, &[settings])?;
                let schedule = &mut cell.recipe.schedule;
                schedule.epochs *= share;
                schedule.steps =
                    schedule.steps.map(|steps| ((steps as f64 * share).ceil() as u64).max(1));
                cells.push(cell);
            }
            rounds.push(cells);
        }
        let higher_is_better = rounds
            .first()
            .and_then(|cells| cells.first())
            .is_none_or(|cell| cell.recipe.dev.metric.higher_is_better());
        Ok(Self { recipe, rounds, settings, higher_is_better })
    }

    /// How many runs a search makes in all. ASHA may make more, since settings that were among the best
    /// only until better ones were finished have gone on too.
    pub fn runs(recipe: &SearchRecipe) -> usize {
        (0..recipe.rounds).map(|round| in_round(recipe, round)).sum()
    }

    /// The next trial to run. `entry` gives the entries of finished trials; `held` says whether another
    /// process works on a trial.
    pub fn next<'a>(
        &self,
        entry: impl Fn(&Cell) -> Option<&'a LedgerEntry>,
        held: impl Fn(&Cell) -> bool,
    ) -> Next<&Cell> {
        let status = |round: usize, trial: usize| {
            let cell = &self.rounds[round][trial];
            match entry(cell) {
                Some(entry) => Status::Finished(self.value(Some(entry))),
                None if held(cell) => Status::Held,
                None => Status::Open,
            }
        };
        let next = match self.recipe.scheduler {
            Scheduler::Halving => halving(&self.recipe, status),
            Scheduler::Asha => asha(&self.recipe, status),
        };
        match next {
            Next::Run((round, trial)) => Next::Run(&self.rounds[round][trial]),
            Next::Wait => Next::Wait,
            Next::Over => Next::Over,
        }
    }

    /// Every trial of every round, whether it comes to run or not.
    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.rounds.iter().flatten()
    }

    /// Number of the search's runs that are finished.
    pub fn finished<'a>(&self, entry: impl Fn(&Cell) -> Option<&'a LedgerEntry>) -> usize {
        self.rounds.iter().flatten().filter(|cell| entry(cell).is_some()).count()
    }

    /// The trials that were run and their results, best first.
    pub fn trace<'a>(&self, entry: impl Fn(&Cell) -> Option<&'a LedgerEntry>) -> Vec<TrialTrace> {
        let mut trace: Vec<(Vec<f64>, TrialTrace)> = (0..self.recipe.trials)
            .map(|trial| {
                let entries: Vec<&LedgerEntry> =
                    self.rounds.iter().filter_map(|cells| entry(&cells[trial])).collect();
                let values: Vec<f64> =
                    entries.iter().map(|entry| self.value(Some(entry))).collect();
                let trace = TrialTrace {
                    trial,
                    settings: settings_of(&self.settings[trial], ""),
                    dev: entries.iter().filter_map(|entry| entry.dev).collect(),
                    seconds: entries.iter().map(|entry| entry.seconds).sum(),
                    best: false,
                };
                (values, trace)
            })
            .filter(|(values, _)| !values.is_empty())
            .collect();
        // A trial that reached a later round is better; within a round, the one with the better value
        // there.
        trace.sort_by(|(a, _), (b, _)| {
            let last = |values: &Vec<f64>| values.last().copied().unwrap_or(f64::NEG_INFINITY);
            b.len().cmp(&a.len()).then(last(b).total_cmp(&last(a)))
        });
        if let Some((_, first)) = trace.first_mut() {
            first.best = true;
        }
        trace.into_iter().map(|(_, trace)| trace).collect()
    }

    /// The dev value, negated where lower is better, so that larger is better; negative infinity for a
    /// run without one.
    fn value(&self, entry: Option<&LedgerEntry>) -> f64 {
        let value = entry.and_then(|entry| entry.dev);
        value.map_or(f64::NEG_INFINITY, |v| if self.higher_is_better { v } else { -v })
    }
}

/// The keys of a trial: a function of the search's seed and the trial's number.
fn draw(recipe: &SearchRecipe, trial: usize) -> Result<toml::Table, String> {
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    rng.set_stream(trial as u64);
    let mut table = toml::Table::new();
    for (key, from) in &recipe.keys {
        let bad = |what: &str| Err(format!("search.keys.\"{key}\": {what}"));
        let value = match from {
            Draw::LogUniform([low, high]) if *low > 0.0 && low < high => {
                rounded((low.ln() + rng.random::<f64>() * (high.ln() - low.ln())).exp()).into()
            }
            Draw::Uniform([low, high]) if low < high => {
                rounded(low + rng.random::<f64>() * (high - low)).into()
            }
            Draw::Choice(values) if !values.is_empty() => {
                values[rng.random_range(0..values.len())].clone()
            }
            Draw::LogUniform(_) => return bad("needs two positive numbers, the smaller first"),
            Draw::Uniform(_) => return bad("needs two numbers, the smaller first"),
            Draw::Choice(_) => return bad("has nothing to choose from"),
        };
        let nested = key.rsplit('.').fold(value, |value, part| {
            toml::Value::Table(toml::Table::from_iter([(part.to_owned(), value)]))
        });
        if let toml::Value::Table(keys) = nested {
            merge(&mut table, &keys);
        }
    }
    Ok(table)
}

/// Rounds to three significant digits, which are enough for a rate and easy to type again.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

/// `optimizer.learning_rate=0.0001`, for each leaf.
fn settings_of(table: &toml::Table, before: &str) -> Vec<String> {
    let leaf = |(key, value): (&String, &toml::Value)| match value {
        toml::Value::Table(inner) => settings_of(inner, &format!("{before}{key}.")),
        _ => vec![format!("{before}{key}={value}")],
    };
    table.iter().flat_map(leaf).collect()
}

/// Everything wrong with a recipe's search.
pub(crate) fn mistakes(lab: &LabRecipe, resolve: Resolve) -> Vec<String> {
    let Some(recipe) = &lab.search else { return Vec::new() };
    let mut mistakes = Vec::new();
    for (key, value, least) in
        [("trials", recipe.trials, 1), ("rounds", recipe.rounds, 1), ("eta", recipe.eta, 1)]
    {
        if value < least {
            mistakes.push(format!("search.{key} = {value}: must be at least {least}"));
        }
    }
    let needed = recipe.eta.checked_pow(recipe.rounds.saturating_sub(1) as u32);
    if recipe.scheduler == Scheduler::Asha && needed.is_none_or(|needed| recipe.trials < needed) {
        mistakes.push(format!(
            "search.trials = {}: ASHA with eta {} needs {} or more for one of them to reach round {}",
            recipe.trials,
            recipe.eta,
            needed.map_or_else(|| "a great many".to_owned(), |needed| needed.to_string()),
            recipe.rounds
        ));
    }
    if recipe.keys.is_empty() {
        mistakes.push("search.keys is empty; name at least one key to draw".into());
    }
    if !mistakes.is_empty() {
        return mistakes;
    }
    match Search::lay_out(lab, recipe.clone()) {
        Err(mistake) => vec![mistake],
        Ok(search) => search.cells().filter_map(|cell| cell.mistake(resolve)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(keys: &str) -> SearchRecipe {
        toml::from_str(&format!("trials = 200\neta = 3\nrounds = 3\nseed = 4\n[keys]\n{keys}"))
            .unwrap()
    }

    #[test]
    fn draws_are_in_range_spread_and_repeatable() {
        let recipe = recipe(
            "\"a.rate\" = { log_uniform = [1e-5, 1e-2] }\n\"a.decay\" = { uniform = [0.5, 1.0] }\n\"batch.rows\" = { choice = [16, 32] }",
        );
        let rates: Vec<f64> = (0..200)
            .map(|trial| draw(&recipe, trial).unwrap()["a"]["rate"].as_float().unwrap())
            .collect();
        assert!(rates.iter().all(|rate| (1e-5..=1e-2).contains(rate)));
        // On a logarithmic scale a third lies in each decade.
        let low = rates.iter().filter(|&&rate| rate < 1e-4).count();
        assert!((40..95).contains(&low), "{low}");
        assert_eq!(draw(&recipe, 7), draw(&recipe, 7));
        assert_ne!(draw(&recipe, 7), draw(&recipe, 8));
        let settings = settings_of(&draw(&recipe, 0).unwrap(), "");
        assert_eq!(settings.len(), 3);
        assert!(settings.iter().any(|s| s.starts_with("a.rate=")), "{settings:?}");
    }
}

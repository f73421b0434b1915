//! Behaviour labels: counts of what people did when they were shown a pair, learned besides its grade.

use crate::TrainError;
use serde::{Deserialize, Serialize};
use sextant_core::{Behaviour, Event, Grade, Task};
use sextant_model::EventRates;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[behaviour]`: counts of clicks, carts and purchases as weak labels beside grades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BehaviourRecipe {
    /// The share of a graded row's loss that its behaviour has if the pair was shown very often.
    pub share: f32,
    /// Other shares for some tasks.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub task_shares: BTreeMap<Task, f32>,
    /// The number of impressions with which behaviour counts half as much as it ever does: n impressions count
    /// `n / (n + confidence)`. 0 lets all rows count alike.
    pub confidence: f64,
    /// The least propensity; a smaller one is taken to be this. The smaller it is, the less bias and the more variance
    /// the rates have.
    pub least_propensity: f64,
    /// The weight of each event that is learned; all alike unless stated.
    pub events: BTreeMap<Event, f32>,
    /// For each event, its rate among looked-at impressions of irrelevant, partial and relevant pairs, for all tasks.
    /// Unless stated, rates are measured for each task on the training rows that have a grade and a behaviour.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<Event, [f64; Grade::COUNT]>,
    /// A file or data set of further pairs, with or without grades, for which only the behaviour counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<PathBuf>,
}

impl Default for BehaviourRecipe {
    fn default() -> Self {
        Self {
            share: 0.5,
            task_shares: BTreeMap::new(),
            confidence: 20.0,
            least_propensity: 0.05,
            events: Event::ALL.into_iter().map(|event| (event, 1.0)).collect(),
            rates: BTreeMap::new(),
            rows: None,
        }
    }
}

impl BehaviourRecipe {
    /// The weights of the events, in the order of [`Event::ALL`].
    pub(crate) fn weights(&self) -> [f32; Event::COUNT] {
        Event::ALL.map(|event| self.events.get(&event).copied().unwrap_or(0.0))
    }

    /// How much the behaviour of a pair counts that was shown so often, in [0, 1).
    pub(crate) fn strength(&self, impressions: f64) -> f32 {
        let share = impressions / (impressions + self.confidence);
        if share.is_nan() { 0.0 } else { share as f32 }
    }

    /// The share of the loss of a graded row of a task that behaviour has if the pair was shown very often.
    pub(crate) fn share(&self, task: Task) -> f32 {
        self.task_shares.get(&task).copied().unwrap_or(self.share)
    }

    /// What is learned of a row, and with which share; `None` if none of the events was counted.
    pub(crate) fn target(
        &self,
        behaviour: &Behaviour,
        share: impl FnOnce(f32) -> f32,
    ) -> Option<TargetOfBehaviour> {
        let wanted = |event: &Event| self.events.get(event).is_some_and(|&weight| weight > 0.0);
        let rate = |event: Event| {
            let rate = behaviour.rate(event, self.least_propensity);
            rate.filter(|_| wanted(&event)).map(|rate| rate as f32)
        };
        let rates = Event::ALL.map(rate);
        let share = share(self.strength(behaviour.impressions()));
        rates.iter().any(Option::is_some).then_some(TargetOfBehaviour { rates, share })
    }

    /// The mistakes in it, each with its key.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut require = |holds: bool, key: String, value: &dyn std::fmt::Debug, needed: &str| {
            if !holds {
                mistakes.push(format!("behaviour.{key} = {value:?}: must be {needed}"));
            }
        };
        let shares =
            self.task_shares.iter().map(|(task, share)| (format!("task_shares.{task}"), share));
        for (key, share) in shares.chain([("share".to_owned(), &self.share)]) {
            require((0.0..=1.0).contains(share), key, share, "in [0, 1]");
        }
        let confidence = self.confidence;
        let usable = confidence.is_finite() && confidence >= 0.0;
        require(usable, "confidence".into(), &confidence, "a number of 0 or more");
        let least = self.least_propensity;
        let usable = least > 0.0 && least <= 1.0;
        require(usable, "least_propensity".into(), &least, "above 0 and at most 1");
        for (event, weight) in &self.events {
            let usable = weight.is_finite() && *weight >= 0.0;
            require(usable, format!("events.{event}"), weight, "a number of 0 or more");
        }
        let any = self.events.values().any(|&weight| weight > 0.0);
        require(any, "events".into(), &self.events, "at least one event with a weight above 0");
        for (event, rates) in &self.rates {
            let usable = rates.iter().all(|&rate| rate > 0.0 && rate < 1.0);
            require(usable, format!("rates.{event}"), rates, "three numbers between 0 and 1");
        }
        mistakes
    }
}

/// What the behaviour of a row says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetOfBehaviour {
    /// The rate of each event among the impressions that were looked at.
    pub rates: [Option<f32>; Event::COUNT],
    /// The share of the row's loss that is the behaviour's, in [0, 1]; with 1, the row's grade does not count.
    pub share: f32,
}

/// The loss of behaviour in a step.
#[derive(Debug, Clone, PartialEq)]
pub struct BehaviourLoss {
    /// The weight of each event.
    pub events: [f32; Event::COUNT],
    /// The rates of events by grade, for each task.
    pub rates: Box<[EventRates; Task::COUNT]>,
}

/// Impressions that were looked at and the events that followed, by event and grade.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Seen([[(f64, f64); Grade::COUNT]; Event::COUNT]);

impl Seen {
    fn add(&mut self, behaviour: &Behaviour, grade: Grade, least: f64) {
        let looked_at = behaviour.impressions() * behaviour.propensity().unwrap_or(1.0).max(least);
        for event in Event::ALL {
            if let Some(count) = behaviour.count(event) {
                let (events, of) = &mut self.0[event.index()][grade.index()];
                *events += count;
                *of += looked_at;
            }
        }
    }

    /// The rate of an event for a grade. One event in two more impressions is added, so that no rate is 0 or 1.
    fn rate(&self, event: Event, grade: Grade) -> Option<f64> {
        let (events, of) = self.0[event.index()][grade.index()];
        (of > 0.0).then(|| ((events + 0.5) / (of + 1.0)).clamp(1e-5, 1.0 - 1e-5))
    }
}

impl BehaviourLoss {
    /// The loss of a recipe. Rates that it does not state are measured on `rows`, the graded rows with behaviour: those
    /// of a task on its own rows, and where a grade has none there, on those of all tasks.
    ///
    /// # Errors
    /// A rate is neither stated nor can be measured.
    pub(crate) fn new<'a>(
        recipe: &BehaviourRecipe,
        tasks: &[Task],
        rows: impl Iterator<Item = (Task, Grade, &'a Behaviour)>,
    ) -> Result<Self, TrainError> {
        let mut by_task = [Seen::default(); Task::COUNT];
        let mut all = Seen::default();
        for (task, grade, behaviour) in rows {
            by_task[task.index()].add(behaviour, grade, recipe.least_propensity);
            all.add(behaviour, grade, recipe.least_propensity);
        }
        let mut rates = Box::new([[[0.5; Grade::COUNT]; Event::COUNT]; Task::COUNT]);
        let mut mistakes = Vec::new();
        for (&event, _) in recipe.events.iter().filter(|(_, weight)| **weight > 0.0) {
            for grade in Grade::ALL {
                let stated = recipe.rates.get(&event).map(|rates| rates[grade.index()]);
                let mut missing = false;
                for task in tasks {
                    let own = || by_task[task.index()].rate(event, grade);
                    match stated.or_else(own).or_else(|| all.rate(event, grade)) {
                        Some(rate) => {
                            rates[task.index()][event.index()][grade.index()] = rate as f32;
                        }
                        None => missing = true,
                    }
                }
                // An event that no row counts needs no rates.
                let counted = all.0[event.index()].iter().any(|(_, of)| *of > 0.0);
                if missing && counted {
                    mistakes.push(format!(
                        "behaviour.rates.{event}: no training row of the grade `{grade}` has counts of it, so that its rate cannot be measured; state the rates of the three grades"
                    ));
                }
            }
        }
        let stated = |event: &Event| recipe.rates.contains_key(event);
        let known =
            |event: &Event| stated(event) || all.0[event.index()].iter().any(|(_, of)| *of > 0.0);
        let weights = recipe.weights();
        let events = Event::ALL.map(|e| if known(&e) { weights[e.index()] } else { 0.0 });
        if events.iter().all(|&weight| weight == 0.0) {
            mistakes.push("behaviour: no graded training row has `impressions` and counts of an event of `behaviour.events`, so that the rates of the grades cannot be measured; add these columns to the data, or state behaviour.rates".into());
        }
        if mistakes.is_empty() {
            Ok(Self { events, rates })
        } else {
            Err(TrainError::Plan(mistakes))
        }
    }

    /// The measured or stated rates of some tasks, as JSON.
    pub(crate) fn to_json(&self, tasks: &[Task]) -> serde_json::Value {
        let of_task = |task: &Task| {
            let counted = Event::ALL.into_iter().filter(|event| self.events[event.index()] > 0.0);
            let rates = counted.map(|event| {
                let rates = self.rates[task.index()][event.index()];
                (event.as_str(), rates.map(sextant_data::json_number))
            });
            (task.as_str(), rates.collect::<BTreeMap<_, _>>())
        };
        serde_json::json!(tasks.iter().map(of_task).collect::<BTreeMap<_, _>>())
    }
}

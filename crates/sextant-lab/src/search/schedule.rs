//! Which trial of a search runs next, given the finished trials and those that other processes work on.

use crate::recipe::SearchRecipe;

/// What a search does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<T> {
    /// This trial.
    Run(T),
    /// Nothing until other processes have finished theirs.
    Wait,
    /// Nothing: it is over.
    Over,
}

/// The status of a trial in a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Status {
    /// Finished with this value; larger is better.
    Finished(f64),
    /// Another process works on it.
    Held,
    /// Nobody has finished it, and nobody works on it.
    Open,
}

impl Status {
    fn value(self) -> f64 {
        if let Self::Finished(value) = self { value } else { f64::NEG_INFINITY }
    }

    fn is_finished(self) -> bool {
        matches!(self, Self::Finished(_))
    }
}

/// The next round and trial by rounds: no round begins before the one below it is finished.
pub(super) fn halving(
    recipe: &SearchRecipe,
    status: impl Fn(usize, usize) -> Status,
) -> Next<(usize, usize)> {
    let mut trials: Vec<usize> = (0..recipe.trials).collect();
    for round in 0..recipe.rounds {
        if let Some(&trial) = trials.iter().find(|&&trial| status(round, trial) == Status::Open) {
            return Next::Run((round, trial));
        }
        if !trials.iter().all(|&trial| status(round, trial).is_finished()) {
            return Next::Wait;
        }
        trials = best(trials, in_round(recipe, round + 1), |trial| status(round, trial).value());
    }
    Next::Over
}

/// The next round and trial by ASHA (algorithm 2 of the paper): from the highest round down, a trial that
/// is among the best of those finished there and has not gone on; else a new one.
pub(super) fn asha(
    recipe: &SearchRecipe,
    status: impl Fn(usize, usize) -> Status,
) -> Next<(usize, usize)> {
    for round in (0..recipe.rounds.saturating_sub(1)).rev() {
        let finished: Vec<usize> =
            (0..recipe.trials).filter(|&trial| status(round, trial).is_finished()).collect();
        let count = finished.len() / recipe.eta.max(1);
        let next = best(finished, count, |trial| status(round, trial).value());
        let next = next.into_iter().find(|&trial| status(round + 1, trial) == Status::Open);
        if let Some(trial) = next {
            return Next::Run((round + 1, trial));
        }
    }
    let new = (0..recipe.trials).find(|&trial| status(0, trial) == Status::Open);
    if let Some(trial) = new {
        return Next::Run((0, trial));
    }
    // A trial that another process finishes may let further trials go on.
    let is_held = |round| (0..recipe.trials).any(|trial| status(round, trial) == Status::Held);
    if (0..recipe.rounds).any(is_held) { Next::Wait } else { Next::Over }
}

/// How many settings run in a round.
pub(super) fn in_round(recipe: &SearchRecipe, round: usize) -> usize {
    let thinned = recipe.eta.checked_pow(round as u32).map_or(0, |part| recipe.trials / part);
    thinned.max(1)
}

/// The best `count` of some trials; ties go to the setting drawn first.
fn best(mut trials: Vec<usize>, count: usize, value: impl Fn(usize) -> f64) -> Vec<usize> {
    trials.sort_by(|&a, &b| value(b).total_cmp(&value(a)).then(a.cmp(&b)));
    trials.truncate(count);
    trials
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Scheduler;
    use crate::search::Search;

    fn recipe() -> SearchRecipe {
        toml::from_str("trials = 200\neta = 3\nrounds = 3\nkeys = { a = { choice = [1] } }")
            .unwrap()
    }

    /// The trials that `processes` processes begin, in order, when a setting's value is the same in
    /// every round. Each process takes a trial while it can, and then the trial that began first is
    /// finished.
    fn order(
        scheduler: Scheduler,
        eta: usize,
        values: &[f64],
        processes: usize,
    ) -> Vec<(usize, usize)> {
        let trials = values.len();
        let recipe = SearchRecipe { scheduler, trials, eta, rounds: 3, ..recipe() };
        let (mut begun, mut finished) = (Vec::new(), 0);
        loop {
            let done: &[(usize, usize)] = &begun[..finished];
            let status = |round, trial| match (round, trial) {
                at if done.contains(&at) => Status::Finished(values[trial]),
                at if begun.contains(&at) => Status::Held,
                _ => Status::Open,
            };
            let next = match scheduler {
                Scheduler::Halving => halving(&recipe, status),
                Scheduler::Asha => asha(&recipe, status),
            };
            match next {
                Next::Run(next) if begun.len() - finished < processes => {
                    assert!(!begun.contains(&next), "{next:?} runs twice");
                    begun.push(next);
                }
                Next::Run(_) => finished += 1,
                Next::Wait => {
                    assert!(finished < begun.len(), "it waits for nobody");
                    finished += 1;
                }
                Next::Over => {
                    assert_eq!(finished, begun.len(), "it is over before all are finished");
                    return begun;
                }
            }
        }
    }

    #[test]
    fn schedulers_run_what_was_worked_out_by_hand() {
        let values = [0.1, 0.4, 0.3, 0.2];
        // (round, trial)
        assert_eq!(
            order(Scheduler::Halving, 2, &values, 1),
            [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1)]
        );
        assert_eq!(
            order(Scheduler::Asha, 2, &values, 1),
            [(0, 0), (0, 1), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1)]
        );
        // Better settings that come late go on too, past one that went on too early.
        assert_eq!(
            order(Scheduler::Asha, 2, &[0.2, 0.1, 0.3, 0.4], 1),
            [(0, 0), (0, 1), (1, 0), (0, 2), (1, 2), (2, 2), (0, 3), (1, 3), (2, 3)]
        );
    }

    /// No trial is run twice (`order` checks that), and successive halving runs the same trials whatever
    /// the number of processes.
    #[test]
    fn processes_share_a_search() {
        let values = [0.1, 0.4, 0.3, 0.2, 0.6, 0.5, 0.8, 0.7];
        for scheduler in [Scheduler::Halving, Scheduler::Asha] {
            let mut alone = order(scheduler, 2, &values, 1);
            alone.sort_unstable();
            for processes in 2..=5 {
                let mut shared = order(scheduler, 2, &values, processes);
                shared.sort_unstable();
                match scheduler {
                    Scheduler::Halving => assert_eq!(shared, alone, "{processes}"),
                    // Which settings go on early depends on who is finished when; the best always does.
                    Scheduler::Asha => assert!(shared.contains(&(2, 6)), "{processes}: {shared:?}"),
                }
            }
        }
        // With two processes, the second takes what the first leaves, and waits at the end of a round.
        assert_eq!(
            order(Scheduler::Halving, 2, &[0.1, 0.4, 0.3, 0.2], 2),
            [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1)]
        );
    }

    #[test]
    fn rounds_thin() {
        let recipe = recipe();
        let sizes: Vec<_> = (0..3).map(|round| in_round(&recipe, round)).collect();
        assert_eq!(sizes, [200, 66, 22]);
        assert_eq!(Search::runs(&recipe), 288);
    }
}

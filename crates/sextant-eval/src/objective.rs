//! What decided grades are to be good at.

use crate::Metric;
use crate::confusion::{Confusion, quadratic_cost};
use serde::{Deserialize, Serialize};
use sextant_core::{Grade, UnknownName};

/// The quantity that a decision rule is fitted for. In files it is the name of a metric, or
/// `{ cost = [[…], […], […]] }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// [`Metric::Accuracy`].
    Accuracy,
    /// [`Metric::MacroF1`].
    MacroF1,
    /// [`Metric::QuadraticKappa`].
    QuadraticKappa,
    /// The mean cost of a row, which is to be small: `cost[true grade][decided grade]`.
    Cost([[f64; Grade::COUNT]; Grade::COUNT]),
}

impl Objective {
    /// Checks a cost matrix.
    ///
    /// # Errors
    /// A cost is not a finite number of 0 or more, a right decision costs something, or none costs anything.
    pub fn validate(&self) -> Result<(), String> {
        let Self::Cost(cost) = self else { return Ok(()) };
        let usable = |&cost: &f64| cost.is_finite() && cost >= 0.0;
        if !cost.iter().flatten().all(usable) {
            return Err(format!("the costs {cost:?} are not all finite and 0 or more"));
        }
        if (0..Grade::COUNT).any(|grade| cost[grade][grade] != 0.0) {
            return Err(format!(
                "the costs {cost:?} are not 0 on the diagonal, where the decided grade is the true one"
            ));
        }
        if cost.iter().flatten().all(|&cost| cost == 0.0) {
            return Err("the costs are all 0, so that every decision is as good as any".to_owned());
        }
        Ok(())
    }

    /// The value of the objective, as people read it: of a cost matrix the mean cost, of which less is better.
    /// `None` where the metric is undefined.
    pub(crate) fn value(&self, confusion: &Confusion) -> Option<f64> {
        match self {
            Self::Accuracy => Some(confusion.accuracy()),
            Self::MacroF1 => Some(confusion.macro_f1()),
            Self::QuadraticKappa => confusion.kappa(quadratic_cost),
            Self::Cost(cost) => {
                let cells = confusion.0.iter().flatten().zip(cost.iter().flatten());
                let (sum, rows) = cells.fold((0.0, 0.0), |(sum, rows), (&weight, &cost)| {
                    (sum + weight * cost, rows + weight)
                });
                Some(sum / rows)
            }
        }
    }

    /// Whether a larger value is better.
    pub const fn higher_is_better(&self) -> bool {
        !matches!(self, Self::Cost(_))
    }

    /// The value in such a direction that more is better; the least where it is undefined.
    pub(crate) fn merit(&self, confusion: &Confusion) -> f64 {
        let value = self.value(confusion).unwrap_or(f64::NEG_INFINITY);
        if self.higher_is_better() { value } else { -value }
    }
}

impl std::fmt::Display for Objective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accuracy => Metric::Accuracy.fmt(f),
            Self::MacroF1 => Metric::MacroF1.fmt(f),
            Self::QuadraticKappa => Metric::QuadraticKappa.fmt(f),
            Self::Cost(_) => f.pad("mean cost"),
        }
    }
}

impl std::str::FromStr for Objective {
    type Err = UnknownName;

    /// Reads the name of a metric, or a cost matrix as nine numbers of three rows: `cost=0,1,4/1,0,1/4,1,0`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            UnknownName {
            what: "objective",
            found: text.to_owned(),
            expected: "accuracy, macro_f1, quadratic_kappa, or the costs of each decision by true grade, such as cost=0,1,4/1,0,1/4,1,0".to_owned(),
        }
        };
        match text {
            "accuracy" => Ok(Self::Accuracy),
            "macro_f1" => Ok(Self::MacroF1),
            "quadratic_kappa" => Ok(Self::QuadraticKappa),
            _ => {
                let rows = text.strip_prefix("cost=").ok_or_else(unknown)?;
                let numbers = |row: &str| {
                    let numbers: Result<Vec<f64>, _> =
                        row.split(',').map(|number| number.trim().parse()).collect();
                    <[f64; Grade::COUNT]>::try_from(numbers.ok()?).ok()
                };
                let rows: Option<Vec<_>> = rows.split('/').map(numbers).collect();
                let rows = rows.and_then(|rows| rows.try_into().ok());
                rows.map(Self::Cost).ok_or_else(unknown)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_read_and_checked() {
        let objective: Objective = "cost=0,1,4/1,0,1/5,1,0".parse().unwrap();
        let Objective::Cost(cost) = objective else { panic!("{objective:?}") };
        assert_eq!((cost[0], cost[2]), ([0.0, 1.0, 4.0], [5.0, 1.0, 0.0]));
        assert_eq!(objective.validate(), Ok(()));
        let json = serde_json::to_string(&objective).unwrap();
        assert_eq!(serde_json::from_str::<Objective>(&json).unwrap(), objective);
        assert_eq!(serde_json::to_string(&Objective::MacroF1).unwrap(), "\"macro_f1\"");
        for wrong in ["f1", "cost=0,1/1,0", "cost=0,1,x/1,0,1/4,1,0", "cost"] {
            assert!(wrong.parse::<Objective>().is_err(), "{wrong}");
        }
        for (wrong, expected) in [
            ("cost=0,1,4/1,1,1/4,1,0", "diagonal"),
            ("cost=0,-1,4/1,0,1/4,1,0", "0 or more"),
            ("cost=0,0,0/0,0,0/0,0,0", "all 0"),
        ] {
            let error = wrong.parse::<Objective>().unwrap().validate().unwrap_err();
            assert!(error.contains(expected), "{wrong}: {error}");
        }
    }

    #[test]
    fn the_cost_of_a_hand_worked_table() {
        let table = Confusion([[3.0, 1.0, 0.0], [0.0, 4.0, 0.0], [2.0, 0.0, 0.0]]);
        let objective: Objective = "cost=0,1,4/1,0,1/5,1,0".parse().unwrap();
        assert_eq!(objective.value(&table), Some(11.0 / 10.0));
        assert_eq!(objective.merit(&table), -1.1);
    }
}

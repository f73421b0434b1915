//! How well the confidence of systems matches their accuracy: confusions, calibration before and after
//! scaling by a temperature that is fitted on dev rows, and what is gained by abstaining.

use super::systems::{Judge, System};
use crate::LabError;
use serde::Serialize;
use sextant_core::{Example, Grade, Prediction, Task};
use sextant_eval::{
    AbstentionPoint, EvalOptions, Metric, ReliabilityBin, RiskCoverage, Scored, abstention_curve,
    at_temperature, evaluate, fit_temperature, risk_coverage,
};
use std::collections::BTreeMap;

/// A system's confusions and calibration, its seeds' answers taken together.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// The system.
    pub system: String,
    /// Of each true grade (outer), the rows predicted to be of each grade (inner), by task; summed
    /// over seeds.
    pub confusion: BTreeMap<Task, [[f64; Grade::COUNT]; Grade::COUNT]>,
    /// Temperatures, one for each seed, fitted on its dev rows.
    pub temperatures: Vec<f64>,
    /// Expected calibration error as trained: mean over seeds.
    pub ece: f64,
    /// Expected calibration error with temperatures: mean over seeds.
    pub ece_scaled: f64,
    /// Log loss as trained, and with temperatures: means over seeds.
    pub log_loss: [f64; 2],
    /// Confidence against accuracy as trained.
    pub reliability: Vec<ReliabilityBin>,
    /// Confidence against accuracy with temperatures.
    pub reliability_scaled: Vec<ReliabilityBin>,
    /// The abstention curve with temperatures: accuracy on the rows of the highest confidence.
    pub abstention: Vec<AbstentionPoint>,
    /// The areas under risk against coverage, with temperatures: means over seeds.
    pub risk_coverage: RiskCoverage,
}

/// The largest number of points of an abstention curve.
const POINTS: usize = 50;

/// The calibration of every system that has answers.
pub(crate) fn calibration(
    systems: &[System],
    judge: &Judge<'_>,
    dev: &[Example],
) -> Result<Vec<Calibration>, LabError> {
    let mut found = Vec::new();
    for system in systems {
        let (mut plain, mut scaled) = (Vec::new(), Vec::new());
        let (mut temperatures, mut eces, mut losses) = (Vec::new(), Vec::new(), Vec::new());
        let mut areas = Vec::new();
        for member in &system.members {
            let temperature = fit_temperature(&answered(dev, &member.dev));
            let rows = answered(judge.test, &member.test);
            if rows.is_empty() {
                continue;
            }
            let cooled: Vec<Scored<'_>> = rows
                .iter()
                .map(|row| Scored {
                    prediction: at_temperature(row.prediction, temperature),
                    ..*row
                })
                .collect();
            let values = |rows: &[Scored<'_>]| -> Result<[f64; 2], LabError> {
                let report = evaluate(rows, &EvalOptions::quick())?.pooled;
                Ok([Metric::Ece, Metric::LogLoss].map(|m| report.value(m).unwrap_or(f64::NAN)))
            };
            let ([before, loss], [after, loss_after]) = (values(&rows)?, values(&cooled)?);
            eces.push([before, after]);
            losses.push([loss, loss_after]);
            areas.extend(risk_coverage(&cooled).map(|found| [found.aurc, found.excess_aurc]));
            temperatures.push(temperature);
            plain.extend(rows);
            scaled.extend(cooled);
        }
        if plain.is_empty() {
            continue;
        }
        let report = evaluate(&plain, &EvalOptions::quick())?;
        let after = evaluate(&scaled, &EvalOptions::quick())?;
        let mean = |values: &[[f64; 2]], which: usize| {
            values.iter().map(|value| value[which]).sum::<f64>() / values.len() as f64
        };
        found.push(Calibration {
            system: system.label.clone(),
            confusion: report.tasks.iter().map(|(&task, m)| (task, m.confusion)).collect(),
            temperatures,
            ece: mean(&eces, 0),
            ece_scaled: mean(&eces, 1),
            log_loss: [mean(&losses, 0), mean(&losses, 1)],
            reliability: report.pooled.reliability,
            reliability_scaled: after.pooled.reliability,
            abstention: abstention_curve(&scaled, POINTS),
            risk_coverage: RiskCoverage { aurc: mean(&areas, 0), excess_aurc: mean(&areas, 1) },
        });
    }
    Ok(found)
}

/// The rows that have answers.
fn answered<'a>(examples: &'a [Example], answers: &[Option<Prediction>]) -> Vec<Scored<'a>> {
    let pairs = examples.iter().zip(answers);
    pairs.filter_map(|(example, answer)| Some(Scored::of(example, (*answer)?))).collect()
}

//! All systems at a glance: forest plots, and what accuracy costs.

use super::forest::ForestRow;
use super::plot::{Plot, Series};
use super::{Section, percent};
use crate::LabError;
use crate::findings::{Contender, Findings, Verdict, VerdictOutcome};
use sextant_eval::{Estimate, Interval};

/// What the colours of a forest plot stand for; the numbers are those of the page's colours.
const SHIPPED: usize = 0;
const OPEN: usize = 1;
const BEHIND: usize = 2;
const LEGEND: [&str; 3] = ["to ship", "may be as good as the most accurate", "shown to be behind"];

/// A number by which systems cost more or less.
type CostOf = fn(&Contender) -> f64;

pub(super) fn sections(findings: &Findings) -> Result<Vec<Section>, LabError> {
    let Some(verdict) = &findings.verdict else { return Ok(Vec::new()) };
    let mut section = Section::new(
        "glance",
        "All systems at a glance",
        &[
            "Each dot is a system, on all test rows. Accuracy has its interval over test rows, which says how far the accuracy itself is known; that two of these overlap says little about their difference, since both are about the same rows.",
        ],
    );
    section.plots.push(accuracies(verdict)?);
    if let Some(plot) = distances(verdict)? {
        section.text.push(format!(
            "Differences are from {}, the most accurate, with intervals over rows and seeds that hold all together with {} % confidence. A system whose interval reaches 0 is not shown to be behind.",
            verdict.leader,
            percent(1.0 - verdict.alpha).trim_end_matches(".0")
        ));
        section.plots.push(plot);
    }
    let costs: [(&str, &str, CostOf); 2] = [
        ("Accuracy against speed", "test rows scored in a second", |c| c.rows_per_second),
        ("Accuracy against size", "parameters", |c| c.parameters as f64),
    ];
    for (title, axis, cost) in costs {
        section.plots.push(against(verdict, title, axis, cost)?);
    }
    Ok(vec![section])
}

/// Costs of which one is more than so many times another stand on a logarithmic axis.
const FAR_APART: f64 = 8.0;

fn in_percent(estimate: Estimate) -> Estimate {
    let interval = estimate.interval.map(|i| Interval { low: 100.0 * i.low, high: 100.0 * i.high });
    Estimate { value: 100.0 * estimate.value, interval }
}

/// The colour of a system: whether it is shipped, or else whether it is shown to be behind.
fn colour(verdict: &Verdict, contender: &Contender) -> usize {
    let ships = verdict.outcome != VerdictOutcome::NothingLearned;
    match &contender.behind {
        _ if ships && contender.system == verdict.ship => SHIPPED,
        Some(behind) if behind.shown => BEHIND,
        _ => OPEN,
    }
}

fn accuracies(verdict: &Verdict) -> Result<Plot, LabError> {
    let rows = verdict.contenders.iter().map(|contender| ForestRow {
        name: &contender.system,
        value: in_percent(contender.accuracy),
        colour: colour(verdict, contender),
    });
    let at = 100.0 * verdict.contender(&verdict.leader).map_or(0.0, |found| found.accuracy.value);
    Plot::new("Accuracy on all test rows", "accuracy, %", "").forest(
        &rows.collect::<Vec<_>>(),
        &LEGEND,
        at,
    )
}

/// Differences from the leader; `None` without other systems.
fn distances(verdict: &Verdict) -> Result<Option<Plot>, LabError> {
    let row = |contender: &'_ Contender| {
        Some((in_percent(contender.behind.as_ref()?.difference), colour(verdict, contender)))
    };
    let rows: Vec<ForestRow<'_>> = verdict
        .contenders
        .iter()
        .filter_map(|contender| {
            let (value, colour) = row(contender)?;
            Some(ForestRow { name: &contender.system, value, colour })
        })
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let title = format!("Difference from {}", verdict.leader);
    Plot::new(&title, "percentage points", "").forest(&rows, &LEGEND, 0.0).map(Some)
}

fn against(verdict: &Verdict, title: &str, axis: &str, cost: CostOf) -> Result<Plot, LabError> {
    let series: Vec<Series> = verdict
        .contenders
        .iter()
        .map(|contender| {
            let mut series = Series::dots(&contender.system);
            let Estimate { value, interval } = in_percent(contender.accuracy);
            let interval = interval.map(|interval| [interval.low, interval.high]);
            series.add(cost(contender).max(1e-3), value, interval);
            series
        })
        .collect();
    let costs = || verdict.contenders.iter().map(|contender| cost(contender).max(1e-3));
    let spread = costs().fold(0.0, f64::max) / costs().fold(f64::INFINITY, f64::min);
    let plot = Plot::new(title, axis, "accuracy, %");
    let plot = if spread > FAR_APART { plot.log_x() } else { plot };
    plot.draw(&series)
}

//! A run against judgements, query by query and on the whole.

use super::list::RankedList;
use super::measure::RankingMeasure;
use crate::{Bootstrap, Estimate, EvalError, row_mean};
use comfy_table::Table;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How well a run ranks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankingReport {
    /// Judged queries, over which means are taken.
    pub queries: usize,
    /// Judged queries that the run does not answer, which count as 0.
    pub unanswered: usize,
    /// Queries of the run without judgements, which are left out.
    pub unjudged: usize,
    /// Each measure, in the order in which they were asked for.
    pub measures: Vec<MeasureResult>,
    /// The values of the measures for each query.
    pub by_query: BTreeMap<String, Vec<f64>>,
}

/// The mean of a measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasureResult {
    /// The measure.
    pub measure: RankingMeasure,
    /// Its mean over queries, with the interval over resampled queries.
    pub mean: Estimate,
}

/// Evaluates a run: for each judged query every measure, and their means. `qrels` has the grades of documents by
/// query, `run` their scores.
///
/// # Errors
/// There is no judged query, a grade is above the highest one of a measure, or the bootstrap gives no interval.
pub fn evaluate_run(
    qrels: &BTreeMap<String, BTreeMap<String, i64>>,
    run: &BTreeMap<String, BTreeMap<String, f64>>,
    measures: &[RankingMeasure],
    bootstrap: &Bootstrap,
) -> Result<RankingReport, EvalError> {
    measures.iter().try_for_each(|&measure| check_grades(qrels, measure))?;
    let none = BTreeMap::new();
    let by_query: BTreeMap<String, Vec<f64>> = qrels
        .iter()
        .map(|(query, judged)| {
            let list = RankedList::new(judged, run.get(query).unwrap_or(&none));
            (query.clone(), measures.iter().map(|&measure| list.value(measure)).collect())
        })
        .collect();
    let groups = vec![None; by_query.len()];
    let mean = |index: usize| {
        let values: Vec<f64> = by_query.values().map(|values| values[index]).collect();
        row_mean(&values, &groups, bootstrap)
    };
    let measures = measures.iter().enumerate();
    let measures =
        measures.map(|(index, &measure)| Ok(MeasureResult { measure, mean: mean(index)?.mean }));
    Ok(RankingReport {
        queries: by_query.len(),
        unanswered: qrels.keys().filter(|query| !run.contains_key(*query)).count(),
        unjudged: run.keys().filter(|query| !qrels.contains_key(*query)).count(),
        measures: measures.collect::<Result<_, EvalError>>()?,
        by_query,
    })
}

/// Checks that no grade is above the highest one of a measure, where it has one: it would count as less than it is.
fn check_grades(
    qrels: &BTreeMap<String, BTreeMap<String, i64>>,
    measure: RankingMeasure,
) -> Result<(), EvalError> {
    let RankingMeasure::ExpectedReciprocalRank { max, .. } = measure else { return Ok(()) };
    let all = qrels.iter().flat_map(|(query, judged)| {
        judged.iter().map(move |(document, &grade)| (grade, query, document))
    });
    match all.max_by_key(|(grade, ..)| *grade) {
        Some((grade, query, document)) if grade > i64::from(max) => {
            let (query, document) = (query.clone(), document.clone());
            let fix = measure.up_to(grade).map_or_else(
                || "leave the measure out".to_owned(),
                |fitting| format!("state that of the scale, as in {fitting}"),
            );
            let measure = measure.to_string();
            Err(EvalError::GradeAboveMax { measure, max, query, document, grade, fix })
        }
        _ => Ok(()),
    }
}

impl fmt::Display for RankingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table: Table = crate::render::table(&["measure", "mean", "95 % interval"]);
        for MeasureResult { measure, mean } in &self.measures {
            let interval = mean.interval.map_or_else(
                || "–".to_owned(),
                |interval| format!("[{:.4}, {:.4}]", interval.low, interval.high),
            );
            table.add_row([measure.to_string(), format!("{:.4}", mean.value), interval]);
        }
        writeln!(f, "{}", table.trim_fmt())?;
        write!(f, "{} judged queries", self.queries)?;
        if self.unanswered > 0 {
            write!(f, ", {} of them not in the run and counted as 0", self.unanswered)?;
        }
        if self.unjudged > 0 {
            write!(
                f,
                "; {} queries of the run have no judgements and are left out",
                self.unjudged
            )?;
        }
        writeln!(f)
    }
}

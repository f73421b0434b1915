//! TREC's judgements (qrels) and rankings (runs): words separated by white space, one line each.

use super::judgements::text;
use super::{ExchangeError, JudgementRow, Judgements};
use crate::{DataError, RowUnit};
use std::collections::BTreeMap;
use std::path::Path;

/// Judgements: for each query, the grade of each judged document.
pub type Qrels = BTreeMap<String, BTreeMap<String, i64>>;
/// A run: for each query, the score of each document that was retrieved.
pub type Run = BTreeMap<String, BTreeMap<String, f64>>;

/// The highest grade that is read.
const MOST_GRADE: i64 = 100;

/// Reads judgements.
///
/// # Errors
/// There is no line, a line has not four words, a grade is no whole number, or a document is judged twice for a query.
pub fn read_qrels(path: &Path) -> Result<Qrels, ExchangeError> {
    let mut qrels = Qrels::new();
    for (line, words) in lines(path, &QRELS)? {
        let grade: i64 = number(path, line, "grade", &words[3], "a whole number")?;
        if !(-MOST_GRADE..=MOST_GRADE).contains(&grade) {
            let problem = format!(
                "grade {grade}: grades go from -{MOST_GRADE} to {MOST_GRADE}; a gain of 2 to such a power is no number"
            );
            return Err(ExchangeError::line(path, line, problem));
        }
        let [query, _, document, _] = words;
        if qrels.entry(query.clone()).or_default().insert(document.clone(), grade).is_some() {
            return Err(twice(path, line, &query, &document));
        }
    }
    Ok(qrels)
}

/// Reads a run. Ranks are ignored, as TREC's programs do: scores alone decide the order.
///
/// # Errors
/// There is no line, a line has not six words, a score is no finite number, or a query has a document twice.
pub fn read_run(path: &Path) -> Result<Run, ExchangeError> {
    let mut run = Run::new();
    for (line, words) in lines(path, &RUN)? {
        let score = score(path, line, &words[4])?;
        let [query, _, document, ..] = words;
        if run.entry(query.clone()).or_default().insert(document.clone(), score).is_some() {
            return Err(twice(path, line, &query, &document));
        }
    }
    Ok(run)
}

fn twice(path: &Path, line: u64, query: &str, document: &str) -> ExchangeError {
    let problem = format!("query `{query}` has document `{document}` twice; keep one line");
    ExchangeError::line(path, line, problem)
}

pub(super) fn qrels_table(path: &Path) -> Result<Judgements, ExchangeError> {
    let lines = lines(path, &QRELS)?;
    let columns = ["query_id", "iteration", "doc_id", "grade"].map(str::to_owned).to_vec();
    let rows = lines
        .into_iter()
        .map(|(line, words)| JudgementRow { line, cells: words.into_iter().map(Some).collect() });
    Ok(Judgements { columns, rows: rows.collect(), unit: RowUnit::Line })
}

pub(super) fn run_table(path: &Path) -> Result<Judgements, ExchangeError> {
    let columns = ["query_id", "doc_id", "rank", "score", "tag"].map(str::to_owned).to_vec();
    let mut rows = Vec::new();
    for (line, words) in lines(path, &RUN)? {
        score(path, line, &words[4])?;
        let [query, _, document, rank, score, tag] = words;
        let cells = [query, document, rank, score, tag].map(Some).to_vec();
        rows.push(JudgementRow { line, cells });
    }
    Ok(Judgements { columns, rows, unit: RowUnit::Line })
}

const QRELS: [&str; 4] = ["query", "iteration", "document", "grade"];
const RUN: [&str; 6] = ["query", "Q0", "document", "rank", "score", "tag"];

/// The lines of a file, each of which must have these words. Blank lines are passed over; a file without others is
/// refused.
fn lines<const N: usize>(
    path: &Path,
    words: &[&str; N],
) -> Result<Vec<(u64, [String; N])>, ExchangeError> {
    let text = text(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let lines: Vec<_> = lines
        .map(|(index, line)| {
            let found: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let count = found.len();
            let found = <[String; N]>::try_from(found).map_err(|_| {
                let problem = format!("{count} words; expected {N}: {}", words.join(" "));
                ExchangeError::line(path, index as u64 + 1, problem)
            })?;
            Ok((index as u64 + 1, found))
        })
        .collect::<Result<_, ExchangeError>>()?;
    if lines.is_empty() {
        let problem = format!("the file is empty; each of its lines must be: {}", words.join(" "));
        return Err(DataError::unusable(path, problem).into());
    }
    Ok(lines)
}

fn score(path: &Path, line: u64, word: &str) -> Result<f64, ExchangeError> {
    let score: f64 = number(path, line, "score", word, "a number")?;
    if score.is_finite() {
        return Ok(score);
    }
    let problem = format!("score `{word}` is not finite, so that nothing can be ranked by it");
    Err(ExchangeError::line(path, line, problem))
}

fn number<T: std::str::FromStr>(
    path: &Path,
    line: u64,
    what: &str,
    word: &str,
    expected: &str,
) -> Result<T, ExchangeError> {
    word.parse()
        .map_err(|_| ExchangeError::line(path, line, format!("{what} `{word}` is not {expected}")))
}

//! Writes judgements and rankings in other programs' formats.

use super::elasticsearch::{RankEval, Rating, Request};
use super::opensearch::{DocumentRating, JudgementList, QueryRatings};
use super::{ExchangeError, ExchangeFormat};
use crate::{DataError, Output, entity};
use serde_json::{Value, json};
use sextant_core::{Entity, Grade, Pair};
use std::collections::{HashMap, HashSet};
use std::io::Write;

/// A row with the identifiers of its query and document.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The query's identifier: without white space, for TREC.
    pub query_id: String,
    /// The document's identifier.
    pub doc_id: String,
    /// The pair.
    pub pair: Pair,
    /// The grade, which judgements need.
    pub grade: Option<Grade>,
    /// The score, which runs need.
    pub score: Option<f64>,
    /// The row's identifier, which Label Studio gives back.
    pub id: Option<String>,
}

/// Writes rows in a format. `name` is the tag of a run, the name of a judgement list and the index of
/// Elasticsearch.
///
/// # Errors
/// A row lacks its grade or score, an identifier cannot be written, a query has a document twice, or the output
/// cannot be written to.
pub fn write(
    rows: &[Judged],
    format: ExchangeFormat,
    name: &str,
    output: Output,
) -> Result<(), ExchangeError> {
    check(rows, format)?;
    if format == ExchangeFormat::TrecRun && (name.is_empty() || name.contains(char::is_whitespace))
    {
        return Err(ExchangeError::Name {
            name: name.to_owned(),
            problem: "is empty or has white space, which TREC separates words by; give the run another name".to_owned(),
        });
    }
    let path = output.path().to_owned();
    let mut output = output;
    let written = match format {
        ExchangeFormat::TrecQrels => qrels(rows, &mut output),
        ExchangeFormat::TrecRun => run(rows, name, &mut output),
        ExchangeFormat::Quepid => quepid(rows, &mut output),
        ExchangeFormat::Opensearch => pretty(&opensearch(rows, name), &mut output),
        ExchangeFormat::Elasticsearch => pretty(&elasticsearch(rows, name), &mut output),
        ExchangeFormat::LabelStudio => pretty(&label_studio(rows), &mut output),
    };
    written.map_err(|source| DataError::write(&path, source))?;
    Ok(output.commit()?)
}

fn check(rows: &[Judged], format: ExchangeFormat) -> Result<(), ExchangeError> {
    let is_trec = matches!(format, ExchangeFormat::TrecQrels | ExchangeFormat::TrecRun);
    // These have one text for each query, and the others none or one for each row.
    let one_text = matches!(format, ExchangeFormat::Elasticsearch | ExchangeFormat::Opensearch);
    // These know queries by their texts alone.
    let by_text = matches!(format, ExchangeFormat::Quepid | ExchangeFormat::Opensearch);
    let mut texts: HashMap<&str, &str> = HashMap::new();
    let mut queries: HashMap<&str, &str> = HashMap::new();
    let mut seen = HashSet::new();
    for (index, row) in rows.iter().enumerate() {
        let fail = |problem: String| Err(ExchangeError::Row { row: index as u64 + 1, problem });
        let is_run = format == ExchangeFormat::TrecRun;
        if is_run && row.score.is_none_or(|score| !score.is_finite()) {
            return fail("no score, which a run needs; score the rows first".to_owned());
        }
        if !is_run && row.grade.is_none() && format != ExchangeFormat::LabelStudio {
            return fail(format!("no grade, which {format} needs"));
        }
        for (what, id) in [("query", &row.query_id), ("document", &row.doc_id)] {
            if id.is_empty() || (is_trec && id.contains(char::is_whitespace)) {
                return fail(format!(
                    "the {what}'s identifier `{id}` is empty or has white space, which TREC separates words by; name another column"
                ));
            }
        }
        if format != ExchangeFormat::LabelStudio && !seen.insert((&row.query_id, &row.doc_id)) {
            return fail(format!(
                "query `{}` has document `{}` already; keep one row of each",
                row.query_id, row.doc_id
            ));
        }
        let text = row.pair.left.text();
        let other = *queries.entry(text).or_insert(&row.query_id);
        if by_text && other != row.query_id {
            return fail(format!(
                "queries `{other}` and `{}` have one text, `{text}`, by which {format} knows them; give both the same identifier, or write another format",
                row.query_id
            ));
        }
        let known = *texts.entry(&row.query_id).or_insert(text);
        if one_text && known != text {
            return fail(format!(
                "query `{}` has the text `{text}` here and `{known}` before; name a column with an identifier for each query",
                row.query_id
            ));
        }
    }
    Ok(())
}

fn grade(row: &Judged) -> usize {
    // Rows without a grade were refused.
    row.grade.map_or(0, Grade::index)
}

fn qrels(rows: &[Judged], output: &mut Output) -> std::io::Result<()> {
    rows.iter()
        .try_for_each(|row| writeln!(output, "{} 0 {} {}", row.query_id, row.doc_id, grade(row)))
}

/// Queries in the order of their first rows, with the numbers of their rows.
fn by_query(rows: &[Judged]) -> Vec<(&str, Vec<&Judged>)> {
    let mut queries: Vec<(&str, Vec<&Judged>)> = Vec::new();
    let mut places = HashMap::new();
    for row in rows {
        let place = *places.entry(row.query_id.as_str()).or_insert_with(|| {
            queries.push((&row.query_id, Vec::new()));
            queries.len() - 1
        });
        queries[place].1.push(row);
    }
    queries
}

fn run(rows: &[Judged], tag: &str, output: &mut Output) -> std::io::Result<()> {
    for (query, mut rows) in by_query(rows) {
        let score = |row: &Judged| row.score.unwrap_or_default();
        // The order of TREC's programs: equal scores by the document's identifier, the last first.
        rows.sort_by(|a, b| score(b).total_cmp(&score(a)).then_with(|| b.doc_id.cmp(&a.doc_id)));
        for (index, row) in rows.iter().enumerate() {
            writeln!(output, "{query} Q0 {} {} {} {tag}", row.doc_id, index + 1, score(row))?;
        }
    }
    Ok(())
}

fn quepid(rows: &[Judged], output: &mut Output) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(output);
    writer.write_record(["query", "docid", "rating"])?;
    for row in rows {
        writer.write_record([row.pair.left.text(), &row.doc_id, &grade(row).to_string()])?;
    }
    writer.flush()
}

fn opensearch(rows: &[Judged], name: &str) -> Value {
    let ratings = by_query(rows).into_iter().map(|(_, rows)| QueryRatings {
        query: rows[0].pair.left.text().to_owned(),
        ratings: rows
            .iter()
            .map(|row| DocumentRating {
                doc_id: row.doc_id.clone(),
                rating: format!("{}.000", grade(row)).into(),
            })
            .collect(),
    });
    let list = JudgementList {
        name: name.to_owned(),
        description: format!("{} judgements on a scale from 0 to 2", rows.len()),
        kind: "IMPORT_JUDGMENT".to_owned(),
        judgment_ratings: ratings.collect(),
    };
    json!(list)
}

fn elasticsearch(rows: &[Judged], index: &str) -> Value {
    let requests = by_query(rows).into_iter().map(|(query, rows)| Request {
        id: query.to_owned(),
        // Not `query_string`, whose syntax gives a meaning to `/`, quotes, `-`, `(` and words such as OR.
        search: json!({"query": {"simple_query_string": {"query": rows[0].pair.left.text(), "flags": "NONE"}}}),
        params: Value::Null,
        ratings: rows
            .iter()
            .map(|row| Rating {
                index: index.to_owned(),
                id: row.doc_id.clone(),
                grade: grade(row).into(),
            })
            .collect(),
    });
    let metric = json!({"dcg": {"k": 10, "normalize": true}});
    json!(RankEval { requests: requests.collect(), metric })
}

/// Tasks whose data has the texts that annotators see, and what leads an answer back to its row. A grade becomes a
/// prediction, which annotators may confirm.
fn label_studio(rows: &[Judged]) -> Value {
    let tasks = rows.iter().map(|row| {
        let mut data = serde_json::Map::new();
        let mut add = |name: &str, value: Value| data.insert(name.to_owned(), value);
        add("id", row.id.clone().into());
        add("task", row.pair.task.as_str().into());
        add("query_id", row.query_id.clone().into());
        add("doc_id", row.doc_id.clone().into());
        for (name, side) in [("left", &row.pair.left), ("right", &row.pair.right)] {
            add(name, side.text().into());
            if let Entity::Product(_) = side {
                add(&format!("{name}_product"), entity::to_json(side));
            }
        }
        let mut task = json!({ "data": data });
        if let Some(grade) = row.grade {
            let choice = json!({
                "from_name": "grade", "to_name": "pair", "type": "choices",
                "value": {"choices": [grade.as_str()]},
            });
            task["predictions"] = json!([{"model_version": "sextant", "result": [choice]}]);
        }
        task
    });
    tasks.collect()
}

fn pretty(value: &Value, output: &mut Output) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut *output, value)?;
    writeln!(output)
}

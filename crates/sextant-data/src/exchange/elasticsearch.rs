//! Requests of Elasticsearch's ranking evaluation API (`_rank_eval`), which hold the judgements.

use super::judgements::{cell, json};
use super::{ExchangeError, JudgementRow, Judgements};
use crate::RowUnit;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// The body of `GET index/_rank_eval`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RankEval {
    pub(super) requests: Vec<Request>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) metric: Value,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: String,
    /// The search, whose form is up to its author.
    #[serde(default, rename = "request", skip_serializing_if = "Value::is_null")]
    pub(super) search: Value,
    /// Parameters of a search that is a template.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) params: Value,
    pub(super) ratings: Vec<Rating>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rating {
    #[serde(rename = "_index")]
    pub(super) index: String,
    #[serde(rename = "_id")]
    pub(super) id: String,
    #[serde(rename = "rating")]
    pub(super) grade: Value,
}

pub(super) fn read(path: &Path) -> Result<Judgements, ExchangeError> {
    let list: RankEval = json(path)?;
    let ratings = list.requests.into_iter().flat_map(|request| {
        let text = query_text(&request.params).or_else(|| query_text(&request.search));
        let id = request.id;
        request.ratings.into_iter().map(move |rating| (id.clone(), text.clone(), rating))
    });
    let rows = ratings.enumerate().map(|(place, (id, query, rating))| {
        let Rating { index, id: document, grade } = rating;
        let cells = vec![Some(id), query, Some(index), Some(document), cell(&grade)];
        JudgementRow { line: place as u64 + 1, cells }
    });
    let columns = ["query_id", "query", "index", "doc_id", "rating"].map(str::to_owned).to_vec();
    Ok(Judgements { columns, rows: rows.collect(), unit: RowUnit::Row })
}

/// The text that a search looks for: under the key `query` or `query_string` where it is a text, else the one text
/// that a `match` has. `None` where there is none, or more than one.
fn query_text(search: &Value) -> Option<String> {
    let mut found = Vec::new();
    gather(search, false, &mut found);
    found.dedup();
    match &found[..] {
        [one] => Some(one.clone()),
        _ => None,
    }
}

fn gather(value: &Value, in_match: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text)
                        if in_match || matches!(&**name, "query" | "query_string") =>
                    {
                        found.push(text.clone());
                    }
                    _ => gather(value, name.starts_with("match"), found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| gather(value, false, found)),
        _ => {}
    }
}

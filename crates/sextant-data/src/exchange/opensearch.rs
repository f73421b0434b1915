//! Judgement lists of OpenSearch's Search Relevance Workbench, as its API takes them.

use super::judgements::{cell, json};
use super::{ExchangeError, JudgementRow, Judgements};
use crate::RowUnit;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// The body of `PUT _plugins/_search_relevance/judgments`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JudgementList {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    pub(super) judgment_ratings: Vec<QueryRatings>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct QueryRatings {
    pub(super) query: String,
    pub(super) ratings: Vec<DocumentRating>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DocumentRating {
    pub(super) doc_id: String,
    /// A number, which the API writes as a text.
    pub(super) rating: Value,
}

pub(super) fn read(path: &Path) -> Result<Judgements, ExchangeError> {
    let list: JudgementList = json(path)?;
    let ratings = list.judgment_ratings.into_iter().flat_map(|query| {
        let text = query.query;
        query.ratings.into_iter().map(move |rating| (text.clone(), rating))
    });
    let rows = ratings.enumerate().map(|(index, (query, rating))| JudgementRow {
        line: index as u64 + 1,
        cells: vec![Some(query), Some(rating.doc_id), cell(&rating.rating)],
    });
    let columns = ["query", "doc_id", "rating"].map(str::to_owned).to_vec();
    Ok(Judgements { columns, rows: rows.collect(), unit: RowUnit::Row })
}

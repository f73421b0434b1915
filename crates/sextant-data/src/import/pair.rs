//! From a row of the ratings to its pair: what both the gathering of ratings and the writing of rows begin with.

use super::ImportError;
use super::digest::{KeyHash, hash};
use super::join::{Joined, Record};
use super::map::{ImportMap, OnFault, OnMissing};
use super::plan::Plan;
use super::side::Source;
use super::table::TextBatch;
use crate::PairKey;
use sextant_core::Pair;
use std::collections::BTreeMap;

/// Makes pairs of rows.
pub(super) struct Pairs<'a> {
    pub(super) map: &'a ImportMap,
    pub(super) plan: &'a Plan,
    pub(super) joined: Vec<Joined>,
    /// Rows that were taken although a table lacks their key, by table.
    pub(super) unpartnered: BTreeMap<String, u64>,
}

/// What became of a row.
pub(super) enum Made {
    /// A pair, its key, and the records that were joined.
    Pair(Box<Pair>, KeyHash, Vec<Record>),
    LeftOut(LeftOut),
}

/// Why a row is left out.
pub(super) enum LeftOut {
    /// The table at this place has no row for it.
    Missing(usize),
    /// A side has no text.
    Empty,
    Language,
}

impl Pairs<'_> {
    /// The pair of a row that meets the conditions.
    pub(super) fn of(&mut self, batch: &TextBatch, row: usize) -> Result<Made, ImportError> {
        let mut records = Vec::with_capacity(self.joined.len());
        for (at, table) in self.joined.iter_mut().enumerate() {
            let found = table.record(batch, row)?;
            match (found, table.spec.missing) {
                (Some(record), _) => records.push(record),
                (None, OnMissing::Empty) => {
                    *self.unpartnered.entry(table.name.clone()).or_default() += 1;
                    records.push(Record::default());
                }
                (None, OnMissing::Skip) => return Ok(Made::LeftOut(LeftOut::Missing(at))),
                (None, OnMissing::Error) => {
                    let problem = format!(
                        "table `{0}` has no row with {1}; `missing = \"skip\"` under [tables.{0}] leaves such rows out, `missing = \"empty\"` takes them without",
                        table.name,
                        table.shown_key(batch, row)
                    );
                    return Err(batch.error(row, None, problem));
                }
            }
        }
        let (map, plan) = (self.map, self.plan);
        let source = Source { batch, row, records: &records, text: &map.text };
        let sides = [("left", &plan.left), ("right", &plan.right)];
        let [left, right] = sides.map(|(name, side)| (name, side.entity(&source)));
        let (left, right) = match (left, right) {
            ((_, Some(left)), (_, Some(right))) => (left, right),
            ((name, None), _) | (_, (name, None)) => {
                return match map.empty {
                    OnFault::Skip => Ok(Made::LeftOut(LeftOut::Empty)),
                    OnFault::Error => {
                        let problem = format!(
                            "there is no text for the {name} side; `empty = \"skip\"` in the map leaves such rows out"
                        );
                        Err(batch.error(row, None, problem))
                    }
                };
            }
        };
        let pair = Pair { task: map.task, left, right };
        if plan.language.as_ref().is_some_and(|filter| !filter.keeps(&pair)) {
            return Ok(Made::LeftOut(LeftOut::Language));
        }
        // Two pairs are one if `data check` takes them for one.
        let PairKey { left, right, .. } = PairKey::of(&pair);
        let key = hash([left.as_str(), right.as_str()]);
        Ok(Made::Pair(Box::new(pair), key, records))
    }
}

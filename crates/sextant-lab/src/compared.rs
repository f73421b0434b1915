//! Models side by side on the same rows, with paired tests against the first of them.

use crate::evaluated::{full_report, scored};
use crate::{Baseline, Comparison, LabError, NamedModel, PairedTable, Run};
use sextant_core::{Pair, Split};
use sextant_data::{LoadedDataset, check};
use sextant_eval::{Bootstrap, Scored};
use sextant_kernels::ScorePrecision;
use sextant_model::Device;
use std::ops::ControlFlow;

/// A comparison of models, and their differences from the first model.
#[derive(Debug)]
pub struct Compared {
    /// The models and trivial baselines, evaluated.
    pub comparison: Comparison,
    /// The differences from the first model, row by row; none if there is one model only.
    pub paired: Option<PairedTable>,
}

impl Compared {
    /// Evaluates models on a part of a data set, which `path` names in the report. `observer` is called as by
    /// [`Scorer::answer`](sextant_infer::Scorer::answer), and may break.
    ///
    /// # Errors
    /// There are no rows of that part, a model's run is not finished, or a model cannot answer them.
    pub fn new(
        models: &[NamedModel],
        (loaded, path): (&LoadedDataset, &str),
        split: Split,
        on: (&Device, ScorePrecision),
        observer: &mut (dyn FnMut(usize) -> ControlFlow<()> + Send),
    ) -> Result<Self, LabError> {
        let examples = loaded.dataset.part(split);
        if examples.is_empty() {
            let mend = "name another part: `--split`, in Python `split=`";
            return Err(LabError::Compare(format!("{path}: no {split} rows; {mend}")));
        }
        let name = format!("{path}, {split}");
        let pairs: Vec<Pair> = examples.iter().map(|example| example.pair.clone()).collect();
        let place = |row| loaded.origin(split, row);
        let mut comparison = Comparison::new();
        for baseline in Baseline::trivial(&check(&loaded.dataset)) {
            comparison.add_baseline(baseline)?;
        }
        let mut reference: Option<(PairedTable, Vec<Scored<'_>>)> = None;
        for model in models {
            let rows = scored(examples, model.predict(&pairs, &place, on, observer)?);
            let (report, facts) = (full_report(&rows, &name)?, model.facts()?);
            match &mut reference {
                None => reference = Some((PairedTable::new(&model.name), rows)),
                Some((table, first)) => {
                    table.add(&model.name, first, &rows, &Bootstrap::default())?;
                }
            }
            comparison.add_run(Run { name: model.name.clone(), report, facts })?;
        }
        let paired = reference.map(|(table, _)| table);
        let paired = paired.filter(|table| !table.differences.is_empty());
        Ok(Self { comparison, paired })
    }
}

//! `sextant compare`: runs side by side on the same rows.

use crate::arguments::{Overwrite, Reading};
use crate::demo::baselines;
use crate::evaluate::{evaluated, scored};
use crate::say::say;
use crate::scoring::{Scoring, at_row};
use anyhow::{Context, bail, ensure};
use clap::Args;
use sextant_core::{Pair, Prediction, Split};
use sextant_data::{Labels, LoadedDataset, check};
use sextant_eval::{Bootstrap, Metric, Scored};
use sextant_files::AtomicFile;
use sextant_infer::EnsembleManifest;
use sextant_kernels::ScorePrecision;
use sextant_lab::{Comparison, PairedTable, Report, Run, RunFacts};
use sextant_train::{RunFolder, Summary};
use std::io::Write;
use std::path::PathBuf;

/// `compare`
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Folders of runs or ensembles, the reference first; `NAME=FOLDER,FOLDER,…` puts models of different tasks
    /// together as one, as single-task baselines; `FOLDER@int8` predicts in that precision
    #[arg(required = true)]
    runs: Vec<String>,
    /// A data set, on whose rows all are evaluated
    #[arg(long)]
    data: PathBuf,
    /// The part of the data set
    #[arg(long, default_value_t = Split::Test)]
    split: Split,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    scoring: Scoring,
    /// The report's heading
    #[arg(long, default_value = "Runs compared")]
    title: String,
    /// Write the report as Markdown, and the headline table as CSV beside it
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
}

/// A model with its name in the tables: a folder, or several folders that divide the tasks among them.
pub(crate) struct NamedModel {
    pub(crate) name: String,
    folders: Vec<(RunFolder, Option<ScorePrecision>)>,
}

impl NamedModel {
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let folder = |text: &str| match text.rsplit_once('@') {
            Some((folder, precision)) => Ok((RunFolder(folder.into()), Some(precision.parse()?))),
            None => anyhow::Ok((RunFolder(text.into()), None)),
        };
        if let Some((name, folders)) = text.split_once('=') {
            let folders = folders.split(',').map(folder).collect::<Result<_, _>>()?;
            return Ok(Self { name: name.to_owned(), folders });
        }
        let found = folder(text)?;
        let name = found.0.0.file_name().map_or(text.into(), |name| name.to_string_lossy());
        Ok(Self { name: name.into_owned(), folders: vec![found] })
    }

    /// Predictions for all pairs, each from the model that knows its task. `origin` says in errors where the
    /// pair at an index comes from.
    pub(crate) fn predict(
        &self,
        pairs: &[Pair],
        origin: &dyn Fn(usize) -> String,
        scoring: &Scoring,
    ) -> anyhow::Result<Vec<Prediction>> {
        let mut found: Vec<Option<Prediction>> = vec![None; pairs.len()];
        for (folder, precision) in &self.folders {
            let precision = precision.unwrap_or(scoring.precision());
            let scorer = scoring.open_in(&model_in(folder), precision)?;
            let tasks = scorer.tasks();
            let rows: Vec<usize> =
                (0..pairs.len()).filter(|&row| tasks.contains(&pairs[row].task)).collect();
            let mine: Vec<Pair> = rows.iter().map(|&row| pairs[row].clone()).collect();
            let predictions = scorer.predict(&mine).map_err(|error| {
                at_row(error, |row| origin(rows[row]), &mine).context(self.name.clone())
            })?;
            for (row, prediction) in rows.into_iter().zip(predictions) {
                ensure!(
                    found[row].replace(prediction).is_none(),
                    "{}: task `{}` is answered by an earlier model of `{}` too",
                    folder.0.display(),
                    pairs[row].task,
                    self.name
                );
            }
        }
        match found.iter().position(Option::is_none) {
            Some(row) => bail!(
                "`{}` has no model for task `{}`; add one, or compare on data without that task",
                self.name,
                pairs[row].task
            ),
            None => Ok(found.into_iter().flatten().collect()),
        }
    }

    /// The training runs of the models, or of the members of an ensemble.
    fn trained(&self) -> anyhow::Result<Vec<RunFolder>> {
        let mut runs = Vec::new();
        for (folder, _) in &self.folders {
            if !EnsembleManifest::is_at(&folder.0) {
                runs.push(folder.clone());
                continue;
            }
            for member in EnsembleManifest::read(&folder.0)?.members {
                let bundle = folder.0.join(member.path);
                runs.push(RunFolder(bundle.parent().unwrap_or(&bundle).to_owned()));
            }
        }
        Ok(runs)
    }

    /// What training cost: sums over the models, and the largest peak of memory.
    fn facts(&self) -> anyhow::Result<RunFacts> {
        let mut facts = RunFacts::default();
        let (mut rows, mut seconds) = (0, 0.0);
        for folder in self.trained()? {
            let path = folder.summary();
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}; is the run finished?", path.display()))?;
            let summary: Summary = serde_json::from_str(&text)
                .with_context(|| format!("{} is not a run's summary", path.display()))?;
            facts.seed = Some(summary.seed);
            *facts.trainable_parameters.get_or_insert(0) += summary.trainable_parameters;
            *facts.train_rows.get_or_insert(0) += summary.train_rows as u64;
            facts.peak_memory_bytes = facts.peak_memory_bytes.max(summary.peak_memory_bytes);
            rows += summary.rows;
            seconds += summary.seconds;
        }
        facts.wall_seconds = Some(seconds);
        facts.rows_per_second = Some(rows as f64 / f64::max(seconds, 1e-9));
        Ok(facts)
    }
}

/// The bundle of a run's folder, or the folder itself if it is an ensemble.
fn model_in(folder: &RunFolder) -> PathBuf {
    if EnsembleManifest::is_at(&folder.0) { folder.0.clone() } else { folder.bundle() }
}

impl Compare {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if let Some(out) = &self.out
            && out.extension().is_none_or(|extension| extension != "md")
        {
            bail!(
                "--out {}: the report is Markdown, with a CSV file beside it; name it .md",
                out.display()
            );
        }
        let existing = self.overwrite.existing();
        let files = self.out.as_ref().map(|out| {
            let [report, table] = [out.clone(), out.with_extension("csv")];
            anyhow::Ok((
                AtomicFile::create(report, existing)?,
                AtomicFile::create(table, existing)?,
            ))
        });
        let files = files.transpose()?;
        let options = self.reading.options(Labels::Required);
        let loaded = LoadedDataset::load(&self.data, &options)?;
        let examples = loaded.dataset.part(self.split);
        ensure!(!examples.is_empty(), "{}: no {} rows", self.data.display(), self.split);
        let name = format!("{}, {}", self.data.display(), self.split);
        let pairs: Vec<Pair> = examples.iter().map(|example| example.pair.clone()).collect();
        let origin = |row| loaded.origin(self.split, row);
        let mut comparison = Comparison::new();
        for baseline in baselines(&check(&loaded.dataset)) {
            comparison.add_baseline(baseline)?;
        }
        let mut reference: Option<(PairedTable, Vec<Scored<'_>>)> = None;
        for text in &self.runs {
            let model = NamedModel::parse(text).with_context(|| format!("`{text}`"))?;
            let rows = scored(examples, model.predict(&pairs, &origin, &self.scoring)?);
            let (report, facts) = (evaluated(&rows, &name)?, model.facts()?);
            match &mut reference {
                None => reference = Some((PairedTable::new(&model.name), rows)),
                Some((table, first)) => {
                    table.add(&model.name, first, &rows, &Bootstrap::default())?;
                }
            }
            comparison.add_run(Run { name: model.name, report, facts })?;
        }
        let table = comparison.table(Metric::Accuracy);
        say(&format!("{}\n{}", table.to_text(), table.facts_to_text()));
        let paired = reference.map(|(table, _)| table);
        let paired = paired.filter(|table| !table.differences.is_empty());
        if let Some(paired) = &paired {
            say(&paired.to_text());
        }
        let Some((report_file, mut csv)) = files else { return Ok(()) };
        let report = Report {
            title: self.title,
            metrics: vec![Metric::Accuracy, Metric::MacroF1, Metric::QuadraticKappa, Metric::Ece],
            paired,
            ..Report::default()
        };
        report.write(&comparison, report_file)?;
        csv.write_all(table.to_csv()?.as_bytes())
            .with_context(|| format!("cannot write {}", csv.path().display()))?;
        Ok(csv.commit()?)
    }
}

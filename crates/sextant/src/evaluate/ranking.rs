//! `sextant eval --qrels`: a model or a run against judgements.

use super::Eval;
use crate::say::{complain, say};
use crate::scoring::at_row;
use anyhow::{Context, bail, ensure};
use sextant_data::exchange::{self, ExchangeFormat, Judged, Qrels, Run};
use sextant_data::{Labels, Output, ReadOptions, Row, RowReader};
use sextant_eval::{Bootstrap, RankingMeasure, RankingReport, evaluate_run};
use sextant_files::AtomicFile;
use std::io::Write;
use std::path::Path;

impl Eval {
    /// Evaluates a run that another program made.
    pub(super) fn of_run(&self, run: &Path) -> anyhow::Result<()> {
        let Some(qrels) = &self.ranking.qrels else {
            bail!("a run needs judgements; name them by --qrels")
        };
        let out = self.report_file()?;
        let (qrels, run) = (Self::judgements(qrels)?, exchange::read_run(run)?);
        self.finish(&qrels, &run, out)
    }

    /// Ranks rows by a model's scores and evaluates the ranking.
    pub(super) fn of_ranking(
        &self,
        bundle: &Path,
        data: &Path,
        qrels: &Path,
    ) -> anyhow::Result<()> {
        let existing = self.overwrite.existing();
        let out = self.report_file()?;
        let written = self.ranking.write_run.as_ref();
        let written = written.map(|path| Output::open(path, existing)).transpose()?;
        let qrels = Self::judgements(qrels)?;
        let rows = self.candidates(data)?;
        let scorer = self.scoring.open(bundle)?;
        let tasks = scorer.tasks();
        let all = rows.len();
        let rows: Vec<(Row, String)> =
            rows.into_iter().filter(|(row, _)| tasks.contains(&row.pair.task)).collect();
        ensure!(!rows.is_empty(), "{}: no rows of the tasks that the model knows", data.display());
        if rows.len() < all {
            complain(&format!("{} rows of other tasks left out", all - rows.len()));
        }
        let pairs: Vec<_> = rows.iter().map(|(row, _)| row.pair.clone()).collect();
        let answers = scorer.predict(&pairs);
        let answers = answers.map_err(|error| at_row(error, |row| rows[row].1.clone(), &pairs))?;
        let ids = self.ranking.ids.columns();
        let mut run = Run::new();
        let mut judged = Vec::with_capacity(rows.len());
        for ((row, place), answer) in rows.into_iter().zip(answers) {
            let (query_id, doc_id) = ids.of(&row).with_context(|| place.clone())?;
            let score = f64::from(answer.score());
            let documents = run.entry(query_id.clone()).or_default();
            if documents.insert(doc_id.clone(), score).is_some() {
                bail!(
                    "{place}: query `{query_id}` has document `{doc_id}` already; keep one row of each, or name other columns by --query-id and --doc-id"
                );
            }
            let Row { id, grade, pair, .. } = row;
            judged.push(Judged { query_id, doc_id, pair, grade, score: Some(score), id });
        }
        if let Some(output) = written {
            exchange::write(&judged, ExchangeFormat::TrecRun, "sextant", output)?;
        }
        self.finish(&qrels, &run, out)
    }

    /// The judgements that `--qrels` names.
    fn judgements(qrels: &Path) -> anyhow::Result<Qrels> {
        exchange::read_qrels(qrels).context("the judgements of `--qrels` cannot be used")
    }

    /// The rows to rank, with their places. They need no grades.
    fn candidates(&self, data: &Path) -> anyhow::Result<Vec<(Row, String)>> {
        let options = ReadOptions { further: true, ..self.reading.options(Labels::Optional) };
        let mut rows = Vec::new();
        // A data set is read by its parts, as for an evaluation by grades.
        let parts = if data.is_dir() {
            let split = self.split.unwrap_or(sextant_core::Split::Test);
            let files = sextant_data::Dataset::files(data)?.into_iter();
            files.filter(|(part, _)| *part == Some(split)).map(|(_, path)| path).collect()
        } else {
            vec![data.to_owned()]
        };
        for part in &parts {
            let mut reader = RowReader::open(part, &options)?;
            while let Some(row) = reader.next() {
                let row = row?;
                let place = format!("{} {} {}", reader.path().display(), reader.unit(), row.line);
                rows.push((row, place));
            }
        }
        if rows.iter().any(|(row, _)| row.split.is_some()) {
            let split = self.split.unwrap_or(sextant_core::Split::Test);
            rows.retain(|(row, _)| row.split == Some(split));
        }
        ensure!(
            !rows.is_empty(),
            "{}: there are no rows to rank; `--split` names another part",
            data.display()
        );
        Ok(rows)
    }

    fn report_file(&self) -> anyhow::Result<Option<AtomicFile>> {
        let existing = self.overwrite.existing();
        Ok(self.out.as_ref().map(|out| AtomicFile::create(out, existing)).transpose()?)
    }

    fn finish(&self, qrels: &Qrels, run: &Run, out: Option<AtomicFile>) -> anyhow::Result<()> {
        let measures = if self.ranking.measures.is_empty() {
            usual(qrels)
        } else {
            self.ranking.measures.clone()
        };
        let report: RankingReport = evaluate_run(qrels, run, &measures, &Bootstrap::default())?;
        ensure!(
            report.unanswered < report.queries,
            "no query of the judgements is in the run, such as `{}`; {}",
            qrels.keys().next().map_or("", String::as_str),
            match (&self.ranking.run, run.keys().next()) {
                (Some(file), Some(query)) =>
                    format!("{} has others, such as `{query}`", file.display()),
                _ =>
                    "queries are known by --query-id, whose values must be those of the judgements"
                        .to_owned(),
            }
        );
        say(report.to_string().trim_end());
        if let Some(mut file) = out {
            let json = serde_json::to_string_pretty(&report)? + "\n";
            file.write_all(json.as_bytes())
                .with_context(|| format!("cannot write {}", file.path().display()))?;
            file.commit()?;
        }
        Ok(())
    }
}

/// The usual measures for the grades of these judgements, with a word on those that differ from the usual ones.
fn usual(qrels: &Qrels) -> Vec<RankingMeasure> {
    let highest = qrels.values().flat_map(|judged| judged.values()).copied().max().unwrap_or(0);
    let mut measures = Vec::new();
    for measure in RankingMeasure::usual() {
        match measure.up_to(highest) {
            Some(fitting) => {
                if fitting != measure {
                    complain(&format!(
                        "{fitting} in place of {measure}, because the highest grade of the judgements is {highest}"
                    ));
                }
                measures.push(fitting);
            }
            None => complain(&format!(
                "without {measure}, which knows no grades as high as {highest}, the highest of the judgements"
            )),
        }
    }
    measures
}

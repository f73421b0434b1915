//! `sextant judge agree`.

use super::judged_file;
use crate::arguments::{Overwrite, Reading};
use crate::say::{complain, say};
use crate::scoring::{Scoring, at_row};
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Deserialize;
use sextant_core::{Example, Grade, Pair, Prediction, Split};
use sextant_data::{Labels, PairKey, ReadOptions};
use sextant_eval::{Estimate, PredictionPowered};
use sextant_files::AtomicFile;
use sextant_judge::{AgreeOptions, Agreed, JudgeAgreement, TaskAgreement, agree, load_rows};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// `judge agree`
#[derive(Debug, Args)]
pub(crate) struct AgreeCommand {
    /// The judge's folder, or a file of rows with `probs`, as `sextant score` writes it
    judged: PathBuf,
    /// Rows with the grades of people; unless named, the rows of the judge's folder that had a grade
    people: Option<PathBuf>,
    /// Which part of a data set the people's rows are; all unless stated
    #[arg(long)]
    split: Option<Split>,
    /// The least quadratic-weighted kappa at which a judge is trusted; the lower end of its interval must reach it
    #[arg(long, default_value_t = 0.6)]
    least_kappa: f64,
    /// A bundle whose accuracy is estimated from the labels of people and of the judge together
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Another bundle: estimate the difference of the two
    #[arg(long, requires = "bundle")]
    against: Option<PathBuf>,
    /// The difference that labels are to settle
    #[arg(long, default_value_t = 0.02)]
    difference: f64,
    /// Write the result as JSON
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    scoring: Scoring,
}

/// What is read of a judged row besides the pair.
#[derive(Deserialize)]
struct Judged {
    probs: [f32; Grade::COUNT],
    /// The grade that `sextant score` and `eval` write, which a rule may have decided.
    predicted_grade: Option<Grade>,
    #[serde(default = "one")]
    label_mass: f64,
    people: Option<Grade>,
}

impl Judged {
    /// Checks that the numbers are probabilities: this is where the line is known.
    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            Prediction::new(self.probs).is_distribution(),
            "`probs` {:?} are not probabilities that sum to 1; judge or score the row again, or remove the line",
            self.probs
        );
        ensure!(
            self.label_mass.is_finite() && self.label_mass >= 0.0,
            "`label_mass` {} is not a number of 0 or more; correct it, or leave it out for 1",
            self.label_mass
        );
        Ok(())
    }
}

fn one() -> f64 {
    1.0
}

/// A row that the judge graded, and perhaps people.
struct Row {
    pair: Pair,
    answer: Prediction,
    label_mass: f64,
    people: Option<Example>,
}

impl AgreeCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let existing = self.overwrite.existing();
        let out = self.out.as_ref().map(|out| AtomicFile::create(out, existing)).transpose()?;
        let rows = self.rows()?;
        let both: Vec<Agreed<'_>> = rows
            .iter()
            .filter_map(|row| {
                let example = row.people.as_ref()?;
                Some(Agreed { example, answer: row.answer, label_mass: row.label_mass })
            })
            .collect();
        ensure!(
            !both.is_empty(),
            "{}: no row that the judge graded has a grade of people; name labelled rows of the same pairs",
            self.judged.display()
        );
        let options = AgreeOptions { least_kappa: self.least_kappa, ..AgreeOptions::default() };
        let found = agree(&both, &options)?;
        print(&found);
        let powered = self.bundle.as_ref().map(|bundle| self.powered(bundle, &rows)).transpose()?;
        if let Some(mut file) = out {
            let json = serde_json::json!({ "agreement": found, "prediction_powered": powered });
            file.write_all(serde_json::to_string_pretty(&json)?.as_bytes())?;
            file.commit()?;
        }
        Ok(())
    }

    /// The judged rows, with the grades of people where there are some.
    fn rows(&self) -> anyhow::Result<Vec<Row>> {
        let path = judged_file(&self.judged)?;
        let options = self.reading.options(Labels::Optional);
        let mut people: HashMap<PairKey, Example> = HashMap::new();
        if let Some(data) = &self.people {
            for row in load_rows(data, &options, self.split)? {
                let Some(grade) = row.grade else { continue };
                let line = row.line;
                let before = people.insert(PairKey::of(&row.pair), row.with_grade(grade));
                ensure!(
                    before.as_ref().is_none_or(|before| before.grade == grade),
                    "{} line {line}: the pair was labelled {} before and {grade} here; make one grade of several raters first (`sextant data import`, docs/import.md)",
                    data.display(),
                    before.map_or(grade, |before| before.grade)
                );
            }
        }
        // The judge's pairs, with the grades of people that its own rows have.
        let mut partners: HashMap<PairKey, Option<Grade>> = HashMap::new();
        let mut repeated = 0;
        // The readers of rows pass over the judge's own columns, which are read from the same lines.
        let read = ReadOptions { format: Some(sextant_data::Format::Jsonl), ..options };
        let pairs = load_rows(&path, &read, None)?;
        let file = std::fs::File::open(&path).with_context(|| path.display().to_string())?;
        let mut lines = BufReader::new(file).lines().enumerate();
        let mut rows = Vec::with_capacity(pairs.len());
        for row in pairs {
            let wanted = row.line as usize - 1;
            let Some((_, line)) = lines.find(|(number, _)| *number == wanted) else {
                bail!("{}: changed while it was read", path.display());
            };
            let at = || format!("{} line {}", path.display(), row.line);
            let judged: Judged = serde_json::from_str(&line.with_context(at)?).with_context(at)?;
            judged.check().with_context(at)?;
            let pair = row.pair.clone();
            let key = PairKey::of(&pair);
            if let Some(before) = partners.get(&key) {
                // One label of people is one label, however often the judge was asked.
                ensure!(
                    self.people.is_some() || *before == judged.people,
                    "{}: people gave the pair another grade in a row before; make one grade of several raters first (`sextant data import`, docs/import.md), and name the rows after the judge's",
                    at()
                );
                repeated += 1;
                continue;
            }
            partners.insert(key.clone(), judged.people);
            let own = match self.people {
                Some(_) => people.get(&key).cloned(),
                None => judged.people.map(|grade| row.with_grade(grade)),
            };
            let answer = Prediction::new(judged.probs);
            let decided = judged.predicted_grade.filter(|grade| *grade != answer.grade());
            let (answer, label_mass) = (answer.decided_as(decided), judged.label_mass);
            rows.push(Row { pair, answer, label_mass, people: own });
        }
        if repeated > 0 {
            complain(&format!(
                "{}: {repeated} rows repeat a pair and are left out; the first answer counts",
                path.display()
            ));
        }
        let alone = people.keys().filter(|key| !partners.contains_key(*key)).count();
        if alone > 0 {
            complain(&format!(
                "{alone} of {} labelled pairs are not among the judge's rows, and say nothing here",
                people.len()
            ));
        }
        Ok(rows)
    }

    /// The accuracy of a bundle, or the difference of two, from the labels of people and of the judge.
    fn powered(&self, bundle: &Path, rows: &[Row]) -> anyhow::Result<PredictionPowered> {
        let mut grades = vec![self.grades(bundle, rows)?];
        if let Some(other) = &self.against {
            grades.push(self.grades(other, rows)?);
        }
        let right = |row: usize, truth: Grade| {
            let of = |model: &Vec<Option<Grade>>| Some(f64::from(u8::from(model[row]? == truth)));
            match grades.as_slice() {
                [one] => of(one),
                [one, other] => Some(of(one)? - of(other)?),
                _ => None,
            }
        };
        let (mut both, mut judge_only) = (Vec::new(), Vec::new());
        for (index, row) in rows.iter().enumerate() {
            let Some(judged) = right(index, row.answer.grade()) else { continue };
            match &row.people {
                Some(example) => both.extend(right(index, example.grade).map(|y| (y, judged))),
                None => judge_only.push(judged),
            }
        }
        let found = PredictionPowered::mean(&both, &judge_only, None)
            .with_context(|| format!("{}: people graded no row of its tasks", bundle.display()))?;
        let what = if self.against.is_some() { "difference of accuracies" } else { "accuracy" };
        let (alone, of_alone) = found.people;
        say(&format!(
            "{what} of {}, from {} labels of people and {} more of the judge:",
            bundle.display(),
            both.len(),
            judge_only.len()
        ));
        say(&format!("  people alone      {alone:.4} [{:.4}, {:.4}]", of_alone.low, of_alone.high));
        say(&format!(
            "  prediction-powered {:.4} [{:.4}, {:.4}], as if people had labelled {:.2} times as many (reliance on the judge {:.2})",
            found.value,
            found.interval.low,
            found.interval.high,
            found.effective_labels,
            found.reliance
        ));
        let number = |n: Option<f64>| n.map_or("no number of".to_owned(), |n| format!("{n:.0}"));
        let [without, with] = found.labels_needed(self.difference);
        say(&format!(
            "  to settle a difference of {}: {} labels of people alone, {} labels of people beside the judge's",
            self.difference,
            number(without),
            number(with)
        ));
        Ok(found)
    }

    /// What a bundle answers to each row; none where it does not know the task.
    fn grades(&self, bundle: &Path, rows: &[Row]) -> anyhow::Result<Vec<Option<Grade>>> {
        let scorer = self.scoring.open(bundle)?;
        let tasks = scorer.tasks();
        let asked: Vec<usize> =
            (0..rows.len()).filter(|&row| tasks.contains(&rows[row].pair.task)).collect();
        let pairs: Vec<Pair> = asked.iter().map(|&row| rows[row].pair.clone()).collect();
        let answers = scorer.predict(&pairs).map_err(|error| {
            at_row(error, |row| format!("judged row {}", asked[row] + 1), &pairs)
        })?;
        let mut grades = vec![None; rows.len()];
        for (row, answer) in asked.into_iter().zip(answers) {
            grades[row] = Some(answer.grade());
        }
        Ok(grades)
    }
}

fn print(found: &JudgeAgreement) {
    let shown = |estimate: Option<Estimate>| match estimate {
        None => "undefined".to_owned(),
        Some(Estimate { value, interval: None }) => format!("{value:.3}"),
        Some(Estimate { value, interval: Some(interval) }) => {
            format!("{value:.3} [{:.3}, {:.3}]", interval.low, interval.high)
        }
    };
    let line = |name: &str, of: &TaskAgreement| {
        say(&format!(
            "{name:<16} {:>6} rows of {} groups  same grade {}  QWK {}  kappa {}  {}",
            of.rows,
            of.groups,
            shown(of.agreement),
            shown(of.quadratic_kappa),
            shown(of.cohen_kappa),
            if of.trusted { "trusted" } else { "NOT trusted" }
        ));
    };
    for (task, of) in &found.tasks {
        line(task.as_str(), of);
    }
    line("all rows", &found.pooled);
    say(&format!(
        "trusted where the interval of QWK is at {} or above, from {} groups of rows or more; the labels had {:.3} of the probability",
        found.least_kappa, found.least_groups, found.label_mass
    ));
    say("people (rows) by judge (columns):");
    for (grade, cells) in Grade::ALL.into_iter().zip(&found.report.pooled.confusion) {
        say(&format!("  {grade:<11}{:>7}{:>7}{:>7}", cells[0], cells[1], cells[2]));
    }
    say("where it agrees least:");
    for slice in &found.slices {
        let [low, high] = slice.interval;
        say(&format!(
            "  {:<7}{:<28}{:>6} rows  same grade {:.3} [{low:.3}, {high:.3}]  bias {:+.2}",
            slice.by, slice.name, slice.rows, slice.agreement, slice.bias
        ));
    }
}

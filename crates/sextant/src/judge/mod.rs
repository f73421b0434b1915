//! `sextant judge`: grades from a language model, and its agreement with people.

mod agree;
mod settings;

use crate::arguments::{Overwrite, Reading};
use crate::interrupt::{self, Stopped};
use crate::progress::RowProgress;
use crate::say::{complain, say};
use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use settings::{Asking, Shots};
use sextant_core::{Example, Pair, Split};
use sextant_data::{Labels, Row};
use sextant_files::{Existing, Lock, OwnFiles};
use sextant_judge::{
    JudgeError, Judged, Judging, Ledger, Prompt, Settings, ShotChoice, Spent, Trial, choose_shots,
    load_rows, rows_of_other_data, run, write_judged,
};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The files of a judge's folder: who judges, every answer, what held no grade, and the rows with grades.
const HEAD: &str = "judge.json";
const ANSWERS: &str = "answers.jsonl";
const GRADELESS: &str = "answers-without-grade.jsonl";
const ROWS: &str = "rows.jsonl";
/// The folder of the answers by which examples were chosen.
const TRIALS: &str = "trials";
/// The most rows without a grade that are named.
const NAMED: usize = 10;

/// `judge`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct JudgeCommand {
    #[command(subcommand)]
    command: Option<Sub>,
    #[command(flatten)]
    grade: Grading,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Say how far a judge agrees with people, and what that is worth
    Agree(agree::AgreeCommand),
}

#[derive(Debug, Args)]
struct Grading {
    /// Pairs, labelled or not: a data set or a file
    #[arg(required = true)]
    data: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    examples: Shots,
    /// Judge only this part of a data set: train, dev or test
    #[arg(long)]
    split: Option<Split>,
    /// Judge at most so many rows, the first ones
    #[arg(long)]
    limit: Option<usize>,
    /// The judge's folder. A run with the same judge goes on where the last one was
    #[arg(long, required = true)]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    reading: Reading,
}

impl JudgeCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Some(Sub::Agree(command)) => command.run(),
            None => self.grade.run(),
        }
    }
}

impl Grading {
    /// The folder to write. The grammar asks for it unless there is a subcommand.
    fn out(&self) -> anyhow::Result<&Path> {
        self.out.as_deref().context("name the judge's folder with `--out`")
    }

    /// The pairs to judge. The grammar asks for them, likewise.
    fn data(&self) -> anyhow::Result<&Path> {
        self.data.as_deref().context("name the pairs to judge, or `agree`")
    }

    fn run(self) -> anyhow::Result<()> {
        let out = self.out()?;
        let prompt = Prompt::open(&self.asking.prompt)?;
        let client = self.asking.client()?;
        let existing = self.overwrite.existing();
        std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        let _lock = Lock::folder(out)?;
        let mut own = OwnFiles::of(out)?;
        own.admit([HEAD, ANSWERS, GRADELESS, ROWS], existing)?;
        if existing == Existing::Overwrite {
            begin_anew(out, &own)?;
        }
        let mut rows =
            load_rows(self.data()?, &self.reading.options(Labels::Optional), self.split)?;
        rows.truncate(self.limit.unwrap_or(rows.len()));

        interrupt::install()?;
        let pace = self.asking.pace()?;
        let judging = Judging { client: &client, pace: &pace };
        let mut settings = self.asking.settings(prompt)?;
        self.check_head(&settings)?;
        let mut progress = RowProgress::new("judged");
        let mut observer = |rows| {
            progress.add(rows);
            interrupt::flow()
        };
        let ran = self.judge(judging, &mut settings, &rows, &mut own, existing, &mut observer);
        progress.finish();
        let (judged, written) = match ran {
            Err(error) if matches!(error.downcast_ref(), Some(JudgeError::Stopped)) => {
                return Err(Stopped(error.to_string()).into());
            }
            ran => ran?,
        };
        self.report(out, &judged, &rows, written);
        // A program that runs this must see that it is not done, or in vain.
        ensure!(
            judged.left == 0,
            "the budget is met with {} rows left; run the command again with a larger one to go on",
            judged.left
        );
        ensure!(
            written > 0 || rows.is_empty(),
            "no answer holds a grade; `{GRADELESS}` in {} has what the model said; try another `--method`, `--prompt` or model",
            out.display()
        );
        Ok(())
    }

    /// Chooses examples if asked to, asks about the rows, and writes those with grades.
    fn judge(
        &self,
        judging: Judging<'_>,
        settings: &mut Settings,
        rows: &[Row],
        own: &mut OwnFiles,
        existing: Existing,
        observer: &mut dyn FnMut(usize) -> std::ops::ControlFlow<()>,
    ) -> anyhow::Result<(Judged, usize)> {
        let (mut trials, mut tried) = (Vec::new(), Spent::default());
        // It is written several times, and people may change the endpoint in it where the same server has moved.
        own.claim(HEAD)?;
        if !self.out()?.join(HEAD).exists() {
            // Before anything is asked, also about examples, so that a run that is killed leaves behind whose answers
            // it has.
            let hash = settings.prompt.hash(&settings.shots);
            let ledger = Ledger::open(&self.out()?.join(ANSWERS), settings.judge(&hash))?;
            self.write_head(own, existing, settings, (&hash, &ledger), (&[], ledger.spent()))?;
        }
        if let Some(choice) = self.examples.choice(settings.seed)? {
            (trials, tried) = self.choose(judging, settings, choice, own, &mut *observer)?;
            settings.shots.clone_from(&trials[0].shots);
            settings.budget = settings.budget.less(tried);
        }
        let hash = settings.prompt.hash(&settings.shots);
        own.claim(ANSWERS)?;
        own.claim(GRADELESS)?;
        let mut ledger = Ledger::open(&self.out()?.join(ANSWERS), settings.judge(&hash))?;
        self.write_head(own, existing, settings, (&hash, &ledger), (&trials, ledger.spent()))?;
        let others = rows_of_other_data(&self.out()?.join(ROWS), rows)?;
        let pairs: Vec<Pair> = rows.iter().map(|row| row.pair.clone()).collect();
        let ran = run(judging, settings, &pairs, &mut ledger, &mut *observer);
        // What was answered is written out also if the run ends early.
        let mut spent = ledger.spent();
        spent += tried;
        self.write_head(own, existing, settings, (&hash, &ledger), (&trials, spent))?;
        let mut file = own.create(ROWS, existing)?;
        let written = {
            let mut out = std::io::BufWriter::new(&mut file);
            let written = write_judged(&mut out, rows, &ledger)?;
            for line in &others {
                writeln!(out, "{line}")?;
            }
            out.flush()?;
            written
        };
        file.commit()?;
        if !others.is_empty() {
            complain(&format!(
                "{ROWS} keeps {} rows of other data that this judge has graded",
                others.len()
            ));
        }
        Ok((Judged { spent, ..ran? }, written))
    }

    fn choose(
        &self,
        judging: Judging<'_>,
        settings: &Settings,
        choice: ShotChoice,
        own: &mut OwnFiles,
        observer: &mut dyn FnMut(usize) -> std::ops::ControlFlow<()>,
    ) -> anyhow::Result<(Vec<Trial>, Spent)> {
        let Some(from) = &self.examples.examples_from else { return Ok(Default::default()) };
        let options = self.reading.options(Labels::Required);
        let of = |split| -> anyhow::Result<Vec<Example>> {
            let rows = load_rows(from, &options, Some(split))?;
            let graded = rows.into_iter().filter_map(|row| {
                let grade = row.grade?;
                Some(row.with_grade(grade))
            });
            Ok(graded.collect())
        };
        let (train, dev) = (of(Split::Train)?, of(Split::Dev)?);
        let dev = spread(dev, self.examples.example_rows);
        own.claim(TRIALS)?;
        let folder = self.out()?.join(TRIALS);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let (trials, spent) =
            choose_shots(judging, settings, choice, &train, &dev, &folder, observer)?;
        for trial in &trials {
            complain(&format!(
                "{} examples: agreement {:.3} on {} dev rows",
                trial.shots.len(),
                trial.agreement,
                trial.rows
            ));
        }
        Ok((trials, spent))
    }

    /// Refuses a folder whose answers are of another endpoint or seed. The model, the prompt and the method are in
    /// every answer, and compared with the ledger.
    fn check_head(&self, settings: &Settings) -> anyhow::Result<()> {
        let path = self.out()?.join(HEAD);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let answers = self.out()?.join(ANSWERS);
                ensure!(
                    !answers.exists(),
                    "{}: there are answers, but no `{HEAD}` that says whose they are; name another folder with `--out`, or bring the file back",
                    answers.display()
                );
                return Ok(());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let head: serde_json::Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not what `judge` writes", path.display()))?;
        // A slash at the end makes no other address.
        let plain = |address: &str| address.trim().trim_end_matches('/').to_owned();
        let endpoint = self.asking.endpoint()?;
        let there = head["endpoint"].as_str().unwrap_or(endpoint);
        ensure!(
            plain(there) == plain(endpoint),
            "{}: the answers here are of the endpoint {there}, not of {endpoint}; name another folder with `--out`, or, if the same server has moved, change `endpoint` in this file",
            path.display()
        );
        let seed = head["seed"].as_u64().unwrap_or(settings.seed);
        ensure!(
            seed == settings.seed,
            "{}: the answers here were had with `--seed {seed}`, not {}; name another folder with `--out`",
            path.display(),
            settings.seed
        );
        Ok(())
    }

    fn write_head(
        &self,
        own: &mut OwnFiles,
        existing: Existing,
        settings: &Settings,
        (hash, ledger): (&str, &Ledger),
        (trials, spent): (&[Trial], Spent),
    ) -> anyhow::Result<()> {
        let head = serde_json::json!({
            "endpoint": self.asking.endpoint()?, "model": settings.model, "data": self.data,
            "method": ledger.method(), "votes": settings.votes, "seed": settings.seed,
            "prompt": settings.prompt, "prompt_sha256": hash, "shots": settings.shots,
            "trials": trials, "answers": ledger.len(), "spent": spent,
            "cost": settings.budget.prices.cost(spent),
        });
        let mut file = own.create(HEAD, existing)?;
        file.write_all(serde_json::to_string_pretty(&head)?.as_bytes())?;
        Ok(file.commit()?)
    }

    fn report(&self, out: &Path, judged: &Judged, rows: &[Row], written: usize) {
        let method = judged.method.map_or("nothing asked".to_owned(), |m| format!("by {m}"));
        say(&format!(
            "{}: {written} of {} rows have a grade ({method}): {} answered now, {} known, {} without a grade, {} left",
            out.display(),
            rows.len(),
            judged.asked,
            judged.known,
            judged.failed.len(),
            judged.left,
        ));
        let cost = self.asking.prices().cost(judged.spent);
        let cost = if cost > 0.0 { format!(", cost {cost:.4}") } else { String::new() };
        say(&format!(
            "  {} tokens read and {} written{cost}",
            judged.spent.input_tokens, judged.spent.output_tokens
        ));
        for (index, problem) in judged.failed.iter().take(NAMED) {
            complain(&format!("row {}: {problem}", rows[*index].line));
        }
    }
}

/// Removes what earlier runs have left in a judge's folder, and says so: answers cost money.
fn begin_anew(out: &Path, own: &OwnFiles) -> anyhow::Result<()> {
    let answers = out.join(ANSWERS);
    if own.is_ours(ANSWERS)? && answers.exists() {
        let text = std::fs::read_to_string(&answers)
            .with_context(|| format!("cannot read {}", answers.display()))?;
        let count = text.lines().count();
        complain(&format!("{}: {count} answers were there and are removed", answers.display()));
    }
    for name in [HEAD, ANSWERS, GRADELESS, ROWS] {
        own.remove(name)?;
    }
    let trials = out.join(TRIALS);
    if own.is_ours(TRIALS)? && trials.is_dir() {
        let read = || format!("cannot read {}", trials.display());
        for entry in std::fs::read_dir(&trials).with_context(read)? {
            let path = entry.with_context(read)?.path();
            // A trial's file of answers; anything else is somebody's.
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                std::fs::remove_file(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
    }
    Ok(())
}

/// At most `most` rows, at equal distances among those of each task.
fn spread(rows: Vec<Example>, most: usize) -> Vec<Example> {
    let mut of_tasks: BTreeMap<_, Vec<Example>> = BTreeMap::new();
    for row in rows {
        of_tasks.entry(row.pair.task).or_default().push(row);
    }
    let each = most.div_ceil(of_tasks.len().max(1)).max(1);
    let taken = of_tasks.into_values().flat_map(|rows| {
        let step = rows.len().div_ceil(each).max(1);
        rows.into_iter().step_by(step)
    });
    taken.collect()
}

/// The rows with grades of a judge's folder, or the file itself.
pub(crate) fn judged_file(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let rows = path.join(ROWS);
    ensure!(
        rows.exists(),
        "{}: is not the folder of a judge: it has no `{ROWS}`; `sextant judge DATA --out {}` makes one",
        path.display(),
        path.display()
    );
    Ok(rows)
}

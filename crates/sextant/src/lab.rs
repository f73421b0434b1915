//! `sextant lab`: grids of runs and their reports.

use crate::arguments::Overwrite;
use crate::device::DeviceArgs;
use crate::get;
use crate::interrupt::{self, Stopped};
use crate::say::say;
use anyhow::Context;
use clap::{Args, Subcommand};
use sextant_cli::{Machine, Terminal};
use sextant_files::Existing;
use sextant_lab::{
    AffinityReport, Cell, Grid, Lab, LabEvent, LabRecipe, LedgerEntry, Outcome, ReportFiles,
    RunState, Search, Share, Watcher,
};
use sextant_model::Device;
use sextant_train::{Observer, Observers};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

/// `lab …`
#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Train and evaluate what a lab recipe asks for and is not finished yet
    Run(Run),
    /// Train what shows which tasks help which, and print the gain of every task from every other
    Affinity(Affinity),
    /// Write the report of a lab's folder: HTML, Markdown, JSON and CSV
    Report(Report),
    /// Show the state of each run of a lab's folder
    Status(Status),
}

/// `lab run`
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The lab recipe
    recipe: PathBuf,
    /// The lab's folder; `labs/NAME` unless given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Begin no run that does not fit this time: 45m, 2h, 1h30m
    #[arg(long, value_parser = budget)]
    budget: Option<Duration>,
    /// Do only one of several equal parts of the grid, such as 3/16; the others may run at the same time, on this
    /// machine or on others that share the folder
    #[arg(long, value_name = "PART/PARTS", default_value_t = Share::ALL)]
    shard: Share,
    #[command(flatten)]
    overwrite: Overwrite,
    /// Change a key of the lab recipe: `--set base.schedule.epochs=1.0 --set grid.seeds=[1]`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Tell what happens as JSON, a line for each event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    on: DeviceArgs,
}

/// `lab affinity`: a lab recipe without `[affinity]` is read as if it had an empty one.
#[derive(Debug, Args)]
pub(crate) struct Affinity {
    #[command(flatten)]
    run: Run,
}

/// Which runs of a recipe a command trains.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    All,
    /// Those that show which tasks help which.
    Affinity,
}

/// `lab status`
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The lab's folder
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `lab report`
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The lab's folder
    folder: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
}

impl LabCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Run(command) => command.run(Part::All),
            Self::Affinity(command) => command.run.run(Part::Affinity),
            Self::Report(command) => command.run(),
            Self::Status(command) => command.run(),
        }
    }
}

impl Run {
    fn run(self, part: Part) -> anyhow::Result<()> {
        let mut recipe = LabRecipe::read(&self.recipe, &self.settings)?;
        if part == Part::Affinity {
            recipe.affinity.get_or_insert_default();
        }
        let out = self.out.unwrap_or_else(|| PathBuf::from("labs").join(&recipe.name));
        let grid = Grid::new(recipe, get::resolve)?;
        let grid = if part == Part::Affinity { grid.of_affinity() } else { grid };
        let mut lab = Lab::open(grid, &out, get::resolve)?.with_share(self.shard);
        let watcher: Box<dyn Watcher> =
            if self.json { Box::new(Machine) } else { Box::new(Terminal::new()) };
        let existing = self.overwrite.existing();
        let end = run_all(&mut lab, &self.on.device, self.budget, existing, watcher)?;
        if !self.json {
            let share = match self.shard {
                Share::ALL => String::new(),
                share => format!(" (part {share})"),
            };
            say(&format!("{}{share}: {end}", out.display()));
        }
        if part == Part::Affinity {
            let report = AffinityReport::new(&lab)?;
            if self.json {
                say(&serde_json::json!({"event": "affinity", "affinities": report.to_json()})
                    .to_string());
            } else if let Some(text) = report.to_text() {
                say(&text);
            }
        }
        Ok(())
    }
}

/// What tells people how to go on with a lab that is not finished.
const AGAIN: &str = "run the same command again to go on";

/// Runs a lab until it is finished, out of time, or asked to stop, which is an error. Returns how it ended.
pub(crate) fn run_all(
    lab: &mut Lab,
    device: &Device,
    budget: Option<Duration>,
    existing: Existing,
    watcher: Box<dyn Watcher>,
) -> anyhow::Result<String> {
    interrupt::install()?;
    let outcome = lab.run(device, budget, existing, &mut Interruptible(watcher))?;
    match outcome {
        Outcome::Complete => Ok("every run is finished".to_owned()),
        Outcome::OutOfTime => Ok(format!("out of time; {AGAIN}")),
        Outcome::Interrupted { within } => {
            let place = within.map_or_else(
                || "while no run was trained".to_owned(),
                |(run, step)| format!("after step {step} of {run}"),
            );
            let folder = lab.folder().display();
            Err(Stopped(format!("{folder}: stopped, as asked, {place}; {AGAIN}")).into())
        }
    }
}

/// A watcher that ends the work when somebody asks the program to stop.
struct Interruptible(Box<dyn Watcher>);

impl Watcher for Interruptible {
    fn on_event(&mut self, event: LabEvent<'_>) -> ControlFlow<()> {
        let flow = self.0.on_event(event);
        if flow.is_break() { flow } else { interrupt::flow() }
    }

    fn observer(&mut self, cell: &Cell) -> Box<dyn Observer> {
        Box::new(Observers(vec![self.0.observer(cell), Box::new(interrupt::Stop)]))
    }
}

/// The lab of a folder, by the recipe that is kept there.
fn open(folder: &std::path::Path) -> anyhow::Result<Lab> {
    let recipe = LabRecipe::read(&folder.join("lab.toml"), &[])
        .with_context(|| format!("{} is no lab's folder", folder.display()))?;
    Ok(Lab::open(Grid::new(recipe, get::resolve)?, folder, get::resolve)?)
}

impl Report {
    fn run(self) -> anyhow::Result<()> {
        let files = ReportFiles::write(&open(&self.folder)?, self.overwrite.existing())?;
        if !files.verdict.is_empty() {
            say(&format!("{}\n", files.verdict));
        }
        for path in [files.html, files.markdown, files.json, files.tables] {
            say(&path.display().to_string());
        }
        Ok(())
    }
}

impl Status {
    fn run(self) -> anyhow::Result<()> {
        let lab = open(&self.folder)?;
        let mut lines = Vec::new();
        for cell in &lab.grid.cells {
            lines.push(Line::new(&lab, cell)?);
        }
        // Of a search, only trials that a process works on are shown: which others run depends on results.
        let search = Search::new(&lab.grid.recipe)?;
        for cell in search.iter().flat_map(Search::cells) {
            let line = Line::new(&lab, cell)?;
            if line.holder.is_some() {
                lines.push(line);
            }
        }
        if self.json {
            let runs: Vec<_> = lines.iter().map(Line::json).collect();
            say(&serde_json::to_string_pretty(&runs)?);
            return Ok(());
        }
        for line in &lines {
            say(&line.text());
        }
        let finished = lines.iter().filter(|line| line.state == RunState::Finished).count();
        say(&format!("{finished} of {} runs finished", lab.grid.cells.len()));
        Ok(())
    }
}

/// A run as `lab status` shows it.
struct Line<'a> {
    cell: &'a Cell,
    state: RunState,
    /// The process that works on the run now.
    holder: Option<String>,
    entry: Option<&'a LedgerEntry>,
}

impl<'a> Line<'a> {
    fn new(lab: &'a Lab, cell: &'a Cell) -> anyhow::Result<Self> {
        let holder = lab.holder(cell);
        Ok(Self { cell, state: lab.state(cell)?, holder, entry: lab.ledger.get(cell.name()) })
    }

    fn json(&self) -> serde_json::Value {
        let Self { cell, state, holder, entry } = self;
        serde_json::json!({
            "run": cell.name(), "state": state.as_str(), "holder": holder, "entry": entry,
        })
    }

    fn text(&self) -> String {
        let name = self.cell.name();
        if let Some(holder) = &self.holder {
            return format!("{:9} {name}  by {holder}", "running");
        }
        let result = self.entry.map_or_else(String::new, |entry| {
            let found = match (entry.test_accuracy, entry.dev) {
                (Some(found), _) => format!("test accuracy {found:.4}, "),
                (None, Some(found)) => format!("dev {found:.4}, "),
                (None, None) => String::new(),
            };
            format!("  {found}{:.0} s", entry.seconds)
        });
        format!("{:9} {name}{result}", self.state.as_str())
    }
}

/// `45m`, `2h`, `1h30m`, `90s`.
fn budget(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is no time; write 45m, 2h or 1h30m");
    let (mut seconds, mut number) = (0_u64, String::new());
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(bad()),
        };
        let count: u64 = std::mem::take(&mut number).parse().map_err(|_| bad())?;
        seconds = count.checked_mul(unit).and_then(|s| s.checked_add(seconds)).ok_or_else(bad)?;
    }
    if !number.is_empty() || seconds == 0 {
        return Err(bad());
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    #[test]
    fn budgets() {
        let seconds = |text| super::budget(text).map(|time| time.as_secs());
        assert_eq!(
            [seconds("45m"), seconds("1h30m"), seconds("2h")],
            [Ok(2700), Ok(5400), Ok(7200)]
        );
        for bad in ["", "5", "h", "2d", "-1h", "0m", "99999999999999999999h", "1h5"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}

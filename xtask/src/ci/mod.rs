//! `cargo xtask ci`: the checks that must pass, by name.

mod held;
mod parts;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use held::Held;
use parts::{PARTS, Part};
use std::fmt;
use std::io::{BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// `ci`
#[derive(Debug, Args)]
pub(crate) struct Ci {
    /// The parts to run, in the order of this list whatever the order here: all of them unless named
    #[arg(value_parser = PossibleValuesParser::new(PARTS.map(|part| part.name)))]
    parts: Vec<String>,
    /// Go on after a part that failed, and fail at the end
    #[arg(long)]
    keep_going: bool,
}

impl Ci {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let named =
            |part: &Part| self.parts.is_empty() || self.parts.iter().any(|name| name == part.name);
        let parts: Vec<Part> = PARTS.into_iter().filter(named).collect();
        // The checks cover the whole tree, wherever in it they are started.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        std::env::set_current_dir(&root).with_context(|| {
            format!("cannot go to {}; was the tree moved since?", root.display())
        })?;
        run_all(&parts, self.keep_going, &mut std::io::stdout())
    }
}

/// The result of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    NotRun,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotRun => "not run",
        })
    }
}

/// Runs parts one after the other and prints how long each took. The output ends with the last summary
/// of the test runner, if one ran, because that is what readers look for at the end of a log.
fn run_all(parts: &[Part], keep_going: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let mut rows: Vec<(&str, Outcome, Duration)> = Vec::new();
    let mut held = Held::default();
    for part in parts {
        let failed = rows.iter().any(|row| row.1 == Outcome::Failed);
        if failed && !keep_going {
            rows.push((part.name, Outcome::NotRun, Duration::ZERO));
            continue;
        }
        let begun = Instant::now();
        let outcome = match run(part, &mut held, out) {
            Ok(true) => Outcome::Passed,
            Ok(false) => Outcome::Failed,
            Err(error) => {
                writeln!(out, "{}: {error:#}", part.name)?;
                Outcome::Failed
            }
        };
        rows.push((part.name, outcome, begun.elapsed()));
    }
    writeln!(out, "\n| part | seconds | |\n|---|---:|---|")?;
    for (name, outcome, time) in &rows {
        match outcome {
            Outcome::NotRun => writeln!(out, "| {name} | | {outcome} |")?,
            _ => writeln!(out, "| {name} | {:.0} | {outcome} |", time.as_secs_f64())?,
        }
    }
    writeln!(out)?;
    held.release(out)?;
    let failed = rows.iter().filter(|row| row.1 == Outcome::Failed).map(|row| row.0);
    let failed: Vec<&str> = failed.collect();
    if !failed.is_empty() {
        bail!("{0} failed; `cargo xtask ci {0}` runs that alone", failed.join(" "));
    }
    Ok(())
}

/// Runs one part, and returns whether it passed.
fn run(part: &Part, held: &mut Held, out: &mut impl Write) -> anyhow::Result<bool> {
    held.release(out)?;
    writeln!(out, "\n== {}: {}", part.name, part.line())?;
    out.flush()?;
    let mut command = part.start();
    if !part.runs_tests {
        return Ok(command.status().with_context(|| part.absent())?.success());
    }
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| part.absent())?;
    if let Some(stdout) = child.stdout.take() {
        held.pass(BufReader::new(stdout), out)?;
    }
    Ok(child.wait()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parts::part;

    fn said(parts: &[Part], keep_going: bool) -> (bool, String) {
        let mut out = Vec::new();
        let passed = run_all(parts, keep_going, &mut out).is_ok();
        (passed, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_first_failure_ends_the_checks_unless_told_otherwise() {
        let parts = [part("one", "true"), part("two", "false"), part("three", "true")];
        let (passed, text) = said(&parts, false);
        assert!(!passed && !text.contains("== three"), "{text}");
        assert!(text.contains("| two | 0 | failed |\n| three | | not run |"), "{text}");
        let (passed, text) = said(&parts, true);
        assert!(!passed && text.contains("| three | 0 | passed |"), "{text}");
    }

    #[test]
    fn the_output_ends_with_the_test_runners_summary() {
        let said_by_it = r"printf running\n\ntest\040result:\040ok\n\n";
        let tests = Part { runs_tests: true, ..part("test", said_by_it) };
        let (passed, text) = said(&[part("one", "true"), tests], false);
        assert!(passed && text.ends_with("| passed |\n\ntest result: ok\n\n"), "{text}");
        assert_eq!(text.matches("test result").count(), 1, "{text}");
    }

    #[test]
    fn a_program_that_is_absent_fails_its_part_and_says_so() {
        let (passed, text) = said(&[part("one", "no-such-program")], false);
        assert!(!passed && text.contains("cannot run `no-such-program`"), "{text}");
    }

    /// People who work on the tree read the parts' names there.
    #[test]
    fn the_guide_for_contributors_names_every_part() {
        let guide = include_str!("../../../CONTRIBUTING.md");
        for part in PARTS {
            assert!(guide.contains(&format!("`{}`", part.name)), "{}", part.name);
        }
    }
}

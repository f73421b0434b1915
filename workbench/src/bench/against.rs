//! The benchmark of this working tree beside that of another revision, in one interleaved run.

use super::{Bench, Times};
use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The top folder of the repository.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    Ok(git(Path::new("."), &["rev-parse", "--show-toplevel"])?.into())
}

/// The commit that is checked out, and whether anything was changed since.
pub(crate) fn revision(root: &Path) -> anyhow::Result<String> {
    git(root, &["describe", "--always", "--abbrev=12", "--dirty"])
}

/// The other revision, built.
pub(crate) struct Other {
    /// The commit, abbreviated.
    pub(crate) commit: String,
    program: PathBuf,
}

impl Other {
    /// Checks a revision out in a work tree of its own, under `target/bench`, and builds its workbench there. The
    /// folder is kept, so that the next comparison with this commit builds nothing.
    pub(crate) fn build(root: &Path, revision: &str) -> anyhow::Result<Self> {
        let known =
            git(root, &["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]);
        let commit = known.with_context(|| {
            format!("`--against {revision}` is neither a revision of this repository nor the name of times that `--save` kept for this processor")
        })?;
        let commit = git(root, &["rev-parse", "--short=12", &commit])?;
        let tree = root.join("target/bench").join(&commit);
        if !tree.join("Cargo.toml").exists() {
            let place = tree.to_str().context("the path of the repository is not UTF-8")?;
            git(root, &["worktree", "add", "--force", "--detach", place, &commit])?;
        }
        println!("building {commit} in {}", tree.display());
        // A folder of its own: cargo tells packages of two work trees apart by their path within the tree
        // alone, so that in one folder the two revisions would overwrite each other.
        let target = tree.join("target");
        let status = Command::new("cargo")
            .args(["build", "--release", "--locked", "--package", "sextant-workbench"])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(&tree)
            .status()
            .context("cannot run cargo")?;
        ensure!(status.success(), "{commit} does not build; what cargo said is above");
        Ok(Self { commit, program: target.join("release/sextant-workbench") })
    }
}

/// Runs both programs in turns, `rounds` times each, and returns the times of ours and of the other. Who begins
/// alternates, so that neither always runs on a machine that the other has warmed. Ours runs the cases that the other
/// has run before, so that both programs are in the same state when a case begins: beside a program with one case
/// fewer, a case came out a sixth slower whose like, measured alone, was as fast.
pub(crate) fn interleaved(
    bench: &Bench,
    model: &Path,
    rounds: usize,
    other: &Other,
) -> anyhow::Result<[Times; 2]> {
    let ours = std::env::current_exe().context("this program has no path")?;
    let place = tempfile::tempdir()?;
    let out = place.path().join("times.json");
    let mut times = [Times::new(), Times::new()];
    for round in 1..=rounds {
        let order = if round % 2 == 1 { [1, 0] } else { [0, 1] };
        for who in order {
            let (program, cases) = match who {
                0 => (&ours, times[1].keys().cloned().collect()),
                _ => (&other.program, Vec::new()),
            };
            for (case, found) in one_round(program, bench, &cases, model, &out)? {
                times[who].entry(case).or_default().push(super::table::median(&found));
            }
        }
        println!("round {round} of {rounds}");
    }
    Ok(times)
}

/// One round of a program, in a process of its own, with a round to warm up before it. Every workbench since the
/// first one knows these options, so that old revisions can be compared, too.
fn one_round(
    program: &Path,
    bench: &Bench,
    cases: &[String],
    model: &Path,
    out: &Path,
) -> anyhow::Result<Times> {
    let mut command = Command::new(program);
    command.args(["bench", "--rounds", "1", "--model"]).arg(model).arg("--out").arg(out);
    command.args(cases.iter().flat_map(|case| ["--case", case]));
    if let Some(only) = &bench.only {
        command.args(["--only", only]);
    }
    if bench.quick {
        command.arg("--quick");
    }
    let status = command
        .env_remove("SEXTANT_PEERS_PYTHON")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(status.success(), "{} failed; what it said is above", program.display());
    let text = std::fs::read(out).context("the benchmark wrote no times")?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} wrote times of another form", program.display()))
}

/// What git prints, without the end of the line.
fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .context("cannot run git")?;
    if !output.status.success() {
        bail!(
            "`git {}` failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_that_is_not_there_is_named() {
        let place = tempfile::tempdir().unwrap();
        git(place.path(), &["init", "--quiet"]).unwrap();
        let error = Other::build(place.path(), "no-such-branch").err().unwrap();
        assert!(
            format!("{error:#}").contains("`--against no-such-branch` is neither"),
            "{error:#}"
        );
        assert!(!place.path().join("target").exists());
    }
}

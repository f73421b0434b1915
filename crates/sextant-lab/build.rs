//! Tells the ledger which commit a build is of, where git is at hand.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=SEXTANT_COMMIT");
    // A commit moves this file; a change that is not committed yet does not build anew for its sake.
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    };
    if let Some(head) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={head}");
    }
    if std::env::var_os("SEXTANT_COMMIT").is_none()
        && let Some(commit) = git(&["describe", "--always", "--dirty", "--abbrev=10"])
    {
        println!("cargo::rustc-env=SEXTANT_COMMIT={commit}");
    }
}

//! Records the commit that a build is made from, for the ledger, if git is available.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=SEXTANT_COMMIT");
    // A commit changes this file, so that the script runs again; changes that are not committed do not
    // start it.
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

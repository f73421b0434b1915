//! Where the browser of tests is.

use std::process::Command;

/// Where Chromium is: `SEXTANT_CHROMIUM`, or what Debian and others call it. Without one the tests that
/// need it are skipped, except in CI.
pub(crate) fn chromium() -> Option<String> {
    let stated = std::env::var("SEXTANT_CHROMIUM").ok();
    let usual = ["chromium", "chromium-browser", "google-chrome", "chrome"].map(str::to_owned);
    let found = stated.into_iter().chain(usual).find(|program| {
        Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no Chromium: install it, or set SEXTANT_CHROMIUM"
        );
        eprintln!("skipped: no Chromium; set SEXTANT_CHROMIUM to run this test");
    }
    found
}

//! The grammar of the command line.

use crate::support::WorkFolder;

#[test]
fn every_command_explains_itself() {
    let place = WorkFolder::empty();
    insta::assert_snapshot!("help", place.ok(&["--help"]));
    for command in [
        "demo", "train", "eval", "compare", "score", "serve", "inspect", "export", "import",
        "merge", "get", "judge", "decide", "cascade",
    ] {
        insta::assert_snapshot!(format!("help-{command}"), place.ok(&[command, "--help"]));
    }
    for command in ["build", "check", "stats", "market", "import", "new", "export"] {
        let text = place.ok(&["data", command, "--help"]);
        insta::assert_snapshot!(format!("help-data-{command}"), text);
    }
    insta::assert_snapshot!("help-lab", place.ok(&["lab", "--help"]));
    insta::assert_snapshot!("help-lab-affinity", place.ok(&["lab", "affinity", "--help"]));
}

#[test]
fn shells_and_manuals_know_every_command() {
    let place = WorkFolder::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.ok(&["completions", shell]);
        assert!(script.contains("consistency") && script.contains("sextant"), "{shell}");
    }
    place.ok(&["man", "--out", "pages"]);
    for page in ["sextant.1", "sextant-serve.1", "sextant-data-split.1"] {
        let text = std::fs::read_to_string(place.path("pages").join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}

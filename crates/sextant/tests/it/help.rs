//! The grammar of the command line.

use crate::support::WorkFolder;

#[test]
fn every_command_explains_itself() {
    let place = WorkFolder::empty();
    insta::assert_snapshot!("help", place.ok(&["--help"]));
    for command in
        ["demo", "train", "eval", "compare", "score", "inspect", "export", "import", "merge", "get"]
    {
        insta::assert_snapshot!(format!("help-{command}"), place.ok(&[command, "--help"]));
    }
    for command in ["build", "check", "stats", "market"] {
        let text = place.ok(&["data", command, "--help"]);
        insta::assert_snapshot!(format!("help-data-{command}"), text);
    }
}

//! Advice that names an option names one that there is, and where it names the command too, one of that command.

use crate::cli::Cli;
use clap::{Command, CommandFactory};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Options of programs that we start or name: those of pip, and Cargo's `--features`.
const OF_OTHERS: [&str; 8] = [
    "quiet",
    "no-deps",
    "only-binary",
    "require-hashes",
    "requirement",
    "dest",
    "hash",
    "features",
];

#[test]
fn every_option_that_a_message_names_is_there() {
    let program = {
        let mut program = Cli::command();
        program.build();
        program
    };
    let mut all: BTreeSet<String> = OF_OTHERS.into_iter().map(Into::into).collect();
    collect(&program, &mut all);
    let (mut named, mut wrong) = (0, Vec::new());
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for problem in problems(line, &program, &all, &mut named) {
                wrong.push(format!("{} line {}: {problem}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(named > 50, "{named} options found: does the search still work?");
}

#[test]
fn an_option_of_another_command_is_found() {
    let mut program = Cli::command();
    program.build();
    let mut all = BTreeSet::new();
    collect(&program, &mut all);
    let found = |line: &str| problems(line, &program, &all, &mut 0);
    assert_eq!(found("write one with `sextant eval --out`; --json"), Vec::<String>::new());
    assert_eq!(found("`sextant eval --json`"), ["`sextant eval` has no option `--json`"]);
    assert_eq!(found("`sextant data split --to`"), ["`sextant data split` has no option `--to`"]);
    assert_eq!(found("say `--no-such-thing`"), ["no command has the option `--no-such-thing`"]);
}

/// The names of all long options of a command and of those below it.
fn collect(command: &Command, names: &mut BTreeSet<String>) {
    names.extend(command.get_arguments().filter_map(|one| one.get_long().map(str::to_owned)));
    command.get_subcommands().for_each(|below| collect(below, names));
}

/// What is wrong with the options that a line names.
fn problems(
    line: &str,
    program: &Command,
    all: &BTreeSet<String>,
    named: &mut usize,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for option in options(line) {
        *named += 1;
        if !all.contains(option) {
            wrong.push(format!("no command has the option `--{option}`"));
        }
    }
    // Between two backticks there may be a whole command.
    for code in line.split('`').skip(1).step_by(2) {
        let Some(words) = code.strip_prefix("sextant ") else { continue };
        let mut command = program;
        let mut name = "sextant".to_owned();
        for word in words.split(' ') {
            let Some(below) = command.find_subcommand(word) else { break };
            command = below;
            name = format!("{name} {word}");
        }
        let mut own = BTreeSet::new();
        collect(command, &mut own);
        for option in options(code).filter(|option| !own.contains(*option)) {
            if all.contains(option) {
                wrong.push(format!("`{name}` has no option `--{option}`"));
            }
        }
    }
    wrong
}

/// The long options that a line names. `var(--name)` is one of a style sheet, not ours.
fn options(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("--").filter_map(|(at, dashes)| {
        let before = &line[..at];
        let begins = !before.ends_with(|c: char| c.is_alphanumeric() || c == '-');
        let rest = &line[at + dashes.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches('-');
        let is_option = begins && !name.is_empty() && !name.starts_with('-');
        (is_option && !before.ends_with("var(")).then_some(name)
    })
}

/// The source files of all crates.
fn sources() -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), Vec::new());
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    folders.extend(crates.read_dir().unwrap().map(|one| one.unwrap().path().join("src")));
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                // This file names options that there are not.
                && !path.ends_with("sextant/src/named_options.rs")
            {
                found.push(path);
            }
        }
    }
    found
}

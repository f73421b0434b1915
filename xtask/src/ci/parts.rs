//! The parts of `cargo xtask ci`.

use std::process::Command;

/// A check: one command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// The part's name on the command line.
    pub(super) name: &'static str,
    /// The program and its arguments, with spaces between them.
    pub(super) command: &'static str,
    /// Environment variables that are set for the command.
    pub(super) variables: &'static [(&'static str, &'static str)],
    /// Whether the command is the test runner, whose summary ends the output.
    pub(super) runs_tests: bool,
}

/// A part without variables.
pub(super) const fn part(name: &'static str, command: &'static str) -> Part {
    Part { name, command, variables: &[], runs_tests: false }
}

/// All parts, in the order in which they run: those that fail soonest come first.
pub(super) const PARTS: [Part; 12] = [
    part("fmt", "cargo fmt --all --check"),
    part("typos", "typos"),
    // Advisories need a database that cannot be fetched on a machine without internet access.
    part("deny", "cargo-deny check licenses bans sources"),
    part("clippy", "cargo clippy --workspace --all-targets -- -D warnings"),
    // The cuda feature must always compile. DOCS_RS tells its LLVM bundler not to download what is
    // needed only for running.
    Part {
        variables: &[("DOCS_RS", "1")],
        ..part("cuda", "cargo check --package sextant --features cuda")
    },
    // All code but that for x86-64, as it would compile for aarch64: no standard library of another
    // target is installed.
    part(
        "portable",
        "cargo clippy --package sextant-kernels --all-targets --features portable -- -D warnings",
    ),
    Part {
        variables: &[("RUSTDOCFLAGS", "-D warnings")],
        ..part("doc", "cargo doc --workspace --no-deps --quiet")
    },
    // `demo` and `test` are the README's two commands. `test` runs the examples of the documentation
    // too.
    part("demo", "cargo run -- demo"),
    // The Python package: installs it with what the demo has built, and runs its own tests.
    part("python", "bash .ci/python"),
    // Training in several processes, which needs an MPI library.
    Part { runs_tests: true, ..part("mpi", "bash .ci/mpi") },
    // The development profile leaves the standard library's checks of pointers out of the kernels; this
    // part runs with them.
    part(
        "checked",
        "cargo test --workspace --test conformance --config profile.dev.package.sextant-kernels.debug-assertions=true",
    ),
    Part { runs_tests: true, ..part("test", "cargo test --workspace") },
];

impl Part {
    fn program(&self) -> &'static str {
        self.command.split(' ').next().unwrap_or_default()
    }

    /// The command, ready to start.
    pub(super) fn start(&self) -> Command {
        let mut command = Command::new(self.program());
        command.args(self.command.split(' ').skip(1)).envs(self.variables.iter().copied());
        command
    }

    /// The command as one would type it.
    pub(super) fn line(&self) -> String {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}=\"{value}\" "));
        variables.chain([self.command.to_owned()]).collect()
    }

    /// What to say when the program cannot be started.
    pub(super) fn absent(&self) -> String {
        let (program, name) = (self.program(), self.name);
        format!("cannot run `{program}`; `.ci/run {name}` installs what it needs and starts it")
    }
}

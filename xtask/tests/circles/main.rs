//! Checks that no modules of a crate need one another in a circle.
//!
//! Of two modules that need each other, neither can be read, tested or moved alone. What both need
//! belongs into a module below them. The source is read as words, without a compiler: imports, and paths
//! within code.
#![allow(clippy::unwrap_used, reason = "tests")]

mod modules;
mod source;

use modules::Modules;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Adds the Rust files of a folder, by their paths below the first folder.
fn add_files(folder: &Path, below: &str, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            add_files(&path, &format!("{below}{name}/"), files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(format!("{below}{name}"), std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn no_circles_among_modules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let crates = std::fs::read_dir(root.join("crates")).unwrap();
    let mut folders: Vec<_> = crates.map(|entry| entry.unwrap().path()).collect();
    folders.extend(["workbench", "xtask"].map(|name| root.join(name)));
    let mut found = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let mut files = BTreeMap::new();
        add_files(&folder.join("src"), "", &mut files);
        let circles = Modules::read(&files).circles().into_iter();
        found
            .extend(circles.map(|circle| format!("{name}: {}", Vec::from_iter(circle).join(", "))));
    }
    assert!(
        found.is_empty(),
        "modules that need one another; move what they share into a module of its own:\n{}",
        found.join("\n")
    );
}

/// The circles among the modules of a crate that has these files.
fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let files = files.iter().map(|&(place, text)| (place.to_owned(), text.to_owned())).collect();
    let circles = Modules::read(&files).circles();
    circles.into_iter().map(|circle: BTreeSet<String>| circle.into_iter().collect()).collect()
}

#[test]
fn circles_are_found() {
    let direct =
        [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::B;"), ("b.rs", "use super::a;")];
    assert_eq!(circles(&direct), [["a", "b"]]);
    // These circles lead through re-exports of the root, a third module, a path within code, and a
    // folder.
    let hidden = [
        ("lib.rs", "mod a; mod b; mod c; pub use b::{x::Y as Z, B};"),
        ("a.rs", "fn f() { crate::Z::new() }"),
        ("b/mod.rs", "pub mod x;"),
        ("b/x.rs", "use crate::{c::{self, C}, other};"),
        ("c.rs", "fn g<'a>(c: char) -> bool { c == '\"' || crate::a::f() }"),
    ];
    assert_eq!(circles(&hidden), [["a", "b", "c"]]);
    let inner = [
        ("lib.rs", "mod b;"),
        ("b/mod.rs", "mod x; mod y; use y::Y;"),
        ("b/x.rs", "use super::Y;"),
        ("b/y.rs", "use super::x;"),
    ];
    assert_eq!(circles(&inner), [["b::x", "b::y"]]);
}

#[test]
fn what_is_no_circle_is_none() {
    let none = [
        ("lib.rs", "mod a; mod b; mod tests;"),
        // Comments, texts and tests do not count, and a folder may need what is in it.
        (
            "a.rs",
            "// crate::b\nuse std::b;\nfn f() { r#\"crate::b::\"# }\n#[cfg(test)]\nmod tests { use crate::b; }",
        ),
        ("b/mod.rs", "mod x; use crate::a; use x::X; #[cfg(test)] mod made_up;"),
        ("b/x.rs", "use super::B;"),
        ("b/made_up.rs", "use crate::b::x; use super::X;"),
        ("tests.rs", "use crate::{a, b};"),
    ];
    assert_eq!(circles(&none), [[""; 0]; 0]);
}

//! The modules of a crate, which of them need which, and the circles among them.

use crate::source::{Path, paths, without_tests, words};
use std::collections::{BTreeMap, BTreeSet};

/// A module's path from the crate's root.
pub(crate) type Module = Vec<String>;

/// The modules of a crate, with the paths that their files hold.
pub(crate) struct Modules(BTreeMap<Module, Vec<Path>>);

impl Modules {
    /// Reads the files of a crate, given by their paths below `src`. What is compiled for tests only is
    /// left out: tests may use what they test.
    pub(crate) fn read(files: &BTreeMap<String, String>) -> Self {
        let mut modules: BTreeMap<Module, Vec<Path>> = BTreeMap::new();
        let mut of_tests: BTreeSet<Module> = BTreeSet::new();
        for (place, text) in files {
            let mut module: Module =
                place.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            let last = module.last().cloned().unwrap_or_default();
            if ["mod", "lib", "main"].contains(&last.as_str()) {
                module.pop();
            }
            if last.ends_with("tests") {
                of_tests.insert(module.clone());
            }
            let (kept, tests) = without_tests(words(text));
            of_tests.extend(tests.into_iter().map(|name| [module.clone(), vec![name]].concat()));
            modules.entry(module).or_default().extend(paths(&kept));
        }
        modules.retain(|module, _| !of_tests.iter().any(|tests| module.starts_with(tests)));
        Self(modules)
    }

    /// The path from the crate's root for a path that module `from` names; `None` for a path into
    /// another crate.
    fn absolute(&self, from: &Module, parts: &[String]) -> Option<Module> {
        let mut place = from.clone();
        let mut rest = parts;
        match parts.first()?.as_str() {
            "crate" => {
                place.clear();
                rest = &parts[1..];
            }
            "self" => rest = &parts[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    place.pop()?;
                    rest = &rest[1..];
                }
            }
            child => {
                place.push(child.to_owned());
                if !self.0.contains_key(&place) {
                    return None;
                }
                rest = &parts[1..];
            }
        }
        place.extend_from_slice(rest);
        Some(place)
    }

    /// The module that defines what a path leads to. Imports are followed, at most `left` of them.
    fn home(&self, path: &Module, left: usize) -> Option<Module> {
        let mut module = Vec::new();
        for (i, part) in path.iter().enumerate() {
            let child = [module.clone(), vec![part.clone()]].concat();
            if self.0.contains_key(&child) {
                module = child;
                continue;
            }
            let named = |import: &&Path| import.name.as_ref() == Some(part);
            let import = self.0.get(&module)?.iter().find(named);
            let target = import.and_then(|import| self.absolute(&module, &import.parts));
            return match target.filter(|target| target != path && left > 0) {
                Some(target) => self.home(&[&target[..], &path[i + 1..]].concat(), left - 1),
                None => Some(module),
            };
        }
        Some(module)
    }

    /// Pairs of modules, the first of which needs the second.
    fn needs(&self) -> BTreeSet<(Module, Module)> {
        let mut needs = BTreeSet::new();
        for (module, paths) in &self.0 {
            for path in paths {
                let Some(path) = self.absolute(module, &path.parts) else { continue };
                needs.extend(self.home(&path, 8).map(|home| (module.clone(), home)));
            }
        }
        needs
    }

    /// The circles: modules of one folder that need one another, directly or through others. A folder counts
    /// with all that is in it, and a folder and what is in it may need one another.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<String>> {
        let needs = self.needs();
        let folders: BTreeSet<&[String]> =
            self.0.keys().filter_map(|module| module.split_last()).map(|(_, rest)| rest).collect();
        let mut circles = Vec::new();
        for folder in folders {
            let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for (from, to) in &needs {
                let within = |module: &'_ Module| module.starts_with(folder);
                if !within(from) || !within(to) {
                    continue;
                }
                if let (Some(from), Some(to)) = (from.get(folder.len()), to.get(folder.len()))
                    && from != to
                {
                    graph.entry(from).or_default().insert(to);
                }
            }
            let reached = |start: &str| {
                let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
                while let Some(at) = open.pop() {
                    for &next in graph.get(at).into_iter().flatten() {
                        if seen.insert(next) {
                            open.push(next);
                        }
                    }
                }
                seen
            };
            let all: BTreeMap<&str, BTreeSet<&str>> =
                graph.keys().map(|&module| (module, reached(module))).collect();
            let mut told: BTreeSet<&str> = BTreeSet::new();
            for (&module, reached) in all.iter().filter(|(module, to)| to.contains(**module)) {
                if told.contains(module) {
                    continue;
                }
                let back = |other: &&&str| all.get(**other).is_some_and(|to| to.contains(module));
                let circle: BTreeSet<&str> = reached.iter().filter(back).copied().collect();
                told.extend(&circle);
                let path = |name: &str| [&folder.join("::"), name].join("::");
                let name = |name: &&str| path(name).trim_start_matches("::").to_owned();
                circles.push(circle.iter().map(name).collect());
            }
        }
        circles
    }
}

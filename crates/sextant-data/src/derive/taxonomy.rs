//! A product taxonomy as a tree that can be searched by name.

use super::words::{stem_key, stems};
use crate::sources::TypePath;
use std::collections::BTreeMap;

/// How the name of a type is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypeText {
    /// The type's own name, preceded by its parent's name if several nodes have the same name.
    Leaf,
    /// All names from the root down.
    Path,
}

/// The tree; nodes are numbered in the order of their paths.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taxonomy {
    paths: Vec<TypePath>,
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    by_path: BTreeMap<TypePath, usize>,
    by_key: BTreeMap<String, Vec<usize>>,
}

impl Taxonomy {
    /// Builds the tree from the paths of its nodes. Missing ancestors are added, and repeated paths are one
    /// node.
    pub(crate) fn new(paths: impl IntoIterator<Item = TypePath>) -> Self {
        let mut by_path = BTreeMap::new();
        for path in paths {
            for length in 1..=path.len() {
                by_path.insert(path[..length].to_vec(), 0);
            }
        }
        let mut tree = Self { paths: by_path.keys().cloned().collect(), ..Self::default() };
        for (number, place) in by_path.values_mut().enumerate() {
            *place = number;
        }
        tree.children = vec![Vec::new(); tree.paths.len()];
        for (number, path) in tree.paths.iter().enumerate() {
            let parent = by_path.get(&path[..path.len() - 1]).copied();
            tree.parents.push(parent);
            if let Some(parent) = parent {
                tree.children[parent].push(number);
            }
            let name = &path[path.len() - 1];
            tree.by_key.entry(stem_key(name)).or_default().push(number);
            // `Coats & Jackets` is found by `jacket`, too. `Hair Pins, Claws & Clips` is not found by
            // `claw`, because the modifier of a part of several words applies to the other parts as well.
            let parts: Vec<&str> = name.split(['&', ',']).map(str::trim).collect();
            if parts.len() > 1 && parts.iter().all(|part| stems(part).len() == 1) {
                for part in parts {
                    tree.by_key.entry(stem_key(part)).or_default().push(number);
                }
            }
        }
        tree.by_path = by_path;
        tree
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.paths.len()
    }

    /// The names from the root to `node`.
    pub(crate) fn path(&self, node: usize) -> &[String] {
        &self.paths[node]
    }

    /// The node's own name.
    pub(crate) fn name(&self, node: usize) -> &str {
        self.paths[node].last().map_or("", String::as_str)
    }

    pub(crate) fn parent(&self, node: usize) -> Option<usize> {
        self.parents[node]
    }

    /// The other children of the node's parent.
    pub(crate) fn siblings(&self, node: usize) -> Vec<usize> {
        let family = self.parents[node].map_or(&[][..], |parent| &self.children[parent]);
        family.iter().copied().filter(|&other| other != node).collect()
    }

    pub(crate) fn find(&self, path: &[String]) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// The nodes of which `name` is the name, or one of several single words joined by `&` or commas in it.
    /// Singular and plural are equal.
    pub(crate) fn named(&self, name: &str) -> &[usize] {
        self.by_key.get(&stem_key(name)).map_or(&[], Vec::as_slice)
    }

    /// How many names the paths of two nodes have in common from the root on.
    pub(crate) fn common_depth(&self, a: usize, b: usize) -> usize {
        self.paths[a].iter().zip(&self.paths[b]).take_while(|(a, b)| a == b).count()
    }

    /// The name of a node, written in a style.
    pub(crate) fn text(&self, node: usize, style: TypeText) -> String {
        match style {
            TypeText::Path => self.paths[node].join(" > "),
            TypeText::Leaf if self.named(self.name(node)).len() > 1 => self.text_in_context(node),
            TypeText::Leaf => self.name(node).to_owned(),
        }
    }

    /// The node's name preceded by its parent's.
    pub(crate) fn text_in_context(&self, node: usize) -> String {
        let path = &self.paths[node];
        path[path.len().saturating_sub(2)..].join(" > ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TypePath {
        text.split(" > ").map(str::to_owned).collect()
    }

    fn tree() -> Taxonomy {
        Taxonomy::new(
            ["Home > Pool Covers", "Home > Hose", "Wear > Coats & Jackets", "Cars > Hose"]
                .map(path),
        )
    }

    #[test]
    fn nodes_are_found_by_name_and_by_part() {
        let tree = tree();
        let names = |nodes: &[usize]| nodes.iter().map(|&n| tree.name(n)).collect::<Vec<_>>();
        assert_eq!(tree.len(), 7);
        assert_eq!(names(tree.named("jacket")), ["Coats & Jackets"]);
        assert_eq!(names(tree.named("pool cover")), ["Pool Covers"]);
        assert_eq!(tree.named("pool").len(), 0);
        let covers = tree.find(&path("Home > Pool Covers")).unwrap();
        assert_eq!(names(&tree.siblings(covers)), ["Hose"]);
        let hose = tree.find(&path("Home > Hose")).unwrap();
        assert_eq!(tree.parent(covers), tree.parent(hose));
        assert_eq!(tree.common_depth(covers, hose), 1);
    }

    #[test]
    fn shared_names_are_written_with_their_parent() {
        let tree = tree();
        let text = |node: &str, style| tree.text(tree.find(&path(node)).unwrap(), style);
        assert_eq!(text("Home > Hose", TypeText::Leaf), "Home > Hose");
        assert_eq!(text("Home > Pool Covers", TypeText::Leaf), "Pool Covers");
        assert_eq!(text("Home > Pool Covers", TypeText::Path), "Home > Pool Covers");
    }
}

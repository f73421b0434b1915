//! The meaning of the market's entities, and how two meanings are related.

use super::catalogue::{Category, DEPARTMENT_COUNT, DEPARTMENTS, Department};
use sextant_core::Task;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A node of the tree of product types: a leaf type, or the category above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    department: usize,
    category: usize,
    leaf: Option<usize>,
}

impl Node {
    /// How many departments the tree has.
    pub const DEPARTMENTS: usize = DEPARTMENT_COUNT;

    /// The leaf types of the first `departments` departments, in the order of the tree.
    pub fn leaves(departments: usize) -> Vec<Self> {
        let leaves = |node: Self| {
            (0..node.parts().1.leaves.len()).map(move |leaf| Self { leaf: Some(leaf), ..node })
        };
        Self::categories(departments).into_iter().flat_map(leaves).collect()
    }

    /// The categories of the first `departments` departments, in the order of the tree.
    pub fn categories(departments: usize) -> Vec<Self> {
        let categories = |(department, found): (usize, &Department)| {
            (0..found.categories.len()).map(move |category| Self {
                department,
                category,
                leaf: None,
            })
        };
        DEPARTMENTS.iter().enumerate().take(departments).flat_map(categories).collect()
    }

    /// The node's equivalent names, with the canonical name first; those of a leaf are in the singular.
    pub fn names(self) -> &'static [&'static str] {
        let category = self.parts().1;
        self.leaf.map_or(category.names, |leaf| category.leaves[leaf])
    }

    /// The canonical names from the department down to this node.
    pub fn path(self) -> Vec<&'static str> {
        let (department, category) = self.parts();
        let leaf = self.leaf.map(|leaf| category.leaves[leaf][0]);
        [department.name, category.names[0]].into_iter().chain(leaf).collect()
    }

    /// Whether this is a category and not a leaf type.
    pub fn is_category(self) -> bool {
        self.leaf.is_none()
    }

    /// How this node is related to another one.
    pub fn relation(self, other: Self) -> Relation {
        let category = |node: Self| (node.department, node.category);
        if self == other {
            Relation::Same
        } else if category(self) == category(other)
            || (self.department == other.department && self.is_category() && other.is_category())
        {
            Relation::Near
        } else {
            Relation::Far
        }
    }

    /// The index of the department, and the index of the category in it.
    pub(super) fn position(self) -> (usize, usize) {
        (self.department, self.category)
    }

    /// The department and the category of this node.
    pub(super) fn parts(self) -> (&'static Department, &'static Category) {
        let department = &DEPARTMENTS[self.department];
        (department, &department.categories[self.category])
    }
}

/// How two nodes of the tree are related.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Both are the same node.
    Same,
    /// One node is the other's parent, or both have the same parent.
    Near,
    /// Any other two nodes.
    Far,
}

/// The brand, line and attributes of a product, or those that a query asks for: canonical values by name.
pub type Details = BTreeMap<&'static str, Cow<'static, str>>;

/// The meaning of an entity: a node of the tree, and details.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meaning {
    /// The type of product.
    pub node: Node,
    /// For a product, the details by which it differs from other products of its type; for a query, the
    /// details that it asks for; empty for a type.
    pub details: Details,
}

impl Meaning {
    /// How far the details of a task's two sides agree, whatever their types.
    ///
    /// A product must have all details that a query asks for. Two queries, or two products, must have the
    /// same details. A type has no details, so everything agrees with it.
    pub fn agreement(&self, task: Task, other: &Self) -> Agreement {
        let wanted = match task {
            Task::QueryProduct => self.details.len(),
            Task::QueryQuery | Task::ProductProduct => self.details.len().max(other.details.len()),
            Task::QueryType | Task::ProductType | Task::TypeType => 0,
        };
        let shared =
            self.details.iter().filter(|&(name, value)| other.details.get(name) == Some(value));
        match shared.count() {
            shared if shared >= wanted => Agreement::All,
            0 => Agreement::None,
            _ => Agreement::Some,
        }
    }
}

/// How many of the details that the task compares agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// All of them, also if there are none.
    All,
    /// At least one, but not all.
    Some,
    /// None of them.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> Node {
        let mut all =
            Node::leaves(Node::DEPARTMENTS).into_iter().chain(Node::categories(Node::DEPARTMENTS));
        all.find(|node| node.names().contains(&name)).unwrap()
    }

    #[test]
    fn relations_follow_the_tree() {
        assert!((60..=120).contains(&Node::leaves(Node::DEPARTMENTS).len()));
        for (a, b, relation) in [
            ("sofa", "couch", Relation::Same),
            ("sofa", "armchair", Relation::Near),
            ("sofa", "seating", Relation::Near),
            ("seating", "lighting", Relation::Near),
            ("sofa", "lighting", Relation::Far),
            ("sofa", "coffee table", Relation::Far),
            ("coffee maker", "coffee table", Relation::Far),
            ("seating", "cookware", Relation::Far),
        ] {
            assert_eq!(node(a).relation(node(b)), relation, "{a}, {b}");
            assert_eq!(node(b).relation(node(a)), relation, "{b}, {a}");
        }
        assert_eq!(node("settee").path(), ["furniture", "seating", "sofa"]);
    }

    #[test]
    fn agreement_asks_the_right_side() {
        let meaning = |details: &[(&'static str, &'static str)]| Meaning {
            node: node("sofa"),
            details: details.iter().map(|&(name, value)| (name, value.into())).collect(),
        };
        let query = meaning(&[("color", "red")]);
        let product = meaning(&[("brand", "felder"), ("color", "red")]);
        let other = meaning(&[("brand", "felder"), ("color", "blue")]);
        assert_eq!(query.agreement(Task::QueryProduct, &product), Agreement::All);
        assert_eq!(query.agreement(Task::QueryProduct, &other), Agreement::None);
        assert_eq!(product.agreement(Task::ProductProduct, &other), Agreement::Some);
        assert_eq!(query.agreement(Task::QueryQuery, &product), Agreement::Some);
        assert_eq!(query.agreement(Task::QueryQuery, &query), Agreement::All);
        assert_eq!(meaning(&[]).agreement(Task::QueryQuery, &query), Agreement::None);
        assert_eq!(product.agreement(Task::ProductType, &meaning(&[])), Agreement::All);
    }
}

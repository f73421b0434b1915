//! The six tasks: every unordered pair, with repetition, of three kinds of entity.

use crate::name::named;

/// A kind of e-commerce entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntityKind {
    /// The text of a shopper's search.
    Query,
    /// Something for sale, with a title, and perhaps a brand, a description and attributes.
    Product,
    /// A node of a product taxonomy.
    Type,
}

named!("entity kind", EntityKind { Query = "query", Product = "product", Type = "type" });

/// Which two kinds of entity a pair compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Task {
    /// Does the product answer the query?
    QueryProduct,
    /// Is the query looking for this type of product?
    QueryType,
    /// Do two queries want the same thing?
    QueryQuery,
    /// Are two products the same or close substitutes?
    ProductProduct,
    /// Is the product of this type?
    ProductType,
    /// Do two types mean the same?
    TypeType,
}

named!("task", Task {
    QueryProduct = "query-product",
    QueryType = "query-type",
    QueryQuery = "query-query",
    ProductProduct = "product-product",
    ProductType = "product-type",
    TypeType = "type-type",
});

impl Task {
    /// The number of tasks.
    pub const COUNT: usize = Self::ALL.len();

    /// The position of this task in [`Task::ALL`], for tables indexed by task.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The kinds of the left and of the right entity, in this order.
    pub const fn kinds(self) -> (EntityKind, EntityKind) {
        use EntityKind::{Product, Query, Type};
        match self {
            Self::QueryProduct => (Query, Product),
            Self::QueryType => (Query, Type),
            Self::QueryQuery => (Query, Query),
            Self::ProductProduct => (Product, Product),
            Self::ProductType => (Product, Type),
            Self::TypeType => (Type, Type),
        }
    }

    /// Whether both entities are of the same kind, so that the pair may be read in either order.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::QueryQuery | Self::ProductProduct | Self::TypeType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_all_unordered_pairs_of_kinds() {
        let mut expected = Vec::new();
        for (i, left) in EntityKind::ALL.into_iter().enumerate() {
            expected.extend(EntityKind::ALL[i..].iter().map(|&right| (left, right)));
        }
        let mut found: Vec<_> = Task::ALL.map(Task::kinds).to_vec();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn names_and_positions_round_trip() {
        for (i, task) in Task::ALL.into_iter().enumerate() {
            assert_eq!(task.index(), i);
            assert_eq!(task.as_str().parse(), Ok(task));
            let (left, right) = task.kinds();
            assert_eq!(task.as_str(), format!("{left}-{right}"));
            assert_eq!(task.is_symmetric(), left == right);
        }
    }

    #[test]
    fn unknown_task_lists_what_is_known() {
        let error = "query-brand".parse::<Task>().unwrap_err().to_string();
        assert!(error.contains("`query-brand`") && error.contains("product-type"), "{error}");
    }
}

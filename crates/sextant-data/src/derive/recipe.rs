//! The recipe of a benchmark: every setting of its rules, read from TOML.

use super::TypeText;
use crate::split::Shares;
use serde::Deserialize;
use sextant_core::{Grade, Task};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is not TOML, a key is unknown or missing, or a value has the wrong type.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The error of the parser, which names the line and the key.
        source: Box<toml::de::Error>,
    },
    /// A value is not allowed.
    #[error("recipe key `{key}`: {problem}")]
    Value {
        /// The key, preceded by the name of its table.
        key: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

/// All settings that decide which rows a benchmark has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// The benchmark's name.
    pub name: String,
    /// The seed of splits, samples and negatives.
    pub seed: u64,
    /// How entities are divided among the splits.
    pub split: SplitRule,
    /// The most rows of each task; 0 leaves a task out.
    pub rows: BTreeMap<Task, usize>,
    /// The shares of the grades 0, 1 and 2 in each task. A task that is not named keeps the shares of its
    /// candidates.
    #[serde(default)]
    pub grades: BTreeMap<Task, [f64; Grade::COUNT]>,
    /// Rules for pairs that no person graded.
    pub negatives: NegativeRule,
    /// How the names of types are written.
    pub type_text: TypeText,
    /// Rules of query-product.
    pub query_product: QueryProductRule,
    /// Rules of query-query.
    pub query_query: QueryQueryRule,
    /// Rules of product-product.
    pub product_product: ProductProductRule,
    /// Rules of query-type.
    pub query_type: QueryTypeRule,
}

/// How entities are divided among the splits.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SplitRule {
    /// The share of the rows for training.
    pub train: f64,
    /// The share of the rows for making choices.
    pub dev: f64,
    /// The share of the rows for reporting.
    pub test: f64,
    /// The largest share of a data set that a group may reach when entities are joined by preference.
    pub max_group_share: f64,
}

impl SplitRule {
    /// The three shares.
    pub const fn shares(&self) -> Shares {
        Shares { train: self.train, dev: self.dev, test: self.test }
    }
}

/// How unrelated partners are drawn.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NegativeRule {
    /// The share of candidates of grade 0 whose two sides share as many words as possible (hard negatives).
    pub hard_share: f64,
    /// The number of partners that are drawn, among which the one with the most common words is a hard
    /// negative.
    pub drawn: usize,
}

/// Rules of query-product.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct QueryProductRule {
    /// The mean rating of Home Depot (1 to 3) from which a product is relevant.
    pub relevant_from: f64,
    /// The mean rating of Home Depot from which a product is partial.
    pub partial_from: f64,
    /// The most characters of a CrowdFlower description that are kept.
    pub description_characters: usize,
}

/// Rules of query-query.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct QueryQueryRule {
    /// The likeness of two queries from which one shared relevant product is enough for grade 2.
    pub same_from: f64,
    /// The likeness from which two or more shared relevant products are enough for grade 2.
    pub same_from_of_several: f64,
    /// The likeness from which one shared product, relevant for at least one of the queries and irrelevant
    /// for neither, is enough for grade 1.
    pub related_from: f64,
    /// The likeness below which shared products that are relevant for one query and irrelevant for the other
    /// give grade 0.
    pub unrelated_below: f64,
    /// The word overlap of two queries' products below which the queries may be paired with grade 0.
    pub products_apart_below: f64,
    /// The share of QueryNER queries that are paired with a copy with reordered segments, with grade 2.
    pub reordered_share: f64,
}

/// Rules of product-product.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProductProductRule {
    /// The word overlap from which two different products of a matching set are partial.
    pub near_from: f64,
    /// The most characters of a description that are kept, in the matching sets.
    pub description_characters: usize,
}

/// Rules of query-type.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct QueryTypeRule {
    /// The share of the queries that are masked: if several words name the query's type, the last of these
    /// words is left out.
    pub masked_share: f64,
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// See [`RecipeError`]; the error names the key at fault.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecipeError::Read { path: path.to_owned(), source })?;
        let recipe: Self = toml::from_str(&text).map_err(|source| RecipeError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        if let Some((key, problem)) = crate::surplus::<Self>(&text) {
            return Err(RecipeError::Value { key, problem });
        }
        recipe.check()?;
        Ok(recipe)
    }

    /// The most rows of a task.
    pub fn rows_of(&self, task: Task) -> usize {
        self.rows.get(&task).copied().unwrap_or(0)
    }

    fn check(&self) -> Result<(), RecipeError> {
        let bad =
            |key: &str, problem: String| Err(RecipeError::Value { key: key.to_owned(), problem });
        let sum = self.split.train + self.split.dev + self.split.test;
        if (sum - 1.0).abs() > 1e-6 {
            return bad("split", format!("train, dev and test sum to {sum}; make them sum to 1"));
        }
        let shares = [
            ("split.train", self.split.train),
            ("split.dev", self.split.dev),
            ("split.test", self.split.test),
            ("split.max-group-share", self.split.max_group_share),
            ("negatives.hard-share", self.negatives.hard_share),
            ("query-query.same-from", self.query_query.same_from),
            ("query-query.same-from-of-several", self.query_query.same_from_of_several),
            ("query-query.related-from", self.query_query.related_from),
            ("query-query.unrelated-below", self.query_query.unrelated_below),
            ("query-query.products-apart-below", self.query_query.products_apart_below),
            ("query-query.reordered-share", self.query_query.reordered_share),
            ("product-product.near-from", self.product_product.near_from),
            ("query-type.masked-share", self.query_type.masked_share),
        ];
        for (key, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return bad(key, format!("{share} is outside 0 to 1"));
            }
        }
        for (task, grades) in &self.grades {
            let sum: f64 = grades.iter().sum();
            if (sum - 1.0).abs() > 1e-6 || grades.iter().any(|&share| !(0.0..=1.0).contains(&share))
            {
                return bad(
                    &format!("grades.{task}"),
                    format!("{grades:?} must be shares that sum to 1"),
                );
            }
        }
        let rule = &self.query_product;
        if rule.partial_from > rule.relevant_from {
            return bad("query-product.partial-from", "must not be above relevant-from".to_owned());
        }
        if self.negatives.drawn == 0 {
            return bad("negatives.drawn", "must be at least 1".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC_SIX: &str = include_str!("../../../../recipes/public-six.toml");

    fn read(text: &str) -> Result<Recipe, RecipeError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.toml");
        std::fs::write(&path, text).unwrap();
        Recipe::read(&path)
    }

    #[test]
    fn the_published_recipe_is_valid_and_names_all_tasks() {
        let recipe = read(PUBLIC_SIX).unwrap();
        assert!(Task::ALL.iter().all(|&task| recipe.rows_of(task) > 0));
        assert!(recipe.grades.values().flatten().all(|&share| share >= 0.1));
    }

    #[test]
    fn every_setting_is_explained_on_its_line() {
        for line in PUBLIC_SIX.lines().map(str::trim) {
            if line.contains(" = ") && !line.starts_with('#') {
                assert!(line.contains(" # "), "no explanation: {line}");
            }
        }
    }

    #[test]
    fn unknown_keys_and_tasks_are_named() {
        let error = read(&PUBLIC_SIX.replace("hard-share", "hard-shares")).unwrap_err().to_string();
        assert!(error.contains("r.toml") && error.contains("`hard-shares`"), "{error}");
        let error = read(&PUBLIC_SIX.replace("query-type = ", "query-brand = ")).unwrap_err();
        assert!(error.to_string().contains("`query-brand`"), "{error}");
    }

    #[test]
    fn senseless_values_are_named_with_their_key() {
        for (from, to, key) in [
            ("train = 0.7", "train = 0.8", "`split`"),
            ("hard-share = 0.7", "hard-share = 1.5", "`negatives.hard-share`"),
            ("drawn = 24", "drawn = 0", "`negatives.drawn`"),
        ] {
            let changed = PUBLIC_SIX.replace(from, to);
            assert_ne!(changed, PUBLIC_SIX, "{from}");
            let error = read(&changed).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}

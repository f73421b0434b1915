//! The recipe of a benchmark: every choice of its rules, read from TOML.

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
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not TOML, a key is unknown or absent, or a value has the wrong type.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The message of the parser, which names line and key.
        source: Box<toml::de::Error>,
    },
    /// A value makes no sense.
    #[error("recipe key `{key}`: {problem}")]
    Value {
        /// The key, with its table.
        key: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// Everything that decides which rows a benchmark has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// The benchmark's name.
    pub name: String,
    /// Decides splits, samples and negatives.
    pub seed: u64,
    /// Splits.
    pub split: SplitRule,
    /// The most rows of each task; 0 leaves a task out.
    pub rows: BTreeMap<Task, usize>,
    /// The share of grades 0, 1, 2 in each task. A task that is not named keeps its natural mix.
    #[serde(default)]
    pub grades: BTreeMap<Task, [f64; Grade::COUNT]>,
    /// Rules for pairs that no person graded.
    pub negatives: NegativeRule,
    /// How types are written.
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
    /// Share to train on.
    pub train: f64,
    /// Share to choose by.
    pub dev: f64,
    /// Share to report on.
    pub test: f64,
    /// The largest share of a data set that entities tied by a shared product may form.
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
    /// The share of grade-0 candidates that share words with their partner as far as possible.
    pub hard_share: f64,
    /// Among how many drawn partners the one with most words in common is taken as a hard one.
    pub drawn: usize,
}

/// Rules of query-product.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct QueryProductRule {
    /// Home Depot mean rating (1 to 3) from which a product is relevant.
    pub relevant_from: f64,
    /// Home Depot mean rating from which a product is partial.
    pub partial_from: f64,
    /// The most characters kept of a CrowdFlower description.
    pub description_characters: usize,
}

/// Rules of query-query.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct QueryQueryRule {
    /// Likeness from which one shared relevant product is enough for grade 2.
    pub same_from: f64,
    /// Likeness from which two or more shared relevant products are enough for grade 2.
    pub same_from_of_several: f64,
    /// Likeness from which one shared product of mixed grades is enough for grade 1.
    pub related_from: f64,
    /// Likeness below which a product that suits one query and not the other makes grade 0.
    pub unrelated_below: f64,
    /// Word overlap of two queries' products below which the queries may be paired as grade 0.
    pub products_apart_below: f64,
    /// Share of QueryNER queries of which a copy with reordered segments is made, as grade 2.
    pub reordered_share: f64,
}

/// Rules of product-product.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProductProductRule {
    /// Word overlap from which two different products of a matching set are partial.
    pub near_from: f64,
    /// The most characters kept of an Abt-Buy description.
    pub description_characters: usize,
}

/// Rules of query-type.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct QueryTypeRule {
    /// Share of the queries whose type is named by several words and that lose the last of them.
    pub masked_share: f64,
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// Names the file and the key at fault.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecipeError::Read { path: path.to_owned(), source })?;
        let recipe: Self = toml::from_str(&text).map_err(|source| RecipeError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
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

//! The public data sets from which the benchmark is built, one adapter per folder.
//!
//! An adapter reads one file format with its oddities (Latin-1, unescaped quotes, HTML, Python lists)
//! and gives typed records. It decides nothing about tasks or grades; the module `derive` does. No file
//! of these sets is in the repository: users obtain them, and [`Sources::load`] says which are missing.

mod crowdflower;
mod entity_matching;
mod error;
mod flipkart;
mod google_taxonomy;
mod home_depot;
mod home_depot_spelling;
mod instacart;
mod pricerunner;
mod queryner;
mod shopify_taxonomy;
mod table;

pub use crowdflower::JudgedResult;
pub use entity_matching::{MatchedPair, SETS as MATCHING_SETS};
pub use error::SourceError;
pub use flipkart::FlipkartProduct;
pub use home_depot::RatedResult;
pub use home_depot_spelling::Correction;
pub use instacart::ShelvedProduct;
pub use pricerunner::Offer;
pub use queryner::{Segment, SegmentKind, SegmentedQuery};
pub use shopify_taxonomy::ShopifyTaxonomy;
pub use table::LeftOut;

use std::collections::BTreeMap;
use std::path::Path;

/// The path of a node in a taxonomy: the names from the root down.
pub type TypePath = Vec<String>;

/// The records of all adapters, in the order of their files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sources {
    /// Home Depot: rated search results.
    pub home_depot: Vec<RatedResult>,
    /// Home Depot: misspelt queries and their corrections.
    pub corrections: Vec<Correction>,
    /// CrowdFlower: judged search results.
    pub crowdflower: Vec<JudgedResult>,
    /// Pairs of offers that are or are not the same product.
    pub matching: Vec<MatchedPair>,
    /// PriceRunner: offers in clusters of one product.
    pub pricerunner: Vec<Offer>,
    /// QueryNER: queries divided into segments, each with its kind.
    pub queries: Vec<SegmentedQuery>,
    /// Every node of Google's product taxonomy.
    pub google: Vec<TypePath>,
    /// Shopify's taxonomy and its mappings.
    pub shopify: ShopifyTaxonomy,
    /// Instacart: products with their aisles and departments.
    pub instacart: Vec<ShelvedProduct>,
    /// Flipkart: products in their category trees.
    pub flipkart: Vec<FlipkartProduct>,
    /// What was left out of damaged files, by their paths below the folder.
    pub left_out: BTreeMap<String, LeftOut>,
}

impl Sources {
    /// Reads every data set below `folder`.
    ///
    /// # Errors
    /// [`SourceError::Missing`] lists all files that are absent; every other error names the file
    /// and line that cannot be used.
    pub fn load(folder: &Path) -> Result<Self, SourceError> {
        let missing: Vec<String> =
            required_files().into_iter().filter(|file| !folder.join(file).is_file()).collect();
        if !missing.is_empty() {
            return Err(SourceError::Missing { folder: folder.to_owned(), files: missing });
        }
        let (instacart, left_out) = instacart::load(folder)?;
        let left_out = [(instacart::FILES[0].to_owned(), left_out)];
        Ok(Self {
            home_depot: home_depot::load(folder)?,
            corrections: home_depot_spelling::load(folder)?,
            crowdflower: crowdflower::load(folder)?,
            matching: entity_matching::load(folder)?,
            pricerunner: pricerunner::load(folder)?,
            queries: queryner::load(folder)?,
            google: google_taxonomy::load(folder)?,
            shopify: shopify_taxonomy::load(folder)?,
            instacart,
            flipkart: flipkart::load(folder)?,
            left_out: left_out.into_iter().filter(|(_, lost)| lost.lines > 0).collect(),
        })
    }
}

/// The files that [`Sources::load`] reads, relative to its folder.
pub fn required_files() -> Vec<String> {
    let mut files: Vec<String> = [home_depot::FILE, home_depot_spelling::FILE, pricerunner::FILE]
        .into_iter()
        .chain([google_taxonomy::FILE, flipkart::FILE])
        .chain(shopify_taxonomy::FILES)
        .chain(instacart::FILES)
        .map(str::to_owned)
        .collect();
    files.extend(crowdflower::files());
    files.extend(entity_matching::files());
    files.extend(queryner::files());
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_files_are_all_named_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let error = Sources::load(folder.path()).unwrap_err().to_string();
        for file in ["home_depot_search_relevance/train.csv", "queryner/train.json"] {
            assert!(error.contains(file), "{error}");
        }
        assert!(error.contains("--source"), "{error}");
    }
}

#[cfg(test)]
pub(crate) mod tests_support {
    use std::path::Path;

    /// Writes a file and the folders above it.
    pub(crate) fn write(folder: &Path, file: &str, bytes: &[u8]) {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

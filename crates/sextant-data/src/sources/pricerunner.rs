//! PriceRunner: titles of offers from many shops, clustered by product, in ten categories.

use super::SourceError;
use super::table::{Charset, Table};
use crate::clean::plain_text;
use std::path::Path;

pub(super) const FILE: &str = "pricerunner/pricerunner_aggregate.csv";

/// One shop's offer of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The title of the offer, in lower case as the publisher of the set has it.
    pub title: String,
    /// The identifier of the product, which all its offers share.
    pub cluster: String,
    /// The product's name at PriceRunner. Several clusters may have the same name.
    pub cluster_name: String,
    /// The category's name.
    pub category: String,
}

pub(super) fn load(folder: &Path) -> Result<Vec<Offer>, SourceError> {
    let columns = ["product_title", "cluster_id", "cluster_label", "category_label"];
    let table = Table::read(&folder.join(FILE), Charset::Utf8, &columns)?;
    table
        .rows()
        .map(|row| {
            Ok(Offer {
                title: plain_text(row.text("product_title")?),
                cluster: row.text("cluster_id")?.to_owned(),
                cluster_name: plain_text(row.text("cluster_label")?),
                category: row.text("category_label")?.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests_support::write;

    #[test]
    fn reads_offers() {
        let folder = tempfile::tempdir().unwrap();
        let header = "product_id,product_title,vendor_id,cluster_id,cluster_label,category_id,category_label\n";
        write(
            folder.path(),
            FILE,
            format!("{header}1,acme cooler 3,9,5,Acme Cooler,2,Fridges\n").as_bytes(),
        );
        let offers = load(folder.path()).unwrap();
        assert_eq!((offers[0].cluster.as_str(), offers[0].category.as_str()), ("5", "Fridges"));
        write(folder.path(), FILE, format!("{header}1,,9,5,Acme Cooler,2,Fridges\n").as_bytes());
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("product_title"), "{error}");
    }
}

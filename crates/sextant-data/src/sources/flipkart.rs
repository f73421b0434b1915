//! Flipkart: products with a category tree written as `["A >> B >> Title"]`.

use super::table::{Charset, Table};
use super::{SourceError, TypePath};
use crate::clean::plain_text;
use std::path::Path;

pub(super) const FILE: &str = "flipkart_sample/flipkart_com-ecommerce_sample_1050.csv";

/// A product and its path in the shop's category tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlipkartProduct {
    /// The product's name.
    pub name: String,
    /// The brand, if it is given.
    pub brand: Option<String>,
    /// The path in the category tree as it is written. Its last names are often the product's own name or a
    /// brand.
    pub tree: TypePath,
}

pub(super) fn load(folder: &Path) -> Result<Vec<FlipkartProduct>, SourceError> {
    let columns = ["product_name", "product_category_tree", "brand"];
    let table = Table::read(&folder.join(FILE), Charset::Utf8, &columns)?;
    table
        .rows()
        .map(|row| {
            let tree = row.text("product_category_tree")?;
            let inner =
                tree.strip_prefix("[\"").and_then(|tree| tree.strip_suffix("\"]")).ok_or_else(
                    || row.error(format!("category tree `{tree}` is not `[\"A >> B\"]`")),
                )?;
            let brand = plain_text(row.cell("brand")?);
            Ok(FlipkartProduct {
                name: plain_text(row.text("product_name")?),
                brand: Some(brand).filter(|brand| !brand.is_empty()),
                tree: inner.split(">>").map(plain_text).filter(|name| !name.is_empty()).collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests_support::write;

    #[test]
    fn reads_the_tree() {
        let folder = tempfile::tempdir().unwrap();
        let header = "product_name,product_category_tree,brand\n";
        let row = "Acme Mug,\"[\"\"Kitchen & Dining >> Mugs >> Acme Mug\"\"]\",\n";
        write(folder.path(), FILE, format!("{header}{row}").as_bytes());
        let products = load(folder.path()).unwrap();
        assert_eq!(products[0].tree, ["Kitchen & Dining", "Mugs", "Acme Mug"]);
        assert_eq!(products[0].brand, None);
        write(folder.path(), FILE, format!("{header}Mug,Kitchen,\n").as_bytes());
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("`Kitchen`"), "{error}");
    }
}

//! Instacart: product names with their aisle and department.
//!
//! A few product names hold an unescaped quote that swallows the lines after it; such rows point
//! at no known aisle and are dropped.

use super::SourceError;
use super::clean::collapse;
use super::table::{Charset, Table};
use std::collections::BTreeMap;
use std::path::Path;

/// Products, aisles, departments.
pub(super) const FILES: [&str; 3] = [
    "instacart_sample/products.csv",
    "instacart_sample/aisles.csv",
    "instacart_sample/departments.csv",
];

/// A product and the shelf it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelvedProduct {
    /// The product's name.
    pub name: String,
    /// The aisle: a type.
    pub aisle: String,
    /// The department: the aisle's parent.
    pub department: String,
}

pub(super) fn load(folder: &Path) -> Result<Vec<ShelvedProduct>, SourceError> {
    let aisles = names(&folder.join(FILES[1]), "aisle_id", "aisle")?;
    let departments = names(&folder.join(FILES[2]), "department_id", "department")?;
    let columns = ["product_name", "aisle_id", "department_id"];
    let table = Table::read(&folder.join(FILES[0]), Charset::Utf8, &columns)?;
    let mut products = Vec::new();
    for row in table.rows() {
        let (Ok(aisle), Ok(department)) = (row.cell("aisle_id"), row.cell("department_id")) else {
            continue;
        };
        let (Some(aisle), Some(department)) = (aisles.get(aisle), departments.get(department))
        else {
            continue;
        };
        let name = collapse(row.text("product_name")?);
        products.push(ShelvedProduct {
            name,
            aisle: aisle.clone(),
            department: department.clone(),
        });
    }
    Ok(products)
}

fn names(path: &Path, id: &str, name: &str) -> Result<BTreeMap<String, String>, SourceError> {
    let table = Table::read(path, Charset::Utf8, &[id, name])?;
    table.rows().map(|row| Ok((row.text(id)?.to_owned(), row.text(name)?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests_support::write;

    #[test]
    fn rows_after_a_stray_quote_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), FILES[1], b"aisle_id,aisle\n1,\"tea\"\n");
        write(folder.path(), FILES[2], b"department_id,department\n5,drinks\n");
        let products = b"product_id,product_name,aisle_id,department_id\n\
            1,Green Tea,1,5\n2,\"Mug 3\",1,5\n3,Black Tea,1,5\n4,\"Cup 4\",1,5\n5,Oolong,1,5\n";
        write(folder.path(), FILES[0], products);
        let names: Vec<_> = load(folder.path()).unwrap().into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["Green Tea", "Mug 3", "Black Tea", "Cup 4", "Oolong"]);
        let swallowed = b"product_id,product_name,aisle_id,department_id\n\
            1,Green Tea,1,5\n2,\"Mug 3\"\" x 4,1,5\n3,Black Tea,1,5\n4,\"Cup 4\",1,5\n5,Oolong,1,5\n";
        write(folder.path(), FILES[0], swallowed);
        let products = load(folder.path()).unwrap();
        assert_eq!((products[0].name.as_str(), products[0].aisle.as_str()), ("Green Tea", "tea"));
        assert!(products.iter().all(|p| !p.name.contains('\n') && p.name != "Black Tea"));
    }
}

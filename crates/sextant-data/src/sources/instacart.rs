//! Instacart: product names with their aisle and department.
//!
//! A few product names contain an unescaped quote, which makes the lines after it part of the name. These
//! lines are left out, as they were when the benchmark was first built, and are counted.

use super::SourceError;
use super::table::{Charset, LeftOut, Table};
use crate::clean::collapse;
use std::collections::BTreeMap;
use std::path::Path;

/// The files of products, aisles and departments.
pub(super) const FILES: [&str; 3] = [
    "instacart_sample/products.csv",
    "instacart_sample/aisles.csv",
    "instacart_sample/departments.csv",
];

/// A product with its aisle and department.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelvedProduct {
    /// The product's name.
    pub name: String,
    /// The aisle, which is a product type.
    pub aisle: String,
    /// The department, which is the parent of the aisle.
    pub department: String,
}

pub(super) fn load(folder: &Path) -> Result<(Vec<ShelvedProduct>, LeftOut), SourceError> {
    let aisles = names(&folder.join(FILES[1]), "aisle_id", "aisle")?;
    let departments = names(&folder.join(FILES[2]), "department_id", "department")?;
    let path = folder.join(FILES[0]);
    let columns = ["product_name", "aisle_id", "department_id"];
    let (table, left_out) = Table::read_damaged(&path, Charset::Utf8, &columns)?;
    if let Some(first) = left_out.first {
        tracing::warn!(
            "{}: {} lines are left out, the first is line {first}: {} product names hold a stray quote",
            path.display(),
            left_out.lines,
            left_out.rows
        );
    }
    let mut products = Vec::new();
    for row in table.rows() {
        let named = |column: &str, names: &BTreeMap<String, String>, file: &str| {
            let id = row.text(column)?;
            let unknown = || row.error(format!("{column} {id} is not in {file}"));
            names.get(id).cloned().ok_or_else(unknown)
        };
        products.push(ShelvedProduct {
            name: collapse(row.text("product_name")?),
            aisle: named("aisle_id", &aisles, FILES[1])?,
            department: named("department_id", &departments, FILES[2])?,
        });
    }
    Ok((products, left_out))
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
    fn rows_in_a_stray_quote_are_left_out_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), FILES[1], b"aisle_id,aisle\n1,\"tea\"\n");
        write(folder.path(), FILES[2], b"department_id,department\n5,drinks\n");
        let products = b"product_id,product_name,aisle_id,department_id\n\
            1,Green Tea,1,5\n2,\"Mug 3\",1,5\n3,Black Tea,1,5\n4,\"Cup 4\",1,5\n5,Oolong,1,5\n";
        write(folder.path(), FILES[0], products);
        let names: Vec<_> = load(folder.path()).unwrap().0.into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["Green Tea", "Mug 3", "Black Tea", "Cup 4", "Oolong"]);
        let swallowed = b"product_id,product_name,aisle_id,department_id\n\
            1,Green Tea,1,5\n2,\"Mug 3\"\" x 4,1,5\n3,Black Tea,1,5\n4,\"Cup 4\",1,5\n5,Oolong,1,5\n";
        write(folder.path(), FILES[0], swallowed);
        let (products, left_out) = load(folder.path()).unwrap();
        let names: Vec<_> = products.iter().map(|p| (p.name.as_str(), p.aisle.as_str())).collect();
        assert_eq!(names, [("Green Tea", "tea"), ("Oolong", "tea")]);
        assert_eq!(left_out, LeftOut { rows: 1, lines: 3, first: Some(3) });
        let elsewhere = b"product_id,product_name,aisle_id,department_id\n1,Green Tea,7,5\n";
        write(folder.path(), FILES[0], elsewhere);
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("products.csv line 2: aisle_id 7 is not in"), "{error}");
    }
}

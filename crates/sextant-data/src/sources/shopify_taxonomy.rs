//! Shopify's product taxonomy, its mapping to Google's, and its mapping from its own first edition.

use super::google_taxonomy::type_path;
use super::table::{Charset, line_error, read_text};
use super::{SourceError, TypePath};
use serde::Deserialize;
use std::path::Path;

/// The files of the nodes, of the mapping to Google, and of the mapping from the first edition.
pub(super) const FILES: [&str; 3] = [
    "shopify_product_taxonomy/categories.txt",
    "shopify_product_taxonomy/shopify_2025-08_to_google_2021-09-21.txt",
    "shopify_product_taxonomy/shopify_2022-02_to_shopify_2025-08.json",
];

/// The taxonomy and its two mappings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShopifyTaxonomy {
    /// Every node.
    pub nodes: Vec<TypePath>,
    /// Each Shopify node with the Google node that contains it, which is often less specific.
    pub to_google: Vec<(TypePath, TypePath)>,
    /// Each node of the first edition that was replaced by exactly one node, with that node.
    pub from_first_edition: Vec<(TypePath, TypePath)>,
}

#[derive(Deserialize)]
struct Mappings {
    mappings: Vec<Mapping>,
}
#[derive(Deserialize)]
struct Mapping {
    rules: Vec<Rule>,
}
#[derive(Deserialize)]
struct Rule {
    input: Input,
    output: Output,
}
#[derive(Deserialize)]
struct Input {
    category: Category,
}
#[derive(Deserialize)]
struct Output {
    category: Vec<Category>,
}
#[derive(Deserialize)]
struct Category {
    full_name: String,
}

pub(super) fn load(folder: &Path) -> Result<ShopifyTaxonomy, SourceError> {
    Ok(ShopifyTaxonomy {
        nodes: load_nodes(&folder.join(FILES[0]))?,
        to_google: load_to_google(&folder.join(FILES[1]))?,
        from_first_edition: load_from_first_edition(&folder.join(FILES[2]))?,
    })
}

fn load_nodes(path: &Path) -> Result<Vec<TypePath>, SourceError> {
    let text = read_text(path, Charset::Utf8)?;
    let mut nodes = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (_, node) = line
            .split_once(" : ")
            .ok_or_else(|| line_error(path, index as u64 + 1, "expected `gid : A > B > C`"))?;
        nodes.push(type_path(node));
    }
    Ok(nodes)
}

fn load_to_google(path: &Path) -> Result<Vec<(TypePath, TypePath)>, SourceError> {
    let text = read_text(path, Charset::Utf8)?;
    let mut pairs = Vec::new();
    let mut from: Option<TypePath> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(node) = line.strip_prefix('→') {
            from = Some(type_path(node));
        } else if let Some(node) = line.strip_prefix('⇒') {
            let from = from.take().ok_or_else(|| {
                line_error(path, index as u64 + 1, "a `⇒` line without a `→` line before it")
            })?;
            pairs.push((from, type_path(node)));
        }
    }
    Ok(pairs)
}

fn load_from_first_edition(path: &Path) -> Result<Vec<(TypePath, TypePath)>, SourceError> {
    let text = read_text(path, Charset::Utf8)?;
    let file: Mappings = serde_json::from_str(&text).map_err(|error| {
        line_error(path, error.line() as u64, format!("not the expected JSON: {error}"))
    })?;
    let rules = file.mappings.into_iter().flat_map(|mapping| mapping.rules);
    Ok(rules
        .filter_map(|rule| match rule.output.category.as_slice() {
            [only] => Some((type_path(&rule.input.category.full_name), type_path(&only.full_name))),
            _ => None,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests_support::write;

    #[test]
    fn reads_nodes_and_mappings() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), FILES[0], b"# c\n\ngid://x/a   : A\ngid://x/a-1 : A > B\n");
        write(folder.path(), FILES[1], "# c\n\n→ A > B\n⇒ A > C\n".as_bytes());
        let json = br#"{"mappings":[{"rules":[
            {"input":{"category":{"full_name":"Old"}},"output":{"category":[{"full_name":"A > B"}]}},
            {"input":{"category":{"full_name":"X"}},"output":{"category":[]}}]}]}"#;
        write(folder.path(), FILES[2], json);
        let found = load(folder.path()).unwrap();
        assert_eq!(found.nodes, [vec!["A"], vec!["A", "B"]]);
        let path = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(found.to_google, [(path(&["A", "B"]), path(&["A", "C"]))]);
        assert_eq!(found.from_first_edition, [(path(&["Old"]), path(&["A", "B"]))]);
        write(folder.path(), FILES[1], "⇒ A\n".as_bytes());
        assert!(load(folder.path()).unwrap_err().to_string().contains("line 1"));
    }
}

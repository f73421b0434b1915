//! Google's product taxonomy: `ID - A > B > C` per line.

use super::table::{Charset, line_error, read_text};
use super::{SourceError, TypePath};
use std::path::Path;

pub(super) const FILE: &str = "google_product_taxonomy/taxonomy-with-ids.en-US.txt";

pub(super) fn load(folder: &Path) -> Result<Vec<TypePath>, SourceError> {
    let path = folder.join(FILE);
    let text = read_text(&path, Charset::Utf8)?;
    let mut nodes = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (_, node) = line
            .split_once(" - ")
            .ok_or_else(|| line_error(&path, index as u64 + 1, "expected `ID - A > B > C`"))?;
        nodes.push(type_path(&repaired(node)));
    }
    Ok(nodes)
}

/// Repairs accented letters. In the file that is in circulation they are wrong, because it was once read as
/// Windows-1251: `EntrГ©es`.
fn repaired(text: &str) -> String {
    [("Г©", "é"), ("ГЄ", "ê"), ("ГЁ", "è"), ("Г±", "ñ")]
        .into_iter()
        .fold(text.to_owned(), |text, (wrong, right)| text.replace(wrong, right))
}

/// The names of a path that is written as `A > B > C`.
pub(super) fn type_path(text: &str) -> TypePath {
    text.split('>').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests_support::write;

    #[test]
    fn reads_paths() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), FILE, b"# version\n1 - Pets\n7 - Pets > Dog - Toys\n");
        assert_eq!(load(folder.path()).unwrap(), [vec!["Pets"], vec!["Pets", "Dog - Toys"]]);
        write(folder.path(), FILE, "9 - PiГ±atas\n".as_bytes());
        assert_eq!(load(folder.path()).unwrap(), [vec!["Piñatas"]]);
        write(folder.path(), FILE, b"1 - Pets\nPets > Toys\n");
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}

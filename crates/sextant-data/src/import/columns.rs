//! Which columns of which tables a map speaks of.

use super::ImportError;
use super::map::ImportMap;

/// A column of the ratings, or of a joined table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The index among the columns that are read of the ratings.
    Ratings(usize),
    /// The index of a table, and the index among the columns that are read of it.
    Joined(usize, usize),
}

/// The columns that are read of each table, gathered while the map is resolved.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The columns of the ratings.
    pub(super) ratings: Vec<String>,
    /// The name of each joined table, and its columns (its attributes, in a table with a row for each).
    pub(super) joined: Vec<(String, Vec<String>)>,
}

impl Wanted {
    pub(super) fn new(map: &ImportMap) -> Self {
        let joined = map.tables.keys().map(|name| (name.clone(), Vec::new())).collect();
        Self { ratings: Vec::new(), joined }
    }

    /// The column of the ratings that has this name.
    pub(super) fn rating(&mut self, name: &str) -> usize {
        place(&mut self.ratings, name)
    }

    /// The table that has this name.
    pub(super) fn table(&self, key: &str, name: &str) -> Result<usize, ImportError> {
        self.joined.iter().position(|(table, _)| table == name).ok_or_else(|| {
            let tables: Vec<_> = self.joined.iter().map(|(name, _)| format!("`{name}`")).collect();
            let known = if tables.is_empty() { "none".to_owned() } else { tables.join(", ") };
            ImportError::key(key, format!("no table `{name}`; the map has {known}"))
        })
    }

    /// The column that a map names: `table.column`, or the name of a column of the ratings. A name with a dot
    /// whose beginning is no table is a column of the ratings.
    pub(super) fn column(&mut self, name: &str) -> Place {
        if let Some((table, column)) = name.split_once('.')
            && let Some(at) = self.joined.iter().position(|(known, _)| known == table)
        {
            return Place::Joined(at, place(&mut self.joined[at].1, column));
        }
        Place::Ratings(self.rating(name))
    }
}

fn place(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

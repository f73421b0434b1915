//! A joined table: its rows are kept in a temporary file, and only their places in memory.
//!
//! The keys that the ratings need are known before the table is read, so that nothing else is kept. Texts are
//! cleaned as they are written to the file: once for each product and not once for each rating.

use super::ImportError;
use super::digest::{KeyHash, hash};
use super::map::{JoinSpec, OnMissing, TextSpec};
use super::table::{self, TextBatch};
use super::text::clean;
use super::watch::Watch;
use crate::number::whole;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The place of a record in the temporary file; `NOWHERE` for a key of which no row was read.
const NOWHERE: u64 = u64::MAX;

/// The values of a joined row: one for each column, or the attributes of a table with a row for each.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Record {
    pub(super) values: Vec<Option<String>>,
    /// Every attribute, in the order of the table; empty for a table with columns.
    pub(super) attributes: Vec<(String, String)>,
}

/// A joined table.
pub(super) struct Joined {
    pub(super) name: String,
    pub(super) spec: JoinSpec,
    /// The columns that are read besides the key; the names of attributes, in a table with a row for each.
    pub(super) columns: Vec<String>,
    /// Where the columns of the key are among those read of the ratings.
    pub(super) on: Vec<usize>,
    places: HashMap<KeyHash, u64>,
    file: Option<File>,
    folder: PathBuf,
    /// How many rows of the table had a key that an earlier row had.
    pub(super) repeated: u64,
    buffer: Vec<u8>,
}

impl Joined {
    pub(super) fn new(
        name: String,
        spec: JoinSpec,
        columns: Vec<String>,
        on: Vec<usize>,
        folder: &Path,
    ) -> Self {
        let folder = folder.to_owned();
        let (places, buffer) = (HashMap::new(), Vec::new());
        Self { name, spec, columns, on, places, file: None, folder, repeated: 0, buffer }
    }

    /// The key of a rating; `None` if a part of it is empty.
    pub(super) fn key(&self, batch: &TextBatch, row: usize) -> Option<KeyHash> {
        key_of(self.on.iter().map(|&on| batch.get(on, row)))
    }

    /// Remembers that a rating needs a key.
    pub(super) fn need(&mut self, batch: &TextBatch, row: usize) {
        if let Some(key) = self.key(batch, row) {
            self.places.entry(key).or_insert(NOWHERE);
        }
    }

    /// Reads the table, and keeps the rows whose keys are needed.
    pub(super) fn load(
        &mut self,
        sources: &Path,
        text: &TextSpec,
        watch: &mut Watch<'_>,
    ) -> Result<(), ImportError> {
        watch.table(&self.name)?;
        let spill = |source| ImportError::Spill { folder: self.folder.clone(), source };
        let file = tempfile::tempfile_in(&self.folder).map_err(spill)?;
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        let mut end = 0_u64;
        let mut columns = self.spec.key.clone();
        let long = self.spec.names.clone().zip(self.spec.values.clone());
        match &long {
            Some((names, values)) => columns.extend([names.clone(), values.clone()]),
            None => columns.extend(self.columns.iter().cloned()),
        }
        let keys = self.spec.key.len();
        let (places, repeated) = (&mut self.places, &mut self.repeated);
        let mut bytes = Vec::new();
        table::read(&self.spec.table(), sources, &columns, watch, |batch| {
            for row in 0..batch.rows() {
                let key = key_of((0..keys).map(|key| batch.get(key, row)));
                let Some(place) = key.and_then(|key| places.get_mut(&key)) else { continue };
                if long.is_none() && *place != NOWHERE {
                    *repeated += 1;
                    continue;
                }
                bytes.clear();
                if long.is_some() {
                    // Rows of one key are a chain from the last back to the first.
                    bytes.extend(place.to_le_bytes());
                }
                for column in keys..columns.len() {
                    let value = batch.get(column, row).map(|cell| clean(cell, text));
                    put(&mut bytes, value.as_deref());
                }
                writer.write_all(&(bytes.len() as u32).to_le_bytes()).map_err(spill)?;
                writer.write_all(&bytes).map_err(spill)?;
                *place = end;
                end += 4 + bytes.len() as u64;
            }
            Ok(())
        })?;
        let file = writer.into_inner().map_err(|error| spill(error.into_error()))?;
        self.file = Some(file);
        self.refuse_useless()
    }

    /// Refuses a table that has none of the keys of the ratings, where ratings without a partner are taken: all would
    /// be, without a word of what the table was to add. Where they are not taken, rows say it.
    fn refuse_useless(&self) -> Result<(), ImportError> {
        let keys = self.places.len();
        let useful = keys == 0 || self.places.values().any(|&place| place != NOWHERE);
        if useful || self.spec.missing != OnMissing::Empty {
            return Ok(());
        }
        let problem = format!(
            "none of the {keys} keys of the ratings is in it; do `key` and `on` name columns that hold the same keys?"
        );
        Err(ImportError::key(format!("tables.{}", self.name), problem))
    }

    /// The record of a rating; `None` if the table has none for it.
    pub(super) fn record(
        &mut self,
        batch: &TextBatch,
        row: usize,
    ) -> Result<Option<Record>, ImportError> {
        let place = self.key(batch, row).and_then(|key| self.places.get(&key).copied());
        let Some(place) = place.filter(|&place| place != NOWHERE) else { return Ok(None) };
        let read = self.read(place);
        read.map(Some).map_err(|source| ImportError::Spill { folder: self.folder.clone(), source })
    }

    fn read(&mut self, mut place: u64) -> std::io::Result<Record> {
        let long = self.spec.names.is_some();
        let mut record = Record { values: vec![None; self.columns.len()], ..Record::default() };
        while place != NOWHERE {
            let file = self.file.as_mut().ok_or_else(broken)?;
            file.seek(SeekFrom::Start(place))?;
            let mut size = [0; 4];
            file.read_exact(&mut size)?;
            self.buffer.resize(u32::from_le_bytes(size) as usize, 0);
            file.read_exact(&mut self.buffer)?;
            let mut bytes = &self.buffer[..];
            if !long {
                for value in &mut record.values {
                    *value = take(&mut bytes).ok_or_else(broken)?;
                }
                return Ok(record);
            }
            let (previous, mut rest) = bytes.split_first_chunk::<8>().ok_or_else(broken)?;
            place = u64::from_le_bytes(*previous);
            let (name, value) = (take(&mut rest), take(&mut rest));
            if let (Some(Some(name)), Some(Some(value))) = (name, value) {
                record.attributes.push((name, value));
            }
        }
        record.attributes.reverse();
        for (value, column) in record.values.iter_mut().zip(&self.columns) {
            let found = record.attributes.iter().find(|(name, _)| name == column);
            *value = found.map(|(_, value)| value.clone());
        }
        Ok(record)
    }

    /// The key of a rating as people read it.
    pub(super) fn shown_key(&self, batch: &TextBatch, row: usize) -> String {
        let parts = self.spec.key.iter().zip(&self.on);
        let parts =
            parts.map(|(name, &on)| format!("{name} `{}`", batch.get(on, row).unwrap_or("")));
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// The key that cells make; `None` if one of them is empty. A whole number is the same however it is written: tables
/// whose keys have gaps are often saved with floating-point numbers, 1.0 for 1.
fn key_of<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> Option<KeyHash> {
    let parts: Vec<Cow<'a, str>> = cells.map(|cell| cell.map(whole)).collect::<Option<_>>()?;
    Some(hash(parts.iter().map(|part| &**part)))
}

/// The error of a temporary file that does not hold what was written to it.
fn broken() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, "it was changed while it was in use")
}

/// Appends a text with its length before it; the greatest length stands for an absent one.
fn put(bytes: &mut Vec<u8>, text: Option<&str>) {
    let size = text.map_or(u32::MAX, |text| text.len() as u32);
    bytes.extend(size.to_le_bytes());
    bytes.extend(text.unwrap_or_default().as_bytes());
}

/// Takes what [`put`] appended; `None` if the bytes are not whole.
#[expect(clippy::option_option, reason = "an absent text is not a broken one")]
fn take(bytes: &mut &[u8]) -> Option<Option<String>> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let size = u32::from_le_bytes(*size);
    if size == u32::MAX {
        *bytes = rest;
        return Some(None);
    }
    let (text, rest) = rest.split_at_checked(size as usize)?;
    *bytes = rest;
    Some(Some(String::from_utf8(text.to_vec()).ok()?))
}

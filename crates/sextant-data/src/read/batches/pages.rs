//! The pages of a Parquet file, checked before the Parquet library relies on what their headers state.

use bytes::Bytes;
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, FileReader, Length, RowGroupReader};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

/// A file in which reading past the end is an error. If reading there gave no bytes instead, the library
/// would skip the two billion values that a damaged page header may state one by one, which takes minutes.
pub(super) struct Whole(pub(super) File);

/// Reads a file from a position on; reading past the end is an error.
pub(super) struct NotPastTheEnd(File);

impl Read for NotPastTheEnd {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !buffer.is_empty() => Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }
}

impl Length for Whole {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for Whole {
    type T = BufReader<NotPastTheEnd>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut file = self.0.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(BufReader::new(NotPastTheEnd(file)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

/// A file whose pages are checked. The library asks it for row groups, and the row groups for the pages of a
/// column.
pub(super) struct CheckedFile {
    pub(super) file: Arc<Whole>,
    pub(super) metadata: Arc<ParquetMetaData>,
}

impl FileReader for CheckedFile {
    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }

    fn num_row_groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    fn get_row_group(&self, i: usize) -> Result<Box<dyn RowGroupReader + '_>> {
        let metadata = self.metadata.row_group(i);
        Ok(Box::new(CheckedRowGroup { file: self.file.clone(), metadata }))
    }

    fn get_row_iter(&self, _: Option<Type>) -> Result<RowIter<'_>> {
        Err(by_columns_alone())
    }
}

struct CheckedRowGroup<'a> {
    file: Arc<Whole>,
    metadata: &'a RowGroupMetaData,
}

impl RowGroupReader for CheckedRowGroup<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.metadata
    }

    fn num_columns(&self) -> usize {
        self.metadata.num_columns()
    }

    fn get_column_page_reader(&self, i: usize) -> Result<Box<dyn PageReader>> {
        let (chunk, rows) = (self.metadata.column(i), self.metadata.num_rows() as usize);
        let pages = SerializedPageReader::new(self.file.clone(), chunk, rows, None)?;
        Ok(Box::new(CheckedPages(pages)))
    }

    fn get_column_bloom_filter(&self, _: usize) -> Option<&Sbbf> {
        None
    }

    fn get_row_iter(&self, _: Option<Type>) -> Result<RowIter<'_>> {
        Err(by_columns_alone())
    }
}

/// The error of the library's other interface, which reads a file row by row and is not used here.
fn by_columns_alone() -> ParquetError {
    ParquetError::NYI("checked files are read by columns alone".into())
}

/// Pages whose dictionaries have no more values than their bytes can hold. The library allocates memory for
/// as many values as the header of a dictionary states before it decodes the first one, which for a damaged
/// header is gigabytes.
struct CheckedPages(SerializedPageReader<Whole>);

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.0.get_next_page()?;
        match &page {
            // Dictionaries have the plain encoding, in which every value takes at least one byte.
            Some(Page::DictionaryPage { buf, num_values, .. })
                if *num_values as usize > buf.len() =>
            {
                Err(ParquetError::General(format!(
                    "a dictionary claims {num_values} values and has {} bytes: the file is damaged",
                    buf.len()
                )))
            }
            _ => Ok(page),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.0.skip_next_page()
    }
}

//! The pages of a Parquet file, checked before the Parquet library relies on what their headers state.

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, FileReader, Length, RowGroupReader};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
        let compressed = chunk.compression() != Compression::UNCOMPRESSED;
        let peeked = AtomicBool::new(false);
        let column = Arc::new(CheckedColumn { file: self.file.clone(), compressed, peeked });
        let pages = SerializedPageReader::new(column.clone(), chunk, rows, None)?;
        Ok(Box::new(CheckedPages { pages, column }))
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

/// How large a compressed page may become whatever its compressed size is.
const LARGE_PAGE: u64 = 16 << 20;
/// How many times its compressed size a page above [`LARGE_PAGE`] may become. Deflate reaches no more; other codecs
/// do for bytes that repeat, but a writer ends a page long before it is this large.
const MOST_EXPANSION: u64 = 1032;

/// The bytes of a column, whose page headers claim no more than their pages can hold. The library makes room
/// for as many bytes as a header says that a page has when it is decompressed, before it reads the page.
struct CheckedColumn {
    file: Arc<Whole>,
    compressed: bool,
    /// Whether the library has read the header of the next page already, and reads on behind it.
    peeked: AtomicBool,
}

impl Length for CheckedColumn {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for CheckedColumn {
    type T = BufReader<NotPastTheEnd>;

    /// The library calls this at the header of each page, and behind one that it has peeked at.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut read = self.file.get_read(start)?;
        if !self.peeked.swap(false, Ordering::Relaxed) && self.compressed {
            let [decompressed, compressed] = page_sizes(read.fill_buf()?)
                .ok_or_else(|| damaged("a page header has no sizes"))?;
            if decompressed > LARGE_PAGE && decompressed > compressed.saturating_mul(MOST_EXPANSION)
            {
                return Err(damaged(&format!(
                    "a page of {compressed} compressed bytes claims to hold {decompressed}, which is beyond belief"
                )));
            }
        }
        Ok(read)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.file.get_bytes(start, length)
    }
}

fn damaged(what: &str) -> ParquetError {
    ParquetError::General(format!("{what}: the file is damaged"))
}

/// The sizes that a page header claims, decompressed and compressed: its fields 2 and 3, which stand in its
/// first bytes, between other numbers of 32 bits (Thrift's compact protocol).
fn page_sizes(header: &[u8]) -> Option<[u64; 2]> {
    const I32: u8 = 5;
    let mut bytes = header.iter().copied();
    let mut id = 0;
    let mut sizes = [None; 2];
    while let Some(byte) = bytes.next() {
        if byte & 0x0f != I32 {
            break;
        }
        id = match byte >> 4 {
            0 => zigzag(&mut bytes)?,
            step => id + i64::from(step),
        };
        let number = zigzag(&mut bytes)?;
        if let 2 | 3 = id {
            sizes[id as usize - 2] = u64::try_from(number).ok();
        }
    }
    let [Some(decompressed), Some(compressed)] = sizes else { return None };
    Some([decompressed, compressed])
}

/// A number of Thrift's compact protocol: seven bits a byte, the sign in the lowest bit.
fn zigzag(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let mut number = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((number >> 1) as i64 ^ -((number & 1) as i64));
        }
    }
    None
}

/// Pages whose dictionaries have no more values than their bytes can hold. The library allocates memory for
/// as many values as the header of a dictionary states before it decodes the first one, which for a damaged
/// header is gigabytes.
struct CheckedPages {
    pages: SerializedPageReader<CheckedColumn>,
    column: Arc<CheckedColumn>,
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        match &page {
            // Dictionaries have the plain encoding, in which every value takes at least one byte.
            Some(Page::DictionaryPage { buf, num_values, .. })
                if *num_values as usize > buf.len() =>
            {
                Err(damaged(&format!(
                    "a dictionary claims {num_values} values and has {} bytes",
                    buf.len()
                )))
            }
            _ => Ok(page),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let page = self.pages.peek_next_page()?;
        self.column.peeked.store(page.is_some(), Ordering::Relaxed);
        Ok(page)
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()?;
        self.column.peeked.store(false, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::page_sizes;

    #[test]
    fn sizes_of_page_headers() {
        // type 0, 300 bytes that were 130; then, with its number written out, a checksum, and a struct
        let header = [0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x84, 0x02, 0x05, 0x08, 0x02, 0x1c, 0x15];
        assert_eq!(page_sizes(&header), Some([300, 130]));
        for end in 0..8 {
            assert_eq!(page_sizes(&header[..end]), None, "cut at {end}");
        }
        let negative = [0x15, 0x00, 0x15, 0x01, 0x15, 0x02];
        assert_eq!(page_sizes(&negative), None);
        let gigabytes = [0x15, 0x00, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x15, 0x02];
        assert_eq!(page_sizes(&gigabytes), Some([i32::MAX as u64, 1]));
        assert_eq!(page_sizes(&[0xff; 40]), None);
    }
}

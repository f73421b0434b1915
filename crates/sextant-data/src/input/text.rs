//! Turns the bytes of a text file into UTF-8: decompression, byte order marks, other encodings.

use super::sniff::{self, Compression};
use crate::{DataError, Encoding};
use encoding_rs::{Decoder, DecoderResult};
use flate2::bufread::MultiGzDecoder;
use std::io::{BufRead, BufReader, Cursor, Error, ErrorKind, Read, Result};
use std::path::Path;

/// The number of bytes by which the kind of a file is recognized.
const HEAD: usize = 512;
const BUFFER: usize = 1 << 16;

/// The first bytes of a reader: [`HEAD`] bytes, or all if there are fewer.
pub(super) fn head(reader: &mut impl Read) -> Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    reader.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// The text of a reader; `start` are its first bytes, which were read already.
///
/// A byte order mark takes precedence over `encoding`, because it is in the file itself.
pub(super) fn open(
    start: Vec<u8>,
    rest: impl Read + Send + 'static,
    encoding: Encoding,
    path: &Path,
) -> std::result::Result<Box<dyn BufRead + Send>, DataError> {
    let read = |source| DataError::read(path, source);
    let compression = sniff::compression(&start);
    let mut bytes: Box<dyn BufRead + Send> =
        Box::new(BufReader::with_capacity(BUFFER, Cursor::new(start).chain(rest)));
    bytes = match compression {
        None => bytes,
        // A gzip file may have several members, for example if it was made by `cat a.gz b.gz` or written in
        // blocks.
        Some(Compression::Gzip) => {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(bytes)))
        }
        Some(Compression::Zstd) => {
            let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(read)?;
            Box::new(BufReader::with_capacity(BUFFER, decoder))
        }
    };
    let head = head(&mut bytes).map_err(read)?;
    let refuse = |found: &str, fix: &str| {
        let packed = if compression.is_some() { "unpacked " } else { "" };
        Err(DataError::unusable(path, format!("the {packed}content is {found}; {fix}")))
    };
    if let Some((found, fix)) = sniff::foreign(&head) {
        return refuse(found, fix);
    }
    if sniff::compression(&head).is_some() {
        return refuse("compressed once more", "unpack it");
    }
    if head.starts_with(sniff::PARQUET) {
        return refuse("Parquet", "unpack the file, and name it .parquet");
    }
    let mark = sniff::byte_order_mark(&head);
    if mark.is_none() && sniff::is_mostly_zeros(&head) {
        let fix = "save it as UTF-8, or as UTF-16 with a byte order mark";
        return refuse("binary, or UTF-16 without a byte order mark", fix);
    }
    let latin_1 = (encoding == Encoding::Latin1).then_some(encoding_rs::WINDOWS_1252);
    let whole = Cursor::new(head).chain(bytes);
    Ok(match mark.or(latin_1) {
        Some(other) if other != encoding_rs::UTF_8 => Box::new(Transcoder {
            inner: whole,
            decoder: other.new_decoder_with_bom_removal(),
            name: other.name(),
            position: 0,
            output: vec![0; BUFFER],
            ready: 0..0,
            ended: false,
        }),
        utf_8 => {
            let mut whole = whole;
            if utf_8.is_some() {
                whole.consume(3); // The byte order mark of UTF-8 has three bytes.
            }
            Box::new(whole)
        }
    })
}

/// Reads text of another encoding as UTF-8. Bytes that are not valid in that encoding are an error.
struct Transcoder<R> {
    inner: R,
    decoder: Decoder,
    name: &'static str,
    /// The number of bytes that were read from the inner reader so far.
    position: u64,
    output: Vec<u8>,
    ready: std::ops::Range<usize>,
    ended: bool,
}

impl<R: BufRead> BufRead for Transcoder<R> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        while self.ready.is_empty() && !self.ended {
            let input = self.inner.fill_buf()?;
            let last = input.is_empty();
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(input, &mut self.output, last);
            self.inner.consume(read);
            self.position += read as u64;
            self.ready = 0..written;
            match result {
                DecoderResult::InputEmpty => self.ended = last,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    self.ended = true;
                    let (name, end) = (self.name, self.position);
                    let problem = format!("the text before byte {} is not {name}", end + 1);
                    return Err(Error::new(ErrorKind::InvalidData, problem));
                }
            }
        }
        Ok(&self.output[self.ready.clone()])
    }

    fn consume(&mut self, count: usize) {
        self.ready.start = (self.ready.start + count).min(self.ready.end);
    }
}

impl<R: BufRead> Read for Transcoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

//! The lines of a body, as it comes.

use crate::error::ApiError;
use crate::native::ErrorCode;
use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::{Stream, StreamExt, stream};
use std::time::Duration;

/// A line without its end, or why the body has no further line.
pub(crate) type Line = Result<Bytes, ApiError>;

struct Reader {
    body: BodyDataStream,
    /// What came and was not handed out.
    buffer: Vec<u8>,
    /// Where in the buffer the next line begins.
    start: usize,
    most: usize,
    patience: Duration,
    ended: bool,
}

/// The lines of a body that are not blank. A line of more than `most` bytes, a body that breaks off, and a
/// sender that is silent for longer than `patience` are errors that end the lines.
pub(crate) fn lines(
    body: Body,
    most: usize,
    patience: Duration,
) -> impl Stream<Item = Line> + Send {
    let reader = Reader {
        body: body.into_data_stream(),
        buffer: Vec::new(),
        start: 0,
        most,
        patience,
        ended: false,
    };
    stream::unfold(reader, |mut reader| async move {
        let line = reader.next().await?;
        Some((line, reader))
    })
}

impl Reader {
    async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.buffered() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Some(Ok(line));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.read().await {
                self.ended = true;
                self.buffer.clear();
                self.start = 0;
                return Some(Err(error));
            }
        }
    }

    /// The next whole line of the buffer; at the body's end, what is left of it.
    fn buffered(&mut self) -> Option<Bytes> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let length = match rest.iter().position(|&byte| byte == b'\n') {
            Some(length) => length,
            None if self.ended && !rest.is_empty() => rest.len(),
            None => return None,
        };
        let line = Bytes::copy_from_slice(&rest[..length]);
        self.start = (self.start + length + 1).min(self.buffer.len());
        Some(line)
    }

    async fn read(&mut self) -> Result<(), ApiError> {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.len() > self.most {
            let message = format!("a line has more than {} bytes; make pairs shorter", self.most);
            return Err(ApiError::new(ErrorCode::TooLarge, message));
        }
        let came = tokio::time::timeout(self.patience, self.body.next()).await;
        match came {
            Ok(Some(Ok(bytes))) => self.buffer.extend_from_slice(&bytes),
            Ok(Some(Err(_))) => {
                return Err(ApiError::invalid("the body broke off, or could not be unpacked"));
            }
            Ok(None) => self.ended = true,
            Err(_) => {
                let message = format!("nothing came for {} s", self.patience.as_secs());
                return Err(ApiError::new(ErrorCode::Timeout, message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    async fn read(parts: Vec<&'static str>, most: usize) -> Vec<Result<String, ErrorCode>> {
        let parts =
            parts.into_iter().map(|part| Ok::<_, Infallible>(Bytes::from_static(part.as_bytes())));
        let lines = lines(Body::from_stream(stream::iter(parts)), most, Duration::from_mins(1));
        let text = |line: Line| match line {
            Ok(line) => Ok(String::from_utf8(line.to_vec()).unwrap()),
            Err(error) => Err(error.code),
        };
        lines.map(text).collect().await
    }

    #[tokio::test]
    async fn lines_are_whole_however_they_come() {
        let lines = read(vec!["on", "e\n\n tw", "o\r\nthree\nfo", "ur"], 100).await;
        assert_eq!(lines, ["one", " two\r", "three", "four"].map(|line| Ok(line.to_owned())));
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_refused() {
        let lines = read(vec!["ok\n", "aaaaaaaaaa", "bbbbbbbbbb", "c\n"], 15).await;
        assert_eq!(lines, [Ok("ok".to_owned()), Err(ErrorCode::TooLarge)]);
    }
}

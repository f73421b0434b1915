//! The lines of a body, as it comes.

use crate::error::ApiError;
use crate::native::ErrorCode;
use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use std::time::Duration;

/// A line without its end, or why the body has no further line.
pub(crate) type Line = Result<Bytes, ApiError>;

/// How much of a body is handed out at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineLimits {
    /// The most bytes of a line, and of blank space between two lines.
    pub(crate) line_bytes: usize,
    /// How long the next line may take to come.
    pub(crate) patience: Duration,
    /// The most lines that are handed out together.
    pub(crate) lines: usize,
    /// No further line is handed out together with lines of so many bytes.
    pub(crate) bytes: usize,
}

struct Reader {
    body: BodyDataStream,
    limits: LineLimits,
    /// What came and was not handed out.
    buffer: Vec<u8>,
    /// Where in the buffer the next line begins.
    start: usize,
    /// Up to where there is no end of a line in the buffer, so that a long line is looked through once.
    scanned: usize,
    /// Bytes of blank lines since the last line that was not blank.
    blank: usize,
    ended: bool,
}

/// The lines of a body that are not blank, as many together as are there already. A line that is too long or takes
/// too long to come, and a body that breaks off, are errors that end the lines.
pub(crate) fn lines(body: Body, limits: LineLimits) -> impl Stream<Item = Vec<Line>> + Send {
    let reader = Reader {
        body: body.into_data_stream(),
        limits,
        buffer: Vec::new(),
        start: 0,
        scanned: 0,
        blank: 0,
        ended: false,
    };
    stream::unfold(reader, |mut reader| async move {
        let lines = reader.together().await?;
        Some((lines, reader))
    })
}

impl Reader {
    /// The next line, and those after it that are there already. `None` after the last one.
    async fn together(&mut self) -> Option<Vec<Line>> {
        let first = self.within_time().await?;
        let mut bytes = first.as_ref().map_or(0, Bytes::len);
        let mut lines = vec![first];
        while lines.len() < self.limits.lines && bytes < self.limits.bytes {
            // Nothing that has come is lost if the next line is not whole yet: it stays in the buffer.
            let Some(Some(line)) = self.next().now_or_never() else { break };
            bytes += line.as_ref().map_or(0, Bytes::len);
            lines.push(line);
        }
        Some(lines)
    }

    /// The next line, which has so much time to come: a sender of one blank now and then is silent, too.
    async fn within_time(&mut self) -> Option<Line> {
        let patience = self.limits.patience;
        if let Ok(line) = tokio::time::timeout(patience, self.next()).await {
            return line;
        }
        let message = format!("no line came for {} s", patience.as_secs());
        Some(self.fail(ApiError::new(ErrorCode::Timeout, message)))
    }

    async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.buffered() {
                if !line.iter().all(u8::is_ascii_whitespace) {
                    self.blank = 0;
                    return Some(Ok(line));
                }
                self.blank += line.len() + 1;
                if self.blank > self.limits.line_bytes {
                    let message = format!(
                        "more than {} bytes came without a pair; send pairs",
                        self.limits.line_bytes
                    );
                    return Some(self.fail(ApiError::new(ErrorCode::TooLarge, message)));
                }
                // Other connections have their turn, however long the blank goes on.
                tokio::task::consume_budget().await;
                continue;
            }
            if self.ended {
                return None;
            }
            tokio::task::consume_budget().await;
            if let Err(error) = self.read().await {
                return Some(self.fail(error));
            }
        }
    }

    /// The last thing that is handed out.
    fn fail(&mut self, error: ApiError) -> Line {
        self.ended = true;
        self.buffer = Vec::new();
        (self.start, self.scanned) = (0, 0);
        Err(error)
    }

    /// The next whole line of the buffer; at the body's end, what is left of it.
    fn buffered(&mut self) -> Option<Bytes> {
        let new = self.buffer.get(self.scanned..).unwrap_or_default();
        let end = match new.iter().position(|&byte| byte == b'\n') {
            Some(at) => self.scanned + at,
            None if self.ended && self.start < self.buffer.len() => self.buffer.len(),
            None => {
                self.scanned = self.buffer.len();
                return None;
            }
        };
        let line = Bytes::copy_from_slice(self.buffer.get(self.start..end)?);
        self.start = (end + 1).min(self.buffer.len());
        self.scanned = self.start;
        Some(line)
    }

    async fn read(&mut self) -> Result<(), ApiError> {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        let most = self.limits.line_bytes;
        if self.buffer.len() > most {
            let message = format!("a line has more than {most} bytes; make pairs shorter");
            return Err(ApiError::new(ErrorCode::TooLarge, message));
        }
        match self.body.next().await {
            Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
            Some(Err(_)) => {
                return Err(ApiError::invalid("the body broke off, or could not be unpacked"));
            }
            None => self.ended = true,
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
        let limits = LineLimits {
            line_bytes: most,
            patience: Duration::from_mins(1),
            lines: 3,
            bytes: most,
        };
        let lines = lines(Body::from_stream(stream::iter(parts)), limits).flat_map(stream::iter);
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

    /// A body without a line ends, however it goes on.
    #[tokio::test]
    async fn blank_is_bounded() {
        let lines =
            read(vec!["\n\n\n\n", "ok\n", "\n \n\n", "   \n\n", "\n\n\n", "no\n"], 10).await;
        assert_eq!(lines, [Ok("ok".to_owned()), Err(ErrorCode::TooLarge)]);
    }

    #[tokio::test]
    async fn a_sender_of_blanks_is_silent() {
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
        });
        let limits = LineLimits {
            line_bytes: 1000,
            patience: Duration::from_millis(300),
            lines: 10,
            bytes: 1000,
        };
        let begun = tokio::time::Instant::now();
        let lines: Vec<_> = lines(Body::from_stream(drops), limits).collect().await;
        assert!(
            matches!(&lines[..], [only] if matches!(&only[..], [Err(error)] if error.code == ErrorCode::Timeout))
        );
        assert!(begun.elapsed() >= Duration::from_millis(300));
    }

    /// What comes together is handed out together, within bounds.
    #[tokio::test]
    async fn lines_are_handed_out_together() {
        let body = Body::from("1\n2\n3\n4\n5555555555\n6\n7\n");
        let limits =
            LineLimits { line_bytes: 100, patience: Duration::from_mins(1), lines: 3, bytes: 10 };
        let together: Vec<_> = lines(body, limits).map(|lines| lines.len()).collect().await;
        assert_eq!(together, [3, 2, 2]);
    }
}

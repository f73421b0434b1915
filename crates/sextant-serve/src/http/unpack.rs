//! Packed bodies.

use crate::error::ApiError;
use crate::native::ErrorCode;
use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use std::io;
use tokio_util::io::{ReaderStream, StreamReader};

/// How a body is packed.
enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// `None` if it is packed in a way that is not understood.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut stated = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(packing) = stated.next() else { return Some(Self::None) };
        let packing = packing.to_str().ok()?.trim();
        let is = |name: &str| packing.eq_ignore_ascii_case(name);
        let packing = match packing {
            _ if is("gzip") || is("x-gzip") => Self::Gzip,
            _ if is("zstd") => Self::Zstd,
            _ if is("identity") => Self::None,
            _ => return None,
        };
        stated.next().is_none().then_some(packing)
    }
}

/// Unpacks bodies as they are read: gzip of any number of members, as `cat a.gz b.gz` makes it, and zstd of any number
/// of frames. How much is read is for the reader to bound.
pub(crate) async fn unpack(mut request: Request, next: Next) -> Response {
    let Some(packing) = Packing::of(request.headers()) else {
        let message = "the body is packed in a way that is not understood; use gzip, zstd or none";
        let error = ApiError::new(ErrorCode::InvalidRequest, message);
        return ApiError { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, ..error }.into_response();
    };
    let packed = |request: &mut Request| {
        let packed = std::mem::take(request.body_mut()).into_data_stream();
        StreamReader::new(packed.map_err(io::Error::other))
    };
    *request.body_mut() = match packing {
        Packing::None => return next.run(request).await,
        Packing::Gzip => {
            let mut decoder = GzipDecoder::new(packed(&mut request));
            decoder.multiple_members(true);
            Body::from_stream(ReaderStream::with_capacity(decoder, PART))
        }
        Packing::Zstd => {
            let mut decoder = ZstdDecoder::new(packed(&mut request));
            decoder.multiple_members(true);
            Body::from_stream(ReaderStream::with_capacity(decoder, PART))
        }
    };
    request.headers_mut().remove(header::CONTENT_ENCODING);
    request.headers_mut().remove(header::CONTENT_LENGTH);
    next.run(request).await
}

/// The bytes that are unpacked at a time.
const PART: usize = 1 << 16;

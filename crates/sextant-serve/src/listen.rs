//! Connections: accepted within bounds, and ended in order.

use crate::stall::Stalling;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

/// Bounds of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connections {
    /// The most connections at a time; others wait to be accepted.
    pub most: NonZeroUsize,
    /// How long a client may take for the handshake of TLS, and for the head of each request. It also bounds how
    /// long a connection may be idle between two requests.
    pub head_time: Duration,
    /// How long a client may read nothing while there is something for it.
    pub write_time: Duration,
    /// How long requests that are under way may take after the server was told to stop.
    pub drain_time: Duration,
}

/// Serves connections until `stop` ends; then no connection is accepted, requests that are under way are
/// answered, and idle connections are closed. Returns whether all were answered within the time for that.
pub(crate) async fn listen(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    connections: &Connections,
    stop: impl Future<Output = ()>,
) -> bool {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(connections.most.get()));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(connections.head_time);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else { continue };
        let (http, router, watcher) = (http.clone(), router.clone(), graceful.watcher());
        let (tls, head_time) = (tls.clone(), connections.head_time);
        let stream = Stalling::new(stream, connections.write_time);
        tokio::spawn(async move {
            // Given back when the connection ends.
            let _place = place;
            let serve = |stream| {
                let service = TowerToHyperService::new(router);
                watcher.watch(http.serve_connection(stream, service))
            };
            // An error of a connection is the client's going away; its request was noted already.
            let _ = match tls {
                None => serve(boxed(stream)).await,
                Some(tls) => match tokio::time::timeout(head_time, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve(boxed(stream)).await,
                    _ => return,
                },
            };
        });
    }
    drop(listener);
    tokio::time::timeout(connections.drain_time, graceful.shutdown()).await.is_ok()
}

/// A stream of bytes, with or without TLS.
trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

fn boxed(stream: impl Bytes + 'static) -> TokioIo<Box<dyn Bytes>> {
    TokioIo::new(Box::new(stream))
}

/// The next connection and its place among those that are open.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are small and whole; waiting for more to send only delays them.
            let _ = stream.set_nodelay(true);
            Some((stream, place))
        }
        Err(error) => {
            // Mostly too many open files: connections that end make room.
            tracing::warn!("a connection cannot be accepted: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

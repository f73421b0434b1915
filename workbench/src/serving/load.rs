//! The client: sends requests at the times that a plan says, and notes what came of each.

use super::form::Bodies;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// When requests are sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arrivals {
    /// Each request of the mix once, one after another, however long that takes.
    Once,
    /// So many connections, each of which asks again as soon as it is answered.
    Closed(usize),
    /// At random times (a Poisson process) of so many a second, whether or not earlier ones are answered.
    Open(f64),
}

/// The most requests of an open plan that are under way at a time. A client has no more sockets than that; what
/// comes beyond is not sent, and counted.
const MOST_OPEN: usize = 900;

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Answered, and the answer is what was expected.
    Right,
    /// Answered, and the answer is another one.
    Wrong,
    /// 429 with `Retry-After`.
    Refused,
    /// Another status.
    Status(StatusCode),
    /// The connection was refused or broke.
    Broken,
    /// The client had too many requests under way already.
    Unsent,
}

/// A request that was to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) rows: usize,
    /// When it was to be sent, since the beginning.
    pub(super) at: Duration,
    /// From then until its whole answer was there.
    pub(super) took: Duration,
    pub(super) outcome: Outcome,
}

/// Whom to ask and what.
pub(super) struct Target<'a> {
    pub(super) address: SocketAddr,
    pub(super) path: &'a str,
    pub(super) bodies: &'a Bodies,
}

/// What the tasks of a plan share.
struct Client {
    address: SocketAddr,
    path: String,
    bodies: Bodies,
    begun: Instant,
    /// Connections that wait for a request.
    idle: RefCell<Vec<Connection>>,
    under_way: Cell<usize>,
    sent: RefCell<Vec<Sent>>,
}

type Connection = SendRequest<Full<Bytes>>;

/// Sends requests for some time, and waits for the last answer. `is_right` decides about the answer to a request of
/// the mix.
pub(super) async fn run(
    target: Target<'_>,
    arrivals: Arrivals,
    time: Duration,
    is_right: impl Fn(usize, &[u8]) -> bool + Clone + 'static,
) -> Vec<Sent> {
    let client = Rc::new(Client {
        address: target.address,
        path: target.path.to_owned(),
        bodies: target.bodies.clone(),
        begun: Instant::now(),
        idle: RefCell::default(),
        under_way: Cell::default(),
        sent: RefCell::default(),
    });
    let count = client.bodies.0.len();
    let mut tasks = JoinSet::new();
    match arrivals {
        Arrivals::Once => {
            for request in 0..count {
                client.ask(request, client.begun.elapsed(), &is_right).await;
            }
        }
        Arrivals::Closed(connections) => {
            let next = Rc::new(Cell::new(0));
            for _ in 0..connections {
                let (client, next) = (Rc::clone(&client), Rc::clone(&next));
                let is_right = is_right.clone();
                tasks.spawn_local(async move {
                    while client.begun.elapsed() < time {
                        let request = next.replace(next.get() + 1) % count;
                        let at = client.begun.elapsed();
                        let broken = client.ask(request, at, &is_right).await;
                        if broken == Outcome::Broken {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    }
                });
            }
        }
        Arrivals::Open(rate) => {
            let mut random = ChaCha8Rng::seed_from_u64(1);
            let mut at = Duration::ZERO;
            for number in 0.. {
                let uniform: f64 = random.random();
                at += Duration::from_secs_f64(-(1.0 - uniform).ln() / rate);
                if at > time {
                    break;
                }
                tokio::time::sleep_until((client.begun + at).into()).await;
                let (client, is_right) = (Rc::clone(&client), is_right.clone());
                tasks.spawn_local(async move {
                    client.ask(number % count, at, &is_right).await;
                });
                // Finished tasks are let go, so that a long run does not keep them all.
                while tasks.try_join_next().is_some() {}
            }
        }
    }
    while tasks.join_next().await.is_some() {}
    client.sent.take()
}

impl Client {
    /// Sends a request that was to be sent at a time, and notes what came of it.
    async fn ask(
        &self,
        request: usize,
        at: Duration,
        is_right: &impl Fn(usize, &[u8]) -> bool,
    ) -> Outcome {
        let (body, rows) = &self.bodies.0[request];
        let outcome = if self.under_way.get() < MOST_OPEN {
            self.under_way.set(self.under_way.get() + 1);
            let outcome = self.exchange(body.clone()).await;
            self.under_way.set(self.under_way.get() - 1);
            match outcome {
                Ok((StatusCode::OK, _, answer)) if is_right(request, &answer) => Outcome::Right,
                Ok((StatusCode::OK, ..)) => Outcome::Wrong,
                Ok((StatusCode::TOO_MANY_REQUESTS, true, _)) => Outcome::Refused,
                Ok((status, ..)) => Outcome::Status(status),
                Err(_) => Outcome::Broken,
            }
        } else {
            Outcome::Unsent
        };
        let took = self.begun.elapsed().saturating_sub(at);
        self.sent.borrow_mut().push(Sent { rows: *rows, at, took, outcome });
        outcome
    }

    /// Sends a body over a connection that is idle or new. Returns the status, whether `Retry-After` was there, and
    /// the answer.
    async fn exchange(&self, body: Bytes) -> anyhow::Result<(StatusCode, bool, Bytes)> {
        let mut connection = self.connection().await?;
        let request = Request::post(&self.path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let retry = response.headers().contains_key(header::RETRY_AFTER);
        let answer = response.into_body().collect().await?.to_bytes();
        self.idle.borrow_mut().push(connection);
        Ok((status, retry, answer))
    }

    async fn connection(&self) -> anyhow::Result<Connection> {
        // The one that was used last: others may have been closed by the server.
        loop {
            let idle = self.idle.borrow_mut().pop();
            let Some(mut idle) = idle else { break };
            if idle.ready().await.is_ok() {
                return Ok(idle);
            }
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(driver);
        Ok(connection)
    }
}

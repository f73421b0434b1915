//! Servers and requests for tests.

use crate::bundles;
use serde_json::Value;
use sextant_core::Task;
use sextant_serve::{ServeError, Server, Settings};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{mpsc as async_mpsc, oneshot};

/// How long anything in these tests may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// A running server, which stops when it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    reload: async_mpsc::UnboundedSender<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
    agent: ureq::Agent,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The JSON of an answer that must be good.
    pub(crate) fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// All tasks that the bundles of these tests answer.
pub(crate) const TASKS: [Task; 3] = [Task::QueryProduct, Task::QueryType, Task::ProductType];

/// A folder with a bundle of these tasks.
pub(crate) fn bundle() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    bundles::saved(place.path(), &TASKS, 1, false, None);
    place
}

/// A server over one bundle, with settings as `KEY=VALUE`.
pub(crate) fn serve(folder: &Path, settings: &[&str]) -> Running {
    let models = format!("models=[\"main={}\"]", folder.display());
    let settings: Vec<&str> = settings.iter().copied().chain([models.as_str()]).collect();
    Running::start(&settings)
}

impl Running {
    pub(crate) fn start(settings: &[&str]) -> Self {
        let mut typed = Settings::default();
        for setting in ["listen=127.0.0.1:0", "workers=2", "tokenizers=2", "drain_seconds=60"] {
            typed.set(setting);
        }
        for setting in settings {
            typed.set(setting);
        }
        let config = typed.resolve().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (reload, mut reloads) = async_mpsc::unbounded_channel::<oneshot::Sender<()>>();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async move {
                let server = Server::bind(config).await?;
                tell.send(server.address()).unwrap();
                let reloader = server.reloader();
                tokio::spawn(async move {
                    while let Some(done) = reloads.recv().await {
                        reloader.reload().await;
                        let _ = done.send(());
                    }
                });
                server.run(async { drop(stopped.await) }).await
            })
        });
        let address = told.recv_timeout(PATIENCE).expect("the server listens");
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let running = Self { address, stop: Some(stop), reload, thread: Some(thread), agent };
        running.until("the server is ready", |running| running.get("/ready").status == 200);
        running
    }

    /// Waits until something is so, for a minute of this program's own time: if the machine stops it, nothing else
    /// goes on either.
    pub(crate) fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        for _ in 0..3000 {
            if so(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("in vain: {what}");
    }

    /// Reloads the models.
    pub(crate) fn reload(&self) {
        let (done, wait) = oneshot::channel();
        self.reload.send(done).unwrap();
        wait.blocking_recv().unwrap();
    }

    /// Asks the server to stop, without waiting.
    pub(crate) fn ask_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops the server and returns what came of it.
    pub(crate) fn stop(&mut self) -> Result<(), ServeError> {
        self.ask_to_stop();
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.get(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.call().unwrap())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    pub(crate) fn send(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = self.agent.post(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send(body).unwrap())
    }

    /// The value of a metric, summed over its labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text;
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

fn answer(response: ureq::http::Response<ureq::Body>) -> Answer {
    let (parts, mut body) = response.into_parts();
    let text = body.with_config().limit(1 << 30).read_to_string().unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, text }
}

impl Drop for Running {
    fn drop(&mut self) {
        let ended = self.stop();
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

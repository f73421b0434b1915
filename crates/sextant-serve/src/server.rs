//! A server from its start to its end.

use crate::engine::{Engine, EngineConfig};
use crate::http::Access;
use crate::listen::{Connections, listen};
use crate::meters::Meters;
use crate::models::{ModelSettings, ModelSource, Registry, SourceProblem, watch};
use crate::router::{Surface, router};
use crate::service::{Limits, Service, UnknownModel};
use crate::shadow::Shadow;
use crate::tls::{TlsFiles, TlsProblem};
use crate::traces::Traces;
use arc_swap::ArcSwap;
use sextant_core::Task;
use sextant_model::ModelError;
use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::TlsAcceptor;

/// All that a server needs to know.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen; port 0 is a free one.
    pub address: SocketAddr,
    /// The models; the first one answers requests that name none.
    pub models: Vec<ModelSource>,
    /// How models are opened.
    pub settings: ModelSettings,
    /// Whether each model is opened at its first request, and not at the start.
    pub lazy: bool,
    /// How often to look for models that were replaced, if at all.
    pub watch: Option<Duration>,
    /// A model that answers the same pairs off the critical path.
    pub shadow: Option<ShadowConfig>,
    /// The engine's sizes.
    pub engine: EngineConfig,
    /// What one request may have.
    pub limits: Limits,
    /// Bounds of connections.
    pub connections: Connections,
    /// The task of pairs in requests of dialects that name none.
    pub default_task: Task,
    /// What dialects do with names of models that the server does not have.
    pub unknown_model: UnknownModel,
    /// Who may use the server.
    pub surface: Surface,
    /// Whether the log has the texts of pairs.
    pub log_texts: bool,
    /// The address of a collector of traces, without a path.
    pub traces: Option<String>,
    /// The certificate, if the server speaks TLS itself.
    pub tls: Option<TlsFiles>,
}

/// A model to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowConfig {
    /// The folder of its bundle or ensemble.
    pub folder: PathBuf,
    /// One request of so many is compared.
    pub every: NonZeroU64,
}

/// Why a server cannot start, or ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The list of models cannot be served.
    #[error(transparent)]
    Models(#[from] SourceProblem),
    /// A model cannot be opened at the start.
    #[error("model `{name}`: {source}")]
    Open {
        /// The model's name.
        name: String,
        /// What is wrong with it.
        source: ModelError,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another address or port with `--listen`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsProblem),
    /// The system starts no more threads.
    #[error("cannot start a thread: {0}; use fewer workers")]
    Threads(std::io::Error),
    /// The meters cannot be made.
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// Some requests were not answered in the time that was left to them when the server was told to stop.
    #[error("stopped with requests under way; allow more time with `drain_seconds`")]
    NotDrained,
}

/// A server that listens and does not answer yet.
///
/// ```no_run
/// use sextant_serve::{Server, Settings};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut settings = Settings::default();
/// settings.insert("models", vec!["main=runs/mine/bundle"]);
/// settings.insert("precision", "int8");
/// let server = Server::bind(settings.resolve()?).await?;
/// println!("http://{}", server.address());
/// server.run(std::future::pending()).await?; // until the future ends, which this one never does
/// # Ok(())
/// # }
/// ```
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    service: Arc<Service>,
    shadow: Option<Arc<Registry>>,
    access: Arc<ArcSwap<Access>>,
    config: ServerConfig,
}

/// Reloads the models and the keys of a server.
#[derive(Clone)]
pub struct Reloader {
    models: Vec<Arc<Registry>>,
    meters: Arc<Meters>,
    access: Arc<ArcSwap<Access>>,
}

impl Reloader {
    /// Opens each model anew whose folder holds another one than is open, and reads the file of keys. A model that
    /// cannot be opened leaves the one before it in its place, and a file that cannot be used the keys before; the
    /// log says so.
    pub async fn reload(&self) {
        self.reload_keys();
        for models in &self.models {
            models.reload(&self.meters).await;
        }
    }

    fn reload_keys(&self) {
        match self.access.load_full().reread() {
            Ok(None) => {}
            Ok(Some(read)) => {
                self.access.store(Arc::new(read));
                tracing::info!("the keys were read again");
            }
            Err(problem) => {
                tracing::error!("the keys stay as they were: {problem}");
            }
        }
    }
}

/// How often meters are tidied up.
const TIDY: Duration = Duration::from_secs(5);

impl Server {
    /// Listens on the address and starts the engine. No model is opened yet.
    ///
    /// # Errors
    /// The configuration cannot be served, or the address is taken.
    pub async fn bind(config: ServerConfig) -> Result<Self, ServeError> {
        let registry = Arc::new(Registry::new(config.models.clone(), &config.settings)?);
        let tls = config.tls.as_ref().map(TlsFiles::acceptor).transpose()?;
        let refused = |source| ServeError::Bind { address: config.address, source };
        let listener = TcpListener::bind(config.address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let meters = Arc::new(Meters::new()?);
        let engine = Engine::start(config.engine.clone(), Arc::clone(&meters));
        let engine = engine.map_err(ServeError::Threads)?;
        let (shadow, door) = match &config.shadow {
            None => (None, None),
            Some(ShadowConfig { folder, every }) => {
                let source = ModelSource { name: "shadow".to_owned(), folder: folder.clone() };
                let models = Arc::new(Registry::new(vec![source], &config.settings)?);
                let slot = Arc::clone(models.default_slot());
                let door = Shadow::start(slot, every.get(), Arc::clone(&meters));
                (Some(models), Some(door.map_err(ServeError::Threads)?))
            }
        };
        let traces = config.traces.as_deref().map(Traces::start);
        let access = Arc::new(ArcSwap::from_pointee(config.surface.access.clone()));
        let service = Arc::new(Service {
            registry,
            engine,
            meters,
            limits: config.limits.clone(),
            connections: config.connections.most.get(),
            default_task: config.default_task,
            unknown: config.unknown_model,
            tokenizing: Arc::new(Semaphore::new(config.engine.tokenizers.get())),
            shadow: door,
            traces: traces.transpose().map_err(ServeError::Threads)?,
            log_texts: config.log_texts,
            opened: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        });
        Ok(Self { listener, address, tls, service, shadow, access, config })
    }

    /// The address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What reloads the models and keys of this server, also while it runs.
    pub fn reloader(&self) -> Reloader {
        let models = self.registries().cloned().collect();
        let meters = Arc::clone(&self.service.meters);
        Reloader { models, meters, access: Arc::clone(&self.access) }
    }

    fn registries(&self) -> impl Iterator<Item = &Arc<Registry>> {
        std::iter::once(&self.service.registry).chain(&self.shadow)
    }

    /// Opens the models and answers requests until `stop` ends; then answers what was accepted, and returns.
    ///
    /// # Errors
    /// A model cannot be opened at the start, or requests were not answered in the time that is left to them at
    /// the end.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<(), ServeError> {
        let mut tasks = tokio::task::JoinSet::new();
        if let Some(interval) = self.config.watch {
            for registry in self.registries() {
                let meters = Arc::clone(&self.service.meters);
                tasks.spawn(watch(Arc::clone(registry), interval, meters));
            }
            let keys = self.reloader();
            tasks.spawn(async move {
                loop {
                    tokio::time::sleep(interval).await;
                    keys.reload_keys();
                }
            });
        }
        let meters = Arc::clone(&self.service.meters);
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(TIDY).await;
                meters.tidy();
            }
        });
        let origins = self.config.surface.origins.clone();
        let router = router(Arc::clone(&self.service), self.access, origins);
        let (end, ended) = oneshot::channel::<()>();
        let until = async {
            // The sender is dropped without a word when the server is to stop.
            let _ = ended.await;
        };
        let listening = listen(self.listener, self.tls, router, &self.config.connections, until);
        let opening = async {
            // A shadow model has no first request that could open it.
            let at_start = (!self.config.lazy).then_some(&self.service.registry);
            let opened = open(at_start.into_iter().chain(&self.shadow)).await;
            if opened.is_ok() {
                self.service.opened.store(true, Ordering::Relaxed);
                stop.await;
                self.service.stopping.store(true, Ordering::Relaxed);
            }
            drop(end);
            opened
        };
        let (drained, opened) = tokio::join!(listening, opening);
        opened?;
        if drained { Ok(()) } else { Err(ServeError::NotDrained) }
    }
}

/// Opens all models, so that the first request is not slower than others.
async fn open(registries: impl Iterator<Item = &Arc<Registry>>) -> Result<(), ServeError> {
    for registry in registries {
        for slot in registry.slots() {
            let named = |source| ServeError::Open { name: slot.name().to_owned(), source };
            slot.get().await.map_err(named)?;
            tracing::info!("model `{}` is open", slot.name());
        }
    }
    Ok(())
}

//! From what was typed to the configuration of a server.

use super::{Mistakes, Settings};
use crate::engine::EngineConfig;
use crate::http::Access;
use crate::listen::Connections;
use crate::models::{ModelSettings, ModelSource, SourceProblem};
use crate::router::Surface;
use crate::server::{ServerConfig, ShadowConfig};
use crate::service::{Limits, UnknownModel};
use crate::tls::TlsFiles;
use axum::http::{HeaderValue, Uri};
use sextant_core::Task;
use sextant_kernels::ScorePrecision;
use sextant_model::Device;
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Settings {
    /// The configuration.
    ///
    /// # Errors
    /// All mistakes, those of reading among them.
    pub fn resolve(mut self) -> Result<ServerConfig, Mistakes> {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let address = self.listen().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)));
        let engine = self.engine(threads);
        let config = ServerConfig {
            address,
            models: self.models(),
            settings: ModelSettings {
                device: self.named("device").unwrap_or_else(Device::cpu),
                precision: self.named("precision").unwrap_or(ScorePrecision::F32),
            },
            lazy: self.get("lazy").unwrap_or(false),
            watch: self
                .get::<u64>("watch_seconds")
                .filter(|&seconds| seconds > 0)
                .map(Duration::from_secs),
            shadow: self.shadow(),
            limits: Limits {
                pairs: self.count("max_pairs", 1000),
                body_bytes: self.count("max_body_bytes", 16 << 20),
                time: Duration::from_millis(
                    self.get::<NonZeroU64>("timeout_ms").map_or(30_000, NonZeroU64::get),
                ),
                body_time: self.seconds("body_seconds", 30),
            },
            connections: Connections {
                most: self.count("max_connections", 1024),
                head_time: self.seconds("head_seconds", 30),
                write_time: self.seconds("write_seconds", 30),
                drain_time: self.seconds("drain_seconds", 30),
            },
            default_task: self.named("default_task").unwrap_or(Task::QueryProduct),
            unknown_model: self.unknown_model(),
            surface: Surface { access: self.access(), origins: self.origins() },
            log_texts: self.get("log_texts").unwrap_or(false),
            traces: self.traces(),
            tls: self.tls(),
            engine,
        };
        self.log();
        if self.mistakes.is_empty() { Ok(config) } else { Err(Mistakes(self.mistakes)) }
    }

    /// The address to listen on; a name such as `localhost` stands for its first address.
    fn listen(&mut self) -> Option<SocketAddr> {
        let text: String = self.get("listen")?;
        match text.to_socket_addrs().map(|mut found| found.next()) {
            Ok(Some(address)) => Some(address),
            Ok(None) => {
                self.mistake("listen", format!("`{text}` has no address"));
                None
            }
            Err(error) => {
                self.mistake("listen", format!("`{text}`: {error}"));
                None
            }
        }
    }

    /// A number of threads. Each has a stack and its share of the scheduler's time, so that more than these are a
    /// mistake, and one that the system may answer by ending the program.
    fn threads(&mut self, key: &str, default: NonZeroUsize) -> NonZeroUsize {
        const MOST: usize = 1024;
        let threads = self.get(key).unwrap_or(default);
        if threads.get() > MOST {
            self.mistake(key, format!("{threads} is more than {MOST}"));
        }
        threads
    }

    fn count(&mut self, key: &str, default: usize) -> NonZeroUsize {
        let default = NonZeroUsize::new(default).unwrap_or(NonZeroUsize::MIN);
        self.get(key).unwrap_or(default)
    }

    fn engine(&mut self, threads: NonZeroUsize) -> EngineConfig {
        let queue_tokens = self.count("queue_tokens", 1 << 17);
        let request_tokens = self.get("max_request_tokens").unwrap_or(queue_tokens);
        if request_tokens > queue_tokens {
            let problem = format!("{request_tokens} is more than `queue_tokens`, {queue_tokens}");
            self.mistake("max_request_tokens", problem);
        }
        EngineConfig {
            workers: self.threads("workers", threads),
            tokenizers: self.threads("tokenizers", threads),
            pack_tokens: self.count("pack_tokens", 1024),
            least_pack_tokens: self.count("least_pack_tokens", 256),
            turn_tokens: self.count("turn_tokens", 256),
            queue_tokens,
            request_tokens,
            cache_entries: self.get("cache_entries").unwrap_or(0),
        }
    }

    fn models(&mut self) -> Vec<ModelSource> {
        let texts: Vec<String> = self.get("models").unwrap_or_default();
        let mut sources = Vec::with_capacity(texts.len());
        for text in texts {
            match text.parse() {
                Ok(source) => sources.push(source),
                Err(problem) => self.mistake("models", problem),
            }
        }
        for (index, ModelSource { name, folder }) in sources.iter().enumerate() {
            self.must_be_folder("models", folder);
            if sources[..index].iter().any(|other| other.name == *name) {
                self.mistake("models", SourceProblem::Twice(name.clone()));
            }
        }
        if self.value("models").is_none() {
            self.mistake("models", "no model is named");
        }
        sources
    }

    fn shadow(&mut self) -> Option<ShadowConfig> {
        let every = self.get("shadow_every").unwrap_or(NonZeroU64::MIN);
        let folder: PathBuf = self.get("shadow")?;
        self.must_be_folder("shadow", &folder);
        Some(ShadowConfig { folder, every })
    }

    /// A model may also be opened later, but a folder that is not there is a slip of the pen.
    fn must_be_folder(&mut self, key: &str, folder: &Path) {
        if !folder.is_dir() {
            self.mistake(key, format!("there is no folder {}", folder.display()));
        }
    }

    fn unknown_model(&mut self) -> UnknownModel {
        match self.get::<String>("unknown_models").as_deref() {
            None | Some("default") => UnknownModel::Default,
            Some("refuse") => UnknownModel::Refuse,
            Some(other) => {
                let problem = format!("`{other}` is neither");
                self.mistake("unknown_models", problem);
                UnknownModel::Refuse
            }
        }
    }

    fn access(&mut self) -> Access {
        let mut access = Access::default();
        if let Some(name) = self.get::<String>("api_keys_env") {
            match std::env::var(&name) {
                Ok(text) => {
                    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
                    access = Access::with_keys(keys);
                    if access.is_open() {
                        // A source without keys would open the server to everybody.
                        self.mistake("api_keys_env", "it holds no key");
                    }
                }
                Err(_) => self.mistake("api_keys_env", format!("the variable `{name}` is not set")),
            }
        }
        let Some(path) = self.get::<PathBuf>("api_keys_file") else { return access };
        match access.clone().and_file(&path) {
            Ok(access) => access,
            Err(problem) => {
                self.mistake("api_keys_file", problem);
                access
            }
        }
    }

    /// The address of a collector.
    fn traces(&mut self) -> Option<String> {
        let address: String = self.get("traces").filter(|address: &String| !address.is_empty())?;
        let plain = address.starts_with("http://") || address.starts_with("https://");
        if !plain || address.parse::<Uri>().is_err() {
            self.mistake("traces", format!("`{address}` is no such address"));
        }
        Some(address)
    }

    fn origins(&mut self) -> Vec<HeaderValue> {
        let texts: Vec<String> = self.get("cors_origins").unwrap_or_default();
        let mut origins = Vec::with_capacity(texts.len());
        for text in texts {
            match HeaderValue::from_str(&text) {
                Ok(origin) if text.contains("://") && !text.ends_with('/') => origins.push(origin),
                _ => self.mistake(
                    "cors_origins",
                    format!("`{text}` is no origin like https://example.com"),
                ),
            }
        }
        origins
    }

    fn tls(&mut self) -> Option<TlsFiles> {
        match (self.get("tls_certificate"), self.get("tls_key")) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                self.mistake("tls_key", "it is absent beside `tls_certificate`");
                None
            }
            (None, Some(_)) => {
                self.mistake("tls_certificate", "it is absent beside `tls_key`");
                None
            }
        }
    }
}

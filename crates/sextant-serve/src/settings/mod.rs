//! What was typed, in a file and on the command line, and the configuration that it comes to.
//!
//! Every mistake is collected, with its place and its fix, and all are reported at once.

mod resolve;

use crate::models::ModelSource;
use serde::de::DeserializeOwned;
use std::fmt;
use std::num::NonZeroU64;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;
use toml::Value;

/// All mistakes of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

/// What was typed. A key that was typed twice has the last value.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: Vec<(String, Value)>,
    mistakes: Vec<String>,
}

/// The keys, with what each of them says.
pub const KEYS: [(&str, &str); 35] = [
    ("listen", "address and port, as \"127.0.0.1:8080\""),
    ("models", "a list of \"NAME=PATH\" or paths; the first one answers requests that name none"),
    ("device", "\"cpu\" or, with that feature, \"cuda\""),
    ("precision", "\"f32\", \"bf16\", \"int8\", \"int8-weights\" or \"int4-weights\""),
    ("lazy", "true opens each model at its first request"),
    ("watch_seconds", "how often to look for replaced models; absent or 0: never"),
    ("shadow", "the path of a model that answers the same pairs off the critical path"),
    ("shadow_every", "one request of so many is compared"),
    ("workers", "threads that run models"),
    ("tokenizers", "threads that tokenize"),
    ("pack_tokens", "the most tokens of a pack"),
    ("least_pack_tokens", "packs are divided among idle workers down to so many tokens"),
    ("turn_tokens", "the tokens that a request may have computed before the next one has its turn"),
    ("queue_tokens", "the most tokens that wait or are computed"),
    ("cache_entries", "the most answers that the cache keeps; 0 for no cache"),
    ("max_pairs", "the most pairs of a request"),
    ("max_request_tokens", "the most tokens of a request"),
    ("max_body_bytes", "the most bytes of a body, unpacked"),
    ("max_connections", "the most connections at a time"),
    ("timeout_ms", "the longest time until an answer"),
    ("body_seconds", "the longest time until a whole body has come"),
    ("write_seconds", "the longest time that a client reads nothing of its answer"),
    ("head_seconds", "the longest time until the head of a request has come"),
    ("drain_seconds", "how long requests may take after the server was told to stop"),
    ("default_task", "the task of pairs in requests of other APIs that name none"),
    (
        "unknown_models",
        "\"default\" or \"refuse\": what other APIs do with names of models that are not there",
    ),
    (
        "api_keys_file",
        "a file with one API key a line, and `name=` and `pairs_per_second=` behind it",
    ),
    ("api_keys_env", "the name of an environment variable with API keys, separated by commas"),
    ("cors_origins", "a list of origins whose pages may ask"),
    ("tls_certificate", "a file in PEM form: the certificate and those that it depends on"),
    ("tls_key", "a file in PEM form: the certificate's private key"),
    (
        "traces",
        "the address of an OpenTelemetry collector (OTLP over HTTP), as \"http://127.0.0.1:4318\"",
    ),
    ("log_texts", "true writes the texts of all pairs to the log"),
    ("log", "\"text\" or \"json\""),
    ("log_level", "\"error\", \"warn\", \"info\" or \"debug\""),
];

impl Settings {
    /// Adds what a TOML file says. Paths in it are relative to its folder.
    pub fn read(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                return self.mistakes.push(format!("cannot read {}: {error}", path.display()));
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => {
                let folder = path.parent().unwrap_or(Path::new(""));
                for (key, value) in table {
                    let value = relative(&key, value, folder);
                    self.add(key, value, &path.display().to_string());
                }
            }
            Err(error) => self.mistakes.push(format!("{}: {error}", path.display())),
        }
    }

    /// Adds `KEY=VALUE`, where the value is in TOML or a plain text.
    pub fn set(&mut self, text: &str) {
        let Some((key, value)) = text.split_once('=') else {
            return self.mistakes.push(format!("`{text}` is not KEY=VALUE"));
        };
        let parsed = format!("value = {value}").parse::<toml::Table>();
        let parsed = parsed.ok().and_then(|mut table| table.remove("value"));
        let value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
        self.add(key.trim().to_owned(), value, "--set");
    }

    /// Adds a value for a key.
    pub fn insert(&mut self, key: &str, value: impl Into<Value>) {
        self.add(key.to_owned(), value.into(), "the command line");
    }

    fn add(&mut self, key: String, value: Value, place: &str) {
        if KEYS.iter().any(|(known, _)| *known == key) {
            self.values.retain(|(other, _)| *other != key);
            self.values.push((key, value));
        } else {
            let known = KEYS.map(|(key, _)| key).join(", ");
            self.mistakes.push(format!("{place}: there is no key `{key}`; the keys are {known}"));
        }
    }

    /// The value of a key, if it was typed.
    fn value(&self, key: &str) -> Option<&Value> {
        self.values.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    fn mistake(&mut self, key: &str, problem: impl fmt::Display) {
        let meaning = KEYS.iter().find(|(known, _)| *known == key).map_or("", |(_, text)| text);
        self.mistakes.push(format!("`{key}`: {problem}; it is {meaning}"));
    }

    fn get<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let read = self.value(key)?.clone().try_into();
        read.map_err(|error: toml::de::Error| self.mistake(key, plainly(error.message()))).ok()
    }

    fn named<T: FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Option<T> {
        let name: String = self.get(key)?;
        name.parse().map_err(|error| self.mistake(key, error)).ok()
    }

    fn seconds(&mut self, key: &str, default: u64) -> Duration {
        Duration::from_secs(self.get::<NonZeroU64>(key).map_or(default, NonZeroU64::get))
    }

    /// How the log is written: whether as JSON, and from which level on.
    ///
    /// # Errors
    /// The two keys have other values.
    pub fn log(&mut self) -> (bool, String) {
        let form: String = self.get("log").unwrap_or_else(|| "text".to_owned());
        if !["text", "json"].contains(&form.as_str()) {
            self.mistake("log", format!("`{form}` is no form of a log"));
        }
        let level: String = self.get("log_level").unwrap_or_else(|| "info".to_owned());
        if !["error", "warn", "info", "debug"].contains(&level.as_str()) {
            self.mistake("log_level", format!("`{level}` is no level"));
        }
        (form == "json", level)
    }
}

/// A message about a value of another type, without names of Rust's types.
fn plainly(message: &str) -> String {
    let names = [
        ("a nonzero usize", "a whole number above 0"),
        ("a nonzero u64", "a whole number above 0"),
        ("usize", "a whole number, 0 or more"),
        ("u64", "a whole number, 0 or more"),
    ];
    names.iter().fold(message.to_owned(), |text, (type_name, words)| text.replace(type_name, words))
}

/// Makes paths of a file relative to the folder of that file.
fn relative(key: &str, value: Value, folder: &Path) -> Value {
    let from = |path: &str| folder.join(path).display().to_string();
    match (key, value) {
        ("shadow" | "api_keys_file" | "tls_certificate" | "tls_key", Value::String(path)) => {
            Value::String(from(&path))
        }
        ("models", Value::Array(texts)) => {
            let texts = texts.into_iter().map(|text| match text {
                Value::String(text) => Value::String(match text.parse::<ModelSource>() {
                    Ok(ModelSource { name, folder: path }) => {
                        format!("{name}={}", from(&path.display().to_string()))
                    }
                    Err(_) => text,
                }),
                other => other,
            });
            Value::Array(texts.collect())
        }
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_kernels::ScorePrecision;

    #[test]
    fn every_mistake_is_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("serve.toml");
        let text = "listen = \"here\"\nworkers = 0\nworker_threads = 2\nprecision = \"f16\"\nmax_pairs = \"many\"\n\
            default_task = \"query-brand\"\nunknown_models = \"guess\"\napi_keys_file = \"none.txt\"\n\
            cors_origins = [\"example.com\"]\ntls_key = \"key.pem\"\nqueue_tokens = 10\nmax_request_tokens = 20\n\
            log = \"xml\"\nmodels = [\"a=.\", \"a=.\", \"b=none/here\"]\nshadow = \"none/there\"\n";
        std::fs::write(&file, text).unwrap();
        let mut settings = Settings::default();
        settings.read(&file);
        settings.set("drain_seconds");
        let Mistakes(mistakes) = settings.resolve().unwrap_err();
        for key in [
            "listen",
            "workers",
            "worker_threads",
            "precision",
            "max_pairs",
            "default_task",
            "unknown_models",
            "api_keys_file",
            "cors_origins",
            "tls_certificate",
            "max_request_tokens",
            "log",
            "shadow",
            "drain_seconds",
        ] {
            let naming = mistakes.iter().filter(|mistake| mistake.contains(&format!("`{key}`")));
            assert!(naming.count() >= 1, "{key} of {mistakes:#?}");
        }
        for said in [
            "`workers`: invalid value: integer `0`, expected a whole number above 0;",
            "`models`: two models are called `a`;",
            "`models`: there is no folder",
        ] {
            let naming = mistakes.iter().filter(|mistake| mistake.starts_with(said));
            assert_eq!(naming.count(), 1, "{said} in {mistakes:#?}");
        }
        let mistakes = Settings::default().resolve().unwrap_err();
        assert!(mistakes.to_string().contains("no model is named"), "{mistakes}");
    }

    #[test]
    fn the_command_line_goes_over_the_file_and_paths_are_relative_to_it() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("serve.toml");
        let other = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(place.path().join("runs/a")).unwrap();
        let text = format!(
            "listen = \"0.0.0.0:80\"\nmodels = [\"main=runs/a\", {:?}]\nworkers = 3\n",
            other.path()
        );
        std::fs::write(&file, text).unwrap();
        let mut settings = Settings::default();
        settings.read(&file);
        settings.set("listen=127.0.0.1:0");
        settings.set("precision=int8");
        settings.set("workers=1");
        let config = settings.resolve().unwrap();
        assert_eq!(config.address.to_string(), "127.0.0.1:0");
        assert_eq!(config.engine.workers.get(), 1);
        assert_eq!(config.settings.precision, ScorePrecision::Int8);
        assert_eq!(config.models[0].name, "main");
        assert_eq!(config.models[0].folder, place.path().join("runs/a"));
        assert_eq!(config.models[1].folder, other.path());
    }

    #[test]
    fn an_address_may_have_a_name_and_threads_have_a_bound() {
        let of = |setting: &str| {
            let mut settings = Settings::default();
            settings.set("models=[\".\"]");
            settings.set(setting);
            settings.resolve().map_err(|mistakes| mistakes.to_string())
        };
        let config = of("listen=localhost:8081").unwrap();
        assert!(config.address.ip().is_loopback() && config.address.port() == 8081);
        assert!(of("listen=127.0.0.1").unwrap_err().contains("`listen`"));
        assert!(of("workers=100000").unwrap_err().contains("more than 1024"));
        assert!(of("tokenizers=1025").unwrap_err().contains("`tokenizers`"));
        assert!(of("traces=collector:4318").unwrap_err().contains("`traces`"));
    }

    #[test]
    fn a_file_of_keys_without_a_key_does_not_open_the_server() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("keys");
        std::fs::write(&file, "# none yet\n\n").unwrap();
        let mut settings = Settings::default();
        settings.insert("models", vec!["x"]);
        settings.insert("api_keys_file", file.display().to_string());
        let mistakes = settings.resolve().unwrap_err();
        assert!(mistakes.to_string().contains("holds no key"), "{mistakes}");
    }
}

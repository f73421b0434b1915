//! API keys, and the file that has them.

use crate::context::{Allowance, Caller};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// A key's hash, and what its holder may do.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) hash: [u8; 32],
    pub(super) caller: Arc<Caller>,
}

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyProblem {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A line is not a key with options. What it is instead is not repeated: it may be a key.
    #[error(
        "{path}, line {line}: behind a key may stand `name=NAME` and `pairs_per_second=NUMBER` (above 0), and nothing else"
    )]
    Option {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// The file would open the server to everybody.
    #[error("{0}: it holds no key")]
    NoKey(String),
}

impl Key {
    pub(super) fn new(key: &str, name: Option<String>, pairs_per_second: Option<f64>) -> Self {
        let caller = Caller { name, allowance: pairs_per_second.map(Allowance::new) };
        Self { hash: Sha256::digest(key).into(), caller: Arc::new(caller) }
    }

    /// Whether the other one is the same key with the same options.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let rate = |key: &Self| key.caller.allowance.as_ref().map(Allowance::rate);
        let same = self.hash == other.hash && self.caller.name == other.caller.name;
        same && rate(self) == rate(other)
    }

    /// The key of a line of a file; `None` if the line has none.
    ///
    /// # Errors
    /// Something else than an option stands behind the key.
    fn of_line(line: &str) -> Result<Option<Self>, ()> {
        let mut words = line.split_whitespace();
        let Some(key) = words.next().filter(|key| !key.starts_with('#')) else { return Ok(None) };
        let (mut name, mut rate) = (None, None);
        for option in words {
            match option.split_once('=') {
                Some(("name", text)) if is_name(text) => name = Some(text.to_owned()),
                Some(("pairs_per_second", text)) => {
                    let parsed = text.parse().ok();
                    let usable = parsed.filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
                    rate = Some(usable.ok_or(())?);
                }
                _ => return Err(()),
            }
        }
        Ok(Some(Self::new(key, name, rate)))
    }
}

/// Whether a text may stand in a metric and in a log.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// The keys of a file, one a line; see `Access::and_file`.
pub(super) fn read(path: &Path) -> Result<Vec<Key>, KeyProblem> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| KeyProblem::Read { path: name(), source })?;
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let not_an_option = |()| KeyProblem::Option { path: name(), line: number + 1 };
        keys.extend(Key::of_line(line).map_err(not_an_option)?);
    }
    if keys.is_empty() { Err(KeyProblem::NoKey(name())) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_names_and_rates_and_mistakes_are_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("keys");
        let of = |text: &str| {
            std::fs::write(&file, text).unwrap();
            read(&file)
        };
        let keys = of("# shop\n\nfirst name=shop pairs_per_second=20.5\n second \n").unwrap();
        let [first, second] = &keys[..] else { panic!("{keys:?}") };
        assert_eq!(first.hash, <[u8; 32]>::from(Sha256::digest("first")));
        assert_eq!(first.caller.name.as_deref(), Some("shop"));
        assert_eq!(first.caller.allowance.as_ref().unwrap().rate(), 20.5);
        assert!(second.caller.allowance.is_none() && second.caller.name.is_none());
        for bad in
            ["rate=2", "name=", "name=a/b", "pairs_per_second=0", "pairs_per_second=NaN", "secret"]
        {
            let problem = of(&format!("fine\nsecret {bad}\n")).unwrap_err().to_string();
            assert!(problem.contains("line 2") && !problem.contains("secret"), "{bad}: {problem}");
        }
        assert!(of("# none yet\n\n").unwrap_err().to_string().contains("holds no key"));
    }
}

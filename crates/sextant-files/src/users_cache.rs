//! The folder for files that can be had again.

use std::path::PathBuf;

/// The folder for what this program can fetch or compute again: the one that `SEXTANT_HOME` names, or else
/// `sextant` in the user's cache folder.
pub fn users_cache() -> PathBuf {
    if let Some(folder) = std::env::var_os("SEXTANT_HOME") {
        return PathBuf::from(folder);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    cache.unwrap_or_else(|| PathBuf::from(".cache")).join("sextant")
}

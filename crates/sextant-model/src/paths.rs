//! Comparisons of names by their parts, which are separated by dots.

/// Whether `prefix` is `name` itself or consists of its first parts.
pub(crate) fn covers(prefix: &str, name: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether `target` is `name` itself or consists of its last parts.
pub(crate) fn is_end(target: &str, name: &str) -> bool {
    name.strip_suffix(target).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

//! Parts of names with dots between them.

/// Whether `prefix` is `name` or leads to it along whole path parts.
pub(crate) fn covers(prefix: &str, name: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether `target` is the name or its last parts.
pub(crate) fn is_end(target: &str, name: &str) -> bool {
    name.strip_suffix(target).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

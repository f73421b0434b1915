//! How texts are cleaned.

use super::map::TextSpec;
use crate::clean::{collapse, plain_text};

/// A text as the map wants it: without HTML unless it says otherwise, with single spaces.
pub(super) fn clean(text: &str, spec: &TextSpec) -> String {
    if spec.html && text.contains(['<', '&']) { plain_text(text) } else { collapse(text) }
}

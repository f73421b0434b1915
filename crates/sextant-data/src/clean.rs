//! Turns the texts of shops and scrapers, which have HTML in them, into plain text.

/// `text` without HTML: script blocks, style blocks and tags are removed, entities are decoded, and runs of white space
/// become one space.
pub(crate) fn plain_text(text: &str) -> String {
    // Entities without a semicolon are decoded as in attributes: not where a letter follows, as in `?a=1&region=2`.
    collapse(&htmlize::unescape_attribute(without_tags(text)))
}

/// `text` with each run of white space as one space, and without white space at its ends.
pub(crate) fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of `text`, of at most `limit` characters, cut at the end of a word if possible.
pub(crate) fn beginning(text: &str, limit: usize) -> &str {
    let Some((end, _)) = text.char_indices().nth(limit) else { return text };
    let cut = text[..end].rfind(' ').filter(|&space| space > 0).unwrap_or(end);
    text[..cut].trim_end()
}

fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        let tag = &rest[open..];
        let name_follows =
            tag[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!'));
        if !name_follows {
            out.push('<');
            rest = &tag[1..];
            continue;
        }
        let block = ["script", "style"].iter().find(|name| {
            tag.get(1..=name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
        });
        let end = match block {
            Some(name) => tag
                .to_ascii_lowercase()
                .find(&format!("</{name}"))
                .and_then(|close| tag[close..].find('>').map(|end| close + end)),
            None => tag.find('>'),
        };
        out.push(' ');
        rest = end.map_or("", |end| &tag[end + 1..]);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_plain_text() {
        let html = "<p class='x'>Soft &amp; warm</p><style>p{color:red}</style> 5 < 6&nbsp;in&#39;";
        assert_eq!(plain_text(html), "Soft & warm 5 < 6 in'");
        assert_eq!(plain_text("cut <script>never closed"), "cut");
        assert_eq!(
            plain_text("R&D; AT&T &unknown; & ?a=1&region=2"),
            "R&D; AT&T &unknown; & ?a=1&region=2"
        );
        assert_eq!(
            plain_text(
                "&Eacute;lan&nbsp;&ldquo;N&#186; 5&rdquo; &mdash; 50&#x2009;&times;&#8201;70&AMP;&euro;3&hellip;"
            ),
            "Élan “Nº 5” — 50 × 70&€3…"
        );
    }

    #[test]
    fn beginnings_end_at_words() {
        assert_eq!(beginning("red cotton shirt", 12), "red cotton");
        assert_eq!(beginning("red", 12), "red");
        assert_eq!(beginning("äöüäöü", 3), "äöü");
    }

    proptest::proptest! {
        #[test]
        fn cleaning_never_panics(text in "[<>&;a-z/!# é\n]{0,60}") {
            let once = plain_text(&text);
            proptest::prop_assert!(!once.contains('\n') && once.trim() == once);
        }
    }
}

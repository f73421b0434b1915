//! Turns the texts of shops and scrapers, which have HTML in them, into plain text.

/// `text` without HTML: script blocks, style blocks and tags are removed, common entities are decoded, and
/// runs of white space become one space.
pub(crate) fn plain_text(text: &str) -> String {
    collapse(&decode_entities(&without_tags(text)))
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

/// Decodes the HTML entities that occur in product data, numeric ones included. Others are left as they are.
pub(crate) fn decode_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let entity = rest.find(';').filter(|&end| end <= 8).map(|end| &rest[1..end]);
        if let Some(character) = entity.and_then(decode) {
            out.push(character);
            rest = &rest[entity.map_or(0, str::len) + 2..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn decode(entity: &str) -> Option<char> {
    if let Some(number) = entity.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "reg" => '®',
        "trade" => '™',
        "deg" => '°',
        "frac12" => '½',
        "frac14" => '¼',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_plain_text() {
        let html = "<p class='x'>Soft &amp; warm</p><style>p{color:red}</style> 5 < 6&nbsp;in&#39;";
        assert_eq!(plain_text(html), "Soft & warm 5 < 6 in'");
        assert_eq!(plain_text("cut <script>never closed"), "cut");
        assert_eq!(plain_text("R&D; AT&T &unknown; &"), "R&D; AT&T &unknown; &");
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

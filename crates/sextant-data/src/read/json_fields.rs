//! The fields of a JSON object as they were written: the keys, and where their values are in the text.

use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::ops::Range;

/// Calls `each` with every key of the object in `text` and the byte range of its value. `None` if the text
/// is not exactly one object; parsing it with `serde_json` then tells what is wrong.
pub(super) fn fields<'a>(
    text: &'a str,
    mut each: impl FnMut(Cow<'a, str>, Range<usize>),
) -> Option<()> {
    let mut at = Cursor { text, position: 0 };
    at.expect('{')?;
    if at.expect('}').is_none() {
        loop {
            let key = at.value()?;
            let key = unquoted(&text[key])?;
            at.expect(':')?;
            let value = at.value()?;
            each(key, value);
            if at.expect(',').is_none() {
                at.expect('}')?;
                break;
            }
        }
    }
    at.skip_space();
    (at.position == text.len()).then_some(())
}

/// A key without its quotes.
fn unquoted(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(raw).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

impl Cursor<'_> {
    fn skip_space(&mut self) {
        let rest = &self.text.as_bytes()[self.position..];
        let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.position += rest.iter().take_while(space).count();
    }

    /// Moves past `character` if it is the next one after white space; otherwise gives `None`.
    fn expect(&mut self, character: char) -> Option<()> {
        self.skip_space();
        let found = self.text[self.position..].starts_with(character);
        self.position += usize::from(found);
        found.then_some(())
    }

    /// Moves past a value, whose end `serde_json` finds, and gives its byte range.
    fn value(&mut self) -> Option<Range<usize>> {
        self.skip_space();
        let start = self.position;
        let rest = serde_json::Deserializer::from_str(&self.text[start..]);
        let mut values = rest.into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        self.position += values.byte_offset();
        Some(start..self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    fn raw(text: &str) -> Option<Vec<(String, &str)>> {
        let mut found = Vec::new();
        fields(text, |key, place| found.push((key.into_owned(), &text[place])))?;
        Some(found)
    }

    #[test]
    fn values_are_as_written() {
        let text = r#" {"a" : 1.50 ,"b":[1,  {"x":"}"}],"\u0063":"q\"","d":null, "a":-0} "#;
        let expected = [
            ("a", "1.50"),
            ("b", r#"[1,  {"x":"}"}]"#),
            ("c", r#""q\"""#),
            ("d", "null"),
            ("a", "-0"),
        ];
        assert_eq!(raw(text).unwrap(), expected.map(|(key, value)| (key.to_owned(), value)));
        assert_eq!(raw("{}").unwrap(), []);
        let broken = [
            "",
            "{",
            "[]",
            "1",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 2}",
            "{a:1}",
            "{\"a\":1}}",
            "{\"a\":01}",
            "{\"a\":nul}",
            "{1:2}",
            "{\"a\":1},",
        ];
        for text in broken {
            assert_eq!(raw(text), None, "{text}");
            assert!(serde_json::from_str::<Map<String, Value>>(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_serde(text in "[{}\\[\\]\",:a1. \\\\]{0,16}") {
            let text = format!("{{{text}}}");
            let ours = raw(&text).map(|fields| {
                let parse = |(key, raw): (String, &str)| (key, serde_json::from_str(raw).unwrap());
                fields.into_iter().map(parse).collect::<Map<String, Value>>()
            });
            prop_assert_eq!(ours, serde_json::from_str(&text).ok());
        }
    }
}

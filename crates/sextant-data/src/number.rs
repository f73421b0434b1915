//! Numbers that are written in different ways: `1`, and `1.0` where another program kept it as a floating-point number.

use std::borrow::Cow;

/// A decimal number without zeros at the end of its fraction, so that equal numbers are equal texts: `1.50` becomes
/// `1.5`, and `1.0` becomes `1`. Any other text stays as it is, also one with leading zeros or an exponent: these are
/// codes more often than numbers. No number is rounded.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((whole, fraction)) = text.split_once('.') else { return Cow::Borrowed(text) };
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    let is_number =
        digits(unsigned) && digits(fraction) && (unsigned == "0" || !unsigned.starts_with('0'));
    if !is_number {
        return Cow::Borrowed(text);
    }
    match fraction.trim_end_matches('0') {
        // Zero has no sign.
        "" if unsigned == "0" => Cow::Borrowed("0"),
        "" => Cow::Borrowed(whole),
        fraction => Cow::Owned(format!("{whole}.{fraction}")),
    }
}

/// A whole number without a fraction of zeros: `1.0` becomes `1`. A text with another fraction stays as it is, because
/// keys such as `1.10` and `1.1` may be different things, such as versions.
pub(crate) fn whole(text: &str) -> Cow<'_, str> {
    match plain(text) {
        plain if plain.contains('.') => Cow::Borrowed(text),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_text_and_codes_keep_theirs() {
        for (text, expected, key) in [
            ("1.0", "1", "1"),
            ("1.000", "1", "1"),
            ("-12.0", "-12", "-12"),
            ("0.0", "0", "0"),
            ("-0.0", "0", "0"),
            ("100", "100", "100"),
            ("9007199254740993.0", "9007199254740993", "9007199254740993"),
            ("1.50", "1.5", "1.50"),
            ("0.50", "0.5", "0.50"),
        ] {
            assert_eq!((&*plain(text), &*whole(text)), (expected, key), "{text}");
        }
        for text in
            ["", "007.0", "007", "1.", ".0", "1.0.0", "1e5", "1.0e5", "v1.0", "+1.0", "1,0", "nan"]
        {
            assert_eq!((&*plain(text), &*whole(text)), (text, text));
        }
    }
}

//! Finds the Arrow type that holds every value of a JSONL column.
//!
//! A type is chosen only if it keeps every value as it is. If a column has decimals and a whole number that a
//! double cannot hold, the column becomes text, so that the number does not change.

use arrow_schema::DataType;

/// Every whole number up to this size is exact as a double.
const EXACT: u64 = 1 << 53;
/// A decimal of up to this many digits is taken to keep its value as a double.
const DIGITS: usize = 17;

/// The kinds of values that one column has had so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about a value that was seen")]
pub(super) struct Seen {
    integer: bool,
    negative: bool,
    above_i64: bool,
    above_exact: bool,
    decimal: bool,
    boolean: bool,
    numbers: bool,
    other: bool,
}

impl Seen {
    /// Notes the kind of a value, given as raw JSON.
    pub(super) fn add(&mut self, raw: &str) {
        match raw.as_bytes() {
            b"null" => {}
            b"true" | b"false" => self.boolean = true,
            [b'-' | b'0'..=b'9', ..] => self.number(raw),
            [b'[', ..] if serde_json::from_str::<Vec<Option<f64>>>(raw).is_ok() => {
                self.numbers = true;
            }
            _ => self.other = true,
        }
    }

    fn number(&mut self, raw: &str) {
        let whole = raw.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) && raw != "-0";
        match (raw.parse::<i64>(), raw.parse::<u64>()) {
            (Ok(number), _) if whole => {
                self.integer = true;
                self.negative |= number < 0;
                self.above_exact |= number.unsigned_abs() > EXACT;
            }
            (_, Ok(_)) if whole => {
                (self.integer, self.above_i64, self.above_exact) = (true, true, true);
            }
            _ if whole => self.other = true,
            _ => {
                let mantissa = raw.split(['e', 'E']).next().unwrap_or(raw);
                let digits = mantissa.trim_start_matches(['-', '0', '.']);
                let digits = digits.bytes().filter(u8::is_ascii_digit).count();
                let finite = raw.parse::<f64>().is_ok_and(f64::is_finite);
                let exact = finite && digits <= DIGITS;
                (self.decimal, self.other) = (self.decimal || exact, self.other || !exact);
            }
        }
    }

    /// The type that holds all values. Columns with values of different kinds, and columns of objects, become
    /// text: strings as they are, any other value as its JSON.
    pub(super) fn data_type(self) -> DataType {
        let kinds = [self.integer || self.decimal, self.boolean, self.numbers, self.other];
        if self.other || kinds.iter().filter(|&&kind| kind).count() != 1 {
            return DataType::Utf8;
        }
        match self {
            Self { boolean: true, .. } => DataType::Boolean,
            Self { numbers: true, .. } => DataType::new_list(DataType::Float64, true),
            Self { decimal: true, above_exact: true, .. } => DataType::Utf8,
            Self { decimal: true, .. } => DataType::Float64,
            Self { above_i64: true, negative: true, .. } => DataType::Utf8,
            Self { above_i64: true, .. } => DataType::UInt64,
            _ => DataType::Int64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_hold_every_value_exactly() {
        let numbers = DataType::new_list(DataType::Float64, true);
        let cases: &[(&[&str], DataType)] = &[
            (&[], DataType::Utf8),
            (&["null"], DataType::Utf8),
            (&["1", "null", "-9223372036854775808"], DataType::Int64),
            (&["1", "18446744073709551615"], DataType::UInt64),
            (&["-1", "18446744073709551615"], DataType::Utf8),
            (&["123456789012345678901234"], DataType::Utf8),
            (&["1", "2.5"], DataType::Float64),
            (&["-0"], DataType::Float64),
            (&["2.5", "9007199254740993"], DataType::Utf8),
            (&["123456789.125", "1e-7"], DataType::Float64),
            (&["0.12345678901234567890123"], DataType::Utf8),
            (&["1e999"], DataType::Utf8),
            (&["true", "false"], DataType::Boolean),
            (&["true", "1"], DataType::Utf8),
            (&["[1, 2.5, null]", "[]"], numbers),
            (&["[1]", "1"], DataType::Utf8),
            (&["[\"a\"]"], DataType::Utf8),
            (&["{}"], DataType::Utf8),
            (&["\"a\"", "1"], DataType::Utf8),
        ];
        for (values, expected) in cases {
            let mut seen = Seen::default();
            values.iter().for_each(|raw| seen.add(raw));
            assert_eq!(seen.data_type(), *expected, "{values:?}");
        }
    }
}

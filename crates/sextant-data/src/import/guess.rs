//! What labels most likely mean, for a first map.

use sextant_core::Grade;

/// Whether a label is how programs and people write that there is none.
pub fn is_no_label(label: &str) -> bool {
    let plain = label.trim().to_ascii_lowercase();
    ["", "nan", "na", "n/a", "null", "none", "-", "?"].contains(&plain.as_str())
}

/// The least and the greatest value of the scale that numbers are most likely of, whose least and greatest are `low` and
/// `high`. The ends of a scale need not occur: stars and marks begin at 1, shares go from 0 to 1. Other numbers are taken
/// for their own scale.
pub fn likely_scale(low: f64, high: f64) -> [f64; 2] {
    if low > 1.0 && high <= 10.0 {
        [1.0, high.ceil()]
    } else if low > 0.0 && high <= 1.0 {
        [0.0, 1.0]
    } else {
        [low, high]
    }
}

/// The grades that labels most likely mean: known names by their meaning, and numbers by their thirds of the scale
/// that they are likely of ([`likely_scale`]). `None` where labels are other names.
pub fn likely_grades(labels: &[String]) -> Option<Vec<Grade>> {
    let known = |label: &String| {
        Some(match &*label.to_ascii_lowercase() {
            "e" | "exact" | "perfect" | "relevant" | "excellent" | "yes" | "true" => {
                Grade::Relevant
            }
            "s" | "substitute" | "partial" | "good" | "fair" | "somewhat relevant" => {
                Grade::Partial
            }
            "c" | "complement" | "i" | "irrelevant" | "bad" | "no" | "false" | "off-topic" => {
                Grade::Irrelevant
            }
            _ => return None,
        })
    };
    if let Some(grades) = labels.iter().map(known).collect() {
        return Some(grades);
    }
    // An infinity is on no scale.
    let number = |label: &String| label.parse().ok().filter(|number: &f64| number.is_finite());
    let numbers: Vec<f64> = labels.iter().map(number).collect::<Option<_>>()?;
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let [low, high] = likely_scale(low, high);
    let grade = |number: f64| match (number - low) / (high - low).max(f64::MIN_POSITIVE) {
        place if place < 1.0 / 3.0 => Grade::Irrelevant,
        place if place < 2.0 / 3.0 + 1e-9 => Grade::Partial,
        _ => Grade::Relevant,
    };
    Some(numbers.into_iter().map(grade).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_on_the_scale_that_they_are_likely_of() {
        for (labels, expected) in [
            (&["1", "2", "3", "4", "5"][..], &[0, 0, 1, 2, 2][..]),
            // The lower stars did not occur.
            (&["3", "4", "5"], &[1, 2, 2]),
            (&["5"], &[2]),
            (&["2", "3"], &[1, 2]),
            (&["0", "1", "2"], &[0, 1, 2]),
            (&["0", "1"], &[0, 2]),
            (&["1.33", "2.33", "3"], &[0, 1, 2]),
            (&["0.5", "0.9"], &[1, 2]),
            (&["-1", "0", "1"], &[0, 1, 2]),
            (&["20", "60", "80"], &[0, 1, 2]),
        ] {
            let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
            let found: Vec<usize> =
                likely_grades(&labels).unwrap().into_iter().map(Grade::index).collect();
            assert_eq!(found, expected, "{labels:?}");
        }
        assert_eq!(likely_scale(2.1, 4.8), [1.0, 5.0]);
        assert_eq!(likely_grades(&["1", "2", "inf"].map(str::to_owned)), None);
        assert_eq!(likely_scale(11.0, 40.0), [11.0, 40.0]);
    }
}

//! Reads grades from what servers answer.

use serde_json::Value;

/// The probability of each label among the alternatives of an answer's first token, as the server states them:
/// renormalised over what was sampled (`top_probs`), or as log probabilities of the whole vocabulary
/// (`top_logprobs`). The sum over the labels is the label mass. `None` if the answer states neither.
pub(crate) fn of_first_token(answer: &Value, labels: &[&str]) -> Option<Vec<f64>> {
    let token = answer.pointer("/choices/0/logprobs/content/0")?;
    let after_sampling = token.get("top_probs").and_then(Value::as_array);
    let of_vocabulary = token.get("top_logprobs").and_then(Value::as_array);
    let probability = |alternative: &Value| match after_sampling {
        Some(_) => alternative["prob"].as_f64(),
        None => alternative["logprob"].as_f64().map(f64::exp),
    };
    let mut found = vec![0.0; labels.len()];
    for alternative in after_sampling.or(of_vocabulary)? {
        let text = alternative["token"].as_str().unwrap_or_default().trim();
        let known = labels.iter().position(|label| *label == text);
        if let (Some(label), Some(probability)) = (known, probability(alternative)) {
            // The label may be there twice, with and without a space before it.
            found[label] += probability;
        }
    }
    Some(found)
}

/// Whether the probabilities of an answer are those after sampling.
pub(crate) fn is_after_sampling(answer: &Value) -> bool {
    answer.pointer("/choices/0/logprobs/content/0/top_probs").is_some()
}

/// The text of the first choice of an answer.
pub(crate) fn text(answer: &Value) -> Option<&str> {
    answer.pointer("/choices/0/message/content")?.as_str()
}

/// The label that a text decides for: the first one that stands alone after the last "grade" or "score"; without
/// these words, the first that stands alone anywhere.
pub(crate) fn stated(text: &str, labels: &[&str]) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let after = ["grade", "score"].iter().filter_map(|word| {
        let at = lower.rfind(word)?;
        Some(at + word.len())
    });
    let start = after.max().filter(|&at| first_label(&text[at..], labels).is_some());
    first_label(&text[start.unwrap_or(0)..], labels)
}

/// The first number of a text that is a label. A number with more digits or with decimals is none.
fn first_label(text: &str, labels: &[&str]) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
    let mut words = text.split(|c: char| !is_part(c)).map(|word| word.trim_end_matches(['.', '-']));
    words.find_map(|word| labels.iter().position(|label| *label == word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LABELS: [&str; 3] = ["0", "1", "2"];

    #[test]
    fn grades_in_words_around_them() {
        for (text, expected) in [
            ("2", Some(2)),
            (" 1.", Some(1)),
            ("**Grade: 0**", Some(0)),
            ("The 2 sofas differ. Final score: 1", Some(1)),
            ("##final score: 2", Some(2)),
            ("1 of 2 fits, so I grade it as 1", Some(1)),
            ("Level 2 (relevant), a good grade", Some(2)),
            ("10 out of 20", None),
            ("1.5", None),
            ("relevant", None),
            ("", None),
            ("Ü2", None),
        ] {
            assert_eq!(stated(text, &LABELS), expected, "{text}");
        }
    }

    #[test]
    fn probabilities_in_both_forms() {
        let answer = |token: Value| json!({"choices": [{"logprobs": {"content": [token]}}]});
        let sampled = answer(json!({"token": "2", "top_probs": [
            {"token": "1", "prob": 0.75}, {"token": "2", "prob": 0.25}]}));
        assert_eq!(of_first_token(&sampled, &LABELS), Some(vec![0.0, 0.75, 0.25]));
        assert!(is_after_sampling(&sampled));
        let vocabulary = answer(json!({"token": "A", "top_logprobs": [
            {"token": "A", "logprob": -0.5}, {"token": " 2", "logprob": -2.0},
            {"token": "2", "logprob": -2.0}, {"token": "0", "logprob": -3.0}]}));
        let found = of_first_token(&vocabulary, &LABELS).unwrap();
        assert!((found[2] - 2.0 * f64::exp(-2.0)).abs() < 1e-12 && found[1] == 0.0, "{found:?}");
        assert!(!is_after_sampling(&vocabulary));
        assert_eq!(of_first_token(&json!({"choices": [{"message": {}}]}), &LABELS), None);
    }
}

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
            if !is_probability(probability) {
                return None;
            }
            // The label may be there twice, with and without a space before it.
            found[label] += probability;
        }
    }
    Some(found)
}

/// Whether a number can be a probability, but for rounding.
pub(crate) fn is_probability(number: f64) -> bool {
    (0.0..=1.0 + 1e-4).contains(&number)
}

/// Whether the probabilities of an answer are those after sampling.
pub(crate) fn is_after_sampling(answer: &Value) -> bool {
    answer.pointer("/choices/0/logprobs/content/0/top_probs").is_some()
}

/// The text of the first choice of an answer.
pub(crate) fn text(answer: &Value) -> Option<&str> {
    answer.pointer("/choices/0/message/content")?.as_str()
}

/// Words behind which a text says its decision, also as keys of a JSON object.
const KEYWORDS: [&str; 4] = ["grade", "score", "rating", "answer"];

/// The label that a text decides for, once what a model thought to itself is cut off. In a JSON object it is the value of
/// one of the [`KEYWORDS`]. Elsewhere it is the first label that stands alone after the last of these words; without
/// them, the first that stands alone anywhere. Labels behind a "not", and both ends of a range ("0 to 2"), are passed
/// over.
pub(crate) fn stated(text: &str, labels: &[&str]) -> Option<usize> {
    let text = said(text)?;
    if let Some(object) = object(text) {
        let value = KEYWORDS.iter().find_map(|word| object.get(*word))?;
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return labels.iter().position(|label| *label == value.trim());
    }
    let words = words(text);
    let is_keyword = |word: &&str| KEYWORDS.iter().any(|known| word.eq_ignore_ascii_case(known));
    let last = words.iter().rposition(is_keyword).map_or(0, |at| at + 1);
    first_label(&words[last..], labels).or_else(|| first_label(&words, labels))
}

/// What a text says besides what a reasoning model thought: nothing if the thought has no end.
fn said(text: &str) -> Option<&str> {
    for tag in ["think", "thinking", "reasoning"] {
        if let Some((_, after)) = text.rsplit_once(&format!("</{tag}>")) {
            return Some(after);
        }
        if text.contains(&format!("<{tag}>")) {
            return None;
        }
    }
    Some(text)
}

/// The JSON object that a text is, perhaps in a fence of Markdown.
fn object(text: &str) -> Option<serde_json::Map<String, Value>> {
    let text = text.trim().trim_start_matches("```json").trim_matches('`').trim();
    text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()
}

/// The words of a text. A number keeps its sign and its decimals, so that it is no label then.
fn words(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '.' || c == '-' || c == '\'';
    let words =
        text.split(|c: char| !is_part(c)).map(|word| word.trim_end_matches(['.', '-', '\'']));
    words.filter(|word| !word.is_empty()).collect()
}

/// The first word that is a label and is meant.
fn first_label(words: &[&str], labels: &[&str]) -> Option<usize> {
    let label = |at: usize| labels.iter().position(|label| words.get(at) == Some(label));
    let is = |at: Option<usize>, among: &[&str]| {
        let word = at.and_then(|at| words.get(at));
        word.is_some_and(|word| among.iter().any(|known| word.eq_ignore_ascii_case(known)))
    };
    let ranges = ["to", "through"];
    (0..words.len()).find_map(|at| {
        let denied = is(at.checked_sub(1), &["not", "isn't", "never"]);
        let begins = is(Some(at + 1), &ranges) && label(at + 2).is_some();
        let ends = is(at.checked_sub(1), &ranges) && at >= 2 && label(at - 2).is_some();
        label(at).filter(|_| !(denied || begins || ends))
    })
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
            ("<think>maybe grade 0</think>2", Some(2)),
            ("<think>grade: 0? or 1?</think>\n\nThe answer is 2.", Some(2)),
            ("<think>It is surely a 2, since", None),
            ("{\"score\": 0, \"reason\": \"scored 2 of 5\"}", Some(0)),
            ("```json\n{\"reason\": \"2 of 5\", \"grade\": \"1\"}\n```", Some(1)),
            ("{\"reason\": \"2 of 5\"}", None),
            ("Final grade = 1 (upgrade 2 possible)", Some(1)),
            ("The grade is not 2 but 1", Some(1)),
            ("On the scale of grade 0 to 2, this is 1", Some(1)),
            ("From 0 to 2", None),
            ("Two of 2 words match. Answer: 0", Some(0)),
            ("-1", None),
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
        let impossible =
            answer(json!({"token": "2", "top_logprobs": [{"token": "2", "logprob": 5.0}]}));
        assert_eq!(of_first_token(&impossible, &LABELS), None);
    }
}

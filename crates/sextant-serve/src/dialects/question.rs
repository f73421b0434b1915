//! What a question of a decision API asks, read from its words.
//!
//! An encoder reads no instructions, and no list of forbidden words would hold: any word may turn a question
//! into another one. So it is the other way round: a question is answered if every word of it is known, and what is
//! made of these words can ask nothing but how relevant the two are to each other.

use serde_json::Value;

/// Words that leave the question what it is: those that hold a sentence together, and names of the two sides.
const PLAIN: [&str; 50] = [
    "a", "an", "and", "are", "be", "both", "category", "customer", "do", "document", "does",
    "each", "entities", "for", "given", "grade", "how", "is", "item", "judge", "left", "of",
    "offer", "on", "other", "pair", "passage", "please", "product", "queries", "query", "rate",
    "result", "right", "s", "score", "search", "shopper", "sides", "text", "texts", "the", "these",
    "this", "to", "two", "type", "user", "whether", "with",
];

/// Words that a question of levels may have beside these, and that ask for no degree of anything of their own.
const DEGREE: [&str; 5] = ["close", "degree", "good", "level", "well"];

/// Words that say what the degree is of.
const RELATION: [&str; 12] = [
    "answer",
    "answers",
    "fit",
    "fits",
    "match",
    "matches",
    "related",
    "relevance",
    "relevancy",
    "relevant",
    "suit",
    "suits",
];

/// Names of a statement of relevance.
const RELEVANCE: [&str; 3] = ["relevant", "relevance", "relevancy"];

/// Parts of words that turn a question round. They are looked for in names, which may be any word.
const NEGATIONS: [&str; 17] = [
    "anti",
    "cannot",
    "dis",
    "false",
    "ir",
    "irrelevance",
    "irrelevancy",
    "irrelevant",
    "less",
    "mismatch",
    "never",
    "no",
    "non",
    "not",
    "un",
    "unrelated",
    "wrong",
];

/// The names of the lowest level, of the middle and of the highest.
const LEVELS: [&[&str]; 3] = [
    &[
        "irrelevant",
        "not relevant",
        "unrelated",
        "not related",
        "none",
        "no match",
        "has nothing to do with it",
        "0",
    ],
    &[
        "partial",
        "partially relevant",
        "partly relevant",
        "somewhat relevant",
        "partial match",
        "related",
        "is related",
        "some",
        "1",
    ],
    &[
        "relevant",
        "fully relevant",
        "highly relevant",
        "very relevant",
        "exact",
        "exact match",
        "full match",
        "match",
        "is what was meant",
        "2",
    ],
];

/// The names of the levels, for messages.
pub(super) fn level_names() -> String {
    let names = LEVELS.map(|names| names.join(", "));
    format!("lowest: {}; middle: {}; highest: {}", names[0], names[1], names[2])
}

/// How the levels of a question stand to the three grades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Levels {
    /// From the lowest to the highest.
    Rising,
    /// The right ones in another order.
    Disordered,
    /// Others than the three.
    Foreign,
}

/// Reads the names of three levels.
pub(super) fn levels(names: &[&str; 3]) -> Levels {
    let grade = |name: &&str| {
        let name = words(name).join(" ");
        LEVELS.iter().position(|known| known.contains(&name.as_str()))
    };
    let grades: Vec<_> = names.iter().filter_map(grade).collect();
    match grades.as_slice() {
        [0, 1, 2] => Levels::Rising,
        [a, b, c] if a != b && b != c && a != c => Levels::Disordered,
        _ => Levels::Foreign,
    }
}

/// Whether a question of levels asks how relevant the two are to each other. The instructions say it, or the name,
/// or the names of the levels.
pub(super) fn asks_how_relevant(name: &str, instructions: &Value, levels: &[&str; 3]) -> bool {
    let asked = words(&texts(instructions));
    let relates = |word: &String| RELATION.contains(&word.as_str()) || word == "irrelevant";
    let known = |word: &String| {
        let lists = [&PLAIN[..], &DEGREE, &RELATION];
        lists.iter().any(|list| list.contains(&word.as_str()))
    };
    let said = [name].iter().chain(levels).any(|text| words(text).iter().any(relates));
    !is_negated(name) && asked.iter().all(known) && (said || asked.iter().any(relates))
}

/// Whether a predicate says that the two are relevant to each other. Without instructions, its name says it.
pub(super) fn says_relevant(name: &str, instructions: &Value) -> bool {
    let asked = words(&texts(instructions));
    if asked.is_empty() {
        let named = words(name);
        let known = |word: &String| PLAIN.contains(&word.as_str()) || is_relevance(word);
        return named.iter().all(known)
            && named.iter().filter(|word| is_relevance(word)).count() == 1;
    }
    !is_negated(name) && states(&asked)
}

/// Whether words state or ask that one thing is relevant, perhaps to another one.
fn states(asked: &[String]) -> bool {
    let mut places = asked.iter().enumerate().filter(|(_, word)| *word == "relevant");
    let (Some((place, _)), None) = (places.next(), places.next()) else { return false };
    let plain = |words: &[String]| words.iter().all(|word| PLAIN.contains(&word.as_str()));
    let (before, after) = (&asked[..place], &asked[place + 1..]);
    // "A relevant type of the product" speaks of something else than the pair.
    let follows = after.first().is_none_or(|word| ["to", "for"].contains(&word.as_str()));
    // "How relevant" has no yes or no.
    follows && plain(before) && plain(after) && !before.iter().any(|word| word == "how")
}

fn is_relevance(word: &str) -> bool {
    RELEVANCE.contains(&word)
}

/// Whether a name says the opposite.
fn is_negated(name: &str) -> bool {
    words(name).iter().any(|word| NEGATIONS.contains(&word.as_str()))
}

/// The words of a text in small letters. Names like `isRelevant` and `is_relevant` have two.
fn words(text: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(text.len() + 8);
    let mut small = false;
    for letter in text.chars() {
        if letter.is_alphanumeric() {
            if small && letter.is_uppercase() {
                spaced.push(' ');
            }
            spaced.extend(letter.to_lowercase());
        } else {
            spaced.push(' ');
        }
        small = letter.is_lowercase();
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// All texts of some instructions, which may be lists of parts. Names of their keys are no instructions.
fn texts(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(texts).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let said = fields.iter().filter(|(key, _)| *key != "type");
            said.map(|(_, value)| texts(value)).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_plain_statements_of_relevance_are_answered() {
        for (name, instructions) in [
            ("", "The product is relevant to the query."),
            ("q1", "Is the product relevant to the user's search query?"),
            ("", "Are the query and the product relevant to each other?"),
            ("relevant", ""),
            ("isRelevant", ""),
            ("is_relevant_to_query", ""),
        ] {
            assert!(says_relevant(name, &json!(instructions)), "{name}: {instructions}");
        }
        for (name, instructions) in [
            ("", "The product is not relevant to the query."),
            ("", "The product isn't relevant to the query."),
            ("", "The product is irrelevant to the query."),
            ("", "The query has no relevant product."),
            ("", "Does the query mention a relevant colour?"),
            ("", "The product is hardly relevant to the query."),
            ("", "Is it false that the product is relevant to the query?"),
            ("", "The product is relevant to the query, and the query is polite."),
            ("", "Is the product relevant to children?"),
            ("", "How relevant is the product to the query?"),
            ("", "The query is polite."),
            ("", "Le produit est pertinent."),
            ("irrelevant", ""),
            ("irrelevant", "The product is relevant to the query."),
            ("not_relevant", "The product is relevant to the query."),
            ("polite", ""),
            ("", ""),
        ] {
            assert!(!says_relevant(name, &json!(instructions)), "{name}: {instructions}");
        }
        assert!(says_relevant("", &json!([{"type": "text", "text": "The product is relevant."}])));
    }

    #[test]
    fn questions_of_levels_ask_for_a_degree_of_relevance() {
        let plain = ["irrelevant", "partial", "relevant"];
        // Numbers say nothing of what is asked.
        let numbers = ["0", "1", "2"];
        assert!(asks_how_relevant("fit", &json!("How well?"), &numbers));
        assert!(!asks_how_relevant("politeness", &json!(null), &numbers));
        assert!(!asks_how_relevant("q", &json!("How good is the product?"), &numbers));
        for asked in [
            "How well does the product answer the query?",
            "",
            "Rate the relevance of the product.",
        ] {
            assert!(asks_how_relevant("fit", &json!(asked), &plain), "{asked}");
        }
        for asked in [
            "How polite is the query?",
            "How irrelevant is the product?",
            "How well is it written?",
        ] {
            assert!(!asks_how_relevant("fit", &json!(asked), &plain), "{asked}");
        }
        assert!(!asks_how_relevant(
            "irrelevance",
            &json!("How well does the product fit?"),
            &plain
        ));
    }

    #[test]
    fn levels_are_told_by_their_names() {
        assert_eq!(levels(&["Irrelevant", "partially relevant", "Relevant!"]), Levels::Rising);
        assert_eq!(levels(&["0", "1", "2"]), Levels::Rising);
        assert_eq!(levels(&["relevant", "partial", "irrelevant"]), Levels::Disordered);
        assert_eq!(levels(&["rude", "neutral", "polite"]), Levels::Foreign);
        assert_eq!(levels(&["relevant", "relevant", "relevant"]), Levels::Foreign);
    }
}

//! Which fields of a row give way when it is too long.
//!
//! The longest field is cut first, token by token, down to its floor; of equally long fields the
//! later one. A field that adds detail (brand, attributes, type path, description) may be cut to
//! nothing. A field that names an entity (query, type, product title) is protected up to a quarter
//! of the row's `max_tokens`: below that it is cut only when no field has anything else to give,
//! and then down to one token. So a long description goes before a title of usual length, and both
//! sides always keep some text. Templates, prefixes and special tokens are never cut.

/// One field of a row, in the order in which the row holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldTokens {
    /// Tokens that the field has.
    pub tokens: usize,
    /// Whether it names its entity, rather than adding detail.
    pub naming: bool,
}

/// How many tokens each field keeps so that all together have at most `room`; naming fields are
/// protected up to `floor` tokens.
///
/// Returns `None` if the naming fields cannot keep one token each.
pub fn kept(fields: &[FieldTokens], room: usize, floor: usize) -> Option<Vec<usize>> {
    let mut kept: Vec<usize> = fields.iter().map(|field| field.tokens).collect();
    let mut excess = kept.iter().sum::<usize>().saturating_sub(room);
    for naming_floor in [floor.max(1), 1] {
        while excess > 0 {
            let longest = (0..kept.len())
                .filter(|&i| kept[i] > if fields[i].naming { naming_floor } else { 0 })
                .max_by_key(|&i| (kept[i], i));
            let Some(longest) = longest else { break };
            kept[longest] -= 1;
            excess -= 1;
        }
    }
    (excess == 0).then_some(kept)
}

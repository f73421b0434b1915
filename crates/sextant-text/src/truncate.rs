//! Which fields of a row lose tokens when the row is too long.
//!
//! The longest field is cut first, token by token, down to its floor; of equally long fields the
//! later one is cut first. A field that adds detail (brand, attributes, type path, description) may be
//! cut to nothing. A field that names an entity (query, type, product title) is protected up to a
//! quarter of the row's `max_tokens`: it is cut below that only when all other fields are at their
//! floors, and then down to one token. So a long description is cut before a title of usual length, and
//! both sides always keep some text. Templates, prefixes and special tokens are never cut.

/// The length of one field of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldTokens {
    /// The number of the field's tokens.
    pub tokens: usize,
    /// Whether the field names its entity; other fields add detail.
    pub naming: bool,
}

/// How many tokens each field keeps so that all fields together have at most `room` tokens. The fields
/// have the order in which the row holds them; naming fields are protected up to `floor` tokens.
///
/// Returns `None` if the naming fields cannot keep one token each.
pub fn kept(fields: &[FieldTokens], room: usize, floor: usize) -> Option<Vec<usize>> {
    let mut kept: Vec<usize> = fields.iter().map(|field| field.tokens).collect();
    for naming_floor in [floor.max(1), 1] {
        let floors = fields.iter().map(|field| if field.naming { naming_floor } else { 0 });
        let floors: Vec<usize> = floors.zip(&kept).map(|(floor, &kept)| floor.min(kept)).collect();
        level(&mut kept, &floors, room);
    }
    (kept.iter().sum::<usize>() <= room).then_some(kept)
}

/// Takes tokens from the longest field, the later one of equally long fields, until all fields together
/// have at most `room` tokens or every field is at its floor. Taking one token after the other would cut
/// all fields to one level, and some of the later ones to one token below it. The level is found by
/// binary search, so that a long text takes no more steps.
fn level(kept: &mut [usize], floors: &[usize], room: usize) {
    if kept.iter().sum::<usize>() <= room {
        return;
    }
    let cut_to = |level: usize| {
        let pairs = kept.iter().zip(floors);
        pairs.map(|(&kept, &floor)| kept.min(level.max(floor))).collect::<Vec<_>>()
    };
    // The lowest level at which the fields still have at least `room` tokens.
    let (mut low, mut high) = (0, kept.iter().copied().max().unwrap_or(0));
    while low < high {
        let middle = low.midpoint(high);
        if cut_to(middle).iter().sum::<usize>() >= room {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let mut leveled = cut_to(low);
    let mut excess = leveled.iter().sum::<usize>() - room;
    for (kept, &floor) in leveled.iter_mut().zip(floors).rev() {
        if excess > 0 && *kept == low && low > floor {
            *kept -= 1;
            excess -= 1;
        }
    }
    kept.copy_from_slice(&leveled);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn field(tokens: usize, naming: bool) -> FieldTokens {
        FieldTokens { tokens, naming }
    }

    #[test]
    fn longest_detail_goes_before_a_title_of_usual_length() {
        let row = [field(5, true), field(12, true), field(2, false), field(40, false)];
        assert_eq!(kept(&row, 40, 16), Some(vec![5, 12, 2, 21]));
        assert_eq!(kept(&row, 20, 16), Some(vec![5, 12, 2, 1]));
        assert_eq!(kept(&row, 17, 16), Some(vec![5, 12, 0, 0]));
        // When the details are cut to nothing, the longer name is cut.
        assert_eq!(kept(&row, 8, 16), Some(vec![4, 4, 0, 0]));
        assert_eq!(kept(&row, 2, 16), Some(vec![1, 1, 0, 0]));
        assert_eq!(kept(&row, 1, 16), None);
    }

    #[test]
    fn a_name_without_end_is_cut_like_any_long_field() {
        let row = [field(3, true), field(100, true), field(20, false)];
        assert_eq!(kept(&row, 60, 16), Some(vec![3, 37, 20]));
        assert_eq!(kept(&row, 30, 16), Some(vec![3, 16, 11]));
    }

    /// The rule as the module's documentation states it: the longest field is cut first, token by token.
    fn token_by_token(fields: &[FieldTokens], room: usize, floor: usize) -> Option<Vec<usize>> {
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

    proptest! {
        #[test]
        fn the_level_is_what_token_by_token_leaves(
            fields in proptest::collection::vec((0_usize..60, proptest::bool::ANY), 0..9),
            room in 0_usize..300,
            floor in 0_usize..40,
        ) {
            let fields: Vec<_> = fields.iter().map(|&(tokens, naming)| field(tokens, naming)).collect();
            prop_assert_eq!(kept(&fields, room, floor), token_by_token(&fields, room, floor));
        }

        #[test]
        fn only_what_is_needed_goes_and_the_longest_goes_first(
            names in proptest::collection::vec(1_usize..60, 2),
            details in proptest::collection::vec(0_usize..60, 0..8),
            room in 2_usize..300,
            floor in 0_usize..40,
        ) {
            let fields: Vec<_> = names.iter().map(|&n| field(n, true))
                .chain(details.iter().map(|&n| field(n, false))).collect();
            let total: usize = fields.iter().map(|f| f.tokens).sum();
            let kept = kept(&fields, room, floor).unwrap();
            prop_assert_eq!(kept.iter().sum::<usize>(), total.min(room));
            for (field, &keep) in fields.iter().zip(&kept) {
                prop_assert!(keep <= field.tokens);
                prop_assert!(!field.naming || keep >= 1);
            }
            let details_left: usize = kept[2..].iter().sum();
            for (i, field) in fields.iter().enumerate().filter(|&(i, f)| kept[i] < f.tokens) {
                // A field that was cut is now at most one token shorter than any unprotected field.
                for (j, other) in fields.iter().enumerate() {
                    let protected = other.naming && kept[j] <= floor.max(1) && !field.naming;
                    prop_assert!(protected || field.naming && kept[i] < floor || kept[j] <= kept[i] + 1);
                }
                if field.naming && kept[i] < floor {
                    prop_assert_eq!(details_left, 0, "details go before protected names");
                }
            }
        }
    }
}

//! What people did when they were shown a pair: counts, which are weak labels.

use crate::name::named;

/// Something that a person may do who is shown a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// It was clicked.
    Clicks,
    /// It was put into a cart.
    AddToCarts,
    /// It was bought.
    Purchases,
}

named!("event", Event {
    Clicks = "clicks",
    AddToCarts = "add_to_carts",
    Purchases = "purchases",
});

impl Event {
    /// How many kinds of events there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The place of the event in [`Event::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// How often a pair was shown, and what followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    impressions: f64,
    counts: [Option<f64>; Event::COUNT],
    propensity: Option<f64>,
}

/// Why numbers are no [`Behaviour`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BehaviourProblem {
    /// A count is negative or not finite.
    #[error("`{column}` is {value}: a count must be a number of 0 or more")]
    Count {
        /// The column of the count.
        column: &'static str,
        /// What it holds.
        value: f64,
    },
    /// An event happened more often than the pair was shown.
    #[error(
        "`{event}` is {count}, but `impressions` only {impressions}; count the impressions that it followed"
    )]
    More {
        /// The event.
        event: Event,
        /// Its count.
        count: f64,
        /// How often the pair was shown.
        impressions: f64,
    },
    /// A propensity is no probability.
    #[error(
        "`propensity` is {0}: must be above 0 and at most 1, the probability that an impression is looked at"
    )]
    Propensity(f64),
}

impl BehaviourProblem {
    /// The column that the problem is about.
    pub const fn column(&self) -> &'static str {
        match self {
            Self::Count { column, .. } => column,
            Self::More { event, .. } => event.as_str(),
            Self::Propensity(_) => "propensity",
        }
    }
}

impl Behaviour {
    /// The columns of rows that hold a behaviour, in the order in which they are written.
    pub const COLUMNS: [&str; 5] =
        ["impressions", "clicks", "add_to_carts", "purchases", "propensity"];

    /// Makes a behaviour of counts. `counts` are those of [`Event::ALL`], each absent if it was not counted;
    /// `propensity` is the probability that an impression of the pair was looked at, the mean over its impressions.
    ///
    /// # Errors
    /// A number is none that such a thing can have.
    pub fn new(
        impressions: f64,
        counts: [Option<f64>; Event::COUNT],
        propensity: Option<f64>,
    ) -> Result<Self, BehaviourProblem> {
        let named = Event::ALL.into_iter().zip(counts);
        let all = named.clone().filter_map(|(event, count)| Some((event.as_str(), count?)));
        for (column, value) in all.chain([("impressions", impressions)]) {
            if !(value.is_finite() && value >= 0.0) {
                return Err(BehaviourProblem::Count { column, value });
            }
        }
        for (event, count) in named {
            if let Some(count) = count.filter(|&count| count > impressions) {
                return Err(BehaviourProblem::More { event, count, impressions });
            }
        }
        match propensity {
            Some(value) if !(value > 0.0 && value <= 1.0) => {
                Err(BehaviourProblem::Propensity(value))
            }
            _ => Ok(Self { impressions, counts, propensity }),
        }
    }

    /// How often the pair was shown.
    pub fn impressions(&self) -> f64 {
        self.impressions
    }

    /// After how many impressions an event followed; `None` if that was not counted.
    pub fn count(&self, event: Event) -> Option<f64> {
        self.counts[event.index()]
    }

    /// The probability that an impression was looked at, as the row states it.
    pub fn propensity(&self) -> Option<f64> {
        self.propensity
    }

    /// The rate of an event among the impressions that were looked at, by inverse propensity: the count over the
    /// impressions times the propensity, which is taken to be at least `least`, and 1 if it is not stated.
    ///
    /// Where an event follows only if the pair was looked at, and then by a probability that does not depend on where it
    /// stood (the position-based model: Craswell et al. 2008), the expectation of this is that probability (Joachims,
    /// Swaminathan & Schnabel 2017). It may exceed 1, since few impressions may be luckier than their propensity.
    /// `None` if the event was not counted or the pair never shown.
    pub fn rate(&self, event: Event, least: f64) -> Option<f64> {
        let looked_at = self.impressions * self.propensity.unwrap_or(1.0).max(least);
        self.count(event).filter(|_| looked_at > 0.0).map(|count| count / looked_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_among_impressions_that_were_looked_at() {
        let shown = |propensity| Behaviour::new(200.0, [Some(10.0), None, Some(0.0)], propensity);
        assert_eq!(shown(None).unwrap().rate(Event::Clicks, 0.1), Some(0.05));
        assert_eq!(shown(Some(0.25)).unwrap().rate(Event::Clicks, 0.1), Some(0.2));
        assert_eq!(shown(Some(0.01)).unwrap().rate(Event::Clicks, 0.1), Some(0.5));
        assert_eq!(shown(Some(0.25)).unwrap().rate(Event::AddToCarts, 0.1), None);
        assert_eq!(shown(None).unwrap().rate(Event::Purchases, 0.1), Some(0.0));
        let never = Behaviour::new(0.0, [Some(0.0), None, None], None).unwrap();
        assert_eq!(never.rate(Event::Clicks, 0.1), None);
    }

    #[test]
    fn numbers_that_cannot_be_are_refused_by_their_column() {
        for (impressions, counts, propensity, column) in [
            (-1.0, [None; 3], None, "impressions"),
            (f64::NAN, [None; 3], None, "impressions"),
            (5.0, [Some(6.0), None, None], None, "clicks"),
            (5.0, [None, Some(-0.5), None], None, "add_to_carts"),
            (5.0, [None, None, Some(f64::INFINITY)], None, "purchases"),
            (5.0, [None; 3], Some(0.0), "propensity"),
            (5.0, [None; 3], Some(1.5), "propensity"),
            (5.0, [None; 3], Some(f64::NAN), "propensity"),
        ] {
            let problem = Behaviour::new(impressions, counts, propensity).unwrap_err();
            assert_eq!(problem.column(), column, "{problem}");
            assert!(problem.to_string().contains(column), "{problem}");
        }
    }
}

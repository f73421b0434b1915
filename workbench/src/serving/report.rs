//! What the cases print.

use super::load::{Outcome, Sent};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many requests came to what.
pub(super) fn outcomes(sent: &[Sent]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for sent in sent {
        let name = match sent.outcome {
            Outcome::Right => "answered right".to_owned(),
            Outcome::Wrong => "answered wrong".to_owned(),
            Outcome::Refused => "429 with Retry-After".to_owned(),
            Outcome::Status(status) => format!("status {}", status.as_u16()),
            Outcome::Broken => "connection refused or broken".to_owned(),
            Outcome::Unsent => "not sent for want of sockets".to_owned(),
        };
        *counts.entry(name).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    format!("{} requests: {}", sent.len(), counts.join(", "))
}

/// Whether all requests were answered right, or came to one of these.
pub(super) fn only(sent: &[Sent], also: impl Fn(Outcome) -> bool) -> bool {
    sent.iter().all(|sent| sent.outcome == Outcome::Right || also(sent.outcome))
}

/// Rows a second that were answered right within the time of a plan.
pub(super) fn rows_per_second(sent: &[Sent], time: Duration) -> f64 {
    let right = |sent: &&Sent| sent.outcome == Outcome::Right && sent.at + sent.took <= time;
    let rows: usize = sent.iter().filter(right).map(|sent| sent.rows).sum();
    rows as f64 / time.as_secs_f64()
}

/// A quantile of the latencies of requests that were answered right, in milliseconds; with `rows`, of those with so
/// many rows.
pub(super) fn latency(sent: &[Sent], rows: Option<usize>, quantile: f64) -> f64 {
    let wanted =
        |sent: &&Sent| sent.outcome == Outcome::Right && rows.is_none_or(|rows| sent.rows == rows);
    let mut took: Vec<_> = sent.iter().filter(wanted).map(|sent| sent.took).collect();
    took.sort();
    let rank = (quantile * took.len() as f64).ceil() as usize;
    took.get(rank.saturating_sub(1)).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(ms: u64, rows: usize, outcome: Outcome) -> Sent {
        let (at, took) = (Duration::from_millis(500), Duration::from_millis(ms));
        Sent { rows, at, took, outcome }
    }

    #[test]
    fn quantiles_and_rates_are_of_requests_that_were_answered_right() {
        let mut all: Vec<_> = (1..=100).map(|ms| sent(ms, 10, Outcome::Right)).collect();
        all.push(sent(5000, 10, Outcome::Refused));
        all.push(sent(700, 50, Outcome::Right));
        assert_eq!(latency(&all, Some(10), 0.99), 99.0);
        assert_eq!(latency(&all, Some(10), 0.5), 50.0);
        assert_eq!(latency(&all, None, 1.0), 700.0);
        assert!(latency(&all, Some(200), 0.5).is_nan());
        // The request of 50 rows was answered after the time was over.
        assert_eq!(rows_per_second(&all, Duration::from_secs(1)), 1000.0);
        assert!(only(&all, |outcome| outcome == Outcome::Refused) && !only(&all, |_| false));
    }
}

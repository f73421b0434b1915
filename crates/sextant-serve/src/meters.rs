//! What the server counts and measures, for `/metrics`.
//!
//! A server has a recorder of its own, not the one of the process: several servers in one process count apart.
//! Metrics carry names of models, tasks and dialects, and never a text.

use crate::drift::Drifted;
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use sextant_core::{Prediction, Task};
use std::time::Duration;

/// Bounds of times, in seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Bounds of shares and scores.
const SHARES: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
/// Bounds of numbers of pairs.
const PAIRS: [f64; 9] = [1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 1000.0, 5000.0];

/// The meters of a server.
pub(crate) struct Meters {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Meters {
    /// Meters that stand at 0.
    ///
    /// # Errors
    /// Never with the bounds above; the library asks for bounds that are not empty.
    pub(crate) fn new() -> Result<Self, BuildError> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_ratio".into()), &SHARES)?
            .set_buckets_for_metric(Matcher::Suffix("_score".into()), &SHARES)?
            .set_buckets_for_metric(Matcher::Suffix("_pairs".into()), &PAIRS)?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let meters = Self { recorder, handle };
        meters.describe();
        Ok(meters)
    }

    fn describe(&self) {
        let recorder = &self.recorder;
        for (name, text) in [
            ("sextant_requests_total", "Answered requests by dialect and status"),
            ("sextant_refused_total", "Requests refused because the queue was full"),
            (
                "sextant_cancelled_total",
                "Requests given up by their clients or past their deadlines",
            ),
            ("sextant_rows_total", "Answered pairs by model and task"),
            ("sextant_cut_rows_total", "Answered pairs of which something was cut"),
            ("sextant_tokens_total", "Tokens computed"),
            ("sextant_cache_hits_total", "Pairs that the cache answered"),
            ("sextant_cache_misses_total", "Pairs that the cache did not have"),
            ("sextant_key_pairs_total", "Pairs taken, by the name of the API key"),
            ("sextant_key_refused_total", "Requests beyond the allowance of an API key"),
            ("sextant_model_reloads_total", "Models replaced by what their folders hold"),
            (
                "sextant_model_reload_failures_total",
                "Models that could not be replaced, so that the ones before them answer",
            ),
            ("sextant_shadow_rows_total", "Pairs that the shadow model answered, too"),
            ("sextant_shadow_disagreements_total", "Thereof with another grade"),
            ("sextant_shadow_left_out_total", "Pairs for which the shadow model was too slow"),
        ] {
            recorder.describe_counter(name.into(), None, text.into());
        }
        for (name, text) in [
            ("sextant_request_seconds", "Time from a request's arrival to its answer"),
            ("sextant_request_pairs", "Pairs of a request"),
            ("sextant_queue_seconds", "Time that a tokenized pair waited for its pack"),
            ("sextant_pack_seconds", "Time that a pack took"),
            ("sextant_pack_fill_ratio", "Tokens of a pack as a share of its budget"),
            ("sextant_score", "Scores by model and task"),
            ("sextant_shadow_apart_ratio", "Distance between the scores of the two models"),
        ] {
            recorder.describe_histogram(name.into(), None, text.into());
        }
        for (name, text) in [
            ("sextant_queued_tokens", "Tokens that wait or are computed"),
            (
                "sextant_score_drift",
                "Stability index of scores against the reference: dev rows, or the first scores",
            ),
            ("sextant_score_drift_alarm", "1 if that index is above 0.25"),
        ] {
            recorder.describe_gauge(name.into(), None, text.into());
        }
    }

    fn key(name: &'static str, labels: Vec<Label>) -> Key {
        Key::from_parts(name, labels)
    }

    fn counter(&self, name: &'static str, labels: Vec<Label>) -> Counter {
        self.recorder.register_counter(&Self::key(name, labels), &METADATA)
    }

    fn histogram(&self, name: &'static str, labels: Vec<Label>) -> Histogram {
        self.recorder.register_histogram(&Self::key(name, labels), &METADATA)
    }

    fn gauge(&self, name: &'static str, labels: Vec<Label>) -> Gauge {
        self.recorder.register_gauge(&Self::key(name, labels), &METADATA)
    }

    /// A request was answered. `dialect` names the API, or `other` for pages.
    pub(crate) fn request(&self, dialect: &'static str, status: u16, took: Duration) {
        let labels = vec![label("dialect", dialect), label("status", status.to_string())];
        self.counter("sextant_requests_total", labels).increment(1);
        self.histogram("sextant_request_seconds", vec![label("dialect", dialect)]).record(took);
    }

    /// A request has so many pairs.
    pub(crate) fn request_pairs(&self, pairs: usize) {
        self.histogram("sextant_request_pairs", Vec::new()).record(pairs as f64);
    }

    /// A request was refused because the queue was full.
    pub(crate) fn refused(&self) {
        self.counter("sextant_refused_total", Vec::new()).increment(1);
    }

    /// A request was given up before all its pairs were answered.
    pub(crate) fn cancelled(&self) {
        self.counter("sextant_cancelled_total", Vec::new()).increment(1);
    }

    /// A pair was looked up in the cache.
    pub(crate) fn looked_up(&self, hit: bool) {
        let name = if hit { "sextant_cache_hits_total" } else { "sextant_cache_misses_total" };
        self.counter(name, Vec::new()).increment(1);
    }

    /// A pack was run.
    pub(crate) fn pack(&self, tokens: usize, budget: usize, took: Duration) {
        self.counter("sextant_tokens_total", Vec::new()).increment(tokens as u64);
        self.histogram("sextant_pack_seconds", Vec::new()).record(took);
        let fill = tokens as f64 / budget.max(1) as f64;
        self.histogram("sextant_pack_fill_ratio", Vec::new()).record(fill);
    }

    /// A pair was answered.
    pub(crate) fn row(&self, model: &str, task: Task, answer: &Prediction, cut: bool) {
        let labels = || vec![label("model", model.to_owned()), label("task", task.as_str())];
        self.counter("sextant_rows_total", labels()).increment(1);
        if cut {
            self.counter("sextant_cut_rows_total", labels()).increment(1);
        }
        self.histogram("sextant_score", labels()).record(answer.score());
    }

    /// A tokenized pair waited for its pack.
    pub(crate) fn waited(&self, time: Duration) {
        self.histogram("sextant_queue_seconds", Vec::new()).record(time);
    }

    /// How far the scores of a model's task are from the reference, and whether that is a large change.
    pub(crate) fn drifted(&self, model: &str, drifted: &Drifted) {
        let Drifted { task, index, alarm, reference } = drifted;
        let labels = || {
            vec![
                label("model", model.to_owned()),
                label("task", task.as_str()),
                label("reference", reference.as_str()),
            ]
        };
        self.gauge("sextant_score_drift", labels()).set(*index);
        self.gauge("sextant_score_drift_alarm", labels()).set(f64::from(u8::from(*alarm)));
    }

    /// A model was replaced by what its folder holds, or could not be.
    pub(crate) fn reloaded(&self, model: &str, replaced: bool) {
        let name = if replaced {
            "sextant_model_reloads_total"
        } else {
            "sextant_model_reload_failures_total"
        };
        self.counter(name, vec![label("model", model.to_owned())]).increment(1);
    }

    /// The holder of a key asked for pairs, and was let in or not.
    pub(crate) fn key_asked(&self, name: &str, pairs: usize, admitted: bool) {
        let labels = vec![label("key", name.to_owned())];
        if admitted {
            self.counter("sextant_key_pairs_total", labels).increment(pairs as u64);
        } else {
            self.counter("sextant_key_refused_total", labels).increment(1);
        }
    }

    /// The shadow model answered a pair: whether its grade is another one, and how far its score is apart.
    pub(crate) fn shadow(&self, task: Task, disagrees: bool, apart: f64) {
        let labels = || vec![label("task", task.as_str())];
        self.counter("sextant_shadow_rows_total", labels()).increment(1);
        self.counter("sextant_shadow_disagreements_total", labels()).increment(disagrees.into());
        self.histogram("sextant_shadow_apart_ratio", labels()).record(apart);
    }

    /// The shadow model was too slow for so many pairs.
    pub(crate) fn shadow_left_out(&self, pairs: usize) {
        self.counter("sextant_shadow_left_out_total", Vec::new()).increment(pairs as u64);
    }

    /// Tokens that wait or are computed now.
    pub(crate) fn queued(&self, tokens: usize) {
        self.gauge("sextant_queued_tokens", Vec::new()).set(tokens as f64);
    }

    /// Moves what histograms collected into their buckets. Without it, they would keep every single value until
    /// somebody asks for the metrics.
    pub(crate) fn tidy(&self) {
        self.handle.run_upkeep();
    }

    /// All metrics as Prometheus reads them.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }
}

static METADATA: Metadata<'static> = Metadata::new("sextant_serve", Level::INFO, None);

fn label(name: &'static str, value: impl Into<SharedString>) -> Label {
    Label::new(name, value)
}

//! Traces for OpenTelemetry: the spans of a request, sent in batches as OTLP over HTTP in its JSON form.
//!
//! The form is that of the OTLP specification 1.x: identifiers in hexadecimal digits, times as decimal texts in
//! nanoseconds. A caller's span (`traceparent`, W3C Trace Context) becomes the parent.

use serde_json::{Value, json};
use std::hash::{BuildHasher, RandomState};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Requests whose spans wait to be sent. Beyond, they are dropped: traces must never slow down answers.
const WAITING: usize = 4096;
/// Requests that are sent together, and how long the first of them waits for others.
const BATCH: usize = 512;
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a collector may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A request that is to be traced.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    /// The identifiers of the trace, of the request's span in it, and of its caller's.
    id: String,
    span: String,
    parent: Option<String>,
}

/// A part of a request.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) begun: Instant,
    pub(crate) took: Duration,
}

/// A request that was answered.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) trace: Trace,
    /// The method and the route.
    pub(crate) name: String,
    pub(crate) whole: Part,
    pub(crate) parts: Vec<Part>,
    pub(crate) status: u16,
    pub(crate) attributes: Vec<(&'static str, Value)>,
}

impl Trace {
    /// The trace of a request with this `traceparent`, or a new one. `None` if the caller does not want it sampled.
    pub(crate) fn begin(traceparent: Option<&str>) -> Option<Self> {
        let span = format!("{:016x}", random());
        match traceparent.and_then(parent) {
            Some((_, _, false)) => None,
            Some((trace, parent, true)) => Some(Self { id: trace, span, parent: Some(parent) }),
            None => {
                let id = format!("{:016x}{:016x}", random(), random());
                Some(Self { id, span, parent: None })
            }
        }
    }
}

/// The trace, the span, and whether it is sampled, of `00-TRACE-SPAN-FLAGS`. `None` if it is something else, which is
/// to be taken as absent.
fn parent(text: &str) -> Option<(String, String, bool)> {
    let mut parts = text.trim().split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str, count| {
        text.len() == count
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let whole = digits(version, 2)
        && version != "ff"
        && (version != "00" || parts.next().is_none())
        && digits(trace, 32)
        && digits(span, 16)
        && digits(flags, 2)
        && trace.bytes().any(|b| b != b'0')
        && span.bytes().any(|b| b != b'0');
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    whole.then(|| (trace.to_owned(), span.to_owned(), sampled))
}

/// A number that nobody can guess and that does not come again, as far as chance goes.
fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Sends traces to a collector, from a thread of its own. What waits is sent when this is dropped.
pub(crate) struct Traces {
    sender: Mutex<Option<SyncSender<Traced>>>,
    thread: Option<JoinHandle<()>>,
}

impl Traces {
    /// Starts the thread. `endpoint` is the collector's address without a path.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub(crate) fn start(endpoint: &str) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let address = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let thread = std::thread::Builder::new().name("sextant-traces".to_owned());
        let thread = thread.spawn(move || run(&address, &receiver))?;
        Ok(Self { sender: Mutex::new(Some(sender)), thread: Some(thread) })
    }

    /// Has a request sent, some time.
    pub(crate) fn send(&self, traced: Traced) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.as_ref() {
            // A collector that is too slow or away loses traces; the log says so where they are sent.
            let _ = sender.try_send(traced);
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(address: &str, receiver: &Receiver<Traced>) {
    let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build();
    let agent = ureq::Agent::new_with_config(config);
    let mut warned: Option<Instant> = None;
    while let Ok(first) = receiver.recv() {
        let (begun, mut batch, mut over) = (Instant::now(), vec![first], false);
        while batch.len() < BATCH && !over {
            match receiver.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
                Ok(next) => batch.push(next),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => over = true,
            }
        }
        let body = export(&batch).to_string();
        let sent =
            agent.post(address).header("content-type", "application/json").send(body.as_bytes());
        if let Err(error) = sent
            && warned.is_none_or(|at| at.elapsed() > Duration::from_mins(1))
        {
            warned = Some(Instant::now());
            tracing::warn!("{} traces were not taken by {address}: {error}", batch.len());
        }
    }
}

/// Requests as an `ExportTraceServiceRequest`.
fn export(batch: &[Traced]) -> Value {
    // The clock that counts on and the one of the calendar, at the same moment.
    let (now, date) = (Instant::now(), SystemTime::now());
    let nanoseconds = |at: Instant| {
        let at = date.checked_sub(now.saturating_duration_since(at)).unwrap_or(date);
        at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
    };
    let spans: Vec<_> = batch.iter().flat_map(|traced| spans(traced, nanoseconds)).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            attribute("service.name", &json!("sextant")),
            attribute("service.version", &json!(env!("CARGO_PKG_VERSION"))),
        ]},
        "scopeSpans": [{"scope": {"name": "sextant-serve"}, "spans": spans}],
    }]})
}

/// The span of a request and those of its parts.
fn spans(traced: &Traced, nanoseconds: impl Fn(Instant) -> u128) -> Vec<Value> {
    /// The kinds of spans: within a process, and at the server's end of a request.
    const INTERNAL: u8 = 1;
    const SERVER: u8 = 2;
    let Traced { trace: Trace { id: trace, span, parent }, name, whole, parts, .. } = traced;
    let times = |part: &Part| {
        let begun = nanoseconds(part.begun);
        [begun, begun + part.took.as_nanos()].map(|time| time.to_string())
    };
    let [begun, ended] = times(whole);
    let attributes: Vec<_> =
        traced.attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    // A request that is refused for its own fault is no error of the server.
    let code = if traced.status >= 500 { 2 } else { 0 };
    let mut all = vec![json!({
        "traceId": trace, "spanId": span, "parentSpanId": parent.as_deref().unwrap_or_default(),
        "name": name, "kind": SERVER, "startTimeUnixNano": begun, "endTimeUnixNano": ended,
        "attributes": attributes, "status": {"code": code},
    })];
    all.extend(parts.iter().map(|part| {
        let [begun, ended] = times(part);
        json!({
            "traceId": trace, "spanId": format!("{:016x}", random()), "parentSpanId": span,
            "name": part.name, "kind": INTERNAL, "startTimeUnixNano": begun, "endTimeUnixNano": ended,
        })
    }));
    all
}

fn attribute(key: &str, value: &Value) -> Value {
    let value = match value {
        Value::Number(number) => json!({"intValue": number.to_string()}),
        other => json!({"stringValue": other}),
    };
    json!({"key": key, "value": value})
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_caller_s_span_is_the_parent_and_its_wish_is_heeded() {
        let begun = Trace::begin(Some(&format!("00-{TRACE}-{SPAN}-01"))).unwrap();
        assert_eq!((begun.id.as_str(), begun.parent.as_deref()), (TRACE, Some(SPAN)));
        assert!(Trace::begin(Some(&format!("00-{TRACE}-{SPAN}-00"))).is_none());
        // A later version may have more behind it.
        let later = Trace::begin(Some(&format!("01-{TRACE}-{SPAN}-01-more"))).unwrap();
        assert_eq!(later.id, TRACE);
        let zeros = "0".repeat(32);
        for bad in [
            "",
            "00",
            "nonsense",
            &format!("ff-{TRACE}-{SPAN}-01"),
            &format!("00-{zeros}-{SPAN}-01"),
            &format!("00-{TRACE}-{SPAN}-01-more"),
            &format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        ] {
            let new = Trace::begin(Some(bad)).unwrap();
            assert!(new.parent.is_none() && new.id != TRACE && new.id.len() == 32, "{bad}");
        }
        assert_ne!(Trace::begin(None).unwrap().id, Trace::begin(None).unwrap().id);
    }
}

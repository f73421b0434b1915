//! The connection to an endpoint: keys, attempts, and what is worth another attempt.

use crate::{JudgeError, Pace};
use serde_json::Value;
use std::time::Duration;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};

/// The most bytes of an answer that are read.
const MOST_BYTES: u64 = 16 << 20;
/// The most characters of a refusal that an error repeats.
const SHOWN: usize = 400;
/// The longest wait that a server is granted by its `Retry-After`.
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// How often, and after which time, a request that failed is sent again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retries {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// The wait after the first attempt; it doubles each time. A server that states a longer one is obeyed.
    pub wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 6, wait: Duration::from_millis(500) }
    }
}

/// A pause before a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wait<'a> {
    /// Why the last attempt gave no answer.
    pub problem: &'a str,
    /// How long the server asked to wait, if it did.
    pub stated: Option<Duration>,
    /// How long the pause is. It may be shorter than what the server asked for.
    pub pause: Duration,
}

/// Who hears of pauses. Several threads may tell it at once.
type OnWait = Box<dyn Fn(Wait<'_>) + Send + Sync>;

/// A client of an OpenAI-compatible endpoint.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    key: Option<String>,
    retries: Retries,
    on_wait: Option<OnWait>,
}

/// Does not show the key, because it is secret.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { base, key, retries, .. } = self;
        let mut about = f.debug_struct("Client");
        about.field("base", base).field("key", &key.is_some()).field("retries", retries);
        about.finish_non_exhaustive()
    }
}

/// How one attempt ended without an answer.
enum Fault {
    /// Another attempt may succeed; the server may have stated when.
    Passing(String, Option<Duration>),
    /// Another attempt would end alike.
    Final(JudgeError),
}

impl Client {
    /// A client of the endpoint at `base`, such as `http://127.0.0.1:8080/v1`. `key` is sent as a bearer token.
    /// A connection that is silent for `idle` counts as broken.
    pub fn new(base: &str, key: Option<String>, idle: Duration, retries: Retries) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(idle.min(Duration::from_secs(20))))
            .timeout_recv_response(Some(idle))
            .timeout_per_read(Some(idle))
            .http_status_as_error(false)
            // A redirect would carry the key to another host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build()
            .into();
        Self {
            agent,
            base: base.trim().trim_end_matches('/').to_owned(),
            key,
            retries,
            on_wait: None,
        }
    }

    /// Tells `hear` of every pause before a request is sent again, at the pause's begin.
    #[must_use]
    pub fn on_wait(self, hear: impl Fn(Wait<'_>) + Send + Sync + 'static) -> Self {
        Self { on_wait: Some(Box::new(hear)), ..self }
    }

    /// The address of the endpoint.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request, again if need be, and returns the answer. Every attempt waits for its turn by `pace`.
    ///
    /// # Errors
    /// [`JudgeError::Refused`] if the server refuses the request, [`JudgeError::Unreachable`] if it fails at
    /// every attempt, and [`JudgeError::Stopped`] if `pace` was stopped meanwhile.
    pub fn post(&self, path: &str, body: &Value, pace: &Pace) -> Result<Value, JudgeError> {
        let url = format!("{}/{path}", self.base);
        let attempts = self.retries.attempts.max(1);
        let mut wait = self.retries.wait;
        let mut problem = String::new();
        for attempt in 1..=attempts {
            if !pace.request() {
                return Err(JudgeError::Stopped);
            }
            match self.attempt(&url, body) {
                Ok(answer) => return Ok(answer),
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::Passing(what, stated)) => {
                    problem = what;
                    let pause = stated.unwrap_or(wait).max(wait).min(LONGEST_WAIT);
                    if attempt < attempts {
                        if let Some(hear) = &self.on_wait {
                            hear(Wait { problem: &problem, stated, pause });
                        }
                        if !pace.pause(pause) {
                            return Err(JudgeError::Stopped);
                        }
                    }
                    wait *= 2;
                }
            }
        }
        Err(JudgeError::Unreachable { url, problem, attempts })
    }

    fn attempt(&self, url: &str, body: &Value) -> Result<Value, Fault> {
        let mut request = self.agent.post(url).header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let passing = |error: ureq::Error| Fault::Passing(error.to_string(), None);
        let sent = request.send(body.to_string());
        let mut response = sent.map_err(|error| match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => {
                Fault::Final(JudgeError::Refused {
                    url: url.to_owned(),
                    status: 0,
                    body: error.to_string(),
                    hint: "; an endpoint looks like http://127.0.0.1:8080/v1",
                })
            }
            other => passing(other),
        })?;
        let status = response.status().as_u16();
        let stated = retry_after(response.headers());
        let text = response.body_mut().with_config().limit(MOST_BYTES).read_to_string();
        let text = text.map_err(passing)?;
        match status {
            200..=299 => serde_json::from_str(&text).map_err(|error| {
                Fault::Passing(
                    format!("the answer is not JSON ({error}): {}", self.shown(&text)),
                    None,
                )
            }),
            408 | 409 | 425 | 429 | 500 | 502..=504 | 529 => {
                Err(Fault::Passing(format!("status {status}: {}", self.shown(&text)), stated))
            }
            _ => Err(Fault::Final(JudgeError::Refused {
                url: url.to_owned(),
                status,
                body: self.shown(&text),
                hint: match status {
                    401 | 403 => {
                        "; the key is read from the environment variable that `--key-env` names"
                    }
                    404 => {
                        "; does the endpoint end where the API begins, such as in /v1, and does it know the model?"
                    }
                    300..=399 => {
                        "; it sends elsewhere, where the key is not taken: name that address as the endpoint"
                    }
                    _ => "",
                },
            })),
        }
    }

    /// The beginning of what a server said, without the key, which some repeat.
    fn shown(&self, text: &str) -> String {
        let text = text.trim();
        let text = match &self.key {
            Some(key) if !key.is_empty() => text.replace(key.as_str(), "[the key]"),
            _ => text.to_owned(),
        };
        let shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() { format!("{shown}…") } else { shown }
    }
}

/// The seconds that a server asks to wait.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

//! Who asks a hub.

use std::time::Duration;

/// The Hugging Face hub itself.
const HUB: &str = "https://huggingface.co";

/// A connection's settings: which hub, with which token, and how patient.
pub struct Client {
    pub(crate) agent: ureq::Agent,
    endpoint: String,
    pub(crate) token: Option<String>,
    pub(crate) idle: Duration,
}

impl Client {
    /// One that asks the hub at `endpoint` and gives up on a connection which brings nothing for `idle`. The
    /// token is sent to the host that is asked, and to no other that its answer points to.
    pub fn new(endpoint: &str, token: Option<String>, idle: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(idle.min(Duration::from_secs(20))))
            .timeout_recv_response(Some(idle))
            .timeout_per_read(Some(idle))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build()
            .into();
        let endpoint = endpoint.trim().trim_end_matches('/').to_owned();
        Self { agent, endpoint, token, idle }
    }

    /// The same, with hub and token as the environment has them for the hub's own clients: `HF_ENDPOINT`, a
    /// mirror, and `HF_TOKEN`. Empty ones count as absent.
    pub fn from_environment(idle: Duration) -> Self {
        let variable = |name: &str| {
            let value = std::env::var(name).unwrap_or_default().trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let endpoint = variable("HF_ENDPOINT");
        Self::new(endpoint.as_deref().unwrap_or(HUB), variable("HF_TOKEN"), idle)
    }

    /// Where something of the hub is.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }
}

/// Without the token, which is nobody's business.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { endpoint, token, idle, .. } = self;
        let mut about = f.debug_struct("Client");
        about.field("endpoint", endpoint).field("token", &token.is_some()).field("idle", idle);
        about.finish_non_exhaustive()
    }
}

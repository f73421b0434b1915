//! The client of a hub.

use std::time::Duration;

/// The Hugging Face hub itself.
const HUB: &str = "https://huggingface.co";

/// The settings of connections to a hub: the hub's address, the token, and how long a connection may be silent.
pub struct Client {
    pub(crate) agent: ureq::Agent,
    endpoint: String,
    pub(crate) token: Option<String>,
    pub(crate) idle: Duration,
}

impl Client {
    /// A client of the hub at `endpoint`, which gives up on a connection that is silent for `idle`. The token
    /// is sent only to the hub's own host, and not to hosts that it redirects to.
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

    /// A client with the hub and the token of the environment variables that the hub's own clients read:
    /// `HF_ENDPOINT`, the address of a mirror, and `HF_TOKEN`. An empty variable counts as absent.
    pub fn from_environment(idle: Duration) -> Self {
        let variable = |name: &str| {
            let value = std::env::var(name).unwrap_or_default().trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let endpoint = variable("HF_ENDPOINT");
        Self::new(endpoint.as_deref().unwrap_or(HUB), variable("HF_TOKEN"), idle)
    }

    /// The address of a path on the hub.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }
}

/// Does not show the token, because it is secret.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { endpoint, token, idle, .. } = self;
        let mut about = f.debug_struct("Client");
        about.field("endpoint", endpoint).field("token", &token.is_some()).field("idle", idle);
        about.finish_non_exhaustive()
    }
}

//! How a judge is asked, as arguments.

use crate::say::complain;
use anyhow::{Context, ensure};
use clap::Args;
use sextant_judge::{
    Budget, Client, Method, Pace, Prices, Prompt, Retries, Settings, ShotChoice, Wait,
};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The shortest pause that people are told of: shorter ones end before they are wondered at.
const LONG_PAUSE: Duration = Duration::from_secs(5);

/// Whom to ask, how, and for how much.
#[derive(Debug, Clone, Args)]
pub(crate) struct Asking {
    /// The endpoint, where its API begins: http://127.0.0.1:8080/v1
    #[arg(long, required = true)]
    endpoint: Option<String>,
    /// The model, as the endpoint calls it
    #[arg(long, required = true)]
    model: Option<String>,
    /// The environment variable with the key; no key is sent if it is not set
    #[arg(long, default_value = "OPENAI_API_KEY")]
    key_env: String,
    /// What is asked: three-point, umbrela, or a TOML file
    #[arg(long, default_value = "three-point")]
    pub(crate) prompt: String,
    /// How probabilities are had: decisions, system_one, constrained, logprobs or votes; unless stated, the
    /// first of these that the endpoint offers
    #[arg(long)]
    method: Option<Method>,
    /// Texts that are sampled for each pair by `--method votes`
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    votes: u16,
    /// Decides what is sampled, where the endpoint heeds it, and which examples are tried
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Requests that are under way at once
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Attempts to have an answer while the endpoint is busy, broken or cannot be reached
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: u32,
    /// Seconds without a byte after which an attempt has failed
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    idle_timeout: u64,
    /// The most requests in a minute
    #[arg(long)]
    requests_per_minute: Option<f64>,
    /// The most tokens in a minute
    #[arg(long)]
    tokens_per_minute: Option<f64>,
    /// The most tokens that the judge's folder may take, with those of earlier runs
    #[arg(long)]
    budget_tokens: Option<u64>,
    /// The most that it may cost, by the prices
    #[arg(long)]
    budget: Option<f64>,
    /// The price of a million tokens that are sent
    #[arg(long)]
    input_price: Option<f64>,
    /// The price of a million tokens that are answered
    #[arg(long)]
    output_price: Option<f64>,
}

/// Worked examples in the prompt.
#[derive(Debug, Clone, Args)]
pub(crate) struct Shots {
    /// A labelled data set: examples are drawn from its training rows and chosen by agreement on its dev rows
    #[arg(long)]
    pub(crate) examples_from: Option<PathBuf>,
    /// Examples of each task
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=50))]
    examples: u16,
    /// Sets of examples that are tried, besides none
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    example_sets: u16,
    /// Dev rows on which each set is tried
    #[arg(long, default_value_t = 60)]
    pub(crate) example_rows: usize,
}

impl Asking {
    /// The endpoint. The grammar asks for it unless there is a subcommand.
    pub(crate) fn endpoint(&self) -> anyhow::Result<&str> {
        self.endpoint.as_deref().context("name the endpoint with `--endpoint`")
    }

    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let endpoint = self.endpoint()?;
        let key = match std::env::var(&self.key_env) {
            Ok(key) => Some(key.trim().to_owned()).filter(|key| !key.is_empty()),
            Err(std::env::VarError::NotPresent) => None,
            Err(error) => {
                return Err(error).with_context(|| format!("the variable {}", self.key_env));
            }
        };
        ensure!(
            key.as_ref().is_none_or(|key| key.bytes().all(|byte| byte.is_ascii_graphic())),
            "the variable {}: the key has white space or other characters that no key has; is there more than the key in it?",
            self.key_env
        );
        let web = ["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme));
        ensure!(
            web,
            "--endpoint {endpoint}: an address begins with http:// or https://, such as http://127.0.0.1:8080/v1"
        );
        let retries = Retries { attempts: self.attempts, ..Retries::default() };
        let idle = Duration::from_secs(self.idle_timeout);
        // When the last pause that was told will end.
        let told = Mutex::new(None);
        Ok(Client::new(endpoint, key, idle, retries).on_wait(move |wait| tell(&told, wait)))
    }

    pub(crate) fn pace(&self) -> anyhow::Result<Pace> {
        for (name, limit) in [
            ("requests-per-minute", self.requests_per_minute),
            ("tokens-per-minute", self.tokens_per_minute),
        ] {
            let usable = limit.is_none_or(|limit| limit.is_finite() && limit > 0.0);
            ensure!(usable, "--{name} must be positive");
        }
        Ok(Pace::new(self.requests_per_minute, self.tokens_per_minute))
    }

    pub(crate) fn prices(&self) -> Prices {
        Prices { input: self.input_price.unwrap_or(0.0), output: self.output_price.unwrap_or(0.0) }
    }

    pub(crate) fn settings(&self, prompt: Prompt) -> anyhow::Result<Settings> {
        let prices = self.prices();
        for price in [prices.input, prices.output, self.budget.unwrap_or(0.0)] {
            ensure!(price.is_finite() && price >= 0.0, "prices and budgets are 0 or more");
        }
        let priced = self.input_price.is_some() && self.output_price.is_some();
        ensure!(
            self.budget.is_none() || (priced && prices.input + prices.output > 0.0),
            "--budget needs the prices of tokens: --input-price and --output-price; `--budget-tokens` needs none"
        );
        Ok(Settings {
            model: self.model.clone().context("name the model with `--model`")?,
            prompt,
            shots: Vec::new(),
            method: self.method,
            votes: usize::from(self.votes),
            seed: self.seed,
            concurrency: usize::from(self.concurrency),
            budget: Budget { tokens: self.budget_tokens, cost: self.budget, prices },
        })
    }
}

impl Shots {
    /// Which sets of examples to try; `None` for a prompt without examples.
    pub(crate) fn choice(&self, seed: u64) -> anyhow::Result<Option<ShotChoice>> {
        ensure!(self.example_rows > 0, "--example-rows must be 1 or more");
        let (shots, sets) = (usize::from(self.examples), usize::from(self.example_sets));
        Ok(self.examples_from.is_some().then_some(ShotChoice { shots, sets, seed }))
    }
}

/// Says that a request waits, if the pause is long and no other request has said so for the same time.
fn tell(told: &Mutex<Option<Instant>>, wait: Wait<'_>) {
    let Wait { problem, stated, pause } = wait;
    if pause < LONG_PAUSE {
        return;
    }
    let now = Instant::now();
    {
        // An instant is whole also after a thread has panicked.
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|until| now < until) {
            return;
        }
        *told = Some(now + pause);
    }
    let stated = stated.map_or_else(String::new, |stated| {
        format!(", where the server asks for {:.0} s", stated.as_secs_f64())
    });
    complain(&format!(
        "the endpoint gave no answer ({problem}): asked again after {:.0} s{stated}; every answer so far is kept, also if you stop here",
        pause.as_secs_f64()
    ));
}

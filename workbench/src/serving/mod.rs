//! `bench serve`: the server under load, beside other servers where that says something.
//!
//! All cases send the same traffic: queries with 10, 50 or 200 titles of a data set. Wherever an answer is looked
//! at, it is compared with the one that the same server gave when nothing else was asked of it, number for number.

mod child;
mod equal;
mod form;
mod kill;
mod latency;
mod load;
mod overload;
mod peers;
mod reload;
mod report;
mod saturation;
mod site;
mod soak;
mod traffic;

use clap::Subcommand;

/// `bench serve`
#[derive(Debug, Subcommand)]
pub(crate) enum ServeBench {
    /// Rows a second that each server answers when 16 connections ask again as soon as they are answered
    Saturation(saturation::Saturation),
    /// Latency when requests come at times of their own, whether or not earlier ones are answered
    Latency(latency::Latency),
    /// Ten times the load that can be answered: what is accepted is right, the rest is refused, memory is flat
    Overload(overload::Overload),
    /// A long time at a share of the load that can be answered: memory, latency, and no wrong answer
    Soak(soak::Soak),
    /// The server is killed and started again under load: no wrong answer
    Kill(kill::Kill),
    /// The model is replaced again and again under load: no error, and no answer of neither model
    Reload(reload::Reload),
    /// The server's answers to a file have the bits of `sextant score`
    Equal(equal::Equal),
}

impl ServeBench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        println!("{}", crate::bench::cpu());
        match self {
            Self::Saturation(case) => case.run(),
            Self::Latency(case) => case.run(),
            Self::Overload(case) => case.run(),
            Self::Soak(case) => case.run(),
            Self::Kill(case) => case.run(),
            Self::Reload(case) => case.run(),
            Self::Equal(case) => case.run(),
        }
    }
}

/// Runs a future and the tasks that it starts on this thread: the machine is the servers'.
fn block_on<F: Future>(future: F) -> std::io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(tokio::task::LocalSet::new().run_until(future)))
}

//! The bits of the server and those of the command line.

use super::site::Site;
use anyhow::{Context, ensure};
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Lines, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// `bench serve equal`
#[derive(Debug, Args)]
pub(crate) struct Equal {
    #[command(flatten)]
    site: Site,
    /// How many rows: those of the data, again and again with a number behind the right text until there are so many
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
}

/// Rows of a stream.
const BLOCK: usize = 1000;
/// Streams at a time, so that packs have rows of several.
const STREAMS: usize = 4;

/// A row of the data set.
#[derive(Deserialize, Serialize)]
struct Row {
    task: String,
    left: Value,
    right: Value,
}

/// A row as `sextant score` writes it.
#[derive(Deserialize)]
struct Scored {
    #[serde(flatten)]
    row: Row,
    predicted_grade: u8,
    score: f32,
    probs: [f32; 3],
}

/// An outcome of the server.
#[derive(Deserialize)]
struct Outcome {
    grade: u8,
    score: f32,
    probabilities: Probabilities,
}

#[derive(Deserialize)]
struct Probabilities {
    irrelevant: f32,
    partial: f32,
    relevant: f32,
}

impl Outcome {
    fn is(&self, scored: &Scored) -> bool {
        let Probabilities { irrelevant, partial, relevant } = self.probabilities;
        let bits = |probs: [f32; 3]| probs.map(f32::to_bits);
        self.grade == scored.predicted_grade
            && self.score.to_bits() == scored.score.to_bits()
            && bits([irrelevant, partial, relevant]) == bits(scored.probs)
    }
}

impl Equal {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let place = tempfile::tempdir()?;
        let (pairs, scored) = (place.path().join("pairs.jsonl"), place.path().join("scored.jsonl"));
        self.write(&pairs)?;
        let status = Command::new(self.site.program()?)
            .arg("score")
            .args([&self.site.bundle, &pairs, &scored])
            .args(["--precision", &self.site.precision])
            .stdout(Stdio::null())
            .status()
            .context("cannot run `sextant score`")?;
        ensure!(status.success(), "`sextant score` failed; what it said is above");
        let server = self.site.start_here()?;
        let lines = Rc::new(RefCell::new(BufReader::new(File::open(&scored)?).lines()));
        let compared = super::block_on(async {
            let mut streams = JoinSet::new();
            for _ in 0..STREAMS {
                streams.spawn_local(compare(server.address, Rc::clone(&lines)));
            }
            let mut rows = 0;
            while let Some(stream) = streams.join_next().await {
                rows += stream??;
            }
            anyhow::Ok(rows)
        })??;
        ensure!(compared == self.rows, "{compared} rows were compared in place of {}", self.rows);
        println!("{compared} rows: the server's answers have the bits of `sextant score`");
        Ok(())
    }

    /// Writes so many rows.
    fn write(&self, path: &Path) -> anyhow::Result<()> {
        let data = &self.site.data;
        let file = File::open(data).with_context(|| format!("cannot read {}", data.display()))?;
        let rows =
            BufReader::new(file).lines().map(|line| anyhow::Ok(serde_json::from_str(&line?)?));
        let rows: Vec<Row> = rows.collect::<anyhow::Result<_>>()?;
        ensure!(!rows.is_empty(), "{} has no rows", data.display());
        let mut out = BufWriter::new(File::create(path)?);
        for (number, row) in rows.iter().cycle().take(self.rows).enumerate() {
            let mut row =
                Row { task: row.task.clone(), left: row.left.clone(), right: row.right.clone() };
            let repeat = number / rows.len();
            if let (Value::String(text), 1..) = (&mut row.right, repeat) {
                *text = format!("{text} {repeat}");
            }
            serde_json::to_writer(&mut out, &row)?;
            out.write_all(b"\n")?;
        }
        Ok(out.flush()?)
    }
}

/// Takes block after block of what was scored, asks the server for the same, and returns the number of rows.
async fn compare(
    address: std::net::SocketAddr,
    lines: Rc<RefCell<Lines<BufReader<File>>>>,
) -> anyhow::Result<usize> {
    let (mut connection, driver) =
        handshake(TokioIo::new(TcpStream::connect(address).await?)).await?;
    tokio::task::spawn_local(driver);
    let mut compared = 0;
    loop {
        let block = lines.borrow_mut().by_ref().take(BLOCK).collect::<Result<Vec<_>, _>>()?;
        if block.is_empty() {
            return Ok(compared);
        }
        let block = block.iter().map(|line| serde_json::from_str(line));
        let block: Vec<Scored> = block.collect::<Result<_, _>>()?;
        let mut body = Vec::new();
        for scored in &block {
            serde_json::to_writer(&mut body, &scored.row)?;
            body.push(b'\n');
        }
        let request = Request::post("/v1/relevance")
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .body(Full::new(Bytes::from(body)))?;
        let response = connection.send_request(request).await?;
        ensure!(response.status() == StatusCode::OK, "a stream was refused: {}", response.status());
        let answer = response.into_body().collect().await?.to_bytes();
        let outcomes: Vec<_> =
            answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        ensure!(
            outcomes.len() == block.len(),
            "{} answers to {} rows",
            outcomes.len(),
            block.len()
        );
        for (scored, outcome) in block.iter().zip(outcomes) {
            let text = String::from_utf8_lossy(outcome);
            let outcome: Outcome = serde_json::from_slice(outcome).with_context(|| {
                format!("the server has no answer to a row that was scored: {text}")
            })?;
            ensure!(
                outcome.is(scored),
                "a row has other bits: {text} in place of {:?}",
                (scored.predicted_grade, scored.score, scored.probs)
            );
        }
        compared += block.len();
    }
}

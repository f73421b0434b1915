//! `sextant get` from a server that stalls, breaks off, or sends other content than it was asked for.

use assert_cmd::Command;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

const REVISION: &str = "86b5e0934494bd15c9632b12f734a8a67f723594";

/// The server's answer to one request.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    /// Everything that was asked for.
    Whole,
    /// A few bytes, and then nothing more on an open connection.
    Stall,
    /// A few bytes, and then the end of the connection.
    BreakOff,
    /// The whole file, whatever part was asked for.
    IgnoreRange,
    /// Another commit than the one asked for.
    OtherCommit,
    /// A hash that is not the file's.
    OtherHash,
    /// An HTTP status.
    Status(&'static str),
}

/// A request as the server saw it: the file's name, the offset at which it should start, and its token.
type Seen = (String, u64, Option<String>);

/// Serves the files of a backbone. Requests for weights get the given answers in order; all others get
/// the whole file.
struct Server {
    address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

fn body(name: &str) -> Vec<u8> {
    match name {
        "model.safetensors" => (0..20_000_u32).flat_map(u32::to_le_bytes).collect(),
        other => format!("{{\"name\": \"{other}\"}}").into_bytes(),
    }
}

fn serve(answers: &[Answer]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let answers = answers.to_vec();
    let requests = Arc::clone(&seen);
    std::thread::spawn(move || {
        let mut answers = answers.into_iter();
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let (name, start, token) = request(&stream);
            let answer = if name.ends_with("safetensors") { answers.next() } else { None };
            requests.lock().unwrap().push((name.clone(), start, token));
            // A connection that stalls must not keep others waiting.
            std::thread::spawn(move || {
                drop(respond(stream, &name, start, answer.unwrap_or(Answer::Whole)));
            });
        }
    });
    Server { address, seen }
}

fn request(stream: &TcpStream) -> Seen {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default();
    assert!(
        path.contains(&format!("/google-bert/bert-base-uncased/resolve/{REVISION}/")),
        "{path}"
    );
    let (mut start, mut token) = (0, None);
    for line in lines.take_while(|line| !line.is_empty()) {
        let (key, value) = line.split_once(": ").unwrap();
        match key.to_lowercase().as_str() {
            "range" => {
                start = value.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
            }
            "authorization" => token = Some(value.to_owned()),
            _ => {}
        }
    }
    (path.rsplit('/').next().unwrap().to_owned(), start, token)
}

fn respond(mut stream: TcpStream, name: &str, start: u64, answer: Answer) -> std::io::Result<()> {
    let whole = body(name);
    let total = whole.len();
    let start = if answer == Answer::IgnoreRange { 0 } else { start as usize };
    if let Answer::Status(status) = answer {
        return write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    let head = match start {
        0 => "HTTP/1.1 200 OK\r\n".to_owned(),
        _ => format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{total}\r\n",
            total - 1
        ),
    };
    let commit = if answer == Answer::OtherCommit { "0123" } else { REVISION };
    let hash = if answer == Answer::OtherHash { "0".repeat(64) } else { String::new() };
    write!(
        stream,
        "{head}X-Repo-Commit: {commit}\r\nContent-Length: {}\r\nX-Linked-Etag: \"{hash}\"\r\nConnection: close\r\n\r\n",
        total - start
    )?;
    match answer {
        Answer::Stall => {
            stream.write_all(&whole[start..start + 10_000])?;
            stream.flush()?;
            std::thread::sleep(std::time::Duration::from_secs(30));
        }
        Answer::BreakOff => stream.write_all(&whole[start..start + 10_000])?,
        _ => stream.write_all(&whole[start..])?,
    }
    stream.flush()
}

/// `sextant get bert-base` from the server; what it printed on standard error, and whether it succeeded.
fn get(server: &Server, home: &Path, token: &str) -> (bool, String) {
    let output = Command::cargo_bin("sextant")
        .unwrap()
        .args(["get", "bert-base", "--idle-timeout", "1"])
        .env("SEXTANT_HOME", home)
        .env("HF_ENDPOINT", &server.address)
        .env("HF_TOKEN", token)
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn starts(server: &Server) -> Vec<u64> {
    let seen = server.seen.lock().unwrap();
    seen.iter()
        .filter(|(name, ..)| name == "model.safetensors")
        .map(|&(_, start, _)| start)
        .collect()
}

fn weights(home: &Path) -> std::path::PathBuf {
    home.join("backbones/bert-base/model.safetensors")
}

#[test]
fn a_download_goes_on_where_it_stalled_or_broke_off() {
    let home = tempfile::tempdir().unwrap();
    let server =
        serve(&[Answer::Stall, Answer::BreakOff, Answer::Status("503 Busy"), Answer::Whole]);
    let (success, error) = get(&server, home.path(), " ");
    assert!(success, "{error}");
    assert_eq!(std::fs::read(weights(home.path())).unwrap(), body("model.safetensors"));
    assert_eq!(starts(&server), [0, 10_000, 20_000, 20_000]);
    // An empty token counts as no token.
    assert!(server.seen.lock().unwrap().iter().all(|(.., token)| token.is_none()));
    // Nothing but the backbone is left.
    let left: Vec<_> = std::fs::read_dir(home.path().join("backbones")).unwrap().collect();
    assert_eq!(left.len(), 1);

    // A backbone that was fetched before is checked again.
    assert!(get(&server, home.path(), "").0);
    std::fs::write(home.path().join("backbones/bert-base/tokenizer.json"), "{}").unwrap();
    let (success, error) = get(&server, home.path(), "");
    assert!(!success && error.contains("tokenizer.json has SHA-256"), "{error}");
    assert_eq!(starts(&server).len(), 4);
}

#[test]
fn the_next_command_goes_on_too_and_a_server_without_ranges_starts_again() {
    let home = tempfile::tempdir().unwrap();
    let broken = serve(&[
        Answer::BreakOff,
        Answer::Status("500 No"),
        Answer::Status("500 No"),
        Answer::Status("500 No"),
    ]);
    let (success, error) = get(&broken, home.path(), "");
    assert!(
        !success && error.contains("10000 bytes are kept in") && error.contains("again"),
        "{error}"
    );
    assert!(error.contains(&broken.address) && error.contains("model.safetensors"), "{error}");
    assert!(!weights(home.path()).exists());

    let server = serve(&[Answer::IgnoreRange]);
    let (success, error) = get(&server, home.path(), "secret");
    assert!(success, "{error}");
    assert_eq!(starts(&server), [10_000]);
    assert_eq!(std::fs::read(weights(home.path())).unwrap(), body("model.safetensors"));
    let seen = server.seen.lock().unwrap();
    assert!(seen.iter().all(|(.., token)| token.as_deref() == Some("Bearer secret")), "{seen:?}");
}

#[test]
fn another_commit_hash_or_page_is_refused() {
    for (answer, words) in [
        (Answer::OtherCommit, "served from commit 0123"),
        (Answer::OtherHash, "expected 0000"),
        (Answer::Status("404 Not Found"), "404 Not Found"),
        (Answer::Status("401 Unauthorized"), "HF_TOKEN"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let (success, error) = get(&serve(&[answer]), home.path(), "");
        assert!(!success && error.contains(words), "{words}: {error}");
        assert!(error.contains("model.safetensors") && !weights(home.path()).exists(), "{error}");
    }
}

//! The command `serve`: signals, and settings with mistakes. What the server answers is tested in its own crate.

use crate::support::{Running, WorkFolder};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Starts a server with a setting and returns it with its address.
fn start(place: &WorkFolder, setting: &str) -> (Running, String) {
    let bundle = "main=runs/tiny/bundle";
    let common = ["serve", bundle, "--listen", "127.0.0.1:0", "--set", "log=json"];
    let mut server = place.start(&[&common[..], &["--set", setting]].concat());
    server.until_said("is open");
    let said = server.said();
    let address = said.split("listening on http://").nth(1).unwrap();
    let address = address.split_whitespace().next().unwrap().to_owned();
    (server, address)
}

fn get(address: &str, path: &str) -> String {
    ask(address, "GET", path, "")
}

fn ask(address: &str, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn signals_reload_and_end_a_server() {
    let place = WorkFolder::with_bundle();
    let (mut server, address) = start(&place, "log_texts=false");
    assert!(get(&address, "/ready").starts_with("HTTP/1.1 200 "));
    server.signal("HUP");
    server.until_said("is open already as its folder has it");
    let manifest = place.read("runs/tiny/bundle/bundle.json");
    place.write("runs/tiny/bundle/bundle.json", "{");
    server.signal("HUP");
    server.until_said("was not replaced, and the one before it answers");
    assert!(get(&address, "/v1/models").contains("\"state\":\"ready\""));
    place.write("runs/tiny/bundle/bundle.json", manifest);
    server.signal("TERM");
    let (status, said) = server.end();
    assert!(status.success(), "{said}");
    let logged = said.lines().filter(|line| line.starts_with('{'));
    for line in logged {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
    assert!(said.contains("\"route\":\"/ready\""), "{said}");
}

/// Texts are in the log if, and only if, it was asked for.
#[test]
fn texts_are_logged_if_asked_for() {
    let place = WorkFolder::with_bundle();
    for (setting, logged) in [("log_texts=true", true), ("log_texts=false", false)] {
        let (server, address) = start(&place, setting);
        let body = r#"{"query": "crimson armchair", "documents": ["a lamp of brass"]}"#;
        let answer = ask(&address, "POST", "/v2/rerank", body);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        server.signal("TERM");
        let (status, said) = server.end();
        assert!(status.success(), "{said}");
        for text in ["crimson armchair", "a lamp of brass"] {
            assert_eq!(said.contains(text), logged, "{setting}: {said}");
        }
    }
}

#[test]
fn every_mistake_of_the_settings_is_told_at_once() {
    let place = WorkFolder::empty();
    place.write("serve.toml", "workers = 0\nport = 80\n");
    let error = place.fails(&["serve", "--config", "serve.toml", "--precision", "f16"]);
    for key in ["`workers`", "`port`", "`precision`", "`models`"] {
        assert!(error.contains(key), "{key}: {error}");
    }
    let error = place.fails(&["serve", "nothing", "--listen", "127.0.0.1:0"]);
    assert!(error.contains("`models`: there is no folder nothing;"), "{error}");
}

/// The file in `deploy` has every key, and holds what holds without it.
#[test]
fn the_published_settings_are_read() {
    let place = WorkFolder::with_bundle();
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/serve.toml");
    let text = std::fs::read_to_string(published).unwrap();
    for (key, _) in sextant_serve::KEYS {
        let states = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
        assert!(text.lines().any(states), "{key}");
    }
    place.write("serve.toml", text.replace("127.0.0.1:8080", "127.0.0.1:0"));
    let mut server = place.start(&["serve", "--config", "serve.toml", "main=runs/tiny/bundle"]);
    server.until_said("is open");
    server.signal("INT");
    assert!(server.end().0.success());
}

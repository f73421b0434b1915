//! Bodies in their packings, and bodies that are wrong.

use crate::support::{PATIENCE, bundle, serve};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn packed_bodies_are_unpacked_within_the_limit() {
    let place = bundle();
    let server = serve(place.path(), &["max_body_bytes=10000"]);
    let gzip = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    let small =
        json!({"task": "query-type", "pairs": [{"left": "red sofa", "right": "lamp"}]}).to_string();
    let bomb = vec![b' '; 50_000_000];
    for (name, pack) in [("gzip", &gzip as &dyn Fn(&[u8]) -> Vec<u8>), ("zstd", &zstd)] {
        let send =
            |body: &[u8]| server.send("/v1/relevance", &[("content-encoding", name)], &pack(body));
        send(small.as_bytes()).good();
        assert!(pack(&bomb).len() < 60_000);
        let refused = send(&bomb);
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (413, &json!("too_large")));
        let broken = server.send("/v1/relevance", &[("content-encoding", name)], b"not packed");
        assert_eq!(broken.status, 400, "{}", broken.text);
    }
    let unknown = server.send("/v1/relevance", &[("content-encoding", "br")], small.as_bytes());
    assert_eq!(
        (unknown.status, &unknown.json()["error"]["code"]),
        (415, &json!("invalid_request"))
    );
}

/// `cat a.gz b.gz` is gzip, too, and what follows that is none is not passed over.
#[test]
fn all_members_of_a_packed_body_are_read() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let member = |name: &str, text: &str| {
        let line = format!("{{\"left\": \"{text}\", \"right\": \"lamp\"}}\n");
        if name == "zstd" {
            return zstd::encode_all(line.as_bytes(), 3).unwrap();
        }
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(line.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    for name in ["gzip", "zstd"] {
        let headers = [("content-encoding", name), ("content-type", "application/x-ndjson")];
        let send = |body: &[u8]| server.send("/v1/relevance?task=query-type", &headers, body);
        let mut body = [member(name, "red sofa"), member(name, "lamp")].concat();
        let answer = send(&body);
        assert_eq!((answer.status, answer.text.lines().count()), (200, 2), "{}", answer.text);
        assert!(!answer.text.contains("error"), "{}", answer.text);
        body.extend_from_slice(b"neither a member nor a frame");
        assert!(send(&body).text.contains("could not be unpacked"));
    }
}

#[test]
fn every_error_has_the_message_where_clients_look_for_it_and_no_text_of_the_request() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    for (path, body, status) in [
        (
            "/v1/relevance",
            r#"{"pairs":[{"left":"secret","right":{"title":"a","title":"b"}}]}"#,
            400,
        ),
        ("/v1/relevance", r#"{"pairs":[{"left":"secret","right":"secret"}]}"#, 400),
        ("/v1/relevance", r#"{"secret":1}"#, 400),
        ("/v1/relevance", "secret", 400),
        ("/v1/relevance", "", 400),
        ("/v2/rerank", r#"{"query":"secret"}"#, 400),
        ("/v1/rerank", r#"{"query":" ","documents":["secret"]}"#, 422),
        ("/v1/rerank", r#"{"query":"a","documents":[{"secret":"secret"}]}"#, 400),
        ("/v1/secret", "{}", 404),
    ] {
        let refused = server.send(path, &[], body.as_bytes());
        assert_eq!(refused.status, status, "{path} {body}: {}", refused.text);
        let json = refused.json();
        let message = json["message"].as_str().unwrap();
        assert!(
            !message.is_empty() && json["detail"] == message && json["error"]["message"] == message
        );
        assert!(!refused.text.contains("secret"), "{path} {body}: {}", refused.text);
        assert!(!refused.text.contains(place.path().to_str().unwrap()));
    }
    assert_eq!(server.get("/v1/relevance").status, 405);
    let name = server.get("/v1/models/%ff");
    assert_eq!((name.status, &name.json()["error"]["code"]), (400, &json!("invalid_request")));
    for (path, why) in [
        ("/v1/relevance?task=query-type", "only; put them into the body"),
        ("/v1/relevance?tasks=query-type", "nothing else"),
    ] {
        let refused = server.send(path, &[], b"{\"pairs\":[]}");
        assert!(refused.status == 400 && refused.text.contains(why), "{}", refused.text);
    }
    for (body, expected) in [
        (r#"["main", "query-type", []]"#, "expected an object"),
        (r#"{"pairs":[],"timeout_ms":-5}"#, "a whole number"),
    ] {
        let refused = server.send("/v1/relevance", &[], body.as_bytes());
        assert!(refused.status == 400 && refused.text.contains(expected), "{}", refused.text);
    }
    let address = server.send("/v1/relevance?votes=secret", &[], b"{}");
    assert_eq!(
        (address.status, &address.json()["error"]["code"]),
        (400, &json!("invalid_request"))
    );
    assert!(!address.text.contains("secret"), "{}", address.text);
}

#[test]
fn request_ids_come_back_unless_they_could_spoil_a_log() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let id = |given: &str| {
        server.get_with("/health", &[("x-request-id", given)]).header("x-request-id").to_owned()
    };
    assert_eq!(id("abc-1.2_3"), "abc-1.2_3");
    let long = "a".repeat(65);
    for bad in ["a b", "", long.as_str()] {
        let new = id(bad);
        assert!(new != bad && new.len() > 10, "{new}");
    }
    assert_ne!(
        server.get("/health").header("x-request-id"),
        server.get("/health").header("x-request-id")
    );
}

/// A client that looks for an answer only when it has sent everything must find the answer, and not a connection that
/// was closed under it.
#[test]
fn an_error_reaches_a_client_that_sends_a_large_body() {
    let place = bundle();
    let keys = place.path().join("keys.txt");
    std::fs::write(&keys, "key\n").unwrap();
    let keys = format!("api_keys_file={}", keys.display());
    let server = serve(place.path(), &[&keys, "max_body_bytes=4000000"]);
    let body = vec![b' '; 12_000_000];
    for (line, key, status) in [
        ("POST /v1/relevance", "none", 401),
        ("POST /v1/relevance", "key", 413),
        ("POST /v1/nothing", "none", 404),
        ("PUT /v1/relevance", "key", 405),
    ] {
        let mut client = TcpStream::connect(server.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {length}\r\n\r\n"
        );
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(&body).unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut answer = [0; 12];
        client.read_exact(&mut answer).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(answer, format!("HTTP/1.1 {status}").as_bytes(), "{line}");
    }
    // A client that asks whether it may send is told no at once, and sends nothing.
    let mut client = TcpStream::connect(server.address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "POST /v1/relevance HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 12000000\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

//! What is too large, too much or too late.

use crate::support::{PATIENCE, bundle, serve};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;

fn pairs(count: usize, words: usize) -> Value {
    let pair = |number: usize| json!({"left": "red sofa", "right": format!("{number} {}", "lamp ".repeat(words))});
    json!({"task": "query-type", "pairs": (0..count).map(pair).collect::<Vec<_>>()})
}

#[test]
fn a_request_beyond_a_limit_is_refused_with_the_limit() {
    let place = bundle();
    let limits =
        ["max_pairs=10", "max_body_bytes=5000", "queue_tokens=400", "max_request_tokens=200"];
    let server = serve(place.path(), &limits);
    for (body, limit) in
        [(pairs(11, 1), "takes 10"), (pairs(10, 500), "5000 bytes"), (pairs(10, 60), "more tokens")]
    {
        let refused = server.post("/v1/relevance", &body);
        assert_eq!(refused.status, 413, "{}", refused.text);
        assert!(refused.text.contains(limit), "{}", refused.text);
        assert_eq!(refused.json()["error"]["code"], "too_large");
    }
    server.post("/v1/relevance", &pairs(10, 1)).good();
    // Nothing of the refused requests is left in the queue.
    server.until("the queue is empty", |server| server.metric("sextant_queued_tokens") == 0.0);
}

#[test]
fn texts_are_tokenized_within_limits() {
    let place = bundle();
    let server = serve(place.path(), &["max_pairs=10", "max_request_tokens=200"]);
    for (path, body) in [
        ("/tokenize", json!({"inputs": vec!["lamp"; 11]})),
        ("/tokenize", json!({"inputs": "a ".repeat(300)})),
        ("/tokenize", json!({"inputs": [vec!["a"; 110].join(" "), vec!["b"; 110].join(" ")]})),
        ("/tokenize", json!({"inputs": "a".repeat(5000)})),
        ("/decode", json!({"ids": vec![5; 300]})),
    ] {
        let refused = server.post(path, &body);
        assert_eq!(refused.status, 413, "{path}: {}", refused.text);
    }
    server.post("/tokenize", &json!({"inputs": "red sofa"})).good();
    server.post("/decode", &json!({"ids": [5, 6]})).good();
    let wrong = server.post("/tokenize", &json!({"inputs": 5}));
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    assert!(wrong.text.contains("one input, or a list of inputs"), "{}", wrong.text);
}

#[test]
fn beyond_the_queue_requests_are_refused_with_a_time_and_others_are_answered_right() {
    let place = bundle();
    // Every request takes the whole queue, so that of several at a time some find it full.
    let server = serve(place.path(), &["queue_tokens=2000", "workers=1"]);
    let expected = server.post("/v1/relevance", &pairs(60, 20)).good()["results"].clone();
    let barrier = Barrier::new(8);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            (0..5).map(|_| server.post("/v1/relevance", &pairs(60, 20))).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let (good, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(!good.is_empty() && !refused.is_empty(), "{} good", good.len());
    assert!(good.iter().all(|answer| answer.json()["results"] == expected));
    for answer in &refused {
        assert_eq!(answer.status, 429, "{}", answer.text);
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&seconds));
        assert_eq!(answer.json()["error"]["code"], "queue_full");
    }
    assert_eq!(server.metric("sextant_refused_total") as usize, refused.len());
}

#[test]
fn a_request_past_its_deadline_is_given_up() {
    let place = bundle();
    let server = serve(place.path(), &["workers=1"]);
    let mut body = pairs(1000, 200);
    body["timeout_ms"] = json!(0);
    let late = server.post("/v1/relevance", &body);
    assert_eq!((late.status, &late.json()["error"]["code"]), (504, &json!("timeout")));
    server.until("the queue is empty", |server| server.metric("sextant_queued_tokens") == 0.0);
    assert!(server.metric("sextant_rows_total") < 1000.0);
    assert_eq!(server.metric("sextant_cancelled_total"), 1.0);
}

/// The queue has room, but what waits in it takes longer than a request of a millisecond has.
#[test]
fn what_would_wait_for_too_long_is_refused_at_once() {
    let place = bundle();
    let large = ["workers=1", "max_pairs=20000", "queue_tokens=100000000"];
    let server = serve(place.path(), &large);
    // From now on the server knows its speed.
    server.post("/v1/relevance", &pairs(10, 20)).good();
    let body = pairs(20000, 60);
    let answers = std::thread::scope(|scope| {
        let long = scope.spawn(|| server.post("/v1/relevance", &body));
        let mut hasty = pairs(1, 1);
        hasty["timeout_ms"] = json!(1);
        let mut answers = Vec::new();
        while !long.is_finished() {
            answers.push(server.post("/v1/relevance", &hasty));
        }
        long.join().unwrap().good();
        answers
    });
    let refused = answers.iter().find(|answer| answer.status == 429).expect("none was refused");
    assert_eq!(refused.json()["error"]["code"], "queue_full");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[test]
fn a_client_that_goes_away_cancels_what_has_not_begun() {
    let place = bundle();
    let large = ["workers=1", "tokenizers=1", "max_pairs=20000", "queue_tokens=4000000"];
    let server = serve(place.path(), &large);
    let body = pairs(20000, 60).to_string();
    let mut client = TcpStream::connect(server.address).unwrap();
    let head =
        format!("POST /v1/relevance HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(body.as_bytes()).unwrap();
    server.until("the request is there", |server| {
        server.metric("sextant_request_pairs_count") == 1.0
    });
    drop(client);
    server.until("the request is cancelled", |server| {
        server.metric("sextant_cancelled_total") == 1.0
    });
    server.until("the queue is empty", |server| server.metric("sextant_queued_tokens") == 0.0);
    assert!(server.metric("sextant_rows_total") < 20000.0);
}

/// The long request takes as long as its rows; the short one is answered while most of them wait.
#[test]
fn a_short_request_is_answered_while_a_long_one_waits() {
    let place = bundle();
    let large = ["workers=1", "max_pairs=20000", "queue_tokens=4000000"];
    let server = serve(place.path(), &large);
    let body = pairs(20000, 60).to_string();
    let mut client = TcpStream::connect(server.address).unwrap();
    let head =
        format!("POST /v1/relevance HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(body.as_bytes()).unwrap();
    server.until("the long request is there", |server| {
        server.metric("sextant_request_pairs_count") == 1.0
    });
    server.post("/v1/relevance", &pairs(10, 5)).good();
    let answered = server.metric("sextant_rows_total");
    assert!(answered < 20000.0, "{answered} rows were answered before the short request");
    drop(client);
}

#[test]
fn slow_clients_are_let_go() {
    let place = bundle();
    let server = serve(place.path(), &["head_seconds=1", "body_seconds=1"]);
    let ended = |sent: &str| {
        let mut client = TcpStream::connect(server.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(sent.as_bytes()).unwrap();
        let mut answer = String::new();
        // The end of the connection, however it comes.
        let _ = client.read_to_string(&mut answer);
        answer
    };
    assert!(!ended("POST /v1/relevance HTTP/1.1\r\nhos").contains("200 OK"));
    let late = ended(
        "POST /v1/relevance HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{",
    );
    assert!(late.starts_with("HTTP/1.1 408 "), "{late}");
}

/// Somebody who asks and asks and never reads has the connection for some time only.
#[test]
fn clients_that_do_not_read_are_let_go() {
    let place = bundle();
    let server = serve(place.path(), &["write_seconds=1"]);
    let mut client = TcpStream::connect(server.address).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    let ask = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    // The server stops to read requests when nothing of its answers goes out, and then gives up.
    while client.write_all(ask).is_ok() {}
    let good = server.post("/v1/relevance", &pairs(1, 1));
    assert_eq!(good.status, 200);
}

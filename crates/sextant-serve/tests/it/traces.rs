//! Traces, as a collector gets them.

use crate::support::{PATIENCE, bundle, serve};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

/// A collector: its address, and the path and the body of each request.
fn collector() -> (SocketAddr, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut path, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let line = line.trim().to_ascii_lowercase();
                if let Some(rest) = line.strip_prefix("post ") {
                    rest.split(' ').next().unwrap().clone_into(&mut path);
                } else if let Some(rest) = line.strip_prefix("content-length:") {
                    length = rest.trim().parse().unwrap();
                } else if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            if tell.send((path, serde_json::from_slice(&body).unwrap())).is_err() {
                return;
            }
        }
    });
    (address, told)
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn a_request_s_spans_reach_a_collector_under_the_caller_s_span() {
    let place = bundle();
    let (address, told) = collector();
    let server = serve(place.path(), &[&format!("traces=http://{address}/")]);
    let body = json!({"task": "query-type", "pairs": [{"left": "secret", "right": "lamp"}]});
    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [("traceparent", traceparent.as_str()), ("x-request-id", "mine")];
    let answer = server.send("/v1/relevance", &headers, body.to_string().as_bytes());
    assert_eq!(answer.status, 200);
    // One that the caller does not want.
    let unsampled = traceparent.replace("-01", "-00").replace("4bf9", "4bf0");
    server.send("/v1/relevance", &[("traceparent", &unsampled)], b"{}");
    // What waits is sent when the server stops.
    drop(server);
    let mut spans = Vec::new();
    while spans.iter().all(|span: &Value| span["traceId"] != TRACE) {
        let (path, sent) = told.recv_timeout(PATIENCE).unwrap();
        assert_eq!(path, "/v1/traces");
        assert!(!sent.to_string().contains("secret"), "{sent}");
        let resource = &sent["resourceSpans"][0];
        assert!(resource["resource"].to_string().contains("\"service.name\""), "{resource}");
        spans.extend(resource["scopeSpans"][0]["spans"].as_array().unwrap().clone());
    }
    assert!(!spans.iter().any(|span| span["traceId"].as_str().unwrap().starts_with("4bf0")));
    let of: Vec<_> = spans.iter().filter(|span| span["traceId"] == TRACE).collect();
    let [whole, queue, answer] = of[..] else { panic!("{of:?}") };
    assert_eq!(whole["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!((&whole["name"], &whole["kind"]), (&json!("POST /v1/relevance"), &json!(2)));
    let attribute = |key: &str| {
        let all = whole["attributes"].as_array().unwrap();
        all.iter().find(|attribute| attribute["key"] == key).map(|found| found["value"].clone())
    };
    assert_eq!(attribute("http.response.status_code"), Some(json!({"intValue": "200"})));
    assert_eq!(attribute("sextant.pairs"), Some(json!({"intValue": "1"})));
    assert_eq!(attribute("sextant.request_id"), Some(json!({"stringValue": "mine"})));
    let time = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u128>().unwrap();
    let (begin, end) = ("startTimeUnixNano", "endTimeUnixNano");
    for (part, name) in [(queue, "queue"), (answer, "answer")] {
        assert_eq!((&part["name"], &part["parentSpanId"]), (&json!(name), &whole["spanId"]));
        assert!(time(part, begin) >= time(whole, begin) && time(part, end) <= time(whole, end));
    }
    assert_eq!(time(queue, end), time(answer, begin));
}

//! The end of a server.

use crate::support::{bundle, serve};
use serde_json::json;
use sextant_serve::{ServeError, Server, Settings};
use std::time::Duration;

#[test]
fn what_was_accepted_is_answered() {
    let place = bundle();
    let mut server = serve(place.path(), &["workers=1"]);
    let pair = |number: usize| json!({"left": "red sofa", "right": format!("{number} {}", "lamp ".repeat(100))});
    let body =
        json!({"task": "query-type", "pairs": (0..500).map(pair).collect::<Vec<_>>()}).to_string();
    let address = server.address;
    let asking = std::thread::spawn(move || {
        let answer = ureq::post(format!("http://{address}/v1/relevance")).send(body.as_bytes());
        let text = answer.unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    });
    server.until("the request is there", |server| {
        server.metric("sextant_request_pairs_count") == 1.0
    });
    server.stop().unwrap();
    let answer = asking.join().unwrap();
    assert_eq!(answer["results"].as_array().unwrap().len(), 500);
    assert_eq!(answer["usage"]["errors"], 0);
    assert!(std::net::TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_err());
}

#[test]
fn a_model_that_cannot_be_opened_ends_the_start() {
    let place = tempfile::tempdir().unwrap();
    let mut settings = Settings::default();
    settings.set("listen=127.0.0.1:0");
    settings.set(&format!("models=[\"main={}\"]", place.path().display()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ended = runtime.block_on(async {
        let server = Server::bind(settings.resolve().unwrap()).await.unwrap();
        server.run(std::future::pending()).await
    });
    assert!(matches!(&ended, Err(ServeError::Open { name, .. }) if name == "main"), "{ended:?}");
}

#[test]
fn an_address_that_is_taken_is_told() {
    let place = bundle();
    let server = serve(place.path(), &[]);
    let mut settings = Settings::default();
    settings.set(&format!("listen={}", server.address));
    settings.set(&format!("models=[\"main={}\"]", place.path().display()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let taken = runtime.block_on(Server::bind(settings.resolve().unwrap()));
    let error = taken.err().unwrap().to_string();
    assert!(error.contains(&server.address.to_string()) && error.contains("--listen"), "{error}");
}

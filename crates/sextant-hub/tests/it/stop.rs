//! Checks that an observer is told about a download and may stop it, and that nothing is lost by that.

use sextant_hub::{Client, DownloadEvent, DownloadObserver, HubError, Store, find};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::time::Duration;

/// The weights, which are larger than what is received at once.
fn weights() -> Vec<u8> {
    (0..250_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// Starts a hub that serves any file from the requested byte on, and returns its address.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that stops a download closes the connection, which is an error here.
            let _ = stream.and_then(answer);
        }
    });
    address
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let range = head.iter().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        let value = key.eq_ignore_ascii_case("range").then_some(value)?;
        value.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()
    });
    let body = if first.contains("safetensors") { weights() } else { b"{}".to_vec() };
    let total = body.len();
    let (start, status) = range.map_or_else(
        || (0, "200 OK".to_owned()),
        |start| {
            let last = total - 1;
            (start, format!("206 Partial\r\nContent-Range: bytes {start}-{last}/{total}"))
        },
    );
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        total - start
    )?;
    stream.write_all(&body[start..])
}

/// An observer that keeps each event as text and breaks at events for which `stop` returns true.
struct Watch<F> {
    heard: Vec<String>,
    stop: F,
}

impl<F: FnMut(DownloadEvent<'_>) -> bool> DownloadObserver for Watch<F> {
    fn on_event(&mut self, event: DownloadEvent<'_>) -> ControlFlow<()> {
        self.heard.push(format!("{event:?}"));
        if (self.stop)(event) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn a_stopped_download_keeps_what_came_and_the_next_goes_on_from_there() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::new(place.path().to_owned());
    let bert = find("bert-base").unwrap();
    let client = Client::new(&serve(), None, Duration::from_secs(20));
    let total = weights().len() as u64;

    let mut kept = 0;
    let mut first = Watch {
        heard: Vec::new(),
        stop: |event: DownloadEvent<'_>| match event {
            DownloadEvent::Received { bytes } if bytes > 1000 => {
                kept = bytes;
                true
            }
            _ => false,
        },
    };
    let error = store.get(bert, false, &client, &mut first).unwrap_err();
    assert!(matches!(error, HubError::Stopped), "{error}");
    assert!(first.heard.last().unwrap().contains("Ended"), "{:?}", first.heard);
    assert!(0 < kept && kept < total, "{kept} of {total}");
    assert!(!store.has(bert));

    // The observer may also break before the first byte is received.
    let stop = |event: DownloadEvent<'_>| matches!(event, DownloadEvent::Started { .. });
    let error =
        store.get(bert, false, &client, &mut Watch { heard: Vec::new(), stop }).unwrap_err();
    assert!(matches!(error, HubError::Stopped), "{error}");

    let mut last = Watch { heard: Vec::new(), stop: |_: DownloadEvent<'_>| false };
    let folder = store.get(bert, false, &client, &mut last).unwrap();
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), weights());
    // Nothing but the backbone is left.
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    // A backbone that is there is not downloaded again.
    let mut again = Watch { heard: Vec::new(), stop: |_: DownloadEvent<'_>| true };
    store.get(bert, false, &client, &mut again).unwrap();
    assert!(again.heard.is_empty(), "{:?}", again.heard);
    let went_on = last.heard.iter().any(|event| {
        event.contains("Started")
            && event.contains("model.safetensors")
            && event.contains(&format!("bytes: {kept}"))
    });
    assert!(went_on, "{:?}", last.heard);
}

//! A headless Chromium that is spoken to by the DevTools protocol, over pipes.

#[path = "../../../sextant-lab/tests/common/chromium.rs"]
mod find;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);

/// A browser with one tab. It is ended when it is dropped.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    sent: u64,
    session: String,
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser, if there is one on this machine.
    pub(crate) fn start() -> Option<Self> {
        let program = find::chromium()?;
        let profile = tempfile::tempdir().unwrap();
        // The browser reads commands from its third descriptor and writes to its fourth.
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#, &program])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let messages = messages(child.stdout.take().unwrap());
        let (session, events) = (String::new(), Vec::new());
        let mut browser =
            Self { child, commands, messages, sent: 0, session, events, _profile: profile };
        let target = browser.command("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.command("Target.attachToTarget", &attach);
        browser.session = attached["sessionId"].as_str().unwrap().into();
        for domain in ["Page", "Runtime", "Log", "Network", "DOM"] {
            browser.command(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Sends a command and waits for its answer. Events that come meanwhile are kept.
    pub(crate) fn command(&mut self, method: &str, params: &Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.commands.write_all(message.to_string().as_bytes()).unwrap();
        self.commands.write_all(&[0]).unwrap();
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect(method);
            if message["id"] == json!(self.sent) {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    /// The value of an expression in the page; a promise is waited for.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.command("Runtime.evaluate", &params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.value(&format!("Boolean({expression})")) != json!(true) {
            assert!(begun.elapsed() < PATIENCE, "in vain: {expression}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Opens an address anew.
    pub(crate) fn open(&mut self, address: &str) {
        // From the same page, another fragment alone would not load anything.
        for address in ["about:blank", address] {
            self.command("Page.navigate", &json!({"url": address}));
            let begins = &address[..11];
            self.until(&format!(
                "location.href.startsWith({begins:?}) && document.readyState === 'complete'"
            ));
        }
    }

    /// The size of the window, whose narrow ones are phones, and the theme of the system.
    pub(crate) fn window(&mut self, width: u32, height: u32, dark: bool) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.command("Emulation.setDeviceMetricsOverride", &size);
        let scheme =
            json!({"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }});
        self.command("Emulation.setEmulatedMedia", &json!({"features": [scheme]}));
    }

    /// Types a text into the element with an id, in the place of what is there.
    pub(crate) fn type_into(&mut self, id: &str, text: &str) {
        self.value(&format!("document.getElementById({id:?}).focus()"));
        self.value(&format!("document.getElementById({id:?}).select()"));
        self.command("Input.insertText", &json!({"text": text}));
    }

    /// Presses a key; `control` is held meanwhile if asked for.
    pub(crate) fn press(&mut self, key: &str, code: u32, control: bool) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
                "modifiers": if control { 2 } else { 0 },
            });
            self.command("Input.dispatchKeyEvent", &event);
        }
    }

    /// Chooses a file in the element with an id.
    pub(crate) fn choose_file(&mut self, id: &str, file: &Path) {
        let document = self.command("DOM.getDocument", &json!({}));
        let query = json!({"nodeId": document["root"]["nodeId"], "selector": format!("#{id}")});
        let node = self.command("DOM.querySelector", &query);
        let files = json!({"nodeId": node["nodeId"], "files": [file]});
        self.command("DOM.setFileInputFiles", &files);
    }

    /// A picture of the whole page, as PNG.
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        let params = json!({"format": "png", "captureBeyondViewport": true});
        let answer = self.command("Page.captureScreenshot", &params);
        bytes(answer["data"].as_str().unwrap())
    }

    /// The addresses that the pages asked for so far.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        self.value("0");
        let asked =
            self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked.map(|event| event["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    /// What the pages complained about so far: exceptions, errors of the console, and what a policy forbade.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        self.value("0");
        let wrong = self.events.iter().filter(|event| {
            let params = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" => true,
                "Runtime.consoleAPICalled" => {
                    params["type"] == "error" || params["type"] == "warning"
                }
                "Log.entryAdded" => {
                    params["entry"]["level"] == "error" || params["entry"]["level"] == "warning"
                }
                _ => false,
            }
        });
        wrong.map(Value::to_string).collect()
    }
}

/// What a text in base 64 stands for.
fn bytes(base64: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = base64.bytes().filter_map(|byte| DIGITS.iter().position(|&digit| digit == byte));
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for digit in digits {
        held = held << 6 | digit as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}

/// What the browser says, one message after the other.
fn messages(output: ChildStdout) -> Receiver<Value> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for message in BufReader::new(output).split(0) {
            let Ok(message) = message else { break };
            let Ok(message) = serde_json::from_slice(&message) else { break };
            if tell.send(message).is_err() {
                break;
            }
        }
    });
    told
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to close, the browser ends its other processes itself.
        let close = json!({"id": self.sent + 1, "method": "Browser.close"});
        let _ = self.commands.write_all(format!("{close}\0").as_bytes());
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) && matches!(self.child.try_wait(), Ok(None))
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

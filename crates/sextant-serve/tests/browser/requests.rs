//! What the page asks, of whom, and what it says when it is refused.

use crate::chromium::Browser;
use crate::page::{QUERY, Shop, address, link, list, pairs};
use crate::support::{bundle, serve};
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn nothing_is_asked_of_anybody_else_and_no_text_becomes_markup() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    browser.show(&shop.ranking(&[("against", &shop.models[1])]));
    let requests = browser.requests();
    assert!(requests.iter().any(|address| address.ends_with("/v1/relevance")), "{requests:?}");
    let own = address(&shop.server);
    for asked in requests {
        assert!(asked.starts_with(&own) || asked == "about:blank", "{asked}");
    }
    let page = shop.server.get("/");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(browser.complaints(), [""; 0]);
    // The policy holds against the page's own scripts, too.
    for (tried, what) in [
        ("document.body.innerHTML = '<b>x</b>'; return true", "markup from a text"),
        (
            "const script = document.createElement('script'); script.append('window.ran = 1');
             document.body.append(script); return window.ran === 1",
            "a script in the page",
        ),
        (
            "const part = document.createElement('p'); part.setAttribute('style', 'color: red');
             return part.style.color === 'red'",
            "a style in an attribute",
        ),
        (
            "await fetch(`http://localhost:${location.port}/health`, { mode: 'no-cors' }); return true",
            "another origin",
        ),
    ] {
        let done = format!("(async () => {{ try {{ {tried} }} catch {{ return false }} }})()");
        assert_eq!(browser.value(&done), json!(false), "{what}");
    }
    let complaints = browser.complaints();
    assert!(complaints.len() >= 4, "the browser reports what it forbade: {complaints:?}");
}

#[test]
fn a_key_is_asked_for_and_kept_to_the_tab() {
    let Some(mut browser) = Browser::start() else { return };
    let place = tempfile::tempdir().unwrap();
    let keys = place.path().join("keys.txt");
    std::fs::write(&keys, "open$HOME\"sesame\n").unwrap();
    let shop = Shop::open(&[&format!("api_keys_file={}", keys.display())]);
    browser.open(&shop.ranking(&[]));
    browser.until("document.querySelector('#problem > *')");
    let told = browser.text("#problem");
    let expected = shop.server.get("/v1/models").json();
    assert!(told.contains("401 unauthorized"), "{told}");
    assert!(told.contains(expected["error"]["message"].as_str().unwrap()), "{told}");
    assert_eq!(browser.value("document.activeElement.id"), json!("key"));
    browser.type_into("key", "open$HOME\"sesame");
    browser.press("Enter", 13, false);
    browser.value("document.getElementById('key-form').requestSubmit()");
    browser.until("document.querySelector('.ranking')");
    assert_eq!(browser.text("#problem"), "");

    assert_eq!(
        browser.value("sessionStorage.getItem('sextant-api-key')"),
        json!("open$HOME\"sesame")
    );
    let elsewhere = browser.value("JSON.stringify(localStorage) + document.cookie + location.href");
    assert!(!elsewhere.as_str().unwrap().contains("sesame"), "{elsewhere}");
    browser.value("navigator.clipboard.writeText = async (text) => { window.copied = text; }; 0");
    for button in ["copy-link", "copy-curl", "copy-python"] {
        browser.value(&format!("window.copied = ''; document.getElementById('{button}').click()"));
        browser.until("window.copied");
        let copied = browser.value("window.copied");
        assert!(!copied.as_str().unwrap().contains("sesame"), "{copied}");
    }
}

/// What a copied text prints when it is run, if `needed` is on this machine.
fn printed(needed: &str, [program, flag]: [&str; 2], text: &str) -> Option<String> {
    Command::new(needed).arg("--version").output().ok()?;
    let output = Command::new(program)
        .args([flag, text])
        .env("SEXTANT_API_KEY", "open$HOME\"sesame")
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn copied_commands_ask_the_same() {
    let Some(mut browser) = Browser::start() else { return };
    let place = tempfile::tempdir().unwrap();
    let keys = place.path().join("keys.txt");
    std::fs::write(&keys, "open$HOME\"sesame\n").unwrap();
    let shop = Shop::open(&[&format!("api_keys_file={}", keys.display())]);
    browser.open(&address(&shop.server));
    browser.value("sessionStorage.setItem('sextant-api-key', 'open$HOME\"sesame')");
    browser.show(&link(
        &shop.server,
        &[
            ("left", "it's a \"red\" sofa\\n $HOME `x` é ☂"),
            ("model", &shop.models[0]),
            ("list", &list().join("\n")),
        ],
    ));
    browser.value("navigator.clipboard.writeText = async (text) => { window.copied = text; }; 0");
    let mut copied = |button: &str| {
        browser.value(&format!("window.copied = ''; document.getElementById('{button}').click()"));
        browser.until("window.copied");
        browser.value("window.copied").as_str().unwrap().to_owned()
    };
    let grades = |results: &[Value]| -> Vec<Value> {
        results.iter().map(|result| result["probabilities"].clone()).collect()
    };
    let mut pairs = pairs();
    for pair in &mut pairs {
        pair["left"] = json!("it's a \"red\" sofa\\n $HOME `x` é ☂");
    }
    let body = json!({"model": shop.models[0], "task": "query-product", "pairs": pairs});
    let headers =
        [("content-type", "application/json"), ("authorization", "Bearer open$HOME\"sesame")];
    let expected = shop.server.send("/v1/relevance", &headers, body.to_string().as_bytes()).good();
    let expected = grades(expected["results"].as_array().unwrap());

    if let Some(printed) = printed("curl", ["sh", "-c"], &copied("copy-curl")) {
        let answer: Value = serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{printed}"));
        assert_eq!(grades(answer["results"].as_array().expect(&printed)), expected);
    }
    if let Some(printed) = printed("python3", ["python3", "-c"], &copied("copy-python")) {
        let results: Vec<Value> =
            printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(grades(&results), expected);
    }
}

#[test]
fn the_errors_of_the_server_are_shown_as_they_are() {
    let Some(mut browser) = Browser::start() else { return };
    let place = bundle();
    let server = serve(place.path(), &["max_pairs=3"]);
    let many =
        json!({"pairs": vec![json!({"left": QUERY, "right": "lamp"}); 4], "task": "query-product"});
    let expected = server.post("/v1/relevance", &many);
    let list = ["lamp"; 4].join("\n");
    browser.show(&link(&server, &[("left", QUERY), ("list", &list)]));
    let told = browser.text("#problem");
    let message = expected.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(told.contains(&message) && told.contains(&expected.status.to_string()), "{told}");
    assert!(told.contains("Request "), "{told}");
    assert_eq!(browser.text("#shown"), "");
    browser.look("error");

    // A model that is not there is not put in the place of another one.
    browser.show(&link(&server, &[("left", QUERY), ("list", "lamp"), ("model", "gone")]));
    assert!(browser.text("#problem").contains("unknown_model"));
    assert_eq!(browser.value("document.getElementById('model').value"), json!("gone"));
    // A mistake in a product's fields is the server's to tell, in the row of its line.
    let list = "lamp\n{\"title\": \"x\", \"attributes\": 3}";
    browser.show(&link(&server, &[("left", QUERY), ("list", list)]));
    let told = browser.text("tr[data-line='2']");
    assert!(told.contains("`attributes` is not"), "{told}");
    browser.show(&link(&server, &[("left", "{\"title\""), ("list", "lamp")]));
    assert!(browser.text("#problem").contains("Query: this opens like a JSON object"));
}

#[test]
fn a_model_that_was_opened_for_a_request_is_shown_as_open() {
    let Some(mut browser) = Browser::start() else { return };
    let place = bundle();
    let server = serve(place.path(), &["lazy=true"]);
    browser.open(&address(&server));
    browser.until("document.getElementById('model').value");
    assert!(browser.text("#model-note").contains("opened at its first request"));
    let lacking = "[...document.getElementById('task').options].filter((task) => task.text.includes('not of')).length";
    assert_eq!(browser.value(lacking), json!(3), "the tasks of a closed model are known");
    browser.value("document.getElementById('example').click()");
    browser.press("Enter", 13, true);
    browser.answered();
    browser.until("document.getElementById('model-note').textContent.includes('hash')");
    assert!(!browser.text("#model-note").contains("first request"));
}

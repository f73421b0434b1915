//! Keyboard, theme, labels, files.

use crate::chromium::Browser;
use crate::page::{Shop, address, link};
use serde_json::json;

#[test]
fn the_page_can_be_used_without_a_mouse() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    browser.window(1280, 800, false);
    browser.open(&address(&shop.server));
    browser.until("document.getElementById('model').value");
    browser.look("first");
    let nameless = "[...document.querySelectorAll('input, select, textarea')].filter((control) => control.labels.length === 0).map((control) => control.id)";
    assert_eq!(browser.value(nameless), json!([]));
    assert_eq!(
        browser.value("document.getElementById('status').getAttribute('aria-live')"),
        json!("polite")
    );
    // Every control is reached by the tabulator, and shows that it is.
    browser.value("document.activeElement.blur()");
    let mut reached = Vec::new();
    for _ in 0..24 {
        browser.press("Tab", 9, false);
        let focus = browser.value(
            "(() => { const at = document.activeElement, seen = at.id === 'file' ? at.closest('.button') : at;
              return { id: at.id || at.name || at.innerText, outline: getComputedStyle(seen).outlineStyle }; })()",
        );
        reached.push(focus["id"].as_str().unwrap_or_default().to_owned());
        assert!(
            at_end(&focus) || focus["outline"] != "none",
            "{focus} does not show that it has the focus"
        );
    }
    for id in [
        "theme",
        "view",
        "task",
        "model",
        "against",
        "left",
        "list",
        "file",
        "example",
        "run",
        "copy-link",
        "copy-curl",
        "copy-python",
    ] {
        assert!(reached.iter().any(|reached| reached == id), "{id} is not among {reached:?}");
    }
    browser.value("document.getElementById('example').click()");
    browser.press("Enter", 13, true);
    browser.answered();
    assert_eq!(browser.texts(".ranking tbody tr").len(), 6);

    let background = "getComputedStyle(document.body).backgroundColor";
    let light = browser.value(background);
    let choose = |theme: &str| {
        format!(
            "{{ const theme = document.getElementById('theme'); theme.value = '{theme}'; theme.dispatchEvent(new Event('change')); }}"
        )
    };
    browser.value(&choose("dark"));
    let dark = browser.value(background);
    assert_ne!(light, dark);
    // The choice is kept, and goes over what the system has.
    browser.open(&address(&shop.server));
    assert_eq!(browser.value(background), dark);
    browser.window(1280, 800, true);
    browser.value(&choose("light"));
    assert_eq!(browser.value(background), light);
    browser.value(&choose("auto"));
    assert_eq!(browser.value(background), dark);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn labels_follow_the_task() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    for (task, left, list) in [
        ("query-product", "Query", "Products, one a line"),
        ("query-query", "Query", "Other queries, one a line"),
        ("product-type", "Product", "Product types, one a line"),
        ("type-type", "Product type", "Other product types, one a line"),
    ] {
        browser.open(&link(&shop.server, &[("task", task)]));
        browser.until("document.getElementById('model').value");
        assert_eq!(browser.text("#left-label"), left);
        assert_eq!(browser.text("#list-label"), list);
    }
    // The models of these tests answer three of the six tasks.
    let tasks = browser.texts("#task option");
    assert!(tasks.contains(&"query-type".to_owned()), "{tasks:?}");
    assert!(tasks.contains(&"type-type (not of this model)".to_owned()), "{tasks:?}");
}

#[test]
fn what_the_browser_does_not_copy_can_be_copied_by_hand() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    browser.open(&link(&shop.server, &[("left", "red sofa"), ("list", "lamp")]));
    browser.answered();
    browser.value("navigator.clipboard.writeText = async () => { throw new Error('no') }; 0");
    browser.value("document.getElementById('copy-curl').click()");
    browser.until("document.getElementById('by-hand').open");
    let selected = browser.value("getSelection().toString()");
    let begins = format!("curl -sS '{}v1/relevance'", address(&shop.server));
    assert!(selected.as_str().unwrap().starts_with(&begins), "{selected}");
    browser.press("Escape", 27, false);
    browser.until("!document.getElementById('by-hand').open");
}

#[test]
fn a_request_can_be_stopped() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    browser.open(&link(&shop.server, &[("left", "red sofa")]));
    browser.until("document.getElementById('model').value");
    // A server that never answers.
    browser.value(
        "window.fetch = (_, { signal }) => new Promise((_, refuse) => signal.addEventListener('abort', () => refuse(signal.reason))); 0",
    );
    browser.type_into("list", "lamp");
    browser.press("Enter", 13, true);
    browser.until("document.getElementById('stop').checkVisibility()");
    assert_eq!(browser.text("#status"), "The server is asked.");
    browser.value("document.getElementById('stop').click()");
    browser.until("document.getElementById('status').innerText === 'Stopped.'");
    browser.until("!document.getElementById('stop').checkVisibility()");
    assert_eq!(browser.complaints(), [""; 0]);
}

/// Past the last control the focus leaves the page.
fn at_end(focus: &serde_json::Value) -> bool {
    focus["id"].as_str().is_none_or(|id| id.is_empty() || id.contains('\n'))
}

#[test]
fn files_become_lines_of_the_list() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    let place = tempfile::tempdir().unwrap();
    browser.open(&address(&shop.server));
    browser.until("document.getElementById('model').value");
    let rows = "{\"right\": \"lamp\", \"grade\": 1}\n{\"title\": \"sofa\"}\n";
    for (name, text, expected) in [
        ("rows.jsonl", rows, rows.trim_end()),
        ("plain.txt", "red sofa\r\nlamp\r\n", "red sofa\nlamp"),
        (
            "rows.csv",
            "\u{feff}task,left,right,grade\r\nquery-product,3/4\" pipe,\"a \"\"wide\"\" pipe, long\",2\r\n\r\n",
            r#"{"right":"a \"wide\" pipe, long","left":"3/4\" pipe","task":"query-product","grade":"2"}"#,
        ),
        (
            "excel.csv",
            "sep=;\ntitle;brand;price\nLamp;Acme;3,50\n\"two\nlines\";;1\n",
            "{\"title\":\"Lamp\",\"brand\":\"Acme\"}\n{\"title\":\"two\\nlines\"}",
        ),
        (
            "names.tsv",
            "product\tid\nred sofa\t\n{\"title\": \"lamp\"}\t7\n",
            "red sofa\n{\"right\":{\"title\":\"lamp\"},\"id\":\"7\"}",
        ),
    ] {
        let file = place.path().join(name);
        std::fs::write(&file, text).unwrap();
        browser.choose_file("file", &file);
        browser.until(&format!("document.getElementById('copied').innerText.startsWith({name:?})"));
        assert_eq!(
            browser.value("document.getElementById('list').value"),
            json!(expected),
            "{name}"
        );
    }
    for (name, text, problem) in [
        ("other.csv", "price,shop\n3,here\n", "names no column “right”, “product” or “title”"),
        ("open.csv", "right\n\"lamp\n", "a quote in the file is never closed"),
    ] {
        let file = place.path().join(name);
        std::fs::write(&file, text).unwrap();
        browser.choose_file("file", &file);
        browser
            .until(&format!("document.getElementById('problem').innerText.startsWith({name:?})"));
        let told = browser.text("#problem");
        assert!(told.contains(problem), "{told}");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

/// `SEXTANT_SERVER=http://127.0.0.1:8080/ cargo test -p sextant-serve --test browser -- --ignored`
#[test]
#[ignore = "looks at the page of a server that SEXTANT_SERVER names"]
fn a_server_of_ones_own() {
    let (Some(mut browser), Ok(address)) = (Browser::start(), std::env::var("SEXTANT_SERVER"))
    else {
        return;
    };
    browser.open(&address);
    browser.until("document.getElementById('model').value");
    browser.value("document.getElementById('example').click()");
    browser.press("Enter", 13, true);
    browser.answered();
    browser.look("own");
}

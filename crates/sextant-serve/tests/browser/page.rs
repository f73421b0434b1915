//! A server with two models that disagree now and then, and its page in a browser.

use crate::bundles;
use crate::chromium::Browser;
use crate::support::{Running, TASKS};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use tempfile::TempDir;

/// The query of these tests.
pub(crate) const QUERY: &str = "red sofa";

/// The list of these tests, one product a line. The last three lines are a blank product, one that cannot be read, and
/// one that is too long for the model.
pub(crate) fn list() -> Vec<String> {
    let mut list: Vec<String> = [
        "red sofa",
        "blue lamp",
        "cordless drill",
        "sofas and lamps",
        "zinnia seed",
        "garden hose",
    ]
    .map(str::to_owned)
    .into();
    list.push("<b id=\"markup\">lamp</b> & <img src=x onerror=alert(1)>".into());
    list.push(
        json!({"title": "blue garden lamp", "brand": "Acme", "attributes": [["color", "blue"]], "type_path": ["Garden", "Lamps"]})
            .to_string(),
    );
    list.push(json!({"right": "drill and hose", "id": "sku-9", "grade": 2}).to_string());
    list.push(json!({"right": " "}).to_string());
    list.push(r#"{"title": "#.to_owned());
    list.push("garden hose ".repeat(120).trim().to_owned());
    list
}

/// The pairs that the page makes of the list, which are all but the line that cannot be read.
pub(crate) fn pairs() -> Vec<Value> {
    let read = |line: &String| match serde_json::from_str::<Value>(line) {
        Ok(row) if row["right"].is_string() => row["right"].clone(),
        Ok(product) => product,
        Err(_) => json!(line),
    };
    let lines = list().into_iter().filter(|line| line != r#"{"title": "#);
    lines.map(|line| json!({"left": QUERY, "right": read(&line)})).collect()
}

/// A server, and what it answers.
pub(crate) struct Shop {
    pub(crate) server: Running,
    /// The names of two models whose grades differ for some pairs of the list and agree for others.
    pub(crate) models: [String; 2],
    _places: Vec<TempDir>,
}

impl Shop {
    /// A server with these settings. Untrained models are as good as any for a page, but some give every pair the same
    /// grade, so that two are looked for that do not.
    pub(crate) fn open(settings: &[&str]) -> Self {
        let places: Vec<TempDir> = (1..=8)
            .map(|seed| {
                let place = tempfile::tempdir().unwrap();
                bundles::saved(place.path(), &TASKS, seed, false, None);
                place
            })
            .collect();
        let named = places.iter().enumerate();
        let named = named.map(|(i, place)| format!("model-{i}={}", place.path().display()));
        let models = format!("models={:?}", named.collect::<Vec<_>>());
        let settings: Vec<&str> = settings.iter().copied().chain([models.as_str()]).collect();
        let server = Running::start(&settings);
        let mut shop =
            Self { server, models: ["model-0".into(), "model-1".into()], _places: places };
        let grades: Vec<Vec<u64>> = (0..8)
            .map(|i| {
                let results = shop.answers(&format!("model-{i}"));
                results.iter().filter_map(|result| result["grade"].as_u64()).collect()
            })
            .collect();
        let apart = |a: &[u64], b: &[u64]| a.iter().zip(b).filter(|(a, b)| a != b).count();
        let found = (0..64)
            .map(|n| (n / 8, n % 8))
            .find(|&(a, b)| (1..grades[a].len()).contains(&apart(&grades[a], &grades[b])));
        if let Some((a, b)) = found {
            shop.models = [format!("model-{a}"), format!("model-{b}")];
        }
        shop
    }

    /// What a model answers to the pairs of the list, in their order.
    pub(crate) fn answers(&self, model: &str) -> Vec<Value> {
        let body = json!({"model": model, "task": "query-product", "pairs": pairs()});
        let answer = self.server.send(
            "/v1/relevance",
            &[("content-type", "application/json"), ("authorization", "Bearer open$HOME\"sesame")],
            body.to_string().as_bytes(),
        );
        answer.good()["results"].as_array().unwrap().clone()
    }

    /// A link to the ranking of the list by the first model, or by both.
    pub(crate) fn ranking(&self, more: &[(&str, &str)]) -> String {
        let list = list().join("\n");
        let mut view = vec![("model", self.models[0].as_str()), ("left", QUERY), ("list", &list)];
        view.extend_from_slice(more);
        link(&self.server, &view)
    }
}

/// The address of a server's page.
pub(crate) fn address(server: &Running) -> String {
    format!("http://{}/", server.address)
}

/// A link to a view.
pub(crate) fn link(server: &Running, view: &[(&str, &str)]) -> String {
    let mut link = format!("{}#", address(server));
    for (name, value) in view {
        write!(link, "{name}={}&", encoded(value)).unwrap();
    }
    link
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

impl Browser {
    /// Opens a link and waits for its answer.
    pub(crate) fn show(&mut self, link: &str) {
        self.open(link);
        self.answered();
    }

    /// Waits until what was asked is answered.
    pub(crate) fn answered(&mut self) {
        self.until(
            "document.getElementById('results').getAttribute('aria-busy') === 'false' \
             && document.querySelector('#shown > *, #problem > *')",
        );
    }

    /// The texts of all elements that a selector finds.
    pub(crate) fn texts(&mut self, selector: &str) -> Vec<String> {
        let found = self.value(&format!(
            "[...document.querySelectorAll({selector:?})].map((element) => element.innerText.trim())"
        ));
        serde_json::from_value(found).unwrap()
    }

    /// The text of the one element that a selector finds.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let mut texts = self.texts(selector);
        assert_eq!(texts.len(), 1, "{selector}: {texts:?}");
        texts.remove(0)
    }

    /// Looks at the page in all themes and widths: nothing overflows or is hard to read. Leaves screenshots.
    pub(crate) fn look(&mut self, name: &str) {
        const MEASURE: &str = include_str!("../../../sextant-lab/tests/common/measure.js");
        let pictures =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/page-screenshots");
        std::fs::create_dir_all(&pictures).unwrap();
        for (kind, width, dark) in [
            ("light", 1280, false),
            ("dark", 1280, true),
            ("phone", 360, false),
            ("phone-dark", 360, true),
        ] {
            self.window(width, 800, dark);
            let picture = self.picture();
            assert!(picture.len() > 15_000, "{name} {kind}: {} bytes", picture.len());
            std::fs::write(pictures.join(format!("{name}-{kind}.png")), picture).unwrap();
            // Long texts that were opened to measure them are closed again, and so is the key.
            let found = self.value(&format!(
                "(() => {{ {MEASURE}
                const look_at = look();
                document.querySelectorAll('details').forEach((element) => (element.open = false));
                return look_at; }})()"
            ));
            assert_eq!((&found["width"], &found["dark"]), (&json!(width), &json!(dark)));
            let wrong =
                found["wrong"].as_array().unwrap().iter().map(|what| what.as_str().unwrap());
            // A report is one file; this page has several. Whom they were asked of is another test.
            let hidden = "has no size";
            let wrong: Vec<&str> = wrong
                .filter(|what| !what.contains("asked for") && !what.contains(hidden))
                .collect();
            assert!(wrong.is_empty(), "{name} {kind}:\n{}", wrong.join("\n"));
            let inside = self.value("document.documentElement.scrollWidth <= innerWidth");
            assert_eq!(inside, json!(true), "{name} {kind} scrolls sideways");
        }
        self.window(1280, 800, false);
    }
}

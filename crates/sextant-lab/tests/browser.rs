//! The report as a browser shows it: wide and narrow, light and dark. Screenshots stay in
//! `target/report-screenshots`.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

#[path = "common/chromium.rs"]
mod chromium;
#[path = "common/errors.rs"]
mod errors;
#[path = "common/made_up.rs"]
mod made_up;

use chromium::chromium;
use made_up::findings;
use serde::Deserialize;
use sextant_lab::Document;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `measure.js` finds.
#[derive(Debug, Deserialize)]
struct Look {
    width: u32,
    height: u32,
    dark: bool,
    sections: usize,
    plots: usize,
    tables: usize,
    texts: usize,
    /// Tables that are wider than their frames.
    scrolled: usize,
    wrong: Vec<String>,
}

/// Runs a headless Chromium that has its own profile and does no networking in the background.
fn run(program: &str, folder: &Path, arguments: &[&str], page: &Path) -> Vec<u8> {
    let output = Command::new(program)
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
            "--virtual-time-budget=5000",
        ])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Shows a page in a frame of a given width, since windows have a minimum width, and measures it. A
/// screenshot is left at `picture`.
fn look(program: &str, html: &str, width: u32, dark: bool, picture: Option<&Path>) -> Look {
    let folder = tempfile::tempdir().unwrap();
    let script = include_str!("common/measure.js");
    let page = html.replacen("<head>", &format!("<head><script>{script}</script>"), 1);
    std::fs::write(folder.path().join("page.html"), page).unwrap();
    let around = folder.path().join("around.html");
    let frame = |height: u32| {
        let text = format!(
            r#"<!DOCTYPE html><meta name="color-scheme" content="light dark"><body style="margin:0">
<pre id="found" hidden></pre><iframe src="page.html" style="border:0;display:block;width:{width}px;height:{height}px"></iframe>
<script>addEventListener("message", (event) => found.textContent = event.data)</script>"#
        );
        std::fs::write(&around, text).unwrap();
    };
    frame(900);
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
    let dom = run(program, folder.path(), &[&scheme, "--dump-dom"], &around);
    let dom = String::from_utf8(dom).unwrap();
    let found = dom.split_once("<pre id=\"found\" hidden=\"\">").unwrap().1;
    let found = found.split_once("</pre>").unwrap().0;
    let found = found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let look: Look =
        serde_json::from_str(&found).unwrap_or_else(|error| panic!("{error}: {found}"));
    assert_eq!((look.width, look.dark), (width, dark));
    if let Some(picture) = picture {
        frame(look.height);
        let size = format!("--window-size={},{}", width.max(500), look.height);
        let to = format!("--screenshot={}", picture.display());
        run(program, folder.path(), &[&scheme, &size, &to], &around);
    }
    look
}

#[test]
fn nothing_overflows_is_missing_or_hard_to_read() {
    let Some(program) = chromium() else { return };
    let document = Document::new(&findings()).unwrap();
    let html = document.to_html().unwrap();
    let pictures =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/report-screenshots");
    std::fs::create_dir_all(&pictures).unwrap();
    for (name, width, dark) in [
        ("light", 1280, false),
        ("dark", 1280, true),
        ("narrow", 390, false),
        ("narrow-dark", 390, true),
    ] {
        let picture = pictures.join(format!("{name}.png"));
        let look = look(&program, &html, width, dark, Some(&picture));
        assert!(look.wrong.is_empty(), "{name}:\n{}", look.wrong.join("\n"));
        let count = |what: &str| html.matches(what).count();
        assert_eq!(
            (look.sections, look.plots, look.tables),
            (count("<section"), count("<svg"), count("<table")),
            "{name}"
        );
        assert!(look.scrolled > 0 || width > 500, "{name}: no table scrolls");
        assert!(look.plots >= 6 && look.tables >= 8 && look.texts > 300, "{name}: {look:?}");
        assert!(std::fs::metadata(&picture).unwrap().len() > 20_000, "{name}");
    }
}

#[test]
fn the_page_of_errors_is_readable_too() {
    let Some(program) = chromium() else { return };
    let html = errors::page();
    let pictures =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/report-screenshots");
    std::fs::create_dir_all(&pictures).unwrap();
    for (name, width, dark) in [("errors-light", 1280, false), ("errors-narrow-dark", 390, true)] {
        let picture = pictures.join(format!("{name}.png"));
        let look = look(&program, &html, width, dark, Some(&picture));
        assert!(look.wrong.is_empty(), "{name}:\n{}", look.wrong.join("\n"));
        let count = |what: &str| html.matches(what).count();
        assert_eq!((look.sections, look.tables), (4, count("<table")), "{name}");
        assert!(look.tables >= 8 && look.texts > 300, "{name}: {look:?}");
    }
}

/// `SEXTANT_REPORT=labs/paper/report.html cargo test --workspace --test browser -- --ignored`
#[test]
#[ignore = "looks at a report that SEXTANT_REPORT names"]
fn a_report_of_ones_own() {
    let (Some(program), Ok(path)) = (chromium(), std::env::var("SEXTANT_REPORT")) else { return };
    let html = std::fs::read_to_string(path).unwrap();
    for (width, dark) in [(1280, false), (390, true)] {
        let look = look(&program, &html, width, dark, None);
        assert!(look.wrong.is_empty(), "{width}:\n{}", look.wrong.join("\n"));
    }
}

#[test]
fn the_look_finds_what_is_wrong() {
    let Some(program) = chromium() else { return };
    for (body, wrong) in [
        (r#"<div style="width:2000px">wide</div>"#, "past the page's edge"),
        (r#"<p style="color:#999">pale</p>"#, "contrast"),
        (
            r#"<p style="width:50px;overflow:hidden;white-space:nowrap">a long line of text</p>"#,
            "cut off",
        ),
        (r#"<img src="picture.png"/>"#, "asked for"),
        (
            r#"<svg viewBox="0 0 100 50" width="100" height="50"><line x2="9" y2="9"/><text x="80" y="20">label</text></svg>"#,
            "leaves its plot",
        ),
        (
            r#"<svg viewBox="0 0 100 50" width="100" height="50"><line x2="9" y2="9"/><text x="9" y="20">one</text><text x="10" y="22">two</text></svg>"#,
            "lie on each other",
        ),
        (r#"<svg viewBox="0 0 9 9" width="9" height="9"></svg>"#, "draws nothing"),
        (
            r#"<div class="scroll" style="width:200px;overflow-x:auto"><table><tr><td>first</td><td><div style="width:400px">second</div></td></tr></table></div>"#,
            "scrolls away",
        ),
        ("<script>nothing.at.all()</script>", "nothing is not defined"),
    ] {
        let html = format!("<!DOCTYPE html><html><head></head><body>{body}</body></html>");
        let look = look(&program, &html, 800, false, None);
        assert!(look.wrong.iter().any(|found| found.contains(wrong)), "{body}: {:?}", look.wrong);
    }
}

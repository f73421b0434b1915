//! The ranking by one model.

use crate::bundles;
use crate::chromium::Browser;
use crate::page::{Shop, address, link, list, pairs};
use crate::support::{TASKS, serve};
use serde_json::{Value, json};
use sextant_eval::Vote;

/// The numbers of the answered pairs by falling score, as the page ought to have them.
pub(crate) fn ranked(results: &[Value]) -> Vec<usize> {
    let mut order: Vec<usize> =
        (0..results.len()).filter(|&i| results[i]["error"].is_null()).collect();
    order.sort_by(|&a, &b| {
        results[b]["score"].as_f64().unwrap().total_cmp(&results[a]["score"].as_f64().unwrap())
    });
    order
}

/// The titles of the pairs.
pub(crate) fn title(pair: &Value) -> &str {
    let right = &pair["right"];
    right.as_str().or_else(|| right["title"].as_str()).unwrap().trim()
}

#[test]
fn a_ranking_shows_what_the_server_answered() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    let results = shop.answers(&shop.models[0]);
    browser.window(1280, 800, false);
    browser.show(&shop.ranking(&[]));

    let (pairs, order) = (pairs(), ranked(&results));
    let rows = browser.value(
        "[...document.querySelectorAll('.ranking tbody tr')].map((row) => ({
            rank: row.querySelector('.rank').innerText,
            title: row.querySelector('.title').innerText,
            grade: row.querySelector('.chip')?.className.replace('chip ', ''),
            word: row.querySelector('.chip')?.innerText,
            score: row.querySelector('.score')?.innerText,
            bar: row.querySelector('.bar')?.getBoundingClientRect().width,
            parts: [...row.querySelectorAll('.bar .part')].map((part) => [part.className, part.getBoundingClientRect().width]),
            error: row.querySelector('.row-error')?.innerText,
            remarks: row.querySelector('.remarks')?.innerText,
        }))",
    );
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), list().len());
    for (place, (&number, row)) in order.iter().zip(rows).enumerate() {
        let (result, expected) = (&results[number], title(&pairs[number]));
        assert_eq!(row["rank"], json!((place + 1).to_string()));
        let shown = row["title"].as_str().unwrap().trim_end_matches('…');
        assert!(expected.starts_with(shown), "{place}: {shown} is not {expected}");
        let label = result["label"].as_str().unwrap();
        assert_eq!(row["grade"], result["label"]);
        assert!(row["word"].as_str().unwrap().ends_with(label), "the grade is a word, too: {row}");
        assert_eq!(row["score"], json!(format!("{:.3}", result["score"].as_f64().unwrap())));
        for (part, grade) in
            row["parts"].as_array().unwrap().iter().zip(["irrelevant", "partial", "relevant"])
        {
            assert_eq!(part[0], json!(format!("part {grade}")));
            let wide = part[1].as_f64().unwrap() / row["bar"].as_f64().unwrap();
            let probability = result["probabilities"][grade].as_f64().unwrap();
            assert!((wide - probability).abs() < 0.005, "{grade} of {row}: {probability}");
        }
        let cut = result["cut"]["right"].as_u64();
        let told = cut.map(|tokens| format!("✂ cut: {tokens} tokens of the product"));
        let remarks = row["remarks"].as_str().unwrap_or_default();
        assert!(told.is_none_or(|told| remarks.contains(&told)), "{row}");
        if expected == "drill and hose" {
            let (grade, sign) = (&result["grade"], if result["grade"] == 2 { "=" } else { "≠" });
            assert!(remarks.contains("id sku-9"), "{row}");
            assert!(
                remarks.contains(&format!("{sign} grade in the list: relevant")),
                "{row}: {grade}"
            );
        }
    }
    assert!(results.iter().any(|result| result["cut"].is_object()), "a text is cut");

    // Two rows have no answer: one by the server's word, the other before it was asked.
    let failed = &rows[order.len()..];
    let blank = results.iter().find(|result| result["error"].is_object()).unwrap();
    let of_server = blank["error"]["message"].as_str().unwrap();
    assert_eq!(failed.len(), 2);
    assert!(failed[0]["error"].as_str().unwrap().contains(of_server), "{failed:?}");
    assert!(failed[1]["error"].as_str().unwrap().contains("line 11"), "{failed:?}");
    assert_eq!(failed[1]["title"], json!("{\"title\":"));
    let status = browser.text("#status");
    for part in
        ["12 pairs", "2 without an answer", "ms in the server", "ms as seen from here", "1 cut"]
    {
        assert!(status.contains(part), "{status}");
    }

    // A pasted text is shown, and is no markup.
    assert_eq!(browser.value("document.getElementById('markup')"), Value::Null);
    assert_eq!(browser.value("document.querySelectorAll('#shown img').length"), json!(0));
    browser.look("ranking");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_link_shows_the_same_view() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    browser.open(&address(&shop.server));
    browser.until("document.getElementById('model').value");
    browser.type_into("left", "red sofa");
    browser.type_into("list", &list().join("\n"));
    browser.press("Enter", 13, true);
    browser.answered();
    browser.value(
        "{ const order = document.getElementById('order'); order.value = 'given'; order.dispatchEvent(new Event('change', {bubbles: true})); }",
    );
    let shown = browser.text("#shown");
    assert!(shown.contains("blue garden lamp"), "{shown}");
    let link = browser.value("location.href");
    // Nothing but the fragment differs, so that no text reaches the server's log.
    assert!(link.as_str().unwrap().starts_with(&format!("{}#", address(&shop.server))), "{link}");
    browser.show(link.as_str().unwrap());
    assert_eq!(browser.text("#shown"), shown);
    assert_eq!(browser.value("location.href"), link);
    assert_eq!(browser.value("document.getElementById('order').value"), json!("given"));
}

#[test]
fn members_of_an_ensemble_vote() {
    let Some(mut browser) = Browser::start() else { return };
    let place = tempfile::tempdir().unwrap();
    let members = [1, 2].map(|seed| place.path().join(format!("member-{seed}")));
    for (seed, member) in (1..).zip(&members) {
        bundles::saved(member, &TASKS, seed, false, None);
    }
    let folder = bundles::ensemble(&place, &members, Vote::Soft);
    let server = serve(&folder, &[]);
    browser.show(&link(&server, &[("left", "red sofa"), ("list", "lamp"), ("votes", "1")]));
    let body = json!({"task": "query-product", "votes": true, "pairs": [{"left": "red sofa", "right": "lamp"}]});
    let answer = server.post("/v1/relevance", &body).good();
    let votes = browser.texts(".votes li");
    assert_eq!(votes.len(), 2);
    for (vote, shown) in answer["results"][0]["votes"].as_array().unwrap().iter().zip(votes) {
        let score = format!("{:.3}", vote["score"].as_f64().unwrap());
        assert!(shown.starts_with(vote["member"].as_str().unwrap()), "{shown}");
        assert!(shown.ends_with(&score), "{shown}");
    }
    assert!(browser.text("#model-note").starts_with("2 members, soft vote"));
    assert_eq!(browser.value("document.getElementById('votes').checked"), json!(true));
}

#[test]
fn many_rows_are_shown_when_asked_for() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    let list: Vec<String> = (0..230).map(|i| format!("lamp {i}")).collect();
    browser.show(&link(&shop.server, &[("left", "red sofa"), ("list", &list.join("\n"))]));
    assert_eq!(browser.texts(".ranking tbody tr").len(), 200);
    browser.value("[...document.querySelectorAll('#shown button')].find((button) => button.innerText === 'Show the other 30 rows').click()");
    assert_eq!(browser.texts(".ranking tbody tr").len(), 230);
}

//! The triangle view.

use crate::chromium::Browser;
use crate::page::{Shop, link};
use serde_json::json;

#[test]
fn a_triangle_shows_the_grades_of_its_pairs() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    let asked =
        json!({"query": "red sofa", "product": "cordless drill", "type": "sofas and lamps"});
    let body = json!({"model": shop.models[0], "triples": [asked]});
    let expected = shop.server.post("/v1/consistency", &body).good();
    let list = "cordless drill\n{\"query\": \"lamp\", \"product\": \"blue lamp\", \"type\": \"garden hose\"}\n{";
    let list = format!("{list}\"product\": 3}}");
    browser.show(&link(
        &shop.server,
        &[
            ("view", "triangle"),
            ("model", &shop.models[0]),
            ("left", "red sofa"),
            ("third", "sofas and lamps"),
            ("list", &list),
        ],
    ));
    let cards = browser.texts(".card");
    assert_eq!(cards.len(), 3);
    let first = cards.iter().find(|card| card.contains("cordless drill")).unwrap();
    for pair in expected["results"][0]["pairs"].as_array().unwrap() {
        for part in [pair["task"].as_str().unwrap(), pair["label"].as_str().unwrap()] {
            assert!(first.contains(part), "{first}");
        }
        assert!(first.contains(&format!("{:.3}", pair["score"].as_f64().unwrap())), "{first}");
    }
    assert!(cards.iter().any(|card| card.contains("blue lamp") && card.contains("garden hose")));
    assert!(cards[2].contains("line 3"), "{}", cards[2]);
    assert_eq!(browser.complaints(), [""; 0]);

    // Two queries and a product: a pair of the models of these tests has no answer, and its card says why.
    browser.value("document.querySelector('input[value=other_query]').click()");
    browser.type_into("third", "sofa");
    browser.type_into("list", "cordless drill");
    browser.press("Enter", 13, true);
    browser.until("document.querySelectorAll('.card').length === 1");
    let card = browser.text(".card");
    assert!(card.contains("unknown_task") && card.contains("query-query"), "{card}");
}

#[test]
fn a_contradiction_is_marked() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    browser.window(1280, 800, false);
    browser.open(&link(
        &shop.server,
        &[("view", "triangle"), ("left", "18v drill"), ("third", "Drills")],
    ));
    browser.until("document.getElementById('model').value");
    // No untrained model contradicts itself for sure, so that an answer is made up here.
    let pair = |task: &str, grade: usize, probabilities: [f64; 3]| {
        let label = ["irrelevant", "partial", "relevant"][grade];
        json!({
            "task": task, "grade": grade, "label": label,
            "score": f64::midpoint(probabilities[1], probabilities[2] * 2.0), "tokens": 9,
            "probabilities": {"irrelevant": probabilities[0], "partial": probabilities[1], "relevant": probabilities[2]},
        })
    };
    let relevant = |task| pair(task, 2, [0.02, 0.06, 0.92]);
    let consistent = [relevant("query-product"), relevant("query-type"), relevant("product-type")];
    let odd = pair("query-type", 0, [0.85, 0.1, 0.05]);
    let contradictory = [relevant("query-product"), odd, relevant("product-type")];
    let answer = json!({
        "model": "made-up", "sha256": "0", "contradictory": 1,
        "results": [
            {"index": 0, "kind": "query-product-type", "contradictory": false, "pairs": consistent},
            {"index": 1, "kind": "query-product-type", "contradictory": true, "odd": 1, "odd_task": "query-type", "pairs": contradictory},
        ],
        "usage": {"pairs": 6, "tokens": 54, "cut": 0, "cached": 0, "errors": 0},
        "timing": {"total_ms": 5.2, "queue_ms": 0.2},
    });
    browser.value(&format!("window.fetch = async () => Response.json({answer}); 0"));
    browser.type_into("list", "Cordless drill 18V\nDrill bits, 20 pieces");
    browser.value("document.getElementById('run').click()");
    browser.answered();
    let cards = browser.texts(".card");
    // The contradiction stands first, although it was asked second.
    assert!(cards[0].contains("Drill bits") && cards[1].contains("Cordless drill"), "{cards:?}");
    let said = "≠ contradiction query-product and product-type are relevant, but query-type is irrelevant.";
    assert!(cards[0].contains(said), "{}", cards[0]);
    assert!(cards[1].contains("= no contradiction"), "{}", cards[1]);
    assert!(browser.text(".card.apart tr.apart").contains("query-type"));
    assert_eq!(browser.value("document.querySelectorAll('.edge.odd').length"), json!(1));
    assert!(browser.text("#status").contains("1 contradiction."));
    browser.look("triangle");
    assert_eq!(browser.complaints(), [""; 0]);
}

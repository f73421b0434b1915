//! Two models side by side.

use crate::chromium::Browser;
use crate::page::{Shop, pairs};
use crate::ranking::{ranked, title};
use serde_json::{Value, json};

#[test]
fn disagreements_are_marked() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    let [first, second] = shop.models.each_ref().map(|model| shop.answers(model));
    browser.window(1280, 800, false);
    browser.show(&shop.ranking(&[("against", &shop.models[1])]));

    let pairs = pairs();
    let (order, other_order) = (ranked(&first), ranked(&second));
    let differ = |number: &usize| first[*number]["grade"] != second[*number]["grade"];
    let apart: Vec<bool> = order.iter().map(differ).collect();
    assert!(apart.contains(&true) && apart.contains(&false), "models that differ now and then");
    let rows = browser.value(
        "[...document.querySelectorAll('.ranking tbody tr')].map((row) => ({
            title: row.querySelector('.title').innerText,
            apart: row.classList.contains('apart'),
            difference: row.querySelector('.difference')?.innerText,
            ranks: [...row.querySelectorAll('.rank-of')].map((rank) => rank.innerText),
            scores: [...row.querySelectorAll('.score')].map((score) => score.innerText),
        }))",
    );
    let rows = rows.as_array().unwrap();
    for ((place, &number), row) in order.iter().enumerate().zip(rows) {
        let shown = row["title"].as_str().unwrap().trim_end_matches('…');
        assert!(title(&pairs[number]).starts_with(shown), "{row}");
        assert_eq!(row["apart"], json!(apart[place]), "{row}");
        // The mark is a word and a sign, and not a colour alone.
        let word = if apart[place] { "≠ disagree" } else { "= agree" };
        assert!(row["difference"].as_str().unwrap().contains(word), "{row}");
        let other = other_order.iter().position(|&other| other == number).unwrap();
        let ranks = [place + 1, other + 1].map(|rank| format!("rank {rank}"));
        assert_eq!(row["ranks"], json!(ranks));
        let score =
            |results: &[Value]| format!("{:.3}", results[number]["score"].as_f64().unwrap());
        assert_eq!(row["scores"], json!([score(&first), score(&second)]));
    }
    let count = apart.iter().filter(|&&apart| apart).count();
    let said = browser.text("#comparison");
    assert!(said.contains(&format!("Grades differ in {count} of {} rows", order.len())), "{said}");
    browser.look("comparing");
    // Whatever the width, the texts keep room.
    for width in [320, 700, 1000, 1060, 1100, 1200] {
        browser.window(width, 800, false);
        let room = browser.value(
            "Math.min(...[...document.querySelectorAll('.title')].map((title) => title.getBoundingClientRect().width))",
        );
        assert!(room.as_f64().unwrap() > 130.0, "{width}: {room}");
        let inside = browser.value("document.documentElement.scrollWidth <= innerWidth");
        assert_eq!(inside, json!(true), "{width}");
    }
    browser.window(1280, 800, false);

    browser.value("document.getElementById('differing').focus()");
    browser.press(" ", 32, false);
    assert_eq!(browser.texts(".ranking tbody tr").len(), count);
    assert_eq!(browser.value("document.activeElement.id"), json!("differing"));
    let link = browser.value("location.href");
    browser.show(link.as_str().unwrap());
    assert_eq!(browser.texts(".ranking tbody tr.apart").len(), count);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn rows_are_ordered_as_asked() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(&[]);
    let results = shop.models.each_ref().map(|model| shop.answers(model));
    let pairs = pairs();
    let mut by_difference = ranked(&results[0]);
    by_difference.sort_unstable();
    let gap = |number: usize| {
        let [a, b] = results.each_ref().map(|results| results[number]["score"].as_f64().unwrap());
        (a - b).abs()
    };
    by_difference.sort_by(|&a, &b| gap(b).total_cmp(&gap(a)));
    for (order, expected) in [("second", ranked(&results[1])), ("difference", by_difference)] {
        browser.show(&shop.ranking(&[("against", &shop.models[1]), ("order", order)]));
        let shown = browser.texts(".ranking .title");
        for (number, shown) in expected.into_iter().zip(shown) {
            let expected = title(&pairs[number]);
            assert!(expected.starts_with(shown.trim_end_matches('…')), "{order}: {shown}");
        }
    }
}

//! A report over answers that are made up, so that every number in it is known.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/made_up.rs"]
mod made_up;

use made_up::findings;
use sextant_core::Task;
use sextant_lab::Document;

#[test]
fn numbers_are_those_that_were_made_up() {
    let found = findings();
    let overall = |system: &str| {
        let row = found.headline.rows.iter().find(|row| row.system == system).unwrap();
        row.scores[2].clone().unwrap()
    };
    // Seeds get 16 and 17 of 20.
    let prefix = overall("tiny-prefix");
    assert!((prefix.accuracy.value - 0.825).abs() < 1e-12);
    assert!((prefix.seed_deviation.unwrap() - 0.05 / 2_f64.sqrt()).abs() < 1e-12);
    assert_eq!((prefix.best, prefix.p_value), (false, None));
    assert!(overall("tiny-mhp-1+prefix").best);
    let shared = overall("tiny-shared");
    assert!((shared.difference.unwrap().value + 0.325).abs() < 1e-12);
    assert!(shared.significant && shared.p_holm > shared.p_value);
    let effect = shared.cohens_h.unwrap();
    assert!((effect.value - sextant_eval::cohens_h(0.825, 0.5)).abs() < 1e-12);
    let interval = effect.interval.unwrap();
    assert!(interval.low < effect.value && effect.value < interval.high && interval.high < 0.0);
    assert_eq!(prefix.cohens_h, None);

    let [first, second] = found.ablation.drops.as_slice() else { panic!("{:?}", found.ablation) };
    assert_eq!((first.routing.as_str(), second.routing.as_str()), ("shared", "mhp-1"));
    assert!((first.values[0].1.mean.value - 0.325).abs() < 1e-12);
    assert!((second.values[0].1.mean.value - 0.05).abs() < 1e-12);
    let difference = found.ablation.asymmetries[0].difference.mean;
    assert!((difference.value - 0.275).abs() < 1e-12);
    assert!(difference.interval.unwrap().low > 0.0);

    let gain = |system: &str, task| {
        let gains = found.gains.iter().find(|gain| gain.system == system && gain.task == task);
        gains.unwrap().equal_data.mean.value
    };
    assert!((gain("tiny-prefix", Some(Task::QueryType)) - 0.125).abs() < 1e-12);
    assert!((gain("tiny-prefix", Some(Task::ProductType)) - 0.025).abs() < 1e-12);
    assert!((gain("tiny-prefix", None) - 0.075).abs() < 1e-12);

    // The seeds of `shared` answer alike; those of `prefix` differ in one row of 20.
    let ensemble =
        |system: &str| found.ensembles.rows.iter().find(|row| row.systems == [system]).unwrap();
    assert_eq!(ensemble("tiny-shared").diversity.unwrap().disagreement, 0.0);
    assert!((ensemble("tiny-prefix").diversity.unwrap().disagreement - 0.05).abs() < 1e-12);

    // The confidence of every answer is 0.9, which is above or below the accuracy; the temperature tells
    // which.
    let calibration =
        |system: &str| found.calibration.iter().find(|found| found.system == system).unwrap();
    assert!(calibration("tiny-shared").temperatures.iter().all(|&t| t > 1.5));
    assert!(calibration("tiny-shared").ece_scaled < 0.06);
    assert!((calibration("tiny-shared").ece - 0.4).abs() < 1e-6);
    // All answers have the same confidence, so that all rows are answered together: the area is the
    // error rate.
    let areas = calibration("tiny-shared").risk_coverage;
    assert!((areas.aurc - 0.5).abs() < 1e-12 && areas.excess_aurc > 0.1, "{areas:?}");
    assert_eq!(found.costs.iter().filter(|cost| cost.efficient).count(), 1);
}

#[test]
fn every_run_has_its_curves() {
    let found = findings();
    assert_eq!(found.training.len(), found.runs.1);
    let curve = &found.training[0];
    assert_eq!((curve.run.as_str(), curve.group.as_str()), ("tiny-prefix-s1", "tiny-prefix"));
    // 200 steps are means of four each.
    assert_eq!((curve.loss.len(), curve.dev.len(), curve.loss[0].0), (50, 10, 2.5));
    let html = Document::new(&found).unwrap().to_html().unwrap();
    for run in &found.training {
        assert!(html.contains(&run.run), "{}", run.run);
    }
    // Twelve runs take a small part of the megabyte that a report may take.
    assert!(html.len() < 250_000, "{}", html.len());
}

#[test]
fn markdown() {
    let document = Document::new(&findings()).unwrap();
    insta::with_settings!({filters => vec![
        (r"`data`, \d+ rows", "`data`, N rows"),
    ]}, {
        insta::assert_snapshot!(document.to_markdown());
    });
}

#[test]
fn html_is_valid_whole_and_needs_nothing_else() {
    let findings = findings();
    let html = Document::new(&findings).unwrap().to_html().unwrap();
    // The template is XML too, so that a strict parser can judge it.
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let page = roxmltree::Document::parse_with_options(&html, options).unwrap();
    let all = |name: &str| -> Vec<roxmltree::Node<'_, '_>> {
        page.descendants().filter(|node| node.has_tag_name(name)).collect()
    };
    let within = |node: roxmltree::Node<'_, '_>, name: &str, inner: &str| {
        let outer = node.descendants().filter(|node| node.has_tag_name(name));
        outer.flat_map(|node| node.descendants()).filter(|n| n.has_tag_name(inner)).count()
    };
    // What users wrote is text, not markup.
    assert_eq!(all("h1")[0].text(), Some("made up <&>"));
    assert!(all("b").is_empty());
    // Every link leads to a section that is there.
    let ids: Vec<_> = all("section").iter().filter_map(|node| node.attribute("id")).collect();
    let links = all("a");
    assert!(links.len() > 8);
    for link in links {
        let target = link.attribute("href").unwrap().trim_start_matches('#');
        assert!(ids.contains(&target), "{target}");
    }
    // No id is there twice.
    let mut found: Vec<_> = page.descendants().filter_map(|node| node.attribute("id")).collect();
    found.sort_unstable();
    let count = found.len();
    found.dedup();
    assert_eq!(found.len(), count);
    // No table is empty, and each row has a cell for every heading.
    for table in all("table") {
        let (heads, rows) = (within(table, "thead", "th"), within(table, "tbody", "tr"));
        assert!(rows > 0, "{:?}", table.attribute("id"));
        assert_eq!(within(table, "tbody", "td"), heads * rows, "{:?}", table.attribute("id"));
    }
    assert!(all("svg").len() >= 6);
    for outside in ["<script", "src=", "@import", "url(", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(!html.replace("http://www.w3.org/", "").contains("http"));
    assert!(html.contains("prefers-color-scheme: dark"));
    // Every colour that is used is defined.
    for part in html.split("var(--").skip(1) {
        let name = part.split(')').next().unwrap();
        assert!(html.contains(&format!("--{name}:")), "{name}");
    }
}

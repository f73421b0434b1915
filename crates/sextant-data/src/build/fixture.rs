//! A small folder of made-up source files for the tests, in the formats of the real source files.

use crate::sources::tests_support::write;
use std::fmt::Write as _;
use std::path::Path;

/// Things that are sold: each has a name, what it is made for, and its branch of the taxonomy.
const THINGS: [(&str, &str, &str); 12] = [
    ("lamp", "Desk", "Home"),
    ("rug", "Hall", "Home"),
    ("kettle", "Camp", "Home"),
    ("pillow", "Sofa", "Home"),
    ("hammer", "Claw", "Tools"),
    ("ladder", "Loft", "Tools"),
    ("wrench", "Pipe", "Tools"),
    ("chisel", "Wood", "Tools"),
    ("jacket", "Rain", "Wear"),
    ("scarf", "Wool", "Wear"),
    ("sandal", "Beach", "Wear"),
    ("glove", "Ski", "Wear"),
];
const MAKERS: [&str; 8] = ["acme", "brill", "corva", "dunmo", "elsto", "farro", "gimpa", "hulda"];
const COLORS: [&str; 5] = ["red", "teal", "mauve", "beige", "olive"];

/// Writes every required file below `folder`.
pub(super) fn write_sources(folder: &Path) {
    search_results(folder);
    offers(folder);
    segmented_queries(folder);
    taxonomies(folder);
    catalogues(folder);
}

fn search_results(folder: &Path) {
    let mut home_depot =
        String::from("\"id\",\"product_uid\",\"product_title\",\"search_term\",\"relevance\"\n");
    let mut corrections = String::new();
    let mut folds =
        vec![
            String::from("id,query,product_title,product_description,median_relevance,variance\n");
            10
        ];
    let ratings = ["3", "2.67", "2", "1.33", "1", "2.33"];
    let mut id = 0;
    for (t, (thing, kind, _)) in THINGS.iter().enumerate() {
        for (c, color) in COLORS.iter().enumerate() {
            let kind = kind.to_lowercase();
            for (m, maker) in MAKERS.iter().enumerate().take(4) {
                id += 1;
                let title = format!("{maker} {kind} {thing} {}-{m}{c} &amp; stand", t * 7 + 100);
                let uid = t * 100 + m * 10 + c;
                let rating = ratings[(t + m + c) % ratings.len()];
                for query in [format!("{color} {kind} {thing}"), format!("{thing} {maker} {c}")] {
                    writeln!(home_depot, "{id},{uid},\"{title}\",\"{query}\",{rating}").unwrap();
                }
                let row = format!(
                    "{id},{thing} for {kind} {m},Fine {title},<b>{color}</b>,{},0\n",
                    1 + (m + c) % 4
                );
                folds[id % 10].push_str(&row);
            }
            writeln!(corrections, "'{color} {thing}zz {kind}': '{color} {thing} {kind}',").unwrap();
        }
    }
    write(folder, "home_depot_search_relevance/train.csv", home_depot.as_bytes());
    write(folder, "home_depot_spelling/spellCheckingDict.txt", corrections.as_bytes());
    for (fold, text) in folds.iter().enumerate() {
        let file = format!("crowdflower_search_relevance/fold-{}.csv", fold + 1);
        write(folder, &file, text.as_bytes());
    }
}

fn offers(folder: &Path) {
    let mut aggregate = String::from(
        "product_id,product_title,vendor_id,cluster_id,cluster_label,category_id,category_label\n",
    );
    let categories = ["TVs", "CPUs", "Fridges", "Microwaves"];
    for id in 0..240 {
        let (cluster, category) = (id / 3, categories[id / 60]);
        let maker = MAKERS[cluster % 8];
        writeln!(aggregate, "{id},{maker} {category} m{cluster} shop {id},1,{cluster},{maker} {cluster},1,{category}").unwrap();
    }
    write(folder, "pricerunner/pricerunner_aggregate.csv", aggregate.as_bytes());
    for (set, files) in crate::sources::MATCHING_SETS {
        for (f, file) in files.iter().enumerate() {
            let mut lines = String::new();
            for i in 0..30 {
                let (thing, kind, _) = THINGS[(i + f) % 12];
                let (maker, model) = (MAKERS[i % 8], i * 10 + f);
                let offer = |model: usize, more: &str| {
                    format!(
                        "COL title VAL {maker} {kind} {thing} {set}{model} {more} COL category VAL {kind} {thing}s COL price VAL 3"
                    )
                };
                writeln!(lines, "{}\t{}\t1", offer(model, "boxed"), offer(model, "new")).unwrap();
                writeln!(lines, "{}\t{}\t0", offer(model, "boxed"), offer(model + 1, "new"))
                    .unwrap();
            }
            write(folder, &format!("er_products_ditto/{set}/{file}"), lines.as_bytes());
        }
    }
}

fn segmented_queries(folder: &Path) {
    let mut examples = Vec::new();
    for (thing, kind, _) in THINGS {
        for (i, color) in COLORS.iter().enumerate() {
            for maker in &MAKERS[i % 3..] {
                let kind = kind.to_lowercase();
                examples.push(format!(
                    r#"{{"tokens":["{maker}","{color}","{kind}","{thing}"],"ner_tags":[11,3,9,10]}}"#
                ));
            }
        }
    }
    for (file, part) in ["train", "validation", "test"].iter().zip(examples.chunks(180)) {
        let text = format!("{{\"examples\":[{}]}}", part.join(","));
        write(folder, &format!("queryner/{file}.json"), text.as_bytes());
    }
}

fn taxonomies(folder: &Path) {
    let mut google = String::from("# made up\n");
    let mut shopify = String::from("# made up\n\n");
    let mut mapping = String::from("# made up\n");
    let mut rules = Vec::new();
    for (b, (thing, kind, branch)) in THINGS.iter().enumerate() {
        let class = format!("{branch} > {thing}s");
        for node in [
            class.clone(),
            format!("{class} > {kind} {thing}s"),
            format!("{class} > {kind} {thing} Covers"),
        ] {
            writeln!(google, "{b} - {node}").unwrap();
            writeln!(shopify, "gid://x/{b} : {node}").unwrap();
            writeln!(mapping, "→ {node}\n⇒ {node}\n").unwrap();
            rules.push(format!(
                r#"{{"input":{{"category":{{"full_name":"{node}"}}}},"output":{{"category":[{{"full_name":"{node}"}}]}}}}"#
            ));
        }
    }
    for node in [
        "Electronics > Video > Televisions",
        "Electronics > Electronics Accessories > Computer Components > Computer Processors",
        "Home & Garden > Kitchen & Dining > Kitchen Appliances > Refrigerators",
        "Home & Garden > Kitchen & Dining > Kitchen Appliances > Microwave Ovens",
    ] {
        writeln!(google, "9 - {node}").unwrap();
    }
    write(folder, "google_product_taxonomy/taxonomy-with-ids.en-US.txt", google.as_bytes());
    write(folder, "shopify_product_taxonomy/categories.txt", shopify.as_bytes());
    let file = "shopify_product_taxonomy/shopify_2025-08_to_google_2021-09-21.txt";
    write(folder, file, mapping.as_bytes());
    let json = format!(r#"{{"mappings":[{{"rules":[{}]}}]}}"#, rules.join(","));
    write(
        folder,
        "shopify_product_taxonomy/shopify_2022-02_to_shopify_2025-08.json",
        json.as_bytes(),
    );
}

fn catalogues(folder: &Path) {
    let mut products = String::from("product_id,product_name,aisle_id,department_id\n");
    let mut flipkart = String::from("product_name,product_category_tree,brand\n");
    let (mut aisles, mut departments) =
        (String::from("aisle_id,aisle\n"), String::from("department_id,department\n"));
    for (t, (thing, kind, branch)) in THINGS.iter().enumerate() {
        writeln!(aisles, "{t},\"{thing} goods\"").unwrap();
        if t % 4 == 0 {
            writeln!(departments, "{},{branch}", t / 4).unwrap();
        }
        for (m, maker) in MAKERS.iter().enumerate() {
            writeln!(products, "{t}{m},{maker} Organic {thing} {m},{t},{}", t / 4).unwrap();
            writeln!(flipkart, "{maker} {kind} item {m},\"[\"\"{branch} >> {kind} {thing}s >> {maker} ...\"\"]\",{maker}").unwrap();
        }
    }
    write(folder, "instacart_sample/products.csv", products.as_bytes());
    write(folder, "instacart_sample/aisles.csv", aisles.as_bytes());
    write(folder, "instacart_sample/departments.csv", departments.as_bytes());
    write(folder, "flipkart_sample/flipkart_com-ecommerce_sample_1050.csv", flipkart.as_bytes());
}

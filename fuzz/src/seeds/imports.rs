//! Seeds for the readers of judgements and maps.

use super::of_repository;

pub(crate) fn judgements() -> Vec<Vec<u8>> {
    [
        "q1 0 d1 2\nq1 0 d2 0\nq2 0 d1 -1\n",
        "q1 Q0 d1 1 0.5 tag\nq1 Q0 d2 2 -1e3 tag\n",
        "query,docid,rating,ann\n\"red, dress\",d1,2,1\n",
        r#"{"name": "n", "judgmentRatings": [{"query": "q", "ratings": [{"docId": "d", "rating": "3.000"}, {"docId": "e", "rating": 1}]}]}"#,
        r#"{"requests": [{"id": "q", "request": {"query": {"match": {"t": "drill"}}}, "ratings": [{"_index": "i", "_id": "d", "rating": 0}]}]}"#,
        r#"[{"id": 1, "data": {"query": "q", "n": [1]}, "annotations": [{"id": 2, "completed_by": {"email": "a"}, "result": [{"value": {"choices": ["x"]}}]}]}]"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub(crate) fn map() -> Vec<Vec<u8>> {
    let small = r#"
name = "m"
task = "query-product"
empty = "skip"
[ratings]
path = "ratings.csv"
[tables.p]
path = "products.csv"
key = ["id"]
on = ["p"]
missing = "skip"
[left]
text = "q"
[right]
title = "p.title"
attributes = [["name", "p.name"]]
type_path = { column = "p.title", separator = " " }
[label]
column = "stars"
thresholds = [2, 4]
skip = [""]
"#;
    let long = small
        .replace("missing = \"skip\"", "missing = \"empty\"\nnames = \"name\"\nvalues = \"value\"")
        .replace("p.title", "p.color")
        .replace("attributes = [[\"name\", \"p.name\"]]", "attributes = { table = \"p\" }");
    let raters = format!("{small}[raters]\ncolumn = \"who\"\naggregate = \"dawid-skene\"\n");
    let filters =
        format!("{small}[[where]]\ncolumn = \"stars\"\nmin = 2\n[language]\nkeep = [\"eng\"]\n");
    let published = ["esci", "wands", "home-depot"]
        .map(|name| of_repository(&format!("recipes/import/{name}.toml")));
    [small.to_owned(), long, raters, filters]
        .into_iter()
        .chain(published)
        .map(String::into_bytes)
        .collect()
}

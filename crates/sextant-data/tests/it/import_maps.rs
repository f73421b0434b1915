//! The maps that are published in `recipes/import`, on small files of exactly the published schemas.

use crate::import_support::{esci, further, grades, published, run};
use sextant_data::Format;
use sextant_data::import::ImportMap;
use std::path::Path;

#[test]
fn esci_by_its_published_schema() {
    let folder = tempfile::tempdir().unwrap();
    esci(folder.path());
    for format in [Format::Jsonl, Format::Parquet] {
        let (rows, report) = run(&published("esci.toml"), folder.path(), format).unwrap();
        assert_eq!(grades(&rows), [2, 1, 0, 0]);
        let right = serde_json::to_value(&rows[0].pair.right).unwrap();
        let expected = serde_json::json!({
            "title": "Drill 18V", "brand": "Acme", "description": "with battery and case Two-speed drill",
            "attributes": [["color", "Red"]],
        });
        assert_eq!(right, expected);
        assert_eq!(rows[1].pair.right.text(), "Hammer & nails");
        let row = &rows[3];
        assert_eq!((row.id.as_deref(), row.group.as_deref()), (Some("5"), Some("9")));
        assert_eq!(row.split.unwrap().as_str(), "test");
        assert_eq!(row.source.as_deref(), Some("esci"));
        assert_eq!(further(row, "doc_id"), Some("B02"));
        assert_eq!(further(row, "query_id"), Some("9"));
        assert_eq!(further(row, "product_locale"), Some("us"));
        assert_eq!((report.read, report.written, report.conditions, report.empty), (6, 4, 1, 1));
        assert_eq!(report.grades, [2, 1, 1]);
    }
    // The other locale's product is another one.
    let spanish = published("esci.toml").replace("is = [\"us\"]", "is = [\"es\"]");
    let (rows, _) = run(&spanish, folder.path(), Format::Jsonl).unwrap();
    assert_eq!(rows[0].pair.right.text(), "Taladro 18V");
}

#[test]
fn wands_by_its_published_schema() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "query.csv",
        "query_id\tquery\tquery_class\n0\tsalon chair\tMassage Chairs\n1\tsmart coffee table\tCoffee & Cocktail Tables\n",
    );
    write(
        "product.csv",
        "product_id\tproduct_name\tproduct_class\tcategory hierarchy\tproduct_description\tproduct_features\trating_count\taverage_rating\treview_count\n\
         0\tsolid wood platform bed\tBeds\tFurniture / Bedroom Furniture / Beds & Headboards / Beds\tgood , deep sleep\toverallwidth : 64.7|dsprimaryproductstyle : modern|broken\t15.0\t4.5\t15.0\n\
         1\tall-clad slow cooker\tSlow Cookers\t\t\t\t\t\t\n",
    );
    write(
        "label.csv",
        "id\tquery_id\tproduct_id\tlabel\n0\t0\t0\tIrrelevant\n1\t1\t0\tPartial\n2\t1\t1\tExact\n",
    );
    let (rows, _) = run(&published("wands.toml"), folder.path(), Format::Jsonl).unwrap();
    assert_eq!(grades(&rows), [0, 1, 2]);
    assert_eq!(rows[1].pair.left.text(), "smart coffee table");
    let expected = serde_json::json!({
        "title": "solid wood platform bed", "description": "good , deep sleep",
        "attributes": [["overallwidth", "64.7"], ["dsprimaryproductstyle", "modern"]],
        "type_path": ["Furniture", "Bedroom Furniture", "Beds & Headboards", "Beds"],
    });
    assert_eq!(serde_json::to_value(&rows[0].pair.right).unwrap(), expected);
    assert_eq!(further(&rows[2], "query_class"), Some("Coffee & Cocktail Tables"));
    assert_eq!(further(&rows[2], "product_class"), Some("Slow Cookers"));
}

#[test]
fn home_depot_by_its_published_schema() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    write("train.csv", b"\"id\",\"product_uid\",\"product_title\",\"search_term\",\"relevance\"\n2,100001,\"Simpson 12-Gauge Angle\",\"angle bracket\",3\n3,100001,\"Simpson 12-Gauge Angle\",\"l bracket\",2.33\n9,100002,\"BEHR Jos\xe9 Deck Over\",\"deck over\",1.33\n");
    write("product_descriptions.csv", b"\"product_uid\",\"product_description\"\n100001,\"Not only do angles make joints stronger\"\n");
    write("attributes.csv", b"\"product_uid\",\"name\",\"value\"\n100001,\"Bullet01\",\"Versatile\"\n100001,\"Gauge\",\"12\"\n100001,\"MFG Brand Name\",\"Simpson Strong-Tie\"\n100009,\"Gauge\",\"9\"\n100001,\"Material\",\"Steel\"\n,,\n");
    let (rows, report) = run(&published("home-depot.toml"), folder.path(), Format::Jsonl).unwrap();
    assert_eq!(grades(&rows), [2, 1, 0]);
    let expected = serde_json::json!({
        "title": "Simpson 12-Gauge Angle", "brand": "Simpson Strong-Tie",
        "description": "Not only do angles make joints stronger",
        "attributes": [["Gauge", "12"], ["Material", "Steel"]],
    });
    assert_eq!(serde_json::to_value(&rows[1].pair.right).unwrap(), expected);
    assert_eq!(rows[2].pair.right.text(), "BEHR José Deck Over");
    assert_eq!(report.written, 3);
}

#[test]
fn crowdflower_and_query_pairs_by_their_published_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "train.csv",
        "\"id\",\"query\",\"product_title\",\"product_description\",\"median_relevance\",\"relevance_variance\"\n1,\"bridal shower\",\"Accent Pillow\",\"<style>p{}</style>Red <b>satin</b>\",1,0\n2,\"led lights\",\"String lights\",,4,0.471\n4,\"led lights\",\"Lamp\",,3,0.1\n",
    );
    let (rows, _) = run(&published("crowdflower.toml"), folder.path(), Format::Jsonl).unwrap();
    assert_eq!(grades(&rows), [0, 2, 1]);
    let right = serde_json::to_value(&rows[0].pair.right).unwrap();
    assert_eq!(right["description"], "Red satin");
    assert_eq!(further(&rows[1], "relevance_variance"), Some("0.471"));

    write(
        "train.tsv",
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tiphone case\tcase for iphone\t1\n1\t3\t4\tred dress\tblue dress\t0\n2\t5\t6\t\tx\t0\n3\t9\t8\tcase for iPhone\tiphone  case\t1\n",
    );
    let (rows, report) = run(&published("query-pairs.toml"), folder.path(), Format::Jsonl).unwrap();
    assert_eq!(grades(&rows), [2, 0]);
    // The fourth pair is the first one with its sides exchanged.
    assert_eq!((report.empty, report.duplicates, report.contradictions), (1, 1, 0));
}

#[test]
fn the_map_of_the_guide_is_one() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/import.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let blocks: Vec<&str> = guide.split("```toml\n").skip(1).collect();
    let block = |at: usize| blocks[at].split("```").next().unwrap();
    let map = format!("{}{}", block(0), block(1));
    let map = ImportMap::parse(&map, Path::new("import.md")).unwrap();
    assert_eq!(map.tables["product"].key, ["id", "locale"]);
    assert_eq!(map.raters.unwrap().min, 2);
}

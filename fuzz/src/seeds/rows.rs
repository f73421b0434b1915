//! Seeds for the readers of rows.

use crate::Scratch;
use sextant_core::{Example, Grade, Product, Task};
use sextant_data::write_examples;
use sextant_files::Existing;

const SEPARATED: [&str; 8] = [
    "task,left,right,grade\nquery-type,drill,tools,2\nquery-product,\"a \"\"b\"\", c\",d,0\n",
    "\u{feff}left,right,note\r\na,b,\"one\r\ntwo\"\r\n",
    "id,task,left,right,grade,group,weight,source,origin,split\n1,type-type,a,b,partial,g,0.5,s,human,train\n",
    "task,left,right\nquery-type,\"a\" b,c\nquery-type,19\" wide,c\n",
    "task;left;right\nquery-type;a;b\n",
    "task,left,right\nproduct-product,\"{\"\"title\"\":\"\"x\"\",\"\"attributes\"\":{\"\"a\"\":1}}\",b\n",
    "task,left,right\n\n\nquery-type,a,b\rquery-type,a\n",
    "task,left,right\nquery-type,\"a \\\"b\\\" c\",d\nquery-type,\"never closed",
];

const JSONL: [&str; 6] = [
    "{\"task\":\"query-product\",\"left\":\"drill\",\"right\":{\"title\":\"Drill\",\"brand\":null,\"attributes\":[[\"v\",\"18\"]],\"type_path\":[\"a\",\"b\"]},\"grade\":2}\n",
    "{\"task\":\"query-type\",\"left\":\"a\",\"right\":\"b\",\"weight\":0.25,\"group\":\"g\",\"extra\":{\"x\":[1,2.5,null,true]}}\n\n{\"left\":1}\n",
    "{\"left\":\"\\ud83d\\ude00 \\u0000\",\"right\":\"b\",\"grade\":\"relevant\",\"split\":\"dev\",\"origin\":\"derived\",\"id\":17}\n",
    "{\"left\":\"a\",\"right\":{\"title\":\"t\",\"attributes\":[{\"name\":\"n\",\"value\":3}],\"description\":\"d\"}}",
    "{\"left\":\"a\",\"left\":\"b\",\"right\":\"c\",\"n\":1e400,\"m\":123456789012345678901234567890}\r\n",
    "[1,2]\nnull\n\"x\"\n{\"left\":[[[[[[\n",
];

/// Every text with a byte in front that chooses options; the choices are used in turn.
fn chosen<T: AsRef<[u8]>>(choices: &[u8], texts: &[T]) -> Vec<Vec<u8>> {
    let seed =
        |(number, text): (usize, &T)| [&[choices[number % choices.len()]], text.as_ref()].concat();
    texts.iter().enumerate().map(seed).collect()
}

pub(crate) fn separated() -> Vec<Vec<u8>> {
    let tabs: Vec<String> = SEPARATED.iter().map(|text| text.replace(',', "\t")).collect();
    [
        chosen(&[0, 64, 128, 65], &SEPARATED),
        chosen(&[32, 96, 160, 97], &tabs),
        chosen(&[64], &utf_16(SEPARATED[0])),
    ]
    .concat()
}

pub(crate) fn jsonl() -> Vec<Vec<u8>> {
    [chosen(&[0, 64, 128, 65], &JSONL), chosen(&[64], &utf_16(JSONL[0]))].concat()
}

/// The text as UTF-16 in both byte orders, with a byte order mark.
fn utf_16(text: &str) -> [Vec<u8>; 2] {
    let units = || std::iter::once(0xfeff).chain(text.encode_utf16());
    [units().flat_map(u16::to_le_bytes).collect(), units().flat_map(u16::to_be_bytes).collect()]
}

pub(crate) fn parquet() -> Vec<Vec<u8>> {
    let scratch = Scratch::new().unwrap_or_else(|error| panic!("no scratch folder: {error}"));
    let path = scratch.path().join("seed.parquet");
    let product = Product {
        title: "Drill".into(),
        brand: Some("Acme".into()),
        attributes: vec![("volts".into(), "18".into())],
        ..Product::default()
    };
    let mut whole = Example::new(Task::QueryProduct, "drill", product, Grade::Relevant);
    whole.group = Some("g".into());
    whole.weight = 0.5;
    let plain = Example::new(Task::QueryType, "drill", "tools", Grade::Partial);
    [vec![plain.clone()], vec![whole.clone(), plain.clone()], vec![plain; 300]]
        .into_iter()
        .map(|examples| {
            write_examples(&path, &examples, Existing::Own)
                .and_then(|()| {
                    std::fs::read(&path).map_err(|e| sextant_data::DataError::read(&path, e))
                })
                .unwrap_or_else(|error| panic!("{error}"))
        })
        .collect()
}

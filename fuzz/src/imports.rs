//! Readers of other programs' judgements, and of the maps by which their tables are imported.

use crate::{Scratch, is_read};
use sextant_data::exchange::{ExchangeFormat, read, read_qrels, read_run};
use sextant_data::import::{ImportMap, ImportOptions, import};
use sextant_data::{Format, Output};
use std::ops::ControlFlow;
use std::path::Path;

/// Judgements, in every format in turn.
pub(crate) fn judgements(scratch: &Scratch, bytes: &[u8]) -> bool {
    let path = scratch.file("judgements", bytes);
    let tables = ExchangeFormat::ALL.map(|format| is_read(read(&path, format)));
    let trec = [is_read(read_qrels(&path)), is_read(read_run(&path))];
    tables.into_iter().chain(trec).any(|read| read)
}

/// A map, by which a small table is imported.
pub(crate) fn map(scratch: &Scratch, bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(map) = ImportMap::parse(text, Path::new("map.toml")) else { return false };
    // Only tables of the scratch folder are opened, whatever a changed map names.
    let tables = map.tables.values().map(|table| &table.path).chain([&map.ratings.path]);
    if tables.into_iter().any(|path| !["ratings.csv", "products.csv"].contains(&path.as_str())) {
        return false;
    }
    scratch.file(
        "ratings.csv",
        b"q,p,who,stars\ndrill,1,ann,5\ndrill,1,bob,1\nsaw,2,ann,3\nsaw,,bob,\n",
    );
    scratch.file(
        "products.csv",
        b"id,title,name,value\n1,<b>Drill</b>,color,red\n2,Saw | a : b,size,5\n1,Drill,volts,18\n",
    );
    let options = ImportOptions {
        sources: scratch.path().to_owned(),
        output: Output::stream("output", Box::new(std::io::sink())),
        format: Format::Jsonl,
        temporary: scratch.path().to_owned(),
    };
    is_read(import(&map, options, &mut |_| ControlFlow::Continue(())))
}

use super::super::shape::{Key, KeyKind};
use super::*;
use proptest::prelude::*;
use std::io::BufReader;

type Rows = Vec<(u64, Vec<Vec<u8>>)>;

fn dialect(quoting: Quoting) -> Dialect {
    Dialect { separator: b',', quoting, stated: false, max_row_bytes: 1 << 20 }
}

/// All rows up to a fault, read through a buffer of the given size.
fn scan(
    text: &[u8],
    dialect: Dialect,
    shape: Option<Shape>,
    buffer: usize,
) -> (Rows, Option<Fault>) {
    let mut scanner = Scanner::new(BufReader::with_capacity(buffer, text), dialect);
    scanner.machine.shape = shape;
    let mut rows = Vec::new();
    loop {
        match scanner.next() {
            Ok(Some(cells)) => rows.push((cells.line, cells.iter().map(<[u8]>::to_vec).collect())),
            Ok(None) => return (rows, None),
            Err(fault) => return (rows, Some(fault)),
        }
    }
}

/// Rows as `line: cell|cell`, then the fault, if any.
fn said(text: &str, quoting: Quoting, shape: Option<Shape>) -> Vec<String> {
    let one = scan(text.as_bytes(), dialect(quoting), shape, 1);
    let (rows, fault) = scan(text.as_bytes(), dialect(quoting), shape, 1 << 16);
    assert_eq!(format!("{one:?}"), format!("{:?}", (&rows, &fault)), "the buffer plays no part");
    let row = |(line, cells): (u64, Vec<Vec<u8>>)| {
        let cells: Vec<_> = cells.iter().map(|cell| String::from_utf8_lossy(cell)).collect();
        format!("{line}: {}", cells.join("|"))
    };
    let mut said: Vec<String> = rows.into_iter().map(row).collect();
    if let Some(fault) = fault {
        said.push(match fault {
            Fault::Read(error) => error.to_string(),
            Fault::RowTooLong { line, .. } => format!("{line}: too long"),
            Fault::Quote { line, cell, backslash, kind } => {
                format!("{line}.{cell}: {kind:?}{}", if backslash { " backslash" } else { "" })
            }
        });
    }
    said
}

#[test]
fn quoting_decides_what_a_quote_is() {
    let rfc = |text| said(text, Quoting::Rfc4180, None);
    assert_eq!(rfc("a,\"b,\"\"c\nd\",\n\n3/4\" pipe,x\r\n"), ["1: a|b,\"c\nd|", "4: 3/4\" pipe|x"]);
    assert_eq!(rfc("\"\"\n,\n\"a\""), ["1: ", "2: |", "3: a"]);
    assert_eq!(rfc("a\n\"b\" c,d\n"), ["1: a", "2.0: TextAfterQuote { line: 2 }"]);
    assert_eq!(rfc("a,\"b\" ,c"), ["1.1: TextAfterQuote { line: 1 }"]);
    assert_eq!(rfc("a,\"b\nc"), ["1.1: Unclosed"]);
    // Spark escapes quotes by a backslash: read as RFC 4180, and as Spark means it.
    let spark = "\"TV 32\\\"\",y\n\"TV \\\\\",\"C:\\dir\"\n";
    assert_eq!(rfc(spark), ["1.0: TextAfterQuote { line: 2 } backslash"]);
    assert_eq!(said(spark, Quoting::Backslash, None), ["1: TV 32\"|y", "2: TV \\|C:\\dir"]);
    let none = "\"24 inch,x\n32\",\"y\"\n";
    assert_eq!(said(none, Quoting::None, None), ["1: \"24 inch|x", "2: 32\"|\"y\""]);
    // A backslash at the end of the previous cell does not count for this cell.
    assert_eq!(rfc("a\\,\"\"x"), ["1.1: TextAfterQuote { line: 1 }"]);
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    for end in ["\n", "\r\n", "\r"] {
        let text = "a,b\n\n\"c\n\nd\",e\n\n\nf,\"g".replace('\n', end);
        let inner = format!("3: c{end}{end}d|e");
        assert_eq!(said(&text, Quoting::Rfc4180, None), ["1: a|b", &inner, "8.1: Unclosed"]);
    }
    assert_eq!(said("a\n\rb\r\n\r\nc", Quoting::Rfc4180, None), ["1: a", "3: b", "5: c"]);
}

#[test]
fn rows_that_a_quote_swallows_are_seen() {
    let key = |column, kind| Some(Key { column, kind });
    let shape = |columns, key| Some(Shape { columns, key });
    let tasks = shape(3, key(0, KeyKind::Task));
    let swallowed = "query-query,tv,\"24 inch\nquery-query,tv,tv 32\"\nquery-query,a,b\n";
    assert_eq!(said(swallowed, Quoting::Rfc4180, tasks), ["1.2: HoldsRows { line: 2 }"]);
    // If the quoting is stated, such a cell is accepted.
    let stated = Dialect { stated: true, ..dialect(Quoting::Rfc4180) };
    assert_eq!(scan(swallowed.as_bytes(), stated, tasks, 99).0.len(), 2);
    // Without a task column, rows are recognized by their grades.
    let grades = shape(3, key(2, KeyKind::Grade));
    let swallowed = "tv,\"24 inch,1\nmonitor,tv 32,2\ntv,tv 32\",1\n";
    assert_eq!(said(swallowed, Quoting::Rfc4180, grades), ["1.1: HoldsRows { line: 2 }"]);
    let two = "tv,\"24 inch,1\ntv,tv 32\",1\n";
    assert_eq!(said(two, Quoting::Rfc4180, grades), ["1.1: HoldsRows { line: 2 }"]);
    // A text of several lines with as many commas as a row is still a text.
    let prose = "x,\"red, big\nblue, small\nand, so on\",1\ny,\"a\nb\",2\n";
    assert_eq!(said(prose, Quoting::Rfc4180, grades).len(), 2);
    let bare = shape(2, None);
    assert_eq!(said("x,\"red\nblue, small\"\n", Quoting::Rfc4180, bare).len(), 1);
    let many = format!("x,\"24 inch\n{}y,tv 32\"\n", "a,b\n".repeat(900));
    assert_eq!(said(&many, Quoting::Rfc4180, bare), ["1.1: HoldsRows { line: 2 }"]);
}

/// A row that a stray quote swallows may have quoted cells of its own, in which separators do not end a cell.
#[test]
fn swallowed_rows_with_quoted_cells_are_seen() {
    let key = |column, kind| Some(Key { column, kind });
    let tasks = Some(Shape { columns: 4, key: key(0, KeyKind::Task) });
    let grades = Some(Shape { columns: 3, key: key(2, KeyKind::Grade) });
    let rfc = |text: &str, shape| said(text, Quoting::Rfc4180, shape);
    let last = "query-product,\"3/4 pipe,Copper pipe,2\nquery-product,3/4\",\"Pipe, copper\",2\n";
    assert_eq!(rfc(last, tasks), ["1.1: HoldsRows { line: 2 }"]);
    assert_eq!(rfc(&last.replace('\n', "\r\n"), tasks), ["1.1: HoldsRows { line: 2 }"]);
    let doubled = last.replace("Pipe, copper", "Pipe, 3\"\"");
    assert_eq!(rfc(&doubled, tasks), ["1.1: HoldsRows { line: 2 }"]);
    let first = "query-product,\"a, b\",\"3/4 pipe,2\nquery-product,x,3/4\",2\n";
    assert_eq!(rfc(first, tasks), ["1.2: HoldsRows { line: 2 }"]);
    // The row before the swallowed one, or the swallowed row itself, also has a cell of several lines.
    let lines = "query-product,\"a\nb, c\",\"3/4 pipe,2\nquery-product,x,3/4\",2\n";
    assert_eq!(rfc(lines, tasks), ["1.1: HoldsRows { line: 3 }"]);
    let lines = "query-product,\"3/4 pipe,x,2\nquery-product,3/4\",\"Pipe,\ncopper\",2\n";
    assert_eq!(rfc(lines, tasks), ["1.1: HoldsRows { line: 2 }"]);
    let both = "query-product,\"a,b,d\nc\",\"3/4 ,2\nquery-product,x,3/4\",\",\n\"\n";
    assert_eq!(rfc(both, tasks), ["1.1: HoldsRows { line: 3 }"]);
    let graded = "\"3/4 pipe,Copper pipe,2\n3/4\",\"Pipe, copper\",1\n";
    assert_eq!(rfc(graded, grades), ["1.0: HoldsRows { line: 2 }"]);
    // A cell of several lines with separators is legal, even beside other cells with separators.
    for legal in [
        "query-product,\"drill\nwith case, red\",\"Drill, big\",2\n",
        "query-product,\"a, b\",\"Drill, red\nsecond, line\",2\n",
        "query-product,x,\"Drill, red\nsecond, \"\"line\"\", third\",2\n",
        "query-product,\"query-product, as a name\nquery-product\",\"x, y\",2\n",
        "query-product,\"a\nb, c\",\"d, e\nf, g, h, i\",2\n",
    ] {
        let rows = rfc(legal, tasks);
        assert!(rows.len() == 1 && rows[0].starts_with("1: "), "{rows:?}");
    }
    for legal in [
        "\"a, b\nc, d\",\"x, y\",2\n",
        "x,\"a\nb, 1, c\nd\",2\n",
        // The row's only grade is beside two cells of several lines.
        "\"a\nb, c\",\"d\ne\",2\n",
    ] {
        let rows = rfc(legal, grades);
        assert!(rows.len() == 1 && rows[0].starts_with("1: "), "{rows:?}");
    }
}

/// A line that contains the end of one of the row's own cells is not a swallowed row.
#[test]
fn the_cells_between_two_of_several_lines_are_the_rows_own() {
    let key = |column| Some(Key { column, kind: KeyKind::Task });
    for (columns, column, legal) in
        [(4, 1, "\"a\nb\",query-query,\"c,d\ne\",x\n"), (3, 1, "\"\n \",query-query,\"\n\"\n")]
    {
        let shape = Some(Shape { columns, key: key(column) });
        let (rows, fault) = scan(legal.as_bytes(), dialect(Quoting::Rfc4180), shape, 16);
        assert!(fault.is_none() && rows.len() == 1, "{legal}: {fault:?}");
    }
}

#[test]
fn a_row_is_bounded() {
    let small = Dialect { max_row_bytes: 100, ..dialect(Quoting::Rfc4180) };
    let read = |text: String| scan(text.as_bytes(), small, None, 16);
    let (rows, fault) = read(format!("a,b\nc,\"{}\n", "x\n".repeat(1000)));
    assert_eq!(rows.len(), 1);
    let kind = FaultKind::TooLong { limit: 100 };
    let Some(Fault::Quote { line: 2, cell: 1, kind: found, .. }) = fault else {
        panic!("{fault:?}")
    };
    assert_eq!(found, kind);
    let (_, fault) = read(format!("a\n\n{}", "x,".repeat(1000)));
    assert!(matches!(fault, Some(Fault::RowTooLong { line: 3, limit: 100 })), "{fault:?}");
    // Even of an endless row, no more bytes are kept than about the bound.
    let endless = Scanner::new(BufReader::new(std::io::repeat(b',')), small).next().err();
    assert!(matches!(endless, Some(Fault::RowTooLong { .. })));
    let (rows, fault) = read("0123456789\n".repeat(1000));
    assert!(fault.is_none());
    assert_eq!(rows.len(), 1000);
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

/// The number of columns, the task's column and another column `stray`, and the cells of two rows: once with
/// any texts, and once with plain texts. Tests use `stray` for the cell in which an inch mark opens in one
/// row and another one closes in the next.
fn rows_with_tasks() -> impl Strategy<Value = (usize, usize, usize, Vec<String>, Vec<String>)> {
    (2_usize..6, 0_usize..6, 0_usize..5).prop_flat_map(|(columns, task, stray)| {
        let (task, stray) = (task % columns, stray % (columns - 1));
        let stray = stray + usize::from(stray >= task);
        let any = prop::collection::vec("[a\",\n ]{0,6}", 2 * columns);
        let plain = prop::collection::vec("[a-c 0-9]{1,4}", 2 * columns);
        (Just(columns), Just(task), Just(stray), any, plain)
    })
}

/// A table whose cells have all characters that quoting has to deal with.
fn table() -> impl Strategy<Value = Vec<Vec<String>>> {
    (1_usize..5).prop_flat_map(|columns| {
        let row = prop::collection::vec("[a\",;|\t\n\r\\\\ é]{0,6}", columns);
        prop::collection::vec(row, 0..8)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Tables that the `csv` crate writes are read back unchanged.
    #[test]
    fn tables_round_trip(rows in table(), style in 0_usize..3, crlf: bool, buffer in 1_usize..40) {
        let style = [csv::QuoteStyle::Necessary, csv::QuoteStyle::Always, csv::QuoteStyle::NonNumeric][style];
        let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new().quote_style(style).terminator(end).from_writer(Vec::new());
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let (read, fault) = scan(&text, dialect(Quoting::Rfc4180), None, buffer);
        prop_assert!(fault.is_none(), "{:?}", fault);
        let read: Vec<Vec<Vec<u8>>> = read.into_iter().map(|(_, cells)| cells).collect();
        let rows: Vec<Vec<Vec<u8>>> =
            rows.iter().map(|row| row.iter().map(|cell| cell.clone().into_bytes()).collect()).collect();
        prop_assert_eq!(read, rows);
    }

    /// Tables whose quotes are escaped by backslashes are read back unchanged.
    #[test]
    fn tables_with_backslashes_round_trip(rows in table(), buffer in 1_usize..40) {
        let cell = |cell: &String| {
            format!("\"{}\"", cell.replace('\\', "\\\\").replace('"', "\\\""))
        };
        let row = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\n";
        let text: String = rows.iter().map(row).collect();
        let (read, fault) = scan(text.as_bytes(), dialect(Quoting::Backslash), None, buffer);
        prop_assert!(fault.is_none(), "{:?}", fault);
        let read: Vec<Vec<String>> = read
            .into_iter()
            .map(|(_, cells)| cells.into_iter().map(|cell| String::from_utf8(cell).unwrap()).collect())
            .collect();
        prop_assert_eq!(read, rows);
    }

    /// If there is no fault, the lenient `csv` crate reads the same rows; if there is one, it reads the same
    /// rows before it. So no bytes are lost without an error.
    #[test]
    fn rows_and_faults_account_for_every_byte(text in "[a\",\n\r\\\\]{0,40}", buffer in 1_usize..9) {
        let (rows, fault) = scan(text.as_bytes(), dialect(Quoting::Rfc4180), None, buffer);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let lenient: Vec<Vec<Vec<u8>>> = reader
            .byte_records()
            .map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect())
            .collect();
        let rows: Vec<Vec<Vec<u8>>> = rows.into_iter().map(|(_, cells)| cells).collect();
        if fault.is_none() {
            prop_assert_eq!(&rows, &lenient);
        } else {
            prop_assert_eq!(&rows[..], &lenient[..rows.len()]);
            prop_assert!(lenient.len() > rows.len());
        }
        // Without quoting, each line that is not blank is a row.
        let (rows, fault) = scan(text.as_bytes(), dialect(Quoting::None), None, buffer);
        prop_assert!(fault.is_none());
        prop_assert_eq!(rows.len(), text.split(['\n', '\r']).filter(|line| !line.is_empty()).count());
    }

    /// A file that follows the quoting rules, and in which no text names a task, is never refused.
    #[test]
    fn legal_rows_are_not_taken_for_swallowed_ones(
        (columns, task, _, any, _) in rows_with_tasks(), buffer in 1_usize..40,
    ) {
        let shape = Some(Shape { columns, key: Some(Key { column: task, kind: KeyKind::Task }) });
        let cell = |(at, cell): (usize, &String)| {
            if at == task { "query-query".to_owned() } else { quoted(cell) }
        };
        let row = |row: &[String]| row.iter().enumerate().map(cell).collect::<Vec<_>>().join(",");
        let text: String = any.chunks(columns).map(|cells| row(cells) + "\n").collect();
        let (rows, fault) = scan(text.as_bytes(), dialect(Quoting::Rfc4180), shape, buffer);
        prop_assert!(fault.is_none(), "{text}: {fault:?}");
        prop_assert_eq!(rows.len(), 2);
    }

    /// A row that is swallowed whole by an inch mark is found, whatever quoted cells are beside the marks.
    #[test]
    fn a_swallowed_row_is_seen_whatever_its_cells(
        (columns, task, stray, any, plain) in rows_with_tasks(), buffer in 1_usize..40,
    ) {
        let shape = Some(Shape { columns, key: Some(Key { column: task, kind: KeyKind::Task }) });
        let cells: Vec<String> = (0..2 * columns)
            .map(|i| match (i / columns, i % columns) {
                (_, at) if at == task => "query-query".to_owned(),
                (0, at) if at < stray => quoted(&any[i]),
                (0, at) if at == stray => format!("\"{}", plain[i]),
                (1, at) if at == stray => format!("{}\"", plain[i]),
                (1, at) if at > stray => quoted(&any[i]),
                _ => plain[i].clone(),
            })
            .collect();
        let [one, two] = [0, 1].map(|row| cells[row * columns..][..columns].join(","));
        let (rows, fault) =
            scan(format!("{one}\n{two}\n").as_bytes(), dialect(Quoting::Rfc4180), shape, buffer);
        let seen = matches!(fault, Some(Fault::Quote { kind: FaultKind::HoldsRows { .. }, .. }));
        prop_assert!(seen && rows.is_empty(), "{one}\n{two}: {rows:?} {fault:?}");
    }

    /// Any bytes give rows or a fault, and the same ones for every size of the buffer.
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200), buffer in 1_usize..50) {
        for quoting in [Quoting::Rfc4180, Quoting::Backslash, Quoting::None] {
            let shape = Some(Shape { columns: 2, key: Some(Key { column: 0, kind: KeyKind::Grade }) });
            let some = scan(&bytes, dialect(quoting), shape, buffer);
            let whole = scan(&bytes, dialect(quoting), shape, 1 << 16);
            prop_assert_eq!(format!("{some:?}"), format!("{whole:?}"));
        }
    }
}

//! What becomes a row, and as which values.

use std::io::Cursor;

use xxhash_rust::xxh3::xxh3_64;

use super::*;

#[test]
fn quoted_fields_hold_delimiters_line_ends_and_quotes() {
    let loaded = load(
        b"a,b\n1,\"x, y\"\n2,\"one\ntwo\r\nthree\"\n3,\"say \"\"hi\"\"\"\n4,\"\"\"\"\n5,z",
        "a long, b string",
    );
    assert_eq!(rows(&loaded), ["1|x, y", "2|one\ntwo\r\nthree", "3|say \"hi\"", "4|\"", "5|z"]);
    assert_eq!(loaded.lines, [2, 3, 6, 7, 8]);
    assert_eq!(loaded.damaged, None);
}

#[test]
fn line_ends_may_be_lf_or_crlf_and_the_last_is_optional() {
    for text in ["a,b\n1,x\n2,y\n", "a,b\r\n1,x\r\n2,y\r\n", "a,b\r\n1,x\n2,y", "a,b\n1,x\r\n2,y\r"]
    {
        let loaded = load(text.as_bytes(), "a long, b string");
        assert_eq!(rows(&loaded), ["1|x", "2|y"], "{text:?}");
        assert_eq!(loaded.lines, [2, 3]);
        assert_eq!(loaded.hashes[1], xxh3_64(b"2,y").cast_signed());
    }
    let quoted = load(b"a,b\r\n1,\"x\"\r\n2,\"y\"\r", "a long, b string");
    assert_eq!(rows(&quoted), ["1|x", "2|y"]);
}

#[test]
fn unquoted_empty_is_null_and_quoted_empty_is_empty_text() {
    let loaded = load(b"a,b,c\n,,\n\"\",\"\",\"\"\n , ,\t\n", "a string, b long, c date");
    assert_eq!(rows(&loaded), ["~|~|~", "|~|~", " |~|~"]);
}

#[test]
fn blank_lines_are_skipped_and_are_nulls_in_a_table_of_one_column() {
    let loaded = load(b"a,b\n\n1,x\n\r\n\n2,y\n\n", "a long, b string");
    assert_eq!((rows(&loaded), loaded.lines), (vec!["1|x".into(), "2|y".into()], vec![3, 6]));
    let single = load(b"a\n1\n\n2\n\"\"\n", "a string");
    assert_eq!(rows(&single), ["1", "~", "2", ""]);
    assert_eq!(single.lines, [2, 3, 4, 5]);
}

#[test]
fn a_quote_within_an_unquoted_field_is_data() {
    let loaded = load(b"a,b\n5'11\",6\"x\"\n \"q\",y\n", "a string, b string");
    assert_eq!(rows(&loaded), ["5'11\"|6\"x\"", " \"q\"|y"]);
}

#[test]
fn every_type_is_parsed_and_trimmed_but_strings() {
    let spec = "a boolean, b int, c long, d double, e decimal(12,2), f date, g timestamp, \
                h timestamptz, i string";
    let text = "a,b,c,d,e,f,g,h,i\n yes , 1 ,\"-2\",1.5, 3.1 ,2024-02-29,2024-01-01 10:00,\
                2024-01-01T10:00:00+02:00, x \n";
    let loaded = load(text.as_bytes(), spec);
    assert_eq!(loaded.refused(), []);
    let expected = "true|1|-2|1.5|3.10|2024-02-29|2024-01-01T10:00:00|2024-01-01T08:00:00Z| x ";
    assert_eq!(rows(&loaded), [expected]);
}

#[test]
fn columns_may_stand_in_any_order() {
    let loaded = load(b"B,c,A\nx,2024-01-01,1\n", "a long, b string, c date");
    assert_eq!(rows(&loaded), ["1|x|2024-01-01"]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_header() {
    let loaded = load(b"\xEF\xBB\xBF\"a\",b\n1,x\n", "a long, b string");
    assert_eq!(rows(&loaded), ["1|x"]);
}

#[test]
fn a_header_alone_has_no_records() {
    for text in ["a,b", "a,b\n", "a,b\r\n\r\n"] {
        let loaded = load(text.as_bytes(), "a long, b string");
        assert_eq!((loaded.counts.records(), loaded.damaged), (0, None));
    }
}

#[test]
fn another_delimiter_makes_commas_data() {
    let options = CsvOptions { delimiter: b'|', ..CsvOptions::default() };
    let loaded = load_with(b"a|b\n1|x,y\n2|\"p|q\"\n", "a long, b string", &options).unwrap();
    assert_eq!(loaded.rows[0][1].as_deref(), Some("x,y"));
    assert_eq!(loaded.rows[1][1].as_deref(), Some("p|q"));
}

#[test]
fn fifteen_hundred_columns_are_read() {
    let names: Vec<String> = (0..1500).map(|i| format!("c{i}")).collect();
    let spec: Vec<Column> = names.iter().map(|name| Column::new(name, ColumnType::Long)).collect();
    let values: Vec<String> = (0..1500).map(|i| i.to_string()).collect();
    let text = format!("{}\n{}\n", names.join(","), values.join(","));
    let reader = CsvReader::from_read(
        Cursor::new(text),
        "wide.csv",
        &spec,
        &Renames::new(),
        &CsvOptions::default(),
    );
    let loaded = read_all(reader.unwrap()).unwrap();
    assert_eq!(loaded.rows[0][1499].as_deref(), Some("1499"));
}

#[test]
fn a_cell_of_100_mb_is_a_row_and_cuts_the_batch() {
    let mut bytes = b"a,b\n1,\"".to_vec();
    bytes.extend(std::iter::repeat_n(b"line, of text\n", 100_000_000 / 14).flatten());
    bytes.extend_from_slice(b"\"\n2,x\n");
    let reader = CsvReader::from_read(
        Cursor::new(bytes),
        "cell.csv",
        &columns("a long, b string"),
        &Renames::new(),
        &CsvOptions::default(),
    );
    let mut reader = reader.unwrap();
    let first = reader.next_batch().unwrap().unwrap();
    assert_eq!((first.rows.num_rows(), first.rejects.len()), (1, 0));
    let second = reader.next_batch().unwrap().unwrap();
    assert_eq!(second.lines, [3 + 100_000_000 / 14]);
    assert!(reader.next_batch().unwrap().is_none());
}

#[test]
fn batches_are_cut_by_rows_and_by_bytes() {
    let text = format!("a,b\n{}", "1,abcdefgh\n".repeat(100));
    let sizes = |options: CsvOptions| {
        let source = Cursor::new(text.clone());
        let spec = columns("a long, b string");
        let mut reader =
            CsvReader::from_read(source, "t", &spec, &Renames::new(), &options).unwrap();
        let mut sizes = Vec::new();
        while let Some(batch) = reader.next_batch().unwrap() {
            sizes.push(batch.rows.num_rows());
        }
        sizes
    };
    let defaults = CsvOptions::default();
    assert_eq!(sizes(CsvOptions { batch_rows: 40, ..defaults.clone() }), [40, 40, 20]);
    assert_eq!(sizes(CsvOptions { batch_bytes: 330, ..defaults }), [30, 30, 30, 10]);
}

#[test]
fn a_source_that_gives_a_byte_at_a_time_is_read_whole() {
    let source = Trickle(Cursor::new(b"a,b\n1,\"x\ny\"\n2,z\n".to_vec()), 0);
    let spec = columns("a long, b string");
    let reader =
        CsvReader::from_read(source, "t", &spec, &Renames::new(), &CsvOptions::default()).unwrap();
    assert_eq!(rows(&read_all(reader).unwrap()), ["1|x\ny", "2|z"]);
}

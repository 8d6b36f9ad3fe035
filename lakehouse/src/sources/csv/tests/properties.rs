//! What holds for any bytes and any table.

use std::fs;

use proptest::prelude::*;

use super::*;

/// Bytes in which everything that matters to CSV is frequent.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => Just(b",".to_vec()),
        4 => Just(b"\n".to_vec()),
        4 => Just(b"\"".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\"\"".to_vec()),
        1 => Just(b"\0".to_vec()),
        1 => Just(b"\xff".to_vec()),
        2 => Just("é😀".as_bytes().to_vec()),
        4 => Just(b"7".to_vec()),
        4 => Just(b"abc".to_vec()),
        2 => Just(b"1,x\n".to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn spec(width: usize) -> &'static str {
    ["a string", "a long, b string", "a string, b string, c string"][width - 1]
}

/// Where each physical line starts.
fn line_starts(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_rows_and_rejects_and_nothing_is_lost_w1(tail in soup(), width in 1..4usize, max in 1..200usize) {
        let mut bytes = ["a\n", "a,b\n", "a,b,c\n"][width - 1].as_bytes().to_vec();
        bytes.extend(&tail);
        // `load_with` asserts that counts and bytes balance.
        let loaded = load_with(&bytes, spec(width), &CsvOptions::default()).unwrap();
        let starts = line_starts(&bytes);
        for reject in &loaded.rejects {
            let from = starts[usize::try_from(reject.line).unwrap() - 1];
            prop_assert!(bytes[from..].starts_with(&reject.raw), "a reject is the text at its line");
        }
        for block_bytes in [1, 2, 3, 5, 8, 13, 64] {
            let again = load_with(&bytes, spec(width), &options(block_bytes)).unwrap();
            prop_assert_eq!(&again, &loaded);
        }
        let limited = |block_bytes| {
            let options = CsvOptions { max_record_bytes: max, block_bytes, ..CsvOptions::default() };
            load_with(&bytes, spec(width), &options).map_err(|error| error.to_string())
        };
        let expected = limited(1 << 20);
        for block_bytes in [1, 2, 7, 64] {
            prop_assert_eq!(&limited(block_bytes), &expected);
        }
    }

    #[test]
    fn any_bytes_are_a_file_or_an_error_and_inference_fits_them(bytes in soup()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        fs::write(&path, &bytes).unwrap();
        let (renames, options) = (Renames::new(), CsvOptions::default());
        if let Ok(found) = infer(&[&path], &renames, &options) {
            let reader = CsvReader::open(&path, &found, &renames, &options).unwrap();
            let loaded = read_all(reader).unwrap();
            prop_assert!(loaded.rejects.iter().all(|reject| reject.reason.code() != "bad_value"));
        }
    }

    #[test]
    fn a_table_written_by_another_library_is_read_back_equal(
        table in prop::collection::vec(
            (any::<i64>(), prop::option::of("[ -~é\\n\\r\"]{0,12}"), any::<i32>(), any::<bool>()), 0..20),
        crlf in any::<bool>(), always in any::<bool>(), block_bytes in 1..64usize,
    ) {
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let mut writer = csv::WriterBuilder::new().terminator(terminator).quote_style(style).from_writer(Vec::new());
        writer.write_record(["a", "b", "c", "d"]).unwrap();
        let decimal = |value: i32| {
            let cents = value.unsigned_abs();
            format!("{}{}.{:02}", if value < 0 { "-" } else { "" }, cents / 100, cents % 100)
        };
        let mut expected = Vec::new();
        for (a, b, c, d) in &table {
            let text = b.clone().unwrap_or_default();
            let record = [a.to_string(), text.clone(), decimal(*c), d.to_string()];
            writer.write_record(&record).unwrap();
            // Without quotes an empty text cannot be told from NULL.
            let text = (always || !text.is_empty()).then_some(text);
            let [a, _, c, d] = record;
            expected.push(vec![Some(a), text, Some(c), Some(d)]);
        }
        let bytes = writer.into_inner().unwrap();
        let loaded = load_with(&bytes, "a long, b string, c decimal(12,2), d boolean", &options(block_bytes)).unwrap();
        prop_assert_eq!(loaded.refused(), vec![]);
        prop_assert_eq!(loaded.rows, expected);
    }

    #[test]
    fn inferred_values_print_as_they_were(values in prop::collection::vec("-?[0-9]{1,3}(\\.[0-9]{1,3})?", 1..4)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        fs::write(&path, format!("a\n{}\n", values.join("\n"))).unwrap();
        let (renames, options) = (Renames::new(), CsvOptions::default());
        let found = infer(&[&path], &renames, &options).unwrap();
        let reader = CsvReader::open(&path, &found, &renames, &options).unwrap();
        let loaded = read_all(reader).unwrap();
        let is_double = found[0].column_type == ColumnType::Double;
        let whole = values.iter().any(|value| !value.contains('.'));
        for (row, value) in loaded.rows.iter().zip(&values) {
            let text = row[0].clone().unwrap();
            // A double is shown with a point here; a column of doubles without one prints without.
            let shown = if is_double && whole { text.strip_suffix(".0").unwrap_or(&text) } else { &text };
            prop_assert_eq!(shown, value.as_str());
        }
    }
}

//! Which types are chosen.

use std::fs;

use super::*;

/// The type chosen for a column of these values.
fn chosen(values: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let text: String = values.iter().map(|value| format!("{value},x\n")).collect();
    fs::write(&path, format!("a,b\n{text}")).unwrap();
    let found = infer(&[&path], &Renames::new(), &CsvOptions::default()).unwrap();
    // No row may be refused because of the choice.
    let reader = CsvReader::open(&path, &found, &Renames::new(), &CsvOptions::default()).unwrap();
    assert_eq!(read_all(reader).unwrap().rejects, [], "{values:?} as {}", found[0].column_type);
    found[0].column_type.to_string()
}

#[test]
fn a_type_is_chosen_only_if_the_text_can_be_told_from_the_value() {
    let cases: [(&[&str], &str); 37] = [
        (&["1", "-20", "", "0"], "long"),
        (&["\"1\"", "\"\""], "long"),
        (&["999999999999999999"], "long"),
        (&["9999999999999999999"], "string"),
        (&["01"], "string"),
        (&["+1"], "string"),
        (&["-0"], "double"),
        (&[" 1"], "string"),
        (&["1", "x"], "string"),
        (&["1.50", "-0.25", ""], "decimal(18,2)"),
        (&["1.5", "0.0"], "decimal(18,1)"),
        (&["99999999999999.9999"], "decimal(18,4)"),
        (&["999999999999999.9999"], "string"),
        (&["1.50", "1.5"], "string"),
        (&["-0.00"], "string"),
        (&["1.5", "1.25"], "double"),
        (&["1", "1.5"], "double"),
        (&["1.0", "1.25"], "double"),
        (&["1.0", "1", "1.25"], "string"),
        (&["42.36877442769006", "NaN"], "double"),
        (&["NaN"], "string"),
        (&["Infinity", "1.25"], "string"),
        (&["0.1", "10000000000000000000"], "string"),
        (&["2024-02-29", ""], "date"),
        (&["2023-02-29"], "string"),
        (&["2024-01-01T10:00:00Z", "2024-01-01T10:00:01Z"], "timestamptz"),
        (&["2024-01-01T10:00:00+02:00"], "timestamptz"),
        (&["2024-01-01T10:00:00+02:00", "2024-01-01T10:00:00+01:00"], "string"),
        (&["2024-01-01T10:00:00Z", "2024-01-01T10:00:00+00:00"], "string"),
        (&["2024-01-01T10:00:00", "2024-01-01T10:00:01"], "timestamp"),
        (&["2024-01-01 10:00:00", "2024-01-01T10:00:01"], "string"),
        (&["2024-01-01 10:00", "2024-01-01 10:00:01"], "string"),
        (&["2024-01-01 10:00:00.1234560"], "string"),
        (&["2024-01-01", "2024-01-01 10:00"], "string"),
        (&["true", "false"], "boolean"),
        (&["True"], "string"),
        (&["", ""], "string"),
    ];
    for (values, expected) in cases {
        assert_eq!(chosen(values), expected, "{values:?}");
    }
}

#[test]
fn malformed_records_do_not_count() {
    assert_eq!(chosen_raw(b"a,b\n1,x\ny,z,w\n2,x\nq,\"r\"s\n\xc3,\n").as_str(), "long");
}

fn chosen_raw(text: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, text).unwrap();
    let found = infer(&[&path], &Renames::new(), &CsvOptions::default()).unwrap();
    found[0].column_type.to_string()
}

#[test]
fn all_records_of_all_files_count_and_the_first_gives_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1.csv"), folder.path().join("2.csv"));
    fs::write(&first, format!("B,a\n{}", "1,2.50\n".repeat(50_000))).unwrap();
    fs::write(&second, format!("a,b\n{}3.50,late\n", "1.25,7\n".repeat(50_000))).unwrap();
    let found = infer(&[first, second], &Renames::new(), &CsvOptions::default()).unwrap();
    assert_eq!(found, columns("b string, a decimal(18,2)"));
}

#[test]
fn files_of_different_tables_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1.csv"), folder.path().join("2.csv"));
    fs::write(&first, "a,b\n").unwrap();
    fs::write(&second, "a,c\n").unwrap();
    let error = infer(&[first, second], &Renames::new(), &CsvOptions::default()).unwrap_err();
    assert_eq!((error.context("missing"), error.context("extra")), (Some("b"), Some("column 2")));
    assert!(infer::<&str>(&[], &Renames::new(), &CsvOptions::default()).is_err());
}

//! Headers: names, renames, and what is no header.

use std::io::Cursor;

use northstar_catalog::ErrorKind;

use super::*;

fn header(bytes: &[u8], renames: &[(&str, &str)]) -> Result<Header> {
    let renames = renames.iter().map(|(key, name)| ((*key).into(), (*name).into())).collect();
    let read = |options: &CsvOptions| {
        read_header_from(Cursor::new(bytes.to_vec()), "visits.csv", &renames, options)
    };
    let found = read(&CsvOptions::default());
    let again = read(&options(1));
    assert_eq!(found.as_ref().ok(), again.as_ref().ok(), "blocks of one byte");
    found
}

fn names(header: &Header) -> Vec<&str> {
    header.columns.iter().map(|column| column.name.as_str()).collect()
}

#[test]
fn names_are_normalised_and_the_raw_text_is_kept() {
    let found =
        header("Id, Birth Date ,\"Näme, \"\"x\"\"\",ZIP-Code#,2nd\n".as_bytes(), &[]).unwrap();
    assert_eq!(names(&found), ["id", "birth_date", "n_me___x", "zip_code", "2nd"]);
    assert_eq!(found.columns[1].raw, " Birth Date ");
    assert_eq!(found.columns[2].raw, "Näme, \"x\"");
    assert_eq!(found.next_line, 2);
}

#[test]
fn blank_lines_before_the_header_are_skipped() {
    let found = header(b"\xEF\xBB\xBF\r\n \na,b\n", &[]).unwrap();
    assert_eq!((names(&found), found.next_line), (vec!["a", "b"], 4));
}

#[test]
fn a_bad_name_is_an_error_with_file_column_and_the_rename_that_resolves_it() {
    let cases: [(&str, &str, &str); 8] = [
        ("a,,c", "2", "\"#2\" = "),
        ("a,  ,c", "2", "\"#2\" = "),
        ("a,b,a", "3", "\"TEXT#2\" = "),
        ("Id,b,ID", "3", "\"TEXT\" = "),
        ("a b,a-b", "2", "\"TEXT\" = "),
        ("a,_seq", "2", "\"TEXT\" = "),
        ("a,???", "2", "\"TEXT\" = "),
        ("a,b,a,a", "3", "\"TEXT#2\" = "),
    ];
    for (text, column, key) in cases {
        let error = header(text.as_bytes(), &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{text}");
        assert_eq!(error.context("file"), Some("visits.csv"));
        assert_eq!(error.context("column"), Some(column), "{text}");
        assert!(error.message().contains(key), "{error}");
    }
}

#[test]
fn the_first_record_of_a_file_without_a_header_is_not_told() {
    for text in ["Maynard,Maynard\n", "_Maynard,1\n", "Maynard,MAYNARD\n"] {
        let error = header(text.as_bytes(), &[]).unwrap_err().to_string();
        assert!(!error.to_lowercase().contains("maynard"), "{error}");
    }
    let error = load_with(b"a,Maynard\n", "a long, b long", &CsvOptions::default()).unwrap_err();
    assert!(!error.to_string().contains("Maynard"), "{error}");
}

#[test]
fn renames_resolve_every_bad_name() {
    let renames = [
        ("#2", "second"),
        ("a#2", "a_again"),
        ("a#3", "a_third"),
        ("ID", "id_upper"),
        ("_seq", "their_seq"),
        ("not there", "x"),
    ];
    let found = header(b"a,,a,id,ID,_seq,a\n", &renames).unwrap();
    assert_eq!(names(&found), ["a", "second", "a_again", "id", "id_upper", "their_seq", "a_third"]);
}

#[test]
fn a_rename_must_be_a_name_itself() {
    for name in ["", "_x", "Upper", "with space"] {
        let error = header(b"a,b\n", &[("a", name)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name:?}");
    }
    let clash = header(b"a,b\n", &[("a", "b")]).unwrap_err();
    assert_eq!((clash.kind(), clash.context("column")), (ErrorKind::InvalidData, Some("2")));
}

#[test]
fn what_is_no_header_is_an_error_that_names_the_file() {
    let cases: [(&[u8], &str); 11] = [
        (b"", "no header"),
        (b"\xEF\xBB\xBF", "no header"),
        (b"\n\r\n \n", "no header"),
        (b"a,\"b\n1,2\n", "quote is not closed"),
        (b"a,\"b\"x\n", "text follows a closing quote"),
        (b"a,\xff\n", "not UTF-8"),
        (b"a,b\0\n", "NUL"),
        (b"\xFF\xFEa\0", "UTF-16"),
        (b"\xFE\xFF\0a", "UTF-16"),
        (b"a,b\r1,2\r", "CR alone"),
        (b"a\r1\r2", "CR alone"),
    ];
    for (bytes, what) in cases {
        let error = header(bytes, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(error.context("file"), Some("visits.csv"));
        assert!(error.message().contains(what), "{error}");
    }
}

#[test]
fn missing_and_extra_columns_refuse_the_file_by_name() {
    let error = load_with(b"a,X y\n1,2\n", "a long, b long", &CsvOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert_eq!((error.context("missing"), error.context("extra")), (Some("b"), Some("column 2")));
    let error = load_with(b"a,b,c\n", "a long, b long", &CsvOptions::default()).unwrap_err();
    assert_eq!((error.context("missing"), error.context("extra")), (None, Some("column 3")));
}

#[test]
fn a_file_without_a_header_is_refused_without_its_values() {
    let error = load_with(b"7,Smith\n8,Doe\n", "id long, name string", &CsvOptions::default());
    let error = error.unwrap_err();
    assert!(error.message().contains("may have no header"));
    assert!(!error.to_string().contains("Smith"));
}

#[test]
fn a_file_that_is_not_there_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gone.csv");
    let error = read_header(&path, &Renames::new(), &CsvOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("gone.csv"));
}

#[test]
fn options_and_types_that_make_no_sense_are_refused() {
    for delimiter in [b'"', b'\n', b'\r', 0, 0xff] {
        let options = CsvOptions { delimiter, ..CsvOptions::default() };
        assert_eq!(options.check().unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let options = CsvOptions { max_record_bytes: 1 << 31, ..CsvOptions::default() };
    assert_eq!(options.check().unwrap_err().kind(), ErrorKind::InvalidInput);
    for bad in ["decimal(39,2)", "decimal(0,0)", "decimal(4,5)", "decimal(4,-1)", "decimal", "text"]
    {
        assert!(ColumnType::from_str(bad).is_err(), "{bad}");
    }
    for good in [
        "boolean",
        "int",
        "long",
        "double",
        "decimal(12,2)",
        "date",
        "timestamp",
        "timestamptz",
        "string",
    ] {
        assert_eq!(ColumnType::from_str(good).unwrap().to_string(), good);
    }
    assert_eq!(ColumnType::from_str("Decimal( 12 , 2 )").unwrap().to_string(), "decimal(12,2)");
}

//! What is refused, what a refusal costs, and where reading goes on.

use northstar_catalog::ErrorKind;

use super::*;

const SPEC: &str = "id long, note string, n long";

#[test]
fn a_bad_record_on_its_line_costs_that_line_alone() {
    let text =
        b"id,note,n\n1,a,1\n2,b\n3,c,3,3\nx,d,4\n5,e,5\n6,\"f\"g,6\n7,h\xff,7\n8,i\0,8\n9,j,9\n";
    let loaded = load(text, SPEC);
    assert_eq!(rows(&loaded), ["1|a|1", "5|e|5", "9|j|9"]);
    assert_eq!(
        loaded.refused(),
        [
            (3, "wrong_column_count", None, "2,b".to_owned()),
            (4, "wrong_column_count", None, "3,c,3,3".to_owned()),
            (5, "bad_value", Some("id"), "x,d,4".to_owned()),
            (7, "text_after_quote", Some("note"), "6,\"f\"g,6".to_owned()),
            (8, "not_utf8", None, "7,h\u{fffd},7".to_owned()),
            (9, "nul_byte", None, "8,i\0,8".to_owned()),
        ]
    );
    assert_eq!(loaded.rejects[4].raw, b"7,h\xff,7", "raw bytes are kept as they are");
    assert_eq!(loaded.damaged, None);
}

#[test]
fn a_value_fault_names_the_column_and_type_but_not_the_value() {
    let loaded = load(b"n,note,id\n1,x,2\n1,x,secret\n", SPEC);
    let reject = &loaded.rejects[0];
    assert_eq!(reject.column.as_deref(), Some("id"));
    assert_eq!(reject.reason.to_string(), "the value is not of type long");
}

#[test]
fn a_refused_value_leaves_no_trace_in_other_columns() {
    let spec = "a boolean, b string, c decimal(9,2), d date, e timestamp, f double, g int";
    let good = "true,x,1.00,2024-01-01,2024-01-01 00:00,0.5,1";
    let bad = "false,\"y\"\"\",2.00,2024-01-02,2024-01-02 00:00,1.5,x";
    let text = format!("a,b,c,d,e,f,g\n{good}\n{bad}\n,,,,,,x\n{good}\n");
    let loaded = load(text.as_bytes(), spec);
    assert_eq!(loaded.rows.len(), 2);
    assert_eq!(loaded.rows[0], loaded.rows[1]);
    assert_eq!(loaded.rejects.len(), 2);
}

#[test]
fn an_unclosed_quote_costs_the_text_to_the_next_line_that_parses() {
    let loaded = load(b"id,note,n\n1,a,1\n2,\"oops,2\n3,c,3\n4,d,4\n", SPEC);
    assert_eq!(rows(&loaded), ["1|a|1", "3|c|3", "4|d|4"]);
    assert_eq!(loaded.lines, [2, 4, 5]);
    assert_eq!(loaded.refused(), [(3, "unclosed_quote", Some("note"), "2,\"oops,2".to_owned())]);
    assert_eq!(loaded.damaged, None);
}

#[test]
fn an_unclosed_quote_that_a_later_one_closes_costs_no_later_row() {
    let loaded =
        load(b"id,note,n\r\n2,\"oops,2\r\nmore text\r\n3,\"c\",3\r\n4,\"d\r\nd\",4\r\n", SPEC);
    assert_eq!(rows(&loaded), ["3|c|3", "4|d\r\nd|4"]);
    let text = "2,\"oops,2\r\nmore text".to_owned();
    assert_eq!(loaded.refused(), [(2, "text_after_quote", Some("note"), text)]);
}

#[test]
fn a_wrong_width_over_several_lines_frees_the_lines_within() {
    // The quotes pair up over three lines, and the fields are then too few.
    let loaded = load(b"id,note,n\n2,\"oops,2\n3,c,3\nfour\"\n5,\"e\ne\",5\n", SPEC);
    assert_eq!(rows(&loaded), ["3|c|3", "5|e\ne|5"]);
    assert_eq!(loaded.lines, [3, 5]);
    let expected = [
        (2, "wrong_column_count", None, "2,\"oops,2".to_owned()),
        (4, "wrong_column_count", None, "four\"".to_owned()),
    ];
    assert_eq!(loaded.refused(), expected);
}

#[test]
fn a_closed_record_of_wrong_width_ends_at_its_end() {
    let loaded = load(b"id,note,n\n2,\"x\ny\"\n5,\"e\ne\",5\n6,\"last\none\"", SPEC);
    assert_eq!(rows(&loaded), ["5|e\ne|5"]);
    let texts: Vec<String> = loaded.refused().into_iter().map(|reject| reject.3).collect();
    assert_eq!(texts, ["2,\"x\ny\"", "6,\"last\none\""]);
    assert_eq!(loaded.damaged, None);
}

#[test]
fn a_quoted_record_with_a_bad_value_is_refused_alone_with_its_lines() {
    let loaded = load(b"id,note,n\nx,\"one\n7,inner,7\n\",2\n3,c,3\n", SPEC);
    assert_eq!(rows(&loaded), ["3|c|3"]);
    let text = "x,\"one\n7,inner,7\n\",2".to_owned();
    assert_eq!(loaded.refused(), [(2, "bad_value", Some("id"), text)]);
    assert_eq!(loaded.lines, [5]);
}

#[test]
fn without_a_line_that_parses_the_rest_is_one_reject_and_the_file_is_damaged() {
    for tail in ["2,\"oops,2\nthree\nfour\n", "2,\"oops,2\nthree\nfour", "2,\"oops,2\n", "2,\"oops"]
    {
        let loaded = load(format!("id,note,n\n1,a,1\n{tail}").as_bytes(), SPEC);
        assert_eq!(rows(&loaded), ["1|a|1"]);
        let text = tail.strip_suffix('\n').unwrap_or(tail).to_owned();
        assert_eq!(loaded.refused(), [(3, "unclosed_quote", Some("note"), text)]);
        assert_eq!(loaded.damaged, Some(3));
    }
}

#[test]
fn each_unclosed_quote_is_recovered_from() {
    let text = "id,note,n\n1,\"a,1\n2,b,2\n3,\"c,3\n4,d,4\n5,\"e,5\n6,f,6\n";
    let loaded = load(text.as_bytes(), SPEC);
    assert_eq!(rows(&loaded), ["2|b|2", "4|d|4", "6|f|6"]);
    assert_eq!(loaded.rejects.len(), 3);
}

#[test]
fn a_record_beyond_the_limit_is_recovered_from_or_refuses_the_file() {
    let limited =
        |block_bytes| CsvOptions { max_record_bytes: 20, block_bytes, ..CsvOptions::default() };
    let within = b"id,note,n\n1,\"oops,1\n2,b,2\n3,this,3\n4,is far too long for it,4\n";
    let later = b"id,note,n\n1,\"oops, this is more than 20\n2,b,2\n3,c,3\n";
    let exact = b"id,note,n\n1,\"23456789012345\",1\n2,b,2\n";
    for block_bytes in [1, 2, 5, 13, 21, 64, 4096] {
        let error = load_with(within, SPEC, &limited(block_bytes)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!((error.context("file"), error.context("line")), (Some("test.csv"), Some("5")));
        let error = load_with(later, SPEC, &limited(block_bytes)).unwrap_err();
        assert_eq!(error.context("line"), Some("2"));
        let recovered = load_with(&within[..34], SPEC, &limited(block_bytes)).unwrap();
        assert_eq!(rows(&recovered), ["2|b|2", "3|this|3"]);
        assert_eq!(recovered.refused()[0].1, "record_too_long");
        let exact = load_with(exact, SPEC, &limited(block_bytes)).unwrap();
        assert_eq!(exact.rows.len(), 2, "a record of the limit's length is a row");
    }
}

#[test]
fn many_bad_records_are_read_in_linear_time() {
    // Each odd line leaves a quote open that the next odd one keeps open.
    let lines = "x\",\"\n\",\",\n".repeat(200_000);
    let loaded =
        load_with(format!("a,b\n{lines}").as_bytes(), "a string, b string", &CsvOptions::default());
    assert_eq!(loaded.unwrap().rows.len(), 200_000);
}

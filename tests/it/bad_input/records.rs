//! Records that cannot be loaded are quarantined whole, with file, line, column, reason and bytes.

use northstar_tests::csv_files::VISITS;

use super::{Refused, landed};

fn refused(line: i64, column: Option<&str>, code: &str, reason: &str, raw: &[u8]) -> Refused {
    Refused {
        file: "visit.csv".into(),
        line,
        column: column.map(str::to_string),
        code: code.into(),
        reason: reason.into(),
        raw: raw.to_vec(),
    }
}

const UNCLOSED: &str = "a quote is not closed";

#[tokio::test(flavor = "multi_thread")]
async fn after_an_unclosed_quote_later_rows_load() {
    let text = b"id,site,at,note\n\
        1,a,2024-01-01 00:00:00,\n\
        2,b,2024-01-02 00:00:00,\"never closed\n\
        and on it goes\n\
        3,c,2024-01-03 00:00:00,fine\n\
        4,d,2024-01-04 00:00:00,\n";
    let landed = landed(VISITS, &[("visit.csv", text)]).await;
    assert_eq!(landed.outcome("visit.csv"), "loaded");
    let raw = b"2,b,2024-01-02 00:00:00,\"never closed\nand on it goes";
    let expected = [refused(3, Some("note"), "unclosed_quote", UNCLOSED, raw)];
    assert_eq!(landed.quarantine().await, expected);
    let rows = landed.lab.text("SELECT id, _source_line FROM bronze.visit ORDER BY id").await;
    assert!(rows.contains("| 1  | 2            |"), "{rows}");
    assert!(rows.contains("| 3  | 5            |"), "{rows}");
    assert!(rows.contains("| 4  | 6            |"), "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_line_to_go_on_at_the_file_is_damaged() {
    let text = b"id,site,at,note\n\
        1,a,2024-01-01 00:00:00,\n\
        2,b,2024-01-02 00:00:00,\"never closed\n\
        3,c\n\
        and so it ends\n";
    let landed = landed(VISITS, &[("visit.csv", text)]).await;
    let file = landed.file("visit.csv");
    assert!(file.outcome.needs_attention());
    assert_eq!(format!("{:?}", file.outcome), "Damaged { line: 3 }");
    assert_eq!((file.read_rows, file.landed_rows, file.quarantined_rows), (2, 1, 1));
    let raw = b"2,b,2024-01-02 00:00:00,\"never closed\n3,c\nand so it ends";
    let expected = [refused(3, Some("note"), "unclosed_quote", UNCLOSED, raw)];
    assert_eq!(landed.quarantine().await, expected);
    assert_eq!(landed.lab.number("SELECT id FROM bronze.visit").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_that_swallows_lines_which_parse_costs_one_record() {
    // Read as one record, lines 2 to 4 have six columns; line 3 is a record by itself.
    let text = b"id,site,at,note\n\
        1,a,\"2024-01-01 00:00:00,\n\
        2,b,2024-01-02 00:00:00,\n\
        3,c,\"2024-01-03 00:00:00\",\n";
    let landed = landed(VISITS, &[("visit.csv", text)]).await;
    let refused = landed.quarantine().await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(
        (refused[0].line, refused[0].raw.as_slice()),
        (2, &b"1,a,\"2024-01-01 00:00:00,"[..])
    );
    let rows = landed.lab.text("SELECT id FROM bronze.visit ORDER BY id").await;
    assert!(rows.contains("| 2  |") && rows.contains("| 3  |"), "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_number_of_columns_costs_its_record_alone() {
    let text = b"id,site,at,note\n\
        1,a\n\
        2,b,2024-01-02 00:00:00,\n\
        3,c,2024-01-03 00:00:00,x,y,z\n\
        4,d,2024-01-04 00:00:00,ok";
    let landed = landed(VISITS, &[("visit.csv", text)]).await;
    let count = "wrong_column_count";
    let expected = [
        refused(2, None, count, "expected 4 columns, found 2", b"1,a"),
        refused(4, None, count, "expected 4 columns, found 6", b"3,c,2024-01-03 00:00:00,x,y,z"),
    ];
    assert_eq!(landed.quarantine().await, expected);
    assert_eq!(landed.lab.number("SELECT sum(id) FROM bronze.visit").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_are_kept_as_they_were() {
    let text = b"id,site,at,note\r\n\
        1,a,2024-01-01 00:00:00,caf\xE9\r\n\
        2,b,2024-01-02 00:00:00,caf\xC3\xA9\r\n\
        3,c,2024-01-03 00:00:00,nul\0here\r\n\
        4,d,2024-01-04 00:00:00,\xF0\x9F\r\n";
    let landed = landed(VISITS, &[("visit.csv", text)]).await;
    let not_utf8 = "bytes that are not UTF-8";
    let expected = [
        refused(2, None, "not_utf8", not_utf8, b"1,a,2024-01-01 00:00:00,caf\xE9"),
        refused(4, None, "nul_byte", "a NUL byte", b"3,c,2024-01-03 00:00:00,nul\0here"),
        refused(5, None, "not_utf8", not_utf8, b"4,d,2024-01-04 00:00:00,\xF0\x9F"),
    ];
    assert_eq!(landed.quarantine().await, expected);
    let rows = landed.lab.text("SELECT id, note FROM bronze.visit").await;
    assert!(rows.contains("| 2  | caf\u{e9} |"), "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_after_a_closing_quote_is_refused() {
    let text = b"id,site,at,note\n1,a,2024-01-01 00:00:00,\"x\"y\n2,b,2024-01-02 00:00:00,\"x\"\n";
    let landed = landed(VISITS, &[("visit.csv", text)]).await;
    let raw = b"1,a,2024-01-01 00:00:00,\"x\"y";
    let reason = "text after a closing quote";
    let expected = [refused(2, Some("note"), "text_after_quote", reason, raw)];
    assert_eq!(landed.quarantine().await, expected);
    assert_eq!(landed.lab.number("SELECT id FROM bronze.visit").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_type_than_declared_costs_its_record() {
    for (kind, good, bad) in [
        ("boolean", "true", "maybe"),
        ("int", "-7", "2147483648"),
        ("long", "9000000000", "1.5"),
        ("double", "1e3", "1,5"),
        ("decimal(5,2)", "123.45", "123.456"),
        ("date", "2024-02-29", "2023-02-29"),
        ("timestamp", "2024-01-01 00:00:00", "2024-01-01T00:00:00Z"),
        ("timestamptz", "2024-01-01T00:00:00Z", "2024-01-01 00:00:00"),
    ] {
        let contract = format!("[visit.columns]\nid = \"long\"\nvalue = \"{kind}\"\n");
        let text = format!("id,value\n1,\"{bad}\"\n2,{good}\n3,\n");
        let landed = landed(&contract, &[("visit.csv", text.as_bytes())]).await;
        let reason = format!("the value is not of type {kind}");
        let raw = format!("1,\"{bad}\"");
        let expected = [refused(2, Some("value"), "bad_value", &reason, raw.as_bytes())];
        assert_eq!(landed.quarantine().await, expected, "{kind}");
        let counts = "SELECT count(*) * 10 + count(value) FROM bronze.visit";
        assert_eq!(landed.lab.number(counts).await, 21, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_records_are_all_refused_is_reported_as_quarantined() {
    let text = b"id,site,at,note\n1\n2\n";
    let landed = landed(VISITS, &[("visit.csv", text)]).await;
    assert_eq!(landed.outcome("visit.csv"), "quarantined");
    assert_eq!(landed.quarantine().await.len(), 2);
    assert_eq!(landed.lab.number("SELECT count(*) FROM bronze.visit").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_broken_file_in_two_tables_is_quarantined_for_each() {
    let text = b"id,note\n1,x\nbroken\n";
    let landed = landed("", &[("a.csv", text), ("b.csv", text)]).await;
    let files: Vec<String> =
        landed.quarantine().await.into_iter().map(|refused| refused.file).collect();
    assert_eq!(files, ["a.csv", "b.csv"]);
}

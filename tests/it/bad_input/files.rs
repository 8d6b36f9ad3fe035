//! Files that are unusual or unusable as a whole.

use std::sync::{Arc, Mutex};

use northstar_catalog::ErrorKind;
use northstar_iceberg::observer::{Event, Observer};
use northstar_tests::csv_files::{VISITS, folder, visits};
use northstar_tests::lab::{Lab, load, observed};

use super::{landed, says};

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_and_crlf_are_no_part_of_values() {
    let text = b"\xEF\xBB\xBFid,name\r\n1,\"two\r\nlines\"\r\n2,plain\r\n\r\n3,last";
    let landed = landed("", &[("visit.csv", text)]).await;
    assert_eq!(landed.outcome("visit.csv"), "loaded");
    let query = "SELECT id, replace(replace(name, '\r', 'R'), '\n', 'N') AS name, _source_line \
                 FROM bronze.visit ORDER BY id";
    let expected = "\
+----+------------+--------------+
| id | name       | _source_line |
+----+------------+--------------+
| 1  | twoRNlines | 2            |
| 2  | plain      | 4            |
| 3  | last       | 6            |
+----+------------+--------------+";
    assert_eq!(landed.lab.text(query).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn encodings_and_line_ends_that_are_not_read_are_named() {
    for (bytes, part) in [
        (&b"\xFF\xFEi\0d\0\n\0"[..], "UTF-16; convert it to UTF-8"),
        (&b"\xFE\xFF\0i\0d\0\n"[..], "UTF-16; convert it to UTF-8"),
        (&b"id,name\r1,x\r"[..], "CR alone; convert them to LF"),
        (&b"id,na\xE9me\n1,x\n"[..], "not UTF-8"),
        (&b"id,na\0me\n1,x\n"[..], "NUL"),
    ] {
        let landed = landed("", &[("visit.csv", bytes)]).await;
        let error = landed.refusal("visit.csv");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        says(error, &["no header can be read", part, "in/visit.csv"]);
        assert_eq!(landed.tables().await, ["beside", "quarantine"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_alone_is_an_empty_file_and_no_file_is_a_refused_one() {
    let files: [(&str, &[u8]); 3] =
        [("alone.csv", b"id,name\n"), ("empty.csv", b""), ("blank.csv", b"\n\n")];
    let landed = landed("", &files).await;
    assert_eq!(landed.outcome("alone.csv"), "empty");
    assert!(!landed.file("alone.csv").outcome.needs_attention());
    for name in ["empty.csv", "blank.csv"] {
        says(landed.refusal(name), &["the file is empty: it has no header", name]);
    }
    assert_eq!(landed.tables().await, ["beside", "quarantine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn good_files_of_the_same_table_land_beside_bad_ones() {
    let good = visits(0, 40);
    let files: [(&str, &[u8]); 4] = [
        ("visit/a.csv", b""),
        ("visit/b.csv", good.as_bytes()),
        ("visit/c.csv", b"id,site,at,note\n"),
        ("visit/d.csv", b"id,site,at,remark\n9,s,2024-01-01 00:00:00,\n"),
    ];
    let landed = landed(VISITS, &files).await;
    let outcomes: Vec<&str> =
        landed.report.files().skip(1).map(|file| file.outcome.as_str()).collect();
    assert_eq!(outcomes, ["refused", "loaded", "empty", "refused"]);
    assert_eq!(landed.lab.number("SELECT count(*) FROM bronze.visit").await, 40);
}

/// Adds a record to a file as soon as its reading starts.
#[derive(Debug, Default)]
struct Appender {
    file: std::path::PathBuf,
    done: Mutex<bool>,
}

impl Observer for Appender {
    fn event(&self, event: &Event) {
        let mut done = self.done.lock().unwrap();
        if matches!(event, Event::FileOpened { file, .. } if file == "visit/b.csv") && !*done {
            *done = true;
            let text = std::fs::read_to_string(&self.file).unwrap();
            std::fs::write(&self.file, format!("{text}999,s1,2024-01-01 00:00:00,\n")).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_while_it_is_read_is_refused_until_it_is_complete() {
    let lab = Lab::new().await;
    let (a, b) = (visits(0, 40), visits(40, 40));
    let from = folder(
        lab.folder.path(),
        "in",
        &[("visit/a.csv", a.as_bytes()), ("visit/b.csv", b.as_bytes())],
    );
    let appender = Appender { file: from.join("visit/b.csv"), ..Appender::default() };
    let lake = observed(&lab.lake, Arc::new(appender));
    let report = load(&lake, &from, VISITS).await.unwrap();
    let files: Vec<_> = report.files().collect();
    assert_eq!((files[0].outcome.as_str(), files[1].outcome.as_str()), ("loaded", "refused"));
    let northstar_lakehouse::bronze::FileOutcome::Refused(error) = &files[1].outcome else {
        panic!("{report:?}")
    };
    says(error, &["changed while it was read; load it again", "visit/b.csv"]);
    assert_eq!(lab.number("SELECT count(*) FROM bronze.visit").await, 40);

    let again = load(&lake, &from, VISITS).await.unwrap();
    assert_eq!(again.tables[0].landed_rows(), 41);
    assert_eq!(lab.number("SELECT count(*) FROM bronze.visit").await, 81);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_a_header_does_not_show_its_values() {
    let good = visits(0, 10);
    for (record, part) in [
        ("77,SENTINEL,2024-01-01 00:00:00,SENTINEL too", "it may have no header"),
        ("77,SENTINEL,2024-01-01 00:00:00,SENTINEL", "the header is the same as that of column 2"),
        ("77,_SENTINEL,2024-01-01 00:00:00,", "the header starts with `_`"),
        ("77,note,2024-01-01 00:00:00,SENTINEL", "missing: id, site, at"),
    ] {
        let text = format!("{record}\n78,x,2024-01-01 00:00:00,\n");
        let files: [(&str, &[u8]); 2] =
            [("visit/a.csv", good.as_bytes()), ("visit/b.csv", text.as_bytes())];
        let landed = landed(VISITS, &files).await;
        let error = landed.refusal("visit/b.csv");
        says(error, &[part, "visit/b.csv"]);
        assert!(!error.to_string().contains("SENTINEL"), "{error}");
    }
}

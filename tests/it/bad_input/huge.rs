//! A cell of 100 MB, through the program with a limit on its memory.

use std::io::Write;

use crate::cli::Program;

const CELL_BYTES: usize = 100_000_000;
const LIMIT_KIB: usize = 1 << 20;

#[test]
fn a_cell_of_100_mb_lands_and_is_read_within_a_gibibyte() {
    let program = Program::new();
    let from = program.folder("in");
    let mut file = std::io::BufWriter::new(std::fs::File::create(from.join("note.csv")).unwrap());
    file.write_all(b"id,text\n1,before\n2,\"").unwrap();
    for _ in 0..CELL_BYTES / 10 {
        file.write_all(b"ten bytes\n").unwrap();
    }
    file.write_all(b"\"\n3,after\n").unwrap();
    file.into_inner().unwrap().sync_all().unwrap();

    let load = program.within(LIMIT_KIB, &["load", "csv", "--from", "in", "--into", "bronze"]);
    load.succeeds();
    assert!(load.stdout.contains("3 records read = 3 landed + 0 quarantined"), "{load:?}");
    let query = "SELECT id, length(text), _source_line FROM bronze.note ORDER BY id";
    let rows = program.within(LIMIT_KIB, &["--output", "csv", "sql", query]);
    rows.succeeds();
    let lines: Vec<&str> = rows.stdout.lines().skip(1).collect();
    assert_eq!(lines, ["1,6,2", "2,100000000,3", "3,5,10000004"]);
}

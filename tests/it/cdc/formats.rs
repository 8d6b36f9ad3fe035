//! The same changes as CSV with SQL Server's names, as Parquet, and with inferred types.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, UInt8Array,
};
use parquet::arrow::ArrowWriter;

use super::Bench;

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, values)| (name, values, true)),
    )
    .unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

/// Change rows as SQL Server's types come out of an export to Parquet.
fn parquet(path: &Path, ids: ArrayRef) {
    let lsn = || -> ArrayRef { Arc::new(BinaryArray::from_vec(vec![b"\x0a", b"\x0b"])) };
    write(
        path,
        vec![
            ("note", Arc::new(StringArray::from(vec!["a", "b"]))),
            ("ID", ids),
            ("version", Arc::new(Int32Array::from(vec![Some(1), None]))),
            ("__$operation", Arc::new(UInt8Array::from(vec![2, 4]))),
            ("__$start_lsn", lsn()),
            ("__$command_id", Arc::new(Int32Array::from(vec![1, 1]))),
            ("__$seqval", lsn()),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_and_parquet_come_to_the_same() {
    let expected = ["1|1|a|0a/0000000001/0a", "2|NULL|b|0b/0000000001/0b"];
    let bench = Bench::new("").await;
    let file = bench.lab.path("a.parquet");
    parquet(&file, Arc::new(Int32Array::from(vec![1, 2])));
    assert_eq!(bench.merge(std::slice::from_ref(&file)).await.inserted, 2);
    assert_eq!(bench.rows("").await, expected);

    let other = Bench::new("").await;
    let text = "note,id,version,__$seqval,__$command_id,__$start_lsn,__$operation\n\
                a,1,1,0x0A,1,0x0A,2\nb,2,,0x0B,1,0x0B,4\n";
    let csv = other.raw("a.csv", text);
    assert_eq!(other.merge(&[csv, file]).await.keys, 2);
    assert_eq!(other.rows("").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn parquet_columns_that_do_not_fit_are_told() {
    let bench = Bench::new("").await;
    bench.change("first.csv", &["2,01,1,01,1,1,first"]).await;
    let file = bench.lab.path("a.parquet");
    parquet(&file, Arc::new(StringArray::from(vec!["1", "2"])));
    let error = bench.try_merge(std::slice::from_ref(&file)).await.unwrap_err().to_string();
    assert!(error.contains("has type Utf8 where the table has long"), "{error}");
    assert!(error.contains("column: id") && error.contains("a.parquet"), "{error}");
    parquet(&file, Arc::new(Int64Array::from(vec![Some(1), None])));
    let error = bench.try_merge(std::slice::from_ref(&file)).await.unwrap_err().to_string();
    assert!(error.contains("a.parquet line 2, column id: the key is NULL"), "{error}");
    write(&file, vec![("op", Arc::new(Int32Array::from(vec![1])))]);
    let error = bench.try_merge(&[file]).await.unwrap_err().to_string();
    assert!(error.contains("missing: commit_lsn, command_id, seqval, id"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_the_contract_does_not_say_are_inferred() {
    let bench = Bench::new("").await;
    let file =
        bench.raw("a.csv", "op,commit_lsn,command_id,seqval,site,at,n\n2,0a,1,01,x,2024-05-01,5\n");
    let folder = bench.lab.folder.path();
    let said = "[u]\nkey = [\"site\", \"n\"]\n";
    super::merge(&bench.lab.lake, folder, "u", said, &[file]).await.unwrap();
    let sql = "SELECT arrow_typeof(at), arrow_typeof(n), arrow_typeof(site) FROM ns.u";
    let session = northstar_tests::changes::session(&bench.lab);
    let types = northstar_tests::changes::rows(&session, sql).await;
    assert_eq!(types, ["Date32|Int64|Utf8"]);
}

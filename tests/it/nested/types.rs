//! Every type of format version 2, and partitions whose names need care: through writes, statements
//! in both modes, and compaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::row::{RowConverter, SortField};
use iceberg::spec::{ListType, MapType, NestedField, PrimitiveType, Schema, StructType, Type};
use northstar_iceberg::LakeTable;
use northstar_iceberg::maintenance::{CompactOptions, compact};
use northstar_iceberg::merge::LakeSession;
use northstar_iceberg::table::schema::{UTC, arrow_schema};
use northstar_tests::changes::{rows, session};
use northstar_tests::lab::Lab;
use northstar_tests::layouts::{all_rows, commit, opened, write};

use super::statements::{define, run};

const ROWS: usize = 6;

/// A column: its name, its type, and a value for each row.
type Column = (&'static str, PrimitiveType, ArrayRef);

/// Rows of the columns `id`, then one of each type that SQL has no name for or that has extremes.
fn extremes() -> Vec<Column> {
    [numbers(), decimals(), times(), texts()].concat()
}

fn numbers() -> Vec<Column> {
    use PrimitiveType as P;
    let nan = f64::from_bits(0x7ff8_0000_0000_0001);
    vec![
        ("id", P::Long, Arc::new(Int64Array::from_iter_values(0..ROWS as i64))),
        (
            "yes",
            P::Boolean,
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, None, None, None])),
        ),
        (
            "small",
            P::Int,
            Arc::new(Int32Array::from(vec![
                Some(i32::MIN),
                Some(i32::MAX),
                Some(0),
                None,
                None,
                None,
            ])),
        ),
        (
            "f",
            P::Float,
            Arc::new(Float32Array::from(vec![
                Some(f32::NAN),
                Some(-0.0),
                Some(0.0),
                Some(f32::NEG_INFINITY),
                Some(f32::MIN_POSITIVE),
                None,
            ])),
        ),
        (
            "d",
            P::Double,
            Arc::new(Float64Array::from(vec![
                Some(nan),
                Some(-0.0),
                Some(0.0),
                Some(f64::NAN),
                Some(f64::MIN),
                None,
            ])),
        ),
    ]
}

fn decimals() -> Vec<Column> {
    use PrimitiveType as P;
    let most = 10_i128.pow(38) - 1;
    let decimals = |values: [Option<i128>; ROWS], digits, scale| -> ArrayRef {
        let values = Decimal128Array::from(values.to_vec());
        Arc::new(values.with_precision_and_scale(digits, scale).unwrap())
    };
    vec![
        (
            "m38",
            P::Decimal { precision: 38, scale: 10 },
            decimals([Some(most), Some(-most), Some(0), Some(1), Some(-1), None], 38, 10),
        ),
        (
            "m9",
            P::Decimal { precision: 9, scale: 9 },
            decimals([Some(999_999_999), Some(-999_999_999), Some(0), Some(1), None, None], 9, 9),
        ),
        (
            "m18",
            P::Decimal { precision: 18, scale: 0 },
            decimals(
                [Some(10_i128.pow(18) - 1), Some(1 - 10_i128.pow(18)), Some(0), None, None, None],
                18,
                0,
            ),
        ),
    ]
}

fn times() -> Vec<Column> {
    use PrimitiveType as P;
    // The first microsecond of the year 1, and the last of 9999.
    let (first, last) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
    let times = || {
        TimestampMicrosecondArray::from(vec![
            Some(first),
            Some(last),
            Some(0),
            Some(-1),
            Some(1),
            None,
        ])
    };
    vec![
        (
            "day",
            P::Date,
            Arc::new(Date32Array::from(vec![
                Some(-719_162),
                Some(2_932_896),
                Some(0),
                Some(-1),
                None,
                None,
            ])),
        ),
        (
            "clock",
            P::Time,
            Arc::new(Time64MicrosecondArray::from(vec![
                Some(0),
                Some(86_399_999_999),
                Some(1),
                None,
                None,
                None,
            ])),
        ),
        ("at", P::Timestamp, Arc::new(times())),
        ("at_utc", P::Timestamptz, Arc::new(times().with_timezone(UTC))),
    ]
}

fn texts() -> Vec<Column> {
    use PrimitiveType as P;
    let bytes = |width: usize| -> ArrayRef {
        let rows: Vec<Option<Vec<u8>>> = (0..ROWS)
            .map(|row| (row < 5).then(|| (0..width).map(|at| (row * 60 + at) as u8).collect()))
            .collect();
        let width = i32::try_from(width).unwrap();
        Arc::new(
            FixedSizeBinaryArray::try_from_sparse_iter_with_size(rows.into_iter(), width).unwrap(),
        )
    };
    vec![
        (
            "word",
            P::String,
            Arc::new(StringArray::from(vec![
                Some(""),
                Some("🩺 a/b=c%d"),
                Some("\u{10FFFF}"),
                Some("é"),
                Some("NULL"),
                None,
            ])),
        ),
        ("key", P::Uuid, bytes(16)),
        ("code", P::Fixed(7), bytes(7)),
        (
            "raw",
            P::Binary,
            Arc::new(BinaryArray::from_opt_vec(vec![
                Some(b""),
                Some(&[0, 255]),
                Some(&[255; 40]),
                None,
                None,
                None,
            ])),
        ),
    ]
}

/// Makes `ns.t` with these columns, whatever SQL can spell, by evolving a table of one column.
async fn table(lab: &Lab, mode: &str, fields: Vec<NestedField>) -> LakeTable {
    let session = session(lab);
    define(&session, "CREATE SCHEMA ns").await;
    let modes: Vec<String> =
        ["merge", "update", "delete"].map(|verb| format!("'write.{verb}.mode' = '{mode}'")).into();
    define(
        &session,
        &format!("CREATE TABLE ns.t (id BIGINT) TBLPROPERTIES ({})", modes.join(", ")),
    )
    .await;
    let made = opened(lab, "ns.t").await;
    let schema = Schema::builder().with_fields(fields.into_iter().map(Arc::new)).build().unwrap();
    let change = lab
        .lake
        .alter(&made, |_, builder| Ok(Some(builder.add_current_schema(schema.clone()).unwrap())));
    assert!(change.await.unwrap().settled().unwrap());
    opened(lab, "ns.t").await
}

/// Rows as bytes that are equal only if every bit is.
fn bits(batches: &[RecordBatch]) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        let fields =
            batch.columns().iter().map(|c| SortField::new(c.data_type().clone())).collect();
        let rows = RowConverter::new(fields).unwrap().convert_columns(batch.columns()).unwrap();
        all.extend(rows.iter().map(|row| row.data().to_vec()));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn m2_c1_every_type_is_kept_to_the_bit_by_statements_and_compaction() {
    for mode in ["copy-on-write", "merge-on-read"] {
        for nested in [false, true] {
            let lab = Lab::new().await;
            let (fields, columns) = if nested { within() } else { plain() };
            let table = table(&lab, mode, fields).await;
            let schema = arrow_schema(table.metadata().current_schema()).unwrap();
            let columns: Vec<ArrayRef> = schema
                .fields()
                .iter()
                .zip(columns)
                .map(|(field, values)| retyped(&values, field.data_type()))
                .collect();
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
            let whole = bits(std::slice::from_ref(&batch));
            assert_eq!(whole.len(), ROWS);
            commit(&lab, &table, write(&lab, &table, vec![batch.slice(0, 4)])).await;
            let table = opened(&lab, "ns.t").await;
            commit(&lab, &table, write(&lab, &table, vec![batch.slice(4, 2)])).await;
            let session = session(&lab);
            let read = async |session: &LakeSession| {
                bits(&all_rows(session, &opened(&lab, "ns.t").await, false).await)
            };
            assert_eq!(read(&session).await, whole, "{mode} written");
            // Half of the rows are moved away and back: the others are copied, or stay.
            assert_eq!(
                run(&session, "UPDATE ns.t SET id = id + 100 WHERE id % 2 = 0").await.updated_rows,
                3
            );
            let other = read(&session).await;
            assert_eq!(other.intersection(&whole).count(), 3, "{mode}");
            let back = "MERGE INTO ns.t AS t USING (SELECT id FROM ns.t WHERE id >= 100) AS s ON t.id = s.id \
                        WHEN MATCHED THEN UPDATE SET id = t.id - 100";
            assert_eq!(run(&session, back).await.updated_rows, 3);
            assert_eq!(read(&session).await, whole, "{mode} updated");
            // All of a row's values, from another table of the same types.
            run(&session, "CREATE TABLE ns.s AS SELECT * FROM ns.t").await;
            run(&session, "DELETE FROM ns.t WHERE id IN (1, 2)").await;
            let report = run(
                &session,
                "MERGE INTO ns.t AS t USING ns.s AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * \
                 WHEN NOT MATCHED THEN INSERT *",
            )
            .await;
            assert_eq!(
                (report.inserted_rows, report.updated_rows),
                (2, 0),
                "{mode}: nothing differs"
            );
            assert_eq!(read(&session).await, whole, "{mode} merged");
            let name = "ns.t".parse().unwrap();
            let report = compact(&session, &name, &CompactOptions::default()).await.unwrap();
            assert!(report.files_rewritten > 1, "{report:?}");
            assert_eq!(read(&session).await, whole, "{mode} compacted");
        }
    }
}

fn plain() -> (Vec<NestedField>, Vec<ArrayRef>) {
    let columns = extremes().into_iter().zip(1..);
    columns
        .map(|((name, kind, values), id)| {
            (NestedField::optional(id, name, Type::Primitive(kind)), values)
        })
        .unzip()
}

/// The same values as fields of a struct, as elements of lists and as values of maps.
fn within() -> (Vec<NestedField>, Vec<ArrayRef>) {
    let all = extremes();
    let id = (
        NestedField::optional(1, "id", Type::Primitive(PrimitiveType::Long)),
        Arc::clone(&all[0].2),
    );
    let leaf = |id: i32, name: &str, kind: &PrimitiveType| {
        Arc::new(NestedField::optional(id, name, Type::Primitive(kind.clone())))
    };
    let fields = all.iter().zip(10..).map(|((name, kind, _), id)| leaf(id, name, kind));
    let parts = Type::Struct(StructType::new(fields.collect()));
    let of: Vec<arrow::datatypes::Field> = all
        .iter()
        .map(|(name, _, values)| {
            arrow::datatypes::Field::new(*name, values.data_type().clone(), true)
        })
        .collect();
    let values = all.iter().map(|(.., values)| Arc::clone(values)).collect();
    let structure: ArrayRef = Arc::new(arrow::array::StructArray::new(of.into(), values, None));
    let mut columns = vec![id, (NestedField::optional(2, "parts", parts), structure)];
    for ((name, kind, values), id) in all.iter().skip(1).zip((100..).step_by(10)) {
        let element =
            Arc::new(NestedField::list_element(id + 1, Type::Primitive(kind.clone()), false));
        let list = Type::List(ListType::new(element));
        columns.push((NestedField::optional(id, format!("list_{name}"), list), one_each(values)));
        let key = Type::Primitive(PrimitiveType::String);
        let map = Type::Map(MapType::optional(id + 3, key, id + 4, Type::Primitive(kind.clone())));
        columns
            .push((NestedField::optional(id + 2, format!("map_{name}"), map), one_by_key(values)));
    }
    columns.into_iter().unzip()
}

/// A list of one value in each row.
fn one_each(values: &ArrayRef) -> ArrayRef {
    let element = arrow::datatypes::Field::new("element", values.data_type().clone(), true);
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(vec![1; values.len()]);
    Arc::new(arrow::array::ListArray::new(Arc::new(element), offsets, Arc::clone(values), None))
}

/// A map with one value in each row.
fn one_by_key(values: &ArrayRef) -> ArrayRef {
    use arrow::datatypes::{DataType, Field};
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["k"; values.len()]));
    let pair = vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", values.data_type().clone(), true),
    ];
    let pairs = arrow::array::StructArray::new(pair.into(), vec![keys, Arc::clone(values)], None);
    let entries = Arc::new(Field::new("key_value", pairs.data_type().clone(), false));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(vec![1; values.len()]);
    Arc::new(arrow::array::MapArray::new(entries, offsets, pairs, None, false))
}

/// The same buffers under the table's type, with its field ids.
fn retyped(values: &ArrayRef, to: &arrow::datatypes::DataType) -> ArrayRef {
    arrow::compute::cast(values, to).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn m2_c1_partitions_of_null_and_of_odd_names_are_kept_by_statements_and_compaction() {
    let sites = ["a/b", "a=b", "a%2Fb", "🩺", "..", "", " ", "é+&?#", "NULL", "null"];
    for mode in ["copy-on-write", "merge-on-read"] {
        let lab = Lab::new().await;
        let session = session(&lab);
        define(&session, "CREATE SCHEMA ns").await;
        define(
            &session,
            &format!(
                "CREATE TABLE ns.t (id BIGINT, site STRING, a STRUCT<ward: STRING, n: INT>) \
                 PARTITIONED BY (site, truncate(2, a.ward)) \
                 TBLPROPERTIES ('write.merge.mode' = '{mode}', 'write.delete.mode' = '{mode}')"
            ),
        )
        .await;
        let literal =
            |site: Option<&str>| site.map_or("NULL".to_string(), |site| format!("'{site}'"));
        let all: Vec<Option<&str>> = sites.iter().copied().map(Some).chain([None]).collect();
        let mut expected = BTreeSet::new();
        for round in 0..2_usize {
            let values: Vec<String> = all
                .iter()
                .enumerate()
                .map(|(at, site)| {
                    let id = round * 100 + at;
                    let site = literal(*site);
                    format!("({id}, {site}, named_struct('ward', {site}, 'n', {id}))")
                })
                .collect();
            run(&session, &format!("INSERT INTO ns.t VALUES {}", values.join(", "))).await;
        }
        for (at, site) in all.iter().enumerate() {
            let site = site.unwrap_or("NULL");
            for id in [at, 100 + at] {
                // Rows that come out of the merge below.
                let n = if id < 100 { id + 1_000 } else { id };
                expected.insert(format!("{id}|{site}|{{ward: {site}, n: {n}}}"));
            }
        }
        let merge = "MERGE INTO ns.t AS t USING (SELECT id, site FROM ns.t WHERE id < 100) AS s \
                     ON t.id = s.id AND t.site IS NOT DISTINCT FROM s.site WHEN MATCHED THEN \
                     UPDATE SET a = named_struct('ward', t.a.ward, 'n', t.a.n + 1000)";
        assert_eq!(run(&session, merge).await.updated_rows, all.len() as u64, "{mode}");
        let read = async || -> BTreeSet<String> {
            rows(&session, "SELECT * FROM ns.t").await.into_iter().collect()
        };
        assert_eq!(read().await, expected, "{mode}");
        let name = "ns.t".parse().unwrap();
        let report = compact(&session, &name, &CompactOptions::default()).await.unwrap();
        assert!(report.files_rewritten as usize >= 2 * all.len(), "{report:?}");
        assert_eq!(read().await, expected, "{mode} compacted");
        for site in &all {
            let condition =
                site.map_or("site IS NULL".to_string(), |site| format!("site = '{site}'"));
            let sql = format!("SELECT count(*) FROM ns.t WHERE {condition}");
            assert_eq!(rows(&session, &sql).await, ["2"], "{sql}");
            let condition = condition.replace("site", "a.ward");
            let sql = format!("SELECT count(*) FROM ns.t WHERE {condition}");
            assert_eq!(rows(&session, &sql).await, ["2"], "{sql}");
            let delete = format!("DELETE FROM ns.t WHERE {condition} AND id > 99");
            assert_eq!(run(&session, &delete).await.deleted_rows, 1, "{delete}");
            assert_eq!(rows(&session, &sql).await, ["1"], "{sql}");
        }
    }
}

//! Each type, read and pruned by its bounds.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int32Array, Int64Array, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use iceberg::spec::{PrimitiveType, Schema};

use super::fixture::{Fixture, properties, schema};
use super::{one, pruning, session};

const HOUR: i64 = 3_600_000_000;

fn every_type() -> Schema {
    let decimal = PrimitiveType::Decimal { precision: 12, scale: 2 };
    schema(&[
        ("b", PrimitiveType::Boolean),
        ("i", PrimitiveType::Int),
        ("l", PrimitiveType::Long),
        ("f", PrimitiveType::Float),
        ("d", PrimitiveType::Double),
        ("n", decimal),
        ("day", PrimitiveType::Date),
        ("time", PrimitiveType::Time),
        ("at", PrimitiveType::Timestamp),
        ("atz", PrimitiveType::Timestamptz),
        ("s", PrimitiveType::String),
        ("u", PrimitiveType::Uuid),
        ("x", PrimitiveType::Fixed(2)),
        ("y", PrimitiveType::Binary),
    ])
}

/// One row that stands for a small number in every type.
fn row(value: u8) -> Vec<ArrayRef> {
    let long = i64::from(value);
    let decimal = Decimal128Array::from(vec![i128::from(value) * 100 - 150]);
    let instant = || TimestampMicrosecondArray::from(vec![long * HOUR]);
    vec![
        Arc::new(BooleanArray::from(vec![value > 1])),
        Arc::new(Int32Array::from(vec![i32::from(value)])),
        Arc::new(Int64Array::from(vec![long])),
        Arc::new(Float32Array::from(vec![f32::from(value)])),
        Arc::new(Float64Array::from(vec![f64::from(value)])),
        Arc::new(decimal.with_precision_and_scale(12, 2).unwrap()),
        Arc::new(Date32Array::from(vec![i32::from(value)])),
        Arc::new(Time64MicrosecondArray::from(vec![long * HOUR])),
        Arc::new(instant()),
        Arc::new(instant().with_timezone("+00:00")),
        Arc::new(StringArray::from(vec![format!("s{value}")])),
        Arc::new(FixedSizeBinaryArray::try_from_iter([[value * 16; 16]].iter()).unwrap()),
        Arc::new(FixedSizeBinaryArray::try_from_iter([[0, value]].iter()).unwrap()),
        Arc::new(BinaryArray::from_iter_values([[value]])),
    ]
}

#[tokio::test]
async fn every_type_is_read_and_pruned_by_its_bounds() {
    let mut fixture = Fixture::new(every_type(), &[]);
    let files = (0..4).map(|value| fixture.write(row(value), vec![], properties())).collect();
    fixture.append(files, vec![]).await;
    let context = session(&fixture, 2, true);
    let uuid = "u = arrow_cast(X'20202020202020202020202020202020', 'FixedSizeBinary(16)')";
    // Files of one row each: as many are read as match, except for floats, which have no bounds.
    for (filter, rows, files) in [
        ("b = true", 2, 2),
        ("i = 2", 1, 1),
        ("l < 1", 1, 1),
        ("f = 2.0", 1, 4),
        ("d > 2.5", 1, 4),
        ("n = 0.50", 1, 1),
        ("n < -0.40", 2, 2),
        ("day = DATE '1970-01-03'", 1, 1),
        ("time = arrow_cast('02:00:00', 'Time64(Microsecond)')", 1, 1),
        ("at >= TIMESTAMP '1970-01-01T03:00:00'", 1, 1),
        ("atz >= TIMESTAMP '1970-01-01T03:00:00Z'", 1, 1),
        ("s = 's2'", 1, 1),
        (uuid, 1, 1),
        ("x = arrow_cast(X'0002', 'FixedSizeBinary(2)')", 1, 1),
        ("y = X'02'", 1, 1),
    ] {
        let sql = format!("SELECT count(l) FROM t WHERE {filter}");
        assert_eq!(one(&context, &sql).await, [rows], "{filter}");
        assert_eq!(pruning(&context, &sql).await.kept, files, "{filter}");
    }
}

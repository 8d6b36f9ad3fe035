//! How each column of a data file is encoded.
//!
//! zstd level 1 from the table's properties, but for files that are hardly worth it; a dictionary only for columns whose sample repeats
//! itself, since on the others it costs time and makes files larger; differences only where the table
//! allows them and they are smaller; page statistics where they can prune; bloom filters where the
//! table asks for them. Pages and encodings are those of Parquet's first version, as Iceberg's reader
//! for Spark refuses others, such as packed booleans.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::row::{RowConverter, SortField};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{
    DEFAULT_WRITE_BATCH_SIZE, EnabledStatistics, WriterProperties, WriterVersion,
};
use parquet::schema::types::ColumnPath;

use super::beginning::Length;
use super::delta;
use crate::table::{MetricsMode, WriteProperties};
use crate::{Error, ErrorKind, Result};

/// What files are said to be written by, before the version.
pub(super) const CREATED_BY: &str = "northstar ";

/// How many rows are looked at to decide on dictionaries.
const SAMPLE_ROWS: usize = 1_024;

/// A dictionary pays while the sample has at most this share of distinct values, in percent.
const DISTINCT_PERCENT: usize = 50;

/// Of the widest rows, so many are encoded before the size of a page is looked at.
const FEWEST_AT_ONCE: usize = 16;

/// Rows of so many bytes are wide.
const WIDE_ROW_BYTES: usize = 2 << 10;

/// What Parquet calls the repeated group within a list.
const LIST_GROUP: &str = "list";

/// Row groups are never longer than this, however small their rows.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// The Parquet settings for a file of such a length, to judge by rows with which it begins.
///
/// # Errors
/// `InvalidInput` for a zstd level that does not exist; `Internal` if a column cannot be sampled.
pub(super) fn properties(
    schema: &SchemaRef,
    table: &WriteProperties,
    first: &RecordBatch,
    length: Length,
) -> Result<WriterProperties> {
    let compression = match table.zstd_level {
        None => Compression::UNCOMPRESSED,
        Some(_) if length == Length::Plain => Compression::UNCOMPRESSED,
        Some(level) => Compression::ZSTD(ZstdLevel::try_new(level).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, format!("there is no zstd level {level}"))
                .with_source(error)
        })?),
    };
    let has_pages = length == Length::Any;
    let row_bytes = bytes(first) / first.num_rows().max(1);
    let group_bytes = match row_bytes < WIDE_ROW_BYTES {
        true => table.row_group_bytes,
        false => table.row_group_bytes.min(table.wide_group_bytes),
    };
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(format!("{CREATED_BY}{}", env!("CARGO_PKG_VERSION")))
        .set_compression(compression)
        .set_data_page_size_limit(table.page_bytes)
        .set_write_batch_size(rows_at_once(table.page_bytes, first))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(group_bytes))
        .set_offset_index_disabled(!has_pages)
        .set_statistics_enabled(match has_pages {
            true => EnabledStatistics::Page,
            false => EnabledStatistics::Chunk,
        });
    let group_rows = (group_bytes / row_bytes.max(1)).clamp(SAMPLE_ROWS, ROW_GROUP_ROWS);
    let columns = schema.fields().iter().zip(first.columns());
    let columns: Vec<Leaf> = columns.flat_map(|(field, values)| leaves(field, values)).collect();
    let whole_bounds = columns.iter().any(|leaf| table.metrics(&leaf.name) == MetricsMode::Full);
    if whole_bounds {
        properties = properties.set_statistics_truncate_length(None);
    }
    for leaf in columns {
        let path = ColumnPath::new(leaf.path);
        let distinct = distinct_percent(&leaf.values)?;
        let boolean = leaf.values.data_type() == &DataType::Boolean;
        let dictionary = !boolean && distinct <= DISTINCT_PERCENT;
        properties = properties.set_column_dictionary_enabled(path.clone(), dictionary);
        if table.delta_encoding && !dictionary && differences_pay(&leaf.values, compression)? {
            properties =
                properties.set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
        }
        let bounded =
            matches!(table.metrics(&leaf.name), MetricsMode::Truncate(_) | MetricsMode::Full);
        if !bounded || leaf.repeated {
            // No reader prunes by columns without bounds, so their pages need none either.
            properties =
                properties.set_column_statistics_enabled(path.clone(), EnabledStatistics::Chunk);
        }
        if let Some(false_positives) = table.bloom_filter(&leaf.name) {
            // Room for a whole row group; what it does not need is folded away when it ends.
            let values = group_rows * distinct.max(1) / 100;
            properties = properties
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path.clone(), false_positives)
                .set_column_bloom_filter_max_ndv(path, u64::try_from(values).unwrap_or(u64::MAX));
        }
    }
    Ok(properties.build())
}

/// How many rows are encoded before the size of a page is looked at. Parquet's own number makes pages
/// of 10 MiB of rows of 10 KiB.
fn rows_at_once(page_bytes: usize, first: &RecordBatch) -> usize {
    let row_bytes = bytes(first) / first.num_rows().max(1);
    (page_bytes / row_bytes.max(1)).clamp(FEWEST_AT_ONCE, DEFAULT_WRITE_BATCH_SIZE)
}

/// What rows take in memory, those beside them in the same buffers not counted.
pub(super) fn bytes(rows: &RecordBatch) -> usize {
    let sizes = rows.columns().iter().map(|values| values.to_data().get_slice_memory_size());
    sizes.filter_map(std::result::Result::ok).sum()
}

/// A column as Parquet has it.
struct Leaf {
    /// Its path in the file.
    path: Vec<String>,
    /// Its full name in the table: `address.city`, `tags.element`.
    name: String,
    values: ArrayRef,
    /// Whether a row may have several values of it.
    repeated: bool,
}

/// The columns that a column of a table is written as.
fn leaves(field: &Field, values: &ArrayRef) -> Vec<Leaf> {
    let own = field.name();
    let parts: Vec<(Vec<String>, &Field, ArrayRef, bool)> =
        match (field.data_type(), values.data_type()) {
            (DataType::Struct(fields), DataType::Struct(_)) => {
                let columns = values.as_struct().columns().iter().cloned();
                fields
                    .iter()
                    .zip(columns)
                    .map(|(f, c)| (vec![own.clone()], f.as_ref(), c, false))
                    .collect()
            }
            (DataType::List(element), DataType::List(_)) => {
                let path = vec![own.clone(), LIST_GROUP.to_string()];
                vec![(
                    path,
                    element.as_ref(),
                    ArrayRef::clone(values.as_list::<i32>().values()),
                    true,
                )]
            }
            (DataType::Map(entries, _), DataType::Map(..)) => {
                let DataType::Struct(pair) = entries.data_type() else { return Vec::new() };
                let path = vec![own.clone(), entries.name().clone()];
                let columns = values.as_map().entries().columns().iter().cloned();
                pair.iter().zip(columns).map(|(f, c)| (path.clone(), f.as_ref(), c, true)).collect()
            }
            _ => {
                return vec![Leaf {
                    path: vec![own.clone()],
                    name: own.clone(),
                    values: ArrayRef::clone(values),
                    repeated: false,
                }];
            }
        };
    let below = parts.into_iter().flat_map(|(path, field, values, repeated)| {
        leaves(field, &values).into_iter().map(move |leaf| Leaf {
            path: path.iter().cloned().chain(leaf.path).collect(),
            name: format!("{own}.{}", leaf.name),
            repeated: repeated || leaf.repeated,
            ..leaf
        })
    });
    below.collect()
}

fn differences_pay(values: &ArrayRef, compression: Compression) -> Result<bool> {
    delta::pays(values, compression).map_err(|error| {
        Error::new(ErrorKind::Internal, "a column cannot be sampled").with_source(error)
    })
}

/// How many of 100 sampled values are distinct; the sample is spread evenly over the column.
fn distinct_percent(values: &ArrayRef) -> Result<usize> {
    let rows = values.len();
    if rows == 0 {
        return Ok(0);
    }
    let failed = |error: arrow::error::ArrowError| {
        Error::new(ErrorKind::Internal, "a column cannot be sampled").with_source(error)
    };
    let sampled = rows.min(SAMPLE_ROWS);
    let at = (0..sampled).map(|index| u64::try_from(index * rows / sampled).unwrap_or(0));
    let sample =
        take(values, &arrow::array::UInt64Array::from_iter_values(at), None).map_err(failed)?;
    let field = SortField::new(sample.data_type().clone());
    let rows = RowConverter::new(vec![field])
        .and_then(|converter| converter.convert_columns(&[sample]))
        .map_err(failed)?;
    let distinct: HashSet<_> = rows.iter().map(|row| row.data().to_vec()).collect();
    Ok(distinct.len() * 100 / sampled)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow::array::{Int64Array, ListArray, StringArray, StructArray};
    use arrow::buffer::OffsetBuffer;

    use super::*;

    #[test]
    fn parts_of_columns_are_encoded_by_their_own_values() {
        let unit: ArrayRef = Arc::new(StringArray::from(vec!["mg"; 3_000]));
        let code: ArrayRef = Arc::new(Int64Array::from_iter_values(0..3_000));
        let parts = [("unit", &unit), ("code", &code)];
        let fields: Vec<Field> = parts
            .iter()
            .map(|(name, values)| Field::new(*name, values.data_type().clone(), true))
            .collect();
        let part = StructArray::new(fields.into(), vec![Arc::clone(&unit), code], None);
        let element = Arc::new(Field::new("element", part.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths([3_000]);
        let list: ArrayRef =
            Arc::new(ListArray::new(element, offsets, Arc::new(part.clone()), None));
        let part: ArrayRef = Arc::new(part.slice(0, 1));
        let batch = RecordBatch::try_from_iter([("s", part), ("l", list)]).unwrap();
        let table = WriteProperties::read(&HashMap::from([(
            crate::table::properties::metrics_key("s.code"),
            "full".to_string(),
        )]))
        .unwrap();
        let path = |path: &str| ColumnPath::new(path.split('.').map(str::to_string).collect());
        for (length, zstd) in [(Length::Plain, false), (Length::Small, true)] {
            let written = properties(&batch.schema(), &table, &batch, length).unwrap();
            assert!(written.offset_index_disabled(), "of so few rows there is a page a column");
            let compression = written.compression(&path("s.code"));
            assert_eq!(compression != Compression::UNCOMPRESSED, zstd);
        }
        let written = properties(&batch.schema(), &table, &batch, Length::Any).unwrap();
        assert!(!written.offset_index_disabled(), "there are several");
        assert!(written.dictionary_enabled(&path("l.list.element.unit")));
        assert!(!written.dictionary_enabled(&path("l.list.element.code")));
        let pages = |name| written.statistics_enabled(&path(name)) == EnabledStatistics::Page;
        assert!(pages("s.code") && pages("s.unit") && !pages("l.list.element.unit"));
        assert_eq!(written.statistics_truncate_length(), None, "one has whole bounds");
    }

    #[test]
    fn pages_of_wide_rows_end_at_their_size() {
        let narrow: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5_000));
        let wide: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(10_000); 200]));
        let rows = |values: &ArrayRef| {
            let batch = RecordBatch::try_from_iter([("c", Arc::clone(values))]).unwrap();
            rows_at_once(1 << 20, &batch)
        };
        assert_eq!(rows(&narrow), 1_024);
        assert_eq!(rows(&wide), 104);
        assert_eq!(rows(&wide.slice(100, 1)), 104, "the rest of its buffers does not count");
    }

    #[test]
    fn row_groups_of_wide_rows_are_smaller_unless_the_table_says_how_large() {
        let group_bytes = |row_bytes: usize, said: &[(String, String)]| {
            let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(row_bytes); 8]));
            let batch = RecordBatch::try_from_iter([("c", text)]).unwrap();
            let table = WriteProperties::read(&said.iter().cloned().collect()).unwrap();
            let written = properties(&batch.schema(), &table, &batch, Length::Any).unwrap();
            written.max_row_group_bytes().unwrap()
        };
        assert_eq!([200, 10_000].map(|wide| group_bytes(wide, &[])), [128 << 20, 32 << 20]);
        let said = ("write.parquet.row-group-size-bytes".to_string(), "67108864".to_string());
        assert_eq!(
            [200, 10_000].map(|wide| group_bytes(wide, std::slice::from_ref(&said))),
            [64 << 20; 2]
        );
    }

    #[test]
    fn differences_are_written_where_the_table_allows_them() {
        let id: ArrayRef = Arc::new(Int64Array::from_iter_values((0..5_000).map(|n| n * n / 7)));
        let unit: ArrayRef = Arc::new(Int64Array::from_iter_values((0..5_000).map(|n| n % 3)));
        let batch = RecordBatch::try_from_iter([("id", id), ("unit", unit)]).unwrap();
        let encoding = |allowed: &str, name: &str| {
            let allowed = (crate::table::properties::DELTA_ENCODING.to_string(), allowed.into());
            let table = WriteProperties::read(&HashMap::from([allowed])).unwrap();
            let path = ColumnPath::new(vec![name.to_string()]);
            properties(&batch.schema(), &table, &batch, Length::Any).unwrap().encoding(&path)
        };
        assert_eq!(encoding("true", "id"), Some(Encoding::DELTA_BINARY_PACKED));
        assert_eq!(encoding("false", "id"), None);
        assert_eq!(encoding("true", "unit"), None, "it has a dictionary");
    }

    #[test]
    fn a_dictionary_is_used_where_values_repeat() {
        let id: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5_000));
        let unit: ArrayRef = Arc::new(StringArray::from_iter_values(
            (0..5_000).map(|row| if row % 2 == 0 { "mg/dL" } else { "mmol/L" }),
        ));
        let batch = RecordBatch::try_from_iter([("id", id), ("unit", unit)]).unwrap();
        let table = WriteProperties::read(&HashMap::from([
            (crate::table::properties::bloom_filter_key("id"), "true".to_string()),
            (crate::table::properties::metrics_key("unit"), "counts".to_string()),
        ]))
        .unwrap();
        let written = properties(&batch.schema(), &table, &batch, Length::Any).unwrap();
        let path = |name: &str| ColumnPath::new(vec![name.to_string()]);
        assert!(!written.dictionary_enabled(&path("id")));
        assert!(written.dictionary_enabled(&path("unit")));
        assert!(written.bloom_filter_properties(&path("id")).is_some());
        assert!(written.bloom_filter_properties(&path("unit")).is_none());
        assert_eq!(written.statistics_enabled(&path("unit")), EnabledStatistics::Chunk);
    }
}

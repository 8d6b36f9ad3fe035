//! Whether a column gets smaller as the differences of its values (`DELTA_BINARY_PACKED`).
//!
//! Nothing that is counted in values says it: zstd finds what repeats in plain values and nothing in
//! packed differences, so that ids of patients, who have many rows, get a third larger. Therefore some
//! rows are written both ways and weighed.
//!
//! Source: <https://parquet.apache.org/docs/file-format/data-pages/encodings/>

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding};
use parquet::errors::Result;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

/// How many rows are written both ways. They stand together, as differences of others say nothing.
const SAMPLE_ROWS: usize = 4_096;

/// Fewer say too little, and a file of them is small either way.
const LEAST_ROWS: usize = 128;

/// Differences must save at least this much, in percent: fewer readers have them.
const LEAST_SAVING_PERCENT: i64 = 5;

/// Whether differences make a column smaller that begins with `values`. Only integers, dates and
/// timestamps have them.
///
/// # Errors
/// Those of the Parquet writer.
pub(super) fn pays(values: &ArrayRef, compression: Compression) -> Result<bool> {
    let whole_numbers = matches!(
        values.data_type(),
        DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Timestamp(..)
    );
    if !whole_numbers || values.len() - values.null_count() < LEAST_ROWS {
        return Ok(false);
    }
    let sample = values.slice(0, values.len().min(SAMPLE_ROWS));
    let plain = written_bytes(&sample, Encoding::PLAIN, compression)?;
    let differences = written_bytes(&sample, Encoding::DELTA_BINARY_PACKED, compression)?;
    Ok(differences * 100 <= plain * (100 - LEAST_SAVING_PERCENT))
}

/// The bytes of a column chunk with these values.
fn written_bytes(values: &ArrayRef, encoding: Encoding, compression: Compression) -> Result<i64> {
    let schema = Arc::new(Schema::new(vec![Field::new("c", values.data_type().clone(), true)]));
    let properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(compression)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_encoding(encoding)
        .build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(values)])?;
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
    writer.write(&batch)?;
    let footer = writer.close()?;
    let chunks = footer.row_groups().iter().flat_map(|group| group.columns());
    Ok(chunks.map(|chunk| chunk.compressed_size()).sum())
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Date32Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };
    use parquet::basic::ZstdLevel;

    use super::*;

    fn pay(values: impl Array + 'static) -> bool {
        let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
        pays(&(Arc::new(values) as ArrayRef), zstd).unwrap()
    }

    /// Numbers that look random and are the same in each run.
    fn scattered(rows: i64) -> impl Iterator<Item = i64> {
        (1..=rows).scan(0x9E37_79B9_7F4A_7C15_u64, |state, _| {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            Some((*state >> 1).cast_signed())
        })
    }

    #[test]
    fn differences_are_taken_where_they_are_smaller() {
        let step = || {
            scattered(8_000).scan(0_i64, |at, n| {
                *at += n % 1_000_003;
                Some(*at)
            })
        };
        assert!(pay(Int64Array::from_iter_values(step())), "sorted ids");
        let with_nulls = step().enumerate().map(|(row, n)| (row % 7 > 0).then_some(n));
        assert!(pay(TimestampMicrosecondArray::from_iter(with_nulls)), "sorted times");
        let days = (0..8_000).map(|n| 19_000 + n * 3 / 2);
        assert!(pay(Date32Array::from_iter_values(days)), "sorted days");
    }

    #[test]
    fn plain_values_are_kept_where_they_are_smaller() {
        assert!(!pay(Int64Array::from_iter_values(scattered(8_000))), "hashes");
        let patients = scattered(1_000).flat_map(|n| [10_000_000 + n % 1_000_000; 7]);
        assert!(!pay(Int64Array::from_iter_values(patients)), "patients with some rows each");
        assert!(!pay(Int32Array::from_iter_values(0..100)), "few rows");
        assert!(!pay(Int32Array::from(vec![None::<i32>; 8_000])), "no values");
        assert!(!pay(StringArray::from_iter_values((0..8_000).map(|n| n.to_string()))), "text");
    }
}

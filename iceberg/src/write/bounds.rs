//! What a manifest says of a data file's columns, taken from the file's own footer.
//!
//! Invariant B1: bounds, counts and null counts never exclude a row that is there. A bound is given
//! only if every row group that holds a value of the column has one; floats get none, because the
//! footer leaves NaN out and readers differ on where it stands. Fields of structs are columns like
//! others; elements of lists and of maps are not counted by rows, so nothing is said of them but
//! their size.
//!
//! Source: <https://iceberg.apache.org/spec/#data-file-fields> and its Appendix D.

use std::collections::{HashMap, HashSet};

use iceberg::spec::{Datum, NestedField, PrimitiveLiteral, PrimitiveType, SchemaRef, Type};
use parquet::basic::Type as Physical;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;

use crate::table::{MetricsMode, WriteProperties};
use crate::{Error, ErrorKind, Result};

/// Column metrics by field id.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Compressed bytes.
    pub column_sizes: HashMap<i32, u64>,
    /// Values, NULLs among them.
    pub value_counts: HashMap<i32, u64>,
    /// NULLs.
    pub null_value_counts: HashMap<i32, u64>,
    /// No value is below these.
    pub lower_bounds: HashMap<i32, Datum>,
    /// No value is above these.
    pub upper_bounds: HashMap<i32, Datum>,
    /// Where each row group starts, in bytes.
    pub split_offsets: Vec<i64>,
}

/// The metrics of a file whose columns carry the field ids of `schema`, as far as each column's
/// metrics mode lets them be told.
///
/// # Errors
/// `Internal` for a column without field id.
pub fn metrics(
    footer: &ParquetMetaData,
    schema: &SchemaRef,
    properties: &WriteProperties,
) -> Result<Metrics> {
    let mut metrics = Metrics::default();
    let mut unbounded = HashSet::new();
    let mut uncounted = HashSet::new();
    for group in footer.row_groups() {
        metrics.split_offsets.extend(group.file_offset());
        for column in group.columns() {
            let info = column.column_descr().self_type().get_basic_info();
            let field = info.has_id().then(|| schema.field_by_id(info.id())).flatten();
            let Some(field) = field else {
                return Err(Error::new(
                    ErrorKind::Internal,
                    format!("column {} was written without a field id of the schema", info.name()),
                ));
            };
            let Type::Primitive(kind) = field.field_type.as_ref() else { continue };
            let mode = match column.column_descr().max_rep_level() {
                0 => properties.metrics(name_of(schema, field)),
                _ => MetricsMode::None,
            };
            metrics.add(field.id, column, kind, mode, &mut unbounded, &mut uncounted);
        }
    }
    metrics.lower_bounds.retain(|id, _| !unbounded.contains(id));
    metrics.upper_bounds.retain(|id, _| !unbounded.contains(id));
    metrics.null_value_counts.retain(|id, _| !uncounted.contains(id));
    let bounded: HashSet<i32> =
        metrics.lower_bounds.keys().chain(metrics.upper_bounds.keys()).copied().collect();
    for id in bounded {
        let Some(field) = schema.field_by_id(id) else { continue };
        if let MetricsMode::Truncate(length) = properties.metrics(name_of(schema, field)) {
            metrics.cut(id, length);
        }
    }
    Ok(metrics)
}

/// A field's full name: `address.city`.
fn name_of<'a>(schema: &'a SchemaRef, field: &'a NestedField) -> &'a str {
    schema.name_by_field_id(field.id).unwrap_or(&field.name)
}

impl Metrics {
    fn add(
        &mut self,
        id: i32,
        column: &ColumnChunkMetaData,
        kind: &PrimitiveType,
        mode: MetricsMode,
        unbounded: &mut HashSet<i32>,
        uncounted: &mut HashSet<i32>,
    ) {
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        *self.column_sizes.entry(id).or_default() += count(column.compressed_size());
        if mode == MetricsMode::None {
            return;
        }
        let values = count(column.num_values());
        *self.value_counts.entry(id).or_default() += values;
        let statistics = column.statistics();
        let Some(nulls) = statistics.and_then(Statistics::null_count_opt) else {
            unbounded.insert(id);
            uncounted.insert(id);
            return;
        };
        *self.null_value_counts.entry(id).or_default() += nulls;
        if nulls == values || mode == MetricsMode::Counts {
            return;
        }
        let bound = |bytes: Option<&[u8]>| datum(bytes?, column.column_descr(), kind);
        let low = bound(statistics.and_then(Statistics::min_bytes_opt));
        let high = bound(statistics.and_then(Statistics::max_bytes_opt));
        let (Some(low), Some(high)) = (low, high) else {
            unbounded.insert(id);
            return;
        };
        match self.lower_bounds.get(&id) {
            Some(known) if *known <= low => {}
            _ => drop(self.lower_bounds.insert(id, low)),
        }
        match self.upper_bounds.get(&id) {
            Some(known) if *known >= high => {}
            _ => drop(self.upper_bounds.insert(id, high)),
        }
    }

    /// Shortens the bounds of texts and bytes: the lower one down, the upper one up. An upper bound
    /// that cannot be raised is left out.
    fn cut(&mut self, id: i32, length: usize) {
        if let Some(short) = self.lower_bounds.get(&id).and_then(|bound| lower(bound, length)) {
            self.lower_bounds.insert(id, short);
        }
        match self.upper_bounds.get(&id).map(|bound| upper(bound, length)) {
            Some(Some(short)) => drop(self.upper_bounds.insert(id, short)),
            Some(None) => drop(self.upper_bounds.remove(&id)),
            None => {}
        }
    }
}

/// A footer value as an Iceberg value. Both write numbers little-endian, but for decimals, which
/// are big-endian in Iceberg.
fn datum(bytes: &[u8], column: &ColumnDescriptor, kind: &PrimitiveType) -> Option<Datum> {
    let bytes: Vec<u8> = match (kind, column.physical_type()) {
        (PrimitiveType::Float | PrimitiveType::Double, _) => return None,
        (PrimitiveType::Decimal { .. }, Physical::INT32 | Physical::INT64) => {
            bytes.iter().rev().copied().collect()
        }
        _ => bytes.to_vec(),
    };
    Datum::try_from_bytes(&bytes, kind.clone()).ok()
}

/// A shorter value that is not above `bound`; `None` where it is short enough.
fn lower(bound: &Datum, length: usize) -> Option<Datum> {
    match bound.literal() {
        PrimitiveLiteral::String(text) => {
            let (end, _) = text.char_indices().nth(length)?;
            Some(Datum::string(text.get(..end)?))
        }
        PrimitiveLiteral::Binary(bytes) if bound.data_type() == &PrimitiveType::Binary => {
            Some(Datum::binary(bytes.get(..length)?.iter().copied()))
        }
        _ => None,
    }
}

/// A value of at most `length` that is not below `bound`; `None` where there is none.
fn upper(bound: &Datum, length: usize) -> Option<Datum> {
    match bound.literal() {
        PrimitiveLiteral::String(text) if text.chars().count() > length => {
            let mut characters: Vec<char> = text.chars().take(length).collect();
            while let Some(last) = characters.pop() {
                if let Some(next) = next_character(last) {
                    characters.push(next);
                    return Some(Datum::string(characters.into_iter().collect::<String>()));
                }
            }
            None
        }
        PrimitiveLiteral::Binary(bytes)
            if bound.data_type() == &PrimitiveType::Binary && bytes.len() > length =>
        {
            let mut bytes: Vec<u8> = bytes.iter().take(length).copied().collect();
            while let Some(last) = bytes.pop() {
                if let Some(next) = last.checked_add(1) {
                    bytes.push(next);
                    return Some(Datum::binary(bytes));
                }
            }
            None
        }
        _ => Some(bound.clone()),
    }
}

/// The character after this one; surrogates, which are no characters, are stepped over.
fn next_character(character: char) -> Option<char> {
    (u32::from(character) + 1..=u32::from(char::MAX)).find_map(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_bounds_still_hold_the_value() {
        for text in
            ["short", "exactly-16-chars", "ééééééééééééééééé longer", "zzzzzzzzzzzzzzzz\u{10FFFF}z"]
        {
            let bound = Datum::string(text);
            let low = lower(&bound, 16).unwrap_or_else(|| bound.clone());
            let high = upper(&bound, 16).unwrap();
            assert!(low <= bound && bound <= high, "{text}");
        }
        let top = Datum::string("\u{10FFFF}".repeat(17));
        assert_eq!(upper(&top, 16), None);
        assert_eq!(next_character('\u{D7FF}'), Some('\u{E000}'));
        assert_eq!(upper(&Datum::binary([255; 20]), 16), None);
        assert_eq!(upper(&Datum::binary([1, 255, 255]), 2), Some(Datum::binary([2])));
    }
}

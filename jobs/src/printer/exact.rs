//! Values for programs: exact, as JSON has them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, RecordBatchOptions, StringArray,
    StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The rows as JSON, an object a line, with every column.
pub(super) fn json_lines(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    let mut writer =
        WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut bytes);
    writer.write(&exact(batch)?)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

/// The values of a column, each as JSON; `None` for NULL.
pub(super) fn json_cells(values: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    let (before, after) = ("{\"v\":", "}");
    let batch = RecordBatch::try_from_iter_with_nullable([("v", Arc::clone(values), true)])?;
    let lines = String::from_utf8(json_lines(&batch)?)
        .map_err(|error| ArrowError::ExternalError(error.into()))?;
    let cells = lines.lines().enumerate().map(|(row, line)| {
        let cell = line.strip_prefix(before).and_then(|line| line.strip_suffix(after));
        cell.filter(|_| values.is_valid(row)).map(str::to_string)
    });
    Ok(cells.collect())
}

/// The batch with decimals as text, since readers of JSON take numbers for binary fractions, and
/// with the keys of maps as text, which JSON has no others than.
fn exact(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let column = exact_values(column)?;
        fields.push(retyped(field, &column));
        columns.push(column);
    }
    RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
    )
}

fn retyped(field: &Field, values: &ArrayRef) -> Field {
    field.clone().with_data_type(values.data_type().clone())
}

fn exact_values(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match values.data_type() {
        kind if kind.is_decimal() => cast(values, &DataType::Utf8)?,
        DataType::Struct(fields) => {
            let of = values.as_struct();
            let columns = of.columns().iter().map(exact_values).collect::<Result<Vec<_>, _>>()?;
            let fields: Vec<Field> =
                fields.iter().zip(&columns).map(|(field, values)| retyped(field, values)).collect();
            Arc::new(StructArray::try_new_with_length(
                fields.into(),
                columns,
                of.nulls().cloned(),
                of.len(),
            )?)
        }
        DataType::List(element) => {
            let of = values.as_list::<i32>();
            let elements = exact_values(of.values())?;
            let element = Arc::new(retyped(element, &elements));
            let (offsets, nulls) = (of.offsets().clone(), of.nulls().cloned());
            Arc::new(ListArray::try_new(element, offsets, elements, nulls)?)
        }
        DataType::Map(entries, sorted) => {
            let of = values.as_map();
            let pairs = of.entries();
            let keys = texts(pairs.column(0))?;
            let values = exact_values(pairs.column(1))?;
            let fields =
                vec![retyped(&pairs.fields()[0], &keys), retyped(&pairs.fields()[1], &values)];
            let pairs = StructArray::try_new(fields.into(), vec![keys, values], None)?;
            let entries = entries.as_ref().clone().with_data_type(pairs.data_type().clone());
            let (offsets, nulls) = (of.offsets().clone(), of.nulls().cloned());
            Arc::new(MapArray::try_new(Arc::new(entries), offsets, pairs, nulls, *sorted)?)
        }
        _ => Arc::clone(values),
    })
}

/// Values as the texts that people read.
fn texts(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let shown = ArrayFormatter::try_new(values, &FormatOptions::default())?;
    let texts = (0..values.len()).map(|row| shown.value(row).to_string());
    Ok(Arc::new(StringArray::from_iter_values(texts)))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int32Array};
    use arrow::buffer::{NullBuffer, OffsetBuffer};

    use super::*;

    fn structure(fields: [(&str, ArrayRef); 2], nulls: Option<NullBuffer>) -> StructArray {
        let types: Vec<Field> = fields
            .iter()
            .map(|(name, values)| Field::new(*name, values.data_type().clone(), *name != "key"))
            .collect();
        StructArray::new(types.into(), fields.map(|(_, values)| values).into(), nulls)
    }

    #[test]
    fn nested_values_are_exact_json() {
        let decimals = Decimal128Array::from(vec![Some(10_i128.pow(37) + 1), None, Some(-5)])
            .with_precision_and_scale(38, 2)
            .unwrap();
        let decimals: ArrayRef = Arc::new(decimals);
        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a, \"b\"\n"), None, Some("")]));
        let nulls = NullBuffer::from(vec![true, true, false]);
        let both: ArrayRef =
            Arc::new(structure([("d", Arc::clone(&decimals)), ("w", words)], Some(nulls)));
        assert_eq!(
            json_cells(&both).unwrap(),
            [
                Some(r#"{"d":"100000000000000000000000000000000000.01","w":"a, \"b\"\n"}"#.into()),
                Some(r#"{"d":null,"w":null}"#.into()),
                None
            ]
        );
        let keys: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let pairs = structure([("key", keys), ("value", decimals)], None);
        let entries = Arc::new(Field::new("key_value", pairs.data_type().clone(), false));
        let offsets = OffsetBuffer::from_lengths([2, 0, 1]);
        let map: ArrayRef = Arc::new(MapArray::new(entries, offsets, pairs, None, false));
        let element = Arc::new(Field::new("element", map.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths([1, 2]);
        let list: ArrayRef = Arc::new(ListArray::new(element, offsets, map, None));
        assert_eq!(
            json_cells(&list).unwrap(),
            [
                Some(r#"[{"1":"100000000000000000000000000000000000.01","2":null}]"#.into()),
                Some(r#"[{},{"3":"-0.05"}]"#.into())
            ]
        );
    }
}

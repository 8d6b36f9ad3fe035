//! Values of one nested type as those of another: what a file holds as what a column has, what a
//! query gives as what a column takes.
//!
//! Only the frame is built anew, level by level; values are copied where their type changes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, ListArray, MapArray, StructArray, make_array,
    new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;

use super::from_arrow::arrow_text;
use super::schema::field_id;
use crate::{Error, ErrorKind, Result};

/// How the fields of two structs find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// By field id, as in files: names do not matter, what is missing is NULL, what is not asked for
    /// is left out (E1).
    Id,
    /// By name, as in statements: what is missing is NULL, and nothing may be left over. Fields that
    /// have no names of their own (`c0`, `c1` …) find each other by place.
    Name,
}

impl By {
    /// For each field of `to`, its place in `from`.
    ///
    /// # Errors
    /// `Unsupported` for a file without ids; `InvalidInput` for a field that would be lost.
    pub(crate) fn places(self, from: &Fields, to: &Fields) -> Result<Vec<Option<usize>>> {
        match self {
            Self::Id => {
                let mut ids = Vec::with_capacity(from.len());
                for field in from {
                    ids.push(field_id(field).ok_or_else(|| {
                        let message = "a data file without field ids cannot be read, rewrite it \
                                       with them";
                        Error::new(ErrorKind::Unsupported, message)
                            .with_context("field", field.name())
                    })?);
                }
                let place =
                    |field: &Arc<Field>| ids.iter().position(|id| Some(*id) == field_id(field));
                Ok(to.iter().map(place).collect())
            }
            Self::Name => {
                let unnamed = from.iter().enumerate().all(|(at, f)| *f.name() == format!("c{at}"));
                if unnamed
                    && from.len() == to.len()
                    && to.iter().any(|f| from.find(f.name()).is_none())
                {
                    return Ok((0..to.len()).map(Some).collect());
                }
                if let Some(extra) = from.iter().find(|field| to.find(field.name()).is_none()) {
                    let names: Vec<&str> = to.iter().map(|field| field.name().as_str()).collect();
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        format!(
                            "a value has a field `{}`, which the column has not; it has {}",
                            extra.name(),
                            names.join(", ")
                        ),
                    ));
                }
                Ok(to.iter().map(|field| Some(from.find(field.name())?.0)).collect())
            }
        }
    }
}

/// The values as those of another type.
///
/// # Errors
/// As [`By::places`]; `InvalidData` for NULL in a field that is required, and for a value that the
/// type does not hold.
pub(crate) fn conformed(values: &ArrayRef, to: &DataType, by: By) -> Result<ArrayRef> {
    if values.data_type() == to {
        return Ok(Arc::clone(values));
    }
    Ok(match (values.data_type(), to) {
        (DataType::Null, _) => new_null_array(to, values.len()),
        (DataType::Struct(from), DataType::Struct(fields)) => {
            let values = values.as_struct();
            let mut columns = Vec::with_capacity(fields.len());
            for (field, place) in fields.iter().zip(by.places(from, fields)?) {
                let column = match place {
                    Some(at) => conformed(&masked(values, at)?, field.data_type(), by)
                        .map_err(|error| within(error, field.name()))?,
                    None => new_null_array(field.data_type(), values.len()),
                };
                check_required(field, &column, values)?;
                columns.push(column);
            }
            let nulls = values.nulls().cloned();
            Arc::new(StructArray::try_new(fields.clone(), columns, nulls).map_err(unfit)?)
        }
        (DataType::List(_), DataType::List(element)) => {
            let list = compact(values, element.is_nullable())?;
            let list = list.as_list::<i32>();
            let elements = conformed(list.values(), element.data_type(), by)
                .map_err(|error| within(error, element.name()))?;
            check_no_null(element, &elements)?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(
                ListArray::try_new(Arc::clone(element), offsets, elements, nulls).map_err(unfit)?,
            )
        }
        (
            DataType::LargeList(element)
            | DataType::FixedSizeList(element, _)
            | DataType::ListView(element)
            | DataType::LargeListView(element),
            DataType::List(_),
        ) => conformed(&cast(values, &DataType::List(Arc::clone(element)))?, to, by)?,
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let DataType::Struct(pair) = entries.data_type() else { return cast(values, to) };
            let required = pair.iter().all(|part| part.is_nullable());
            let map = compact(values, required)?;
            let map = map.as_map();
            let mut parts = Vec::with_capacity(pair.len());
            for (part, field) in map.entries().columns().iter().zip(pair) {
                let part = conformed(part, field.data_type(), by)
                    .map_err(|error| within(error, field.name()))?;
                check_no_null(field, &part)?;
                parts.push(part);
            }
            let pairs = StructArray::try_new(pair.clone(), parts, None).map_err(unfit)?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Arc::new(
                MapArray::try_new(Arc::clone(entries), offsets, pairs, nulls, *sorted)
                    .map_err(unfit)?,
            )
        }
        (DataType::Dictionary(_, of), _) => conformed(&cast(values, of)?, to, by)?,
        _ => cast(values, to)?,
    })
}

/// A field's values, NULL where the struct is. Readers leave what they like in required fields there,
/// and DataFusion takes a field without looking at what it is in.
fn masked(parent: &StructArray, at: usize) -> Result<ArrayRef> {
    let values = parent.column(at);
    let nulls = parent.nulls().filter(|nulls| nulls.null_count() > 0);
    if nulls.is_none() || values.data_type().is_null() {
        return Ok(Arc::clone(values));
    }
    let nulls = NullBuffer::union(nulls, values.nulls());
    Ok(make_array(values.to_data().into_builder().nulls(nulls).build().map_err(unfit)?))
}

/// Whether a type can be conformed to another: told before there are values. Leaves are held
/// against each other by `leaf`.
///
/// # Errors
/// As [`By::places`], and those of `leaf`, which is given types of different shapes too.
pub(crate) fn check_conforms(
    from: &DataType,
    to: &DataType,
    leaf: &impl Fn(&DataType, &DataType) -> Result<()>,
) -> Result<()> {
    let child = |from: &Field, to: &Field| {
        check_conforms(from.data_type(), to.data_type(), leaf)
            .map_err(|error| within(error, to.name()))
    };
    match (from, to) {
        (DataType::Null, _) => Ok(()),
        (DataType::Struct(from), DataType::Struct(to)) => {
            for (field, place) in to.iter().zip(By::Name.places(from, to)?) {
                // Whether what is missing is required is seen when rows are written.
                if let Some(at) = place {
                    child(&from[at], field)?;
                }
            }
            Ok(())
        }
        (
            DataType::List(from)
            | DataType::LargeList(from)
            | DataType::FixedSizeList(from, _)
            | DataType::ListView(from)
            | DataType::LargeListView(from),
            DataType::List(to),
        ) => child(from, to),
        (DataType::Map(from, _), DataType::Map(to, _)) => {
            match (from.data_type(), to.data_type()) {
                (DataType::Struct(from), DataType::Struct(to)) if from.len() == to.len() => {
                    from.iter().zip(to).try_for_each(|(from, to)| child(from, to))
                }
                _ => leaf(from.data_type(), to.data_type()),
            }
        }
        (DataType::Dictionary(_, from), to) => check_conforms(from, to, leaf),
        (from, to) => leaf(from, to),
    }
}

/// An error about a field, with the innermost one's name.
fn within(error: Error, name: &str) -> Error {
    match error.context("field") {
        Some(_) => error,
        None => error.with_context("field", name),
    }
}

/// The cause of a failure is left out: it names the value.
fn cast(values: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let exact = CastOptions { safe: false, ..Default::default() };
    cast_with_options(values, to, &exact).map_err(|_| {
        let (from, to) = (arrow_text(values.data_type()), arrow_text(to));
        Error::new(ErrorKind::InvalidData, format!("a value of type {from} is no {to}"))
    })
}

fn unfit(error: ArrowError) -> Error {
    Error::new(ErrorKind::InvalidData, "values do not fit the column's type").with_source(error)
}

fn missing(field: &Field, count: usize) -> Error {
    let message = format!("{count} values are NULL in a field that is required");
    within(Error::new(ErrorKind::InvalidData, message), field.name())
}

/// Refuses NULL in a required field of a struct that is there.
fn check_required(field: &Field, column: &ArrayRef, parent: &StructArray) -> Result<()> {
    if field.is_nullable() || column.null_count() == 0 {
        return Ok(());
    }
    let bare = (0..column.len()).filter(|row| column.is_null(*row) && parent.is_valid(*row));
    match bare.count() {
        0 => Ok(()),
        count => Err(missing(field, count)),
    }
}

fn check_no_null(field: &Field, values: &ArrayRef) -> Result<()> {
    match field.is_nullable() || values.null_count() == 0 {
        true => Ok(()),
        false => Err(missing(field, values.null_count())),
    }
}

/// Lists or maps without the values that none of them refers to, if NULL among those would count.
fn compact(values: &ArrayRef, optional: bool) -> Result<ArrayRef> {
    if optional {
        return Ok(Arc::clone(values));
    }
    let rows = i32::try_from(values.len()).map_err(|_| {
        Error::new(ErrorKind::Internal, "a batch has more rows than can be counted")
    })?;
    take(values, &Int32Array::from_iter_values(0..rows), None).map_err(unfit)
}

#[cfg(test)]
mod tests;

//! A value as it is given to a column of another type.

use std::hash::Hash;

use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result as DFResult, internal_err};
use datafusion::logical_expr::expr_fn::cast;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::table::conform::{By, check_conforms, conformed};
use crate::table::from_arrow::arrow_text;
use crate::{Error, ErrorKind, Result};

/// The function that [`Conform`] is called by.
pub(crate) const CONFORM: &str = "northstar_conform";

/// A value as it is given to a column of another type, where that loses nothing that the statement
/// does not ask to lose. Structs are matched by the names of their fields, at every level.
///
/// # Errors
/// `InvalidInput`, naming the column, for a value that would lose something or has another shape.
pub(super) fn assign(value: Expr, from: &DataType, to: &DataType, column: &str) -> Result<Expr> {
    check_conforms(from, to, &check_leaf).map_err(|error| error.with_context("column", column))?;
    Ok(match from == to {
        true => value,
        false if to.is_nested() => conform(value, to),
        false => cast(value, to.clone()),
    })
}

/// The value under another nested type of its shape.
pub(crate) fn conform(value: Expr, to: &DataType) -> Expr {
    ScalarUDF::new_from_impl(Conform::new(to.clone())).call(vec![value])
}

fn check_leaf(from: &DataType, to: &DataType) -> Result<()> {
    let whole = |kind: &DataType| kind.is_integer() || matches!(kind, DataType::Decimal128(..));
    let zone = |kind: &DataType| match kind {
        DataType::Timestamp(_, zone) => Some(zone.is_some()),
        _ => None,
    };
    // A local time is no instant: which zone is meant must be said.
    let moved = zone(from).zip(zone(to)).is_some_and(|(from, to)| from != to);
    let lossy = moved
        || (from.is_floating() && whole(to))
        || (matches!(from, DataType::Timestamp(..)) && *to == DataType::Date32)
        || (from.is_numeric() && to.is_temporal())
        || (from.is_temporal() && to.is_numeric())
        || (*from == DataType::Boolean && to.is_numeric());
    let other_shape = from.is_nested() || to.is_nested();
    if !lossy && !other_shape && arrow::compute::can_cast_types(from, to) {
        return Ok(());
    }
    let [shown, wanted] = match other_shape {
        true => [from, to].map(arrow_text),
        false => [from, to].map(ToString::to_string),
    };
    let advice = if other_shape { "it has another shape" } else { "write CAST" };
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!("a value of type {shown} is given to a column of type {wanted}; {advice}"),
    ))
}

/// A function whose result is its argument as a value of a nested type, matched by name. DataFusion's
/// own cast leaves fields out that the type does not have, and refuses those that are required.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Conform {
    to: DataType,
    signature: Signature,
}

impl Conform {
    pub(crate) fn new(to: DataType) -> Self {
        Self { to, signature: Signature::any(1, Volatility::Immutable) }
    }

    /// The type of its result.
    pub(crate) fn to(&self) -> &DataType {
        &self.to
    }
}

impl ScalarUDFImpl for Conform {
    fn name(&self) -> &str {
        CONFORM
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DFResult<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DFResult<ColumnarValue> {
        let mut arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(values) = arrays.pop() else { return internal_err!("{CONFORM} takes one value") };
        let values = conformed(&values, &self.to, By::Name)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(ColumnarValue::Array(values))
    }
}

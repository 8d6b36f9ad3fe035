//! Floats as their bits and back: two are the same only if every bit is.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type};
use datafusion::common::{Result as DFResult, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The bits of a column, if it is of floats; else the column itself.
pub(super) fn to_bits(column: Expr, data_type: &DataType) -> Expr {
    called(column, data_type, Direction::ToBits)
}

/// The column that [`to_bits`] was given, of this type.
pub(super) fn from_bits(column: Expr, data_type: &DataType) -> Expr {
    called(column, data_type, Direction::FromBits)
}

fn called(column: Expr, data_type: &DataType, direction: Direction) -> Expr {
    match data_type {
        DataType::Float32 | DataType::Float64 => {
            let signature = Signature::any(1, Volatility::Immutable);
            ScalarUDF::new_from_impl(Reinterpret { direction, signature }).call(vec![column])
        }
        _ => column,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    ToBits,
    FromBits,
}

/// The same bits under another type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Reinterpret {
    direction: Direction,
    signature: Signature,
}

impl ScalarUDFImpl for Reinterpret {
    fn name(&self) -> &str {
        match self.direction {
            Direction::ToBits => "northstar_float_bits",
            Direction::FromBits => "northstar_float_of_bits",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> DFResult<DataType> {
        Ok(match (self.direction, types) {
            (Direction::ToBits, [DataType::Float32]) => DataType::Int32,
            (Direction::ToBits, [DataType::Float64]) => DataType::Int64,
            (Direction::FromBits, [DataType::Int32]) => DataType::Float32,
            (Direction::FromBits, [DataType::Int64]) => DataType::Float64,
            _ => return internal_err!("{} takes one number", self.name()),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DFResult<ColumnarValue> {
        let mut arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(array) = arrays.pop() else {
            return internal_err!("{} takes one number", self.name());
        };
        Ok(ColumnarValue::Array(match array.data_type() {
            DataType::Float32 => {
                let bits = |value: f32| value.to_bits().cast_signed();
                Arc::new(array.as_primitive::<Float32Type>().unary::<_, Int32Type>(bits))
            }
            DataType::Float64 => {
                let bits = |value: f64| value.to_bits().cast_signed();
                Arc::new(array.as_primitive::<Float64Type>().unary::<_, Int64Type>(bits))
            }
            DataType::Int32 => {
                let value = |bits: i32| f32::from_bits(bits.cast_unsigned());
                Arc::new(array.as_primitive::<Int32Type>().unary::<_, Float32Type>(value))
            }
            DataType::Int64 => {
                let value = |bits: i64| f64::from_bits(bits.cast_unsigned());
                Arc::new(array.as_primitive::<Int64Type>().unary::<_, Float64Type>(value))
            }
            other => return internal_err!("{} has no bits of {other}", self.name()),
        }))
    }
}

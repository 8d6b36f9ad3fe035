//! Which types may become which: those that hold every value of the old type, so that old files need
//! not be written anew.
//!
//! Source: <https://iceberg.apache.org/spec/#schema-evolution> (valid type promotions of v2)

use iceberg::spec::{PrimitiveType, Type};

use super::refused;
use crate::Result;
use crate::table::from_arrow::type_text;
use crate::table::schema::{LIST_ELEMENT, MAP_VALUE};

/// Refuses a change of type that is no promotion. The same type is none to make.
///
/// # Errors
/// `InvalidInput`, with what the type may become.
pub(super) fn check(column: &str, from: &Type, to: &Type) -> Result<()> {
    use PrimitiveType::{Decimal, Double, Float, Int, Long};
    // The field ids of the new type are none yet.
    if from == to || (!from.is_primitive() && type_text(from) == type_text(to)) {
        return Ok(());
    }
    let (Type::Primitive(old), Type::Primitive(new)) = (from, to) else {
        let part = match from {
            Type::Struct(of) => of.fields().first().map_or("field", |field| field.name.as_str()),
            Type::List(_) => LIST_ELEMENT,
            Type::Map(_) => MAP_VALUE,
            Type::Primitive(_) => {
                return Err(refused(format!(
                    "column `{column}` of type {from} cannot become {}",
                    type_text(to)
                )));
            }
        };
        return Err(refused(format!(
            "column `{column}` is of type {}; change its parts one by one: ALTER COLUMN \
             {column}.{part} TYPE …, ADD COLUMN and DROP COLUMN for fields of structs",
            type_text(from)
        )));
    };
    let widens = match (old, new) {
        (Int, Long) | (Float, Double) => true,
        (Decimal { precision, scale }, Decimal { precision: wider, scale: same }) => {
            wider > precision && scale == same
        }
        _ => false,
    };
    if widens {
        return Ok(());
    }
    let narrows = matches!((old, new), (Long, Int) | (Double, Float));
    let reason = match (old, new) {
        _ if narrows => "would lose values".to_string(),
        (Decimal { precision, scale }, Decimal { precision: other, scale: moved }) => {
            match other < precision && scale == moved {
                true => "would lose values".to_string(),
                false => format!("would move the decimal point of stored values (scale {scale})"),
            }
        }
        _ => format!("means other values; old files hold {old}"),
    };
    let instead = match old {
        Int => "int may become bigint".to_string(),
        Float => "float may become double".to_string(),
        Decimal { precision, scale } if *precision < 38 => {
            format!("decimal({precision}, {scale}) may become decimal(p, {scale}) with p up to 38")
        }
        other => format!("{other} stays as it is"),
    };
    Err(refused(format!(
        "column `{column}` cannot become {new}: that {reason}. {instead}; else add a column of that \
         type and fill it with UPDATE … SET … = CAST(…)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_that_hold_every_value_are_taken() {
        use PrimitiveType::{Date, Decimal, Double, Float, Int, Long, String, Timestamp};
        let decimal = |precision, scale| Decimal { precision, scale };
        let checked = |from: &PrimitiveType, to: &PrimitiveType| {
            let (from, to) = (Type::Primitive(from.clone()), Type::Primitive(to.clone()));
            check("c", &from, &to).map_err(|error| error.message().to_string())
        };
        let kinds = [
            Int,
            Long,
            Float,
            Double,
            decimal(5, 2),
            decimal(9, 2),
            decimal(9, 3),
            Date,
            Timestamp,
            String,
        ];
        let taken = [(Int, Long), (Float, Double), (decimal(5, 2), decimal(9, 2))];
        for from in &kinds {
            for to in &kinds {
                let want = from == to || taken.contains(&(from.clone(), to.clone()));
                assert_eq!(checked(from, to).is_ok(), want, "{from} to {to}");
            }
        }
        for (from, to, reason) in [
            (Long, Int, "would lose values"),
            (decimal(9, 2), decimal(5, 2), "would lose values"),
            (decimal(5, 2), decimal(9, 3), "would move the decimal point"),
            (Int, Double, "means other values; old files hold int. int may become bigint"),
            (Date, Timestamp, "old files hold date"),
        ] {
            let message = checked(&from, &to).unwrap_err();
            assert!(message.contains(reason), "{message}");
        }
    }
}

//! SQL's timestamp types.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion::common::datatype::DataTypeExt;
use datafusion::common::{Result, not_impl_err};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo};

use super::kinds::micros;

const MICROSECONDS: u64 = 6;

/// Plans `TIMESTAMP` and `TIMESTAMPTZ`, with or without `(6)`, as microseconds. `(0)` and `(3)` are
/// seconds and milliseconds; no other precision is taken: 9 would lose years, or its last digits.
#[derive(Debug)]
pub(in crate::sql) struct SqlTypes {
    /// The zone of `TIMESTAMPTZ`.
    zone: Option<Arc<str>>,
}

impl SqlTypes {
    /// The state, planning these types, in its own zone.
    pub(in crate::sql) fn installed(state: SessionState) -> SessionState {
        let zone = state.config_options().execution.time_zone.as_deref().map(Arc::from);
        SessionStateBuilder::new_from_existing(state)
            .with_type_planner(Arc::new(Self { zone }))
            .build()
    }
}

impl TypePlanner for SqlTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        let (precision, zone) = match sql_type {
            SqlType::Timestamp(precision, zone) => {
                (precision, matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone))
            }
            SqlType::TimestampNtz(precision) => (precision, false),
            _ => return Ok(None),
        };
        let zone = self.zone.clone().filter(|_| zone);
        let kind = match precision.unwrap_or(MICROSECONDS) {
            MICROSECONDS => micros(zone),
            0 => DataType::Timestamp(TimeUnit::Second, zone),
            3 => DataType::Timestamp(TimeUnit::Millisecond, zone),
            _ => {
                return not_impl_err!(
                    "{sql_type} is not supported: timestamps have microseconds; write TIMESTAMP or TIMESTAMP(6)"
                );
            }
        };
        Ok(Some(kind.into_nullable_field_ref()))
    }
}

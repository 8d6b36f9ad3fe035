//! Arrow types that have to do with timestamps.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, TimeUnit};

/// A timestamp of microseconds.
pub(super) fn micros(zone: Option<Arc<str>>) -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, zone)
}

/// Whether it is text, which is read as a time where it meets one.
pub(super) fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Whether it is a text or a date.
pub(super) fn is_text_or_date(kind: &DataType) -> bool {
    is_text(kind) || matches!(kind, DataType::Date32)
}

/// Whether it is a timestamp of nanoseconds.
pub(super) fn is_nanoseconds(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(TimeUnit::Nanosecond, _))
}

/// Whether it is a timestamp of another unit.
pub(super) fn is_coarser(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(..)) && !is_nanoseconds(kind)
}

/// Whether there are nanoseconds of timestamps in it, at any level.
pub(super) fn has_nanoseconds(kind: &DataType) -> bool {
    let within = |field: &FieldRef| has_nanoseconds(field.data_type());
    match kind {
        DataType::Struct(fields) => fields.iter().any(within),
        DataType::Dictionary(_, values) => has_nanoseconds(values),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => within(field),
        other => is_nanoseconds(other),
    }
}

/// The type with microseconds for nanoseconds, of timestamps and lists of them.
pub(super) fn without_nanoseconds(kind: &DataType) -> DataType {
    match kind {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => micros(zone.clone()),
        DataType::List(field) => {
            let kind = without_nanoseconds(field.data_type());
            DataType::List(Arc::new(field.as_ref().clone().with_data_type(kind)))
        }
        other => other.clone(),
    }
}

/// What texts and dates become that meet a timestamp in any of these types; `None` if none do. Where
/// there are nanoseconds, DataFusion's own rules hold: they lose nothing, and fail beyond 2262.
pub(super) fn meeting(kinds: &[DataType]) -> Option<DataType> {
    if kinds.iter().any(is_nanoseconds) || !kinds.iter().any(is_text_or_date) {
        return None;
    }
    let mut zones = kinds.iter().filter_map(|kind| match kind {
        DataType::Timestamp(_, zone) => Some(zone.clone()),
        _ => None,
    });
    let first = zones.next()?;
    Some(micros(first.or_else(|| zones.flatten().next())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meeting_type_is_of_microseconds_and_has_the_zone_of_any() {
        let utc: Option<Arc<str>> = Some("+00:00".into());
        let seconds = DataType::Timestamp(TimeUnit::Second, None);
        let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
        let (text, day) = (DataType::Utf8, DataType::Date32);
        assert_eq!(meeting(&[text.clone(), seconds.clone()]), Some(micros(None)));
        assert_eq!(
            meeting(&[seconds.clone(), day.clone(), micros(utc.clone())]),
            Some(micros(utc))
        );
        assert_eq!(meeting(&[text.clone(), day]), None);
        assert_eq!(meeting(&[micros(None), seconds]), None);
        assert_eq!(meeting(&[text, nanos.clone(), micros(None)]), None);
        let nested = DataType::new_list(nanos, true);
        assert!(has_nanoseconds(&nested) && !has_nanoseconds(&without_nanoseconds(&nested)));
    }
}

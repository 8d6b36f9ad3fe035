//! Which rows are asked for: one facility, and event dates from a day to before another.

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use northstar_iceberg::LakeTable;

use crate::cdc::statement::quoted;
use crate::cdc::target::Target;
use crate::sources::csv::{Column, ColumnType};
use crate::{Error, ErrorKind, Result};

/// The facility and the days that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRequest {
    /// The facility, as its column has it.
    pub facility: String,
    /// The column that holds the facility.
    pub facility_column: String,
    /// The column of the event date; that of the table's time partition if none is named.
    pub time_column: Option<String>,
    /// The first day, in the facility's own time.
    pub from: NaiveDate,
    /// The day after the last.
    pub to: NaiveDate,
    /// The facility's time zone, for columns whose times are moments.
    pub zone: Option<String>,
}

impl ScopeRequest {
    /// Refuses days that are none.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub fn check(&self) -> Result<()> {
        if self.from < self.to {
            return Ok(());
        }
        Err(invalid("the days are from --from to before --to: give a later --to"))
    }
}

/// A scope that fits a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cdc) struct Scope {
    facility_column: String,
    /// The facility as a literal.
    facility: String,
    time_column: String,
    /// The days' ends as literals.
    from: String,
    to: String,
}

impl Scope {
    /// The scope in a table; `zone` is asked for where times are moments and none is named.
    ///
    /// # Errors
    /// `InvalidInput` for columns that the table lacks or of a type that does not fit, for a zone that
    /// there is not, and for days that are none.
    pub(in crate::cdc) async fn of(
        request: &ScopeRequest,
        table: &LakeTable,
        target: &Target,
        zone: impl AsyncFnOnce(&str) -> Result<Option<String>>,
    ) -> Result<Self> {
        request.check()?;
        let facility_column = column(target, &request.facility_column, "--facility-column")?;
        let facility = facility_literal(&request.facility, facility_column)?;
        let named = match &request.time_column {
            Some(name) => name.clone(),
            None => time_column(table).ok_or_else(|| {
                invalid("the table has no time partition: name the event date's column with --time-column")
            })?,
        };
        let time = column(target, &named, "--time-column")?;
        let day = |day: NaiveDate| day.format("%Y-%m-%d").to_string();
        let (from, to) = match time.column_type {
            ColumnType::Date => {
                (format!("DATE '{}'", day(request.from)), format!("DATE '{}'", day(request.to)))
            }
            ColumnType::Timestamp => (
                format!("TIMESTAMP '{} 00:00:00'", day(request.from)),
                format!("TIMESTAMP '{} 00:00:00'", day(request.to)),
            ),
            ColumnType::Timestamptz => {
                let named = match &request.zone {
                    Some(zone) => Some(zone.clone()),
                    None => zone(&facility).await?,
                };
                let zone = known_zone(named.as_deref(), &time.name)?;
                (moment(first_moment(zone, request.from)?), moment(first_moment(zone, request.to)?))
            }
            _ => {
                return Err(invalid(format!(
                    "the column {} holds no date: name the event date's column with --time-column",
                    time.name
                )));
            }
        };
        Ok(Self {
            facility_column: facility_column.name.clone(),
            facility,
            time_column: time.name.clone(),
            from,
            to,
        })
    }

    /// The condition on a row called `alias`.
    pub(in crate::cdc) fn condition(&self, alias: &str) -> String {
        let time = format!("{alias}.{}", quoted(&self.time_column));
        format!(
            "{alias}.{} = {} AND {time} >= {} AND {time} < {}",
            quoted(&self.facility_column),
            self.facility,
            self.from,
            self.to
        )
    }
}

/// The column of a table's time partition; `None` if it has none, or several.
pub fn time_column(table: &LakeTable) -> Option<String> {
    let metadata = table.metadata();
    let schema = metadata.current_schema();
    let is_time =
        |transform: String| ["year", "month", "day", "hour"].contains(&transform.as_str());
    let mut names: Vec<&str> = metadata
        .default_partition_spec()
        .fields()
        .iter()
        .filter(|field| is_time(field.transform.to_string()))
        .filter_map(|field| schema.name_by_field_id(field.source_id))
        .collect();
    names.dedup();
    match names.as_slice() {
        [name] => Some((*name).to_string()),
        _ => None,
    }
}

fn column<'a>(target: &'a Target, name: &str, option: &str) -> Result<&'a Column> {
    target.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        invalid(format!("the table has no column {name}: name another with {option}"))
    })
}

fn facility_literal(facility: &str, column: &Column) -> Result<String> {
    match column.column_type {
        ColumnType::String => Some(format!("'{}'", facility.replace('\'', "''"))),
        ColumnType::Int => facility.trim().parse::<i32>().map(|number| number.to_string()).ok(),
        ColumnType::Long => facility.trim().parse::<i64>().map(|number| number.to_string()).ok(),
        _ => {
            return Err(invalid(format!(
                "the column {} is of type {}, and facilities are numbers or texts: name another with \
                 --facility-column",
                column.name, column.column_type
            )));
        }
    }
    .ok_or_else(|| {
        invalid(format!(
            "--facility does not fit the column {}, which is of type {}",
            column.name, column.column_type
        ))
    })
}

fn known_zone(zone: Option<&str>, column: &str) -> Result<Tz> {
    let zone = zone.ok_or_else(|| {
        invalid(format!(
            "the times of {column} are moments, and no table says in which zone the facility's days \
             are: name it with --zone, such as America/Chicago"
        ))
    })?;
    zone.parse().map_err(|_| {
        invalid("there is no such time zone; give its name in the IANA database, such as America/Chicago")
    })
}

/// The first moment of a day: midnight, or what comes next where clocks skip it.
fn first_moment(zone: Tz, day: NaiveDate) -> Result<DateTime<Utc>> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    // No zone has ever skipped more than a day.
    let minutes = (0..=24 * 60).map(|minutes| midnight + TimeDelta::minutes(minutes));
    minutes
        .filter_map(|local| zone.from_local_datetime(&local).earliest())
        .map(|moment| moment.to_utc())
        .next()
        .ok_or_else(|| invalid("the zone does not have that day"))
}

fn moment(moment: DateTime<Utc>) -> String {
    format!(
        "arrow_cast('{}', 'Timestamp(Microsecond, Some(\"+00:00\"))')",
        moment.format("%Y-%m-%dT%H:%M:%SZ")
    )
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_begins_when_its_first_minute_does() {
        for (zone, date, expected) in [
            ("America/Chicago", "2024-03-10", "2024-03-10T06:00:00Z"),
            ("America/Chicago", "2024-03-11", "2024-03-11T05:00:00Z"),
            // Midnight was skipped.
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
            // Midnight came twice: the day begins with the first.
            ("America/Havana", "2024-11-03", "2024-11-03T04:00:00Z"),
        ] {
            let made = first_moment(zone.parse().unwrap(), day(date)).unwrap();
            assert_eq!(made.format("%Y-%m-%dT%H:%M:%SZ").to_string(), expected, "{zone} {date}");
        }
    }

    #[test]
    fn a_facility_is_a_literal_of_its_columns_type() {
        let column = |kind| Column::new("f", kind);
        let literal = |text, kind| facility_literal(text, &column(kind));
        assert_eq!(literal("7", ColumnType::Int).unwrap(), "7");
        assert_eq!(literal("-7", ColumnType::Long).unwrap(), "-7");
        assert_eq!(literal("a' OR 1=1", ColumnType::String).unwrap(), "'a'' OR 1=1'");
        for (text, kind) in
            [("7 OR 1=1", ColumnType::Int), ("", ColumnType::Long), ("7", ColumnType::Date)]
        {
            let error = literal(text, kind).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(text.is_empty() || !error.to_string().contains("OR 1"), "{error}");
        }
    }
}

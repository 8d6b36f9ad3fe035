//! The sums a table must have once the extract is loaded.

use serde::Serialize;

use super::{
    draw::{DAY_S, Row},
    terms::TESTS,
    text::Calendar,
};

/// The sums over one partition or over all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Sums {
    pub(super) rows: u64,
    pub(super) result_id: u64,
    pub(super) version: u64,
    /// In hundredths, as exact decimals.
    pub(super) reference_high_e2: u64,
}

/// The sums of one facility and month.
#[derive(Serialize)]
struct Partition {
    facility_id: String,
    month: String,
    #[serde(flatten)]
    sums: Sums,
}

/// The sums of an extract by facility and month of `collected_at`.
pub(super) struct Expected {
    months: usize,
    partitions: Vec<Sums>,
}

impl Expected {
    /// No rows yet.
    pub(super) fn new(facilities: u32, months: usize) -> Self {
        let facilities = usize::try_from(facilities).unwrap_or(0);
        Self { months, partitions: vec![Sums::default(); facilities * months] }
    }

    /// Counts one row.
    pub(super) fn add(&mut self, row: &Row, calendar: &Calendar) {
        let facility = usize::try_from(row.facility).unwrap_or(0);
        let sums =
            &mut self.partitions[facility * self.months + calendar.month(row.collected_s / DAY_S)];
        sums.rows += 1;
        sums.result_id += row.result_id;
        sums.version += u64::from(row.version);
        if let Some((_, high)) = TESTS[row.test].range {
            sums.reference_high_e2 += u64::from(high);
        }
    }

    /// The sums as JSON for the checking reader; partitions without rows are left out.
    pub(super) fn to_json(&self, calendar: &Calendar, csv_bytes: u64) -> serde_json::Value {
        let filled = self.partitions.iter().enumerate().filter(|(_, sums)| sums.rows > 0);
        let partitions: Vec<Partition> = filled
            .map(|(place, sums)| Partition {
                facility_id: format!("FAC-{:02}", place / self.months + 1),
                month: calendar.month_name(place % self.months),
                sums: sums.clone(),
            })
            .collect();
        let rows: u64 = self.partitions.iter().map(|sums| sums.rows).sum();
        serde_json::json!({ "rows": rows, "csv_bytes": csv_bytes, "partitions": partitions })
    }
}

//! The sums a table must have once the extract is loaded.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    document::first_letter,
    draw::{DAY_S, Row},
    terms::TESTS,
    text::Calendar,
};
use crate::error::{BenchError, Result};

/// The sums over one partition or over all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Sums {
    pub(super) rows: u64,
    pub(super) result_id: u64,
    pub(super) version: u64,
    /// In hundredths, as exact decimals.
    pub(super) reference_high_e2: u64,
    /// Of the codes of the first letters of the documents; 0 if the rows have none.
    #[serde(default)]
    pub(super) document: u64,
}

/// The sums of one facility and month.
#[derive(Deserialize, Serialize)]
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
    documents: bool,
}

impl Expected {
    /// No rows yet.
    pub(super) fn new(facilities: u32, months: usize) -> Self {
        let facilities = usize::try_from(facilities).unwrap_or(0);
        Self { months, partitions: vec![Sums::default(); facilities * months], documents: false }
    }

    /// The same for rows that have documents, if so.
    pub(super) fn with_documents(mut self, documents: bool) -> Self {
        self.documents = documents;
        self
    }

    /// What a row adds to the sum of its document.
    fn document(&self, row: &Row) -> u64 {
        if self.documents { first_letter(row.result_id, row.version) } else { 0 }
    }

    /// The sums that were written for an extract.
    ///
    /// # Errors
    /// A file that cannot be read, or is of another plan.
    pub(super) fn read(path: &Path, facilities: u32, calendar: &Calendar) -> Result<Self> {
        #[derive(Deserialize)]
        struct Written {
            partitions: Vec<Partition>,
        }
        let text = fs::read(path).map_err(|error| BenchError::at(path, &error))?;
        let written: Written = serde_json::from_slice(&text)?;
        let mut expected = Self::new(facilities, calendar.months());
        for partition in written.partitions {
            let name = partition.facility_id.trim_start_matches("FAC-");
            let facility = name.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let month = (0..expected.months).find(|at| calendar.month_name(*at) == partition.month);
            let place =
                facility.zip(month).map(|(facility, month)| facility * expected.months + month);
            let sums = place.and_then(|place| expected.partitions.get_mut(place));
            *sums.ok_or_else(|| BenchError::new("the sums are of another extract"))? =
                partition.sums;
        }
        Ok(expected)
    }

    /// The partition of a row, from 0: facility, then month.
    pub(super) fn partition(&self, row: &Row, calendar: &Calendar) -> usize {
        let facility = usize::try_from(row.facility).unwrap_or(0);
        facility * self.months + calendar.month(row.collected_s / DAY_S)
    }

    /// Whether a partition is of the last month.
    pub(super) fn is_last_month(&self, partition: usize) -> bool {
        partition % self.months == self.months - 1
    }

    /// Rows of each partition.
    pub(super) fn rows_by_partition(&self) -> Vec<u64> {
        self.partitions.iter().map(|sums| sums.rows).collect()
    }

    /// Counts one row no more.
    pub(super) fn take(&mut self, row: &Row, calendar: &Calendar) {
        let (place, document) = (self.partition(row, calendar), self.document(row));
        let sums = &mut self.partitions[place];
        sums.rows -= 1;
        sums.result_id -= row.result_id;
        sums.version -= u64::from(row.version);
        sums.document -= document;
        if let Some((_, high)) = TESTS[row.test].range {
            sums.reference_high_e2 -= u64::from(high);
        }
    }

    /// Counts one row.
    pub(super) fn add(&mut self, row: &Row, calendar: &Calendar) {
        let (place, document) = (self.partition(row, calendar), self.document(row));
        let sums = &mut self.partitions[place];
        sums.rows += 1;
        sums.result_id += row.result_id;
        sums.version += u64::from(row.version);
        sums.document += document;
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

//! How large the legacy EMR is, from which seed, and with how many defects.

use chrono::{Datelike, Months, NaiveDate};
use northstar_catalog::{Error, ErrorKind, Result};

/// A legacy EMR of a given size; [`LegacyEmr::write`] writes it.
///
/// Two equal values give the same bytes. The default is the demo's size: about 120,000 rows, half
/// of them lab results, of 3 facilities in 6 months that hold both changes of daylight saving time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyEmr {
    /// The seed of all draws.
    pub seed: u64,
    /// Facilities, 1 to 10,000; the large tables are partitioned by facility and month.
    pub facilities: u32,
    /// Patients, at least 1; all other tables scale with patients times months.
    pub patients: u32,
    /// Months of history, 1 to 240.
    pub months: u32,
    /// The first day of the first month, of the years 1950 to 2090.
    pub first_month: NaiveDate,
    /// How often each kind of defect occurs.
    pub defects: Defects,
}

/// How often the extract is wrong, each in a way that legacy extracts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defects {
    /// Times in a gap or fold of daylight saving time, in the years 1, 1900 or 2099, or text that
    /// is no time: per million rows that have a time.
    pub bad_times_per_million: u32,
    /// Codes and units of an older or local system, or badly spelled: per million rows with a code.
    pub drifted_codes_per_million: u32,
    /// Rows that the extract holds twice, byte for byte: per million rows.
    pub duplicates_per_million: u32,
    /// Rows that were corrected before the extract: per million rows. Of half of them the extract
    /// holds the superseded version too.
    pub corrected_per_million: u32,
    /// Patients who are registered a second time under another record number: per million, at most
    /// half of them.
    pub duplicate_people_per_million: u32,
    /// Records in the whole extract that no reader can take: an absolute count, at most 100,000.
    pub malformed: u32,
}

impl Default for LegacyEmr {
    fn default() -> Self {
        Self {
            seed: 27,
            facilities: 3,
            patients: 4_800,
            months: 6,
            first_month: NaiveDate::from_ymd_opt(2023, 10, 1).unwrap_or_default(),
            defects: Defects::default(),
        }
    }
}

impl Default for Defects {
    fn default() -> Self {
        Self {
            bad_times_per_million: 2_000,
            drifted_codes_per_million: 60_000,
            duplicates_per_million: 2_000,
            corrected_per_million: 10_000,
            duplicate_people_per_million: 20_000,
            malformed: 7,
        }
    }
}

impl Defects {
    /// No defects at all: every record loads, every key occurs once.
    pub fn none() -> Self {
        Self {
            bad_times_per_million: 0,
            drifted_codes_per_million: 0,
            duplicates_per_million: 0,
            corrected_per_million: 0,
            duplicate_people_per_million: 0,
            malformed: 0,
        }
    }
}

/// Visits per hundred patients and month.
const VISITS_PER_100: u64 = 35;
/// Rows of all visit tables per hundred visits, as measured; the patient's row comes on top.
const ROWS_PER_100_VISITS: u64 = 1_145;

impl LegacyEmr {
    /// The default with as many patients as give about `rows` rows in all tables together (within
    /// 3 % from 100,000 rows on); half of them are lab results.
    #[must_use]
    pub fn with_about_rows(self, rows: u64) -> Self {
        let visit_rows = VISITS_PER_100 * u64::from(self.months) * ROWS_PER_100_VISITS;
        let patients = u128::from(rows) * 10_000 / u128::from(10_000 + visit_rows);
        Self { patients: u32::try_from(patients).unwrap_or(u32::MAX).max(1), ..self }
    }

    /// Fails with the first value that makes no sense.
    ///
    /// # Errors
    /// `InvalidInput`, naming the value.
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::InvalidInput, message));
        if !(1..=10_000).contains(&self.facilities) {
            return refuse("the number of facilities must be 1 to 10,000");
        }
        if self.patients == 0 || self.patients > 1_000_000_000 {
            return refuse("the number of patients must be 1 to 1,000,000,000");
        }
        if !(1..=240).contains(&self.months) {
            return refuse("the number of months must be 1 to 240");
        }
        if self.first_month.day() != 1 || !(1950..=2090).contains(&self.first_month.year()) {
            return refuse("the first month must be the first day of a month of 1950 to 2090");
        }
        if self.defects.malformed > 100_000 {
            return refuse("at most 100,000 malformed records can be asked for");
        }
        let rates = [
            self.defects.bad_times_per_million,
            self.defects.drifted_codes_per_million,
            self.defects.duplicates_per_million,
            self.defects.corrected_per_million,
            self.defects.duplicate_people_per_million,
        ];
        if rates.iter().any(|rate| *rate > 1_000_000) {
            return refuse("a rate per million cannot be more than a million");
        }
        if self.defects.duplicate_people_per_million > 500_000 {
            return refuse("at most half of the patients can be registered twice");
        }
        Ok(())
    }

    /// The first day after the extract: day 1.
    pub(super) fn day_one(&self) -> NaiveDate {
        self.first_month.checked_add_months(Months::new(self.months)).unwrap_or(NaiveDate::MAX)
    }

    /// Days of history in the extract.
    pub(super) fn days(&self) -> u64 {
        u64::try_from((self.day_one() - self.first_month).num_days()).unwrap_or(1).max(1)
    }

    /// Visits in the extract.
    pub(super) fn visits(&self) -> u64 {
        (u64::from(self.patients) * u64::from(self.months) * VISITS_PER_100 / 100).max(1)
    }

    /// New visits on each day after the extract.
    pub(super) fn visits_per_day(&self) -> u64 {
        (self.visits() / self.days()).max(1)
    }
}

//! Draws rows from the seeded stream.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    plan::{Order, Plan},
    terms::TESTS,
};

/// Seconds of a day.
pub(super) const DAY_S: u64 = 86_400;

/// Most seconds that a row arrives before or after its place in time.
const JITTER_S: u64 = 7_200;

/// One lab result, as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) result_id: u64,
    pub(super) patient_id: u64,
    pub(super) encounter_id: u64,
    pub(super) order_id: u64,
    /// From 0.
    pub(super) facility: u32,
    pub(super) provider_id: u32,
    /// Place in `TESTS`.
    pub(super) test: usize,
    /// Thousandths of the unit for a measured test, else the place in `WORDS`.
    pub(super) value: u32,
    /// Place in `STATES`.
    pub(super) state: usize,
    /// Seconds since the start of the period.
    pub(super) collected_s: u64,
    /// Milliseconds since the start of the period.
    pub(super) resulted_ms: u64,
    pub(super) version: u32,
    /// Place in `REMARKS` and a number that makes the remark its own, or none.
    pub(super) remark: Option<(usize, u32)>,
}

/// An order: results that share a patient, a visit and a time.
struct Panel {
    order_id: u64,
    patient_id: u64,
    encounter_id: u64,
    facility: u32,
    provider_id: u32,
    collected_s: u64,
    first_test: u32,
    left: u32,
}

/// The rows of a plan, one after the other.
pub(super) struct Draw {
    random: ChaCha8Rng,
    plan: Plan,
    period_s: u64,
    next_row: u64,
    result_id: u64,
    panel: Panel,
}

impl Draw {
    /// Starts at the first row of a plan whose period is `period_s` seconds.
    pub(super) fn new(plan: &Plan, period_s: u64) -> Self {
        let panel = Panel {
            order_id: 400_000_000,
            patient_id: 0,
            encounter_id: 0,
            facility: 0,
            provider_id: 0,
            collected_s: 0,
            first_test: 0,
            left: 0,
        };
        Self {
            random: ChaCha8Rng::seed_from_u64(plan.seed),
            plan: plan.clone(),
            period_s,
            next_row: 0,
            result_id: 1_000_000_000,
            panel,
        }
    }

    /// A number from 0 up to, but not, `limit`.
    fn below(&mut self, limit: u32) -> u32 {
        let product = u64::from(self.random.next_u32()) * u64::from(limit);
        u32::try_from(product >> 32).unwrap_or(0)
    }

    fn collected_s(&mut self) -> u64 {
        let last = self.period_s - 1;
        match self.plan.order {
            Order::Shuffled => self.random.next_u64() % self.period_s,
            Order::Time => {
                let place = u128::from(self.next_row) * u128::from(self.period_s);
                let place = u64::try_from(place / u128::from(self.plan.rows)).unwrap_or(last);
                let jitter = self.random.next_u64() % (2 * JITTER_S);
                (place + jitter).saturating_sub(JITTER_S).min(last)
            }
        }
    }

    fn open_panel(&mut self) {
        let patients = u32::try_from(self.plan.rows / 25).unwrap_or(u32::MAX).max(1);
        let patient = u64::from(self.below(patients));
        self.panel = Panel {
            order_id: self.panel.order_id + 1 + u64::from(self.below(3)),
            patient_id: 10_000_000 + patient,
            encounter_id: (10_000_000 + patient) * 100 + u64::from(self.below(30)),
            facility: self.below(self.plan.facilities),
            provider_id: 5_000 + self.below(900),
            collected_s: self.collected_s(),
            first_test: self.below(24),
            left: 1 + self.below(3),
        };
    }
}

impl Iterator for Draw {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        if self.next_row == self.plan.rows {
            return None;
        }
        if self.panel.left == 0 {
            self.open_panel();
        }
        self.panel.left -= 1;
        self.result_id += 1 + u64::from(self.below(4));
        let place = self.panel.first_test + self.panel.left;
        let test = usize::try_from(place).unwrap_or(0) % TESTS.len();
        let value = match TESTS[test].range {
            // From half the lower to one and a half of the upper limit.
            Some((low, high)) => low * 5 + self.below(high * 15 - low * 5),
            None => self.below(6),
        };
        let lag_s = 1_800 + u64::from(self.below(172_800));
        let odd = self.below(100);
        let remark = self.below(10);
        self.next_row += 1;
        Some(Row {
            result_id: self.result_id,
            patient_id: self.panel.patient_id,
            encounter_id: self.panel.encounter_id,
            order_id: self.panel.order_id,
            facility: self.panel.facility,
            provider_id: self.panel.provider_id,
            test,
            value,
            state: if odd < 94 {
                0
            } else {
                1 + usize::from(odd.is_multiple_of(2)) + usize::from(odd > 97)
            },
            collected_s: self.panel.collected_s,
            resulted_ms: (self.panel.collected_s + lag_s) * 1_000 + u64::from(self.below(1_000)),
            version: if odd < 94 { 1 } else { 2 + odd % 3 },
            remark: (remark < 3)
                .then(|| (usize::try_from(odd).unwrap_or(0) % 6, self.below(u32::MAX))),
        })
    }
}

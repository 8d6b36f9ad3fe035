//! What a run cost: billed hours times prices.

use aws_sdk_emrserverless::types::Architecture;
use northstar_iceberg::{Error, ErrorKind, Result};

use crate::cli::submit::OwnPrices;

/// Regions with the prices below.
const LISTED: [&str; 3] = ["us-east-1", "us-east-2", "us-west-2"];
/// The list of x86_64 workers there.
///
/// Source: <https://aws.amazon.com/emr/pricing/>, EMR Serverless
const X86_64: Prices =
    Prices { vcpu_hour_usd: 0.052_624, gb_hour_usd: 0.005_778_5, storage_gb_hour_usd: 0.000_111 };
/// Workers of ARM cost a fifth less; their storage costs the same.
const ARM_SHARE: f64 = 0.8;

/// Dollars for an hour of each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prices {
    /// A virtual CPU.
    pub(crate) vcpu_hour_usd: f64,
    /// A GB of memory.
    pub(crate) gb_hour_usd: f64,
    /// A GB of storage beyond what comes with a worker.
    pub(crate) storage_gb_hour_usd: f64,
}

/// Hours that were billed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Hours {
    pub(crate) vcpu: f64,
    pub(crate) memory_gb: f64,
    pub(crate) storage_gb: f64,
}

impl Prices {
    /// The prices of a region's workers; those that are given count first.
    ///
    /// # Errors
    /// `InvalidInput` for a region that is not listed, unless prices of CPU and memory are given.
    pub(crate) fn of(region: &str, architecture: &Architecture, own: &OwnPrices) -> Result<Self> {
        let share = if *architecture == Architecture::Arm64 { ARM_SHARE } else { 1.0 };
        let is_listed = LISTED.contains(&region);
        let listed = |price: f64| is_listed.then_some(price);
        let missing = || {
            let text = format!(
                "prices of {region} are not known here: give --vcpu-hour-usd, --gb-hour-usd and \
                 --storage-gb-hour-usd, from the price list of EMR Serverless"
            );
            Error::new(ErrorKind::InvalidInput, text)
        };
        let price = |own: Option<f64>, list: f64| own.or(listed(list)).ok_or_else(missing);
        Ok(Self {
            vcpu_hour_usd: price(own.vcpu_hour_usd, X86_64.vcpu_hour_usd * share)?,
            gb_hour_usd: price(own.gb_hour_usd, X86_64.gb_hour_usd * share)?,
            storage_gb_hour_usd: price(own.storage_gb_hour_usd, X86_64.storage_gb_hour_usd)?,
        })
    }

    /// Dollars of each, in the order of [`Hours`].
    pub(crate) fn usd(&self, hours: &Hours) -> [f64; 3] {
        [
            hours.vcpu * self.vcpu_hour_usd,
            hours.memory_gb * self.gb_hour_usd,
            hours.storage_gb * self.storage_gb_hour_usd,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: OwnPrices =
        OwnPrices { vcpu_hour_usd: None, gb_hour_usd: None, storage_gb_hour_usd: None };

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-9
    }

    #[test]
    fn hours_times_prices_is_the_sum() {
        let prices = Prices::of("us-east-1", &Architecture::X8664, &NONE).unwrap();
        let hours = Hours { vcpu: 4.0, memory_gb: 16.0, storage_gb: 100.0 };
        let [vcpu, memory, storage] = prices.usd(&hours);
        // By hand: 4 × 0.052624, 16 × 0.0057785, 100 × 0.000111.
        assert!(close(vcpu, 0.210_496) && close(memory, 0.092_456) && close(storage, 0.011_1));
        let nothing = prices.usd(&Hours::default()).iter().sum::<f64>();
        assert!(close(nothing, 0.0));
    }

    #[test]
    fn arm_costs_a_fifth_less_but_for_storage() {
        let arm = Prices::of("us-west-2", &Architecture::Arm64, &NONE).unwrap();
        assert!(close(arm.vcpu_hour_usd, 0.042_099_2), "{arm:?}");
        assert!(close(arm.gb_hour_usd, 0.004_622_8), "{arm:?}");
        assert!(close(arm.storage_gb_hour_usd, 0.000_111), "{arm:?}");
    }

    #[test]
    fn prices_that_are_given_count_and_others_are_not_guessed() {
        let own = OwnPrices { vcpu_hour_usd: Some(0.06), ..NONE };
        let prices = Prices::of("us-east-1", &Architecture::X8664, &own).unwrap();
        assert!(close(prices.vcpu_hour_usd, 0.06) && close(prices.gb_hour_usd, 0.005_778_5));
        let error = Prices::of("eu-west-9", &Architecture::X8664, &own).unwrap_err();
        assert!(error.to_string().contains("--gb-hour-usd"), "{error}");
        let own = OwnPrices {
            vcpu_hour_usd: Some(1.0),
            gb_hour_usd: Some(2.0),
            storage_gb_hour_usd: Some(3.0),
        };
        let prices = Prices::of("eu-west-9", &Architecture::Arm64, &own).unwrap();
        let ones = Hours { vcpu: 1.0, memory_gb: 1.0, storage_gb: 1.0 };
        assert!(close(prices.usd(&ones).iter().sum(), 6.0));
    }
}

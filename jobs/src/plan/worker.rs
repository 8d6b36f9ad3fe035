//! A worker of EMR Serverless: its size, its speed, its price.

use aws_sdk_emrserverless::types::Architecture;
use northstar_iceberg::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::cli::plan::Assumed;
use crate::emr::cost::{Hours, Prices};
use crate::emr::size::{self, FREE_STORAGE_GB, LEAST_BILLED_SECONDS};

/// What a worker is and costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Worker {
    pub(crate) cores: u32,
    pub(crate) memory_gb: u32,
    pub(crate) storage_gb: u32,
    pub(crate) vcpu_hour_usd: f64,
    pub(crate) gb_hour_usd: f64,
    pub(crate) storage_gb_hour_usd: f64,
    /// All of it for an hour.
    pub(crate) hour_usd: f64,
}

impl Worker {
    /// The worker of a plan.
    ///
    /// # Errors
    /// `InvalidInput` for a size that there is not, and for prices that are not known.
    pub(crate) fn of(assumed: &Assumed) -> Result<Self> {
        let cores = assumed.worker_cores;
        let memory_gb = assumed.worker_memory_gb.unwrap_or_else(|| default_memory_gb(cores));
        let prices = prices(assumed)?;
        Self::sized(cores, memory_gb, assumed.worker_storage_gb, &prices)
    }

    fn sized(cores: u32, memory_gb: u32, storage_gb: u32, prices: &Prices) -> Result<Self> {
        if !size::is_there(cores, memory_gb) {
            let is_known = size::SIZES.iter().any(|(cpus, ..)| *cpus == cores);
            let text = format!(
                "there is no worker of {cores} vCPU with {memory_gb} GB; there are {}",
                size::told(is_known.then_some(cores))
            );
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        let hour = Hours {
            vcpu: f64::from(cores),
            memory_gb: f64::from(memory_gb),
            storage_gb: f64::from(storage_gb.saturating_sub(FREE_STORAGE_GB)),
        };
        Ok(Self {
            cores,
            memory_gb,
            storage_gb,
            vcpu_hour_usd: prices.vcpu_hour_usd,
            gb_hour_usd: prices.gb_hour_usd,
            storage_gb_hour_usd: prices.storage_gb_hour_usd,
            hour_usd: prices.usd(&hour).iter().sum(),
        })
    }

    /// The driver of a job that spreads units over workers: it plans and commits.
    ///
    /// # Errors
    /// As [`Worker::of`].
    pub(super) fn driver(assumed: &Assumed) -> Result<Self> {
        Self::sized(4, 16, FREE_STORAGE_GB, &prices(assumed)?)
    }

    /// Dollars for so many seconds of one, of which a minute is billed at the least.
    pub(super) fn usd(&self, seconds: f64) -> f64 {
        seconds.max(LEAST_BILLED_SECONDS) / 3600.0 * self.hour_usd
    }

    /// What it is, in one line.
    pub(super) fn told(&self) -> String {
        format!(
            "a worker has {} vCPU, {} GB of memory and {} GB of storage ({FREE_STORAGE_GB} come with it), and \
             costs {:.4} USD an hour: {} a vCPU, {} a GB of memory, {} a GB of storage; a minute is billed at \
             the least",
            self.cores,
            self.memory_gb,
            self.storage_gb,
            self.hour_usd,
            self.vcpu_hour_usd,
            self.gb_hour_usd,
            self.storage_gb_hour_usd,
        )
    }
}

/// Core seconds on workers, of core seconds as calibrated.
pub(super) fn on_workers(core_seconds: f64, assumed: &Assumed) -> f64 {
    core_seconds / assumed.s3_factor / assumed.parallel_efficiency
}

/// What is assumed of the speed, in one line each.
pub(super) fn told(assumed: &Assumed) -> Vec<String> {
    vec![
        format!(
            "over S3 {} of the calibrated speed is left (--s3-factor)",
            percent(assumed.s3_factor)
        ),
        format!(
            "with all CPUs of a worker in use {} of it is left on each (--parallel-efficiency), and a vCPU \
             is as fast as a core of the calibrated machine",
            percent(assumed.parallel_efficiency)
        ),
        format!("workers are there after {} minutes (--start-minutes)", assumed.start_minutes),
        format!("at most {} workers at once (--most-workers)", assumed.most_workers),
        "list prices, without S3, data transfer, taxes and discounts".to_string(),
    ]
}

fn prices(assumed: &Assumed) -> Result<Prices> {
    let architecture = if assumed.arm { Architecture::Arm64 } else { Architecture::X8664 };
    Prices::of(&assumed.price_region, &architecture, &assumed.prices)
}

/// 4 GB a CPU, as far as there is such a worker.
fn default_memory_gb(cores: u32) -> u32 {
    if cores == 32 { 120 } else { cores.saturating_mul(4) }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

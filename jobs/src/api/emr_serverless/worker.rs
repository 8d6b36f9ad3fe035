//! The size of a worker, and what a run uses of it.
//!
//! A run here is one process, which stands for the driver; executors that parameters ask for are not
//! started and not counted.
//!
//! Source: <https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/app-behavior.html>

use serde_json::{Map, Value, json};

use super::invalid;
use crate::api::fault::Fault;
use crate::emr::size::{FREE_STORAGE_GB, LEAST_BILLED_SECONDS, SIZES};

/// Memory beside that of the driver, at the least, in MB.
const LEAST_OVERHEAD_MB: f64 = 384.0;

/// A worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worker {
    cpus: u32,
    memory_gb: u32,
    storage_gb: u32,
}

impl Worker {
    /// The worker of a request's driver, by its Spark settings.
    ///
    /// # Errors
    /// `ValidationException` for settings that cannot be read, or that no worker has.
    pub(super) fn of(request: &Map<String, Value>) -> Result<Self, Fault> {
        let settings = settings(request)?;
        let get = |name: &str| settings.get(name).and_then(Value::as_str);
        let cpus: u32 = get("spark.driver.cores")
            .map_or(Ok(4), str::parse)
            .map_err(|_| invalid("spark.driver.cores is no number"))?;
        let memory_mb =
            size_mb("spark.driver.memory", get("spark.driver.memory").unwrap_or("14G"))?;
        let factor = match get("spark.emr-serverless.memoryOverheadFactor") {
            Some(factor) => {
                factor.parse::<f64>().ok().filter(|factor| (0.0..=10.0).contains(factor))
            }
            None => Some(0.1),
        };
        let factor = factor
            .ok_or_else(|| invalid("spark.emr-serverless.memoryOverheadFactor is no number"))?;
        let overhead_mb = match get("spark.driver.memoryOverhead") {
            Some(text) => size_mb("spark.driver.memoryOverhead", text)?,
            None => (memory_mb * factor).max(LEAST_OVERHEAD_MB),
        };
        let disk = get("spark.emr-serverless.driver.disk").unwrap_or("20G");
        let storage_gb = whole(size_mb("spark.emr-serverless.driver.disk", disk)? / 1024.0);
        Self { cpus, memory_gb: whole((memory_mb + overhead_mb) / 1024.0), storage_gb }.fitting()
    }

    /// The smallest worker that holds this one.
    fn fitting(self) -> Result<Self, Fault> {
        let size = SIZES.iter().find(|(cpus, ..)| *cpus == self.cpus);
        let Some((_, from, to, step)) = size else {
            return Err(invalid("spark.driver.cores must be 1, 2, 4, 8, 16 or 32"));
        };
        if self.memory_gb > *to {
            return Err(invalid(format!(
                "memory of the driver with its overhead is {} GB; a worker of {} vCPU has {from} to {to}",
                self.memory_gb, self.cpus
            )));
        }
        let above = self.memory_gb.saturating_sub(*from).div_ceil(*step) * step;
        Ok(Self {
            memory_gb: (from + above).min(*to),
            storage_gb: self.storage_gb.max(FREE_STORAGE_GB),
            ..self
        })
    }

    /// What the worker comes to in so many seconds.
    pub(super) fn used(self, seconds: f64) -> Value {
        usage(seconds, [self.cpus, self.memory_gb, self.storage_gb])
    }

    /// What is billed: a minute at the least, and storage beyond what comes with it.
    pub(super) fn billed(self, seconds: f64) -> Value {
        let storage_gb = self.storage_gb.saturating_sub(FREE_STORAGE_GB);
        let seconds = if seconds > 0.0 { seconds.max(LEAST_BILLED_SECONDS) } else { 0.0 };
        usage(seconds, [self.cpus, self.memory_gb, storage_gb])
    }
}

fn usage(seconds: f64, amounts: [u32; 3]) -> Value {
    // Rounded as the service shows them, to a thousandth.
    let hours = amounts.map(|amount| (f64::from(amount) * seconds / 3.6).round() / 1000.0);
    json!({ "vCPUHour": hours[0], "memoryGBHour": hours[1], "storageGBHour": hours[2] })
}

/// Whole units that hold so much.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn whole(amount: f64) -> u32 {
    amount.ceil().clamp(0.0, 1_000_000.0) as u32
}

/// Spark's settings: those of the configuration, and over them those of the parameters.
fn settings(request: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let overrides = request.get("configurationOverrides");
    let configurations = overrides.and_then(|all| all.get("applicationConfiguration"));
    let mut settings = Map::new();
    for configuration in configurations.and_then(Value::as_array).into_iter().flatten() {
        if configuration["classification"] == "spark-defaults"
            && let Some(properties) = configuration["properties"].as_object()
        {
            settings.extend(properties.clone());
        }
    }
    let driver = request.get("jobDriver").and_then(|driver| driver.get("sparkSubmit"));
    let parameters = driver.and_then(|driver| driver.get("sparkSubmitParameters"));
    let words = words(parameters.and_then(Value::as_str).unwrap_or_default())?;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let setting = match word.split_once('=') {
            Some(("--conf", setting)) => Some(setting),
            _ if word == "--conf" || word == "-c" => words.next().map(String::as_str),
            _ => None,
        };
        if let Some((name, value)) = setting.and_then(|setting| setting.split_once('=')) {
            settings.insert(name.to_string(), json!(value));
        }
    }
    Ok(settings)
}

/// The words of a line, with quotes.
fn words(line: &str) -> Result<Vec<String>, Fault> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match quote {
        None => Ok(words),
        Some(_) => Err(invalid("a quote in sparkSubmitParameters is not closed")),
    }
}

/// Megabytes of a size as Spark writes it, such as `14G` or `512m`; a bare number is megabytes.
fn size_mb(name: &str, text: &str) -> Result<f64, Fault> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let (digits, unit) = match text.chars().last() {
        Some('k') => (&text[..text.len() - 1], 1.0 / 1024.0),
        Some('m') => (&text[..text.len() - 1], 1.0),
        Some('g') => (&text[..text.len() - 1], 1024.0),
        Some('t') => (&text[..text.len() - 1], 1024.0 * 1024.0),
        _ => (text, 1.0),
    };
    let number = digits.trim().parse::<u32>();
    number.map(|number| f64::from(number) * unit).map_err(|_| invalid(format!("{name} is no size")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parameters: &str) -> Result<Worker, Fault> {
        let request = json!({"jobDriver": {"sparkSubmit": {"entryPoint": "x",
            "sparkSubmitParameters": parameters}}});
        Worker::of(request.as_object().unwrap())
    }

    #[test]
    fn a_worker_is_memory_and_overhead_rounded_up_to_a_size_there_is() {
        let size = |worker: Worker| (worker.cpus, worker.memory_gb, worker.storage_gb);
        assert_eq!(size(of("").unwrap()), (4, 16, 20));
        let small = of("--conf spark.driver.cores=1 --conf 'spark.driver.memory=1g' --class x");
        assert_eq!(size(small.unwrap()), (1, 2, 20));
        let large = of("--conf=spark.driver.cores=8 -c spark.driver.memory=54g");
        assert_eq!(size(large.unwrap()), (8, 60, 20));
        let disk = of("--conf spark.emr-serverless.driver.disk=100G");
        assert_eq!(size(disk.unwrap()), (4, 16, 100));
    }

    #[test]
    fn a_worker_that_there_is_not_is_refused() {
        for parameters in [
            "--conf spark.driver.cores=8 --conf spark.driver.memory=60g",
            "--conf spark.driver.cores=3",
            "--conf spark.driver.cores=many",
            "--conf spark.driver.memory=lots",
            "--conf 'spark.driver.memory=1g",
        ] {
            assert_eq!(of(parameters).unwrap_err().code, "ValidationException", "{parameters}");
        }
    }

    #[test]
    fn configuration_is_under_parameters() {
        let request = json!({
            "configurationOverrides": {"applicationConfiguration": [
                {"classification": "spark-defaults", "properties":
                    {"spark.driver.cores": "2", "spark.driver.memory": "4G"}}]},
            "jobDriver": {"sparkSubmit": {"entryPoint": "x",
                "sparkSubmitParameters": "--conf spark.driver.memory=8G"}}});
        let worker = Worker::of(request.as_object().unwrap()).unwrap();
        assert_eq!((worker.cpus, worker.memory_gb), (2, 9));
    }

    #[test]
    fn a_minute_is_billed_at_the_least() {
        let worker = Worker { cpus: 4, memory_gb: 16, storage_gb: 30 };
        let used = json!({"vCPUHour": 0.033, "memoryGBHour": 0.133, "storageGBHour": 0.25});
        assert_eq!(worker.used(30.0), used);
        let billed = json!({"vCPUHour": 0.067, "memoryGBHour": 0.267, "storageGBHour": 0.167});
        assert_eq!(worker.billed(30.0), billed);
        assert_eq!(worker.billed(3600.0)["vCPUHour"], 4.0);
        assert_eq!(worker.billed(0.0)["vCPUHour"], 0.0);
    }
}

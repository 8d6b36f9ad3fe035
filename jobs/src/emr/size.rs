//! Worker sizes of EMR Serverless, which the server refuses others than, and a plan counts in.
//!
//! Source: <https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/app-behavior.html>

/// Virtual CPUs, then memory from, to and in steps of, in GB.
pub(crate) const SIZES: [(u32, u32, u32, u32); 6] = [
    (1, 2, 8, 1),
    (2, 4, 16, 1),
    (4, 8, 30, 1),
    (8, 16, 60, 4),
    (16, 32, 120, 8),
    (32, 60, 244, 1),
];

/// Storage that comes with a worker, in GB.
pub(crate) const FREE_STORAGE_GB: u32 = 20;
/// Seconds of a worker that are billed at the least.
pub(crate) const LEAST_BILLED_SECONDS: f64 = 60.0;

/// Whether there is a worker of this size.
pub(crate) fn is_there(cpus: u32, memory_gb: u32) -> bool {
    SIZES.iter().any(|(size, from, to, step)| {
        *size == cpus
            && (*from..=*to).contains(&memory_gb)
            && (memory_gb - from).is_multiple_of(*step)
    })
}

/// The sizes with so many CPUs, or all, for people.
pub(crate) fn told(cpus: Option<u32>) -> String {
    let sizes = SIZES.iter().filter(|(size, ..)| cpus.is_none_or(|cpus| cpus == *size));
    let texts: Vec<String> = sizes
        .map(|(cpus, from, to, step)| format!("{cpus} vCPU with {from} to {to} GB by {step}"))
        .collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_on_the_grid() {
        for (cpus, memory_gb) in [(1, 2), (4, 30), (8, 20), (16, 64), (16, 120), (32, 244)] {
            assert!(is_there(cpus, memory_gb), "{cpus} {memory_gb}");
        }
        for (cpus, memory_gb) in [(1, 1), (3, 8), (4, 31), (8, 18), (16, 60), (64, 244), (0, 0)] {
            assert!(!is_there(cpus, memory_gb), "{cpus} {memory_gb}");
        }
        assert_eq!(told(Some(8)), "8 vCPU with 16 to 60 GB by 4");
    }
}

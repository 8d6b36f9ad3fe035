//! The machine that numbers come from.

use std::path::Path;

use northstar_iceberg::{Error, ErrorKind, Result};

use crate::plan::calibration::Machine;

const MEMORY: &str = "/proc/meminfo";

/// This machine.
///
/// # Errors
/// `Unsupported` on a system that does not tell its memory.
pub(crate) fn this() -> Result<Machine> {
    let text = std::fs::read_to_string(Path::new(MEMORY))
        .map_err(|error| Error::io(error, "read the machine's memory", MEMORY))?;
    let memory_bytes = memory_bytes(&text).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "this system does not tell how much memory it has")
    })?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Machine {
        cores: u64::try_from(cores).unwrap_or(u64::MAX),
        memory_bytes,
        architecture: std::env::consts::ARCH.to_string(),
    })
}

fn memory_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_kibibytes() {
        assert_eq!(
            memory_bytes("MemTotal:       24689764 kB\nMemFree: 1 kB"),
            Some(25_282_318_336)
        );
        assert_eq!(memory_bytes("MemFree: 1 kB"), None);
    }
}

//! CPU and time that this process used. The kernel tells CPU time in hundredths of a second.

use std::time::Instant;

use northstar_iceberg::{Error, ErrorKind, Result};

/// Ticks of a second there, on every Linux.
const TICKS: f64 = 100.0;
const STAT: &str = "/proc/self/stat";
/// Less than this tells little.
const LEAST_CPU_SECONDS: f64 = 0.03;

/// A moment.
#[derive(Debug)]
pub(crate) struct Mark {
    cpu_seconds: f64,
    at: Instant,
}

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spent {
    /// CPU seconds of all threads, in program and kernel.
    pub(crate) cpu_seconds: f64,
    pub(crate) wall_seconds: f64,
}

impl Mark {
    /// Now.
    ///
    /// # Errors
    /// `Unsupported` on a system without `/proc`.
    pub(crate) fn now() -> Result<Self> {
        let text = std::fs::read_to_string(STAT)
            .map_err(|error| Error::io(error, "read the CPU time of this process", STAT))?;
        let cpu_seconds = cpu_seconds(&text).ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "this system does not tell the CPU time of a process",
            )
        })?;
        Ok(Self { cpu_seconds, at: Instant::now() })
    }

    /// What was used since.
    ///
    /// # Errors
    /// As [`Mark::now`].
    pub(crate) fn spent(&self) -> Result<Spent> {
        let now = Self::now()?;
        Ok(Spent {
            cpu_seconds: now.cpu_seconds - self.cpu_seconds,
            wall_seconds: (now.at - self.at).as_secs_f64(),
        })
    }
}

impl Spent {
    /// Fails if it is too little to reckon with.
    ///
    /// # Errors
    /// `InvalidInput`, saying what to do.
    pub(crate) fn enough(self) -> Result<Self> {
        match self.cpu_seconds >= LEAST_CPU_SECONDS {
            true => Ok(self),
            false => Err(Error::new(
                ErrorKind::InvalidInput,
                "this took too little to be measured; give more --rows",
            )),
        }
    }
}

fn cpu_seconds(text: &str) -> Option<f64> {
    // The name of the program, in parentheses, may hold anything; two of the fields after it are the times.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_that_of_program_and_kernel() {
        let text = "7 (a) name) S 1 7 7 0 -1 4194304 100 0 0 0 1250 50 3 4 20 0 2 0 99";
        assert_eq!(cpu_seconds(text), Some(13.0));
        assert_eq!(cpu_seconds("7 (name) S 1"), None);
    }

    #[test]
    fn what_is_too_little_is_refused() {
        let little = Spent { cpu_seconds: 0.02, wall_seconds: 1.0 };
        assert!(little.enough().is_err());
        let more = Spent { cpu_seconds: 0.06, wall_seconds: 1.0 };
        assert_eq!(more.enough().unwrap(), more);
    }
}

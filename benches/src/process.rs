//! What this process has used, for cases that are measured within it.
//!
//! The kernel gives CPU time in hundredths of a second, so what is quick is measured many times over.

use std::{fs, path::Path, time::Instant};

use crate::error::{BenchError, Result};

/// Ticks of a second in `/proc/self/stat`, on every Linux.
const TICKS: f64 = 100.0;

/// What had been used at a moment.
#[derive(Debug)]
pub(crate) struct Mark {
    cpu_s: f64,
    read_bytes: u64,
    at: Instant,
}

/// What was used from then on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// CPU seconds of all threads, in program and kernel.
    pub(crate) cpu_s: f64,
    /// Seconds.
    pub(crate) wall_s: f64,
    /// Bytes that were read from files, cached by the kernel or not.
    pub(crate) read_bytes: u64,
}

impl Mark {
    /// Now.
    ///
    /// # Errors
    /// A system without `/proc`.
    pub(crate) fn now() -> Result<Self> {
        Ok(Self { cpu_s: cpu_s()?, read_bytes: read_bytes()?, at: Instant::now() })
    }

    /// What was used since.
    ///
    /// # Errors
    /// As [`Mark::now`].
    pub(crate) fn spent(&self) -> Result<Spent> {
        Ok(Spent {
            cpu_s: cpu_s()? - self.cpu_s,
            wall_s: self.at.elapsed().as_secs_f64(),
            read_bytes: read_bytes()? - self.read_bytes,
        })
    }
}

/// CPU seconds of the threads that are there, to the microsecond: for what is too quick for the other
/// measure and cannot be repeated. Threads that have come and gone in between are left out.
///
/// # Errors
/// A system without `/proc`.
pub(crate) fn threads_cpu_s() -> Result<f64> {
    let folder = Path::new("/proc/self/task");
    let threads = fs::read_dir(folder).map_err(|error| BenchError::at(folder, &error))?;
    // A thread may end meanwhile.
    let read = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("schedstat")).ok();
    let ns = threads.flatten().filter_map(read).filter_map(|text| {
        let first = text.split_whitespace().next()?;
        first.parse::<f64>().ok()
    });
    Ok(ns.sum::<f64>() / 1e9)
}

fn cpu_s() -> Result<f64> {
    // The name of the program, in parentheses, may hold anything; two fields on are the times.
    let text = read("/proc/self/stat")?;
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}

fn read_bytes() -> Result<u64> {
    let text = read("/proc/self/io")?;
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.and_then(|number| number.parse().ok())
        .ok_or_else(|| BenchError::new("/proc/self/io does not tell what was read"))
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|error| BenchError::at(Path::new(path), &error))
}

//! What a process took.

use northstar_iceberg::storage::s3;
use serde::Serialize;

/// Ticks of the clock in which Linux tells times of processes, a second.
///
/// Source: <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>; `USER_HZ` is 100 on the
/// architectures that this program is built for.
const TICKS_PER_SECOND: u64 = 100;

/// Where the times of user and system stand, behind the name of the program.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;

/// What the process took so far; what the system does not tell is `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Cost {
    pub(super) wall_ms: i64,
    cpu_ms: Option<u64>,
    peak_rss_bytes: Option<u64>,
    s3: Option<S3>,
}

/// Requests to S3, and what they cost at list prices in billionths of a dollar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct S3 {
    get: u64,
    head: u64,
    put: u64,
    parts: u64,
    uploads: u64,
    copy: u64,
    list: u64,
    delete: u64,
    failed: u64,
    bytes_read: u64,
    bytes_written: u64,
    nanodollars: u64,
}

impl Cost {
    /// The cost of this process, which ran so long.
    pub(super) fn so_far(wall_ms: i64) -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let s3 = s3::usage().map(|used| S3 {
            get: used.get,
            head: used.head,
            put: used.put,
            parts: used.parts,
            uploads: used.uploads,
            copy: used.copy,
            list: used.list,
            delete: used.delete,
            failed: used.failed,
            bytes_read: used.bytes_read,
            bytes_written: used.bytes_written,
            nanodollars: used.cost_nanodollars(),
        });
        Self { wall_ms, cpu_ms: cpu_ms(&stat), peak_rss_bytes: peak_rss_bytes(&status), s3 }
    }
}

fn cpu_ms(stat: &str) -> Option<u64> {
    // The name of the program stands in parentheses and may hold any character.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((ticks(USER_TICKS)? + ticks(SYSTEM_TICKS)?) * (1_000 / TICKS_PER_SECOND))
}

fn peak_rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_behind_the_name_whatever_it_is() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0";
        assert_eq!(cpu_ms(stat), Some(1_750));
        assert_eq!(cpu_ms(""), None);
        assert_eq!(cpu_ms("42 (a) S 1"), None);
    }

    #[test]
    fn the_peak_of_memory_is_in_bytes() {
        let status = "Name:\tnorthstar\nVmPeak:\t  9000 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(peak_rss_bytes(status), Some(2 << 20));
        assert_eq!(peak_rss_bytes("Name: x"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_took_memory() {
        let cost = Cost::so_far(5);
        assert!(cost.peak_rss_bytes > Some(1 << 20) && cost.cpu_ms.is_some(), "{cost:?}");
        assert_eq!(cost.wall_ms, 5);
    }
}

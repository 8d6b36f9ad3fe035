//! How the C library's allocator is set up.
//!
//! It keeps what is freed for later, more of it the larger the blocks that were freed, so that a
//! statement that is within its memory at each step is not within it at the last one. Who gives it less
//! memory than the default gets an allocator that gives back at once, and pays for it: of a MERGE into
//! all files of a table 20 % more CPU time. It is told so by its environment, which it reads when a
//! program starts: so the program starts again, once. On other systems the variables mean nothing.
//!
//! Source: <https://man7.org/linux/man-pages/man3/mallopt.3.html>

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Blocks from this size are mapped on their own, and go back to the system when they are freed.
const MAPPED_BYTES: &str = "1048576";

/// What is free at the end of the heap goes back beyond this.
const KEPT_BYTES: &str = "4194304";

const SETTINGS: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", MAPPED_BYTES), ("MALLOC_TRIM_THRESHOLD_", KEPT_BYTES)];

/// With less memory than this, what is freed is given back.
const TIGHT_BYTES: usize = 512 << 20;

/// Starts the program again with the settings if it has little memory, unless one of them is set
/// already. If it cannot, it runs on without.
pub(crate) fn set_up(memory_bytes: usize) {
    let is_set = SETTINGS.iter().any(|(name, _)| std::env::var_os(name).is_some());
    if memory_bytes >= TIGHT_BYTES || is_set {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into_os_string());
    let error = Command::new(program).arg0(name).args(arguments).envs(SETTINGS).exec();
    // Logging is not set up yet; nobody misses anything but memory.
    let _unused = error;
}

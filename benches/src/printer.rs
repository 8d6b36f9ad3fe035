//! Where the benchmark writes to the terminal; nothing else in the crate prints.

/// Prints one line of the result to standard output.
#[expect(clippy::print_stdout, reason = "the table is what the command is run for")]
pub(crate) fn result(line: &str) {
    println!("{line}");
}

/// Prints one line of progress to standard error, which keeps the result alone on standard output.
#[expect(clippy::print_stderr, reason = "progress belongs beside the result, not in it")]
pub(crate) fn progress(line: &str) {
    eprintln!("{line}");
}

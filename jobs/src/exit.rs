//! Exit codes: 0 done, 1 data or user error, 2 internal, 3 a retry may help.

use std::process::ExitCode;

use northstar_iceberg::{Error, ErrorKind, Retry};

use crate::printer::Printer;

/// How a command that ran to its end went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// All is well.
    Well,
    /// It did what it could, and said what needs a look.
    NeedsAttention,
}

impl From<Done> for ExitCode {
    fn from(done: Done) -> Self {
        match done {
            Done::Well => Self::SUCCESS,
            Done::NeedsAttention => Self::from(1),
        }
    }
}

/// Says what failed, and gives the code for it.
pub(crate) fn failed(printer: &Printer, error: &Error) -> ExitCode {
    printer.error(error);
    ExitCode::from(code(error))
}

/// Prints what was asked for (help, version), or what is wrong with the command line: a user error.
pub(crate) fn usage(asked: &clap::Error) -> ExitCode {
    // Nobody is left to tell if this cannot be printed.
    let printed = asked.print().is_ok();
    ExitCode::from(u8::from(asked.use_stderr() || !printed))
}

/// Says that the program itself could not start.
pub(crate) fn internal(printer: &Printer, error: &dyn std::fmt::Display) -> ExitCode {
    printer.error(error);
    ExitCode::from(2)
}

fn code(error: &Error) -> u8 {
    match (error.kind(), error.retry()) {
        (ErrorKind::Internal, _) => 2,
        (_, Retry::Again | Retry::Refresh) => 3,
        _ => 1,
    }
}

/// Ends quietly when the reader of standard output goes away (`northstar sql … | head`), as other
/// programs do, instead of reporting a defect.
pub(crate) fn quiet_broken_pipe() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload_as_str().unwrap_or_default();
        if text.contains("Broken pipe") {
            std::process::exit(0);
        }
        default(info);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_whose_turn_it_is() {
        for (kind, expected) in [
            (ErrorKind::InvalidData, 1),
            (ErrorKind::StorageFull, 1),
            (ErrorKind::Internal, 2),
            (ErrorKind::Unavailable, 3),
            (ErrorKind::CommitUnknown, 3),
            (ErrorKind::Conflict, 3),
        ] {
            assert_eq!(code(&Error::new(kind, "x")), expected, "{kind:?}");
        }
    }
}

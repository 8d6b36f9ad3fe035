//! What is wrong with change files: a batch with any fault is refused whole, since a change that is
//! left out would leave a wrong row behind.

use std::fmt::Write;

use crate::{Error, ErrorKind};

/// How many faults an error tells.
const TOLD: usize = 5;

/// The faults of a batch: the first few, and their number.
#[derive(Debug, Default)]
pub(super) struct Faults {
    told: Vec<String>,
    count: u64,
}

impl Faults {
    /// Adds a fault; `reason` holds no value of the record.
    pub(super) fn add(&mut self, file: &str, line: i64, column: Option<&str>, reason: &str) {
        self.count += 1;
        if self.told.len() < TOLD {
            let mut text = format!("{file} line {line}");
            if let Some(column) = column {
                // Writing to a string cannot fail.
                write!(text, ", column {column}").unwrap_or_default();
            }
            self.told.push(format!("{text}: {reason}"));
        }
    }

    /// The error that refuses the batch, if there is a fault.
    pub(super) fn error(&self) -> Option<Error> {
        let more = match self.count.saturating_sub(TOLD as u64) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let records = if self.count == 1 { "1 record" } else { "records" };
        let records =
            if self.count > 1 { format!("{} {records}", self.count) } else { records.into() };
        (self.count > 0).then(|| {
            Error::new(
                ErrorKind::InvalidData,
                format!(
                    "{records} cannot be merged, so nothing was; correct the files and merge them \
                     again: {}{more}",
                    self.told.join("; ")
                ),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_faults_are_told_and_the_others_counted() {
        let mut faults = Faults::default();
        assert!(faults.error().is_none());
        faults.add("a.csv", 2, Some("n"), "bad");
        let text = faults.error().unwrap().to_string();
        assert!(text.contains("1 record cannot") && text.contains("a.csv line 2, column n: bad"));
        (3..10).for_each(|line| faults.add("a.csv", line, None, "bad"));
        let text = faults.error().unwrap().to_string();
        assert!(text.contains("8 records") && text.contains("and 3 more"), "{text}");
        assert!(text.contains("line 6") && !text.contains("line 7"), "{text}");
    }
}

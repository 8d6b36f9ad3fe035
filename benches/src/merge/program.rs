//! The binary under test on a warehouse.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use crate::error::{BenchError, Result};

/// The binary under test on a warehouse.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    /// The binary.
    pub(crate) binary: &'a Path,
    /// The folder of the warehouse.
    pub(crate) warehouse: PathBuf,
    /// Memory that it is given.
    pub(crate) memory: Option<&'a str>,
}

impl Program<'_> {
    /// The words of a command that prints CSV.
    pub(crate) fn words(&self, rest: &[&str]) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![self.binary.into(), "--warehouse".into()];
        words.push(self.warehouse.clone().into());
        if let Some(memory) = self.memory {
            words.extend(["--memory", memory].map(OsString::from));
        }
        words.extend(["--output", "csv"].map(OsString::from));
        words.extend(rest.iter().map(OsString::from));
        words
    }

    /// Runs a command; the last line that it prints.
    ///
    /// # Errors
    /// The program's own words when it fails.
    pub(crate) fn told(&self, rest: &[&str]) -> Result<String> {
        let words = self.words(rest);
        let output = Command::new(&words[0]).args(&words[1..]).output();
        let output = output.map_err(|error| BenchError::at(self.binary, &error))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(BenchError::new(format!("northstar {} failed: {errors}", rest[0])));
        }
        let text = String::from_utf8_lossy(&output.stdout).trim_end().to_string();
        Ok(text.lines().last().unwrap_or_default().to_string())
    }

    /// Runs an SQL statement; the last line that it prints.
    ///
    /// # Errors
    /// The program's own words when it fails.
    pub(crate) fn sql(&self, statement: &str) -> Result<String> {
        self.told(&["sql", statement])
    }

    /// Loads a folder of CSV files into a namespace.
    ///
    /// # Errors
    /// The program's own words when it fails.
    pub(crate) fn load(&self, from: &Path, into: &str, contract: &Path) -> Result<()> {
        let (from, contract) = (from.display().to_string(), contract.display().to_string());
        let words = ["load", "csv", "--from", &from, "--into", into, "--contract", &contract];
        self.told(&words).map(drop)
    }
}

/// What a statement that changes rows has printed into a log: names and numbers.
pub(crate) fn told_by_statement(log: &str) -> Vec<(String, u64)> {
    let mut lines = log.lines().skip_while(|line| !line.starts_with("inserted,"));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let pairs = names.split(',').zip(values.split(','));
    pairs.filter_map(|(name, value)| Some((name.to_string(), value.parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_tells_what_it_did_under_the_names_of_its_columns() {
        let told = told_by_statement(" INFO a\ninserted,read,snapshot\n3,96,none\n");
        assert_eq!(told, [("inserted".to_string(), 3), ("read".to_string(), 96)]);
    }
}

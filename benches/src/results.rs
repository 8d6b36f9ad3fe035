//! The file with the last results: a section a case, which a run of the case replaces.

use std::{fs, io::ErrorKind, path::Path};

use crate::{
    error::{BenchError, Result},
    report,
};

/// What the file begins with.
const HEAD: &str = "# Results\n\nWritten by `make bench-table`, a section a case; `README.md` says \
                    what each measures.\n";

/// The outcome of a case, in lines of Markdown.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    /// The case, by which its section is found.
    pub(crate) case: &'a str,
    /// When it was measured.
    pub(crate) date: &'a str,
    /// What was measured.
    pub(crate) lines: &'a [String],
}

impl Section<'_> {
    /// Puts the section into the file in place of the one of before, or at its end.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let before = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => HEAD.to_string(),
            text => text.map_err(|error| BenchError::at(path, &error))?,
        };
        let after = replaced(&before, self.case, &self.text());
        fs::write(path, after).map_err(|error| BenchError::at(path, &error))
    }

    fn text(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let memory = report::memory();
        let place = format!(
            "{}, commit {}, {cores} cores, {memory} of memory",
            self.date,
            report::commit()
        );
        format!("## {}\n\n{place}\n\n{}\n", self.case, self.lines.join("\n"))
    }
}

fn replaced(before: &str, case: &str, section: &str) -> String {
    let mark = format!("## {case}\n");
    let mut parts: Vec<String> = Vec::new();
    for line in before.lines() {
        match parts.last_mut() {
            Some(part) if !line.starts_with("## ") => *part = format!("{part}{line}\n"),
            _ => parts.push(format!("{line}\n")),
        }
    }
    match parts.iter_mut().find(|part| part.starts_with(&mark)) {
        Some(part) => *part = section.to_string(),
        None => parts.push(section.to_string()),
    }
    let parts: Vec<&str> = parts.iter().map(|part| part.trim_end()).collect();
    format!("{}\n", parts.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_the_one_before() {
        let one = replaced(HEAD, "one", "## one\n\n1\n");
        let two = replaced(&one, "two", "## two\n\n2\n");
        let again = replaced(&two, "one", "## one\n\nnew\n");
        assert_eq!(again, format!("{HEAD}\n## one\n\nnew\n\n## two\n\n2\n"));
    }
}

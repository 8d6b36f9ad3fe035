//! The file of records, a line each.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind as Io, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use northstar_iceberg::{Error, Result};
use serde_json::Value;

/// Where records stand in a warehouse's local folder.
pub(super) const FILE: &str = "runs.jsonl";

/// Appends a line to the file of a folder, which its owner alone may read.
pub(super) fn append(folder: &Path, line: &[u8]) -> Result<()> {
    let path = folder.join(FILE);
    let whole = [line, b"\n"].concat();
    // One write of one line in append mode is not torn by other processes that do the same.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(&whole))
        .map_err(|error| Error::io(error, "record the run", path.display()))
}

/// The last records of a folder, the last one last, and how many of its lines are none; nothing if no
/// run was recorded.
pub(crate) fn last(folder: &Path, most: usize) -> Result<(Vec<Value>, u64)> {
    let path = folder.join(FILE);
    let failed = |error| Error::io(error, "read the records of runs", path.display());
    let file = match File::open(&path) {
        Err(error) if error.kind() == Io::NotFound => return Ok((Vec::new(), 0)),
        opened => opened.map_err(failed)?,
    };
    let (mut records, mut bad) = (VecDeque::new(), 0);
    for line in BufReader::new(file).split(b'\n') {
        match serde_json::from_slice::<Value>(&line.map_err(failed)?) {
            Ok(record) if record.is_object() => records.push_back(record),
            _ => bad += 1,
        }
        if records.len() > most {
            records.pop_front();
        }
    }
    Ok((records.into(), bad))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_private_lines_and_the_last_are_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last(folder.path(), 5).unwrap(), (Vec::new(), 0));
        for number in 1..=3 {
            append(folder.path(), format!("{{\"n\":{number}}}").as_bytes()).unwrap();
        }
        append(folder.path(), b"torn").unwrap();
        let (records, bad) = last(folder.path(), 2).unwrap();
        let numbers: Vec<_> = records.iter().map(|record| record["n"].as_u64()).collect();
        assert_eq!((numbers, bad), (vec![Some(2), Some(3)], 1));
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

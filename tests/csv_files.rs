//! Small CSV folders for tests, written in place.

use std::path::{Path, PathBuf};

/// Writes `files` (name, content) into a new folder below `parent`, and gives its path.
pub fn folder(parent: &Path, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let folder = parent.join(name);
    for (file, content) in files {
        let path = folder.join(file);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("a folder");
        }
        std::fs::write(path, content).expect("a file");
    }
    folder
}

/// A file of `rows` visits: id, site, time, a note now and then. Deterministic.
pub fn visits(first: u64, rows: u64) -> String {
    use std::fmt::Write;
    let mut text = String::from("id,site,at,note\n");
    for id in first..first + rows {
        let (site, day, hour) = (id % 3, id % 28 + 1, id % 24);
        let month = id / 28 % 3 + 1;
        let note = if id % 10 == 0 { format!("\"note, of {id}\"") } else { String::new() };
        writeln!(text, "{id},s{site},2024-{month:02}-{day:02} {hour:02}:00:00,{note}")
            .expect("memory");
    }
    text
}

/// A contract that partitions and sorts [`visits`].
pub const VISITS: &str = r#"
[visit]
partition = ["site", "month(at)"]
sort = ["at", "id"]
key = ["id"]
[visit.columns]
id = "long"
site = "string"
at = "timestamp"
note = { type = "string", phi = "direct" }
"#;

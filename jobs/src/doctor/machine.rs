//! This machine: the folder of a warehouse, its disk, the catalog.

use std::io::ErrorKind as Io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use northstar_catalog::open::{OpenMode, open};

use super::Findings;

/// Less room than this for rows that are put aside is little.
const LITTLE_BYTES: u64 = 10 << 30;

/// Looks at a folder with rows put aside, records of accesses, or a whole warehouse.
pub(crate) fn folder(folder: &Path) -> Findings {
    let mut findings = Findings::of(format!("folder {}", folder.display()));
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => {
            let mode = found.permissions().mode() & 0o777;
            if mode & 0o077 == 0 {
                findings.well("private", "its owner alone may enter");
            } else {
                let next = format!("chmod 700 {}", folder.display());
                findings.failing(
                    "private",
                    format!("others of this machine may enter: mode {mode:o}"),
                    next,
                );
            }
            written(folder, &mut findings);
        }
        Ok(_) => findings.failing(
            "private",
            "it is no folder",
            "name another with --warehouse or --scratch",
        ),
        Err(error) if error.kind() == Io::NotFound => {
            findings.warning("private", "it is not there yet", "the first load makes it");
        }
        Err(error) => findings.failing("private", error.to_string(), "let this user enter it"),
    }
    findings
}

fn written(folder: &Path, findings: &mut Findings) {
    let name = folder.join(format!(".doctor-{}", std::process::id()));
    let tried = std::fs::write(&name, b"doctor").and_then(|()| std::fs::remove_file(&name));
    match tried {
        Ok(()) => findings.well("written", "a file can be made and removed"),
        Err(error) => findings.failing("written", error.to_string(), "let this user write there"),
    }
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = format!("{} GiB free", free_bytes >> 30);
            if free_bytes < LITTLE_BYTES {
                findings.warning(
                    "room",
                    found,
                    "rows that do not fit into memory need disk: 10 GiB or more",
                );
            } else {
                findings.well("room", found);
            }
        }
        Err(error) => findings.warning("room", error.to_string(), ""),
    }
}

/// Opens the catalog, and counts what is in it.
pub(crate) async fn catalog(url: &str) -> Findings {
    let mut findings = Findings::of("catalog");
    let opened = match open(url, OpenMode::Existing).await {
        Ok(catalog) => catalog.list_namespaces().await.map(|found| found.len()),
        Err(error) => Err(error),
    };
    match opened {
        Ok(count) => findings.well("opened", format!("{count} namespaces")),
        Err(error) => {
            let next = "name the catalog with --catalog; a first load makes an embedded one";
            findings.failing("opened", error.to_string(), next);
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::super::State;
    use super::*;

    fn states(findings: &Findings) -> Vec<(&str, State)> {
        findings.all.iter().map(|finding| (finding.check, finding.state)).collect()
    }

    #[test]
    fn a_folder_is_private_and_can_be_written() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("lake");
        assert_eq!(states(&folder(&path)), [("private", State::Warning)]);
        std::fs::create_dir(&path).unwrap();
        for (mode, state) in [(0o755, State::Failing), (0o700, State::Well)] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let found = folder(&path);
            assert_eq!(states(&found)[..2], [("private", state), ("written", State::Well)]);
            assert_eq!(found.all[2].check, "room");
        }
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "nothing is left behind");
        let file = parent.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(states(&folder(&file)), [("private", State::Failing)]);
    }

    #[tokio::test]
    async fn a_catalog_that_cannot_be_opened_is_told() {
        let found = catalog("sqlite:///no/such/catalog.db").await;
        assert_eq!(states(&found), [("opened", State::Failing)]);
    }
}

//! Which files of a table a statement had to do with, as it is told.

use northstar_iceberg::merge::ChangeReport;

/// The counts by name; nothing where the engine does not tell.
pub(super) fn counts(report: &ChangeReport) -> [(&'static str, Option<u64>); 10] {
    [
        ("files", Some(report.files)),
        ("considered", Some(report.files_considered)),
        ("asked", report.files_asked),
        ("opened", report.files_opened),
        ("touched", Some(report.files_touched)),
        ("rewritten", Some(report.files_rewritten)),
        ("copied", Some(report.files_copied)),
        ("added", Some(report.files_added)),
        ("delete_files", Some(report.delete_files_added)),
        ("bytes_read", report.bytes_read),
    ]
}

/// The counts as a line for people; of a statement that looked for no rows, what it wrote.
pub(super) fn line(report: &ChangeReport) -> String {
    if report.files == 0 {
        return format!("files added {}", report.files_added);
    }
    let asked = report.files_asked.filter(|asked| *asked > 0);
    let asked = asked.map(|asked| format!(", asked {asked}")).unwrap_or_default();
    let opened = report.files_opened.map(|opened| format!(", opened {opened}")).unwrap_or_default();
    let copied = Some(report.files_copied).filter(|copied| *copied > 0);
    let copied = copied.map(|copied| format!(" ({copied} in part copied)")).unwrap_or_default();
    let read = report.bytes_read.map(|read| format!("; read {}", size(read))).unwrap_or_default();
    format!(
        "files {}, considered {}{asked}{opened}, touched {}, rewritten {}{copied}, added {}, of deletes {}{read}",
        report.files,
        report.files_considered,
        report.files_touched,
        report.files_rewritten,
        report.files_added,
        report.delete_files_added,
    )
}

/// Bytes as people read them: `17 B`, `1.5 KiB`, `20.0 MiB`.
pub(super) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut unit = None;
    // In tenths, so that no float is needed.
    let mut tenths = bytes.saturating_mul(10);
    for name in units {
        if tenths < 10_240 {
            break;
        }
        tenths = (tenths + 512) / 1024;
        unit = Some(name);
    }
    match unit {
        None => format!("{bytes} B"),
        Some(unit) => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_that_fits() {
        let sizes = [0, 1023, 1024, 1536, (1 << 20) - 1, 20 << 20, 5 << 40];
        let texts = ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "20.0 MiB", "5.0 TiB"];
        assert_eq!(sizes.map(size), texts);
    }
}

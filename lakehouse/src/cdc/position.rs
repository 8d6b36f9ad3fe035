//! Where a change stands in the log of its source, as a text that sorts like the log.

/// Digits of a command's number: those of the largest 32-bit number, which is what SQL Server has.
const COMMAND_DIGITS: usize = 10;
const MAX_COMMAND: i64 = 9_999_999_999;

/// Makes positions, all of one form: texts of other widths would not sort like the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Positions {
    lsn_digits: Option<usize>,
    seqval_digits: Option<usize>,
}

/// Which column of a change row makes no position, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadPosition {
    pub(super) column: &'static str,
    pub(super) reason: String,
}

impl Positions {
    /// Positions that can be compared with `watermark`, if there is one.
    pub(super) fn like(watermark: Option<&str>) -> Self {
        let mut parts = watermark.unwrap_or_default().split('/').map(str::len);
        let lsn_digits = parts.next().filter(|digits| *digits > 0);
        Self { lsn_digits, seqval_digits: parts.nth(1) }
    }

    /// `commit_lsn/command_id/seqval`: digits in lower case, the command with leading zeros.
    pub(super) fn position(
        &mut self,
        lsn: Option<&str>,
        command: Option<i64>,
        seqval: Option<&str>,
    ) -> Result<String, BadPosition> {
        let bad = |column, reason: &str| BadPosition { column, reason: reason.to_string() };
        let command = command
            .filter(|command| (0..=MAX_COMMAND).contains(command))
            .ok_or_else(|| bad(super::columns::COMMAND_ID, "a command is a number from 0 on"))?;
        let lsn = digits(super::columns::COMMIT_LSN, lsn, &mut self.lsn_digits)?;
        let seqval = digits(super::columns::SEQVAL, seqval, &mut self.seqval_digits)?;
        Ok(format!("{lsn}/{command:0COMMAND_DIGITS$}/{seqval}"))
    }
}

/// The hexadecimal digits of a log sequence number; `0x` before them is left out.
fn digits(
    column: &'static str,
    text: Option<&str>,
    width: &mut Option<usize>,
) -> Result<String, BadPosition> {
    let bad = |reason: String| Err(BadPosition { column, reason });
    let Some(text) = text else { return bad("it is empty".to_string()) };
    let trimmed = text.trim();
    let hex = trimmed.strip_prefix("0x").or_else(|| trimmed.strip_prefix("0X")).unwrap_or(trimmed);
    if hex.is_empty() || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return bad("it is not hexadecimal".to_string());
    }
    match *width {
        Some(width) if width != hex.len() => bad(format!(
            "it has {} digits where others have {width}, so that they cannot be compared",
            hex.len()
        )),
        _ => {
            *width = Some(hex.len());
            Ok(hex.to_ascii_lowercase())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_sort_as_text_like_the_log() {
        let mut positions = Positions::default();
        let mut of = |lsn, command, seqval| {
            positions.position(Some(lsn), Some(command), Some(seqval)).unwrap()
        };
        let sorted = [of("0x00FF", 9, "00"), of("00ff", 10, "00"), of("0100", 1, "0a")];
        assert!(sorted.is_sorted(), "{sorted:?}");
        assert_eq!(sorted[0], "00ff/0000000009/00");
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let mut positions = Positions::like(Some("00ff/0000000009/0a"));
        for (lsn, command, seqval, column) in [
            (Some("0ff"), Some(1), Some("00"), "commit_lsn"),
            (Some("00fg"), Some(1), Some("00"), "commit_lsn"),
            (Some("0x"), Some(1), Some("00"), "commit_lsn"),
            (None, Some(1), Some("00"), "commit_lsn"),
            (Some("00ff"), Some(1), Some("000"), "seqval"),
            (Some("00ff"), Some(-1), Some("00"), "command_id"),
            (Some("00ff"), None, Some("00"), "command_id"),
        ] {
            let bad = positions.position(lsn, command, seqval).unwrap_err();
            assert_eq!(bad.column, column, "{bad:?}");
            assert!(lsn.is_none_or(|lsn| !bad.reason.contains(lsn)), "{bad:?}");
        }
    }
}

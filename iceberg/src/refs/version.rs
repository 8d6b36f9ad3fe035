//! The snapshot that a person means: by id, tag, branch or time.

use iceberg::spec::TableMetadata;

use crate::Result;
use crate::sql::moment_ms;
use crate::travel::{AsOf, resolve};

/// The snapshot that `text` names: a tag or branch, else a snapshot id, else what was current at a
/// time, which needs a zone. So `VERSION AS OF` and `TIMESTAMP AS OF` read them too.
///
/// # Errors
/// `NotFound` if the table has nothing of that name, id or time; `InvalidInput` for a time without
/// zone.
pub fn find_version(metadata: &TableMetadata, text: &str) -> Result<i64> {
    let named = match resolve(metadata, &AsOf::Ref(text.to_string())) {
        // The name of a snapshot is never `None`: only the present of an empty table is.
        Ok(found) => return Ok(found.unwrap_or_default()),
        Err(error) => error,
    };
    if text.parse::<i64>().is_ok() {
        return Err(named);
    }
    match moment_ms(text) {
        None => Err(named),
        Some(moment) => {
            let as_of = AsOf::Timestamp(moment?);
            resolve(metadata, &as_of).map(Option::unwrap_or_default)
        }
    }
}

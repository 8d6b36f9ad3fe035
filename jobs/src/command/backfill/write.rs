//! `northstar backfill write`: data files of units, which another process commits.

use std::io::Write;
use std::path::Path;

use northstar_iceberg::{Error, ErrorKind, Result};
use northstar_lakehouse::bronze::backfill::{Descriptor, UnitName, Wave};

use super::{job, named, opened, told};
use crate::cli::{Global, Source};
use crate::exit::Done;
use crate::printer::Printer;

pub(super) async fn run(
    global: &Global,
    source: &Source,
    (units, wave): (&[UnitName], &str),
    to: Option<&Path>,
    printer: &Printer,
) -> Result<Done> {
    let wave = read(wave)?;
    let listing = named(source, units)?;
    let (warehouse, progress) = opened(global).await?;
    let job = job(&warehouse, source)?;
    let mut written = Vec::with_capacity(listing.units.len());
    for unit in &listing.units {
        match job.write(&wave, unit).await {
            Ok(one) => written.push(one),
            Err(error) => {
                progress.finish();
                return Err(error);
            }
        }
    }
    progress.finish();
    let lines = written.iter().map(Descriptor::to_json).collect::<Result<Vec<_>>>()?;
    let descriptors = lines.join("\n") + "\n";
    match to {
        Some(path) => put(path, &descriptors)?,
        None => printer.text(descriptors.trim_end()),
    }
    Ok(told(&written.into_iter().flat_map(|one| one.files).collect::<Vec<_>>(), printer))
}

fn read(wave: &str) -> Result<Wave> {
    serde_json::from_str(wave).map_err(|error| {
        Error::new(
            ErrorKind::InvalidInput,
            "--wave is no wave; give it as `northstar backfill plan` printed it",
        )
        .with_source(error)
    })
}

/// Descriptors have bounds of columns, so their owner alone may read them. They are there whole or not
/// at all.
fn put(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |error| Error::io(error, "write the descriptors", path.display());
    let part = path.with_added_extension("part");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&part).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}

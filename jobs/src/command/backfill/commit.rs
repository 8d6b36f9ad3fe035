//! `northstar backfill commit`: what other processes wrote of one wave, exactly once.

use std::io::Read;
use std::path::Path;

use northstar_iceberg::{Error, Result};
use northstar_lakehouse::bronze::backfill::Descriptor;

use super::{counts, job, opened, told};
use crate::cli::{Global, Source};
use crate::exit::Done;
use crate::printer::Printer;

pub(super) async fn run(
    global: &Global,
    source: &Source,
    descriptors: &Path,
    printer: &Printer,
) -> Result<Done> {
    let text = read(descriptors)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let written = lines.map(Descriptor::from_json).collect::<Result<Vec<_>>>()?;
    let (warehouse, progress) = opened(global).await?;
    let done = job(&warehouse, source)?.commit(&written).await;
    progress.finish();
    let done = done?;
    done.units.iter().for_each(|unit| global.tally.add(counts(unit)));
    let rows: Vec<Vec<String>> = done
        .units
        .iter()
        .map(|unit| {
            let mut row = vec![unit.unit.to_string(), unit.outcome.as_str().to_string()];
            row.extend(unit.rows().map(|count| count.to_string()));
            row.push(done.snapshot_id.map_or("none".to_string(), |id| id.to_string()));
            row
        })
        .collect();
    let header = ["unit", "outcome", "read", "landed", "quarantined", "snapshot"];
    printer.table(&header, &rows)?;
    Ok(told(&done.units.into_iter().flat_map(|unit| unit.files).collect::<Vec<_>>(), printer))
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| Error::io(error, "read the descriptors", path.display()))?;
    Ok(text)
}

//! `northstar diff`: what changed in a table between two snapshots.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use northstar_iceberg::diff::{Diff, DiffCounts, DiffRequest};
use northstar_iceberg::observer::Silent;
use northstar_iceberg::sql::from_datafusion;
use northstar_iceberg::travel::AsOf;
use northstar_iceberg::{Error, ErrorKind, Result, TableName};

use crate::cli::{Global, Output};
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) table: &'a str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) key: &'a [String],
    pub(crate) rows: bool,
}

pub(crate) async fn run(global: &Global, request: &Request<'_>, printer: &Printer) -> Result<Done> {
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    let name: TableName = request.table.parse()?;
    let wanted =
        DiffRequest { from: state(request.from), to: state(request.to), key: request.key.to_vec() };
    let session = warehouse.session()?;
    let diff = warehouse.lake.diff(&name, &wanted, &warehouse.access, &session).await?;
    for note in &diff.notes {
        printer.note(format!("note: {note}"));
    }
    if request.rows {
        rows(&diff, global.output, printer).await?;
    } else {
        counts(&diff, diff.counts().await?, global.output, printer)?;
    }
    Ok(Done::Well)
}

/// `main` is what is current, which a table without a snapshot has too.
pub(super) fn state(text: &str) -> AsOf {
    match text.parse() {
        Ok(AsOf::Ref(name)) if name == "main" => AsOf::Current,
        Ok(as_of) => as_of,
        Err(never) => match never {},
    }
}

fn counts(diff: &Diff, counts: DiffCounts, output: Output, printer: &Printer) -> Result<()> {
    let (gone, come) = diff.files;
    let numbers = [
        ("inserted", counts.inserted),
        ("updated", counts.updated),
        ("deleted", counts.deleted),
        ("files", gone + come),
    ];
    let snapshots = [("from", diff.from), ("to", diff.to)];
    if output != Output::Json {
        let shown = |id: Option<i64>| id.map_or_else(|| "none".to_string(), |id| id.to_string());
        let header: Vec<&str> =
            snapshots.iter().map(|(name, _)| *name).chain(numbers.map(|(name, _)| name)).collect();
        let row = snapshots.iter().map(|(_, id)| shown(*id));
        let row = row.chain(numbers.iter().map(|(_, number)| number.to_string())).collect();
        return printer.table(&header, &[row]);
    }
    let all = snapshots
        .into_iter()
        .chain(numbers.map(|(name, number)| (name, i64::try_from(number).ok())));
    let (fields, columns): (Vec<_>, Vec<_>) = all
        .map(|(name, value)| {
            let column: arrow::array::ArrayRef = Arc::new(Int64Array::from(vec![value]));
            (Field::new(name, DataType::Int64, true), column)
        })
        .unzip();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|error| {
        Error::new(ErrorKind::Internal, "counts cannot be laid out").with_source(error)
    })?;
    printer.batches(&schema, &[batch])
}

/// Prints the rows. A table is laid out as a whole; the other forms are printed as rows come.
async fn rows(diff: &Diff, output: Output, printer: &Printer) -> Result<()> {
    let frame = diff.rows()?;
    let schema = Arc::clone(frame.schema().inner());
    if output == Output::Table {
        let batches = frame.collect().await.map_err(from_datafusion)?;
        return printer.batches(&schema, &batches);
    }
    printer.batches(&schema, &[])?;
    diff.each_batch(|batch| printer.more(batch)).await
}

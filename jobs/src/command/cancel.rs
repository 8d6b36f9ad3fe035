//! `northstar cancel`: a job run is asked to end.

use northstar_iceberg::Result;

use crate::cli::submit::Cancel;
use crate::emr::{Service, watch};
use crate::exit::Done;
use crate::printer::Printer;

pub(crate) async fn run(asked: &Cancel, printer: &Printer) -> Result<Done> {
    let service = Service::of(&asked.of.place).await?;
    let run = &asked.of.run;
    watch::cancel(&service, run, asked.grace).await?;
    printer.note(format!("asked; see how it ends: northstar status {run} --wait"));
    Ok(Done::Well)
}

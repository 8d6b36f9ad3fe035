//! `northstar logs`: what a job run printed.

use northstar_iceberg::Result;

use crate::cli::Global;
use crate::cli::submit::Logs;
use crate::emr::Service;
use crate::emr::client::checked;
use crate::emr::logs::{Stream, place, read};
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::s3_client;

pub(crate) async fn run(global: &Global, asked: &Logs, printer: &Printer) -> Result<Done> {
    let service = Service::of(&asked.of.place).await?;
    let stream = if asked.stderr { Stream::Stderr } else { Stream::Stdout };
    let run = service.run(&asked.of.run, asked.attempt).await?;
    let found = place(&service, &run, (asked.attempt, stream)).await?;
    if let Some(endpoint) = &global.storage.s3_endpoint
        && !global.storage.s3_allow_http
    {
        checked(endpoint)?;
    }
    let s3 = s3_client(&service.aws, &service.region, &global.storage);
    printer.as_it_is(&read(&found, &s3, stream).await?);
    Ok(Done::Well)
}

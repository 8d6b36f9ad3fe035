//! `northstar submit`: a command of this program, as a job run.

use northstar_iceberg::Result;

use super::status::told;
use crate::cli::submit::Submit;
use crate::emr::watch::{WhenTold, outcome, until_over};
use crate::emr::{Service, command, start};
use crate::exit::Done;
use crate::printer::Printer;

/// Seconds that a run has to end by itself when the one who waits for it is told to end.
const GRACE_SECONDS: i32 = 30;

pub(crate) async fn run(asked: &Submit, printer: &Printer) -> Result<Done> {
    command::check(&asked.words)?;
    let service = Service::of(&asked.place).await?;
    let say = |text: &str| printer.note(text);
    start::application(&service, &say).await?;
    let started = start::run(&service, asked).await?;
    printer.record(&[
        ("run", Some(started.run.clone())),
        ("application", Some(service.application.clone())),
        ("name", Some(started.name)),
        ("try", Some(asked.attempt.to_string())),
        ("token", Some(started.token)),
    ])?;
    if !asked.wait {
        printer.note(format!("see how it goes: northstar status {} --wait", started.run));
        return Ok(Done::Well);
    }
    let cancels = WhenTold::Cancel(GRACE_SECONDS);
    let over = until_over(&service, &started.run, cancels, &|line| told(printer, line)).await?;
    Ok(outcome(&over.state))
}

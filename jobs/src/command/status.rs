//! `northstar status`: a job run, or the latest of them.

use aws_sdk_emrserverless::primitives::DateTime;
use aws_sdk_emrserverless::types::JobRun;
use northstar_iceberg::Result;

use super::snapshots::time;
use crate::cli::submit::Status;
use crate::emr::Service;
use crate::emr::watch::{WhenTold, outcome, until_over};
use crate::exit::Done;
use crate::printer::Printer;

pub(crate) async fn run(asked: &Status, printer: &Printer) -> Result<Done> {
    let service = Service::of(&asked.place).await?;
    match &asked.run {
        None => list(&service, usize::try_from(asked.most).unwrap_or(usize::MAX), printer).await,
        Some(run) if asked.wait => {
            let line = |line: &str| told(printer, line);
            let over = until_over(&service, run, WhenTold::Leave, &line).await?;
            Ok(outcome(&over.state))
        }
        Some(run) => {
            printer.record(&fields(&service.run(run, None).await?))?;
            Ok(Done::Well)
        }
    }
}

/// A line about a run that is watched: on standard error, so that results stay clean.
pub(super) fn told(printer: &Printer, line: &str) {
    printer.note(line);
}

async fn list(service: &Service, most: usize, printer: &Printer) -> Result<Done> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut page: Option<String> = None;
    while rows.len() < most {
        let asked = service.client.list_job_runs().application_id(&service.application);
        let got = asked.set_next_token(page.take()).send().await;
        let got = got.map_err(|error| service.failed(&error, "list the runs"))?;
        for run in got.job_runs {
            rows.push(vec![
                run.id,
                run.name.unwrap_or_default(),
                run.state.as_str().to_string(),
                run.attempt.map_or_else(String::new, |attempt| attempt.to_string()),
                at(Some(&run.created_at)).unwrap_or_default(),
            ]);
        }
        page = got.next_token;
        if page.is_none() {
            break;
        }
    }
    rows.truncate(most);
    printer.table(&["run", "name", "state", "attempt", "created"], &rows)?;
    Ok(Done::Well)
}

fn fields(run: &JobRun) -> Vec<(&'static str, Option<String>)> {
    let driver = run.job_driver().and_then(|driver| driver.as_spark_submit().ok());
    let command = driver.map(|driver| driver.entry_point_arguments().join(" "));
    vec![
        ("run", Some(run.job_run_id.clone())),
        ("name", run.name.clone()),
        ("state", Some(run.state.as_str().to_string())),
        ("details", Some(run.state_details.clone())),
        ("attempt", run.attempt.map(|attempt| attempt.to_string())),
        ("command", command),
        ("created", at(Some(&run.created_at))),
        ("started", at(run.started_at.as_ref())),
        ("ended", at(run.ended_at.as_ref())),
        ("seconds", run.total_execution_duration_seconds.map(|seconds| seconds.to_string())),
    ]
}

fn at(time_of: Option<&DateTime>) -> Option<String> {
    time_of.and_then(|moment| moment.to_millis().ok()).map(time)
}

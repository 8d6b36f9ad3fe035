//! A job run asked for: the application started where it is not, and the run under its token.

use aws_sdk_emrserverless::operation::start_job_run::StartJobRunError;
use aws_sdk_emrserverless::types::{
    ApplicationState, ConfigurationOverrides, JobDriver, MonitoringConfiguration, RetryPolicy,
    S3MonitoringConfiguration, SparkSubmit,
};
use northstar_iceberg::{Error, ErrorKind, Result};

use super::client::{Service, nothing};
use super::token::token;
use super::watch::Pace;
use crate::cli::submit::Submit;

/// What is asked for, in full.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) run: String,
    pub(crate) name: String,
    pub(crate) token: String,
}

/// Starts the application unless it is started, and waits until it is.
///
/// # Errors
/// `NotFound` for an application that is not there; `InvalidInput` for one that was deleted.
pub(crate) async fn application(service: &Service, told: &dyn Fn(&str)) -> Result<()> {
    let mut pace = Pace::new();
    let mut is_told = false;
    loop {
        let asked = service.client.get_application().application_id(&service.application);
        let got =
            asked.send().await.map_err(|error| service.failed(&error, "show the application"))?;
        let state = got.application.ok_or_else(|| nothing("application"))?.state;
        match &state {
            ApplicationState::Started => return Ok(()),
            ApplicationState::Created | ApplicationState::Stopped => {
                told(&format!("the application is {}; it is started", state.as_str()));
                let start = service.client.start_application().application_id(&service.application);
                start
                    .send()
                    .await
                    .map_err(|error| service.failed(&error, "start the application"))?;
                continue;
            }
            ApplicationState::Terminated => {
                let text = "the application was deleted; name another with --application";
                return Err(Error::new(ErrorKind::InvalidInput, text)
                    .with_context("application", &service.application));
            }
            state if !is_told => {
                told(&format!("the application is {}; it is waited for", state.as_str()));
                is_told = true;
            }
            _ => {}
        }
        pace.wait().await;
    }
}

/// Starts the run, or finds it started.
///
/// # Errors
/// `AlreadyExists` where the token stands for a run with other settings; what else the service refuses.
pub(crate) async fn run(service: &Service, asked: &Submit) -> Result<Started> {
    let name = asked.name.clone().unwrap_or_else(|| named(&asked.words));
    let token = token(&service.application, &name, &asked.words, asked.attempt);
    let incomplete =
        |error| Error::new(ErrorKind::Internal, "the request is not complete").with_source(error);
    let driver = SparkSubmit::builder()
        .entry_point(&asked.entry_point)
        .set_entry_point_arguments(Some(asked.words.clone()))
        .spark_submit_parameters(parameters(asked))
        .build()
        .map_err(incomplete)?;
    let request = service
        .client
        .start_job_run()
        .application_id(&service.application)
        .client_token(&token)
        .execution_role_arn(&asked.role)
        .name(&name)
        .job_driver(JobDriver::SparkSubmit(driver))
        .set_configuration_overrides(asked.log_uri.as_deref().map(monitoring))
        .execution_timeout_minutes(asked.timeout_minutes)
        .set_retry_policy(
            (asked.attempts > 1)
                .then(|| RetryPolicy::builder().max_attempts(asked.attempts).build()),
        );
    let started = request.send().await.map_err(|error| match error.as_service_error() {
        Some(StartJobRunError::ConflictException(_)) => conflict(asked.attempt),
        _ => service.failed(&error, "start the run"),
    })?;
    Ok(Started { run: started.job_run_id, name, token })
}

/// What a conflict means for who submits.
fn conflict(attempt: u32) -> Error {
    let next = attempt.saturating_add(1);
    let text = format!(
        "try {attempt} of this job and command was submitted before with other settings: role, launcher, \
         time, attempts, driver or log. Submit it as it was to find that run, or with --try {next} to start \
         another"
    );
    Error::new(ErrorKind::AlreadyExists, text)
}

/// The name of a job that was given none: by its command, not by arguments of it.
fn named(words: &[String]) -> String {
    const COMMANDS: [&str; 3] = ["load", "maintain", "merge"];
    let command = words.iter().find(|word| COMMANDS.contains(&word.as_str()));
    let first = command.or_else(|| words.iter().find(|word| !word.starts_with('-')));
    match first {
        Some(first) if first.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            format!("northstar {first}")
        }
        _ => "northstar".to_string(),
    }
}

/// Spark's settings for a launcher that runs this program on the driver alone.
fn parameters(asked: &Submit) -> String {
    let memory = asked.driver_memory.clone();
    let memory = memory.unwrap_or_else(|| default_memory(asked.driver_cores).to_string());
    [
        ("spark.driver.cores", asked.driver_cores.to_string()),
        ("spark.driver.memory", memory),
        ("spark.dynamicAllocation.enabled", "false".to_string()),
    ]
    .map(|(name, value)| format!("--conf {name}={value}"))
    .join(" ")
}

/// Memory that makes a worker of 4 GB a CPU, with the tenth that is added.
fn default_memory(cores: u32) -> &'static str {
    match cores {
        1 => "3G",
        2 => "7G",
        4 => "14G",
        8 => "28G",
        _ => "56G",
    }
}

fn monitoring(log_uri: &str) -> ConfigurationOverrides {
    let s3 = S3MonitoringConfiguration::builder().log_uri(log_uri).build();
    let monitoring = MonitoringConfiguration::builder().s3_monitoring_configuration(s3).build();
    ConfigurationOverrides::builder().monitoring_configuration(monitoring).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emr::size::is_there;

    #[test]
    fn a_job_is_named_by_its_command_alone() {
        let named = |words: &[&str]| {
            named(&words.iter().map(|word| (*word).to_string()).collect::<Vec<_>>())
        };
        assert_eq!(named(&["merge", "silver.lab_result"]), "northstar merge");
        assert_eq!(named(&["--warehouse", "s3://b/p", "merge", "a.b"]), "northstar merge");
        assert_eq!(named(&["--warehouse", "s3://b/p", "tables"]), "northstar");
        assert_eq!(named(&["cherry-pick", "a.b"]), "northstar cherry-pick");
    }

    #[test]
    fn the_default_memory_makes_a_worker_that_there_is() {
        for cores in [1, 2, 4, 8, 16] {
            let memory = default_memory(cores).trim_end_matches('G').parse::<u32>().unwrap();
            let with_overhead_mb = memory * 1024 + (memory * 1024 / 10).max(384);
            // The smallest worker that holds it has 4 GB a CPU.
            let needed_gb = with_overhead_mb.div_ceil(1024);
            let smallest = (needed_gb..).find(|memory_gb| is_there(cores, *memory_gb));
            assert_eq!(smallest, Some(cores * 4), "{cores}");
        }
    }

    #[test]
    fn a_conflict_says_what_to_do() {
        let text = conflict(2).to_string();
        assert!(text.contains("--try 3") && text.contains("other settings"), "{text}");
    }
}

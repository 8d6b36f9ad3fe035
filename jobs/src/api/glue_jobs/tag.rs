//! Tags of jobs, for the actions that tag whatever has an ARN.

use std::sync::Arc;

use super::definition::refused;
use super::{decide, job, look};
use crate::api::fault::Fault;
use crate::runs::{Runs, Tags};

/// Tags that a job has at most.
const MOST_TAGS: usize = 50;

/// The name of the job that an ARN is of, if it is of one: `arn:aws:glue:REGION:ACCOUNT:job/NAME`.
pub(crate) fn job_of_arn(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let is_glue = parts.next()? == "arn" && parts.next().is_some() && parts.next()? == "glue";
    let resource = parts.nth(2)?;
    resource.strip_prefix("job/").filter(|_| is_glue)
}

/// The tags of a job.
///
/// # Errors
/// `EntityNotFoundException`.
pub(crate) async fn tags(runs: &Arc<Runs>, name: &str) -> Result<Tags, Fault> {
    let name = name.to_string();
    look(runs, move |tx| Ok(job(tx, &name)?.map(|job| job.tags))).await
}

/// Adds tags to a job, or changes them.
///
/// # Errors
/// `EntityNotFoundException`; `InvalidInputException` for too many tags.
pub(crate) async fn tag(runs: &Arc<Runs>, name: &str, tags: Tags) -> Result<(), Fault> {
    retag(runs, name, move |all| all.extend(tags)).await
}

/// Removes tags of a job.
///
/// # Errors
/// `EntityNotFoundException`.
pub(crate) async fn untag(runs: &Arc<Runs>, name: &str, keys: Vec<String>) -> Result<(), Fault> {
    retag(runs, name, move |all| all.retain(|key, _| !keys.contains(key))).await
}

async fn retag(
    runs: &Arc<Runs>,
    name: &str,
    change: impl FnOnce(&mut Tags) + Send + 'static,
) -> Result<(), Fault> {
    let name = name.to_string();
    decide(runs, move |tx| {
        let mut job = match job(tx, &name)? {
            Ok(job) => job,
            Err(fault) => return Ok(Err(fault)),
        };
        change(&mut job.tags);
        if job.tags.len() > MOST_TAGS {
            return Ok(Err(refused(format!("a job has at most {MOST_TAGS} tags"))));
        }
        job.update(tx).map(Ok)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_jobs_name_the_job() {
        assert_eq!(job_of_arn("arn:aws:glue:eu-west-2:123456789012:job/a:b/c"), Some("a:b/c"));
        for arn in [
            "arn:aws:glue:eu-west-2:123456789012:table/a/b",
            "arn:aws:s3:eu-west-2:123456789012:job/a",
            "job/a",
            "",
        ] {
            assert_eq!(job_of_arn(arn), None, "{arn}");
        }
    }
}

//! What a run printed: from the files of a server on this machine, or from S3, where the service puts it.

use std::io::Read;
use std::path::PathBuf;

use aws_sdk_emrserverless::types::JobRun;
use aws_sdk_s3::Client;
use flate2::read::MultiGzDecoder;
use northstar_iceberg::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;

use super::client::Service;

/// A log that is larger, unpacked, is read elsewhere.
const MOST_BYTES: u64 = 1 << 30;

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Where a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogPlace {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// Below a URI of S3.
    S3 { bucket: String, keys: Vec<String> },
}

/// Finds where the log of a run is.
///
/// # Errors
/// `NotFound` where it is nowhere that this program reads, saying where to look.
pub(crate) async fn place(
    service: &Service,
    run: &JobRun,
    (attempt, stream): (Option<i32>, Stream),
) -> Result<LogPlace> {
    let asked = service.client.get_dashboard_for_job_run().application_id(&service.application);
    let asked = asked.job_run_id(&run.job_run_id).set_attempt(attempt);
    let dashboard =
        asked.send().await.map_err(|error| service.failed(&error, "say where the log is"))?;
    let url = dashboard.url.unwrap_or_default();
    if let Some(path) = url.strip_prefix("file://") {
        let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
        if service.is_here {
            return Ok(LogPlace::Folder(path.into()));
        }
        let text = "the log is a file on the server's machine; read it there";
        return Err(Error::new(ErrorKind::NotFound, text).with_context("path", path));
    }
    match log_uri(run) {
        Some(uri) => s3(uri, run, attempt.or(run.attempt), stream),
        None => Err(elsewhere(run)),
    }
}

/// The S3 log URI that the run was started with.
fn log_uri(run: &JobRun) -> Option<&str> {
    let monitoring = run.configuration_overrides()?.monitoring_configuration()?;
    monitoring.s3_monitoring_configuration()?.log_uri()
}

/// The objects that the log may be, the likeliest first: the service has put those of attempts into folders
/// of their own since runs can be tried again.
///
/// Source: <https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/logging.html>
fn s3(uri: &str, run: &JobRun, attempt: Option<i32>, stream: Stream) -> Result<LogPlace> {
    let bad = || {
        let text = "the log URI of the run is not of S3";
        Error::new(ErrorKind::InvalidData, text).with_context("run", &run.job_run_id)
    };
    let rest = uri.strip_prefix("s3://").ok_or_else(bad)?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    let folder = format!("{prefix}applications/{}/jobs/{}", run.application_id, run.job_run_id);
    let file = format!("SPARK_DRIVER/{}.gz", stream.name());
    let of_attempt = attempt.map(|attempt| format!("{folder}/attempts/{attempt}/{file}"));
    // Only the first attempt's log can be outside of such a folder.
    let plain = attempt.is_none_or(|attempt| attempt == 1).then(|| format!("{folder}/{file}"));
    Ok(LogPlace::S3 {
        bucket: bucket.to_string(),
        keys: of_attempt.into_iter().chain(plain).collect(),
    })
}

/// Says where to look for a log that is not in S3.
fn elsewhere(run: &JobRun) -> Error {
    let monitoring = run.configuration_overrides().and_then(|all| all.monitoring_configuration());
    let group = monitoring
        .and_then(|monitoring| monitoring.cloud_watch_logging_configuration())
        .filter(|logging| logging.enabled())
        .map(|logging| logging.log_group_name().unwrap_or("/aws/emr-serverless"));
    let text = match group {
        Some(group) => format!("the log is in CloudWatch, in the group {group}"),
        None => {
            "the run was submitted without an S3 log URI (--log-uri): see the Spark UI, with `aws \
                 emr-serverless get-dashboard-for-job-run`"
                .to_string()
        }
    };
    Error::new(ErrorKind::NotFound, text).with_context("run", &run.job_run_id)
}

/// The whole log.
///
/// # Errors
/// `NotFound` where nothing was printed yet, or the service has not delivered it.
pub(crate) async fn read(place: &LogPlace, s3: &Client, stream: Stream) -> Result<Vec<u8>> {
    let missing = || {
        let text = "there is no log yet: the run may not have begun, or the service not have delivered \
                    it (some minutes)";
        Error::new(ErrorKind::NotFound, text)
    };
    let (bucket, keys) = match place {
        LogPlace::Folder(folder) => {
            let path = folder.join(stream.name());
            return match std::fs::read(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing()),
                read => read.map_err(|error| Error::io(error, "read the log", path.display())),
            };
        }
        LogPlace::S3 { bucket, keys } => (bucket, keys),
    };
    for key in keys {
        let got = match s3.get_object().bucket(bucket).key(key).send().await {
            Ok(got) => got,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_key()) => continue,
            Err(error) => return Err(crate::warehouse::failed(&error, "give the log")),
        };
        let packed = got.body.collect().await.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "the log was not read to its end").with_source(error)
        })?;
        return unpacked(&packed.into_bytes()).map_err(|error| error.with_context("key", key));
    }
    Err(missing().with_context("bucket", bucket))
}

fn unpacked(packed: &[u8]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = MultiGzDecoder::new(packed).take(MOST_BYTES + 1).read_to_end(&mut text);
    read.map_err(|error| {
        Error::new(ErrorKind::Damaged, "the log is not the gzip file that it should be")
            .with_source(error)
    })?;
    match u64::try_from(text.len()).is_ok_and(|bytes| bytes <= MOST_BYTES) {
        true => Ok(text),
        false => Err(Error::new(
            ErrorKind::InvalidData,
            "the log is larger than 1 GiB; read it with `aws s3 cp`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use aws_sdk_emrserverless::types::JobRunState;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn run() -> JobRun {
        let at = aws_sdk_emrserverless::primitives::DateTime::from_secs(0);
        JobRun::builder()
            .application_id("00app")
            .job_run_id("00run")
            .arn("arn")
            .created_by("arn")
            .created_at(at)
            .updated_at(at)
            .execution_role("arn")
            .state(JobRunState::Success)
            .state_details("-")
            .release_label("emr")
            .build()
            .unwrap()
    }

    #[test]
    fn a_log_is_below_the_uri_that_the_run_was_given() {
        let of = |uri: &str, attempt| s3(uri, &run(), attempt, Stream::Stderr).unwrap();
        let plain = "logs/x/applications/00app/jobs/00run/SPARK_DRIVER/stderr.gz";
        let first = "logs/x/applications/00app/jobs/00run/attempts/1/SPARK_DRIVER/stderr.gz";
        let place = |keys: &[&str]| LogPlace::S3 {
            bucket: "b".into(),
            keys: keys.iter().map(|key| (*key).to_string()).collect(),
        };
        assert_eq!(of("s3://b/logs/x/", Some(1)), place(&[first, plain]));
        assert_eq!(of("s3://b/logs/x", None), place(&[plain]));
        let second = "applications/00app/jobs/00run/attempts/2/SPARK_DRIVER/stderr.gz";
        assert_eq!(of("s3://b", Some(2)), place(&[second]));
        assert!(s3("file:///etc", &run(), None, Stream::Stdout).is_err());
    }

    #[test]
    fn logs_of_several_parts_are_whole() {
        let mut packed = Vec::new();
        for part in ["one\n", "two\n"] {
            let mut gzip = GzEncoder::new(&mut packed, Compression::fast());
            gzip.write_all(part.as_bytes()).unwrap();
            gzip.finish().unwrap();
        }
        assert_eq!(unpacked(&packed).unwrap(), b"one\ntwo\n");
        assert_eq!(unpacked(&packed[..packed.len() - 9]).unwrap_err().kind(), ErrorKind::Damaged);
        assert_eq!(unpacked(b"plain").unwrap_err().kind(), ErrorKind::Damaged);
    }

    #[test]
    fn who_asks_is_told_where_the_log_is() {
        let error = elsewhere(&run());
        assert!(error.to_string().contains("--log-uri"), "{error}");
    }
}

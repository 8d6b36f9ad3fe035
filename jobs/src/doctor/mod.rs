//! Whether this machine and the buckets are set up as health data needs it.
//!
//! | file | looks at |
//! | --- | --- |
//! | `machine.rs` | folders, disk, the catalog |
//! | `bucket.rs` | a bucket's settings: encryption, versions, public access, lifecycle |
//! | `policy.rs` | what a bucket policy says of requests without TLS |
//! | `lock.rs` | Object Lock of the bucket for records |
//! | `objects.rs` | how each object is encrypted |
//! | `probe.rs` | whether an object can be written and comes back |
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html>.

pub(crate) mod bucket;
pub(crate) mod lock;
pub(crate) mod machine;
pub(crate) mod objects;
mod policy;
pub(crate) mod probe;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use northstar_iceberg::{Error, ErrorKind};

use crate::warehouse::failed;

/// How what was looked at is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// As it should be.
    Well,
    /// It works and could be safer.
    Warning,
    /// Nobody could tell: this role may not ask, or there was no answer.
    Unknown,
    /// Not safe, or does not work.
    Failing,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Failing => "failing",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at, such as `bucket lake`.
    pub(crate) subject: String,
    /// What of it.
    pub(crate) check: &'static str,
    pub(crate) state: State,
    pub(crate) found: String,
    /// What to do; empty if nothing.
    pub(crate) next: String,
}

/// The findings of one subject.
#[derive(Debug)]
pub(crate) struct Findings {
    subject: String,
    pub(crate) all: Vec<Finding>,
}

impl Findings {
    pub(crate) fn of(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), all: Vec::new() }
    }

    pub(crate) fn well(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, State::Well, found, "");
    }

    pub(crate) fn warning(
        &mut self,
        check: &'static str,
        found: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.add(check, State::Warning, found, next);
    }

    pub(crate) fn failing(
        &mut self,
        check: &'static str,
        found: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.add(check, State::Failing, found, next);
    }

    pub(crate) fn add(
        &mut self,
        check: &'static str,
        state: State,
        found: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.all.push(Finding {
            subject: self.subject.clone(),
            check,
            state,
            found: found.into(),
            next: next.into(),
        });
    }

    /// What could not be asked: unknown if this role may not, or if there was no answer.
    fn not_told(&mut self, check: &'static str, permission: &str, error: &Error) {
        let (state, next) = match error.kind() {
            ErrorKind::PermissionDenied => {
                (State::Unknown, format!("let the role that asks have {permission}"))
            }
            ErrorKind::Unavailable => (State::Unknown, "try again".to_string()),
            _ => (State::Failing, String::new()),
        };
        self.add(check, state, error.message(), next);
    }
}

/// A setting of a bucket: `None` where S3 says, by one of these codes, that it is not set.
fn setting<T, E: ProvideErrorMetadata>(
    answer: Result<T, SdkError<E>>,
    absent: &str,
) -> Result<Option<T>, Error> {
    match answer {
        Ok(setting) => Ok(Some(setting)),
        Err(error) if error.code() == Some(absent) => Ok(None),
        Err(error) => Err(failed(&error, "say")),
    }
}

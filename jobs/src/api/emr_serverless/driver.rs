//! What a job run does, by its driver: our launcher, a script, or a registered job.

use std::ffi::OsString;

use serde_json::{Map, Value};

use super::invalid;
use crate::api::fault::Fault;
use crate::runs::{Argument, Work};

/// The file that runs this program on EMR Serverless.
const LAUNCHER: &str = "launcher.py";

/// What the driver of a request does.
///
/// # Errors
/// `ValidationException` for a driver or an entry point that is not run here.
pub(super) fn work(input: &Map<String, Value>, server: &[OsString]) -> Result<Work, Fault> {
    let driver = input.get("jobDriver").and_then(|driver| driver.get("sparkSubmit"));
    let driver = driver
        .ok_or_else(|| invalid("jobDriver.sparkSubmit is missing; no other driver is run here"))?;
    let entry_point = driver.get("entryPoint").and_then(Value::as_str).unwrap_or_default();
    let arguments: Vec<String> = driver
        .get("entryPointArguments")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|argument| argument.as_str().map(str::to_string))
        .collect();
    if arguments.iter().any(|argument| argument.contains('\0')) {
        return Err(invalid("an entry point argument holds a zero byte"));
    }
    let work = match entry_point.rsplit('/').next() {
        Some(LAUNCHER) => Work::of_launcher(&arguments, server),
        _ => Work::of(entry_point, &named(&arguments)?, true),
    };
    work.map_err(|why| match why.0.contains("cannot be run here") {
        true => invalid(format!("{}, or the launcher, {LAUNCHER}", why.0)),
        false => invalid(why.0),
    })
}

/// `--name value`, `--name=value` and `--name` as arguments.
fn named(words: &[String]) -> Result<Vec<Argument>, Fault> {
    let mut arguments = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix("--").filter(|option| !option.is_empty()) else {
            return Err(invalid(
                "entryPointArguments of scripts and registered jobs are `--name`, `value`, …",
            ));
        };
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, value.to_string()),
            None => {
                let value = words.next_if(|next| !next.starts_with("--"));
                (option, value.cloned().unwrap_or_default())
            }
        };
        arguments.push(Argument { name: name.to_string(), value });
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(entry_point: &str, arguments: &[&str]) -> Result<Work, Fault> {
        let input = json!({"jobDriver": {"sparkSubmit":
            {"entryPoint": entry_point, "entryPointArguments": arguments}}});
        work(input.as_object().unwrap(), &[])
    }

    #[test]
    fn the_launcher_and_registered_jobs_are_commands() {
        let launched = of("s3://b/x/launcher.py", &["maintain", "expire", "a.b"]).unwrap();
        let words = ["maintain", "expire", "a.b"].map(String::from).to_vec();
        assert_eq!(launched, Work::Command { words });
        let registered =
            of("northstar:expire", &["--table", "a.b", "--dry-run", "--keep=2"]).unwrap();
        let words = ["maintain", "expire", "--dry-run", "--keep=2", "--", "a.b"];
        assert_eq!(registered, Work::Command { words: words.map(String::from).to_vec() });
    }

    #[test]
    fn what_is_not_run_here_is_refused_with_what_is() {
        let fault = of("s3://b/etl.py", &[]).unwrap_err();
        assert_eq!(fault.code, "ValidationException");
        assert!(fault.message.contains("launcher.py"), "{}", fault.message);
        of("northstar:expire", &["a.b"]).unwrap_err();
        let hive = json!({"jobDriver": {"hive": {"query": "SELECT 1"}}});
        assert!(work(hive.as_object().unwrap(), &[]).unwrap_err().message.contains("sparkSubmit"));
    }
}

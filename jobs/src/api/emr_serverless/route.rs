//! Which operation a method and a path are, and what a query says.

use axum::http::Method;
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::{invalid, missing};
use crate::api::fault::Fault;

/// Members of queries that are lists, numbers, times and booleans; all others are texts.
const LISTS: [&str; 2] = ["states", "tagKeys"];
const NUMBERS: [&str; 3] = ["maxResults", "attempt", "shutdownGracePeriodInSeconds"];
const TIMES: [&str; 2] = ["createdAtAfter", "createdAtBefore"];
const BOOLEANS: [&str; 1] = ["accessSystemProfileLogs"];

/// The operation, and the members of its input that stand in the path and the query.
///
/// # Errors
/// `ResourceNotFoundException` for a path that is none; `ValidationException` for a query that cannot
/// be read.
pub(super) fn route(
    method: &Method,
    path: &str,
    query: Option<&str>,
) -> Result<(&'static str, Map<String, Value>), Fault> {
    let mut input = members(query.unwrap_or_default())?;
    // With a slash at its end it would be that of a list.
    let path = path.strip_prefix('/').unwrap_or(path);
    if let Some(arn) = path.strip_prefix("tags/") {
        input.insert("resourceArn".into(), json!(decoded(arn)?));
        let operation = match method.as_str() {
            "GET" => "ListTagsForResource",
            "POST" => "TagResource",
            "DELETE" => "UntagResource",
            _ => return Err(unknown()),
        };
        return Ok((operation, input));
    }
    let segments: Vec<String> = path.split('/').map(decoded).collect::<Result<_, _>>()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (operation, application, run) = match (method.as_str(), segments.as_slice()) {
        ("POST", ["applications"]) => ("CreateApplication", None, None),
        ("GET", ["applications"]) => ("ListApplications", None, None),
        ("GET", ["applications", id]) => ("GetApplication", Some(id), None),
        ("PATCH", ["applications", id]) => ("UpdateApplication", Some(id), None),
        ("DELETE", ["applications", id]) => ("DeleteApplication", Some(id), None),
        ("POST", ["applications", id, "start"]) => ("StartApplication", Some(id), None),
        ("POST", ["applications", id, "stop"]) => ("StopApplication", Some(id), None),
        ("POST", ["applications", id, "jobruns"]) => ("StartJobRun", Some(id), None),
        ("GET", ["applications", id, "jobruns"]) => ("ListJobRuns", Some(id), None),
        ("GET", ["applications", id, "jobruns", run]) => ("GetJobRun", Some(id), Some(run)),
        ("DELETE", ["applications", id, "jobruns", run]) => ("CancelJobRun", Some(id), Some(run)),
        ("GET", ["applications", id, "jobruns", run, "attempts"]) => {
            ("ListJobRunAttempts", Some(id), Some(run))
        }
        ("GET", ["applications", id, "jobruns", run, "dashboard"]) => {
            ("GetDashboardForJobRun", Some(id), Some(run))
        }
        _ => return Err(unknown()),
    };
    for (member, value) in [("applicationId", application), ("jobRunId", run)] {
        if let Some(value) = value {
            input.insert(member.into(), json!(value));
        }
    }
    Ok((operation, input))
}

fn unknown() -> Fault {
    missing("there is nothing at this path for this method")
}

/// What a query says, by member.
fn members(query: &str) -> Result<Map<String, Value>, Fault> {
    let mut members = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(&value.replace('+', "%20"))?);
        if LISTS.contains(&name.as_str()) {
            let list = members.entry(name).or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(json!(value));
            }
            continue;
        }
        let value = typed(&name, value)?;
        members.insert(name, value);
    }
    Ok(members)
}

fn typed(name: &str, value: String) -> Result<Value, Fault> {
    let wrong = |what: &str| invalid(format!("{name} is no {what}"));
    if NUMBERS.contains(&name) {
        return value.parse::<i64>().map(Value::from).map_err(|_| wrong("number"));
    }
    if TIMES.contains(&name) {
        return seconds(&value).map(|seconds| json!(seconds)).ok_or_else(|| wrong("time"));
    }
    if BOOLEANS.contains(&name) {
        return value.parse::<bool>().map(Value::from).map_err(|_| wrong("boolean"));
    }
    Ok(json!(value))
}

/// Seconds since 1970-01-01 UTC, of a time in ISO 8601 or of a number.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of our time are exact in a double")]
fn seconds(text: &str) -> Option<f64> {
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp_millis() as f64 / 1000.0)
}

/// A text without percent signs.
fn decoded(text: &str) -> Result<String, Fault> {
    let wrong = || invalid("the address holds a percent sign that says nothing");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_operations() {
        for (method, path, operation) in [
            (Method::POST, "/applications", "CreateApplication"),
            (Method::GET, "/applications/00a", "GetApplication"),
            (Method::POST, "/applications/00a/stop", "StopApplication"),
            (Method::DELETE, "/applications/00a/jobruns/00b", "CancelJobRun"),
            (Method::GET, "/applications/00a/jobruns/00b/attempts", "ListJobRunAttempts"),
        ] {
            assert_eq!(route(&method, path, None).unwrap().0, operation, "{path}");
        }
        for (method, path) in [
            (Method::PUT, "/applications"),
            (Method::GET, "/"),
            (Method::GET, "/applications/a/b/c/d/e"),
            (Method::PATCH, "/tags/arn"),
        ] {
            assert_eq!(route(&method, path, None).unwrap_err().code, "ResourceNotFoundException");
        }
    }

    #[test]
    fn an_arn_is_one_segment_or_many() {
        let arn = "arn:aws:emr-serverless:eu-west-2:123456789012:/applications/00a";
        for path in [format!("/tags/{arn}"), format!("/tags/{}", arn.replace(['/'], "%2F"))] {
            let (operation, input) = route(&Method::GET, &path, None).unwrap();
            assert_eq!((operation, &input["resourceArn"]), ("ListTagsForResource", &json!(arn)));
        }
    }

    #[test]
    fn queries_have_types() {
        let query = "states=RUNNING&states=FAILED&maxResults=5&createdAtAfter=2024-05-01T00%3A00%3A00Z\
                     &createdAtBefore=1.5&accessSystemProfileLogs=true&nextToken=a%2Bb";
        let read = members(query).unwrap();
        let expected = json!({"states": ["RUNNING", "FAILED"], "maxResults": 5,
            "createdAtAfter": 1_714_521_600.0, "createdAtBefore": 1.5,
            "accessSystemProfileLogs": true, "nextToken": "a+b"});
        assert_eq!(Value::Object(read), expected);
        for bad in ["maxResults=many", "createdAtAfter=Monday", "a=%", "a=%zz", "a=%ff", "b=%c"] {
            assert_eq!(members(bad).unwrap_err().code, "ValidationException", "{bad}");
        }
    }
}

//! Requests to Glue: the action's name, its input, and who answers it.

use axum::http::{HeaderMap, StatusCode};
use northstar_catalog::glue::actions::ACTIONS;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::fault::{Fault, input};
use super::request_log::name;
use super::service::glue_action;
use super::{Api, glue_jobs};
use crate::runs::Tags;

/// What a request to Glue is about.
#[derive(Debug)]
pub(crate) struct GlueRequest {
    /// From the list of what is served.
    pub(crate) action: &'static str,
    pub(crate) input: Value,
}

impl GlueRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// `UnknownOperationException` for an action that is not served; `InvalidInputException` for a
    /// body that is no JSON.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Fault> {
        let asked = glue_action(headers);
        let mut served = ACTIONS.iter().chain(glue_jobs::ACTIONS);
        let Some(action) = served.find(|action| **action == asked) else {
            let text = format!("`{}` is not served here", name(asked));
            return Err(Fault::new("UnknownOperationException", StatusCode::NOT_FOUND, text));
        };
        let input = match body {
            [] => Value::Object(serde_json::Map::new()),
            body => serde_json::from_slice(body).map_err(|error| {
                let place = format!("line {} column {}", error.line(), error.column());
                let text = format!("the body is not JSON at {place}");
                Fault::refused("InvalidInputException", text)
            })?,
        };
        Ok(Self { action, input })
    }

    /// What it is about, for the log: a table, a database, a job.
    pub(crate) fn resource(&self) -> String {
        let text = |value: &Value| value.as_str().map(|text| name(text).to_string());
        let input = &self.input;
        let database = text(&input["DatabaseName"]);
        let within = [&input["TableInput"]["Name"], &input["DatabaseInput"]["Name"]];
        let direct =
            [&input["Name"], &input["TableName"], &input["JobName"], &input["ResourceArn"]];
        let table = direct.into_iter().chain(within).find_map(text);
        [database, table].into_iter().flatten().collect::<Vec<_>>().join(".")
    }

    /// Does it.
    ///
    /// # Errors
    /// Those of Glue's model.
    pub(crate) async fn answer(self, api: &Api, caller: &Caller) -> Result<Value, Fault> {
        if glue_jobs::ACTIONS.contains(&self.action) {
            return glue_jobs::call(&api.runs, self.action, self.input, &caller.actor).await;
        }
        let arn = self.input["ResourceArn"].as_str().unwrap_or_default();
        if let Some(job) = glue_jobs::job_of_arn(arn).map(str::to_string) {
            return self.answer_tags(api, &job).await;
        }
        let now_ms = api.lake.clock.now_ms();
        let done = api.glue.call(self.action, self.input, now_ms).await;
        done.map_err(|error| Fault::glue(&error))
    }

    /// What is asked of the tags of a job.
    async fn answer_tags(self, api: &Api, job: &str) -> Result<Value, Fault> {
        let request: TagRequest = input(self.input, "InvalidInputException")?;
        match self.action {
            "TagResource" => glue_jobs::tag(&api.runs, job, request.tags_to_add).await?,
            "UntagResource" => glue_jobs::untag(&api.runs, job, request.tags_to_remove).await?,
            _ => return Ok(json!({ "Tags": glue_jobs::tags(&api.runs, job).await? })),
        }
        Ok(json!({}))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TagRequest {
    tags_to_add: Tags,
    tags_to_remove: Vec<String>,
}

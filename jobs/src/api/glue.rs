//! Requests to Glue: the action's name, its input, and who answers it.

use axum::http::{HeaderMap, StatusCode};
use northstar_catalog::glue::actions::ACTIONS;
use serde_json::Value;

use super::Api;
use super::auth::Caller;
use super::fault::Fault;
use super::request_log::name;
use super::service::glue_action;

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
        let Some(action) = ACTIONS.iter().find(|action| **action == asked) else {
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
    pub(crate) async fn answer(self, api: &Api, _caller: &Caller) -> Result<Value, Fault> {
        let now_ms = api.lake.clock.now_ms();
        let done = api.glue.call(self.action, self.input, now_ms).await;
        done.map_err(|error| Fault::glue(&error))
    }
}

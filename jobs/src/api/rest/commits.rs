//! Commits: to one table, or to several in one step.

use northstar_iceberg::commit::requested::{Requested, RequestedChange};
use northstar_iceberg::{LakeTable, TableName};
use serde::Deserialize;

use super::Call;
use super::body::{self, Commit};
use super::reply::{About, Answer, Reply, bad_request};
use super::tables::{identified, loaded};
use crate::api::fault::Fault;

/// Commits to several tables.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Transaction {
    table_changes: Vec<Commit>,
}

impl Call<'_> {
    pub(super) async fn commit_table(&self, name: &TableName) -> Answer {
        let commit: Commit = body::read(self.body)?;
        if let Some(identifier) = &commit.identifier
            && identified(identifier.clone())? != *name
        {
            return Err(bad_request("the body names another table than the path"));
        }
        let (requirements, updates) = commit.parts()?;
        let change = RequestedChange { name: name.clone(), requirements, updates };
        match self.commit(vec![change]).await?.as_slice() {
            [table] => loaded(table, false).map(without_config),
            _ => Err(bad_request("a commit changes one table")),
        }
    }

    pub(super) async fn commit_transaction(&self) -> Answer {
        let Transaction { table_changes } = body::read(self.body)?;
        let mut changes = Vec::with_capacity(table_changes.len());
        for commit in table_changes {
            let Some(identifier) = commit.identifier.clone() else {
                return Err(bad_request("each change of a transaction names its table"));
            };
            let name = identified(identifier)?;
            let (requirements, updates) = commit.parts()?;
            changes.push(RequestedChange { name, requirements, updates });
        }
        self.commit(changes).await?;
        Ok(Reply::done())
    }

    async fn commit(&self, changes: Vec<RequestedChange>) -> Result<Vec<LakeTable>, Fault> {
        let about = About::Commit { creates: changes.iter().any(RequestedChange::creates) };
        let done = self.lake.commit_requested(&changes, self.access).await;
        match done.map_err(|error| about.fault(&error))? {
            Requested::Done(tables) => Ok(tables),
            Requested::Unknown(error) => Err(about.fault(&error)),
        }
    }
}

/// The answer to a commit has no configuration.
fn without_config(mut reply: Reply) -> Reply {
    if let Some(serde_json::Value::Object(members)) = &mut reply.body {
        members.remove("config");
    }
    reply
}

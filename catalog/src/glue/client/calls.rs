//! Calls to Glue: each is tried again where that is safe, and lists are read to their end.

use std::error::Error as StdError;
use std::future::Future;

use aws_sdk_glue::Client;
use aws_sdk_glue::config::http::HttpResponse;
use aws_sdk_glue::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_glue::types as sdk;

use super::convert::Entry;
use super::failure::{Call, Failure, Meaning};
use super::place::GluePlace;
use crate::waits::Waits;
use crate::{Error, ErrorKind, Result, TableName};

/// A client of one Data Catalog.
pub(super) struct Glue {
    pub(super) client: Client,
    pub(super) place: GluePlace,
    pub(super) waits: Waits,
}

impl Glue {
    /// The error of a call on `on`.
    pub(super) fn error(&self, action: &'static str, on: impl ToString, failure: Failure) -> Error {
        failure.into_error(Call { action, on: &on.to_string(), region: &self.place.region })
    }

    /// Asks until there is an answer: for calls that change nothing.
    async fn ask<T, E, F>(&self, attempt: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        self.repeat(attempt, |meaning| matches!(meaning, Meaning::Throttled | Meaning::Open)).await
    }

    /// Sends a change, again only if the service turned it away before it did anything.
    pub(super) async fn change<T, E, F>(&self, attempt: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        self.repeat(attempt, |meaning| meaning == Meaning::Throttled).await
    }

    async fn repeat<T, E, F>(
        &self,
        attempt: impl Fn() -> F,
        again: impl Fn(Meaning) -> bool,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let mut failures = 0;
        loop {
            // The client's futures are large.
            let failure = match Box::pin(attempt()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => Failure::of(error),
            };
            failures += 1;
            if failures >= self.waits.attempts() || !again(failure.meaning) {
                return Err(failure);
            }
            self.waits.wait(failures).await;
        }
    }

    /// What Glue has under a table's name, be it no table of Iceberg's.
    pub(super) async fn entry(&self, table: &TableName) -> Result<Option<Entry>> {
        let attempt = || {
            let call = self.client.get_table().set_catalog_id(self.place.catalog_id.clone());
            call.database_name(table.namespace()).name(table.table()).send()
        };
        match self.ask(attempt).await {
            Ok(answer) => match answer.table {
                Some(found) => Ok(Some(Entry::of(found))),
                None => Err(unreadable("glue:GetTable", "the table").with_context("table", table)),
            },
            Err(failure) if failure.meaning == Meaning::NotFound => Ok(None),
            Err(failure) => Err(self.error("GetTable", table, failure)),
        }
    }

    /// Whether a database is there.
    pub(super) async fn database_exists(&self, namespace: &str) -> Result<bool> {
        let attempt = || {
            let call = self.client.get_database().set_catalog_id(self.place.catalog_id.clone());
            call.name(namespace).send()
        };
        match self.ask(attempt).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.meaning == Meaning::NotFound => Ok(false),
            Err(failure) => Err(self.error("GetDatabase", namespace, failure)),
        }
    }

    /// The names of the databases, whatever they are, of the first `most_pages` pages.
    pub(super) async fn databases(&self, most_pages: usize) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let mut pages = Pages::new("glue:GetDatabases", most_pages);
        while pages.next() {
            let attempt = || {
                let call =
                    self.client.get_databases().set_catalog_id(self.place.catalog_id.clone());
                call.set_next_token(pages.token.clone()).send()
            };
            let page = self.ask(attempt).await.map_err(|f| self.error("GetDatabases", "", f))?;
            names.extend(page.database_list.into_iter().map(|database| database.name));
            pages.turn(page.next_token)?;
        }
        Ok(names)
    }

    /// What Glue has in a database, of the first `most_pages` pages; nothing if there is no such
    /// database.
    pub(super) async fn entries(
        &self,
        namespace: &str,
        most_pages: usize,
    ) -> Result<Option<Vec<Entry>>> {
        let mut entries = Vec::new();
        let mut pages = Pages::new("glue:GetTables", most_pages);
        while pages.next() {
            let attempt = || {
                let call = self.client.get_tables().set_catalog_id(self.place.catalog_id.clone());
                call.database_name(namespace).set_next_token(pages.token.clone()).send()
            };
            let page = match self.ask(attempt).await {
                Ok(page) => page,
                Err(failure) if failure.meaning == Meaning::NotFound => return Ok(None),
                Err(failure) => return Err(self.error("GetTables", namespace, failure)),
            };
            entries.extend(page.table_list.unwrap_or_default().into_iter().map(Entry::of));
            pages.turn(page.next_token)?;
        }
        // AWS says so if there is no such database; services that stand for it may not.
        if entries.is_empty() && !self.database_exists(namespace).await? {
            return Ok(None);
        }
        Ok(Some(entries))
    }

    /// Sends CreateTable.
    pub(super) async fn create(
        &self,
        table: &TableName,
        input: &sdk::TableInput,
    ) -> Result<(), Failure> {
        let attempt = || {
            let call = self.client.create_table().set_catalog_id(self.place.catalog_id.clone());
            call.database_name(table.namespace()).table_input(input.clone()).send()
        };
        self.change(attempt).await.map(|_| ())
    }

    /// Sends DeleteTable.
    pub(super) async fn delete(&self, table: &TableName) -> Result<(), Failure> {
        let attempt = || {
            let call = self.client.delete_table().set_catalog_id(self.place.catalog_id.clone());
            call.database_name(table.namespace()).name(table.table()).send()
        };
        self.change(attempt).await.map(|_| ())
    }
}

/// The pages of a list.
struct Pages {
    action: &'static str,
    left: usize,
    begun: bool,
    token: Option<String>,
}

impl Pages {
    fn new(action: &'static str, most: usize) -> Self {
        Self { action, left: most, begun: false, token: None }
    }

    /// Whether there is a page to ask for.
    fn next(&self) -> bool {
        self.left > 0 && (!self.begun || self.token.is_some())
    }

    /// Goes on to the page that `token` stands for. An empty one ends a list, as no token does.
    fn turn(&mut self, token: Option<String>) -> Result<()> {
        let token = token.filter(|token| !token.is_empty());
        if token.is_some() && token == self.token {
            return Err(unreadable(self.action, "a page of the list that is not the same again"));
        }
        self.begun = true;
        self.left -= 1;
        self.token = token;
        Ok(())
    }
}

fn unreadable(action: &str, lacks: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("{action}: the answer lacks {lacks}; is the endpoint a Glue?"),
    )
}

/// The error for a request that lacks a field, which none of ours does.
pub(super) fn unbuilt(error: BuildError) -> Error {
    Error::new(ErrorKind::Internal, "a request to Glue lacks a field").with_source(error)
}

//! The tools that are compared: how each is started, and who reads its table afterwards.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    arguments::Peer,
    child::{Python, Server},
    error::Result,
    lab::Extract,
};

/// Threads that every peer may use.
const THREADS: &str = "2";

/// Something that loads the extract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// The binary under test.
    Northstar,
    /// An engine to compare with.
    Peer(Peer),
}

impl Tool {
    /// Its name in tables and records.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Northstar => "northstar",
            Self::Peer(Peer::Pyiceberg) => "pyiceberg",
            Self::Peer(Peer::PyicebergWhole) => "pyiceberg-whole",
            Self::Peer(Peer::Duckdb) => "duckdb",
            Self::Peer(Peer::Polars) => "polars",
            Self::Peer(Peer::Delta) => "delta-rs",
        }
    }

    /// The engine that reads the loaded table: never the one that wrote it,
    /// but for a Delta table.
    pub(crate) fn reader(self) -> &'static str {
        match self {
            Self::Northstar | Self::Peer(Peer::Pyiceberg | Peer::PyicebergWhole | Peer::Polars) => {
                "duckdb"
            }
            Self::Peer(Peer::Duckdb) => "pyiceberg",
            Self::Peer(Peer::Delta) => "deltalake",
        }
    }

    /// The option under which the reader is told the folder of the table.
    pub(crate) fn place_option(self) -> &'static str {
        match self {
            Self::Peer(Peer::Delta) => "--delta",
            _ => "--warehouse",
        }
    }

    /// Starts what the tool needs beside it: the catalog server that DuckDB writes through.
    ///
    /// # Errors
    /// A server that does not start.
    pub(crate) fn server(self, python: &Python<'_>, warehouse: &Path) -> Result<Option<Server>> {
        if self != Self::Peer(Peer::Duckdb) {
            return Ok(None);
        }
        let mut words = python.script("rest_front.py");
        words.extend(["--warehouse".into(), warehouse.into()]);
        Server::start(&words, &warehouse.with_extension("server.log")).map(Some)
    }

    /// The words that load `extract` into `warehouse`.
    pub(crate) fn command(
        self,
        python: &Python<'_>,
        northstar: &Path,
        extract: &Extract,
        warehouse: &Path,
        server: Option<&Server>,
    ) -> Vec<OsString> {
        let peer = |script: &str, rest: &[&str]| {
            let mut words = python.script(script);
            words.extend(["--from".into(), extract.folder.clone().into()]);
            words.extend(["--threads", THREADS].map(OsString::from));
            words.extend(rest.iter().map(OsString::from));
            words
        };
        let place = || [OsString::from("--warehouse"), warehouse.into()];
        match self {
            Self::Northstar => {
                let mut words: Vec<OsString> = vec![PathBuf::from(northstar).into()];
                words.extend(place());
                words.extend(["load", "csv", "--into", "bronze", "--from"].map(OsString::from));
                words.push(extract.folder.clone().into());
                words.extend(["--contract".into(), extract.contract.clone().into()]);
                words
            }
            Self::Peer(Peer::Pyiceberg | Peer::PyicebergWhole) => {
                let whole = self == Self::Peer(Peer::PyicebergWhole);
                let batch = if whole { "all" } else { "file" };
                let mut words = peer("pyiceberg_load.py", &["--batch", batch]);
                words.extend(place());
                words
            }
            Self::Peer(Peer::Polars) => {
                let mut words = peer("polars_load.py", &[]);
                words.extend(place());
                words
            }
            Self::Peer(Peer::Delta) => {
                let mut words = peer("delta_load.py", &["--table"]);
                words.push(warehouse.into());
                words
            }
            Self::Peer(Peer::Duckdb) => {
                let address = server.map_or("", |server| server.address.as_str());
                peer("duckdb_load.py", &["--catalog", address])
            }
        }
    }
}

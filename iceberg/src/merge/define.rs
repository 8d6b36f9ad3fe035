//! Runs `CREATE`, `DROP` and `ALTER`.

use super::create_as::create_as;
use super::run::table_name;
use super::session::{Executed, LakeSession};
use super::target::parts;
use crate::sql::{AlterTable, CreateTable, Definition, Parsed};
use crate::table::evolve::check_definition;
use crate::table::{LakeTable, TableDefinition};
use crate::{Error, ErrorKind, Result, TableName};

/// What a statement that defines did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defined {
    /// `CREATE TABLE`, `ALTER TABLE`, ….
    pub statement: &'static str,
    /// The table or namespace.
    pub name: String,
    /// Whether anything changed; `false` if it was so already.
    pub changed: bool,
}

impl LakeSession {
    /// Runs one definition; `query` is what a new table is filled with.
    pub(super) async fn define(
        &self,
        definition: Definition,
        query: Option<Parsed>,
    ) -> Result<Executed> {
        let catalog = &self.lake.catalog;
        let (statement, name, changed) = match definition {
            Definition::CreateNamespace { name, if_not_exists } => {
                let changed = catalog.create_namespace(&name).await?;
                if !changed && !if_not_exists {
                    return Err(Error::new(
                        ErrorKind::AlreadyExists,
                        format!("there is a namespace `{name}` already"),
                    ));
                }
                ("CREATE SCHEMA", name, changed)
            }
            Definition::DropNamespace { name, if_exists } => {
                let changed = unless_missing(catalog.drop_namespace(&name).await, if_exists)?;
                ("DROP SCHEMA", name, changed)
            }
            Definition::DropTable { name, if_exists } => {
                let name = table_name(self, &name)?;
                let dropped = self.lake.drop_table(&name, &self.access).await;
                ("DROP TABLE", name.to_string(), unless_missing(dropped, if_exists)?)
            }
            Definition::CreateTable(create) => return self.create(*create, query).await,
            Definition::AlterTable(AlterTable::Rename { name, to }) => {
                let name = table_name(self, &name)?;
                let to = match parts(&to).as_slice() {
                    // A name of one part stays in the table's namespace.
                    [table] => TableName::new(name.namespace(), table)?,
                    _ => table_name(self, &to)?,
                };
                self.lake.rename_table(&name, &to, &self.access).await?;
                ("ALTER TABLE", name.to_string(), true)
            }
            Definition::AlterTable(AlterTable::Change { name, change }) => {
                let name = table_name(self, &name)?;
                let table = self.lake.open_table(&name, &self.access).await?;
                let changed = self.lake.evolve(&table, &change).await?.settled()?;
                ("ALTER TABLE", name.to_string(), changed)
            }
        };
        Ok(Executed::Defined(Defined { statement, name, changed }))
    }

    async fn create(&self, create: CreateTable, query: Option<Parsed>) -> Result<Executed> {
        let CreateTable { name, if_not_exists, columns, partition, properties, .. } = create;
        let name = table_name(self, &name)?;
        let defined = |changed| {
            let (statement, name) = ("CREATE TABLE", name.to_string());
            Executed::Defined(Defined { statement, name, changed })
        };
        let sort = Vec::new();
        let mut definition = TableDefinition { columns, partition, sort, properties };
        match self.lake.catalog.pointer(&name).await {
            Ok(_) if if_not_exists => return Ok(defined(false)),
            Ok(_) => return Err(taken(&name)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let created = match query {
            Some(query) => create_as(self, &name, &mut definition, query).await.map(Some),
            None => {
                check_definition(&definition)?;
                let made = self.lake.create_table(&name, &definition, &self.access).await;
                made.map(|_: LakeTable| None)
            }
        };
        match created {
            Ok(Some(report)) => Ok(Executed::Changed(report)),
            Ok(None) => Ok(defined(true)),
            Err(error) if if_not_exists && error.kind() == ErrorKind::AlreadyExists => {
                Ok(defined(false))
            }
            Err(error) => Err(error),
        }
    }
}

fn taken(name: &TableName) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("there is a table {name} already; drop it first, or write IF NOT EXISTS"),
    )
}

/// Whether something was dropped.
fn unless_missing(dropped: Result<()>, if_exists: bool) -> Result<bool> {
    match dropped {
        Ok(()) => Ok(true),
        Err(error) if if_exists && error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

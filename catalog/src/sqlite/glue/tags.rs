//! Tags: texts by name on whatever has an ARN.

use std::collections::BTreeMap;

use rusqlite::params;

use crate::Result;
use crate::sqlite::SqliteCatalog;
use crate::sqlite::schema::CATALOG_NAME;

impl SqliteCatalog {
    /// The tags of a resource; none for one that was never tagged.
    ///
    /// # Errors
    /// `Unavailable` (retry) if the file is locked.
    pub async fn glue_tags(&self, arn: &str) -> Result<BTreeMap<String, String>> {
        let arn = arn.to_string();
        self.call(move |live| {
            let sql = "SELECT key, value FROM northstar_glue_tags
                 WHERE catalog_name = ?1 AND arn = ?2";
            let tags = live.read("read tags", sql, params![CATALOG_NAME, arn], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            Ok(tags.into_iter().collect())
        })
        .await
    }

    /// Removes tags of a resource, then sets others.
    ///
    /// # Errors
    /// `Unavailable` (retry) if the file is locked; `CommitUnknown` if it may have taken effect.
    pub async fn set_glue_tags(
        &self,
        arn: &str,
        removed: &[String],
        set: &BTreeMap<String, String>,
    ) -> Result<()> {
        let (arn, removed, set) = (arn.to_string(), removed.to_vec(), set.clone());
        self.call(move |live| {
            live.transaction("set tags", |live| {
                for key in &removed {
                    live.execute(
                        "DELETE FROM northstar_glue_tags
                         WHERE catalog_name = ?1 AND arn = ?2 AND key = ?3",
                        params![CATALOG_NAME, arn, key],
                    )?;
                }
                for (key, value) in &set {
                    live.execute(
                        "INSERT OR REPLACE INTO northstar_glue_tags VALUES (?1, ?2, ?3, ?4)",
                        params![CATALOG_NAME, arn, key, value],
                    )?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Removes all tags of a resource that is gone.
    ///
    /// # Errors
    /// As [`SqliteCatalog::set_glue_tags`].
    pub async fn forget_glue_tags(&self, arn: &str) -> Result<()> {
        let arn = arn.to_string();
        self.call(move |live| {
            let sql = "DELETE FROM northstar_glue_tags WHERE catalog_name = ?1 AND arn = ?2";
            live.write("remove tags", sql, params![CATALOG_NAME, arn]).map(drop)
        })
        .await
    }
}

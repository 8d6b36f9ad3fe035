//! Changes of branches and tags as actions.

use northstar_iceberg::refs::{RefKind, Rollback};
use northstar_iceberg::{Error, ErrorKind, Lake, LakeTable, Result};
use northstar_tests::lab::{run_context, tester};

use super::bed::{bed, new_ref};
use super::list::Running;
use super::model::Model;

async fn opened(lake: &Lake) -> Result<LakeTable> {
    lake.open_table(&bed(), &tester()).await
}

/// The snapshot of a sequence number, which a reader of a stale pointer may not see.
fn snapshot(table: &LakeTable, number: i64) -> Result<i64> {
    let mut all = table.metadata().snapshots();
    let found = all.find(|snapshot| snapshot.sequence_number() == number);
    let none = || Error::new(ErrorKind::NotFound, "there is no such snapshot");
    found.map(|snapshot| snapshot.snapshot_id()).ok_or_else(none)
}

pub(super) fn tagging(lake: Lake) -> Running {
    Box::pin(async move {
        let table = opened(&lake).await?;
        let new = new_ref(RefKind::Tag, "year", snapshot(&table, 3)?);
        lake.create_ref(&table, &new, false).await?.settled()
    })
}

pub(super) fn tagged(model: &mut Model) {
    model.refs.insert("year".into(), ("tag", 3));
}

pub(super) fn dropping(lake: Lake) -> Running {
    Box::pin(async move {
        let table = opened(&lake).await?;
        match lake.drop_ref(&table, RefKind::Tag, "close").await {
            // It was dropped before.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            dropped => dropped?.settled(),
        }
    })
}

pub(super) fn dropped(model: &mut Model) {
    model.refs.remove("close");
}

pub(super) fn branching(lake: Lake) -> Running {
    Box::pin(async move {
        let table = opened(&lake).await?;
        let new = new_ref(RefKind::Branch, "trial", snapshot(&table, 5)?);
        lake.create_ref(&table, &new, false).await?.settled()
    })
}

pub(super) fn branched(model: &mut Model) {
    model.refs.insert("trial".into(), ("branch", 5));
}

pub(super) fn rolling_back(lake: Lake) -> Running {
    Box::pin(async move {
        let table = opened(&lake).await?;
        let plan = Rollback::plan(&table, "main", snapshot(&table, 2)?)?;
        lake.roll_back(&table, &plan, false).await?.settled()
    })
}

/// Rows and watermark go back at once (W3).
pub(super) fn rolled_back(model: &mut Model) {
    model.refs.insert("main".into(), ("branch", 2));
    model.watermark = Some("2".into());
}

pub(super) fn forwarding(lake: Lake) -> Running {
    Box::pin(async move {
        let table = opened(&lake).await?;
        lake.fast_forward(&table, "audit", None).await?.settled()
    })
}

pub(super) fn forwarded(model: &mut Model) {
    model.refs.insert("main".into(), ("branch", 6));
    model.watermark = Some("6".into());
}

pub(super) fn picking(lake: Lake) -> Running {
    Box::pin(async move {
        let table = opened(&lake).await?;
        let source = snapshot(&table, 6)?;
        let picked = lake.cherry_pick(&table, source, run_context()).await?.settled()?;
        Ok(picked.is_some_and(|(_, is_new)| is_new))
    })
}

pub(super) fn picked(model: &mut Model) {
    let rows = model.rows_of(6);
    model.commit(&rows);
    model.watermark = Some("6".into());
}

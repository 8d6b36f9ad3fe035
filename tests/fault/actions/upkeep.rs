//! Maintenance as actions.

use northstar_iceberg::Lake;
use northstar_iceberg::maintenance::{
    CompactOptions, DAY_MS, ExpireOptions, OrphanPlan, compact, expire, rewrite_manifests,
};
use northstar_tests::lab::{run_context, tester};

use super::bed::bed;
use super::list::Running;
use super::model::Model;
use crate::merging::session;

pub(super) fn compacting(lake: Lake) -> Running {
    Box::pin(async move {
        let report = compact(&session(&lake), &bed(), &CompactOptions::default()).await?;
        Ok(!report.snapshots.is_empty())
    })
}

pub(super) fn compacted(model: &mut Model) {
    let rows = model.rows();
    model.commit(&rows);
}

pub(super) fn regrouping(lake: Lake) -> Running {
    Box::pin(async move {
        let report = rewrite_manifests(&lake, &tester(), &run_context(), &bed()).await?;
        Ok(!report.snapshots.is_empty())
    })
}

pub(super) fn regrouped(model: &mut Model) {
    let rows = model.rows();
    model.commit(&rows);
}

pub(super) fn expiring(lake: Lake) -> Running {
    Box::pin(async move {
        let options = ExpireOptions { max_age_ms: Some(1), min_kept: Some(1) };
        let report = expire(&lake, &tester(), &bed(), &options).await?;
        Ok(!report.plan.is_empty() || report.removed.files > 0)
    })
}

/// What the tag and the branches name stays.
pub(super) fn expired(model: &mut Model) {
    for gone in [2, 3, 4] {
        model.snapshots.remove(&gone);
    }
}

pub(super) fn tidying(lake: Lake) -> Running {
    Box::pin(async move {
        let plan = OrphanPlan::read(&lake, &tester(), &bed(), DAY_MS).await?;
        Ok(plan.apply(&lake).await?.files > 0)
    })
}

pub(super) fn tidied(_: &mut Model) {}

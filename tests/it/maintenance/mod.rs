//! Maintenance: tables become smaller and quicker, and every answer stays.

mod compacting;
mod concurrent;
mod expiring;
mod holding;
mod lives;
mod manifests;
mod orphans;
mod place;

#[path = "../merge_model/random.rs"]
#[expect(dead_code, reason = "the model of MERGE uses more of it")]
mod random;

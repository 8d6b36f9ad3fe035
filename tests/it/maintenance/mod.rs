//! Maintenance: tables become smaller and quicker, and every answer stays.

mod compacting;
mod concurrent;
mod expiring;
mod holding;
mod lives;
mod manifests;
mod orphans;
mod place;

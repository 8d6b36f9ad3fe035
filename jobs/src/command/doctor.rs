//! `northstar doctor`: is it safe, does it work, and what is there to do.

use aws_sdk_s3::Client;
use northstar_iceberg::Result;
use northstar_iceberg::ids::{Ids, RandomIds};

use crate::cli::{Doctor, Global, Storage};
use crate::doctor::bucket::Use;
use crate::doctor::objects::{self, Looked};
use crate::doctor::{Finding, Findings, State, bucket, lock, machine, probe};
use crate::exit::Done;
use crate::printer::Printer;
use crate::progress::Counting;
use crate::warehouse::{Place, Warehouse};

pub(crate) async fn run(global: &Global, asked: &Doctor, printer: &Printer) -> Result<Done> {
    let place = Place::of(global)?;
    let mut all = machine::folder(&place.scratch(global)).all;
    all.extend(catalog(&place, global).await.all);
    let client = Warehouse::s3(&place, global).await?;
    match (&client, place.bucket()) {
        (Some(client), Some(within)) => {
            all.extend(warehouse(client, within, global, asked).await.all);
        }
        _ if asked.write || asked.objects => {
            let mut findings = Findings::of("warehouse");
            findings.warning(
                "bucket",
                "it is in a folder",
                "--write and --objects are for buckets",
            );
            all.extend(findings.all);
        }
        _ => {}
    }
    if place.bucket().is_some() || global.storage.audit.is_some() {
        all.extend(records(client.as_ref(), &global.storage).await.all);
    }
    told(&all, printer)?;
    let is_failing = all.iter().any(|finding| finding.state == State::Failing);
    Ok(if is_failing { Done::NeedsAttention } else { Done::Well })
}

async fn catalog(place: &Place, global: &Global) -> Findings {
    match place.catalog(global) {
        Ok(url) => machine::catalog(&url).await,
        Err(error) => {
            let mut findings = Findings::of("catalog");
            let next = "a first load makes the warehouse and its catalog";
            findings.failing("opened", error.message(), next);
            findings
        }
    }
}

async fn warehouse(
    client: &Client,
    (name, prefix): (&str, String),
    global: &Global,
    asked: &Doctor,
) -> Findings {
    let kms_key = global.storage.kms_key.as_deref();
    let (mut findings, is_there) = bucket::look(client, name, Use::Tables, kms_key).await;
    if kms_key.is_none() {
        let next = "name one with --kms-key";
        findings.warning("key", "none is named: the bucket decides (--allow-unencrypted)", next);
    }
    if !is_there {
        return findings;
    }
    if asked.write {
        let id = RandomIds.uuid();
        probe::look(client, (name, &prefix), kms_key, id, &mut findings).await;
    }
    if asked.objects {
        let counting = Counting::new("objects");
        let looked =
            Looked { client, bucket: name, prefix: &prefix, kms_key, encrypt: asked.encrypt };
        objects::look(looked, &counting, &mut findings).await;
        counting.finish();
    }
    findings
}

async fn records(client: Option<&Client>, storage: &Storage) -> Findings {
    let (Some(client), Some(audit)) = (client, &storage.audit) else {
        let mut findings = Findings::of("records of accesses");
        let next = "name a bucket with Object Lock: --audit s3://BUCKET/PREFIX";
        findings.warning("kept", "on this machine alone, where they can be changed", next);
        return findings;
    };
    let key = storage.kms_key.as_deref();
    let (mut findings, is_there) = bucket::look(client, &audit.bucket, Use::Records, key).await;
    if is_there {
        lock::look(client, &audit.bucket, storage.audit_days, &mut findings).await;
    }
    findings
}

fn told(all: &[Finding], printer: &Printer) -> Result<()> {
    if !printer.is_for_people() {
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|of| {
                let texts = [&of.subject, of.check, of.state.name(), &of.found, &of.next];
                texts.map(str::to_string).to_vec()
            })
            .collect();
        return printer.table(&["subject", "check", "state", "found", "next"], &rows);
    }
    let mut subjects: Vec<&str> = all.iter().map(|finding| finding.subject.as_str()).collect();
    subjects.dedup();
    for subject in subjects {
        printer.say(subject);
        for finding in all.iter().filter(|finding| finding.subject == subject) {
            let mark = finding.state.name();
            printer.wrapped(2, &format!("{mark:<8} {}: {}", finding.check, finding.found));
            if !finding.next.is_empty() {
                printer.wrapped(11, &format!("→ {}", finding.next));
            }
        }
    }
    let count = |state| all.iter().filter(|finding| finding.state == state).count();
    printer.say(format!(
        "{} ok, {} warnings, {} unknown, {} failing",
        count(State::Well),
        count(State::Warning),
        count(State::Unknown),
        count(State::Failing)
    ));
    Ok(())
}

//! Disks that are full, read-only or gone: a clear error, an unchanged table, and a rerun that
//! completes.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use northstar_catalog::ErrorKind;
use northstar_iceberg::observer::Silent;
use northstar_tests::csv_files::{folder, visits};

use super::child::text;
use super::contents::Contents;
use super::files::{below, orphans};
use super::observers::At;
use super::place::{Place, first_extract, load};

/// Where a child finds the folder that it works in.
const FOLDER: &str = "NORTHSTAR_FAULT_FOLDER";

/// The folder of a child that runs this test; none in a run of all tests.
pub(crate) fn child_folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Runs a test of this binary as `before` says (a program and arguments that end in a command).
fn child(before: &[&str], test: &str, folder: &Path) -> Output {
    let program = std::env::current_exe().expect("this program");
    let all: Vec<&std::ffi::OsStr> = before.iter().map(std::ffi::OsStr::new).collect();
    let all = [all, vec![program.as_os_str()]].concat();
    let mut command = Command::new(all[0]);
    command.args(&all[1..]).args(["--exact", test, "--nocapture"]).env(FOLDER, folder);
    command.output().expect("a child")
}

/// Whether a program runs, for what not every machine allows.
fn works(command: &[&str]) -> bool {
    Command::new(command[0])
        .args(&command[1..])
        .output()
        .is_ok_and(|output| output.status.success())
}

fn skipped(what: &str) {
    println!("\n*** NOT TESTED: {what}; this machine does not allow it ***\n");
}

/// Two batches of `visit` in a new folder: the first one is loaded.
async fn second_batch(parent: &Path) -> (Place, PathBuf) {
    let place = Place::new(parent);
    let one = folder(parent, "one", &[("visit.csv", visits(0, 100).as_bytes())]);
    load(&place.lake(1).await, &one).await.unwrap();
    let rejects = format!("{}a,b\n", visits(100, 500));
    (place, folder(parent, "two", &[("visit.csv", rejects.as_bytes())]))
}

/// A load of the second batch fails with one of these kinds and names a file of the warehouse.
async fn fails(place: &Place, from: &Path, kinds: &[ErrorKind]) {
    let loaded = match place.try_lake(2, Arc::new(Silent)).await {
        Ok(lake) => load(&lake, from).await,
        Err(error) => Err(error),
    };
    let error = loaded.expect_err("a load that cannot succeed");
    assert!(kinds.contains(&error.kind()), "{error:?}");
    assert!(error.to_string().contains(place.path().to_str().unwrap()), "{error}");
}

async fn completes(place: &Place, from: &Path) {
    let lake = place.lake(5).await;
    assert!(load(&lake, from).await.unwrap().balances());
    let contents = Contents::read(&lake).await;
    assert_eq!(contents.batches["visit"], (2, 2));
    assert_eq!(contents.rows["visit"].lines().count(), 600 + 4);
    assert_eq!(contents.rows["quarantine/visit"].lines().count(), 1 + 4);
}

const NAMESPACE: [&str; 3] = ["unshare", "--map-root-user", "--mount"];

/// A file system of its own, of 4 MiB, in a mount namespace that ends with the child.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_full_disk_changes_nothing_wherever_it_strikes() {
    if let Some(folder) = child_folder() {
        return full_disk(&folder).await;
    }
    on_a_small_disk("storage::w4_a_full_disk_changes_nothing_wherever_it_strikes");
}

/// Runs a test of this binary in a folder on a disk of 4 MiB, if the machine allows that.
pub(crate) fn on_a_small_disk(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=4m tmpfs \"$0\" && exec \"$@\"";
    let path = folder.path().to_str().unwrap();
    let before = [&NAMESPACE[..], &["sh", "-c", script, path]].concat();
    if !works(&[&before[..], &["true"]].concat()) {
        return skipped("a full disk and a read-only one (needs user and mount namespaces)");
    }
    let output = child(&before, test, folder.path());
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(below(folder.path()), Vec::<PathBuf>::new(), "the child wrote outside of its disk");
}

async fn full_disk(folder: &Path) {
    let (place, from) = second_batch(folder).await;
    let before = Contents::read(&place.lake(2).await).await;
    let filler = folder.join("filler");
    fill(&filler, 0);
    fails(&place, &from, &[ErrorKind::StorageFull]).await;
    std::fs::remove_file(&filler).unwrap();
    let mut stages = BTreeSet::new();
    for (run, free_kib) in (10..).zip((0_u64..).step_by(8)) {
        // The catalog's own files are there already, so that what comes after it is full too.
        let lake = place.lake(run).await;
        fill(&filler, free_kib << 10);
        let loaded = load(&lake, &from).await;
        std::fs::remove_file(&filler).unwrap();
        let Err(error) = loaded else { break };
        stages.insert(error.message().to_string());
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{free_kib} KiB free: {error:?}");
        let named = error.to_string().contains(place.path().to_str().unwrap());
        assert!(named, "{free_kib} KiB free: no file is named: {error}");
        let mut now = Contents::read(&lake).await;
        // The rejects go first; the rerun does not repeat them.
        now.rows.remove("quarantine/visit");
        assert_eq!(now.rows, before.rows, "{free_kib} KiB free");
        assert_eq!(now.batches, before.batches, "{free_kib} KiB free");
        assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new(), "{free_kib} KiB free");
    }
    assert!(stages.len() > 3, "the disk was full at too few stages: {stages:?}");
    println!("the disk was full at: {stages:?}");
    completes(&place, &from).await;
    read_only_disk(folder, &place).await;
}

/// Leaves `free` bytes of the file system.
pub(crate) fn fill(path: &Path, free: u64) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    let mut bytes = 0;
    while file.write_all(&[1; 4_096]).is_ok() {
        bytes += 4_096;
    }
    file.set_len(u64::saturating_sub(bytes, free)).unwrap();
}

async fn read_only_disk(folder: &Path, place: &Place) {
    let path = folder.to_str().unwrap();
    let more = first_extract(folder);
    let before = Contents::read(&place.lake(6).await).await;
    assert!(works(&["mount", "-o", "remount,ro", path]));
    fails(place, &more, &[ErrorKind::PermissionDenied]).await;
    assert!(works(&["mount", "-o", "remount,rw", path]));
    let lake = place.lake(7).await;
    assert_eq!(Contents::read(&lake).await, before);
    load(&lake, &more).await.unwrap();
}

/// No file may grow beyond 4 KiB: the write fails though the disk has room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_write_that_fails_changes_nothing() {
    if let Some(folder) = child_folder() {
        let place = Place::new(&folder);
        let storage = [ErrorKind::Storage, ErrorKind::StorageFull];
        return fails(&place, &folder.join("two"), &storage).await;
    }
    let parent = tempfile::tempdir().unwrap();
    let (place, from) = second_batch(parent.path()).await;
    let lake = place.lake(2).await;
    let before = Contents::read(&lake).await;
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
    let test = "storage::w4_a_write_that_fails_changes_nothing";
    let output = child(&["sh", "-c", script, "sh"], test, parent.path());
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(Contents::read(&lake).await.batches, before.batches);
    assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
    completes(&place, &from).await;
}

/// Rights do not stop root, so root tests this as another user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w4_a_warehouse_that_may_not_be_written_to_says_so() {
    if let Some(folder) = child_folder() {
        let place = Place::new(&folder);
        let denied = [ErrorKind::PermissionDenied];
        return fails(&place, &folder.join("two"), &denied).await;
    }
    let parent = tempfile::tempdir().unwrap();
    let (place, from) = second_batch(parent.path()).await;
    let before = Contents::read(&place.lake(2).await).await;
    let other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let other: &[&str] = if rustix::process::geteuid().is_root() { &other } else { &["env"] };
    let program = std::env::current_exe().unwrap();
    let readable = [other, &["test", "-x", program.to_str().unwrap()]].concat();
    if !works(&readable) {
        return skipped("a warehouse without write permission (needs setpriv, or a user but root)");
    }
    writable(parent.path(), false);
    let test = "storage::w4_a_warehouse_that_may_not_be_written_to_says_so";
    let output = child(other, test, parent.path());
    writable(parent.path(), true);
    assert!(output.status.success(), "{}", text(&output));
    let lake = place.lake(3).await;
    assert_eq!(Contents::read(&lake).await, before);
    assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
    completes(&place, &from).await;
}

/// Lets everyone read all that is below, and nobody or the owner write.
fn writable(folder: &Path, yes: bool) {
    let mode = |kind: u32| Permissions::from_mode(if yes { kind | 0o200 } else { kind });
    for file in below(folder) {
        std::fs::set_permissions(&file, mode(0o444)).unwrap();
    }
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        std::fs::set_permissions(&folder, mode(0o555)).unwrap();
        let inner = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        folders.extend(inner.filter(|path| path.is_dir()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warehouse_that_vanishes_in_the_middle_of_a_load_is_an_error() {
    for (kind, nth, whole) in [
        ("FileOpened", 1, true),
        ("Spilled", 1, true),
        ("DataFileWritten", 2, true),
        ("ManifestsWritten", 2, true),
        ("MetadataWritten", 1, true),
        ("DataFileWritten", 2, false),
        ("ManifestsWritten", 1, false),
    ] {
        let parent = tempfile::tempdir().unwrap();
        let (place, from) = (Place::new(parent.path()), first_extract(parent.path()));
        let gone = if whole { place.path().to_path_buf() } else { place.path().join("tables") };
        let aside = parent.path().join("aside");
        let (from_path, to_path) = (gone.clone(), aside.clone());
        // Moved in one step: files that are being written stay open, as after `rm`.
        let observer =
            Arc::new(At::new(kind, nth, move || std::fs::rename(from_path, to_path).unwrap()));
        let lake = place.observed(1, Arc::clone(&observer) as _).await;
        let error = load(&lake, &from).await.expect_err("no warehouse, no load");
        assert!(observer.done(), "{kind}");
        let kinds = [ErrorKind::NotFound, ErrorKind::Damaged, ErrorKind::Storage];
        assert!(kinds.contains(&error.kind()), "{kind}: {error:?}");
        let named = error.to_string().contains(place.path().to_str().unwrap());
        assert!(named, "{kind}: no file is named: {error}");
        // It comes back as it was; what was written meanwhile stands in its way and holds no row.
        drop(lake);
        if gone.try_exists().unwrap() {
            std::fs::remove_dir_all(&gone).unwrap();
        }
        std::fs::rename(&aside, &gone).unwrap();
        let lake = place.lake(2).await;
        assert!(load(&lake, &from).await.unwrap().balances(), "{kind}");
        let contents = Contents::read(&lake).await;
        assert_eq!(contents.snapshots["visit"], 1, "{kind}");
        assert_eq!(contents.rows["visit"].lines().count(), 500 + 4, "{kind}");
        assert_eq!(contents.rows["quarantine/visit"].lines().count(), 2 + 4, "{kind}");
    }
}

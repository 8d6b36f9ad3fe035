//! Sources in a folder and in a bucket in memory.

use std::fs;
use std::io::Read;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{ObjectStoreExt, PutPayload};

use super::super::s3::Bucket;
use super::super::stores;
use super::*;

/// A bucket with objects of these keys, each with its key as its bytes.
async fn bucket(name: &str, keys: &[&str]) -> Arc<InMemory> {
    let store = Arc::new(InMemory::new());
    let uploads = Arc::clone(&store) as Arc<dyn MultipartStore>;
    stores::add(name, Bucket::of(Arc::clone(&store) as _, uploads));
    for key in keys {
        put(&store, key, key.as_bytes().to_vec()).await;
    }
    store
}

async fn put(store: &InMemory, key: &str, bytes: Vec<u8>) {
    store.put(&Key::parse(key).unwrap(), PutPayload::from(bytes)).await.unwrap();
}

/// The same in a folder.
fn folder(keys: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for key in keys {
        let path = folder.path().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, key).unwrap();
    }
    folder
}

const KEYS: &[&str] = &[
    "in/tables.toml",
    "in/lab/west/2024-05.csv",
    "in/lab/west/2024-05/a.csv",
    "in/lab/west/.hidden.csv",
    "in/lab/.hidden/a.csv",
    "in/lab/a b%20é.csv",
    "in/labs/x.csv",
    "other/x.csv",
];

fn names(entries: &[Entry]) -> Vec<(&str, bool, u64)> {
    entries.iter().map(|entry| (&entry.name[..], entry.is_folder, entry.bytes)).collect()
}

#[tokio::test]
async fn a_bucket_holds_what_a_folder_does() {
    bucket("landing-list", KEYS).await;
    let folder = folder(KEYS);
    for root in [folder.path().to_path_buf(), PathBuf::from("s3://landing-list/")] {
        let top = entries(&root.join("in")).unwrap();
        assert_eq!(
            names(&top),
            [("lab", true, 0), ("labs", true, 0), ("tables.toml", false, 14)],
            "{}",
            root.display()
        );
        let all = below(&root.join("in/lab"), None).unwrap();
        let expected = [
            ("a b%20é.csv", false, 19),
            ("west/2024-05.csv", false, 23),
            ("west/2024-05/a.csv", false, 25),
        ];
        assert_eq!(names(&all), expected, "{}", root.display());
        let near = below(&root.join("in/lab"), Some(2)).unwrap();
        let near_expected = [expected[0], ("west/2024-05", true, 0), expected[1]];
        assert_eq!(names(&near), near_expected, "{}", root.display());
        // Names that come out lead to the file again.
        for file in all {
            assert!(
                read_text(&file.path, "read").unwrap().ends_with(&file.name),
                "{}",
                file.path.display()
            );
            assert_eq!(state(&file.path, "look").unwrap().bytes(), file.bytes);
            assert!(!is_folder(&file.path).unwrap());
        }
        let two = ["in/labs/x.csv", "gone", "other/x.csv"].map(|name| root.join(name));
        assert_eq!(total_bytes(&two), 13 + 11);
        assert!(is_folder(&root.join("in/lab")).unwrap());
        for gone in ["in/la", "none"] {
            let gone = root.join(gone);
            assert_eq!(
                entries(&gone).unwrap_err().kind(),
                ErrorKind::NotFound,
                "{}",
                gone.display()
            );
            assert_eq!(below(&gone, None).unwrap_err().kind(), ErrorKind::NotFound);
            assert_eq!(state(&gone, "look").unwrap_err().kind(), ErrorKind::NotFound);
            assert_eq!(open(&gone).unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}

#[test]
fn a_link_to_a_folder_is_followed_only_so_far() {
    let folder = folder(&["a/x.csv"]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/up")).unwrap();
    let names = |deepest| -> Vec<String> {
        let files = below(folder.path(), deepest).unwrap();
        files.into_iter().map(|file| file.name).collect()
    };
    assert_eq!(names(None), ["a/x.csv"]);
    assert_eq!(names(Some(4)), ["a/up/a/up", "a/up/a/x.csv", "a/x.csv"]);
}

#[tokio::test]
async fn an_object_is_read_in_blocks_from_front_to_back() {
    let store = bucket("landing-read", &[]).await;
    let place = Path::new("s3://landing-read/big");
    // No block, a part of one, its edges, and many.
    for length in [0, 1, 262_143, 262_144, 262_145, 20_000_001] {
        let bytes: Vec<u8> = (0..length).map(|at: u32| (at % 251) as u8).collect();
        put(&store, "big", bytes.clone()).await;
        let mut read = Vec::new();
        open(place).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == bytes, "{length} bytes are others");
    }
}

#[tokio::test]
async fn an_object_that_is_replaced_while_it_is_read_is_told() {
    let store = bucket("landing-replaced", &[]).await;
    put(&store, "big", vec![1; 30_000_000]).await;
    let place = Path::new("s3://landing-replaced/big");
    let before = state(place, "look").unwrap();
    let mut source = open(place).unwrap();
    source.read_exact(&mut [0; 1_000]).unwrap();
    put(&store, "big", vec![2; 30_000_000]).await;
    let error = Error::io(source.read_to_end(&mut Vec::new()).unwrap_err(), "read", "x");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("changed while it was read"), "{error}");
    assert_ne!(state(place, "look").unwrap(), before);
}

#[test]
fn other_stores_are_refused() {
    for other in ["file:///k", "gs://b/k", "https://b/k", "s3:///k"] {
        let error = entries(Path::new(other)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{other}");
    }
    assert!(is_in_bucket(Path::new("S3a://b/k")) && !is_in_bucket(Path::new("b/s3://k")));
}

#[test]
fn above_a_bucket_there_is_nothing() {
    let up = |path: &str| above(Path::new(path)).map(|path| path.display().to_string());
    assert_eq!(up("s3://b/a/c/").as_deref(), Some("s3://b/a"));
    assert_eq!(up("s3://b/a").as_deref(), Some("s3://b"));
    assert_eq!(up("s3://b"), None);
    assert_eq!(up("a").as_deref(), Some("a/.."));
    assert_eq!(folder_of(Path::new("s3://b/a/x.csv")), Path::new("s3://b/a"));
    assert_eq!(folder_of(Path::new("x.csv")), Path::new(""));
}

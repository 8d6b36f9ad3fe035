//! Files in a bucket, in memory.

use std::io::{Read, Write};
use std::sync::Arc;

use futures::TryStreamExt;
use iceberg::ErrorKind as IcebergKind;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use parquet::file::reader::{ChunkReader, Length};
use prost::bytes::Bytes;

use super::s3::{Bucket, Upload};
use super::*;
use crate::ErrorKind;

/// An empty bucket of this name; tests run at once in one process, so each has its own.
fn bucket(name: &str) -> Arc<InMemory> {
    let store = Arc::new(InMemory::new());
    stores::add(name, Bucket::of(Arc::clone(&store)));
    store
}

/// Bytes that tell places apart.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

#[test]
fn an_object_is_there_once_it_is_flushed_and_is_read_back_by_range() {
    bucket("flushed");
    let at = "s3://flushed/t/data/a b=é.parquet";
    let written = bytes(9 << 20);
    let mut file = create(at).unwrap();
    file.write_all(&written).unwrap();
    assert_eq!(about(at).unwrap(), None);
    flush(&mut file, at).unwrap();
    drop(file);
    assert_eq!(about(at).unwrap().unwrap().bytes, 9 << 20);
    make_durable(&[at.to_string()]).unwrap();

    let input = open(at).unwrap();
    assert_eq!(input.len(), 9 << 20);
    for (from, count) in [(0, 10), ((4 << 20) - 3, 7), (100, 6 << 20), ((9 << 20) - 1, 1)] {
        let read = input.get_bytes(u64::try_from(from).unwrap(), count).unwrap();
        assert!(read == written[from..from + count], "{from} {count}");
    }
    assert!(input.get_bytes((9 << 20) - 1, 2).is_err());
    let mut rest = Vec::new();
    input.get_read((4 << 20) - 5).unwrap().read_to_end(&mut rest).unwrap();
    assert!(rest == written[(4 << 20) - 5..]);
}

#[test]
fn a_small_object_is_not_written_over_unless_with_the_same_bytes() {
    bucket("over");
    let write = |text: &[u8]| {
        let mut file = create("s3://over/x").unwrap();
        file.write_all(text).unwrap();
        flush(&mut file, "s3://over/x")
    };
    write(b"one").unwrap();
    // The answer to the first write may have been lost.
    write(b"one").unwrap();
    assert_eq!(write(b"two").unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(about("s3://over/x").unwrap().unwrap().bytes, 3);
}

#[tokio::test]
async fn parts_become_one_object_and_an_upload_that_is_dropped_leaves_none() {
    let store = bucket("parts");
    for (name, count) in [("whole", 100), ("rest", 101), ("small", 7), ("none", 0)] {
        let key = Path::from(name);
        let bucket = stores::bucket("parts").unwrap();
        let mut upload = Upload::new(bucket, key.clone()).with_part_bytes(10);
        let written = bytes(count);
        let mut from = 0;
        while from < count {
            from += upload.write(&written[from..count.min(from + 23)]).unwrap();
        }
        upload.finish().unwrap().unwrap();
        let read = store.get(&key).await.unwrap().bytes().await.unwrap();
        assert_eq!(read, written, "{name}");
    }
    let bucket = stores::bucket("parts").unwrap();
    let mut upload = Upload::new(bucket, Path::from("dropped")).with_part_bytes(10);
    upload.write(&bytes(10)).unwrap();
    drop(upload);
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 4);
}

#[tokio::test]
async fn what_is_below_a_prefix_is_listed_and_removed() {
    let store = bucket("removed");
    for key in ["lake/t/a", "lake/t/b/c", "lake/t2/d"] {
        store.put(&Path::from(key), PutPayload::from_static(b"x")).await.unwrap();
    }
    let found = list(&Place::of("s3://removed/lake/t").unwrap()).unwrap();
    let mut names: Vec<_> = found.iter().map(|file| file.path.to_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["s3://removed/lake/t/a", "s3://removed/lake/t/b/c"]);
    for file in &found {
        let location = file.path.to_str().unwrap();
        assert_eq!(identity(location).unwrap(), Some(file.identity.clone()));
        let about = about(location).unwrap().unwrap();
        assert_eq!((about.bytes, about.modified_ms), (1, file.modified_ms));
    }
    discard(&names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>());
    discard(&["s3://removed/lake/gone".to_string()]);
    let left: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(left.len(), 1);
    let looked = about_all(&["s3://removed/lake/t/a", "s3://removed/lake/t2/d", "relative"]);
    assert_eq!(looked[0].as_ref().unwrap(), &None);
    assert_eq!(looked[1].as_ref().unwrap().unwrap().bytes, 1);
    assert_eq!(looked[2].as_ref().unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn metadata_is_read_and_written_in_the_same_bucket_and_never_over() {
    bucket("metadata");
    let io = file_io();
    let at = "s3://metadata/t/metadata/v1.json";
    assert!(!io.exists(at).await.unwrap());
    io.new_output(at).unwrap().write(Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(io.new_input(at).unwrap().read().await.unwrap(), "{}");
    assert_eq!(io.new_input(at).unwrap().metadata().await.unwrap().size, 2);
    let reader = io.new_input(at).unwrap().reader().await.unwrap();
    assert_eq!(reader.read(1..2).await.unwrap(), "}");
    let mut writer = io.new_output(at).unwrap().writer().await.unwrap();
    writer.write(Bytes::from_static(b"[")).await.unwrap();
    writer.write(Bytes::from_static(b"]")).await.unwrap();
    let error = writer.close().await.unwrap_err();
    assert_eq!(stored(&error).unwrap().kind(), ErrorKind::AlreadyExists);
    let error = io.new_input("s3://metadata/t/none").unwrap().read().await.unwrap_err();
    assert_eq!(stored(&error).unwrap().kind(), ErrorKind::NotFound);
    io.delete(at).await.unwrap();
    assert!(!io.exists(at).await.unwrap());
    let error = io.delete_prefix("s3://metadata/t").await.unwrap_err();
    assert_eq!(error.kind(), IcebergKind::FeatureUnsupported);
}

#[test]
fn a_bucket_that_nobody_set_up_says_what_to_give() {
    let error = create("s3://nobody/x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("--kms-key"), "{error}");
}

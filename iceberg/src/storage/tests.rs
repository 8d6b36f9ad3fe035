//! Files in a bucket, in memory.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::TryStreamExt;
use iceberg::ErrorKind as IcebergKind;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{MultipartId, ObjectStore, ObjectStoreExt, PutPayload, PutResult, Result};
use parquet::file::reader::{ChunkReader, Length};
use prost::bytes::Bytes;

use super::s3::{Bucket, Upload};
use super::*;
use crate::ErrorKind;

/// What goes wrong with uploads in parts.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// A part of this number is refused.
    Part(usize),
    /// Objects are made, but nobody is told.
    LostCompletion,
}

/// Uploads in parts to a bucket in memory, whose parts come in any order.
struct Parts {
    store: Arc<InMemory>,
    fault: Fault,
    begun: Mutex<BTreeMap<String, BTreeMap<usize, PutPayload>>>,
}

impl Parts {
    fn under_way(&self) -> usize {
        self.begun.lock().unwrap().len()
    }
}

fn refused() -> object_store::Error {
    object_store::Error::Generic { store: "test", source: "refused".into() }
}

#[async_trait]
impl MultipartStore for Parts {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.begun.lock().unwrap().insert(path.to_string(), BTreeMap::new());
        Ok(path.to_string())
    }

    async fn put_part(
        &self,
        _: &Path,
        id: &MultipartId,
        number: usize,
        bytes: PutPayload,
    ) -> Result<PartId> {
        if self.fault == Fault::Part(number) {
            return Err(refused());
        }
        self.begun.lock().unwrap().get_mut(id).unwrap().insert(number, bytes);
        Ok(PartId { content_id: number.to_string() })
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let sent = self.begun.lock().unwrap().remove(id).unwrap();
        let numbers: Vec<String> = sent.keys().map(usize::to_string).collect();
        assert_eq!(parts.into_iter().map(|part| part.content_id).collect::<Vec<_>>(), numbers);
        let payload = sent.into_values().flatten().collect();
        let put = self.store.put(path, payload).await?;
        if self.fault == Fault::LostCompletion { Err(refused()) } else { Ok(put) }
    }

    async fn abort_multipart(&self, _: &Path, id: &MultipartId) -> Result<()> {
        self.begun.lock().unwrap().remove(id).unwrap();
        Ok(())
    }
}

/// An empty bucket of this name; tests run at once in one process, so each has its own.
fn bucket(name: &str) -> Arc<InMemory> {
    faulty(name, Fault::None).0
}

fn faulty(name: &str, fault: Fault) -> (Arc<InMemory>, Arc<Parts>) {
    let store = Arc::new(InMemory::new());
    let parts = Parts { store: Arc::clone(&store), fault, begun: Mutex::default() };
    let parts = Arc::new(parts);
    stores::add(name, Bucket::of(Arc::clone(&store) as _, Arc::clone(&parts) as _));
    (store, parts)
}

/// An upload in parts of ten bytes.
fn upload(bucket: &str, key: &str) -> Upload {
    let object = Object { bucket: bucket.to_string(), key: Path::from(key) };
    Upload::new(stores::bucket(bucket).unwrap(), object).with_part_bytes(10)
}

/// Writes all, some bytes at a time.
fn write_all(upload: &mut Upload, bytes: &[u8]) -> std::io::Result<()> {
    let mut from = 0;
    while from < bytes.len() {
        from += upload.write(&bytes[from..bytes.len().min(from + 23)])?;
    }
    Ok(())
}

async fn count(store: &InMemory) -> usize {
    store.list(None).try_collect::<Vec<_>>().await.unwrap().len()
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
    let (store, parts) = faulty("parts", Fault::None);
    for (name, length) in [("whole", 100), ("rest", 101), ("small", 7), ("none", 0)] {
        let written = bytes(length);
        let mut upload = upload("parts", name);
        write_all(&mut upload, &written).unwrap();
        upload.finish().unwrap().unwrap();
        drop(upload);
        let read = store.get(&Path::from(name)).await.unwrap().bytes().await.unwrap();
        assert_eq!(read, written, "{name}");
    }
    let mut upload = upload("parts", "dropped");
    write_all(&mut upload, &bytes(25)).unwrap();
    assert_eq!(parts.under_way(), 1);
    drop(upload);
    assert_eq!((parts.under_way(), count(&store).await), (0, 4));
}

#[tokio::test]
async fn an_upload_of_which_a_part_fails_leaves_nothing() {
    for number in [0, 3, 5] {
        let (store, parts) = faulty("failing", Fault::Part(number));
        let mut upload = upload("failing", "x");
        let written = write_all(&mut upload, &bytes(55));
        let failed = written.is_err() || upload.finish().unwrap().is_err();
        assert!(failed, "part {number}");
        drop(upload);
        assert_eq!((parts.under_way(), count(&store).await), (0, 0), "part {number}");
    }
}

#[tokio::test]
async fn an_object_whose_completion_nobody_was_told_of_is_found() {
    let (store, _) = faulty("found", Fault::LostCompletion);
    let mut upload = upload("found", "x");
    write_all(&mut upload, &bytes(35)).unwrap();
    upload.finish().unwrap().unwrap();
    drop(upload);
    assert_eq!(count(&store).await, 1);
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

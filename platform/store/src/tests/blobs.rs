//! Blobs come back as they went in, and damage is noticed.

use bytes::Bytes;

use super::harness::{count, create, on_both_engines};
use crate::{BlobId, CHUNK_BYTES, StoreError};

fn sample(length: usize) -> Bytes {
    (0..length)
        .map(|index| u8::try_from((index * 31 + index / 997) % 251).unwrap())
        .collect::<Vec<_>>()
        .into()
}

#[tokio::test]
async fn blobs_of_any_size_come_back() {
    on_both_engines(async |test| {
        for length in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 6 * CHUNK_BYTES - 1] {
            let bytes = sample(length);
            let id = test.store.put_blob(bytes.clone()).await.unwrap();
            assert_eq!(id, BlobId::of(&bytes));
            assert_eq!(id.to_string().parse(), Ok(id));
            assert!(
                test.store.get_blob(id).await.unwrap() == Some(bytes),
                "{length} bytes"
            );
        }
        assert_eq!(test.store.get_blob(BlobId::of(b"unknown")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_same_bytes_are_kept_once() {
    on_both_engines(async |test| {
        let bytes = Bytes::from(vec![7; 3 * CHUNK_BYTES]);
        test.store.put_blob(bytes.clone()).await.unwrap();
        test.store.put_blob(bytes).await.unwrap();
        assert_eq!(count(&test.store, "store_chunk").await, 1);
        assert_eq!(count(&test.store, "store_blob").await, 1);
    })
    .await;
}

#[tokio::test]
async fn damage_is_noticed() {
    on_both_engines(async |test| {
        let id = test.store.put_blob(sample(10)).await.unwrap();
        create(&test.store, "UPDATE store_chunk SET bytes = hash").await;
        assert_eq!(
            test.store.get_blob(id).await,
            Err(StoreError::DamagedBlob(id.to_string()))
        );
    })
    .await;
}

#[test]
fn a_text_that_is_no_blob_id_is_refused() {
    for text in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
        assert!(text.parse::<BlobId>().is_err(), "{text}");
    }
}

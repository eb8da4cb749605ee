//! The batcher: answers in order, one batch at a time, and a bound on those who wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use tokio::sync::{Mutex, Semaphore};

use crate::{BatchLimits, Batcher, StoreError};

#[tokio::test]
async fn each_request_gets_its_own_answer_and_batches_grow_while_one_is_under_way() {
    let gate = Arc::new(Semaphore::new(0));
    let under_way = Arc::new(AtomicU32::new(0));
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let batcher = {
        let (gate, under_way, sizes) = (Arc::clone(&gate), Arc::clone(&under_way), Arc::clone(&sizes));
        Batcher::start(BatchLimits::default(), move |requests: Vec<u32>| {
            let (gate, sizes) = (Arc::clone(&gate), Arc::clone(&sizes));
            under_way.fetch_add(1, Ordering::SeqCst);
            async move {
                gate.acquire().await.unwrap().forget();
                sizes.lock().await.push(requests.len());
                requests.into_iter().map(|number| number * 2).collect()
            }
        })
    };
    let first = tokio::spawn({
        let batcher = batcher.clone();
        async move { batcher.submit(1).await }
    });
    // The first request is under way, at the gate, before the others come.
    while under_way.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let rest: Vec<_> = (2..12).map(|number| batcher.submit(number)).collect();
    gate.add_permits(2);
    let answers: Vec<u32> = join_all(rest).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, (2..12).map(|number| number * 2).collect::<Vec<_>>());
    assert_eq!(first.await.unwrap(), Ok(2));
    assert_eq!(*sizes.lock().await, [1, 10]);
}

#[tokio::test]
async fn a_panic_ends_its_batch_only() {
    let batcher = Batcher::start(BatchLimits::default(), |requests: Vec<u32>| async move {
        assert!(!requests.contains(&13), "on purpose");
        requests
    });
    assert_eq!(batcher.submit(13).await, Err(StoreError::Panicked));
    assert_eq!(batcher.submit(14).await, Ok(14));
}

#[tokio::test]
async fn more_than_the_bound_is_refused() {
    let limits = BatchLimits {
        members_max: 1,
        waiting_max: 2,
    };
    let batcher = Batcher::start(limits, |_: Vec<u32>| std::future::pending::<Vec<u32>>());
    let mut waiting: Vec<_> = (0..8).map(|number| Box::pin(batcher.submit(number))).collect();
    let mut refused = 0;
    for request in &mut waiting {
        if let Some(outcome) = futures_util::FutureExt::now_or_never(request) {
            assert_eq!(outcome, Err(StoreError::TooBusy { limit: 2 }));
            refused += 1;
        }
    }
    assert!(refused >= 5, "{refused} of 8 were refused");
}

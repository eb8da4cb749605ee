//! A command asks nodes: it is let in with the master key, and with no other.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use haechi_base::{Clock, MasterKey, Secrets, SystemClock};
use haechi_cluster::{Asker, Cluster, MIGRATIONS, NodeSettings, QuestionFailed, read_nodes};
use haechi_testkit::{TestStore, run_test};
use tokio::net::TcpListener;

/// A node that doubles numbers, and its URL.
async fn node(store: &TestStore, secrets: &Secrets) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let settings = NodeSettings {
        site: Some("pangyo".to_owned()),
        url: url.clone(),
        version: "1.2.3".to_owned(),
    };
    let cluster = Cluster::join(
        settings,
        None,
        store.store.clone(),
        Arc::new(SystemClock),
        secrets,
    )
    .unwrap();
    cluster.answer("double", |number: u32| number * 2);
    tokio::spawn(async move { axum::serve(listener, cluster.router()).await });
    url
}

#[test]
fn a_question_is_answered_to_who_holds_the_master_key_and_to_nobody_else() {
    run_test(async {
        let store = TestStore::sqlite();
        let secrets = Secrets::new(MasterKey::generate());
        let url = node(&store, &secrets).await;
        let now = SystemClock.now();
        let asker = Asker::new(&secrets, now).unwrap();
        assert_eq!(asker.ask::<u32>(&url, "double", &21, now).await, Ok(42));
        let unknown = asker.ask::<u32>(&url, "halve", &21, now).await;
        assert!(
            matches!(unknown, Err(QuestionFailed::NotUnderstood(_))),
            "{unknown:?}"
        );
        let misread = asker.ask::<u32>(&url, "double", &"twenty", now).await;
        assert!(
            matches!(misread, Err(QuestionFailed::NotUnderstood(_))),
            "{misread:?}"
        );
        let stranger = Asker::new(&Secrets::new(MasterKey::generate()), now).unwrap();
        let refused = stranger.ask::<u32>(&url, "double", &21, now).await;
        assert_eq!(refused, Err(QuestionFailed::PassRefused));
        let nobody = asker.ask::<u32>("http://127.0.0.1:9", "double", &21, now).await;
        assert!(matches!(nobody, Err(QuestionFailed::Silent(_))), "{nobody:?}");
    });
}

#[test]
fn who_is_no_node_reads_the_nodes_rows() {
    run_test(async {
        let store = TestStore::sqlite();
        store.store.migrate(&[MIGRATIONS]).await.unwrap();
        assert_eq!(read_nodes(&store.store).await, Ok(Vec::new()));
    });
}

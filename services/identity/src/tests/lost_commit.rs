//! A sign-out whose COMMIT is not answered: the store finds out that it was done, and so must this node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use haechi_http::{AuthenticationError, Authenticator as _};
use haechi_service::Context;
use haechi_store::{Store, StoreLimits};
use haechi_testkit::{TestStore, run_test};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::sessions::wait_until_used;
use super::start;
use crate::{Identity, IdentitySettings};

/// A proxy to PostgreSQL that, once it is armed, keeps one answer to a COMMIT and ends that connection. Returns its
/// port.
async fn proxy(server: String, armed: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(relay(client, server, Arc::clone(&armed)));
        }
    });
    port
}

async fn relay(mut client: TcpStream, mut server: TcpStream, armed: Arc<AtomicBool>) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let bytes = &asked[..length];
                server.write_all(bytes).await.unwrap();
                let is_commit = bytes.windows(6).any(|window| window == b"COMMIT");
                if is_commit && armed.swap(false, Ordering::SeqCst) {
                    // The answer says that it is committed; it goes no further.
                    assert!(server.read(&mut answered).await.unwrap() > 0);
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() { return }
            }
        }
    }
}

async fn signed_out_at_once(store: TestStore) {
    let (address, database) = store.url.rsplit_once('@').unwrap().1.split_once('/').unwrap();
    let armed = Arc::new(AtomicBool::new(false));
    let port = proxy(address.to_owned(), Arc::clone(&armed)).await;
    let url = format!("postgres://postgres@127.0.0.1:{port}/{database}")
        .parse()
        .unwrap();
    let (app, _) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let clock = Arc::clone(&app.context.clock);
    let context = Context {
        store: Store::open(&url, &StoreLimits::default(), clock).unwrap(),
        ..app.context.clone()
    };
    let identity = Identity::new(context, IdentitySettings::default());
    let actor = identity.authenticate(&phone.access_token).await.unwrap();
    // The use of the token is written down beside the request: its COMMIT is not the one to cut.
    wait_until_used(&identity, phone.session_id, 1).await;
    armed.store(true, Ordering::SeqCst);
    identity.sign_out(&actor).await.unwrap();
    assert!(!armed.load(Ordering::SeqCst), "the proxy kept no answer");
    let after = identity.authenticate(&phone.access_token).await;
    assert_eq!(after, Err(AuthenticationError::Unknown));
}

#[test]
fn a_sign_out_counts_at_once_when_the_answer_to_its_commit_was_lost() {
    run_test(async { signed_out_at_once(TestStore::postgres().await).await });
}

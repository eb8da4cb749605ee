//! Stock Matrix clients, as their users run them: matrix-nio in Python and matrix-js-sdk in JavaScript.

use anyhow::Result;
use haechi_bench::people::Person;
use haechi_bench::server::Server;
use serde_json::json;
use tokio::process::Command;

use crate::program::{FreshStore, binary, folder, npm_folder, on_both_engines, succeed, tool};

const PASSWORD: &str = "correct horse battery staple";

async fn person_with_password(server: &Server, phone: &str, name: &str) -> Result<Person> {
    let mut person = Person::sign_in(server.address(), phone, name).await?;
    let body = json!({ "password": PASSWORD }).to_string();
    person
        .client
        .put("/api/identity/me/password", body.into())
        .await?
        .success()?;
    Ok(person)
}

/// Runs a client's script against a server that knows two people.
async fn talk_with(client: &mut Command, store: &FreshStore) -> Result<()> {
    let server = Server::start(&binary(), &store.url).await?;
    let minji = person_with_password(&server, "+821010000001", "Minji").await?;
    let joon = person_with_password(&server, "+821010000002", "Joon").await?;
    succeed(
        client
            .env("HAECHI_URL", format!("http://{}", server.address()))
            .env("HAECHI_USER_A", &minji.user_id)
            .env("HAECHI_USER_B", &joon.user_id)
            .env("HAECHI_PASSWORD", PASSWORD),
    )
    .await?;
    server.stop().await
}

async fn talk_by_nio_script(script: &str, store: &FreshStore) -> Result<()> {
    let mut python = Command::new(tool("HAECHI_PYTHON", "python3"));
    talk_with(python.arg(folder().join("matrix").join(script)), store).await
}

async fn talk_with_nio(store: &FreshStore) -> Result<()> {
    talk_by_nio_script("nio_journey.py", store).await
}

async fn talk_encrypted_with_nio(store: &FreshStore) -> Result<()> {
    talk_by_nio_script("nio_crypto_journey.py", store).await
}

async fn talk_with_js(store: &FreshStore) -> Result<()> {
    let mut node = Command::new(tool("HAECHI_NODE", "node"));
    talk_with(node.arg(npm_folder("matrix")?.join("js_journey.mjs")), store).await
}

async fn talk_encrypted_with_js(store: &FreshStore) -> Result<()> {
    let mut node = Command::new(tool("HAECHI_NODE", "node"));
    talk_with(
        node.arg(npm_folder("matrix")?.join("js_crypto_journey.mjs")),
        store,
    )
    .await
}

async fn slide_with_js(store: &FreshStore) -> Result<()> {
    let mut node = Command::new(tool("HAECHI_NODE", "node"));
    talk_with(
        node.arg(npm_folder("matrix")?.join("js_sliding_journey.mjs")),
        store,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_matrix_client_works() -> Result<()> {
    on_both_engines(talk_with_nio).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_matrix_client_talks_encrypted() -> Result<()> {
    on_both_engines(talk_encrypted_with_nio).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_js_client_works() -> Result<()> {
    on_both_engines(talk_with_js).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_js_client_talks_encrypted() -> Result<()> {
    on_both_engines(talk_encrypted_with_js).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_js_client_looks_at_a_window_of_its_rooms() -> Result<()> {
    on_both_engines(slide_with_js).await
}

//! A stock Matrix client: matrix-nio, in Python, as its users run it.

use anyhow::Result;
use haechi_bench::people::Person;
use haechi_bench::server::Server;
use serde_json::json;
use tokio::process::Command;

use crate::program::{FreshStore, binary, folder, on_both_engines, succeed, tool};

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

async fn talk_with_nio(store: &FreshStore) -> Result<()> {
    let server = Server::start(&binary(), &store.url).await?;
    let minji = person_with_password(&server, "+821010000001", "Minji").await?;
    let joon = person_with_password(&server, "+821010000002", "Joon").await?;
    succeed(
        Command::new(tool("HAECHI_PYTHON", "python3"))
            .arg(folder().join("matrix/nio_journey.py"))
            .env("HAECHI_URL", format!("http://{}", server.address()))
            .env("HAECHI_USER_A", &minji.user_id)
            .env("HAECHI_USER_B", &joon.user_id)
            .env("HAECHI_PASSWORD", PASSWORD),
    )
    .await?;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_matrix_client_works() -> Result<()> {
    on_both_engines(talk_with_nio).await
}

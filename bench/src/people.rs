//! People for a load: signed up over HTTP like anybody.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::command;

/// A signed-in person with a connection of their own.
pub struct Person {
    /// Their connection.
    pub client: Client,
    /// Their phone number, E.164.
    pub phone: String,
    /// Their user id, `@...:server`.
    pub user_id: String,
    /// Their access token.
    pub access_token: String,
}

impl Person {
    /// Signs somebody up, or in when the number is known.
    ///
    /// # Errors
    /// The server refuses, or does not show codes (its gateway is not the one for development).
    pub async fn sign_in(address: SocketAddr, phone: &str, display_name: &str) -> Result<Self> {
        let mut client = Client::connect(address).await?;
        let asked = client
            .post("/api/identity/codes", &json!({ "phone": phone }))
            .await?
            .success()?;
        let code = asked["development_code"]
            .as_str()
            .context("the server does not show codes")?;
        let body = json!({
            "phone": phone, "code": code, "device_name": "haechi bench", "display_name": display_name,
        });
        let session = client.post("/api/identity/sessions", &body).await?.success()?;
        let access_token = text(&session["access_token"])?;
        let user_id = text(&session["person"]["user_id"])?;
        client.set_token(&access_token)?;
        Ok(Self {
            client,
            phone: phone.to_owned(),
            user_id,
            access_token,
        })
    }

    /// Opens the room of these two, as a friend does.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn open_direct_room(&mut self, other: &str) -> Result<String> {
        let room = self
            .client
            .post("/api/chat/direct", &json!({ "user_id": other }))
            .await?
            .success()?;
        text(&room["room_id"])
    }
}

/// Signs up `count` people with numbers counted from `first`.
///
/// # Errors
/// As [`Person::sign_in`].
pub async fn sign_up_many(address: SocketAddr, first: usize, count: usize) -> Result<Vec<Person>> {
    let mut people = Vec::with_capacity(count);
    let numbers: Vec<usize> = (first..first + count).collect();
    for group in numbers.chunks(16) {
        let group = group.iter().map(|number| async move {
            let phone = format!("+82102{number:07}");
            Person::sign_in(address, &phone, &format!("Bench {number}")).await
        });
        people.extend(try_join_all(group).await?);
    }
    Ok(people)
}

/// Signs somebody up and makes an administrator of them, with the program's own command.
///
/// # Errors
/// The command fails.
pub async fn sign_up_administrator(program: &Path, store: &str, address: SocketAddr) -> Result<Person> {
    let phone = "+821099999999";
    Person::sign_in(address, phone, "Bench operator").await?;
    let granted = command(program)
        .args([
            "admin",
            "grant",
            "--store",
            store,
            "--phone",
            phone,
            "--role",
            "administrator",
        ])
        .stdout(std::process::Stdio::null())
        .status()
        .await?;
    if !granted.success() {
        bail!("`haechi admin grant` failed");
    }
    // Signed in again: the role stands in the token.
    Person::sign_in(address, phone, "Bench operator").await
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("the answer lacks a text")?.to_owned())
}

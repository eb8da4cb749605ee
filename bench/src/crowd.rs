//! Many people and their rooms, made quickly: a few connections do what each person would.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::client::Client;
use crate::people::Person;

/// Requests under way while a crowd is made.
const AT_ONCE: usize = 64;

/// Who is signed up, without a connection.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) phone: String,
    pub(crate) user_id: String,
    pub(crate) access_token: String,
}

impl Account {
    /// A connection of this person's.
    pub(crate) async fn connect(&self, address: SocketAddr) -> Result<Client> {
        let mut client = Client::connect(address).await?;
        client.set_token(&self.access_token)?;
        Ok(client)
    }

    /// The person with a connection.
    pub(crate) async fn person(&self, address: SocketAddr) -> Result<Person> {
        Ok(Person {
            client: self.connect(address).await?,
            phone: self.phone.clone(),
            user_id: self.user_id.clone(),
            access_token: self.access_token.clone(),
        })
    }
}

/// Signs up `count` people with numbers counted from `first`; their connections are closed again.
pub(crate) async fn sign_up(address: SocketAddr, first: usize, count: usize) -> Result<Vec<Account>> {
    let each = stream::iter(first..first + count).map(|number| async move {
        let phone = format!("+82102{number:07}");
        let person = Person::sign_in(address, &phone, &format!("Bench {number}")).await?;
        anyhow::Ok(Account {
            phone,
            user_id: person.user_id,
            access_token: person.access_token,
        })
    });
    each.buffered(AT_ONCE).try_collect().await
}

/// Makes a room of these people: the first one makes it, open to all, and the others come in.
pub(crate) async fn make_room(address: SocketAddr, members: &[Account]) -> Result<String> {
    let creator = members.first().context("a room of nobody")?;
    let room = creator
        .connect(address)
        .await?
        .post(
            "/_matrix/client/v3/createRoom",
            &json!({ "preset": "public_chat" }),
        )
        .await?
        .success()?;
    let room_id = room["room_id"]
        .as_str()
        .context("a room without an id")?
        .to_owned();
    let joining = stream::iter(members[1..].chunks(100))
        .map(|group| join(address, &room_id, group))
        .buffer_unordered(AT_ONCE);
    joining.try_collect::<Vec<()>>().await?;
    Ok(room_id)
}

/// Lets people in, one after another on one connection.
async fn join(address: SocketAddr, room_id: &str, people: &[Account]) -> Result<()> {
    let mut client = Client::connect(address).await?;
    for person in people {
        client.set_token(&person.access_token)?;
        client
            .post(&format!("/_matrix/client/v3/join/{room_id}"), &json!({}))
            .await?
            .success()?;
    }
    Ok(())
}

/// Makes a room of each group of `members` people.
pub(crate) async fn make_rooms(
    address: SocketAddr,
    people: &[Account],
    members: usize,
) -> Result<Vec<String>> {
    stream::iter(people.chunks(members))
        .map(|group| make_room(address, group))
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// Opens the rooms of two of neighbours.
pub(crate) async fn pair_up(address: SocketAddr, people: &[Account]) -> Result<()> {
    let each = stream::iter(people.chunks_exact(2)).map(|pair| async move {
        let body = json!({ "user_id": pair[1].user_id });
        let mut client = pair[0].connect(address).await?;
        client.post("/api/chat/direct", &body).await?.success()?;
        anyhow::Ok(())
    });
    each.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

/// Asks once, and reads the answer as JSON.
pub(crate) async fn get(client: &mut Client, path: &str) -> Result<Value> {
    client.get(path).await?.success()
}

/// Says something.
pub(crate) async fn say(client: &mut Client, room_id: &str, transaction_id: &str) -> Result<()> {
    let path = format!("/_matrix/client/v3/rooms/{room_id}/send/m.room.message/{transaction_id}");
    let body = Bytes::from_static(br#"{"msgtype":"m.text","body":"here"}"#);
    client.put(&path, body).await?.success()?;
    Ok(())
}

//! The routes of `/api/pay`: wallet, transfers, entries, top-ups, the ledger's check.

use std::collections::HashMap;

use axum::extract::State;
use haechi_base::{Money, PersonId, Time};
use haechi_http::{
    Administrator, IdempotencyKey, Json, JsonWithBytes, Page, PageQuery, Problem, Query, SignedIn,
};
use haechi_identity::Person;
use haechi_service::OpenApiRouter;
use haechi_store::Tx;
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::model::{
    AccountId, Entry, EntryId, LedgerCheck, MEMO_CHARACTERS_MAX, Transfer, TransferId, TransferKind,
    TransferRefusal,
};
use crate::ops::{self, PayError, TransferRequest};
use crate::{Pay, scoped_key};

/// The table of contents.
pub(crate) fn routes(pay: Pay) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(find_wallet))
        .routes(routes!(create_transfer))
        .routes(routes!(list_entries))
        .routes(routes!(create_top_up))
        .routes(routes!(check_ledger))
        .with_state(pay)
}

/// A person's wallet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WalletDocument {
    account_id: AccountId,
    balance: Money,
}

/// Money to be sent to somebody.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferBody {
    /// The receiver's user id, `@...:server`.
    to: String,
    amount: Money,
    /// At most 140 characters.
    #[serde(default, deserialize_with = "memo")]
    memo: Option<String>,
    /// A room that both are in: a message there tells of the transfer.
    room_id: Option<String>,
}

/// Money to be added to a wallet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopUpBody {
    /// The receiver's user id, `@...:server`.
    to: String,
    amount: Money,
}

/// A movement of money that was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TransferDocument {
    transfer_id: TransferId,
    /// Who paid; null for a top-up.
    from: Option<String>,
    to: String,
    amount: Money,
    memo: Option<String>,
    room_id: Option<String>,
    /// The message in the room.
    event_id: Option<String>,
    created_at: Time,
}

/// Somebody on the other side of an entry.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counterparty {
    user_id: String,
    display_name: String,
}

/// One line of a wallet's history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryDocument {
    entry_id: EntryId,
    transfer_id: TransferId,
    kind: TransferKind,
    /// Positive: received. Negative: paid.
    amount: Money,
    /// Null for a top-up.
    counterparty: Option<Counterparty>,
    memo: Option<String>,
    created_at: Time,
}

/// A memo is text a person wrote: no empty one, no control characters, not too long.
fn memo<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(memo) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let memo = memo.trim();
    if memo.chars().count() > MEMO_CHARACTERS_MAX || memo.chars().any(char::is_control) {
        let limit =
            format!("memo takes {MEMO_CHARACTERS_MAX} characters at the most, and no control characters");
        return Err(serde::de::Error::custom(limit));
    }
    Ok(Some(memo.to_owned()).filter(|memo| !memo.is_empty()))
}

/// The caller's wallet.
#[utoipa::path(get, path = "/api/pay/wallet", tag = "pay", responses((status = 200, body = WalletDocument)))]
async fn find_wallet(
    State(pay): State<Pay>,
    SignedIn(actor): SignedIn,
) -> Result<Json<WalletDocument>, Problem> {
    let (owner, now) = (actor.person, pay.now());
    let find = async move |tx: &mut Tx<'_>| ops::find_wallet(tx, owner).await;
    let wallet = match pay.context.store.read(find).await? {
        Some(wallet) => wallet,
        None => {
            let open = async move |tx: &mut Tx<'_>| ops::wallet(tx, owner, now).await;
            pay.context.store.write_unkeyed(open).await?
        }
    };
    Ok(Json(WalletDocument {
        account_id: wallet.account_id,
        balance: wallet.balance,
    }))
}

/// Sends money to somebody, and tells of it in a chat when a room is named: both, or neither.
#[utoipa::path(
    post, path = "/api/pay/transfers", tag = "pay", request_body = TransferBody,
    params(("Idempotency-Key" = String, Header, description = "The same request sent again with it is done once.")),
    responses((status = 201, body = TransferDocument))
)]
async fn create_transfer(
    State(pay): State<Pay>,
    SignedIn(actor): SignedIn,
    IdempotencyKey(key): IdempotencyKey,
    JsonWithBytes { value: body, bytes }: JsonWithBytes<TransferBody>,
) -> Result<(StatusCode, Json<TransferDocument>), Problem> {
    let request = TransferRequest {
        key: scoped_key(&actor, &key),
        fingerprint: Sha256::digest(&bytes).into(),
        transfer_id: TransferId::new(pay.now()),
        to: pay.person(&body.to)?,
        to_user_id: body.to,
        payer: actor,
        amount: body.amount,
        memo: body.memo,
        room_id: body.room_id,
    };
    let transfer = pay.transfer(request).await?;
    Ok((StatusCode::CREATED, Json(pay.transfer_document(transfer))))
}

/// What came into and went out of the caller's wallet, newest first.
#[utoipa::path(
    get, path = "/api/pay/entries", tag = "pay", params(PageQuery),
    responses((status = 200, body = Page<EntryDocument>))
)]
async fn list_entries(
    State(pay): State<Pay>,
    SignedIn(actor): SignedIn,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<EntryDocument>>, Problem> {
    let limit = page.limit();
    let before = page
        .before
        .map(|before| before.parse::<EntryId>())
        .transpose()
        .map_err(|error| Problem::bad_request("invalid-query", error.to_string()))?;
    let read = async move |tx: &mut Tx<'_>| {
        let entries = ops::entries(tx, actor.person, before, limit + 1).await?;
        let people: Vec<PersonId> = entries.iter().filter_map(|entry| entry.counterparty).collect();
        let people = haechi_identity::ops::find_people(tx, &people).await?;
        Ok::<_, PayError>((entries, people))
    };
    let (entries, people) = pay.context.store.read(read).await?;
    let people: HashMap<PersonId, Person> = people.into_iter().map(|person| (person.id, person)).collect();
    let entries = Page::from_one_more(entries, limit, |entry| entry.entry_id.to_string());
    Ok(Json(entries.map(|entry| pay.entry_document(entry, &people))))
}

/// Adds money to somebody's wallet. Administrators only.
#[utoipa::path(
    post, path = "/api/pay/topups", tag = "pay", request_body = TopUpBody,
    params(("Idempotency-Key" = String, Header, description = "The same request sent again with it is done once.")),
    responses((status = 201, body = TransferDocument))
)]
async fn create_top_up(
    State(pay): State<Pay>,
    Administrator(actor): Administrator,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<TopUpBody>,
) -> Result<(StatusCode, Json<TransferDocument>), Problem> {
    let to = pay.person(&body.to)?;
    let transfer = pay
        .top_up(&actor.person.to_string(), &key, to, body.amount)
        .await?;
    Ok((StatusCode::CREATED, Json(pay.transfer_document(transfer))))
}

/// Sums up the whole ledger: the sum is zero and every wallet is the sum of its entries. Administrators only.
#[utoipa::path(get, path = "/api/pay/ledger", tag = "pay", responses((status = 200, body = LedgerCheck)))]
async fn check_ledger(State(pay): State<Pay>, _: Administrator) -> Result<Json<LedgerCheck>, Problem> {
    Ok(Json(
        pay.context
            .store
            .read(async |tx: &mut Tx<'_>| ops::check_ledger(tx).await)
            .await?,
    ))
}

impl Pay {
    fn person(&self, user_id: &str) -> Result<PersonId, Problem> {
        self.identity
            .person_of_user_id(user_id)
            .ok_or_else(|| PayError::NoSuchPerson.into())
    }

    fn transfer_document(&self, transfer: Transfer) -> TransferDocument {
        TransferDocument {
            transfer_id: transfer.transfer_id,
            from: transfer.from.map(|from| self.identity.user_id(from)),
            to: self.identity.user_id(transfer.to),
            amount: transfer.amount,
            memo: transfer.memo,
            room_id: transfer.room_id,
            event_id: transfer.event_id,
            created_at: transfer.created_at,
        }
    }

    fn entry_document(&self, entry: Entry, people: &HashMap<PersonId, Person>) -> EntryDocument {
        let counterparty = entry
            .counterparty
            .and_then(|id| people.get(&id))
            .map(|person| Counterparty {
                user_id: self.identity.user_id(person.id),
                display_name: person.display_name.as_str().to_owned(),
            });
        EntryDocument {
            entry_id: entry.entry_id,
            transfer_id: entry.transfer_id,
            kind: entry.kind,
            amount: entry.amount,
            counterparty,
            memo: entry.memo,
            created_at: entry.created_at,
        }
    }
}

impl From<PayError> for Problem {
    fn from(error: PayError) -> Self {
        let detail = error.to_string();
        match error {
            PayError::Refused(refusal) => Self::unprocessable(slug(refusal), detail),
            PayError::NoSuchPerson => Self::not_found("no-such-person", detail),
            PayError::ReceiverNotInRoom => Self::forbidden("receiver-not-in-room", detail),
            PayError::Chat(error) => error.into(),
            PayError::Identity(error) => error.into(),
            PayError::Store(error) => error.into(),
        }
    }
}

const fn slug(refusal: TransferRefusal) -> &'static str {
    match refusal {
        TransferRefusal::SamePerson => "same-person",
        TransferRefusal::AmountNotPositive => "amount-not-positive",
        TransferRefusal::AmountTooLarge(_) => "amount-too-large",
        TransferRefusal::CurrencyNotSupported { .. } => "currency-not-supported",
        TransferRefusal::InsufficientFunds { .. } => "insufficient-funds",
        TransferRefusal::WalletFull => "wallet-full",
    }
}

//! `haechi admin`: what an operator does, through the services' own verbs.

mod demo;
mod drill;
mod site;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use haechi_base::{Actor, Money, PersonId, Role, SessionId, random};
use haechi_identity::{IdentityError, Person};
use haechi_store::{Tx, WriteKey};

use crate::services::Services;
use crate::settings::Settings;

/// Do what an operator does. It may run beside a server on the same store.
#[derive(Debug, Args)]
pub(super) struct Admin {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Add won to somebody's wallet
    TopUp {
        /// Their phone number
        #[arg(long, value_name = "PHONE")]
        to: String,
        /// How many won
        #[arg(long)]
        amount: i64,
        /// An idempotency key: the same top-up told again with it is done once
        #[arg(long)]
        key: Option<String>,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Let somebody do more, or less
    Grant {
        /// Their phone number
        #[arg(long)]
        phone: String,
        /// person or administrator
        #[arg(long)]
        role: Role,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Check that the ledger sums to zero and every wallet is the sum of its entries
    Ledger {
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Register sites (data centres), drain them, and take them out
    Site(site::Site),
    /// Keep what drills found
    Drill(drill::Drill),
    /// Make demonstration data: two people, a chat, some money. Done once, however often it is called
    Demo {
        #[command(flatten)]
        settings: Box<Settings>,
    },
}

impl Admin {
    pub(super) async fn run(self) -> Result<()> {
        match self.task {
            Task::TopUp {
                to,
                amount,
                key,
                settings,
            } => {
                let services = open(*settings).await?;
                let person = find(&services, &to).await?;
                let key = key.unwrap_or_else(random::name);
                let transfer = services
                    .pay
                    .top_up("command-line", &key, person.id, Money::krw(amount))
                    .await?;
                println!(
                    "{} for {} ({})",
                    transfer.amount, person.display_name, person.phone
                );
            }
            Task::Grant {
                phone,
                role,
                settings,
            } => {
                let services = open(*settings).await?;
                let person = grant(&services, &phone, role).await?;
                println!(
                    "{} ({}) is now {}",
                    person.display_name,
                    person.phone,
                    role.as_str()
                );
            }
            Task::Ledger { settings } => check_ledger(&open(*settings).await?).await?,
            Task::Site(site) => site.run().await?,
            Task::Drill(drill) => drill.run().await?,
            Task::Demo { settings } => demo::make(&open(*settings).await?).await?,
        }
        Ok(())
    }
}

/// The operator at the command line, who could as well write to the store by hand.
fn operator() -> Actor {
    let nobody = haechi_base::uuid::Uuid::nil();
    Actor {
        person: PersonId::from_uuid(nobody),
        session: SessionId::from_uuid(nobody),
        device: "command-line".to_owned(),
        role: Role::Administrator,
    }
}

async fn open(settings: Settings) -> Result<Services> {
    let settings = settings.with_file()?;
    crate::log::start(&settings)?;
    let services = crate::program::open(&settings, settings.listen()).await?;
    if settings.migrates() {
        services.context.store.migrate(&services.migrations()).await?;
    }
    Ok(services)
}

async fn find(services: &Services, phone: &str) -> Result<Person> {
    let number = services.identity.parse_phone(phone)?;
    let read = async move |tx: &mut Tx<'_>| haechi_identity::ops::find_by_phone(tx, &number).await;
    let found: Option<Person> = services.context.store.read(read).await?;
    found.with_context(|| format!("nobody signed up with {phone}"))
}

async fn grant(services: &Services, phone: &str, role: Role) -> Result<Person> {
    let person = find(services, phone).await?;
    let write = async move |tx: &mut Tx<'_>| {
        haechi_identity::ops::grant_role(tx, &operator(), person.id, role).await?;
        Ok::<_, IdentityError>(())
    };
    services.context.store.write(WriteKey::fresh(), write).await?;
    find(services, phone).await
}

async fn check_ledger(services: &Services) -> Result<()> {
    let read = async |tx: &mut Tx<'_>| haechi_pay::ops::check_ledger(tx).await;
    let ledger = services.context.store.read(read).await?;
    println!("{} entries sum to {}", ledger.entries, ledger.sum);
    if ledger.sum != 0 || ledger.wallets_out_of_balance != 0 {
        bail!(
            "the ledger is out of balance: {} wallets differ from their entries",
            ledger.wallets_out_of_balance
        );
    }
    Ok(())
}

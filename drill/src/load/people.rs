//! The people of a load: signed up over HTTP, each at their own site.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, TryStreamExt};
use haechi_bench::client::{Answer, Call};
use haechi_bench::server::command;
use http::Method;
use serde_json::{Value, json};

use super::options::Administrator;
use super::roamer::{Outcome, Roamer};
use super::shared::Shared;

/// Sign-ups under way at once.
const SIGN_UPS_AT_ONCE: usize = 8;

/// How often a sign-in is tried.
const SIGN_IN_TRIES_MAX: u32 = 3;

/// The first and the number after the last phone number of a load, behind `+8210`. Not all below are given to phones.
const NUMBERS: std::ops::Range<u32> = 60_000_000..90_000_000;

/// Somebody who is signed in.
pub(crate) struct Person {
    pub(crate) roamer: Roamer,
    pub(crate) user_id: String,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
}

/// Gives out phone numbers that no other load is likely to have had.
pub(crate) struct Phones(u32);

impl Phones {
    pub(crate) fn new() -> Self {
        let random = u32::from_be_bytes(haechi_base::random::bytes());
        Self(NUMBERS.start + random % (NUMBERS.end - NUMBERS.start))
    }

    pub(crate) fn draw(&mut self) -> String {
        self.0 += 1;
        format!("+8210{}", self.0)
    }
}

/// Sends a request of the preparations until a site does it.
pub(crate) async fn done(roamer: &mut Roamer, call: &Call) -> Result<Answer> {
    match roamer.write(call).await {
        Outcome::Acknowledged(acknowledged) => Ok(acknowledged.answer),
        Outcome::Refused(answer) => bail!(
            "{} {}: {}: {}",
            call.method,
            call.path,
            answer.status,
            String::from_utf8_lossy(&answer.body)
        ),
        Outcome::GaveUp => bail!("{} {}: the load ended", call.method, call.path),
    }
}

pub(crate) fn post(path: &str, body: &Value) -> Call {
    Call::with_body(Method::POST, path, body.to_string())
}

/// A text of a JSON answer.
pub(crate) fn text_of(answer: &Value, name: &str) -> Result<String> {
    let found = answer[name].as_str();
    Ok(found
        .with_context(|| format!("the answer lacks {name}"))?
        .to_owned())
}

/// Signs somebody up, or in when the number is known. A sign-in is sent again as it is until it is answered, and then it
/// is the same session. Another code is asked for when a newer one took the place of this one: a site that hung sent it
/// after all.
async fn sign_in(mut roamer: Roamer, phone: &str, name: &str) -> Result<Person> {
    let mut tries = 0;
    let session = loop {
        tries += 1;
        match session(&mut roamer, phone, name).await {
            Ok(session) => break session,
            Err(error) if tries == SIGN_IN_TRIES_MAX => return Err(error),
            Err(_) => {}
        }
    };
    let token = text_of(&session, "access_token")?;
    roamer.set_token(&token)?;
    Ok(Person {
        roamer,
        user_id: text_of(&session["person"], "user_id")?,
        refresh_token: text_of(&session, "refresh_token")?,
        token,
    })
}

async fn session(roamer: &mut Roamer, phone: &str, name: &str) -> Result<Value> {
    let asked = post("/api/identity/codes", &json!({ "phone": phone }));
    let asked = done(roamer, &asked).await?.json()?;
    let code = text_of(&asked, "development_code").context("the sites must show codes")?;
    let body = json!({ "phone": phone, "code": code, "device_name": "haechi drill", "display_name": name });
    done(roamer, &post("/api/identity/sessions", &body)).await?.json()
}

/// Signs up as many people as there are homes, each at the site named for them.
pub(crate) async fn sign_up(
    shared: &Arc<Shared>,
    homes: &[usize],
    phones: &mut Phones,
    kind: &str,
) -> Result<Vec<Person>> {
    let wanted: Vec<(usize, usize, String)> = homes
        .iter()
        .enumerate()
        .map(|(number, home)| (number, *home, phones.draw()))
        .collect();
    futures_util::stream::iter(wanted)
        .map(|(number, home, phone)| {
            let roamer = Roamer::new(Arc::clone(shared), home, number);
            async move { sign_in(roamer, &phone, &format!("Drill {kind} {number}")).await }
        })
        .buffered(SIGN_UPS_AT_ONCE)
        .try_collect()
        .await
}

/// Signs somebody up and makes an administrator of them with the program's own command.
pub(crate) async fn administrator(
    shared: &Arc<Shared>,
    phones: &mut Phones,
    how: &Administrator,
) -> Result<Person> {
    let phone = phones.draw();
    let name = "Drill operator";
    sign_in(Roamer::new(Arc::clone(shared), 0, 0), &phone, name).await?;
    let granted = command(&how.program)
        .args(["admin", "grant", "--store", &how.store, "--phone", &phone])
        .args(["--role", "administrator"])
        .envs(
            how.environment
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
        .output()
        .await
        .with_context(|| format!("cannot start {}", how.program.display()))?;
    if !granted.status.success() {
        bail!(
            "`haechi admin grant` failed: {}",
            String::from_utf8_lossy(&granted.stderr)
        );
    }
    // Signed in again: the role stands in the token.
    sign_in(Roamer::new(Arc::clone(shared), 0, 0), &phone, name).await
}

/// The homes of `count` clients, spread by the sites' weights: nobody gets more than a whole client beside their
/// share (largest remainders).
pub(crate) fn homes(weights: &[u32], count: usize) -> Vec<usize> {
    let sum: usize = weights.iter().map(|weight| *weight as usize).sum();
    if sum == 0 {
        return (0..count).map(|number| number % weights.len().max(1)).collect();
    }
    let share = |weight: u32| (count * weight as usize) / sum;
    let mut clients: Vec<usize> = weights.iter().map(|weight| share(*weight)).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|site| std::cmp::Reverse((count * weights[*site] as usize) % sum));
    let given: usize = clients.iter().sum();
    for site in by_remainder.into_iter().take(count - given) {
        clients[site] += 1;
    }
    // Dealt out in turns, so that neighbours by number live at different sites.
    let mut homes = Vec::with_capacity(count);
    while homes.len() < count {
        for (site, left) in clients.iter_mut().enumerate() {
            if *left > 0 {
                *left -= 1;
                homes.push(site);
            }
        }
    }
    homes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_site_gets_its_share() {
        let homes = homes(&[40, 20, 20, 20], 32);
        let count = |site| homes.iter().filter(|home| **home == site).count();
        assert_eq!((count(0), count(1), count(2), count(3)), (13, 7, 6, 6));
    }

    #[test]
    fn few_clients_are_spread_over_all_sites() {
        assert_eq!(homes(&[40, 20, 20, 20], 4), [0, 1, 2, 3]);
        assert_eq!(homes(&[0, 0], 3), [0, 1, 0]);
        assert_eq!(homes(&[7], 2), [0, 0]);
    }
}

//! A read that does not wait for a silent site: the next one is asked while the first may still answer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use haechi_bench::client::{Answer, Call, Client};

use super::notes::Read;
use super::roamer::{Roamer, connect, is_passing};
use super::shared::micros;

/// A read that no site answers within this time has failed.
pub(crate) const READ_BOUND: Duration = Duration::from_secs(1);

/// How long a site may take before the next one is asked too.
const HEDGE_AFTER: Duration = Duration::from_millis(250);

/// When a read that failed is given up altogether.
const READ_WAIT: Duration = Duration::from_secs(60);

/// When silent sites are asked again.
const ROUND_WAIT: Duration = Duration::from_secs(2);

/// The pause after all sites were asked in vain.
const ROUND_PAUSE: Duration = Duration::from_millis(50);

/// What one site said, with its place in the client's order and its connection.
type Said = (usize, Option<(Client, Answer)>);

impl Roamer {
    /// Reads from the present site, and from the next ones when it is silent or refuses. Returns how long it took
    /// and the first good answer. An answer that says no for good is returned as well.
    pub(crate) async fn read(&mut self, call: &Call) -> (Read, Option<Answer>) {
        self.go_home();
        let asked_us = self.shared.now_us();
        let found = tokio::time::timeout(READ_WAIT, self.ask_around(call)).await.ok();
        let took_us = self.shared.now_us().saturating_sub(asked_us);
        let is_good = found.as_ref().is_some_and(|answer| answer.status.is_success());
        let is_failed = !is_good || took_us > micros(READ_BOUND);
        if is_failed {
            self.shared.read_failures.fetch_add(1, Ordering::Relaxed);
        } else {
            self.shared.reads.fetch_add(1, Ordering::Relaxed);
        }
        let read = Read {
            asked_us,
            took_us,
            is_failed,
        };
        (read, found)
    }

    async fn ask_around(&mut self, call: &Call) -> Answer {
        loop {
            if let Ok(Some(answer)) = tokio::time::timeout(ROUND_WAIT, self.ask_each(call)).await {
                return answer;
            }
            tokio::time::sleep(ROUND_PAUSE).await;
        }
    }

    /// Asks each site once, the next when the one before failed or is silent for [`HEDGE_AFTER`]. None when the
    /// round is over without an answer that counts.
    async fn ask_each(&mut self, call: &Call) -> Option<Answer> {
        let (begun_at, sites) = (self.at, self.order.len());
        let mut left = (0..sites).map(|step| (begun_at + step) % sites);
        let mut asked: FuturesUnordered<BoxFuture<'static, Said>> = FuturesUnordered::new();
        let (mut refusal, mut failed) = (None, 0);
        asked.extend(left.next().map(|place| self.ask(place, call)));
        loop {
            let said = tokio::select! {
                said = asked.next() => said,
                () = tokio::time::sleep(HEDGE_AFTER) => {
                    match left.next() {
                        Some(place) => asked.push(self.ask(place, call)),
                        // Those who failed are asked again; only silent ones are left.
                        None if failed > 0 => return refusal,
                        None => {}
                    }
                    continue;
                }
            };
            match said {
                Some((place, Some((client, answer)))) if answer.status.is_success() => {
                    let site = self.order.get(place).copied().unwrap_or_default();
                    self.keep_connection(site, client);
                    self.shared.note_answered(site);
                    self.use_place(place);
                    return Some(answer);
                }
                Some((_, Some((_, answer)))) if !is_passing(answer.status) => refusal = Some(answer),
                Some(_) => {}
                None => return refusal,
            }
            failed += 1;
            asked.extend(left.next().map(|place| self.ask(place, call)));
        }
    }

    fn ask(&mut self, place: usize, call: &Call) -> BoxFuture<'static, Said> {
        let site = self.order.get(place).copied().unwrap_or_default();
        let kept = self.connections.get_mut(site).and_then(Option::take);
        let (shared, token, call) = (self.shared.clone(), self.token(), call.clone());
        Box::pin(async move {
            let open = match kept.filter(|client| !client.is_closed()) {
                Some(open) => Some(open),
                None => connect(&shared, site, token.as_deref()).await,
            };
            let Some(mut client) = open else {
                return (place, None);
            };
            let answer = client.call(&call).await.ok();
            (place, answer.map(|answer| (client, answer)))
        })
    }
}

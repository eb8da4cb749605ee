//! The live view: a line for each site and one for the whole on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use crate::load::{Live, Phase, SiteLive};

/// How often a plain line is printed while nothing begins.
const PLAIN_PERIOD: Duration = Duration::from_secs(5);

/// Over how long rates are counted.
const RATE_PERIOD: Duration = Duration::from_millis(1_000);

/// A gap from which on the view calls writes stalled.
const STALL: Duration = Duration::from_millis(500);

/// Steps of a progress bar.
const PROGRESS_STEPS: u64 = 1_000;

/// A site's state, for its line.
#[derive(Debug, Clone, Default)]
pub struct SiteView {
    /// `running`, `burnt`, `frozen`, `cut`, `rejoining`, ...
    pub state: String,
    /// Whether its PostgreSQL leads.
    pub leads: bool,
    /// Whether its etcd member leads.
    pub etcd_leads: bool,
}

/// The view. It writes to standard error; what it is told from several tasks it shows in turn.
pub struct View {
    sites: Vec<String>,
    state: Mutex<State>,
    screen: Option<Screen>,
}

struct Screen {
    all: MultiProgress,
    sites: Vec<ProgressBar>,
    whole: ProgressBar,
}

struct State {
    what: String,
    rates: Rates,
    printed_at: Instant,
}

/// Requests a second, from two looks at the counts.
struct Rates {
    looked_at: Instant,
    acknowledged: u64,
    answered: Vec<u64>,
    acknowledged_per_s: f64,
    answered_per_s: Vec<f64>,
}

impl Rates {
    fn new(sites: usize) -> Self {
        Self {
            looked_at: Instant::now(),
            acknowledged: 0,
            answered: vec![0; sites],
            acknowledged_per_s: 0.0,
            answered_per_s: vec![0.0; sites],
        }
    }

    /// Takes a look, when the last one is long enough ago.
    fn look(&mut self, live: &Live, now: Instant) {
        let span = now.duration_since(self.looked_at);
        // A new round counts from zero again.
        if live.acknowledged < self.acknowledged {
            *self = Self::new(self.answered.len());
        }
        if span < RATE_PERIOD {
            return;
        }
        self.acknowledged_per_s = rate(live.acknowledged, self.acknowledged, span);
        self.acknowledged = live.acknowledged;
        for (site, before) in live.sites.iter().zip(&mut self.answered).enumerate() {
            let (site, (live, before)) = (site, before);
            if let Some(per_s) = self.answered_per_s.get_mut(site) {
                *per_s = rate(live.answered, *before, span);
            }
            *before = live.answered;
        }
        self.looked_at = now;
    }
}

fn rate(now: u64, before: u64, span: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of a second")]
    let more = now.saturating_sub(before) as f64;
    more / span.as_secs_f64()
}

impl View {
    /// A view of these sites, on the terminal if standard error is one.
    #[must_use]
    pub fn new(sites: &[String]) -> Self {
        let screen = std::io::stderr().is_terminal().then(|| Screen::new(sites.len()));
        Self {
            sites: sites.to_vec(),
            state: Mutex::new(State {
                what: String::new(),
                rates: Rates::new(sites.len()),
                printed_at: Instant::now(),
            }),
            screen,
        }
    }

    /// Something that is worth a line of its own.
    pub fn say(&self, line: &str) {
        match &self.screen {
            // A terminal that cannot be written to is no reason to stop a drill.
            Some(screen) => drop(screen.all.println(line)),
            None => eprintln!("{line}"),
        }
    }

    /// A phase begins, or a step before and after the load; `what` says what happens now.
    pub fn phase(&self, phase: Option<Phase>, what: &str) {
        let name = phase.map_or_else(String::new, |phase| format!("{}: ", phase.name()));
        let line = format!("{name}{what}");
        self.say(&line);
        self.state.lock().what = line;
        self.progress(0.0);
    }

    /// How far this step is, from 0 to 1.
    pub fn progress(&self, share: f64) {
        if let Some(screen) = &self.screen {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of a thousand"
            )]
            screen
                .whole
                .set_position((share.clamp(0.0, 1.0) * 1_000.0).round() as u64);
        }
    }

    /// Shows the present state. Call it several times a second.
    pub fn show(&self, sites: &[SiteView], live: &Live) {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.rates.look(live, now);
        let whole = whole_line(&state.what, live, state.rates.acknowledged_per_s);
        let width = self
            .sites
            .iter()
            .map(|name| name.chars().count())
            .max()
            .unwrap_or_default();
        let lines = self.sites.iter().enumerate().map(|(number, name)| {
            let per_s = state
                .rates
                .answered_per_s
                .get(number)
                .copied()
                .unwrap_or_default();
            let live = live.sites.get(number).cloned().unwrap_or_default();
            site_line(
                &format!("{name:width$}"),
                &sites.get(number).cloned().unwrap_or_default(),
                &live,
                per_s,
            )
        });
        match &self.screen {
            Some(screen) => {
                for (bar, line) in screen.sites.iter().zip(lines) {
                    bar.set_message(line);
                }
                screen.whole.set_message(whole);
            }
            None if now.duration_since(state.printed_at) >= PLAIN_PERIOD => {
                eprintln!("{whole}");
                for line in lines {
                    eprintln!("  {}", line.trim_end());
                }
                state.printed_at = now;
            }
            None => {}
        }
    }

    /// Leaves the terminal tidy. What is said afterwards goes on below.
    pub fn finish(&self) {
        if let Some(screen) = &self.screen {
            for bar in screen.sites.iter().chain([&screen.whole]) {
                bar.finish_and_clear();
            }
        }
    }
}

impl Screen {
    fn new(sites: usize) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let line = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressStyle::with_template("{bar:20.green} {elapsed} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let sites = (0..sites)
            .map(|_| all.add(ProgressBar::no_length().with_style(line.clone())))
            .collect();
        let whole = all.add(ProgressBar::new(PROGRESS_STEPS).with_style(bar));
        whole.enable_steady_tick(Duration::from_millis(200));
        Self { all, sites, whole }
    }
}

/// A site's line: its state, who leads, its load, its longest silence.
fn site_line(name: &str, view: &SiteView, live: &SiteLive, per_s: f64) -> String {
    let leads = if view.leads { "PostgreSQL leader" } else { "" };
    let etcd_leads = if view.etcd_leads { "etcd leader" } else { "" };
    let stall = if live.stall.is_zero() {
        String::new()
    } else {
        format!("longest silence {}", seconds(live.stall))
    };
    format!(
        "{name}  {:<10}  {leads:<17}  {etcd_leads:<11}  {per_s:>6.0} answers/s  {stall}",
        view.state
    )
}

/// The line of the whole: what happens, acknowledged writes, the gap of this moment.
fn whole_line(what: &str, live: &Live, per_s: f64) -> String {
    let gap = if live.since_acknowledged >= STALL {
        format!(", NO WRITE FOR {}", seconds(live.since_acknowledged))
    } else {
        String::new()
    };
    let mut line = format!("{what} | {} acknowledged, {per_s:.0}/s{gap}", live.acknowledged);
    for (count, what) in [
        (live.read_failures, "reads failed"),
        (live.signin_failures, "sign-ins lost"),
    ] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    line
}

fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_stall_is_told_and_a_short_gap_is_not() {
        let mut live = Live {
            acknowledged: 12,
            since_acknowledged: Duration::from_millis(20),
            ..Live::default()
        };
        assert_eq!(
            whole_line("steady: all sites", &live, 80.4),
            "steady: all sites | 12 acknowledged, 80/s"
        );
        live.since_acknowledged = Duration::from_millis(1_240);
        live.read_failures = 2;
        assert_eq!(
            whole_line("struck: pangyo burns", &live, 0.0),
            "struck: pangyo burns | 12 acknowledged, 0/s, NO WRITE FOR 1.2 s, 2 reads failed"
        );
    }

    #[test]
    fn a_site_tells_who_leads_and_how_long_it_was_silent() {
        let view = SiteView {
            state: "burnt".to_owned(),
            leads: true,
            etcd_leads: false,
        };
        let live = SiteLive {
            stall: Duration::from_millis(2_300),
            ..SiteLive::default()
        };
        let line = site_line("pangyo", &view, &live, 41.6);
        for part in [
            "pangyo",
            "burnt",
            "PostgreSQL leader",
            "42 answers/s",
            "longest silence 2.3 s",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(!line.contains("etcd"));
    }

    #[test]
    fn rates_are_counted_over_a_second_and_begin_anew_with_a_new_load() {
        let live = |acknowledged, answered| Live {
            acknowledged,
            sites: vec![SiteLive {
                answered,
                ..SiteLive::default()
            }],
            ..Live::default()
        };
        let mut rates = Rates::new(1);
        let begun = rates.looked_at;
        rates.look(&live(100, 300), begun + Duration::from_millis(500));
        assert_eq!(rates.acknowledged_per_s, 0.0);
        rates.look(&live(200, 600), begun + Duration::from_secs(2));
        assert_eq!(
            (rates.acknowledged_per_s, rates.answered_per_s[0]),
            (100.0, 300.0)
        );
        rates.look(&live(5, 5), begun + Duration::from_secs(3));
        assert_eq!(rates.acknowledged_per_s, 5.0);
    }
}

//! Logs: to standard error, by a filter, as text or as one JSON object a line.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::settings::Settings;

/// Starts logging.
///
/// # Errors
/// The filter is malformed.
pub(crate) fn start(settings: &Settings) -> Result<()> {
    let text = settings.log();
    let filter = EnvFilter::try_new(text).with_context(|| format!("log {text:?} is no filter"))?;
    let log = fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = if settings.log_json() {
        log.json().try_init()
    } else {
        log.try_init()
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}

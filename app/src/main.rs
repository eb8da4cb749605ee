//! Haechi: one program that is every service, in every data centre.
//!
//! This crate wires and holds no rules: the command line, the settings, and what a node serves besides its
//! services. `services.rs` lists these.

mod command;
mod key;
mod log;
mod program;
mod serve;
mod services;
mod settings;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Parser;

/// Requests are many small allocations on several threads, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match command::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain on one line: what was tried, then what went wrong with it.
            eprintln!("haechi: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! `cargo xtask`: the house's chores. See `cargo xtask --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{audit, new_service, root, test, tidy, up};

/// The house's chores.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build everything, start the program with a little demo data, and say how to sign in
    Up(up::Arguments),
    /// Run all tests, after installing what they need that is missing
    Test(test::Arguments),
    /// Check the rules of the house (a second or two; part of `test`)
    Tidy,
    /// Check licences, advisories and bans of everything we depend on
    Audit,
    /// Make the rooms of a new service, which compiles
    NewService(new_service::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let root = root::workspace_root();
    let result = match arguments.chore {
        Chore::Up(arguments) => up::run(&root, &arguments),
        Chore::Test(arguments) => return test::run(&root, &arguments),
        Chore::Tidy => tidy::run(&root),
        Chore::Audit => audit::run(&root),
        Chore::NewService(arguments) => new_service::run(&root, &arguments),
    };
    if let Err(error) = result {
        // Without a backtrace: the error is told to whoever typed the command.
        eprintln!("{error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

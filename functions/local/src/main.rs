//! The binary `gatepost`.

use std::process::ExitCode;

use clap::Parser;
use gatepost_local::commands::{Cli, run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gatepost: {}", gatepost::io::telemetry::with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

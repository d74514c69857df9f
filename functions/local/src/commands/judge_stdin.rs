//! `gatepost judge-stdin`: the inspector's child, and what shows that its fences hold.

use std::io;

use gatepost::inspection::Isolation;
use gatepost_inspect_attachment::{
    child,
    confinement::{Act, confine},
};

use super::CommandError;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Instead of judging, try what the child must not be able to do: connect:ADDR, write:PATH, read:PATH or run:PATH
    #[arg(long, value_name = "ACT", value_parser = Act::parse)]
    attempt: Option<Act>,
    /// Try it without the fences, to see that it is they that hold
    #[arg(long, requires = "attempt")]
    unconfined: bool,
}

pub(super) fn run(args: &Args) -> Result<(), CommandError> {
    let isolation = if args.unconfined { Isolation::default() } else { confine() };
    match &args.attempt {
        Some(act) => {
            act.attempt()?;
            println!("it was possible");
            Ok(())
        }
        None => Ok(child::run_child(io::stdin().lock(), io::stdout().lock(), isolation)?),
    }
}

//! `gatepost incident`

use std::{io::Write, path::PathBuf, process::Command};

use gatepost::{
    alert::PAGES,
    config,
    io::{aws, messages::Messages},
};

use super::{
    CommandError,
    target::{CALL, Target},
};
use crate::{aws::clients, page::incident_key};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// The `page_key` of an alert
    key: String,
    /// Write the page to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show the page in the browser; it is written to --output, or to a file of the system's folder for such
    #[arg(long)]
    open: bool,
}

pub(super) async fn run(args: Args) -> Result<(), CommandError> {
    let name = args.key.strip_prefix(PAGES).filter(|name| incident_key(name).is_some());
    let name = name.ok_or("that is no key of an incident page")?;
    let page = pages(&args.target).await?.fetch_key(&args.key).await?;
    let file = args.output.or_else(|| args.open.then(|| std::env::temp_dir().join(name)));
    let Some(file) = file else { return Ok(std::io::stdout().lock().write_all(&page)?) };
    std::fs::write(&file, page)?;
    if args.open {
        let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let status = Command::new(opener).arg(&file).status()?;
        return if status.success() {
            Ok(())
        } else {
            Err(format!("{opener} could not show {}", file.display()).into())
        };
    }
    Ok(())
}

async fn pages(target: &Target) -> Result<Messages, CommandError> {
    let [bucket] = target.names([config::BUCKET])?;
    let client = if target.aws {
        aws_sdk_s3::Client::new(&aws::of_operator(aws::CALL).await)
    } else {
        clients::s3(&target.endpoints().await?.s3, CALL)
    };
    Ok(Messages { client, bucket })
}

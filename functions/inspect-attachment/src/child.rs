//! One message, one process: what a parser does to one message cannot reach the next.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::confinement::MAX_ANSWER;
use crate::inspect::{Limits, inspect};
use gatepost::inspection::{Inspection, Isolation, Seen};

/// The largest message that is inspected, in bytes: what SES stores (40 MB) and the header fields that it adds.
pub const MAX_MESSAGE: u64 = 45_000_000;

/// Judges `message` in a fresh run of `program`, started with the one `argument` that makes it call [`run_child`].
///
/// The child gets an empty environment, so no credentials. It is killed at the `deadline`, and when the future is
/// dropped. Whatever goes wrong is a finding that quarantines, never an error.
pub async fn judge_in_child(program: &Path, argument: &str, message: &[u8], deadline: Duration) -> Inspection {
    match tokio::time::timeout(deadline, answer_of_child(program, argument, message)).await {
        Ok(Ok(answer)) => Inspection { isolation: Isolation { child_process: true, ..answer.isolation }, ..answer },
        Ok(Err(failure)) => failed(&failure),
        Err(_) => failed(&ChildFailure::Late(deadline)),
    }
}

/// The child's side: reads one message from `stdin` until its end and writes the answer to `stdout` as JSON. `isolation` is what
/// [`crate::confinement::confine`] achieved.
///
/// # Errors
/// Those of reading and writing. The parent takes any exit status but 0 as a failed inspection.
pub fn run_child(stdin: impl Read, mut stdout: impl Write, isolation: Isolation) -> io::Result<()> {
    let mut message = Vec::new();
    stdin.take(MAX_MESSAGE + 1).read_to_end(&mut message)?;
    stdout.write_all(&serde_json::to_vec(&inspection_of(&message, isolation))?)?;
    stdout.flush()
}

/// Why there is no answer. The words reach reports, so nothing that the child wrote is among them.
#[derive(Debug, thiserror::Error)]
enum ChildFailure {
    #[error("the inspecting process could not be started")]
    Start(#[source] io::Error),
    #[error("the inspecting process could not be given the message or did not take it")]
    Pipe(#[source] io::Error),
    #[error("the inspecting process ended with {0}")]
    Crash(ExitStatus),
    #[error("the inspecting process answered more than {MAX_ANSWER} bytes")]
    LongAnswer,
    #[error("the inspecting process gave an answer that cannot be read")]
    BadAnswer(#[source] serde_json::Error),
    #[error("the inspecting process took longer than {} ms", .0.as_millis())]
    Late(Duration),
}

fn failed(failure: &ChildFailure) -> Inspection {
    tracing::warn!(error = failure as &dyn std::error::Error, "inspection failed: {failure}");
    Inspection::failed(&failure.to_string())
}

fn inspection_of(message: &[u8], isolation: Isolation) -> Inspection {
    if message.len() as u64 > MAX_MESSAGE {
        return Inspection::failed("it is larger than 45 MB");
    }
    let Seen { findings, hosts } = inspect(message, Limits::DEFAULT);
    Inspection { findings, hosts, isolation: Isolation { child_process: true, ..isolation } }
}

async fn answer_of_child(program: &Path, argument: &str, message: &[u8]) -> Result<Inspection, ChildFailure> {
    let mut child = start(program, argument)?;
    let answer = converse(&mut child, message).await?;
    let status = child.wait().await.map_err(ChildFailure::Pipe)?;
    if !status.success() {
        return Err(ChildFailure::Crash(status));
    }
    serde_json::from_slice(&answer).map_err(ChildFailure::BadAnswer)
}

fn start(program: &Path, argument: &str) -> Result<Child, ChildFailure> {
    let mut command = Command::new(program);
    command.arg(argument).env_clear().kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().map_err(ChildFailure::Start)
}

/// Writes and reads at the same time: a child that answers early would otherwise block on a full pipe, and we with it.
async fn converse(child: &mut Child, message: &[u8]) -> Result<Vec<u8>, ChildFailure> {
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let stdout = child.stdout.take().expect("stdout is piped");
    let write = async move {
        stdin.write_all(message).await?;
        stdin.shutdown().await
    };
    let mut answer = Vec::new();
    let mut reading = stdout.take(MAX_ANSWER + 1);
    let (written, read) = tokio::join!(write, reading.read_to_end(&mut answer));
    read.map_err(ChildFailure::Pipe)?;
    if answer.len() as u64 > MAX_ANSWER {
        return Err(ChildFailure::LongAnswer);
    }
    crash_before(written, child).await?;
    Ok(answer)
}

/// A child that died does not take the message either: its exit status is the better reason.
async fn crash_before(written: io::Result<()>, child: &mut Child) -> Result<(), ChildFailure> {
    let Err(error) = written else { return Ok(()) };
    match child.wait().await {
        Ok(status) if !status.success() => Err(ChildFailure::Crash(status)),
        _ => Err(ChildFailure::Pipe(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost::finding::Severity;

    const CLEAN: &[u8] = br#"{"findings":[],"isolation":{"child_process":true,"resource_limits":false,"seccomp":false,"landlock":false}}"#;

    fn in_a_child() -> Inspection {
        Inspection {
            findings: vec![],
            hosts: vec![],
            isolation: Isolation { child_process: true, ..Isolation::default() },
        }
    }

    async fn judged_by(program: &str, argument: &str, message: &[u8]) -> Inspection {
        judge_in_child(Path::new(program), argument, message, Duration::from_secs(20)).await
    }

    fn expect_failure(inspection: &Inspection, reason: &str) {
        let found: Vec<_> = inspection.findings.iter().map(|found| (found.code.as_ref(), found.severity)).collect();
        assert_eq!(found, [("inspection_failed", Severity::Quarantine)], "{reason}");
        assert!(inspection.findings.iter().all(|found| found.detail.contains(reason)), "{reason}: {inspection:?}");
        assert_eq!(inspection.isolation, Isolation::default(), "{reason}");
    }

    #[tokio::test]
    async fn the_answer_of_a_child_is_the_answer() {
        let inspection = judged_by("/bin/cat", "-", CLEAN).await;
        assert_eq!(inspection, in_a_child());
    }

    #[tokio::test]
    async fn a_child_that_does_not_answer_properly_quarantines() {
        let larger_than_a_pipe = vec![b'a'; 1_000_000];
        for (program, argument, message, reason) in [
            ("/bin/no-such-program", "", CLEAN, "could not be started"),
            ("/bin/false", "", CLEAN, "ended with exit status: 1"),
            ("/bin/false", "", &larger_than_a_pipe, "ended with exit status: 1"),
            ("/bin/true", "", &larger_than_a_pipe, "did not take it"),
            ("/bin/cat", "-", b"not JSON", "an answer that cannot be read"),
            ("/bin/cat", "-", b"{}", "an answer that cannot be read"),
            ("/usr/bin/yes", "", CLEAN, "more than 1000000 bytes"),
        ] {
            expect_failure(&judged_by(program, argument, message).await, reason);
        }
    }

    #[tokio::test]
    async fn a_child_that_takes_too_long_quarantines() {
        let late = judge_in_child(Path::new("/bin/sleep"), "60", CLEAN, Duration::from_millis(100)).await;
        expect_failure(&late, "took longer than 100 ms");
    }

    /// The shell reads its script from stdin, where the message comes in.
    #[tokio::test]
    async fn a_child_sees_no_environment() {
        let script = [b"printf '%s' '", CLEAN, b"'; exit ${CARGO_MANIFEST_DIR:+3}"].concat();
        assert_eq!(judged_by("/bin/sh", "-s", &script).await, in_a_child());
    }

    #[test]
    fn the_child_writes_one_json_object() {
        let message = b"Subject: hello\r\n\r\nHello Ann\r\n";
        let mut answer = Vec::new();
        run_child(&message[..], &mut answer, Isolation::default()).expect("memory can be read and written");
        assert_eq!(answer, CLEAN);
    }

    #[test]
    fn a_message_over_the_limit_is_not_inspected_and_not_read_further() {
        let mut answer = Vec::new();
        run_child(io::repeat(b'a'), &mut answer, Isolation::default()).expect("memory can be read and written");
        let inspection: Inspection = serde_json::from_slice(&answer).expect("JSON of ours");
        let details: Vec<&str> = inspection.findings.iter().map(|finding| finding.detail.as_str()).collect();
        assert_eq!(details, ["The message was not inspected: it is larger than 45 MB."]);
    }
}

//! The inspector's child is killed, crashes, hangs or answers nonsense: its caller answers, and the message is kept back.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gatepost_local::clock;
use gatepost_verify_inbound::SesDisposition::StopRuleSet;
use serde_json::Value;

use crate::{
    inbound::Case,
    inbound_faults::{Bench, NO_FAULT},
    objects::{keys, lying_in, object},
    stack::{Stack, program, scratch_file},
    table,
};

/// A program that does what `script` says, whatever it is given.
fn child(name: &str, script: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("inspector-that-{name}"));
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it is ours");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("it is ours");
    path
}

#[tokio::test]
async fn whatever_happens_to_the_inspector_the_message_is_quarantined_and_counted_once() {
    let fenced = program("gatepost").display().to_string();
    for (name, script, reason) in [
        ("is-killed", "kill -KILL $$", "the inspecting process ended with signal: 9"),
        ("crashes", "kill -SEGV $$", "the inspecting process ended with signal: 11"),
        ("aborts", "kill -ABRT $$", "the inspecting process ended with signal: 6"),
        ("fails", "exit 3", "the inspecting process ended with exit status: 3"),
        (
            "has-no-memory",
            &format!("exec {fenced} judge-stdin --attempt allocate:1000000000"),
            "ended with exit status: 1",
        ),
        ("calls-home", &format!("exec {fenced} judge-stdin --attempt connect:127.0.0.1:9"), "ended with signal: 31"),
        ("hangs", "exec sleep 60", "the inspecting process took longer than 5000 ms"),
        ("is-silent", "exec cat > /dev/null", "an answer that cannot be read"),
        ("talks-nonsense", "cat > /dev/null; echo hello", "an answer that cannot be read"),
        ("never-stops", "exec yes", "answered more than 1000000 bytes"),
    ] {
        let bench = Bench::with_child(NO_FAULT, child(name, script)).await;
        let event = bench.store(&Case::named("aligned"), "held").await;
        assert_eq!(bench.answer(event, clock::now()).await, StopRuleSet, "{name}");
        assert_eq!(keys(&bench.s3).await, lying_in(&["inbound", "quarantine"], "held"), "{name}");
        let report = object(&bench.s3, "quarantine/held.report.json").await;
        let report: Value = serde_json::from_slice(&report).expect("JSON");
        let findings = report["findings"].as_array().expect("a list");
        let failed: Vec<_> = findings.iter().filter(|finding| finding["code"] == "inspection_failed").collect();
        let [failed] = failed.as_slice() else { panic!("{name}: {report}") };
        assert!(failed["detail"].as_str().is_some_and(|detail| detail.contains(reason)), "{name}: {failed}");
        let counted: Vec<_> = table::counted(&bench.dynamodb).await.into_iter().collect();
        let expected = [("quarantine", 1), ("total", 1), ("uninspected", 1)];
        assert_eq!(counted, expected.map(|(channel, n)| (format!("inbound/receiver.example|{channel}"), n)), "{name}");
    }
}

#[tokio::test]
async fn a_child_that_is_killed_in_the_running_stack_is_logged_and_costs_only_its_message() {
    let path = scratch_file("inspector.log", "");
    let log = File::options().append(true).open(&path).expect("the log can be written");
    let stack = Stack::start_logging(&[], &[], log.into()).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let killer = thread::spawn({
        let (stack, is_over) = (stack.process_id(), Arc::clone(&is_over));
        move || {
            while !is_over.load(Ordering::Relaxed) {
                kill_children(stack);
            }
        }
    });
    let case = Case::named("aligned");
    let mut answer = Value::Null;
    for attempt in 0..200 {
        answer = case.post(&stack, &format!("killed-{attempt}")).await.expect_status(200).json();
        // A child lives for a moment only: the killer is not always in time.
        if answer["report"]["disposition"] == "quarantine" {
            break;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    killer.join().expect("it only kills");
    assert_eq!(answer["report"]["disposition"], "quarantine", "{answer}");
    assert_eq!(answer["report"]["findings"][0]["code"], "inspection_failed", "{answer}");
    assert_eq!(case.post(&stack, "next").await.expect_status(200).json()["report"]["disposition"], "deliver");
    let logged = fs::read_to_string(&path).expect("the log");
    assert!(logged.contains("inspection failed: the inspecting process ended with signal: 9"), "{logged}");
    assert!(logged.contains("inspected inbound/next"), "{logged}");
}

/// Those that judge a message, by what the kernel says of them.
fn kill_children(parent: u32) {
    let processes = fs::read_dir("/proc").expect("there are processes").filter_map(Result::ok);
    for process in processes.map(|entry| entry.path()) {
        let read = |file: &str| fs::read_to_string(process.join(file)).unwrap_or_default();
        let is_child = read("status").lines().any(|line| line == format!("PPid:\t{parent}"));
        if is_child && read("cmdline").contains("judge-stdin") {
            let id = process.file_name().unwrap_or_default().to_string_lossy().into_owned();
            drop(Command::new("kill").args(["-KILL", &id]).status());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

//! The commands of the binary `gatepost`: what they print, and the exit status by which a script knows what happened.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{
    inbound::Case,
    inbound_faults::session,
    stack::{program, root},
};

pub(crate) const ANSWERED: Option<i32> = Some(0);
pub(crate) const COULD_NOT: Option<i32> = Some(1);
const WRONG_USAGE: Option<i32> = Some(2);

pub(crate) fn gatepost(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut command = Command::new(program("gatepost"));
    command.args(arguments).current_dir(root()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // A command that fails may not read its input.
    drop(child.stdin.take().expect("stdin is piped").write_all(stdin));
    child.wait_with_output().expect("it ends")
}

/// The lines of an answer, each as JSON.
#[track_caller]
pub(crate) fn answers(arguments: &[&str], stdin: &[u8]) -> Vec<Value> {
    let output = gatepost(arguments, stdin);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), stderr), (ANSWERED, String::new()), "{arguments:?}");
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

#[track_caller]
pub(crate) fn answer(arguments: &[&str], stdin: &[u8]) -> Value {
    let answers = answers(arguments, stdin);
    let [answer] = answers.as_slice() else { panic!("{} answers", answers.len()) };
    answer.clone()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("UTF-8")
}

/// A file in a folder of this test.
fn file(test: &str, name: &str, content: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("command-line").join(test);
    std::fs::create_dir_all(&folder).expect("the build folder can be written to");
    let path = folder.join(name);
    std::fs::write(&path, content).expect("the build folder can be written to");
    path
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("the build folder has a plain name")
}

#[test]
fn addresses_are_answered_in_order_one_a_line() {
    let list = b"Ann@Example.com\r\nnobody@nullmx.example\n\nann@@example.com\n\xff@example.com";
    let found = answers(&["address", "-"], list);
    let found: Vec<_> = found.iter().map(|a| json!([a["email"], a["verdict"], a["dns"]["status"]])).collect();
    let expected = [
        json!(["Ann@Example.com", "accept", "ok"]),
        json!(["nobody@nullmx.example", "reject", "null_mx"]),
        json!(["", "reject", "not_checked"]),
        json!(["ann@@example.com", "reject", "not_checked"]),
        json!(["\u{fffd}@example.com", "reject", "not_checked"]),
    ];
    assert_eq!(found, expected);
    let path = file("addresses", "list.txt", list);
    assert_eq!(answers(&["address", shown(&path)], b"").len(), expected.len());
    assert_eq!(answers(&["address"], b"").len(), 0);
}

#[test]
fn a_line_of_json_carries_an_address_with_a_line_feed_and_offline_asks_nobody() {
    let lines = b"{\"address\": \"ann@example.com\"}\n{\"address\": \"ann@example.com\\nBcc: b@example.com\"}\n";
    let found = answers(&["address", "--jsonl", "--offline", "-"], lines);
    let found: Vec<_> =
        found.iter().map(|a| json!([a["email"], a["flags"]["injection"], a["dns"]["status"]])).collect();
    let expected = [
        json!(["ann@example.com", false, "not_checked"]),
        json!(["ann@example.com\nBcc: b@example.com", true, "not_checked"]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn spf_answers_with_result_explanation_and_lookups() {
    let check = |client_ip, helo, mail_from| {
        answer(&["spf", "--client-ip", client_ip, "--helo", helo, "--mail-from", mail_from], b"")
    };
    for (client_ip, helo, mail_from, result, lookups) in [
        ("192.0.2.10", "mail.bookshop.example", "bounces@bookshop.example", "pass", 0),
        ("::ffff:192.0.2.10", "mail.bookshop.example", "bounces@bookshop.example", "pass", 0),
        ("192.0.2.11", "mail.bookshop.example", "bounces@bookshop.example", "fail", 0),
        ("192.0.2.20", "anything", "noreply@transit.example", "pass", 1),
        ("192.0.2.77", "mail.village.example", "bookings@village.example", "none", 0),
        ("192.0.2.10", "bookshop.example", "", "pass", 0),
    ] {
        let expected = json!({"result": result, "explanation": null, "lookups": lookups, "void_lookups": 0});
        assert_eq!(check(client_ip, helo, mail_from), expected, "{client_ip} {mail_from}");
    }
    assert_eq!(answer(&["spf", "--client-ip", "192.0.2.10", "--helo", "bookshop.example"], b"")["result"], "pass");
}

#[test]
fn a_message_is_judged_as_it_came_over_smtp_from_a_file_or_stdin() {
    let case = Case::named("aligned");
    let said =
        ["--client-ip", case.word("client_ip"), "--helo", case.word("helo"), "--mail-from", case.word("mail_from")];
    let recipients = ["--rcpt-to", "ann@receiver.example", "--rcpt-to", "ben@receiver.example"];
    let judge = |message: &str, stdin: &[u8]| answer(&[&["verify", message][..], &said, &recipients].concat(), stdin);
    let report = judge("events/messages/aligned.eml", b"");
    assert_eq!(
        json!([report["spf"], report["dkim"], report["dmarc"], report["policy"], report["disposition"]]),
        json!(["pass", "pass", "pass", "reject", "deliver"])
    );
    assert_eq!(
        report["envelope"],
        json!({"client_ip": "192.0.2.10", "helo": "mail.bookshop.example", "mail_from": "bounces@bookshop.example",
               "rcpt_to": ["ann@receiver.example", "ben@receiver.example"]})
    );
    let from_stdin = judge("-", &case.message);
    assert_eq!(from_stdin["message_id"], report["message_id"], "the same message has the same id");
    assert_eq!(from_stdin["authentication_results"], report["authentication_results"]);
}

#[test]
fn a_stored_message_is_judged_by_the_envelope_inside_the_trust_boundary() {
    let case = Case::named("dmarc-reject");
    let session = session(&case, "o3vrnil0e2ic28trm7dfhrc2v0c1rambda4nbp0g1");
    let event = file("ses-event", "event.json", session.event().to_string().as_bytes());
    let message = file("ses-event", "message.eml", &session.stored(&case.message));
    let report = answer(&["verify", "--ses-event", shown(&event), shown(&message)], b"");
    assert_eq!(report["message_id"], session.message_id.as_str());
    assert_eq!(
        report["envelope"],
        json!({"client_ip": "203.0.113.66", "helo": "mail.attacker.example", "mail_from": "bounce@attacker.example",
               "rcpt_to": ["ann@receiver.example"]})
    );
    assert_eq!(json!([report["spf"], report["dmarc"], report["disposition"]]), json!(["pass", "fail", "reject"]));
    let of_another = file("ses-event", "other.eml", &self::session(&case, "another").stored(&case.message));
    let report = answer(&["verify", "--ses-event", shown(&event), shown(&of_another)], b"");
    assert_eq!(
        json!([report["findings"][0]["code"], report["disposition"]]),
        json!(["ses_other_message", "quarantine"])
    );
    let unprepended = answer(&["verify", "--ses-event", shown(&event), "events/messages/dmarc-reject.eml"], b"");
    assert_eq!(
        json!([unprepended["findings"][0]["code"], unprepended["disposition"]]),
        json!(["ses_no_block", "quarantine"])
    );
}

#[test]
fn settings_come_from_the_file_and_what_is_quarantined_is_kept_in_the_folder() {
    let case = Case::named("forwarded-arc");
    let config = b"authserv_id = \"mx.receiver.example\"\ntrusted_arc_sealers = [\"lists.example\"]\n";
    let config = file("config", "gatepost.toml", config);
    let judge = |case: &Case, more: &[&str]| {
        let message = format!("events/messages/{}.eml", case.name);
        let (client_ip, helo, mail_from) = (case.word("client_ip"), case.word("helo"), case.word("mail_from"));
        let said = ["verify", &message, "--client-ip", client_ip, "--helo", helo, "--mail-from", mail_from];
        answer(&[&said[..], more].concat(), b"")
    };
    let trusted = judge(&case, &["--config", shown(&config)]);
    assert_eq!(json!([trusted["dmarc"], trusted["disposition"]]), json!(["fail", "deliver"]));
    let written = trusted["authentication_results"].as_str().expect("text");
    assert!(written.starts_with("mx.receiver.example;"), "{written}");
    assert_eq!(judge(&case, &[])["disposition"], "reject");

    let kept = config.parent().expect("in a folder").join("quarantine");
    let report = judge(&Case::named("dmarc-quarantine"), &["--quarantine", shown(&kept)]);
    judge(&Case::named("aligned"), &["--quarantine", shown(&kept)]);
    let id = report["message_id"].as_str().expect("text");
    let mut names: Vec<_> =
        std::fs::read_dir(&kept).expect("it was made").map(|f| f.expect("readable").file_name()).collect();
    names.sort_unstable();
    assert_eq!(names, [id, &format!("{id}.report.json")], "what is delivered is not kept");
    assert!(std::fs::read(kept.join(id)).expect("kept") == Case::named("dmarc-quarantine").message);
    let beside = std::fs::read(kept.join(format!("{id}.report.json"))).expect("kept");
    assert_eq!(serde_json::from_slice::<Value>(&beside).expect("JSON"), report);
}

#[test]
fn backtest_scores_every_row_and_writes_alerts_for_what_is_unusual() {
    let quiet = std::fs::read_to_string(root().join("events/counters/signup.csv")).expect("the example history");
    let flood: String = quiet.lines().map(|line| flooded(line) + "\n").collect();
    let (quiet, flood) =
        (file("backtest", "quiet.csv", quiet.as_bytes()), file("backtest", "flood.csv", flood.as_bytes()));
    let (alerts, scores) = (file("backtest", "alerts.jsonl", b""), quiet.with_file_name("scores"));
    let output = gatepost(
        &["backtest", shown(&quiet), shown(&flood), "--alerts", shown(&alerts), "--scores", shown(&scores)],
        b"",
    );
    assert_eq!((output.status.code(), text(&output.stderr)), (ANSWERED, String::new()));
    let alerts = std::fs::read_to_string(&alerts).expect("they were written");
    let alerts: Vec<Value> = alerts.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(alerts.iter().all(|alert| alert["series"] == "flood"), "{alerts:?}");
    let opened: Vec<_> = alerts.iter().filter_map(|alert| alert["start"].as_str()).collect();
    assert!(opened.iter().any(|start| start.starts_with("2026-11-20T12:")), "{opened:?}");
    for (input, name) in [(&quiet, "quiet.csv"), (&flood, "flood.csv")] {
        let scores = std::fs::read_to_string(scores.join(name)).expect("they were written");
        let rows = std::fs::read_to_string(input).expect("just written").lines().count();
        assert_eq!((scores.lines().next(), scores.lines().count()), (Some("timestamp,value,anomaly_score"), rows));
    }
}

/// Twenty times as many sign-ups in one hour of the history's last week.
fn flooded(line: &str) -> String {
    let Some((ts, rest)) = line.split_once(',').filter(|(ts, _)| ts.starts_with("2026-11-20T12:")) else {
        return line.to_owned();
    };
    let counts = rest.split(',').map(|count| (20 * count.parse::<u64>().expect("a count")).to_string());
    format!("{ts},{}", counts.collect::<Vec<_>>().join(","))
}

#[test]
fn every_command_has_help_and_wrong_usage_is_two() {
    for arguments in [&["--help"][..], &["help"], &["--version"]] {
        assert_eq!(gatepost(arguments, b"").status.code(), ANSWERED, "{arguments:?}");
    }
    for command in ["serve", "address", "spf", "posture", "verify", "backtest"] {
        let output = gatepost(&[command, "--help"], b"");
        assert_eq!((output.status.code(), text(&output.stderr)), (ANSWERED, String::new()), "{command}");
        assert!(text(&output.stdout).contains(&format!("Usage: gatepost {command}")), "{}", text(&output.stdout));
    }
    for arguments in [
        &["nonsense"][..],
        &["--nonsense"],
        &["serve", "--port", "70000"],
        &["serve", "--dns", "nowhere"],
        &["address", "--nonsense"],
        &["spf", "--client-ip", "192.0.2.1"],
        &["spf", "--client-ip", "192.0.2", "--helo", "x"],
        &["spf", "--client-ip", "192.0.2.1", "--helo", "x", "--dns", "127.0.0.1"],
        &["verify"],
        &["verify", "-", "--client-ip", "192.0.2.1", "--helo", "x"],
        &["verify", "-", "--ses-event", "event.json", "--client-ip", "192.0.2.1"],
        &["backtest"],
    ] {
        let output = gatepost(arguments, b"");
        assert_eq!((output.status.code(), output.stdout.len()), (WRONG_USAGE, 0), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{}", text(&output.stderr));
    }
}

#[test]
fn what_cannot_be_done_is_one_and_says_why_on_stderr() {
    let unknown = file("could-not", "unknown.toml", b"[limits]\nbrust = 2\n");
    let broken = file("could-not", "broken.toml", b"limits = [");
    let foreign = file("could-not", "foreign.json", b"{\"Records\": []}");
    let csv = file("could-not", "history.csv", b"when,what\n1,2\n");
    let smtp = ["--client-ip", "192.0.2.10", "--helo", "x", "--mail-from", ""];
    let message = "events/messages/aligned.eml";
    let long = "x".repeat(513);
    for (arguments, stdin, said) in [
        (vec!["address", "no-such-file"], "", "no-such-file: No such file"),
        (vec!["address", "--jsonl", "--offline"], "{\"address\": 5}\n", "not {\"address\": ..}"),
        (vec!["address", "--jsonl", "--offline"], "ann@example.com\n", "not {\"address\": ..}"),
        ([&["verify", "no-such.eml"][..], &smtp].concat(), "", "no-such.eml: No such file"),
        ([&["verify", message, "--config", "no-such.toml"][..], &smtp].concat(), "", "no-such.toml: No such file"),
        (
            [&["verify", message, "--config", shown(&unknown)][..], &smtp].concat(),
            "",
            "GATEPOST_LIMITS_BRUST is no setting",
        ),
        ([&["verify", message, "--config", shown(&broken)][..], &smtp].concat(), "", "broken.toml: TOML parse error"),
        (vec!["serve", "--port", "0", "--config", shown(&unknown)], "", "GATEPOST_LIMITS_BRUST is no setting"),
        (vec!["verify", "--ses-event", "no-such.json", message], "", "no-such.json: No such file"),
        (vec!["verify", "--ses-event", message, message], "", "expected"),
        (vec!["verify", "--ses-event", shown(&foreign), message], "", "neither from SES nor from the sweep"),
        (
            vec!["verify", message, "--client-ip", "192.0.2.10", "--helo", &long, "--mail-from", ""],
            "",
            "the HELO argument is longer than 512 octets",
        ),
        (vec!["backtest", "no-such.csv"], "", "no-such.csv: No such file"),
        (vec!["backtest", shown(&csv)], "", "history.csv:1: the header is neither"),
    ] {
        let output = gatepost(&arguments, stdin.as_bytes());
        let stderr = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (COULD_NOT, 0), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("gatepost: ") && stderr.contains(said), "{arguments:?}: {stderr}");
        assert_eq!(stderr.matches(said).count(), 1, "said twice: {stderr}");
    }
}

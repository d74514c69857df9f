//! The examples of the README, as printed. `…` stands for what differs from run to run.

use gatepost::bucket::Bucket;
use gatepost_local::clock;
use serde_json::{Value, json};

use crate::{
    command_line::{answer, gatepost},
    stack::{Stack, root},
};

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("a README")
}

/// The JSON block behind a marker.
fn shown(marker: &str) -> Value {
    let text = readme();
    let (_, after) = text.split_once(&format!("<!-- {marker} -->\n```json\n")).expect("the marker and its block");
    let (block, _) = after.split_once("```").expect("the block ends");
    serde_json::from_str(block).expect("JSON")
}

/// Compares all but what is shown as `…`, alone or at the end of a text.
#[track_caller]
fn assert_as_shown(shown: &Value, real: &Value, path: &str) {
    match (shown, real) {
        (Value::String(text), _) if text == "…" => {}
        (Value::String(text), Value::String(real)) if text.ends_with('…') => {
            assert!(real.starts_with(text.trim_end_matches('…')), "{path}: {real:?}");
        }
        (Value::Object(shown), Value::Object(real)) => {
            let names = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(shown), names(real), "{path}");
            shown.iter().for_each(|(name, value)| assert_as_shown(value, &real[name], &format!("{path}.{name}")));
        }
        (Value::Array(shown), Value::Array(real)) => {
            assert_eq!(shown.len(), real.len(), "{path}");
            shown.iter().zip(real).for_each(|(shown, real)| assert_as_shown(shown, real, path));
        }
        _ => assert_eq!(shown, real, "{path}"),
    }
}

#[tokio::test]
async fn the_request_of_the_readme_gets_the_printed_answer() {
    let stack = Stack::start().await;
    let question = json!({"email": "Sales@Loopback.Example", "flow": "signup"});
    assert!(readme().contains(&question.to_string().replace("\":\"", "\": \"").replace(",\"", ", \"")));
    assert_as_shown(&shown("answer"), &stack.validate(question).await.expect_status(200).json(), "answer");
}

#[test]
fn the_domain_of_the_readme_has_the_printed_posture() {
    assert!(readme().contains("cargo run -q -- posture example.com"));
    let output = gatepost(&["posture", "example.com"], b"");
    let posture: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_as_shown(&shown("posture example.com"), &posture, "posture");
}

#[tokio::test]
async fn the_message_of_the_readme_gets_the_printed_report() {
    let stack = Stack::start().await;
    let message = std::fs::read(root().join("events/messages/dmarc-reject.eml")).expect("the example message");
    let session = [
        ("client_ip", "203.0.113.66"),
        ("helo", "mail.attacker.example"),
        ("mail_from", "bounce@attacker.example"),
        ("rcpt_to", "ann@receiver.example"),
    ];
    let answer = stack.inbound(&session, message).await.expect_status(200).json();
    assert_as_shown(&shown("inbound dmarc-reject"), &answer, "inbound");
}

#[test]
fn the_forwarded_message_of_the_readme_gets_the_printed_report() {
    let readme = readme();
    let (_, command) =
        readme.split_once("cargo run -q -- verify events/messages/forwarded-arc.eml").expect("the command");
    let (arguments, _) = command.split_once("\n```").expect("the block ends");
    let arguments = arguments.split_ascii_whitespace().filter(|word| *word != "\\");
    let arguments: Vec<&str> = ["verify", "events/messages/forwarded-arc.eml"].into_iter().chain(arguments).collect();
    assert_as_shown(&shown("verify forwarded-arc"), &answer(&arguments, b""), "verify");
}

/// The number that each limit has in the code.
#[test]
fn the_limits_of_the_readme_are_those_of_the_code() {
    use gatepost::{authentication, content::link, display_name, dkim, envelope, header_section, io, spf, tag_list};
    use gatepost_inspect_attachment::{confinement, file::budget, inspect::Limits};
    let readme = readme();
    let posture = format!(
        "at most {} questions to DNS, {} of them for selectors",
        gatepost::posture::MAX_QUESTIONS,
        gatepost::posture::SELECTORS.len()
    );
    assert!(readme.contains(&posture), "{posture}");
    let (_, table) = readme.split_once("### Limits of a message").expect("the table");
    let mb = |octets: usize| format!("{} MB", octets >> 20);
    for (what, limit) in [
        ("message", mb(gatepost_verify_inbound::MAX_MESSAGE_OCTETS)),
        ("header fields", header_section::MAX_FIELDS.to_string()),
        ("octets of one header field", header_section::MAX_FIELD_OCTETS.to_string()),
        ("octets of the From field", gatepost::author::MAX_FROM_OCTETS.to_string()),
        ("characters of a display name", display_name::MAX_DISPLAY_NAME.to_string()),
        ("DKIM signatures", authentication::MAX_SIGNATURES.to_string()),
        ("names in `h=` of a signature", authentication::MAX_SIGNED_FIELDS.to_string()),
        ("octets of a signature field or key record", tag_list::MAX_TAG_LIST_OCTETS.to_string()),
        ("octets of the header fields that one signature covers", dkim::MAX_SIGNED_OCTETS.to_string()),
        ("RSA keys", format!("{} to {} bits", dkim::MIN_RSA_BITS, dkim::MAX_RSA_BITS)),
        ("ARC sets", authentication::MAX_ARC_SETS.to_string()),
        (
            "SPF terms with look-ups, and how many may find nothing",
            format!("{}, {}", spf::MAX_LOOKUPS, spf::MAX_VOID_LOOKUPS),
        ),
        (
            "questions to DNS, for SPF, keys and DMARC",
            [
                io::authentication::MAX_SPF_QUESTIONS,
                io::authentication::MAX_KEY_QUESTIONS,
                io::authentication::MAX_DMARC_QUESTIONS,
            ]
            .map(|most| most.to_string())
            .join(", "),
        ),
        (
            "recipients, and octets of HELO and of each path",
            format!("{}, {}", envelope::MAX_RECIPIENTS, envelope::MAX_PATH_OCTETS),
        ),
        (
            "decoded octets of all parts, and header octets of one",
            format!("{}, {} kB", mb(Limits::DEFAULT.decoded_octets), Limits::DEFAULT.header_octets >> 10),
        ),
        ("links, and octets of one that are read", format!("{}, {}", link::MAX_LINKS, link::MAX_TARGET_OCTETS)),
        ("questions to block lists", gatepost::block_list::MAX_QUESTIONS.to_string()),
        ("MIME parts, and how deep", format!("{}, {}", Limits::DEFAULT.parts, Limits::DEFAULT.depth)),
        (
            "what archives and documents unpack to, how deep, and how many files",
            format!("{} MB, {}, {}", budget::MAX_UNPACKED_OCTETS >> 20, budget::MAX_DEPTH, budget::MAX_ENTRIES),
        ),
        ("how many times its size a file unpacks to, from 10 MB on", budget::MAX_RATIO.to_string()),
        (
            "memory and processor time of an inspection",
            format!("{} MB, {} s", confinement::MAX_MEMORY >> 20, confinement::MAX_PROCESSOR_SECONDS),
        ),
    ] {
        assert!(table.contains(&format!("\n| {what} | {limit}")), "{what}: {limit}");
    }
}

#[tokio::test]
async fn the_flood_of_the_readme_becomes_the_printed_alert() {
    let stack = Stack::start().await;
    for _ in 0..300 {
        stack.validate(json!({"email": "ann@example.com"})).await;
    }
    stack.scan(&Bucket::of(clock::now()).next().rfc3339()).await;
    let opened = stack.alerts().await.into_iter().next().expect("an alert");
    let message: Value = serde_json::from_str(opened["Message"].as_str().expect("text")).expect("JSON");
    let default: Value = serde_json::from_str(message["default"].as_str().expect("text")).expect("JSON");
    assert_as_shown(&shown("alert"), &default, "alert");
}

#[test]
fn the_costs_are_those_that_the_script_computes() {
    let script = root().join("tests/bench/cost/cost.py");
    let output = std::process::Command::new("python3").arg(script).output().expect("python3");
    let computed = String::from_utf8(output.stdout).expect("UTF-8");
    let documented = std::fs::read_to_string(root().join("docs/COST.md")).expect("a document");
    assert!(computed.contains("**together**"), "{computed}");
    assert!(documented.contains(&computed), "docs/COST.md is not what was computed:\n{computed}");
}

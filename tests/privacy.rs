//! Nothing that names a person is in a log or in the table.

use std::fs::File;

use serde_json::{Value, json};

use crate::{
    stack::{Stack, scratch_file},
    table,
};

/// An end user of a caller.
const CLIENT_IP: &str = "203.0.113.78";

/// Stands where a name would.
const CANARY: &str = "zanzibar";

fn addresses() -> [String; 8] {
    [
        format!("{CANARY}@example.com"),
        format!("{CANARY}.{CANARY}+{CANARY}@gmial.com"),
        format!("\"{CANARY}\"@example.com"),
        format!("{CANARY}@[192.0.2.1]"),
        CANARY.to_owned(),
        format!("{CANARY}\r\nBcc: {CANARY}@example.com"),
        format!("{CANARY}@"),
        format!("{CANARY}{}@example.com", "x".repeat(100)),
    ]
}

/// In every way that an address may come; the statuses are those of the answers to what is well-formed.
async fn send_all(stack: &Stack, flow: &str, status: u16) {
    for email in addresses() {
        stack.validate(json!({"email": email, "flow": flow})).await.expect_status(status);
        let batch = json!({"emails": [email, 5], "flow": flow});
        stack.post_json("/v1/validate/batch", &batch).await.expect_status(status);
        stack.validate(json!({"email": [email], "flow": flow})).await.expect_status(400);
    }
    stack.validate(json!({"email": CANARY, "flow": CANARY})).await.expect_status(400);
    stack.send("POST", "/v1/validate", &[("x-api-key", CANARY)], CANARY).await.expect_status(401);
    let key = ("x-api-key", stack.api_key.as_str());
    let jwt = ["eyJhbGciOiJub25lIn0", CANARY, CANARY].join(".");
    let bearer = format!("Bearer {jwt}");
    stack.send("POST", "/v1/validate", &[("authorization", &bearer)], CANARY).await.expect_status(401);
    let path = format!("/v1/validate?{CANARY}={CANARY}");
    let of_the_client = ["user-agent", "referer", "cookie", "x-forwarded-for", "x-request-id", CANARY];
    let fields: Vec<_> = of_the_client
        .into_iter()
        .map(|name| (name, CANARY))
        .chain([key, ("content-type", "application/json")])
        .collect();
    let question = json!({"email": format!("{CANARY}@example.com"), "flow": flow, "client_ip": CLIENT_IP});
    stack.send("POST", &path, &fields, question.to_string()).await.expect_status(status);
    for subject in ["CANARY@example.com", "CANARY%40example.com", "%22CANARY%22@example.com", "CANARY", "CANARY%"] {
        let subject = subject.replace("CANARY", CANARY);
        let path = format!("/v1/domains/{subject}/posture");
        stack.send("GET", &path, &[key], "").await.expect_status(400);
        stack.send("GET", &path, &[], "").await.expect_status(401);
        stack.send("POST", &path, &[key], "").await.expect_status(405);
        stack.send("GET", &format!("/v1/{subject}?email={subject}"), &[key], "").await.expect_status(404);
    }
}

#[tokio::test]
async fn an_address_is_logged_by_its_domain_and_a_keyed_hash_and_kept_nowhere_also_when_the_table_is_gone() {
    let path = scratch_file("privacy.log", "");
    let log = File::options().append(true).open(&path).expect("the log can be written");
    let with_table = Stack::start().await;
    let arguments = ["--dynamodb-endpoint", with_table.dynamodb.as_str()];
    // Of a burst of 8,000 an eighth is left to an instance without a table.
    let stack = Stack::start_logging(&arguments, &[("GATEPOST_LIMITS_BURST", "8000")], log.into()).await;
    send_all(&stack, "signup", 200).await;
    // Writes the counters first.
    stack.send("POST", "/local/scan", &[], "").await.expect_status(200);
    let items = table::items(&stack.dynamodb, "").await;
    let kept = format!("{items:?}");
    assert!(kept.contains("activity#") && kept.contains("rate#"), "{kept}");
    assert!(!kept.contains(CANARY), "{kept}");
    with_table.kill().await;
    send_all(&stack, "signup", 200).await;
    send_all(&stack, "login", 503).await;
    stack.send("POST", "/local/scan", &[], "").await.expect_status(503);
    let log = std::fs::read_to_string(path).expect("a log");
    assert!(!log.contains(CANARY) && !log.contains(CLIENT_IP), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_domain = |line: &&Value| line["domain"] == "example.com" && line["verdict"].is_string();
    let hashed = lines.iter().filter(of_domain).filter_map(|line| line["address.hash"].as_str());
    assert!(hashed.clone().count() > 0 && hashed.clone().all(|hash| hash.len() == 16), "{log}");
    assert!(lines.iter().any(|line| line["http.status"] == 503), "{log}");
}

/// A message with a name of its own in every field that a sender writes, and findings about most of them.
fn message_full_of_names() -> String {
    "From: \"CANARY-name support@bank.example\" <CANARY-from@example.com>\r\n\
     Reply-To: <CANARY-reply@example.net>\r\n\
     To: \"CANARY-to\" <CANARY-to@receiver.example>\r\n\
     Subject: CANARY-subject =?utf-8?q?CANARY-encoded?=\r\n\
     Message-ID: <CANARY-id@example.com>\r\n\
     Authentication-Results: gatepost.invalid; spf=pass smtp.mailfrom=CANARY-results@example.com\r\n\
     DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=CANARY-selector; i=CANARY-agent@example.com; h=from; bh=; b=\r\n\
     X-CANARY-field: CANARY-value\r\n\
     Received: from CANARY-host by x with SMTP id CANARY-received; Mon, 23 Nov 2026 02:15:02 +0000\r\n\
     MIME-Version: 1.0\r\n\
     Content-Type: multipart/mixed; boundary=CANARY-boundary\r\n\
     \r\n\
     CANARY-preamble\r\n\
     --CANARY-boundary\r\n\
     Content-Type: text/html; charset=CANARY-charset\r\n\
     Content-ID: <CANARY-part>\r\n\
     \r\n\
     <p>CANARY-text <a href=\"http://CANARY-user:CANARY-word@203.0.113.9/CANARY-path?q=CANARY-query#CANARY-mark\">\
     https://bank.example/CANARY-shown</a> <a href=\"javascript:CANARY-script()\">x</a>\
     <form action=\"https://bit.ly/CANARY-form\"><input type=password name=CANARY-input></form></p>\r\n\
     --CANARY-boundary\r\n\
     Content-Type: application/octet-stream; name=\"CANARY-typed.pdf\"\r\n\
     Content-Disposition: attachment; filename=\"CANARY-file.pdf.exe\"\r\n\
     \r\n\
     MZCANARY-content\r\n\
     --CANARY-boundary\r\n\
     Content-Type: message/rfc822\r\n\
     \r\n\
     From: CANARY-inner@example.com\r\n\
     Subject: CANARY-within\r\n\
     \r\n\
     CANARY-depth\r\n\
     --CANARY-boundary--\r\n"
        .replace("CANARY", CANARY)
}

#[tokio::test]
async fn nothing_that_a_sender_or_a_recipient_is_called_is_logged_of_a_message_but_what_became_of_it_is() {
    let path = scratch_file("privacy-inbound.log", "");
    let log = File::options().append(true).open(&path).expect("the log can be written");
    let stack = Stack::start_logging(&[], &[("GATEPOST_PROTECTED_DOMAINS", "bank.example")], log.into()).await;
    let names = ["CANARY-helo", "CANARY-sender@example.com", "CANARY-recipient@receiver.example"];
    let [helo, sender, recipient] = names.map(|name| name.replace("CANARY", CANARY));
    let session = [
        ("client_ip", "203.0.113.77"),
        ("helo", helo.as_str()),
        ("mail_from", &sender),
        ("rcpt_to", &recipient),
        ("message_id", "canary"),
    ];
    let answer = stack.inbound(&session, message_full_of_names()).await.expect_status(200).json();
    assert_eq!(answer["report"]["disposition"], "reject", "{answer}");
    assert!(answer["report"].to_string().contains(CANARY), "the evidence has what the log has not");
    stack.inbound(&session, format!("{CANARY}: no message\r\n")).await.expect_status(200);
    stack.send("POST", "/local/scan", &[], "").await.expect_status(200);
    let log = std::fs::read_to_string(path).expect("a log");
    for kept_out in [CANARY, "203.0.113.77"] {
        let line = log.lines().find(|line| line.to_lowercase().contains(kept_out));
        assert_eq!(line, None, "{kept_out}");
    }
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let judged = lines.iter().find(|line| line["message.id"] == "canary").expect("an event of the message");
    let told = json!([judged["disposition"], judged["rfc5322.from.domain"], judged["ocsf"]["class_uid"]]);
    assert_eq!(told, json!(["reject", "example.com", 4009]));
}

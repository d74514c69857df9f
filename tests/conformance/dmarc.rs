//! Half of mailauth's cases for RFC 9989: the tree walk, `psd`, `np`, `t=y`, several records.
//!
//! A case says which domains DKIM and SPF passed for. So each message here is signed for the former, with a key made for
//! the occasion, and comes from an address that the latter permits.

use base64::{Engine, engine::general_purpose::STANDARD};
use gatepost_verify_inbound::report::Report;
use mail_auth::{
    common::{
        crypto::{Ed25519Key, Sha256, SigningKey},
        headers::HeaderWriter,
    },
    dkim::DkimSigner,
};
use serde_json::{Value, json};

use super::{Score, data, judge, judged, list, served, text, texts};

const CASES: usize = 15;

const PASSED: usize = 15;

const CLIENT_IP: &str = "192.0.2.1";
const SELECTOR: &str = "passes";

#[tokio::test]
async fn dmarc_finds_the_policy_that_rfc_9989_says() {
    let pkcs8 = Ed25519Key::generate_pkcs8().expect("the system has entropy");
    let key = || Ed25519Key::from_pkcs8_der(&pkcs8).expect("just made");
    let public_key = STANDARD.encode(key().public_key());
    let mut score = Score::default();
    for case in list(&data("dmarc/rfc9989-dev.json")) {
        let (signers, senders) = (texts(&case["dkim"]), texts(&case["spf"]));
        let mut zone = case["zone"].clone();
        signers.iter().for_each(|domain| {
            publish(
                &mut zone,
                &format!("{SELECTOR}._domainkey.{domain}"),
                &format!("v=DKIM1; k=ed25519; p={public_key}"),
            );
        });
        senders.iter().for_each(|domain| publish(&mut zone, domain, &format!("v=spf1 ip4:{CLIENT_IP} -all")));
        let mut message = format!("From: {}\r\nSubject: a case\r\n\r\nA case.\r\n", text(&case["headerFrom"]));
        for domain in &signers {
            message = signed(key(), domain, &message);
        }
        let server = served(&zone).await;
        let mail_from = senders.first().map(|domain| format!("bounces@{domain}")).unwrap_or_default();
        let report = judged(&judge(&server), message.as_bytes(), CLIENT_IP, "client.invalid", &mail_from).await;
        score.add(text(&case["id"]), &faults(&case["expect"], &report, signers.len()));
    }
    score.expect("RFC 9989", PASSED, CASES);
}

fn publish(zone: &mut Value, name: &str, record: &str) {
    let records = zone.as_object_mut().expect("a zone has names").entry(name).or_insert_with(|| json!({}));
    let texts = records.as_object_mut().expect("TYPE: data").entry("TXT").or_insert_with(|| json!([]));
    texts.as_array_mut().expect("a list of texts").push(json!(record));
}

fn signed(key: impl SigningKey<Hasher = Sha256>, domain: &str, message: &str) -> String {
    let signer = DkimSigner::from_key(key).domain(domain).selector(SELECTOR).headers(["From", "Subject"]);
    signer.sign(message.as_bytes()).expect("a message with a From field").to_header() + message
}

fn faults(expect: &Value, report: &Report, signatures: usize) -> Vec<String> {
    let mut faults = Vec::new();
    let passing = report.dkim_signatures.iter().filter(|signature| signature.result == "pass").count();
    if passing != signatures {
        faults.push(format!("{passing} of {signatures} signatures pass"));
    }
    for (what, found) in [("result", Some(report.dmarc)), ("policy", report.policy)] {
        if let Some(due) = expect[what].as_str().filter(|due| found != Some(due)) {
            faults.push(format!("{what}={} instead of {due}", found.unwrap_or("null")));
        }
    }
    faults
}

//! Contract 5 from outside: what a domain is told about what it publishes.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use gatepost::posture::{MAX_QUESTIONS, SELECTORS};
use gatepost_local::name_server::NameServer;
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use crate::{
    command_line::{ANSWERED, gatepost},
    stack::{Answer, Stack},
};

const ZONE: &str = include_str!("posture/zone.txt");

async fn name_server() -> NameServer {
    NameServer::start(ZONE, &[]).await.expect("the zone is served")
}

async fn stack_with(server: &NameServer) -> Stack {
    let address = server.address().to_string();
    Stack::start_with(&["--dns", &address], &[("GATEPOST_DNS_TIMEOUT_MS", "4000")]).await
}

/// For a test that asks about more domains than a usual client may.
async fn generous_stack_with(server: &NameServer) -> Stack {
    let address = server.address().to_string();
    let environment = [("GATEPOST_DNS_TIMEOUT_MS", "4000"), ("GATEPOST_LIMITS_BURST", "1000")];
    Stack::start_with(&["--dns", &address], &environment).await
}

async fn get(stack: &Stack, domain: &str) -> Answer {
    let headers = [("x-api-key", stack.api_key.as_str())];
    stack.send("GET", &format!("/v1/domains/{domain}/posture"), &headers, "").await
}

async fn posture(stack: &Stack, domain: &str) -> Value {
    get(stack, domain).await.expect_status(200).json()
}

fn codes(posture: &Value) -> Vec<&str> {
    let findings = posture["findings"].as_array().expect("a list");
    findings.iter().map(|finding| finding["code"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn a_posture_of_a_protected_domain_scores_all_points_without_a_finding() {
    let server = name_server().await;
    let stack = stack_with(&server).await;
    let answer = get(&stack, "Protected.Example").await.expect_status(200);
    for (name, expected) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("ratelimit", "\"default\";r=95;t=4"),
        ("ratelimit-policy", "\"default\";q=340;w=60"),
    ] {
        assert_eq!(answer.header(name), expected, "{name}");
    }
    let answer = answer.json();
    let members: Vec<&str> = answer.as_object().expect("an object").keys().map(String::as_str).collect();
    let records = ["mx", "spf", "dkim", "dmarc", "mta_sts", "tls_rpt", "bimi", "dnssec"];
    assert_eq!(members, [&["domain", "score", "judged"][..], &records, &["findings"]].concat());
    assert_eq!(
        json!([answer["domain"], answer["score"], answer["judged"], answer["findings"]]),
        json!(["protected.example", 100, 100, []])
    );
    for record in records {
        let told = &answer[record];
        assert_eq!(json!([told["present"], told["valid"]]), json!([true, true]), "{record}: {told}");
        assert!(told.as_object().is_some_and(|told| told.contains_key("record")), "{record}: {told}");
    }
    assert_eq!(answer["mx"]["record"], "10 mx1.protected.example.\n20 mx2.protected.example.");
    assert_eq!(answer["mx"]["hosts"][0]["addresses"], json!(["192.0.2.11", "2001:db8::11"]));
    assert_eq!(
        json!([answer["spf"]["lookups"], answer["spf"]["void_lookups"], answer["spf"]["all"]]),
        json!([2, 0, "-all"])
    );
    assert_eq!(
        json!([answer["dkim"]["keys"][0]["selector"], answer["dkim"]["keys"][0]["rsa_bits"]]),
        json!(["google", 2048])
    );
    assert_eq!(json!([answer["dmarc"]["policy"], answer["dmarc"]["inherited_from"]]), json!(["reject", null]));
    assert_eq!(
        json!([answer["mta_sts"]["id"], answer["mta_sts"]["policy_file"]]),
        json!(["20261126T000000", "not_fetched"])
    );
    assert_eq!(answer["tls_rpt"]["rua"], json!(["mailto:tls@protected.example"]));
    assert_eq!(
        json!([answer["dnssec"]["zone"], answer["dnssec"]["validation"]]),
        json!(["protected.example", "not_done"])
    );
}

#[tokio::test]
async fn a_posture_of_a_bare_a_parked_and_a_missing_domain_says_what_each_needs() {
    let server = name_server().await;
    let stack = stack_with(&server).await;
    let bare = posture(&stack, "bare.example").await;
    assert_eq!(
        codes(&bare),
        ["spf_missing", "dmarc_missing", "mx_missing", "dnssec_missing", "dkim_no_known_selector", "bimi_missing"]
    );
    // MTA-STS and TLS-RPT protect mail on its way in, and there is none.
    assert_eq!(json!([bare["score"], bare["judged"], bare["dkim"]["present"]]), json!([22, 90, null]));
    assert_eq!(
        bare["findings"][1],
        json!({
            "code": "dmarc_missing", "severity": "error",
            "detail": "There is no DMARC record at _dmarc.bare.example.",
            "fix": "Publish at _dmarc.bare.example the TXT record \"v=DMARC1; p=reject; rua=mailto:dmarc-reports@bare.example\".",
        })
    );
    let parked = posture(&stack, "parked.example").await;
    assert_eq!(
        (&parked["score"], codes(&parked)),
        (&json!(100), vec!["mx_null", "dkim_no_known_selector", "bimi_missing"])
    );
    let missing = posture(&stack, "missing.example").await;
    assert_eq!((&missing["score"], codes(&missing)), (&json!(0), vec!["domain_nonexistent"]));
}

/// The codes about the part that a domain is named for.
const FAULTS: &[(&str, &[&str])] = &[
    ("mx-null-beside-hosts", &["mx_null_beside_hosts"]),
    ("mx-twice", &["mx_duplicate_host"]),
    ("mx-ip-address", &["mx_ip_address"]),
    ("mx-gone", &["mx_host_without_address"]),
    ("mx-private", &["mx_not_public"]),
    ("spf-missing", &["spf_missing"]),
    ("spf-several", &["spf_several_records"]),
    ("spf-misspelt", &["spf_invalid"]),
    ("spf-bad-address", &["spf_invalid"]),
    ("spf-plus-all", &["spf_passes_everyone"]),
    ("spf-every-address", &["spf_passes_everyone"]),
    ("spf-included-plus-all", &["spf_passes_everyone"]),
    ("spf-neutral", &["spf_neutral_all"]),
    ("spf-no-all", &["spf_no_all"]),
    ("spf-after-all", &["spf_terms_after_all"]),
    ("spf-redirect-and-all", &["spf_redirect_ignored"]),
    ("spf-ptr", &["spf_ptr"]),
    ("spf-lookups", &["spf_too_many_lookups"]),
    ("spf-lookups-behind-a-match", &["spf_too_many_lookups"]),
    ("spf-void", &["spf_too_many_void_lookups"]),
    ("spf-include-missing", &["spf_broken_policy"]),
    ("spf-include-misspelt", &["spf_broken_policy"]),
    ("spf-loop", &["spf_broken_policy"]),
    ("spf-unanswered", &[]),
    ("dmarc-missing", &["dmarc_missing"]),
    ("dmarc-several", &["dmarc_several_records"]),
    ("dmarc-twice-p", &["dmarc_invalid"]),
    ("dmarc-bad-policy", &["dmarc_invalid"]),
    ("dmarc-none", &["dmarc_policy_none"]),
    ("dmarc-sp-none", &["dmarc_subdomains_weaker"]),
    ("dmarc-np-none", &["dmarc_nonexistent_weaker"]),
    ("dmarc-testing", &["dmarc_testing"]),
    ("dmarc-pct", &["dmarc_percentage"]),
    ("dmarc-no-rua", &["dmarc_reports_missing"]),
    ("dmarc-bad-rua", &["dmarc_reports_invalid"]),
    ("dmarc-stranger", &["dmarc_reports_unauthorised"]),
    ("dmarc-unanswered", &[]),
    ("spf-near-miss", &["spf_missing", "spf_near_miss"]),
    ("spf-sender-id", &["spf_sender_id"]),
    ("spf-long", &["spf_long"]),
    ("spf-unknown-modifier", &["spf_unknown_modifier"]),
    ("spf-explanation-missing", &["spf_explanation_missing"]),
    ("dmarc-rua-without-mail", &["dmarc_reports_undeliverable"]),
    ("dmarc-lower-case", &["dmarc_missing", "dmarc_stray_text"]),
    ("dmarc-stray", &["dmarc_stray_text"]),
    ("dmarc-misplaced", &["dmarc_missing", "dmarc_misplaced"]),
    ("dmarc-bad-value", &["dmarc_bad_value"]),
    ("dmarc-unknown-tag", &["dmarc_unknown_tag"]),
    ("dkim-short", &["dkim_key_too_short"]),
    ("dkim-weak", &["dkim_key_weak"]),
    ("dkim-revoked", &["dkim_key_revoked"]),
    ("dkim-testing", &["dkim_testing"]),
    ("dkim-broken", &["dkim_key_invalid"]),
    ("mta-sts-missing", &["mta_sts_missing"]),
    ("mta-sts-several", &["mta_sts_several_records"]),
    ("mta-sts-bad-id", &["mta_sts_invalid"]),
    ("tls-rpt-missing", &["tls_rpt_missing"]),
    ("tls-rpt-several", &["tls_rpt_several_records"]),
    ("tls-rpt-bad-rua", &["tls_rpt_invalid"]),
    ("bimi-no-enforcement", &["bimi_without_enforcement"]),
    ("bimi-no-certificate", &["bimi_without_certificate"]),
    ("bimi-http", &["bimi_invalid"]),
    ("dnssec-missing", &["dnssec_missing"]),
];

#[tokio::test]
async fn a_posture_names_each_fault() {
    let server = name_server().await;
    let stack = generous_stack_with(&server).await;
    for (domain, expected) in FAULTS {
        let answer = posture(&stack, &format!("{domain}.example")).await;
        let part = ["mta-sts", "tls-rpt"].into_iter().find(|part| domain.starts_with(part));
        let part = part.unwrap_or(domain.split('-').next().unwrap_or_default()).replace('-', "_");
        let found: Vec<&str> = codes(&answer).into_iter().filter(|code| code.starts_with(&part)).collect();
        assert_eq!(found, *expected, "{domain}: {answer:#}");
        let (score, is_found) = (answer["score"].as_u64().expect("a number"), !expected.is_empty());
        assert!(score <= 100 && (is_found || answer[&part]["present"].is_null()), "{domain}: {answer:#}");
    }
}

#[tokio::test]
async fn a_posture_counts_neither_for_nor_against_what_dns_does_not_say() {
    let server = name_server().await;
    let stack = stack_with(&server).await;
    for (domain, part, points) in [("dmarc-unanswered.example", "dmarc", 30), ("spf-unanswered.example", "spf", 25)] {
        let answer = posture(&stack, domain).await;
        let told = &answer[part];
        assert_eq!(json!([told["present"], told["valid"], told["record"]]), json!([null, null, null]));
        assert_eq!(answer["judged"], 90 - points);
        let unanswered =
            answer["findings"].as_array().and_then(|all| all.iter().find(|f| f["code"] == "dns_unanswered"));
        let detail = unanswered.and_then(|finding| finding["detail"].as_str()).expect("a finding");
        assert!(
            detail.contains(&format!("TXT of {}{domain}", if part == "dmarc" { "_dmarc." } else { "" })),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn a_posture_of_a_subdomain_has_the_policy_of_the_domain_above() {
    let server = name_server().await;
    let stack = stack_with(&server).await;
    let answer = posture(&stack, "sub.protected.example").await;
    assert_eq!(
        json!([answer["dmarc"]["inherited_from"], answer["dmarc"]["policy"], answer["dnssec"]["zone"]]),
        json!(["protected.example", "reject", "protected.example"])
    );
    assert!(codes(&answer).contains(&"dmarc_inherited") && !codes(&answer).contains(&"dnssec_missing"), "{answer:#}");
}

#[tokio::test]
async fn a_posture_is_the_same_on_the_command_line() {
    let server = name_server().await;
    let stack = stack_with(&server).await;
    let address = server.address().to_string();
    for domain in ["protected.example", "bare.example", "spf-lookups.example"] {
        let output = tokio::task::spawn_blocking({
            let address = address.clone();
            move || gatepost(&["posture", domain, "--dns", &address], b"")
        });
        let output = output.await.expect("no panic");
        assert_eq!(output.status.code(), ANSWERED, "{domain}");
        let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(printed, posture(&stack, domain).await, "{domain}");
        assert!(1 < output.stdout.iter().filter(|octet| **octet == b'\n').count(), "it is for people to read");
    }
}

#[test]
fn a_posture_without_any_answer_judges_nothing_and_wrong_usage_is_two() {
    // Nobody answers on the discard port.
    let output = gatepost(&["posture", "protected.example", "--dns", "127.0.0.1:9"], b"");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json!([output.status.code(), answer["score"], answer["judged"]]), json!([0, 0, 0]));
    assert_eq!(codes(&answer), ["dns_unanswered", "dkim_no_known_selector"]);
    for arguments in
        [&["posture"][..], &["posture", "com"], &["posture", "a..b"], &["posture", "x.example", "--dns", "x"]]
    {
        assert_eq!(gatepost(arguments, b"").status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_posture_is_for_callers_with_a_key_and_for_domains() {
    let server = name_server().await;
    let stack = stack_with(&server).await;
    let problem = |answer: Answer, status: u16, name: &str| {
        let answer = answer.expect_status(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["type"], format!("urn:gatepost:problem:{name}"));
        problem["detail"].as_str().expect("text").to_owned()
    };
    for (domain, detail) in [
        ("com", "the domain has only one label"),
        ("192.0.2.1", "an IP address is not a domain"),
        ("a..example", "a label of the domain is empty"),
        ("", "the domain is empty"),
        ("_dmarc.protected.example", "\\u{5f} is not allowed in a domain"),
        ("protected.example%2F", "\\u{2f} is not allowed in a domain"),
        ("%ff.example", "the domain in the path is not UTF-8, percent-encoded"),
    ] {
        assert_eq!(problem(get(&stack, domain).await, 400, "bad-request"), detail, "{domain}");
    }
    let path = "/v1/domains/protected.example/posture";
    assert_eq!(stack.send("GET", path, &[], "").await.expect_status(401).header("www-authenticate"), "Bearer");
    let headers = [("x-api-key", stack.api_key.as_str())];
    for method in ["POST", "PUT", "DELETE", "HEAD"] {
        let answer = stack.send(method, path, &headers, "").await.expect_status(405);
        assert_eq!(answer.header("allow"), "GET", "{method}");
    }
    for path in ["/v1/domains/protected.example", "/v1/domains/a/b/posture", "/v1/domains/protected.example/posture/"] {
        problem(stack.send("GET", path, &headers, "").await, 404, "not-found");
    }
    let idn = posture(&stack, "b%C3%BCcher.example").await;
    assert_eq!(idn["domain"], "xn--bcher-kva.example");
}

#[tokio::test]
async fn a_posture_costs_ten_permits_and_a_quota_that_never_has_them_is_told() {
    let limits = |burst| [("GATEPOST_LIMITS_REQUESTS_PER_MINUTE", "1"), ("GATEPOST_LIMITS_BURST", burst)];
    let stack = Stack::start_with(&[], &limits("14")).await;
    get(&stack, "example.com").await.expect_status(200);
    get(&stack, "example.com").await.expect_status(429);
    let stack = Stack::start_with(&[], &limits("12")).await;
    let problem = get(&stack, "example.com").await.expect_status(400).json();
    assert_eq!(
        json!([problem["type"], problem["detail"]]),
        json!([
            "urn:gatepost:problem:quota-too-small",
            "a posture costs 10 permits, and this client can be granted at most 9 at once"
        ])
    );
    stack.validate(json!({"email": "nobody"})).await.expect_status(200);
}

/// A TXT record of so many octets in strings of 200.
fn long_text(owner: &str, start: &str, octets: usize, filling: &str) -> String {
    let strings = format!(" \"{}\"", filling.repeat(200)).repeat(octets / 200);
    format!("{owner}. IN TXT \"{start}\"{strings}\n")
}

#[tokio::test]
async fn a_posture_of_a_hostile_domain_has_a_bounded_answer() {
    // A quotation mark is one octet in DNS, and two in JSON.
    let quote = "\\\"";
    let domain = "hostile.example";
    let mut zone: String = (0..1_400).map(|n| format!("{domain}. IN MX {n} 192.0.2.{}.\n", n % 250)).collect();
    let includes: String = (0..2_500).map(|n| format!(" \"include:{n}.x \"")).collect();
    zone += &format!("{domain}. IN TXT \"v=spf1 \" {includes}\n");
    for n in 0..3 {
        zone += &long_text(domain, &format!("v=spf {n}"), 1_000, quote);
        zone += &long_text(domain, &format!("spf2.0/pra {n}"), 1_000, quote);
    }
    // A record of DMARC may have 4,096 octets, the others 16,384.
    let tags: String = (0..250).map(|n| format!("\"; tag{n}=\" \"{quote}\" ")).collect();
    zone += &format!("_dmarc.{domain}. IN TXT \"v=DMARC1; p=x; sp=x; np=x; rua=mailto:a@b.x\" {tags}\n");
    zone += &long_text(&format!("_mta-sts.{domain}"), "v=STSv1; id=", 10_000, quote);
    let rua: String = (0..70).map(|n| format!(" \",mailto:{}@r{n}.x\"", "a".repeat(200))).collect();
    zone += &format!("_smtp._tls.{domain}. IN TXT \"v=TLSRPTv1; rua=mailto:a@b.x\" {rua}\n");
    zone += &long_text(&format!("default._bimi.{domain}"), "v=BIMI1; l=https://", 10_000, quote);
    for name in SELECTORS.map(|selector| format!("{selector}._domainkey.{domain}")) {
        zone.extend((0..10).map(|n| long_text(&name, &format!("v=DKIM1; p={n}; n="), 5_000, quote)));
    }
    let server = NameServer::start(&zone, &[]).await.expect("the zone is served");
    let stack = stack_with(&server).await;
    let answer = get(&stack, domain).await.expect_status(200);
    let size = answer.body.len();
    assert!((64 << 10..256 << 10).contains(&size), "{size}");
    let answer = answer.json();
    let findings = answer["findings"].as_array().expect("a list");
    let of = |code: &str| findings.iter().filter(|finding| finding["code"] == code).collect::<Vec<_>>();
    for (code, count) in
        [("mx_many_hosts", 1), ("mx_ip_address", 11), ("dkim_key_invalid", 11), ("spf_broken_policy", 11)]
    {
        assert_eq!(of(code).len(), count, "{code}: {:?}", codes(&answer));
    }
    let many = format!("{domain} has 1400 MX records; the 20 most preferred were looked at.");
    assert_eq!(
        (of("mx_many_hosts")[0]["detail"].as_str(), of("mx_ip_address")[10]["detail"].as_str()),
        (Some(many.as_str()), Some("10 more: An MX record names an IP address instead of a host (RFC 5321 §5.1)."),)
    );
    let length = |list: &Value| list.as_array().map(Vec::len);
    assert_eq!((length(&answer["mx"]["hosts"]), length(&answer["spf"]["includes"])), (Some(20), Some(20)));
}

/// Each packet to a name server, which is passed on, without its id.
async fn counting(server: &NameServer) -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a port"));
    let (address, behind) = (socket.local_addr().expect("bound").to_string(), server.address());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut packet = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut packet).await {
            let query = packet[..length].to_vec();
            noted.lock().expect("no panic").push(query[2..].to_vec());
            let socket = Arc::clone(&socket);
            tokio::spawn(async move {
                let onward = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
                onward.send_to(&query, behind).await.expect("sent");
                let mut packet = [0; 4096];
                let length = onward.recv(&mut packet).await.expect("answered");
                socket.send_to(&packet[..length], client).await.expect("sent");
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn a_posture_of_a_hostile_domain_costs_no_more_questions_than_is_said() {
    let includes =
        |n: usize| (0..9).map(|m| format!("\" include:p{}-{m}.hostile.example\"", n + 1)).collect::<String>();
    let policies = (0..6).flat_map(|n| (0..9).map(move |m| (n, m)));
    let mut zone: String =
        policies.map(|(n, m)| format!("p{n}-{m}.hostile.example. IN TXT \"v=spf1\" {}\n", includes(n))).collect();
    zone += &format!("hostile.example. IN TXT \"v=spf1\" {} \" -all\"\n", includes(0));
    for n in 0..15 {
        zone += &format!("hostile.example. IN MX {n} mx{n}.hostile.example.\n");
    }
    let rua: Vec<String> = (0..15).map(|n| format!("mailto:a@r{n}.example")).collect();
    let rua = rua.chunks(8).map(|some| format!("\"{}\"", some.join(","))).collect::<Vec<_>>().join(" \",\" ");
    zone += &format!("_dmarc.hostile.example. IN TXT \"v=DMARC1; p=none; rua=\" {rua}\n");
    let server = NameServer::start(&zone, &[]).await.expect("the zone is served");
    let (address, asked) = counting(&server).await;
    let output = tokio::task::spawn_blocking(move || gatepost(&["posture", "hostile.example", "--dns", &address], b""));
    let answer: Value = serde_json::from_slice(&output.await.expect("no panic").stdout).expect("JSON");
    let found = codes(&answer);
    assert!(
        ["spf_too_many_lookups", "dmarc_reports_unauthorised"].iter().all(|code| found.contains(code)),
        "{answer:#}"
    );
    assert_eq!(answer["spf"]["counted"], "at_least");
    let asked = asked.lock().expect("no panic").clone();
    let different = asked.iter().collect::<BTreeSet<_>>().len();
    assert!(60 < different && different <= MAX_QUESTIONS, "{different}");
    assert!(asked.len() <= 3 * MAX_QUESTIONS, "{}", asked.len());
}
